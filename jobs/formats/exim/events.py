"""bronze.exim: events of Exim's logs, and the verdicts among them.

Bronze keeps every line with an event, so that a cut anywhere leaves nothing to be joined.

An event that several files hold (mainlog and rejectlog, a file and syslog) counts once: see
jobs/silver/copies.py. Two servers of one operator must be distinguished by the source's option `host`, or by
syslog, for what was refused without an id.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from jobs.formats import PLACE, TIMESTAMP, VERDICT
from jobs.formats.exim.headers import with_open
from jobs.formats.exim.times import zone_error

# Exim's default retry rule gives up after four days, bounces are frozen and dropped after seven.
LOOKBACK_DAYS = 8

# bronze.exim: one row per line about a message, a refusal or a verdict.
BRONZE: dict[str, Any] = {
    **PLACE,
    "assembly_key": pl.String,
    "first_at": TIMESTAMP,  # in the source's zone; see __init__.py on ids
    "host": pl.String,  # from syslog, or the source's option `host`
    "log_stamp": pl.String,  # the stamp as Exim wrote it
    "pid": pl.String,
    "queue_id": pl.String,  # Exim's message id; null for what was refused before there was one
    # arrival, delivery, refusal, verdict, completed, frozen, cancelled; of a refused message's envelope:
    # envelope, and open for what one may go on after in the next block
    "event_code": pl.String,
    "status_code": pl.String,  # of a delivery: sent, discarded, deferred, waiting, bounced, expired; of a
    # refusal: rejected, temporarily, discarded
    "step_code": pl.String,  # of a refusal: what was refused, as logged; of an envelope: from, to, more
    "sender": pl.String,
    "recipient": pl.String,
    "original_recipient": pl.String,
    "recipients": pl.List(pl.String),
    "client_name": pl.String,
    "client_ip": pl.String,
    "client_port": pl.String,
    "helo": pl.String,
    "protocol": pl.String,
    "own_port": pl.String,
    "account": pl.String,
    "is_authenticated": pl.Boolean,
    "linked_queue_id": pl.String,  # R= of an arrival: the message that this one reports on
    "message_id": pl.String,
    "subject": pl.String,  # T= of an arrival, its first 100 bytes
    "message_bytes": pl.Int64,
    "transport": pl.String,
    "relay": pl.String,
    "reply_code": pl.String,
    "dsn_code": pl.String,
    "reply_text": pl.String,
    "log_text": pl.String,
    "dnsbl_zone": pl.String,
    "action": pl.String,
    "score": pl.Float64,
    "required_score": pl.Float64,
    "filter_us": pl.Int64,
    "end_offset": pl.Int64,  # of what an envelope may go on after, or goes on after
}


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per event; a line that was read twice is one row.

    Events of a message share its id, events without one their client's address.
    """
    if "line_code" in records.collect_schema().names():
        client = pl.concat_str(
            pl.lit("c|"), pl.col("host").fill_null(""), pl.lit("|"), pl.col("client_ip").fill_null("")
        )
        keyed = records.filter(pl.col("line_code") == "record").with_columns(
            assembly_key=pl.coalesce(pl.lit("q|") + pl.col("queue_id"), client)
        )
        records = with_open(keyed)
    return records.select(*BRONZE).unique(subset=[*PLACE, "assembly_key"], keep="any", maintain_order=True)


def verdicts(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per verdict that SA-Exim, or an ACL in its manner, logged."""
    said = in_order(bronze.filter(pl.col("event_code") == "verdict").collect())
    return (
        said.lazy()
        .with_columns(
            format_code=pl.lit("exim"),
            engine_code=pl.lit("spamassassin"),
            verdict_at=pl.col("first_at") - zone_error(pl.col("first_at"), pl.col("queue_id")),
            is_spam=pl.col("score") >= pl.col("required_score"),
            symbols=pl.lit([], pl.List(pl.String)),
            digest=pl.lit(None),
            fuzzy=pl.lit(None),
        )
        .select(pl.col(name).cast(kind) for name, kind in VERDICT.items())
    )


def in_order(bronze: pl.DataFrame) -> pl.DataFrame:
    """The events in order within their key."""
    events = bronze.select(list(BRONZE)).with_columns(second=pl.col("first_at").dt.truncate("1s"))
    return events.sort("operator_id", "assembly_key", "second", "stream_id", "offset", "source_id")
