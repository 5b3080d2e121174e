"""Days that respondents' logs lack: counts of a month with few gaps are scaled; one with many is no answer.

A package states on how many days of a month an operator has logs of a channel. Counts of the other days are
taken to be like those of the days with logs, so units, certain and possible spam are multiplied by days of
the month over days with logs. That holds for a few days. For half a month it would be a guess about campaigns
that nobody saw, and the operator is then a non-respondent of that month and channel, as if it had sent
nothing.
"""

import polars as pl

from jobs.base.core.periods import LEAST_DAYS_PCT
from jobs.study.estimates.steps.rows import MEASURES, last_day


def days_of(period: pl.Expr) -> pl.Expr:
    """Count the days of a period, as jobs.base.core.periods.count_days has it."""
    last = last_day(period)
    first = (
        pl.when(period.str.len_chars() == 4)
        .then(last.dt.truncate("1y"))
        .when(period.str.contains("Q", literal=True))
        .then(last.dt.truncate("1q"))
        .otherwise(last.dt.truncate("1mo"))
    )
    return (last - first).dt.total_days() + 1


def keep_covered_months(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of packages but those of months and channels with too few days. A row without day_count covers its
    whole period."""
    of = days_of(pl.col("period_code"))
    return rows.with_columns(day_count=pl.coalesce("day_count", of)).filter(
        100 * pl.col("day_count") >= LEAST_DAYS_PCT * of
    )


def scale_to_all_days(rows: pl.DataFrame) -> pl.DataFrame:
    """keep_covered_months() with counts of all days: each row's times days of the period over days with
    logs, rounded.

    Rounding keeps certain spam within possible, and possible within units; what is computed from the rows
    adds them up, and so agrees.
    """
    of, days = days_of(pl.col("period_code")), pl.col("day_count")
    # Whole numbers: halves go up.
    return keep_covered_months(rows).with_columns((pl.col(*MEASURES) * 2 * of + days) // (2 * days))
