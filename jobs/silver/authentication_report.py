"""silver.authentication_report: mail that providers received in a domain's name, per record of a report."""

from __future__ import annotations

import polars as pl

from jobs.silver.assembling import from_bronze


def transform(operator: pl.DataFrame, **formats: pl.DataFrame) -> pl.DataFrame:
    return from_bronze("silver.authentication_report", formats, operator)
