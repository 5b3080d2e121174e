"""Rows of the study's tables between Spark and numpy: whole periods, and rows as Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame

from jobs.contracts import arrow_schema, polars_schema
from jobs.periods import divisions, months_of, periods_with, periods_within

MEASURES = ("units", "spam_certain", "spam_possible")
# What adds up over the parts of a period.
SUMMED = (*MEASURES, "day_count")
# Of the statuses of an answer that is given: an estimate is weaker than what is to be replaced.
WEAKNESS = {"A": 0, "P": 1, "E": 2}
# Of two owners each finds the other's part of a figure by taking off its own.
OWNERS = 3
# Traffic that a total over operators may add: outbound mail is another operator's inbound.
COUNTED = ("inbound", "internal")


def confidentiality(owners: int) -> str:
    """SDMX CONF_STATUS of a figure that operators of so many owners stand behind; a modelled one has none."""
    return "C" if 0 < owners < OWNERS else "N"


def collected(frame: DataFrame) -> pl.DataFrame:
    """A small table as Polars: reference tables, and what some hundred operators gave."""
    found = pl.from_arrow(frame.toArrow())
    assert isinstance(found, pl.DataFrame)
    return found


def as_table(rows: Sequence[Mapping[str, Any]], table: str) -> pa.Table:
    """Rows as the table's contract has them; decimals are rounded to its digits."""
    schema = polars_schema(table)
    columns = {}
    for name, kind in schema.items():
        values = [row.get(name) for row in rows]
        if isinstance(kind, pl.Decimal):
            digits = kind.scale
            values = [None if value is None else round(float(value), digits) for value in values]
            columns[name] = pl.Series(name, values, dtype=pl.Float64).cast(kind)
        else:
            columns[name] = pl.Series(name, values, dtype=kind)
    return pl.DataFrame(columns).to_arrow().cast(arrow_schema(table))


def of_period(volumes: pl.DataFrame, period: str, by: Sequence[str]) -> pl.DataFrame:
    """Each respondent's volumes of a period: its own figure for it, else the sum of all its months, else, of
    a year, of its quarters, each its own figure or the sum of its months.

    A respondent that lacks a month is no respondent for the quarter; what it did not give of each part is
    null of the whole. Volumes are counts of what happened, so parts add up, and so do days with logs;
    subscriptions are those of the last part, and of answers' statuses the weakest stands.
    """
    columns = [*by, *SUMMED, "subscriptions", "answer_status_code"]
    found = volumes.filter(pl.col("period_code") == period).select(columns)
    for parts in divisions(period):
        each = [of_period(volumes, part, by).with_columns(period_code=pl.lit(part)) for part in parts]
        whole = of_parts(pl.concat(each), parts, by).select(columns)
        found = pl.concat([found, whole.join(found, on=by, how="anti")])
    return found.sort(by)


def of_parts(volumes: pl.DataFrame, parts: Sequence[str], by: Sequence[str]) -> pl.DataFrame:
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
