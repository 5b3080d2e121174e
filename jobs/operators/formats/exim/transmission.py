"""Counts Exim's events: one transmission per message and recipient, or refused attempt.

A message gives one row per recipient as first given (the address in angle brackets before the delivered
one), so that an alias counts once: the last state of each address, and of an alias's addresses the
outcome of highest precedence. A message that is neither completed nor delivered to all recipients that
its arrival names is queued for the others. `rejected after DATA` and the like name no recipient, but SA-Exim
and the envelope in the rejectlog do. PRDR refuses single recipients of a message that others may get.

A recipient that the RCPT ACL discarded has a line of its own, so that `=> blackhole (RCPT ACL discarded
recipients)`, which names none, is not counted beside it.

Rows of one assembly_key must come together; nothing else is needed.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats import OUTCOME_RANK
from jobs.operators.formats.exim.events import sort_events
from jobs.operators.formats.exim.headers import MORE, is_cut, settle
from jobs.operators.formats.exim.sessions import OWNER, REFUSAL, is_later, session_rows
from jobs.operators.formats.exim.times import zone_error
from jobs.operators.formats.shared.fields import FACTS_OF_FILE, stack_mail

_TAGGED = "flagged as Spam but accepted"
_OWN_ID = (
    r"\bid=([0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4})\b"
    r"|queued(?: mail for delivery)?(?: as|_as:?) <?([0-9A-Za-z.-]+)"
)
_LOOPBACK = r"\[(?:127\.0\.0\.1|::1)\]"
_FILTER_TRANSPORT = r"(?i)spamcheck|spamassassin|amavis|clamav|dspam|bogofilter|scan"


def transmissions(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """The transmissions for silver, with the columns of TRANSMISSION. Raw identifiers."""
    rows = bronze.collect()
    cut = rows.select(is_cut().fill_null(False)).to_series()
    if cut.any():
        rows = pl.concat([rows.filter(~cut), settle(rows.filter(cut).lazy()).collect().select(rows.columns)])
    events = sort_events(rows)
    parts = [_message_rows(events.filter(pl.col("queue_id").is_not_null())), session_rows(events)]
    return stack_mail(parts, "exim")


def _message_rows(events: pl.DataFrame) -> pl.DataFrame:
    files = _gather_messages(events)
    events = events.join(
        files.select("operator_id", "assembly_key", "file", "moved"), on=["operator_id", "assembly_key"]
    ).with_columns(pl.col("first_at") - pl.col("moved"))
    deliveries = _gather_deliveries(events)
    has_delivery = deliveries.select("file").unique()
    undelivered = files.join(has_delivery, on="file", how="anti")
    parts = [
        deliveries,
        _rows_of_messages(undelivered.filter("is_dropped"), "content", "discarded"),
        _rows_of_messages(
            _refused_messages(undelivered.filter(~pl.col("is_dropped") & ~pl.col("has_arrival"))), None, None
        ),
        _rows_of_messages(
            undelivered.filter(pl.col("is_frozen") & ~pl.col("is_dropped")), "content", "quarantined"
        ),
        _waiting_recipients(files, deliveries),
        _refused_recipients(events, files, deliveries),
    ]
    rows = pl.concat(parts, how="diagonal").join(files.select("file", *_FACTS), on="file", how="left")
    # What SA-Exim marked and let through.
    tagged = pl.col("is_tagged") & (pl.col("outcome_code") == "delivered")
    return rows.with_columns(
        pl.when(tagged).then(pl.lit("tagged")).otherwise("outcome_code").alias("outcome_code"),
        pl.when(tagged).then(pl.lit("content")).otherwise("stage_code").alias("stage_code"),
        pl.lit("recipient").alias("grain_code"),
    )


_FACTS = [*OWNER, *FACTS_OF_FILE, "subject", "helo", "is_tagged", "recipient_count"]


def _gather_messages(events: pl.DataFrame) -> pl.DataFrame:
    """One row per message: what holds for all its recipients, and what became of it as a whole."""
    code = pl.col("event_code")
    came = code.is_in(["arrival", "refusal", "verdict"])
    whole = (code == "refusal") & pl.col("recipient").is_null()
    envelope = code == "envelope"
    in_envelope = pl.col("recipient").filter(envelope).drop_nulls()
    named_by_envelope = pl.when(in_envelope.len() > 0).then(in_envelope.implode())

    def first_of(name: str, kind: str) -> pl.Expr:
        return pl.col(name).filter(code == kind).first()

    both = ["client_name", "client_ip", "helo", "account", "sender"]
    files = events.group_by("operator_id", "assembly_key", maintain_order=True).agg(
        pl.col("source_id", "stream_id", "offset", "queue_id").first(),
        pl.col("host").drop_nulls().first(),
        pl.col("first_at").min(),
        pl.col("first_at").filter(came).first().alias("came_at"),
        *[
            pl.coalesce(
                *(first_of(name, kind) for kind in ("arrival", "refusal", "verdict")),
                pl.col(name).filter(envelope).drop_nulls().first(),
            ).alias(name)
            for name in both
        ],
        *[
            first_of(name, "arrival").alias(name)
            for name in ("message_id", "subject", "message_bytes", "protocol", "own_port", "linked_queue_id")
        ],
        pl.coalesce(first_of("is_authenticated", "arrival"), first_of("is_authenticated", "refusal")).alias(
            "is_authenticated"
        ),
        pl.coalesce(
            first_of("recipients", "arrival"),
            # SA-Exim names those of the header or the first alone, the rejectlog up to five of the envelope.
            named_by_envelope,
            first_of("recipients", "verdict"),
        ).alias("recipients"),
        # Logged where log_selector has +received_recipients.
        first_of("recipients", "arrival").list.len().replace(0, None).alias("recipient_count"),
        (envelope & (pl.col("step_code") == MORE) & pl.col("recipient").is_null())
        .any()
        .fill_null(False)
        .alias("has_more"),
        ((code == "refusal") & pl.col("recipient").is_not_null()).any().alias("has_refused"),
        *[
            pl.col(name).filter(whole).last().alias("refused_" + name)
            for name in ("first_at", "status_code", "step_code", *REFUSAL)
        ],
        *[
            pl.col(name)
            .filter((code == "delivery") & pl.col("recipient").is_null())
            .first()
            .alias("dropped_" + name)
            for name in ("first_at", "reply_text", "log_text")
        ],
        pl.col("first_at").filter(code == "frozen").first().alias("frozen_at"),
        (code == "arrival").any().alias("has_arrival"),
        (code == "completed").any().alias("is_completed"),
        (code == "cancelled").any().alias("is_cancelled"),
        (pl.col("action") == _TAGGED).any().fill_null(False).alias("is_tagged"),
    )
    moved = zone_error(pl.col("came_at"), pl.col("queue_id")).fill_null(pl.duration())
    protocol = pl.col("protocol").fill_null("")
    entry = choose_code(
        dsn=(pl.col("sender") == "") & pl.col("linked_queue_id").is_not_null(),
        pickup=pl.col("client_ip").is_null()
        & (pl.col("has_arrival") | pl.col("refused_step_code").str.contains("non-SMTP")),
        submission=pl.col("is_authenticated").fill_null(False) | pl.col("own_port").is_in(["465", "587"]),
        smtp=pl.col("client_ip").is_not_null() | (protocol != "") | pl.col("has_refused"),
    )
    by_rcpt = pl.col("dropped_reply_text").str.contains(r"^\((?:RCPT|MAIL) ACL ")
    return files.with_row_index("file").with_columns(
        moved.alias("moved"),
        pl.col("first_at", "came_at", "refused_first_at", "dropped_first_at", "frozen_at") - moved,
        entry.alias("entry_code"),
        pl.concat_str(pl.col("host").fill_null(""), "queue_id", separator="|").alias("queue"),
        (pl.col("dropped_first_at").is_not_null() & ~by_rcpt).fill_null(False).alias("is_dropped"),
        by_rcpt.fill_null(False).alias("is_dropped_before"),
        pl.col("frozen_at").is_not_null().alias("is_frozen"),
    )


def _rows_of_messages(files: pl.DataFrame, stage: str | None, outcome: str | None) -> pl.DataFrame:
    """Rows of messages that were decided as a whole: one per recipient that the log names, else one."""
    settled = ("stage_code", "outcome_code")
    files = files.with_columns(
        pl.col(name) if value is None and name in files.columns else pl.lit(value, pl.String).alias(name)
        for name, value in zip(settled, (stage, outcome), strict=True)
    )
    reason = {
        "quarantined": [],
        "discarded": [
            pl.col("dropped_reply_text").alias("reply_text"),
            pl.col("dropped_log_text").alias("log_text"),
        ],
    }.get(outcome or "", [pl.col("refused_" + name).alias(name) for name in REFUSAL])
    last = pl.coalesce("dropped_first_at", "refused_first_at", "frozen_at")
    rows = files.select(
        "file",
        pl.when(pl.col("recipients").list.len() > 0).then("recipients").alias("recipient"),
        last.alias("last_at"),
        *settled,
        *reason,
        pl.lit(0, pl.Int32).alias("try_count"),
        ((pl.col("recipients").list.len().fill_null(0) == 0) | pl.col("has_more")).alias("is_partial"),
        pl.lit(False).alias("is_handoff"),
    )
    return rows.explode("recipient").unique(["file", "recipient"], keep="first", maintain_order=True)


def _refused_messages(files: pl.DataFrame) -> pl.DataFrame:
    """Messages that were refused after they had an id, with stage and outcome."""
    files = files.filter(pl.col("refused_status_code").is_not_null())
    return files.with_columns(
        pl.lit("content").alias("stage_code"),
        choose_code(deferred=is_later("refused_"), otherwise="rejected").alias("outcome_code"),
    )


def _refused_recipients(events: pl.DataFrame, files: pl.DataFrame, deliveries: pl.DataFrame) -> pl.DataFrame:
    """Recipients that were refused after DATA, alone: those that the message did not go to all the same."""
    key = pl.col("recipient").str.to_lowercase().alias("key")
    refused = events.filter((pl.col("event_code") == "refusal") & pl.col("recipient").is_not_null())
    accepted = [
        deliveries.select("file", key),
        files.filter("has_arrival")
        .select("file", recipient="recipients")
        .explode("recipient")
        .select("file", key),
    ]
    refused = refused.with_columns(key).join(pl.concat(accepted), on=["file", "key"], how="anti")
    outcome = pl.when(is_later()).then(pl.lit("deferred")).otherwise(pl.lit("rejected"))
    return refused.unique(["file", "key"], keep="last", maintain_order=True).select(
        "file",
        "recipient",
        pl.col("first_at").alias("last_at"),
        pl.lit("content").alias("stage_code"),
        outcome.alias("outcome_code"),
        *REFUSAL,
        pl.lit(0, pl.Int32).alias("try_count"),
        pl.lit(False).alias("is_partial"),
        pl.lit(False).alias("is_handoff"),
    )


def _gather_deliveries(events: pl.DataFrame) -> pl.DataFrame:
    """One row per message and original recipient, from the last state of each address."""
    tries = events.filter((pl.col("event_code") == "delivery") & pl.col("recipient").is_not_null())
    tries = tries.select(
        "file",
        "recipient",
        "original_recipient",
        "first_at",
        "status_code",
        "transport",
        "relay",
        "reply_code",
        "dsn_code",
        "reply_text",
    )
    is_try = pl.col("status_code") != "waiting"
    facts = ["first_at", "status_code", "transport", "relay", "reply_code", "dsn_code", "reply_text"]
    last = tries.group_by("file", "recipient", maintain_order=True).agg(
        pl.col("original_recipient").drop_nulls().first(),
        is_try.sum().cast(pl.Int32).alias("try_count"),
        pl.col("first_at").max().alias("last_at"),
        *[
            pl.when(is_try.any())
            .then(pl.col(name).filter(is_try).last())
            .otherwise(pl.col(name).last())
            .alias(name)
            for name in facts
        ],
    )
    cancelled = events.filter(pl.col("event_code") == "cancelled").select("file").unique()
    last = last.join(cancelled.with_columns(is_cancelled=True), on="file", how="left")
    state = pl.col("status_code")
    outcome = choose_code(
        delivered=state == "sent",
        expired=state.is_in(["deferred", "waiting"]) & pl.col("is_cancelled").fill_null(False),
        deferred=state == "waiting",
        otherwise=state,
    )
    relay, reply = pl.col("relay").fill_null(""), pl.col("reply_text").fill_null("")
    own_id = reply.str.extract_groups(_OWN_ID).struct
    next_id = pl.when(state == "sent").then(pl.coalesce(own_id.field("1"), own_id.field("2")))
    port = relay.str.extract(r"\]:(\d+)$")
    handoff = (
        pl.when(relay == "")
        .then(pl.col("transport").fill_null("").str.contains(_FILTER_TRANSPORT))
        .otherwise(
            relay.str.contains(_LOOPBACK)
            & (next_id.is_not_null() | (port.is_not_null() & ~port.is_in(["24", "25"])))
        )
    ) & state.is_in(["sent", "deferred"])
    last = last.with_columns(
        outcome.alias("outcome_code"),
        next_id.alias("next_queue_id"),
        handoff.alias("is_handoff"),
        pl.coalesce("original_recipient", "recipient").alias("recipient"),
        pl.col("relay").alias("outbound_link"),
        pl.lit("delivery").alias("stage_code"),
        pl.lit(False).alias("is_partial"),
    )
    last = last.with_columns(rank=OUTCOME_RANK).sort("rank", maintain_order=True)
    return last.group_by("file", "recipient", maintain_order=True).agg(
        pl.col("last_at").max(),
        pl.col("try_count").max(),
        pl.col(
            "outcome_code",
            "stage_code",
            "is_handoff",
            "next_queue_id",
            "outbound_link",
            "reply_code",
            "dsn_code",
            "reply_text",
            "is_partial",
        ).first(),
    )


def _waiting_recipients(files: pl.DataFrame, deliveries: pl.DataFrame) -> pl.DataFrame:
    """Recipients that an arrival names and nothing was done for yet, in messages that are not completed."""
    waits = pl.col("has_arrival") & ~(
        pl.col("is_completed") | pl.col("is_dropped") | pl.col("is_dropped_before") | pl.col("is_frozen")
    )
    open_still = files.filter(waits)
    named = (
        open_still.select(
            "file", "came_at", recipient=pl.when(pl.col("recipients").list.len() > 0).then("recipients")
        )
        .explode("recipient")
        .unique(maintain_order=True)
    )
    named = named.with_columns(key=pl.col("recipient").str.to_lowercase())
    done = deliveries.select("file", key=pl.col("recipient").str.to_lowercase(), is_done=True).unique()
    known = deliveries.select("file", is_known=True).unique()
    rows = named.join(done, on=["file", "key"], how="left").join(known, on="file", how="left")
    # Without names, one row stands for a message of which nothing else is told.
    rows = rows.filter(
        pl.col("is_done").is_null() & (pl.col("recipient").is_not_null() | pl.col("is_known").is_null())
    )
    return rows.select(
        "file",
        "recipient",
        pl.col("came_at").alias("last_at"),
        pl.lit("delivery").alias("stage_code"),
        pl.lit("queued").alias("outcome_code"),
        pl.lit(0, pl.Int32).alias("try_count"),
        pl.col("recipient").is_null().alias("is_partial"),
        pl.lit(False).alias("is_handoff"),
    )
