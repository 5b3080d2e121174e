"""The units that messages are counted in. Units are never added to each other."""

import polars as pl


def grain_units(code: str) -> pl.Expr:
    return pl.col("grain_code").eq(code).cast(pl.Int64)


# How much of each unit a row of silver.message is.
UNITS = {
    "recipient": grain_units("recipient"),
    "message": pl.col("is_message_row").cast(pl.Int64),
    "attempt": grain_units("attempt"),
    "call": grain_units("call"),
    "segment": grain_units("recipient") * pl.col("segment_count").fill_null(0),
}
