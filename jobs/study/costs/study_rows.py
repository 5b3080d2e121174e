"""Figures of the study's tables by name, read from the lake.

A figure is named by its table and the parts of its key, in order: study.investment/2026/LDC/EMAIL, and after
that strategy, component and conversion. Parts at the end may be left out where one is the usual.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.periods import last_day
from jobs.base.figures import words
from jobs.base.figures.areas import classify_countries, is_whole_area, list_areas, name_study_countries
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake, open_lake
from jobs.base.tables.contracts import Row, read_contract, reference_table
from jobs.base.tables.csv_tables import file_of
from jobs.base.tables.reference_version import reference_version

# The values that are meant where a name leaves out the end of the key.
USUAL = {
    "strategy_code": ("_T",),
    "component_code": ("_T",),
    "cost_component_code": ("stated",),
    **dict.fromkeys(
        (
            "spam_type_code",
            "source_region_code",
            "source_country_code",
            "origin_region_code",
            "link_code",
            "transit_code",
            "size_code",
            "stage_code",
        ),
        ("_T",),
    ),
    "match_code": ("with_before",),
    "conversion_code": ("market",),
    "unit_code": ("recipient", "call", "attempted"),
    "definition_code": (OPERATOR,),
    "quantity_code": ("spam_certain",),
}
CONVERSION = "conversion_code"
AREAS = {
    "WORLD": "the world",
    "AFR": "Africa",
    "AMS": "the Americas",
    "ARB": "the Arab States",
    "ASP": "Asia and the Pacific",
    "CIS": "the CIS",
    "EUR": "Europe",
    "LDC": "the least developed countries",
    "SIDS": "the small island developing States",
    "LLDC": "the landlocked developing countries",
    "TRANSITION": "the economies in transition",
    "DEVELOPING": "the developing countries",
    "DEVELOPED": "the developed countries",
}


@dataclass(frozen=True)
class StudyRow:
    """A row of a study's table: the row, all rows of its period and channel, and the versions read."""

    name: str
    table: str
    row: Row
    beside: pl.DataFrame
    versions: dict[str, int]
    settings: Observatory

    @property
    def area(self) -> str:
        name = area_name(self.row["area_code"])
        is_whole = "population_pct" not in self.row or is_whole_area(self.row)
        return name if is_whole else name_study_countries(self.row, name)


def area_name(code: str) -> str:
    return AREAS.get(code) or words.country_name(code)


def read_figure(
    name: str, settings: Observatory, tables: Sequence[str], conversion: str | None = None
) -> StudyRow:
    """The row of this name, of one of these tables.

    Raises ObservatoryError for an unknown name, with the nearest known one.

    Args:
        conversion: the code of conversion_code where the name leaves it out.
    """
    table, *parts = name.split("/")
    if table not in tables:
        raise ObservatoryError(f"figure '{name}': unknown table '{table}'{nearest_hint(table, tables)}")
    key = read_contract(table).key
    if len(parts) > len(key):
        raise ObservatoryError(f"figure '{name}': write it as {table}/{'/'.join(key)}")
    if conversion is not None:
        if CONVERSION not in key:
            raise ObservatoryError(f"figure '{name}': {table} has one conversion alone: leave out --prices")
        if parts[key.index(CONVERSION) :] not in ([], [conversion]):
            raise ObservatoryError(f"figure '{name}' names another conversion than --prices: leave one out")
    lake = open_lake(settings.lake.root)
    versions = lake.versions()
    rows = read_table(name, table, lake, versions.get(table))
    beside, chosen = rows, []
    for place, column in enumerate(key):
        known = sorted(set(rows[column]))
        asked = conversion if column == CONVERSION else None
        chosen.append(choose_value(name, column, parts[place] if place < len(parts) else asked, known))
        rows = rows.filter(pl.col(column) == chosen[-1])
        if column in ("period_code", "channel_code"):
            beside = beside.filter(pl.col(column) == chosen[-1])
    row = rows.row(0, named=True)
    if row.get("estimate", 0) is None:
        raise ObservatoryError(
            f"figure '{name}': nothing is known of it: no operator of the area is in the frame (OBS_STATUS O)"
        )
    if table == "study.public_spending" and row["market_amount"] is None:
        raise ObservatoryError(f"figure '{name}': it is {row['person_days']} person days, and no amount")
    if row.get("gap", 0) is None:
        raise ObservatoryError(f"figure '{name}': {' '.join(row['assumptions'])}")
    return StudyRow("/".join([table, *chosen]), table, row, beside, versions, settings)


