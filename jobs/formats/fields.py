"""What kernels of every channel do with a field: clean it, tell its time, say what became of its line."""

from __future__ import annotations

from typing import Any

import polars as pl


def none_if_empty(text: pl.Expr, *also: str) -> pl.Expr:
    """Null for the empty text and for the words in `also`."""
    return pl.when(~text.is_in(["", *also]) if also else text != "").then(text)


def utc(clock: pl.Expr, time_zone: str) -> pl.Expr:
    """UTC of a local clock. An hour that the clock runs twice is the first; one that it skips is the next."""
    zone: dict[str, Any] = {"ambiguous": "earliest", "non_existent": "null"}
    exact = clock.dt.replace_time_zone(time_zone, **zone)
    if time_zone in ("UTC", "Etc/UTC"):
        return exact
    skipped = clock.dt.offset_by("1h").dt.replace_time_zone(time_zone, **zone)
    return pl.coalesce(exact, skipped).dt.convert_time_zone("UTC")


def line_code(is_record: pl.Expr) -> pl.Expr:
    """What a line counts as: quarantined where it has a `reason_code`, else record or ignored."""
    return (
        pl.when(pl.col("reason_code").is_not_null())
        .then(pl.lit("quarantined"))
        .when(is_record)
        .then(pl.lit("record"))
        .otherwise(pl.lit("ignored"))
    )
