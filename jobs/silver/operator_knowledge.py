"""silver.operator_knowledge: facts of the operator about its messages beside its logs, one row per fact."""

from __future__ import annotations

import polars as pl

from jobs.silver.assembling import from_bronze


def transform(operator: pl.DataFrame, **formats: pl.DataFrame) -> pl.DataFrame:
    return from_bronze("silver.operator_knowledge", formats, operator)
