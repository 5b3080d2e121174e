"""Input of the site: a verified release's manifest and its published tables, as their CSV has them."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.figures import words
from jobs.base.figures.reliability import may_be_quoted
from jobs.base.tables.public_contracts import PublicContract, public_contract, public_tables
from jobs.base.tables.series import ALL
from jobs.study.release import triangle
from jobs.study.release.about import next_version
from jobs.study.release.comparing import count_logged, csv_files_in, tables_in
from jobs.study.release.manifest import find_day, read_manifest, verify_release
from jobs.study.release.released_tables import AREA, AREA_NAME, WHOLE, published_codes

# What a manifest says of who published; those of older programs lack it.
PUBLISHER = ("publisher", "contact", "licence")
# Of volumes the unit that stands for a channel, and the quantity, the better first.
UNITS = ("attempted", "call")
QUANTITIES = ("spam_corrected", "spam_certain")
OPERATOR = "OPERATOR"
CHANNELS = ("EMAIL", "SMS", "VOICE")
# How reliable the spending is that a row of a gap is counted from.
SPENDING_BAND = "spend_cv_band_code"


@dataclass(frozen=True)
class PublishedRelease:
    """A verified release.

    Attributes:
        about: its manifest.
        tables, files: by the table's name; investment_gap has SPENDING_BAND beside its own columns.
        workbook: its file, if it has one.
        published_date: the day, if the folder of all releases lists it.
        logged: how many rows are changed, new and gone since the version before, by the revision log; empty
            without an earlier one.
    """

    about: Mapping[str, Any]
    digest: str
    tables: Mapping[str, pl.DataFrame]
    files: Mapping[str, Path]
    revised: pl.DataFrame
    workbook: Path | None
    published_date: dt.date | None
    logged: Mapping[str, int]

    @property
    def period(self) -> str:
        return str(self.about["period"])

    @property
    def is_made_up(self) -> bool:
        return bool(self.about["is_made_up"])

    def last(self, table: str) -> pl.DataFrame:
        """The rows of a table's last period, those of all countries first, then by area. A fourth quarter
        carries its year: a channel or a question on policy that only the year has is of the year."""
        rows = self.tables[table]
        own = [name for name in ("channel_code", "indicator_code") if name in rows.columns]
        last = pl.col("period_code").max()
        return sort_areas(rows.filter(pl.col("period_code") == (last.over(own) if own else last)))

    @cached_property
    def areas(self) -> dict[str, str]:
        """The name of every area with rows of this study, by its code: all countries, groups, countries."""
        found: dict[str, tuple[int, str]] = {}
        for rows in self.tables.values():
            if AREA in rows.columns and "area_kind_code" in rows.columns:
                for code, label, kind in rows.select(AREA, AREA_NAME, "area_kind_code").unique().rows():
                    found[code] = (KINDS.index(kind), label)
        return {
            code: label for code, (_, label) in sorted(found.items(), key=lambda each: (*each[1], each[0]))
        }

    @cached_property
    def rows_of_area(self) -> dict[str, dict[str, pl.DataFrame]]:
        """Return each area's rows of this study, by table."""
        found: dict[str, dict[str, pl.DataFrame]] = {}
        for name, rows in self.tables.items():
            if AREA in rows.columns and "area_kind_code" in rows.columns:
                for own in rows.partition_by(AREA, maintain_order=True):
                    found.setdefault(own[AREA][0], {})[name] = own
        return found

    def kind_of(self, area: str) -> str:
        """Kind of an area: world, region, group or country."""
        return str(next(iter(self.rows_of_area[area].values()))["area_kind_code"][0])

    @cached_property
    def every_volume(self) -> pl.DataFrame:
        """Volumes of spam by the operators' own definition, of the unit that stands for a channel, of every
        period of the release."""
        return sort_areas(self.tables["spam_volume"]).filter(
            pl.col("definition_code") == OPERATOR,
            pl.col("unit_code").is_in(UNITS),
            pl.col("quantity_code").is_in(QUANTITIES),
        )

    @cached_property
    def volumes(self) -> pl.DataFrame:
        """Volumes of one period for each channel: the last one of which a sentence may have that of all
        countries together; the last one if there is none."""
        is_quoted = pl.col(AREA).is_in(WHOLE) & pl.col("cv_band_code").map_elements(
            may_be_quoted, pl.Boolean, skip_nulls=False
        )
        quoted = pl.when(is_quoted).then("period_code").max()
        chosen = pl.coalesce(quoted, pl.col("period_code").max()).over("channel_code")
        return self.every_volume.filter(pl.col("period_code") == chosen)


