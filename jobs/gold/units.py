"""The units that messages are counted in. Units are never added to each other."""

from __future__ import annotations

import polars as pl


def grain(code: str) -> pl.Expr:
    return pl.col("grain_code").eq(code).cast(pl.Int64)


# How much of each unit a row of silver.message is.
UNITS = {
    "recipient": grain("recipient"),
    "message": pl.col("is_message_row").cast(pl.Int64),
    "attempt": grain("attempt"),
    "call": grain("call"),
    "segment": grain("recipient") * pl.col("segment_count").fill_null(0),
}
