"""Validity of dated rows of a reference table: from `valid_from` on, and before `valid_to`, if it has one."""

import datetime as dt

import polars as pl


def rows_on_day(dated: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """The rows that hold on a day."""
    return dated.filter(holds_on(pl.lit(day)))


def holds_on(day: pl.Expr) -> pl.Expr:
    """Return whether a dated row holds on a day."""
    return (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (day < pl.col("valid_to")))


def is_day_within(valid_from: dt.date | None, valid_to: dt.date | None) -> pl.Expr:
    """Return whether a dated row holds on the `period_date` of a figure's row; None is no bound, and costs
    no comparison."""
    day = pl.col("period_date")
    begun = pl.lit(True) if valid_from is None else day >= valid_from
    return begun if valid_to is None else begun & (day < valid_to)


def is_valid_on(day: dt.date, valid_from: dt.date, valid_to: dt.date | None) -> bool:
    """Return whether what is valid so holds on a day."""
    return valid_from <= day and (valid_to is None or day < valid_to)
