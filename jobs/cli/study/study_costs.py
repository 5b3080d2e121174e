"""Running costs of countermeasures on a terminal, with and without imputed costs."""

from typing import Any

import polars as pl
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from jobs.base.core.numbers import format_compact, format_whole_percent
from jobs.base.costs.prices import describe_prices
from jobs.base.figures import words
from jobs.base.figures.areas import WORLD, is_whole_area
from jobs.cli.study.study_tables import (
    estimates_table,
    explain_marks,
    format_interval,
    format_marked,
    is_of_period,
    latest_period,
    make_objects,
    name_area,
    period_kind,
)

LEAST_DEVELOPED = "LDC"
HEADS = ("marginal", "stated", "all", "95%", "imputed")
TOLD = (
    "US dollars. Marginal: measured effort at {prices}. Stated: with the fixed cost that operators stated, a"
    " lower bound. All: with that of others, imputed by size and wage level, as if who states it were"
    " random within these; if those that pay more state it more, all is too high. $: all of it, for each"
    " subscription and for 1,000 messages or calls, spam or not."
)


def cost_tables(frame: pl.DataFrame) -> list[RenderableType]:
    """A table for each channel: the world's cost by strategy, and all together of the least developed
    countries."""
    if frame.is_empty():
        return []
    own = frame.filter(is_of_period(latest_period(frame)))
    tables: list[RenderableType] = []
    for channel in sorted(set(own["channel_code"])):
        tables.append(channel_table(channel, make_objects(own.filter(pl.col("channel_code") == channel))))
    marks = explain_marks(own["cv_band_code"])
    return [*tables, *map(Text, filter(None, (marks, TOLD.format(prices=describe_prices()))))]


def channel_table(channel: str, rows: list[Any]) -> Table:
    found = {(row.area_code, row.strategy_code, row.cost_component_code): row for row in rows}
    title = f"{channel}: cost of countermeasures in {rows[0].period_code}"
    each = f"$ each,\n{period_kind(rows[0].period_code)}"
    table = estimates_table(title, *HEADS, each, "$/1,000", first="strategy")
    totals = [row for row in rows if row.cost_component_code == "total"]
    of_world = [row for row in totals if row.area_code == WORLD and row.strategy_code != words.TOTAL]
    whole = [
        row
        for area in (WORLD, LEAST_DEVELOPED)
        for row in totals
        if row.strategy_code == words.TOTAL and row.area_code == area
    ]
    for row in [*sorted(of_world, key=lambda row: -row.estimate), *whole]:
        parts = [found.get((row.area_code, row.strategy_code, name)) for name in ("marginal", "stated")]
        table.add_row(
            name_row(row),
            *(format_marked(part) for part in parts),
            format_marked(row),
            format_interval(row.estimate_low, row.estimate_high),
            format_whole_percent(row.imputed_pct),
            format_compact(row.per_subscription),
            format_compact(row.per_thousand_units),
        )
    return table


def name_row(row: Any) -> str:
    if row.strategy_code == words.TOTAL:
        return f"all, {'world' if row.area_code == WORLD and is_whole_area(vars(row)) else name_area(row)}"
    return {words.OTHER: "several", words.UNKNOWN: "unknown"}.get(row.strategy_code, row.strategy_code)
