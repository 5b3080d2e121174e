"""Make rows of a public table coarse, as its contract says. Most tables need no other transform."""

import polars as pl

from jobs.core.areas import COUNTRY
from jobs.core.column_types import polars_type
from jobs.core.contracts import list_codes
from jobs.disclosure.coarse import class_of, on_grid, round_significant, unclamped_low
from jobs.public.contracts import CLASSES, PublicColumn, PublicContract

LOW, ESTIMATE, HIGH = "estimate_low", "estimate", "estimate_high"


def coarsen_rows(rows: pl.DataFrame, about: PublicContract) -> pl.DataFrame:
    """The contract's columns of rows that leave; those that are made elsewhere are null, or what the rows
    have."""
    if {LOW, ESTIMATE, HIGH, "area_kind_code"} <= set(rows.columns):
        ends = rows.select("area_kind_code", pl.col(LOW, ESTIMATE, HIGH).cast(pl.Float64)).rows()
        rows = rows.with_columns(pl.Series(LOW, [lower_end(*each) for each in ends], dtype=pl.Float64))
    return pl.DataFrame([coarsen_column(rows, each) for each in about.columns])


def lower_end(kind: str, low: float | None, estimate: float, high: float | None) -> float | None:
    """The lower end of a published interval. The study's own is never below what was reported; of a country
    at its own rate that follows from the estimate and known subscriptions, of other areas it would be
    revealed."""
    if high is None or low is None:
        return None
    free = unclamped_low(estimate, high)
    return min(free, low) if kind == COUNTRY else free


def coarsen_column(rows: pl.DataFrame, column: PublicColumn) -> pl.Series:
    """A column of public rows. Raises for a column that the rows lack."""
    name, kind = column.field.name, polars_type(column.field.type)
    if column.way == "always":
        return pl.Series(name, [column.by] * rows.height, dtype=kind)
    if column.way == "made":
        return (
            rows[name].cast(kind)
            if name in rows.columns
            else pl.Series(name, [None] * rows.height, dtype=kind)
        )
    if column.way == "class":
        codelist, edges = CLASSES[column.by]
        given = rows[column.by].cast(pl.Float64).to_list()
        found = [None if value is None else class_of(value, edges, list_codes(codelist)) for value in given]
        return pl.Series(name, found, dtype=kind)
    if column.way == "":
        return rows[name].cast(kind)
    values = rows[name].cast(pl.Float64).to_list()
    if column.way == "grid":
        outward = -1 if column.by == "down" else 1
        made = [None if value is None else on_grid(value, outward) for value in values]
    else:
        digits = rows.select(pl.sql_expr(column.by).cast(pl.Int64).alias("digits"))
        count = digits["digits"].to_list() * (rows.height if digits.height == 1 else 1)
        made = [
            None if value is None else round_significant(value, each)
            for value, each in zip(values, count[: rows.height], strict=True)
        ]
    return pl.Series(name, made, dtype=pl.Float64).cast(kind)
