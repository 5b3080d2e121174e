"""Rows of the study's tables: whole periods from their parts, and rows as the contract types them."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from jobs.base.core.periods import months_of, period_divisions, periods_with, periods_within
from jobs.base.tables.contracts import polars_schema

MEASURES = ("units", "spam_certain", "spam_possible")
# What adds up over the parts of a period.
SUMMED = (*MEASURES, "day_count")
# Of the statuses of an answer that is given: an estimate is weaker than what is to be replaced, and a figure
# of a part weaker than both.
AT_LEAST = "GE"
WEAKNESS = {"A": 0, "P": 1, "E": 2, AT_LEAST: 3}
# Of two owners each finds the other's part of a figure by taking off its own.
OWNERS = 3


def conf_status_code(owners: int) -> str:
    """SDMX CONF_STATUS of a figure that operators of so many owners stand behind."""
    return "C" if owners < OWNERS else "N"


def last_day(period: pl.Expr) -> pl.Expr:
    """The last day of a period's code, as jobs.base.core.periods.last_day has it."""
    month = (
        pl.when(period.str.len_chars() == 4)
        .then(pl.lit(12))
        .when(period.str.contains("Q", literal=True))
        .then(period.str.slice(6, 1).cast(pl.Int32, strict=False) * 3)
        .otherwise(period.str.slice(5, 2).cast(pl.Int32, strict=False))
    )
    return pl.date(period.str.slice(0, 4).cast(pl.Int32, strict=False), month, 1).dt.month_end()


def is_month(period: pl.Expr) -> pl.Expr:
    """Return whether a period's code is a month's."""
    return period.str.contains(r"^\d{4}-\d{2}$")


def sum_or_null(column: pl.Expr) -> pl.Expr:
    """SQL's sum: null where all values are null."""
    return pl.when(column.is_not_null().any()).then(column.sum())


def round_decimal(number: pl.Expr, digits: int) -> pl.Expr:
    """A number, or a text that holds one, as decimal(24, digits), halves away from zero; null where it is no
    number or too large."""
    exact = number.cast(pl.String).str.strip_chars().cast(pl.Decimal(38, 10), strict=False)
    return exact.round(digits, mode="half_away_from_zero").cast(pl.Decimal(24, digits), strict=False)


def frame_rows(rows: Sequence[Mapping[str, Any]], table: str) -> pl.DataFrame:
    """Rows with the columns of the table's contract; a column that no row has is null. Decimals are rounded
    to their digits."""
    columns = {}
    for name, kind in polars_schema(table).items():
        values = [row.get(name) for row in rows]
        if isinstance(kind, pl.Decimal):
            digits = kind.scale
            values = [None if value is None else round(float(value), digits) for value in values]
            columns[name] = pl.Series(name, values, dtype=pl.Float64).cast(kind)
        else:
            columns[name] = pl.Series(name, values, dtype=kind)
    return pl.DataFrame(columns)


def type_columns(rows: pl.DataFrame, table: str) -> pl.DataFrame:
    """The columns of rows that the table's contract has, as it types them. Decimals are rounded to their
    digits."""
    return rows.select(
        (
            pl.col(name).cast(pl.Float64).round(kind.scale, mode="half_away_from_zero")
            if isinstance(kind, pl.Decimal)
            else pl.col(name)
        ).cast(kind)
        for name, kind in polars_schema(table).items()
        if name in rows.columns
    )


def fill_columns(rows: pl.DataFrame, table: str) -> pl.DataFrame:
    """Rows with the columns of the table's contract, null where they have none."""
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None).alias(name)).cast(kind)
        for name, kind in polars_schema(table).items()
    )


def period_volumes(volumes: pl.DataFrame, period: str, by: Sequence[str]) -> pl.DataFrame:
    """Each respondent's volumes of a period: its own figure for it, else the sum of all its months, else, of
    a year, of its quarters, each its own figure or the sum of its months.

    A respondent that lacks a month is no respondent for the quarter; what it did not give of each part is
    null of the whole. Volumes are counts of what happened, so parts add up, and so do days with logs;
    subscriptions are those of the last part, and of answers' statuses the weakest stands.
    """
    columns = [*by, *SUMMED, "subscriptions", "answer_status_code"]
    found = volumes.filter(pl.col("period_code") == period).select(columns)
    for parts in period_divisions(period):
        each = [period_volumes(volumes, part, by).with_columns(period_code=pl.lit(part)) for part in parts]
        whole = sum_periods(pl.concat(each), parts, by).select(columns)
        found = pl.concat([found, whole.join(found, on=by, how="anti")])
    return found.sort(by)


def sum_periods(volumes: pl.DataFrame, parts: Sequence[str], by: Sequence[str]) -> pl.DataFrame:
    """The sums of those that have a figure for each of these periods; volumes are of them alone."""
    status = pl.col("answer_status_code")
    return (
        volumes.sort("period_code")
        .group_by(by)
        .agg(
            pl.col("period_code").n_unique().alias("parts"),
            *(
                pl.when(pl.col(name).is_not_null().all()).then(pl.col(name).sum()).alias(name)
                for name in SUMMED
            ),
            pl.col("subscriptions").drop_nulls().last(),
            status.sort_by(status.replace_strict(WEAKNESS, default=None)).last(),
        )
        .filter(pl.col("parts") == len(parts))
    )


def periods_of(volumes: pl.DataFrame) -> list[str]:
    """The periods that volumes can be estimated for."""
    given = set(volumes["period_code"])
    months = {period for period in given if len(months_of(period)) == 1}
    return sorted(periods_within(given | set(periods_with(months))))
