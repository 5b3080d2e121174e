"""Make rows of a public table coarse, as its contract says. Most tables need no other transform."""

import polars as pl

from jobs.base.core.column_types import polars_type
from jobs.base.tables.contracts import list_codes
from jobs.base.tables.public_contracts import CLASSES, OF_ERROR, VARIANCE, PublicColumn, PublicContract
from jobs.base.tables.sql import parse_expression
from jobs.study.disclosure.coarse import class_of, coarsen_digits
from jobs.study.public.intervals import add_intervals


def coarsen_rows(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    """The contract's columns of rows that leave; those that are made elsewhere are null, or what the rows
    have, and those that are derived null. Ends of intervals, bands and statuses are made of the columns that
    leave."""
    if VARIANCE not in contract.schema:
        return pl.DataFrame([coarsen_column(rows, each) for each in contract.columns])
    own = rows.drop(name for name in OF_ERROR if name != VARIANCE)
    made = pl.DataFrame([coarsen_column(own, each) for each in contract.columns])
    return add_intervals(made, rows["obs_status_code"])


def coarsen_column(rows: pl.DataFrame, column: PublicColumn) -> pl.Series:
    """A column of public rows. Raises for a column that the rows lack."""
    name, kind = column.field.name, polars_type(column.field.type)
    if column.way == "always":
        return pl.Series(name, [column.by] * rows.height, dtype=kind)
    if column.way == "derived":
        return pl.Series(name, [None] * rows.height, dtype=kind)
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
    made = [
        None if value is None else coarsen_digits(value, each)
        for value, each in zip(values, digits_of(rows, column), strict=True)
    ]
    return pl.Series(name, made, dtype=pl.Float64).cast(kind)


def digits_of(rows: pl.DataFrame, column: PublicColumn) -> list[int]:
    """The significant digits of a column in each row."""
    digits = rows.with_columns(digits=parse_expression(column.by).cast(pl.Int64))
    return digits["digits"].to_list()
