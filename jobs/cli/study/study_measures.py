"""Measures against spam on a terminal: what is in operation, what each stopped, and what it cost."""

from typing import Any

import polars as pl
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from jobs.base.core import numbers
from jobs.base.figures.areas import WORLD
from jobs.base.tables.contracts import list_codes
from jobs.cli.study.study_tables import (
    THE_WORLD,
    estimates_table,
    is_of_period,
    latest_period,
    make_objects,
    name_world,
)

HEADS = ("deployed", "holdings", "stopped", "95%", "$ each,\nyear", "$/1,000")
TOLD = (
    "Deployed and stopped as operators answered, by subscriptions. $: spending as the study estimates it, for"
    " each subscription and year, and for 1,000 that the strategy stopped: an average, not the price of more."
)


def measure_tables(frame: pl.DataFrame) -> list[RenderableType]:
    """A table for each channel: the strategies of the world, cheapest first; then where spam was stopped."""
    world = frame.filter(pl.col("area_code") == WORLD, pl.col("size_code") == "_T")
    own = world.filter(pl.col("strategy_code") != "_T")
    period = latest_period(own)
    of_period = own.filter(is_of_period(period))
    found: list[RenderableType] = []
    for channel in sorted(set(of_period["channel_code"])):
        rows = make_objects(of_period.filter(pl.col("channel_code") == channel))
        of = "" if name_world(rows[0]) == THE_WORLD else f" of {name_world(rows[0])}"
        found.append(strategies_table(f"{channel}: measures of operators{of} in {period}", rows))
    if found:
        found.append(Text(TOLD))
    stages = world.filter(pl.col("strategy_code") == "_T")
    if stages.height:
        last = latest_period(stages.filter(pl.col("period_code").str.contains("Q")))
        found.append(stages_table(last, make_objects(stages.filter(pl.col("period_code") == last))))
    return found


def strategies_table(title: str, rows: list[Any]) -> Table:
    table = estimates_table(title, *HEADS, first="strategy")
    dear = float("inf")
    for row in sorted(rows, key=lambda row: float(row.spend_per_thousand_stopped or dear)):
        table.add_row(
            row.strategy_code,
            numbers.format_whole_percent(row.deployed_pct),
            f"{row.chosen_count} of {row.answered_count}",
            numbers.format_whole_percent(row.stopped_pct, ""),
            numbers.format_interval(
                row.stopped_low_pct, row.stopped_high_pct, numbers.format_whole_percent, ""
            ),
            *(
                numbers.format_compact(value, "")
                for value in (row.spend_per_subscription, row.spend_per_thousand_stopped)
            ),
        )
    return table


def stages_table(period: str | None, rows: list[Any]) -> Table:
    """The share of all certain spam that was stopped at each stage, by channel."""
    codes = [code for code in list_codes("stage") if any(row.stage_code == code for row in rows)]
    table = estimates_table(f"Spam stopped in {period}, by logs", *codes, "in all", "cov.", first="channel")
    for channel in sorted({row.channel_code for row in rows}):
        of = {row.stage_code: row for row in rows if row.channel_code == channel}
        cells = (
            numbers.format_whole_percent(of[code].stopped_pct) if code in of else ""
            for code in (*codes, "_T")
        )
        table.add_row(channel, *cells, numbers.format_whole_percent(of["_T"].coverage_pct))
    return table
