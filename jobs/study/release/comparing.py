"""Differences between two releases: rows that came, went and changed."""

import csv
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.release import manifest
from jobs.study.release.about import MADE_UP
from jobs.study.release.released_tables import AREA

# Columns that say how a row relates to an earlier release.
REVISION = ("revision_code", "stands_from")


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        key: the row's key as text.
        column: '' where the whole row came or went.
    """

    table: str
    key: str
    kind: str
    column: str = ""
    before: str = ""
    after: str = ""


def tables_in(folder: Path) -> dict[str, pl.DataFrame]:
    """The tables of a release, as texts, from its CSV files."""
    return {name: pl.read_csv(file, infer_schema=False) for name, file in csv_files_in(folder).items()}


def csv_files_in(folder: Path) -> dict[str, Path]:
    """The CSV file of each table of a release."""
    is_made_up = manifest.read_manifest(folder)["is_made_up"]
    names = [table.split(".")[1] for table in public_tables()]
    files = {
        name: folder / "data" / (f"{name}.{MADE_UP}.csv" if is_made_up else f"{name}.csv") for name in names
    }
    found = {name: file for name, file in files.items() if file.is_file()}
    if not found:
        raise ObservatoryError(f"{folder} has no table that this program knows")
    return found


def areas_in(folder: Path) -> dict[str, list[str]]:
    """The areas of the rows of each table of a release that has areas."""
    found = {}
    for name, file in csv_files_in(folder).items():
        with file.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            if AREA in (rows.fieldnames or ()):
                found[name] = [row[AREA] for row in rows]
    return found


def count_logged(folder: Path) -> dict[str, int]:
    """Count rows that the revision log of a release names, by kind: changed, new, gone; empty without a
    log."""
    file = next(iter(folder.glob("revisions*.csv")), None)
    if file is None:
        return {}
    rows = pl.read_csv(file, infer_schema=False).unique(["table", "key", "kind"])
    return dict(rows.group_by("kind").len().sort("kind").rows())


def compare_tables(before: dict[str, pl.DataFrame], after: dict[str, pl.DataFrame]) -> list[Change]:
    """Every row that is new or gone, and every value that changed, but for the columns on revisions."""
    found: list[Change] = []
    for name in sorted({*before, *after}):
        key = public_contract(f"public.{name}").key
        old, new = (rows_by_key(each.get(name), key) for each in (before, after))
        found += [Change(name, "/".join(each), "gone") for each in sorted(set(old) - set(new))]
        found += [Change(name, "/".join(each), "new") for each in sorted(set(new) - set(old))]
        for each in sorted(set(old) & set(new)):
            found += [
                Change(name, "/".join(each), "changed", column, old[each].get(column, ""), value)
                for column, value in new[each].items()
                if column not in REVISION and old[each].get(column, "") != value
            ]
    return found


def rows_by_key(rows: pl.DataFrame | None, key: list[str]) -> dict[tuple[str, ...], dict[str, str]]:
    if rows is None:
        return {}
    return {
        tuple(str(row[name]) for name in key): {name: value or "" for name, value in row.items()}
        for row in rows.to_dicts()
    }
