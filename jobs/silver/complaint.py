"""silver.complaint: one row per complaint of a receiver."""

from __future__ import annotations

import polars as pl

from jobs.silver.assembling import from_bronze


def transform(operator: pl.DataFrame, **formats: pl.DataFrame) -> pl.DataFrame:
    return from_bronze("silver.complaint", formats, operator)
