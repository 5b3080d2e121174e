"""bronze.sendmail: events of Sendmail's log, each under the host and process that its queue id names.

Bronze keeps every line with an event, so that a cut anywhere leaves nothing to be joined. A
notice stands twice where two processes made the message that it is about and the one that carries it.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from jobs.formats import PLACE, TIMESTAMP

# Timeout.queuereturn is five days by default, and one of slack.
LOOKBACK_DAYS = 6

# Year, month, day, hour, minute, second and sequence, then the process; before 8.10 three letters.
QUEUE_ID = r"^(?:[0-9A-Za-z]{8}|[A-Z]{3})\d{5,10}$"

BRONZE: dict[str, Any] = {
    **PLACE,
    "assembly_key": pl.String,
    "first_at": TIMESTAMP,
    "host": pl.String,
    "pid": pl.String,
    "queue_id": pl.String,
    # arrival, delivery, refusal, notice, carrier, login, quarantined, discarded; aborted: its client broke
    # off before it was taken; lost: its queue file was put aside
    "event_code": pl.String,
    "status_code": pl.String,  # of a delivery: sent, deferred, bounced, queued, quarantined, discarded; of a
    # refusal: reject, temporarily, discard, quarantine; of a notice: expired
    "step_code": pl.String,  # of a refusal: ruleset, or milter and step, as logged
    "service_name": pl.String,  # daemon=
    "sender": pl.String,
    "recipient": pl.String,
    "original_recipient": pl.String,  # ctladdr=: whose alias it is, or who sent it from this machine
    "recipients": pl.List(pl.String),
    "recipient_count": pl.Int32,
    "client_name": pl.String,
    "client_ip": pl.String,
    "protocol": pl.String,
    "is_local": pl.Boolean,
    "is_authenticated": pl.Boolean,
    "account": pl.String,
    "linked_queue_id": pl.String,
    "message_id": pl.String,
    "message_bytes": pl.Int64,
    "transport": pl.String,
    "relay": pl.String,
    "reply_code": pl.String,
    "dsn_code": pl.String,
    "reply_text": pl.String,
    "log_text": pl.String,
    "dnsbl_zone": pl.String,
}


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per event; a line that was read twice is one row."""
    if "line_code" in records.collect_schema().names():
        records = records.filter(pl.col("line_code") == "record")
        notices = records.filter(pl.col("event_code") == "notice")
        # Nothing else shows that a message was made here: it has no from= line.
        carriers = notices.with_columns(
            pl.lit("carrier").alias("event_code"),
            pl.lit(None, pl.String).alias("status_code"),
            _process_key(pl.col("linked_queue_id")).alias("assembly_key"),
            queue_id="linked_queue_id",
            linked_queue_id="queue_id",
        ).filter(pl.col("assembly_key") != _process_key(pl.col("linked_queue_id")))
        records = pl.concat(
            [records.with_columns(_process_key(pl.col("queue_id")).alias("assembly_key")), carriers],
            how="diagonal",
        )
    return records.select(*BRONZE).unique(subset=[*PLACE, "assembly_key"], keep="any", maintain_order=True)


def _process_key(queue_id: pl.Expr) -> pl.Expr:
    """Host and process: that which made the queue id, or where there is none, that which wrote the line."""
    maker = queue_id.str.extract(r"^(?:.{8}|[A-Z]{3})(\d{5,10})$")
    process = pl.coalesce(maker, "pid").str.strip_chars_start("0")
    return pl.concat_str(pl.col("host").fill_null(""), pl.lit("|"), process.fill_null(""))
