"""Days that respondents' logs lack: of a month with few gaps counts are scaled, one with many is no answer.

A package says of how many days of a month it has logs of a channel. Counts of the other days are taken to be
like those of the days that are there, so units, certain and possible spam are multiplied by days of the month
over days with logs. That holds for a few days. Of half a month it would be a guess about campaigns that
nobody saw, and the operator is then a non-respondent of that month and channel, as if it had sent nothing.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.periods import LEAST_DAYS_PCT
from jobs.study_rows import MEASURES


def last_day(period: Column) -> Column:
    """The last day of a period's code, as jobs.periods.last_day has it."""
    year = F.substring(period, 1, 4)
    of_quarter = F.lpad((F.substring(period, 7, 1).cast("int") * 3).cast("string"), 2, "0")
    month = (
        F.when(F.length(period) == 4, F.lit("12"))
        .when(period.contains("Q"), of_quarter)
        .otherwise(F.substring(period, 6, 2))
    )
    return F.last_day(F.concat_ws("-", year, month, F.lit("01")).cast("date"))


def days_of(period: Column) -> Column:
    """How many days a period has, as jobs.periods.days_of has it."""
    last = last_day(period)
    first = (
        F.when(F.length(period) == 4, F.trunc(last, "year"))
        .when(period.contains("Q"), F.trunc(last, "quarter"))
        .otherwise(F.trunc(last, "month"))
    )
    return (F.datediff(last, first) + 1).cast("bigint")


def answered(rows: DataFrame) -> DataFrame:
    """Rows of packages but those of months and channels with too few days. A file of rows that says nothing
    of days is taken for whole."""
    days, of = F.coalesce("day_count", days_of(F.col("period_code"))), days_of(F.col("period_code"))
    return rows.withColumn("day_count", days).filter(100 * days >= LEAST_DAYS_PCT * of)


def of_all_days(rows: DataFrame) -> DataFrame:
    """answered() with counts of all days: each row's times days of the period over days with logs, rounded.

    Rounding keeps certain spam within possible, and possible within units; what is computed from the rows
    adds them up, and so agrees.
    """
    of = days_of(F.col("period_code"))
    scaled = {
        # Whole numbers: halves go up.
        name: F.when(F.col("day_count") == of, F.col(name)).otherwise(
            F.expr(f"(2 * {name} * of_days + day_count) div (2 * day_count)")
        )
        for name in MEASURES
    }
    return answered(rows).withColumn("of_days", of).withColumns(scaled).drop("of_days")