def read_table(name: str, table: str, lake: Lake, version: int | None) -> pl.DataFrame:
    """The table's rows, as the last finished run left them."""
    rows = lake.read(table, version)
    if rows.is_empty():
        raise ObservatoryError(
            f"figure '{name}': {table} in {lake.root} is empty: `observatory study estimate` writes it anew"
        )
    return rows


def choose_value(name: str, column: str, chosen: str | None, known: list[str]) -> str:
    """The value of a column that a name means."""
    of = column.removesuffix("_code")
    if chosen is not None:
        if chosen not in known:
            raise ObservatoryError(f"figure '{name}': no {of} '{chosen}'{nearest_hint(chosen, known)}")
        return chosen
    usual = [each for each in USUAL.get(column, ()) if each in known] or (known if len(known) == 1 else [])
    if not usual:
        shown = ", ".join(f"/{each}" for each in known[:12])
        raise ObservatoryError(f"figure '{name}': name its {of} too: add one of {shown}")
    return usual[0]


def countries_of(area: str, period: str) -> frozenset[str]:
    """The countries of an area, as groups were on the last day of the period."""
    listed = classify_countries(
        reference_table("ref.country"), reference_table("ref.country_group"), last_day(period)
    )
    return next(
        (frozenset(each.countries) for each in list_areas(listed) if each.code == area), frozenset({area})
    )


def versions_of(study_row: StudyRow, *tables: str) -> list[tuple[str, str]]:
    """List the versions of a figure's inputs: tables, reference files, and the study's own files."""
    listed = [study_row.table, *tables]
    lake = [
        (name, f"Delta version {study_row.versions[name]}") for name in listed if name in study_row.versions
    ]
    files = [
        (name, f"file {reference_version(name)}")
        for name in listed
        if "project" in read_contract(name).given_in
    ]
    own = [
        (name, describe_own_file(study_row.settings, name))
        for name in listed
        if read_contract(name).given_in == ("files",)
    ]
    return [*lake, *files, *own]


def describe_own_file(settings: Observatory, table: str) -> str:
    """One of the study's own files: its present digest, and the sources that its rows name."""
    if settings.study.files is None:
        return "of the study's files, which the settings do not name ([study] files)"
    folder = Path(settings.study.files)
    file = file_of(folder, table)
    if file is None:
        return f"not in {folder}"
    sources = pl.read_csv(file, columns=["source"], infer_schema=False)["source"].drop_nulls().unique().sort()
    named = "; ".join(sources.to_list()[:3]) + ("; and others" if len(sources) > 3 else "")
    return f"file {hashlib.sha256(file.read_bytes()).hexdigest()[:12]}, by {named or 'nobody'}"


def computed_when(study_row: StudyRow) -> str:
    """Say when the lake's table was computed, and by which code."""
    runs = open_lake(study_row.settings.lake.root).read("meta.run", where=pl.col("stage_name") == "study")
    last = runs.sort("finished_at").row(-1, named=True) if not runs.is_empty() else {}
    code = f" by code {last['code_revision']}" if last.get("code_revision") else ""
    at = words.format_time(last["finished_at"]) if last.get("finished_at") else "a run that is not named"
    return f"{study_row.table}, estimated {at}{code}; unprotected"
