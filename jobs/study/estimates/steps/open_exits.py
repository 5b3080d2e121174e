"""Spam of a group of countries without those whose exit from it is open: for the study's own team.

Nothing of it may leave. Two areas that differ by three countries reveal what these have, by subtraction, and
often what one of their operators has. So no table holds these rows, and no release reads them.
"""

import datetime as dt
from dataclasses import fields, replace
from pathlib import Path

import polars as pl

from jobs.base.core.periods import last_day
from jobs.base.figures.areas import RESOLUTION
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import read_contract, reference_table
from jobs.base.tables.csv_tables import read_tables
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates.respondent_figure import TABLE as FIGURES
from jobs.study.estimates.spam_volume import TABLE, estimate_cells, labelled_definitions
from jobs.study.estimates.steps.sample import Reference

LOW = "low"
# The units of the study's main tables: recipients and attempts, or calls.
UNITS = ("attempted", "call")


def open_exits(reference: Reference, day: dt.date) -> pl.DataFrame:
    """Memberships of countries in the Resolution's groups on a day that are of low confidence: rows of
    ref.country_group. Territories are in no area."""
    is_open = pl.col("group_code").is_in(RESOLUTION) & (pl.col("confidence") == LOW)
    listed = rows_on_day(reference.country, day).drop_nulls("itu_region")
    rows = rows_on_day(reference.country_group, day).filter(is_open).join(listed, on="iso3", how="semi")
    return rows.sort("group_code", "iso3")


def estimate_without_exits(
    respondent_figure: pl.DataFrame, definition: pl.DataFrame, reference: Reference, period: str
) -> pl.DataFrame:
    """Rows of study.spam_volume of the groups with open exits, by the operators' own definition, estimated
    again as if these countries had left: strata and raking of weights follow."""
    exits = open_exits(reference, last_day(period))
    key = ["iso3", "group_code", "valid_from"]
    left = replace(reference, country_group=reference.country_group.join(exits, on=key, how="anti"))
    figures = respondent_figure.filter(
        pl.col("definition_code") == OPERATOR, pl.col("unit_code").is_in(UNITS)
    )
    found = estimate_cells(figures, left, labelled_definitions(definition))
    is_open = pl.col("area_code").is_in(exits["group_code"].to_list())
    return found.filter(is_open, pl.col("period_code") == period)


def compare_exits(lake: Lake, folder: Path, period: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The open exits of a period, and the rows of study.spam_volume of their groups beside those without
    these countries, whose columns end in `_left`.

    Args:
        folder: holds the study's own files.
    """
    names = [f"ref.{each.name}" for each in fields(Reference)]
    files = read_tables(folder, tuple(names))
    reference = Reference(*(files[name] for name in names))
    exits = open_exits(reference, last_day(period))
    if exits.is_empty():
        return exits, pl.DataFrame()
    left = estimate_without_exits(lake.read(FIGURES), reference_table("ref.definition"), reference, period)
    return exits, lake.read(TABLE).join(left, on=read_contract(TABLE).key, suffix="_left")
