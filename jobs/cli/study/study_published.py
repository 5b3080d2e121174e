"""Published volumes of others beside the study's on a terminal."""

from typing import Any

import polars as pl
from rich.console import RenderableType

from jobs.base.core.numbers import format_compact, format_whole_percent
from jobs.cli.study.study_tables import estimates_table, format_interval, to_objects

SIGNS = {"about": "", "at_least": ">", "at_most": "<"}
HEADS = ("of", "printed", "ours", "95% interval", "")
TOLD = (
    "Each counted something else, in other years: `observatory show study.published_volume` says what, and"
    " where it was read. No interval of shares."
)


def published_table(frame: pl.DataFrame) -> list[RenderableType]:
    """The published figures that the study has one of its own beside."""
    rows = to_objects(frame.filter(pl.col("own_value").is_not_null()).sort("channel_code", "period_code"))
    if not rows:
        return []
    title = "Published volumes of others, and this study's"
    table = estimates_table(title, *HEADS, first="figure", caption=TOLD)
    for row in rows:
        printed = f"{SIGNS[row.published_bound_code]}{format_figure(row, row.printed_value)}"
        interval = format_interval(row.own_low, row.own_high, "")
        ours = (format_figure(row, row.own_value), interval, row.own_period_code)
        table.add_row(f"{row.issuer} {row.channel_code}", row.period_code, printed, *ours)
    return [table]


def format_figure(row: Any, value: Any) -> str:
    return format_whole_percent(value) if row.comparison_code == "share" else format_compact(value)
