"""silver.authentication_report: mail that providers received in a domain's name, per record of a report."""

from __future__ import annotations

import polars as pl

from jobs.silver.assembling import from_bronze


def transform(dmarc: pl.DataFrame, operator: pl.DataFrame) -> pl.DataFrame:
    formats = {"dmarc": dmarc}
    return from_bronze("silver.authentication_report", formats, operator)
