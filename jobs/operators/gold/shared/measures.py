"""Sums that are permitted over rows of a gold table: cells that ref.measure names, and traffic that counts.

Units that messages are counted in are never added to each other.
"""

import datetime as dt
from collections import defaultdict

import polars as pl

from jobs.base.figures.counting_rules import ATTEMPTED, OPERATOR, RECEIVED
from jobs.base.tables.contracts import Row
from jobs.base.tables.validity import is_day_within


def is_in_measure(measure: pl.DataFrame, has_stage: bool = True, code: str = ATTEMPTED) -> pl.Expr:
    """Return whether ref.measure permits a row's unit, stage and outcome in the sum, on the row's day.

    In a table without stages: whether all stages and outcomes of its unit are in the sum.
    """
    windows: dict[tuple[dt.date, dt.date | None], list[Row]] = defaultdict(list)
    for row in measure.filter(pl.col("measure_code") == code).to_dicts():
        windows[row["valid_from"], row["valid_to"]].append(row)
    condition = pl.lit(False)
    for (start, end), rows in windows.items():
        if has_stage:
            cells = [
                f"{r['unit_code']}|{r['stage_code']}|{r['outcome_code']}" for r in rows if r["is_included"]
            ]
            inside = pl.concat_str("unit_code", "stage_code", "outcome_code", separator="|").is_in(cells)
        else:
            partly = {r["unit_code"] for r in rows if not r["is_included"]}
            inside = pl.col("unit_code").is_in(sorted({r["unit_code"] for r in rows} - partly))
        condition |= inside & is_day_within(start, end)
    return condition


def is_counted() -> pl.Expr:
    """Return whether totals over operators add a row: inbound and internal, by the operators' own
    definition."""
    return pl.col("direction_code").is_in(RECEIVED) & (pl.col("definition_code") == OPERATOR)


def grain_units(code: str) -> pl.Expr:
    return pl.col("grain_code").eq(code).cast(pl.Int64)


# How much of each unit a row of silver.message is.
UNITS = {
    "recipient": grain_units("recipient"),
    "message": pl.col("is_message_row").cast(pl.Int64),
    "attempt": grain_units("attempt"),
    "call": grain_units("call"),
    "segment": grain_units("recipient") * pl.col("segment_count").fill_null(0),
}
