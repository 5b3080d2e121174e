"""Delimited logs: from the rows of bronze to one row per message."""

import datetime as dt

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats import TRANSMISSION
from jobs.operators.formats.shared.fields import fill_rows

# Message ids come round: rows of one key further apart than this are of two messages.
MESSAGE_WITHIN = dt.timedelta(days=4)
# The outcome of a message in parts is that of its worst part: without it, the message cannot be read.
_SEVERITY = ["delivered", "tagged", "queued", "deferred", "expired", "bounced"]
_SEVERITY += ["quarantined", "discarded", "rejected"]
_OWN_USERS = ["box", "submission"]

_SAME = ["operator_id", "source_id", "profile_name", "message_key"]
_PLACED = ["stream_id", "offset", "first_at"]
_DECIDING = ["stage_code", "outcome_code", "reply_code", "reply_text", "event", "outbound_link"]
_DESCRIBING = ["channel_code", "entry_code", "sender", "recipient", "client_ip", "client_name"]
_DESCRIBING += ["inbound_link", "account", "cell_id", "message_id", "display_name", "category"]


def transmissions(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per message, or per refused attempt."""
    rows = bronze.with_columns(last_at=pl.coalesce("last_at", "first_at"))
    alone = rows.filter(pl.col("message_key").is_null()).with_columns(
        try_count=pl.col("try_count").fill_null(1).cast(pl.Int32),
        segment_count=pl.when("is_part")
        .then(pl.col("segment_count").fill_null(1))
        .otherwise("segment_count"),
        join_quality=pl.lit("none"),
    )
    folded = _fold_parts(_fold_tries(rows.filter(pl.col("message_key").is_not_null())))
    columns = [name for name in folded.collect_schema().names() if name in TRANSMISSION]
    return fill_rows(
        pl.concat([alone.select(columns), folded.select(columns)]),
        TRANSMISSION,
        format_code=pl.lit("delimited"),
        is_handoff=pl.lit(False),
        is_authenticated=pl.col("entry_code").is_in(_OWN_USERS),
        is_partial=pl.lit(False),
    )


def _fold_tries(rows: pl.LazyFrame) -> pl.LazyFrame:
    """One row per part of a message: placed by its first row, decided by its last."""
    order = ["last_at", "first_at", "stream_id", "offset"]
    apart = (pl.col("last_at") - pl.col("last_at").shift(1).over(_SAME)) > MESSAGE_WITHIN
    ordered = (
        rows.sort(*_SAME, *order)
        .with_columns(_message=apart.fill_null(False).cast(pl.Int64).cum_sum().over(_SAME))
        .with_row_index("_order")
    )
    passed = pl.col("is_part") | pl.col("outcome_code").is_in(["delivered", "tagged"])
    carried = pl.when(passed).then(pl.col("segment_count").fill_null(1)).otherwise(0).sum()
    is_split = pl.col("segment_count").is_not_null().any() | pl.col("is_part").any()
    return ordered.group_by(*_SAME, "_message", "part_key").agg(
        *(pl.col(name).sort_by("first_at", "_order").first() for name in _PLACED),
        *(pl.col(name).sort_by("_order").last() for name in _DECIDING),
        *(pl.col(name).drop_nulls().first() for name in _DESCRIBING),
        pl.col("last_at").max(),
        pl.col("grain_code").max(),  # recipient after attempt: one accepted try makes a message
        pl.col("text").drop_nulls().first(),
        pl.col("message_bytes").max(),
        pl.when(is_split)
        .then(pl.max_horizontal(carried, pl.col("segment_count").max()))
        .alias("segment_count"),
        pl.max_horizontal(pl.col("try_count").max(), (~pl.col("is_part")).sum(), 1)
        .cast(pl.Int32)
        .alias("try_count"),
        _order=pl.col("_order").min(),
        join_quality=pl.when(pl.len() > 1).then(pl.lit("exact")).otherwise(pl.lit("none")),
    )


def _fold_parts(parts: pl.LazyFrame) -> pl.LazyFrame:
    """One row per message: placed and described by its first part, decided by its worst."""
    severity = pl.col("outcome_code").replace_strict(
        _SEVERITY, list(range(len(_SEVERITY))), default=0, return_dtype=pl.Int64
    )
    number = pl.col("part_key").cast(pl.Int64, strict=False)
    in_order = ["_number", "part_key", "_order"]
    return (
        parts.with_columns(_severity=severity, _number=number)
        .group_by(*_SAME, "_message")
        .agg(
            *(pl.col(name).sort_by("first_at", "_order").first() for name in _PLACED),
            *(
                pl.col(name).sort_by(["_severity", "_order"], descending=[True, False]).first()
                for name in _DECIDING
            ),
            *(pl.col(name).sort_by("_order").drop_nulls().first() for name in _DESCRIBING),
            pl.col("last_at").max(),
            pl.col("grain_code").max(),
            pl.when(pl.col("text").count() > 0)
            .then(pl.col("text").sort_by(in_order).str.join(""))
            .first()
            .alias("text"),
            pl.when(pl.col("message_bytes").count() > 0)
            .then(pl.col("message_bytes").sum())
            .alias("message_bytes"),
            _segments=pl.when(pl.col("segment_count").count() > 0).then(pl.col("segment_count").sum()),
            _parts=pl.when(pl.col("part_key").is_not_null().any()).then(pl.len()),
            try_count=pl.col("try_count").max(),
            join_quality=choose_code(
                exact=(pl.len() > 1) | (pl.col("join_quality") == "exact").any(), otherwise="none"
            ),
        )
        .with_columns(
            segment_count=pl.max_horizontal("_segments", "_parts").cast(pl.Int32),
        )
    )
