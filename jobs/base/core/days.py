"""The days of each operator that a stage reads or computes."""

import datetime as dt

import polars as pl

# For each operator its first and last day.
Days = dict[str, tuple[dt.date, dt.date]]


def is_inside(days: Days, day: pl.Expr) -> pl.Expr:
    """Whether a row belongs to one of the operators' days. day: the row's day."""
    parts = [
        (pl.col("operator_id") == operator) & day.is_between(first, last)
        for operator, (first, last) in sorted(days.items())
    ]
    return pl.any_horizontal(parts) if parts else pl.lit(False)
