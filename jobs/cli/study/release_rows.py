"""Rows of a release's tables, for `observatory show --release`: the release is verified first, and a terminal
shows names in place of codes."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import polars as pl
from rich.table import Table

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.public_contracts import PublicContract, public_contract, public_tables
from jobs.base.tables.sql import parse_condition
from jobs.study.release.manifest import read_manifest, verify_release
from jobs.study.release.released_tables import AREA, AREA_NAME, AREAS, COMMON, published_codes

MADE_UP = ".made-up"


def verified_tables(folder: Path) -> dict[str, Path]:
    """The Parquet file of each table of a release that verifies. Raises ObservatoryError for any other."""
    verify_release(folder)
    files = map(PurePosixPath, read_manifest(folder)["files"])
    return {
        each.stem.removesuffix(MADE_UP): folder / each
        for each in sorted(files)
        if each.parent.name == "data" and each.suffix == ".parquet"
    }


def released_rows(
    folder: Path, table: str, where: str | None, columns: Sequence[str], with_names: bool
) -> tuple[pl.DataFrame, list[str], list[str]]:
    """Rows of a table of a release, the columns that a narrow terminal shows first (the main measure and the
    key), and those that it shows then.

    Raises ObservatoryError for a table or a column that the release does not have.

    Args:
        table: its name, with `public.` or without.
        with_names: names in place of codes.
    """
    tables, name = verified_tables(folder), table.removeprefix("public.")
    if name not in tables:
        raise ObservatoryError(f"{folder} has no table '{name}'{nearest_hint(name, tables)}")
    rows = pl.read_parquet(tables[name])
    for each in columns:
        if each not in rows.columns:
            raise ObservatoryError(
                f"--columns: {name} has no column '{each}'{nearest_hint(each, rows.columns)}"
            )
    if where is not None:
        try:
            rows = rows.filter(parse_condition(where, name, dict(rows.schema)))
        except ObservatoryError as error:
            raise ObservatoryError(f"--where: {error}") from None
    contract = public_contract(f"public.{name}") if f"public.{name}" in public_tables() else None
    measures = (
        [] if contract is None else [each.field.name for each in contract.columns if each.role == "measure"]
    )
    key = [] if contract is None else [AREA_NAME if each == AREA else each for each in contract.key]
    if with_names and contract is not None:
        rows = name_codes(rows, contract)
        rows = rows.drop(AREA) if {AREA, AREA_NAME} <= set(rows.columns) and AREA not in columns else rows
    return rows.select(columns) if columns else rows, [*measures[:1], *key], measures[1:]


def name_codes(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    """The rows with the names of codes, but those of areas, whose names stand beside them. Regions of sources
    and origins have no list of their own."""
    regions = {code: name.removesuffix(" (ITU region)") for code, (_, name) in AREAS.items()} | COMMON
    coded = [
        each for each in contract.columns if each.field.name.endswith("_code") and each.field.name != AREA
    ]
    return rows.with_columns(
        pl.col(each.field.name).replace(published_codes(each) or regions)
        for each in coded
        if each.field.name in rows.columns
    )


def list_released(folder: Path) -> Table:
    """The tables of a release, with their rows and what a row is."""
    found = Table("table", "rows", "a row is", title=f"Tables of {folder}", title_justify="left")
    for name, file in verified_tables(folder).items():
        known = f"public.{name}" in public_tables()
        row_is = public_contract(f"public.{name}").description.split(". ")[0] if known else ""
        found.add_row(name, f"{pl.scan_parquet(file).select(pl.len()).collect().item():,}", row_is)
    return found
