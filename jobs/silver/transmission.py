"""silver.transmission: what an MTA, SMSC or SIP server did, one row per queue file (or SMS) and recipient,
per refused attempt or per call."""

from __future__ import annotations

import polars as pl

from jobs.silver.assembling import from_bronze


def transform(operator: pl.DataFrame, **formats: pl.DataFrame) -> pl.DataFrame:
    return from_bronze("silver.transmission", formats, operator)
