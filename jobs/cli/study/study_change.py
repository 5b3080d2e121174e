"""Changes since the period before, on a terminal."""

import polars as pl
from rich.table import Table

from jobs.base.core.numbers import format_change
from jobs.base.core.periods import last_period
from jobs.base.figures import words
from jobs.base.figures.counting_rules import OPERATOR
from jobs.cli.study.study_tables import (
    ORDER,
    estimates_table,
    explain_areas,
    group_by_channel,
    is_of_period,
    make_objects,
    name_area,
)

HEADS = ("matched", "change", "95% interval", "", "joined", "left", "all")
NOTES = (
    "matched: operators with a figure in both periods; all: of all that have one.",
    "unclear: the interval contains no change. It leaves out errors of filters.",
)


def change_tables(frame: pl.DataFrame) -> list[Table]:
    """Tables of the change of certain spam in each area, by channel: in attempted units by the operators' own
    definition, between the latest and longest period and the one before; and whether it is a rise or a
    fall."""
    found = frame.filter(
        pl.col("definition_code") == OPERATOR,
        pl.col("quantity_code") == "spam_certain",
        pl.col("unit_code").is_in(["attempted", "call"]),
    )
    later = found.filter(pl.col("match_code") == "with_before", pl.col("change_pct").is_not_null())
    if later.is_empty():
        return []
    period = last_period(later["period_code"].unique())
    rows = sorted(
        make_objects(later.filter(is_of_period(period))),
        key=lambda row: (row.channel_code, ORDER[row.area_kind_code], row.area_code),
    )
    left = found.filter(pl.col("match_code") == "with_after", pl.col("later_period_code") == period)
    cell = ("channel_code", "area_code")
    left_of = {tuple(key): count for *key, count in left.select(*cell, "unmatched_count").iter_rows()}
    tables = []
    for channel, own in group_by_channel(rows):
        title = f"{channel}: change of spam from {own[0].earlier_period_code} to {period}"
        table = estimates_table(title, *HEADS, caption="\n".join([*NOTES, *explain_areas(own)]))
        for row in own:
            table.add_row(
                name_area(row), str(row.respondent_count), format_change(row.change_pct),
                f"{format_change(row.change_low_pct)} to {format_change(row.change_high_pct)}",
                words.lower_first(words.code_name("change", row.change_code)),
                str(row.unmatched_count), str(left_of.get((channel, row.area_code), 0)),
                format_change(row.whole_change_pct, missing=""),
            )  # fmt: skip
        tables.append(table)
    return tables
