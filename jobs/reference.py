"""Reference tables as Polars, without Spark: what is read on one machine and shown at once."""

from __future__ import annotations

import hashlib

import polars as pl

from jobs.contracts import REFERENCE, contract
from jobs.errors import ObservatoryError

TYPES = {
    "string": pl.String,
    "double": pl.Float64,
    "int": pl.Int32,
    "bigint": pl.Int64,
    "boolean": pl.Boolean,
    "date": pl.Date,
}


def read_reference(table: str) -> pl.DataFrame:
    """The rows of a dated table under schemas/reference/, with the types of its contract."""
    about = contract(table)
    file = REFERENCE / f"{about.name}.csv"
    try:
        return pl.read_csv(file, schema={field.name: TYPES[field.type] for field in about.fields})
    except pl.exceptions.PolarsError as error:
        raise ObservatoryError(f"{file.name} is not as its contract says: {error}") from None


def reference_version(table: str) -> str:
    """The first digits of the SHA-256 of the table's file: what the table was when it was read."""
    file = REFERENCE / f"{contract(table).name}.csv"
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
