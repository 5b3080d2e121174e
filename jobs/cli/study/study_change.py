"""What changed since the period before, on a terminal."""

import polars as pl
from rich.table import Table

from jobs.base.core.numbers import format_change
from jobs.base.core.periods import last_period
from jobs.base.figures import words
from jobs.base.figures.areas import WORLD
from jobs.base.figures.counting_rules import OPERATOR
from jobs.cli.study.study_tables import (
    THE_WORLD,
    estimates_table,
    explain_areas,
    is_of_period,
    name_world,
    to_objects,
)

HEADS = ("matched", "change", "95% interval", "joined", "left", "all answers")
MATCHED = "Operators with a figure in both periods; all answers: with those that joined and left."


def change_tables(frame: pl.DataFrame) -> list[Table]:
    """The change of the world's certain spam by channel, in attempted units by the operators' own definition,
    between the latest and longest period and the one before."""
    found = frame.filter(
        pl.col("area_code") == WORLD,
        pl.col("definition_code") == OPERATOR,
        pl.col("quantity_code") == "spam_certain",
        pl.col("unit_code").is_in(["attempted", "call"]),
    ).sort("channel_code")
    later = found.filter(pl.col("match_code") == "with_before", pl.col("change_pct").is_not_null())
    period = last_period(later["period_code"].unique())
    later = later.filter(is_of_period(period))
    if later.is_empty():
        return []
    left = found.filter(pl.col("match_code") == "with_after", pl.col("later_period_code") == period)
    left_of = dict(left.select("channel_code", "unmatched_count").iter_rows())
    before = later["earlier_period_code"][0]
    rows = to_objects(later)
    names = list(dict.fromkeys(map(name_world, rows)))
    whose = "the world's spam" if names == [THE_WORLD] else f"spam in {words.join_words(names)}"
    title = f"Change of {whose} from {before} to {period}"
    caption = "\n".join([MATCHED, *explain_areas(rows)])
    table = estimates_table(title, *HEADS, first="channel", caption=caption)
    for row in rows:
        table.add_row(
            row.channel_code, str(row.respondent_count), format_change(row.change_pct),
            f"{format_change(row.change_low_pct)} to {format_change(row.change_high_pct)}",
            str(row.unmatched_count), str(left_of.get(row.channel_code, 0)),
            format_change(row.whole_change_pct, missing=""),
        )  # fmt: skip
    return [table]
