"""Counts what Exim refused before a message existed.

A session gives one row per (sender, recipient) that it was refused for, or one without a recipient when it
was refused before RCPT. The process id or the client's port tells sessions apart where they are logged.
Else each line that names a recipient and each refused connection is a session of its own, and other refusals
belong together while a client goes on within seconds and does not begin anew.
"""

import polars as pl

from jobs.base.core.codes import choose_code

# What a client goes on with in one session, in seconds: as separated by its process or port (Exim's own limit
# between commands is five minutes), or by its address alone.
_GAP = pl.duration(minutes=5)
_SHORT_GAP = pl.duration(seconds=5)
# The order of steps in a session.
_STEPS = {"EHLO or HELO": 1, "EHLO": 1, "HELO": 1, "MAIL": 2, "RCPT": 3, "overflow": 3, "DATA": 4}

REFUSAL = ["reply_code", "dsn_code", "reply_text", "log_text", "dnsbl_zone"]
OWNER = ["operator_id", "source_id", "stream_id", "offset"]


def session_rows(events: pl.DataFrame) -> pl.DataFrame:
    """One row per session, sender and recipient; one without a recipient if the session has no other."""
    lines = events.filter((pl.col("event_code") == "refusal") & pl.col("queue_id").is_null())
    who = pl.coalesce(pl.lit("p") + pl.col("client_port"), pl.col("pid")).fill_null("")
    lines = lines.with_columns(who=who).sort(
        "operator_id", "assembly_key", "who", "second", "stream_id", "offset", "source_id"
    )
    step = pl.col("step_code").replace_strict(_STEPS, default=5, return_dtype=pl.Int8)
    same = pl.struct("operator_id", "assembly_key", "who")
    gap = pl.col("first_at") - pl.col("first_at").shift(1)
    has_name = pl.col("who") != ""
    alone = pl.col("step_code") == "connection"
    begins = (
        (same != same.shift(1))
        | (gap > pl.when(has_name).then(_GAP).otherwise(_SHORT_GAP))
        | (~has_name & ((step < step.shift(1)) | alone | alone.shift(1)))
    )
    lines = lines.with_columns(number=begins.fill_null(True).cum_sum())
    # One line of recipients beyond recipients_max, which it does not name: other refusals do not cover it.
    is_overflow = pl.col("step_code") == "overflow"
    named = pl.col("recipient").is_not_null() | is_overflow
    lines = lines.with_columns(
        named.any().over("number").alias("has_recipient"),
        pl.col("first_at").min().over("number").alias("opened_at"),
        pl.when(named).then("sender").alias("per_sender"),
        # Where nothing separates sessions, a recipient that is refused again is another session's.
        pl.when(~has_name & named).then(pl.int_range(pl.len())).otherwise(-1).alias("line"),
    ).filter(named | ~pl.col("has_recipient"))
    rows = lines.group_by("number", "per_sender", "recipient", "line", maintain_order=True).agg(
        pl.col(*OWNER, "first_at", "opened_at", "host", "who").first(),
        pl.col("first_at").last().alias("last_at"),
        pl.len().cast(pl.Int32).alias("try_count"),
        *[
            pl.col(name).drop_nulls().last()
            for name in ("sender", "client_ip", "client_name", "helo", "account")
        ],
        pl.col("is_authenticated").any(),
        pl.col("status_code", "step_code", *REFUSAL).last(),
    )
    outcome = choose_code(
        discarded=pl.col("status_code") == "discarded", deferred=is_later(), otherwise="rejected"
    )
    stage = choose_code(
        connect=pl.col("step_code") == "connection",
        content=pl.col("step_code").is_in(["DATA"])
        | pl.col("step_code").str.contains("DATA|MIME|DKIM|SMTP|local_scan|^from$"),
        otherwise="envelope",
    )
    is_discarded = pl.col("status_code") == "discarded"
    return rows.with_columns(
        outcome.alias("outcome_code"),
        stage.alias("stage_code"),
        pl.when(is_discarded).then(pl.lit("recipient")).otherwise(pl.lit("attempt")).alias("grain_code"),
        choose_code(submission=pl.col("is_authenticated").fill_null(False), otherwise="smtp").alias(
            "entry_code"
        ),
        pl.concat_str(
            pl.col("host").fill_null(""),
            pl.col("client_ip").fill_null(""),
            "who",
            pl.col("opened_at").dt.epoch("s"),
            separator="|",
        ).alias("session"),
        pl.col("is_authenticated").fill_null(False),
        pl.lit(False).alias("is_handoff"),
        # DATA was refused for recipients that had been accepted.
        (pl.col("recipient").is_null() & ((stage == "content") | (pl.col("step_code") == "overflow"))).alias(
            "is_partial"
        ),
    )


def is_later(prefix: str = "") -> pl.Expr:
    return (pl.col(prefix + "status_code") == "temporarily") | pl.col(prefix + "reply_code").str.starts_with(
        "4"
    ).fill_null(False)