KINDS = ("world", "region", "group", "country")


def sort_areas(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of all countries together first, then those of regions, groups and countries."""
    kind = pl.col("area_kind_code").replace_strict({kind: at for at, kind in enumerate(KINDS)}, default=9)
    return rows.sort(~pl.col(AREA).is_in(WHOLE), kind, AREA, maintain_order=True)


def read_release(folder: Path) -> PublishedRelease:
    """A release, verified. Raises ObservatoryError for one that does not verify, that another program made,
    that lacks a table or a column, or that has a code or a number that cannot be read."""
    digest = verify_release(folder)
    about = read_manifest(folder)
    lacking = [name for name in PUBLISHER if not isinstance(about.get(name), str)]
    if lacking:
        raise ObservatoryError(
            f"{folder} is of an older form: its manifest lacks {', '.join(lacking)}. Draw it with the program"
            f" that made it ({about['software']}), or make the next version of the release"
        )
    tables = tables_in(folder)
    wrong = []
    for contract in map(public_contract, public_tables()):
        if contract.name not in tables:
            wrong.append(f"{folder} has no table {contract.name}")
            continue
        wanted = [each.field.name for each in contract.columns if each.way != "always"]
        if missing := [name for name in wanted if name not in tables[contract.name].columns]:
            wrong.append(f"{folder}: table {contract.name} lacks the columns {', '.join(missing)}")
        wrong += [f"{folder}: table {contract.name}: {each}" for each in wrong_values(contract, tables)]
    if wrong:
        raise ObservatoryError(
            "\n".join([*wrong, "Another program made it: no page is drawn of a part of a release"])
        )
    tables["investment_gap"] = add_spending_band(tables)
    workbook = next(iter(folder.glob("*.xlsx")), None)
    revised = triangle.read_triangle(folder)
    day = find_day(folder, digest)
    logged = {} if about["version"] == next_version([], False) else count_logged(folder)
    return PublishedRelease(about, digest, tables, csv_files_in(folder), revised, workbook, day, logged)


def add_spending_band(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The gaps, each with the reliability of its spending, which the table of spending has."""
    key = ["period_code", AREA, "channel_code"]
    spending = total_spending(tables["investment"]).select(*key, pl.col("cv_band_code").alias(SPENDING_BAND))
    return tables["investment_gap"].join(spending, on=key, how="left", maintain_order="left")


def total_spending(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of investment for all spending of a channel, at market rates."""
    return rows.filter(
        pl.col("strategy_code") == ALL, pl.col("component_code") == ALL, pl.col("conversion_code") == "market"
    )


def wrong_values(contract: PublicContract, tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """A line for each column with codes that this program does not know, or with text in place of numbers."""
    rows, wrong = tables[contract.name], []
    for each in contract.columns:
        name = each.field.name
        if name not in rows.columns:
            continue
        values, known = rows[name].drop_nulls(), published_codes(each)
        if known is not None and (codes := sorted(set(values) - known.keys())):
            wrong.append(f"{name} has the unknown code '{codes[0]}'")
        if contract.schema[name].is_numeric():
            texts = values.filter(values.cast(pl.Float64, strict=False).is_null())
            wrong += [f"{name} has '{text}' in place of a number" for text in texts[:1]]
    return wrong


def split_by_channel(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each channel that has rows, in the order of the list of channels, and its rows."""
    of_channel = {own["channel_code"][0]: own for own in rows.partition_by("channel_code") if own.height}
    yield from ((code, of_channel[code]) for code in words.codelist_rows("channel") if code in of_channel)


def better_quantity(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of the better quantity that there is: corrected for filter error, or as filters saw it."""
    for quantity in QUANTITIES:
        own = rows.filter(pl.col("quantity_code") == quantity)
        if own.height:
            return own
    return rows.clear()
