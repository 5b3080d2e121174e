"""silver.complaint: one row per complaint of a receiver."""

from __future__ import annotations

import polars as pl

from jobs.silver.assembling import from_bronze


def transform(feedback: pl.DataFrame, kannel: pl.DataFrame, operator: pl.DataFrame) -> pl.DataFrame:
    formats = {"feedback": feedback, "kannel": kannel}
    return from_bronze("silver.complaint", formats, operator)
