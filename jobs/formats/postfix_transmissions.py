"""Counts Postfix's bronze rows: one transmission per queue file and recipient, or refused attempt.

A queue file gives one row per recipient as first given (orig_to before to), so that an alias counts
once: the last status in time of each address, and of an alias's addresses the outcome of highest
precedence. A queue file that qmgr never took and nobody refused is no message yet: the client gave
up, or its lines are still to come. What was refused after DATA names at most one recipient.

A session gives one row per (sender, recipient) that it was refused for, or one without a recipient
when it was refused before RCPT. A postscreen session counts when it failed a test (PREGREET, DNSBL,
a command test, a deny list) and did not pass; one that only hung up, or only connected, does not.

`queue` and `previous_queue` are host|queue id: a re-injection does not tell the instance of the queue
that it names. Two instances of one host may share a short queue id at one time; long ids do not.

Rows of one assembly_key must come together; nothing else is needed.
"""

from __future__ import annotations

import polars as pl

from jobs.formats import PRECEDENCE, TRANSMISSION
from jobs.formats.postfix_assembly import assemble, picked
from jobs.formats.postfix_held import settle
from jobs.formats.postfix_refusals import subject_of

# Relays without an address that are mailboxes; another name is a pipe(8) transport to a filter.
_FINAL_RELAYS = [
    "virtual",
    "local",
    "none",
    "dovecot",
    "maildrop",
    "procmail",
    "cyrus",
    "mailman",
    "vacation",
    "autoreply",
    "spawn",
    "uucp",
    "ifmail",
    "bsmtp",
    "vmail",
    "vpopmail",
    "deliver",
    "discard",
    "error",
    "retry",
    "sympa",
    "mlmmj",
]

_QUEUE_ID = (
    r"queued(?: mail for delivery)?(?: as|_as:?) <?"
    r"([0-9A-F]{6,}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,}z[0-9A-Za-z]+)\b"
)
_ANY_ID = r"queued as <?([0-9A-Za-z.-]+)"
# A filter on this host. LMTP into a mailbox store is port 24, the next MTA is port 25.
_FILTER_RELAY = r"\[(?:127\.0\.0\.1|::1)\]:(\d+)"
_LOOPBACK = r"\[(?:127\.\d+\.\d+\.\d+|::1)\]"

# The last failed test of a postscreen session that stands for it.
_TESTS = [
    "DENYLISTED",
    "BLACKLISTED",
    "DNSBL",
    "PREGREET",
    "reject",
    "BARE NEWLINE",
    "NON-SMTP COMMAND",
    "COMMAND",
]
_LISTING_SLACK = pl.duration(minutes=1)

_META = ["operator_id", "source_id", "stream_id", "offset", "first_at"]


def transmissions(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """What silver takes, with the columns of TRANSMISSION. Raw identifiers."""
    frame = bronze.collect()
    if (frame["row_code"] == "held").any():
        frame = assemble(settle(frame.lazy())).collect()
    parts = [_of_queue_files(frame), _of_sessions(frame), _of_screens(frame)]
    whole = pl.concat([part for part in parts if part.height] or [parts[0]], how="diagonal")
    fixed = {"format_code": pl.lit("postfix"), "channel_code": pl.lit("EMAIL")}
    return whole.select(
        fixed.get(name, pl.col(name) if name in whole.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in TRANSMISSION.items()
    ).lazy()


def _rows(bronze: pl.DataFrame, row_code: str, *columns: str | pl.Expr) -> pl.DataFrame:
    """Columns of the rows with a row_code. Lists that are not read are left out before: they cost most."""
    return picked(bronze.select(*columns), bronze["row_code"] == row_code)


def _first(column: str, fields: list[str], prefix: str) -> list[pl.Expr]:
    """Fields of the first event of a list."""
    event = pl.col(column).list.first()
    return [event.struct.field(name).alias(prefix + name) for name in fields]


def _of_queue_files(bronze: pl.DataFrame) -> pl.DataFrame:
    files = _rows(bronze, "queue", pl.exclude("removals", "assembly_key", "row_key", "instance"))
    files = files.with_row_index("file")
    files = files.with_columns(
        *_first(
            "entries",
            ["status_code", "service_name", "client_name", "client_ip", "account", "linked_queue_id"],
            "entry_",
        ),
        *_first("message_ids", ["message_id"], ""),
        pl.coalesce(*_first("subjects", ["subject"], ""), _refused_subject()).alias("subject"),
        *_first("queueings", ["sender", "message_bytes", "recipient_count"], ""),
        pl.col("queueings")
        .list.eval(pl.element().struct.field("status_code") == "expired")
        .list.any()
        .alias("is_expired"),
    )
    facts = files.select("file", *_META, *_facts(files))
    files = files.select(
        "file", "last_at", "sender", "recipient_count", "queueings", "deliveries", "refusals", "is_expired"
    )
    deliveries = _deliveries(files)
    refusals = _content_refusals(files, deliveries)
    known = pl.concat([deliveries.select("file"), refusals.select("file")])
    waiting = files.select("file", "last_at", "is_expired", pl.col("queueings").list.len() > 0)
    waiting = waiting.filter(pl.col("queueings") & ~pl.col("is_expired"))
    waiting = waiting.join(known.unique(), on="file", how="anti").select(
        "file",
        "last_at",
        pl.lit("delivery").alias("stage_code"),
        pl.lit("queued").alias("outcome_code"),
        pl.lit(0, pl.Int32).alias("try_count"),
        pl.lit(True).alias("is_partial"),
        pl.lit(False).alias("is_handoff"),
    )
    rows = pl.concat([deliveries, refusals, waiting], how="diagonal")
    rows = rows.join(facts, on="file", how="left")
    # A refused message's envelope stands in its refusal, not in a queue manager's line.
    return rows.with_columns(pl.coalesce("sender", "refused_sender").alias("sender")).drop("file")


def _refused_subject() -> pl.Expr:
    """The subject that header_checks(5) refused, held or discarded a message for."""
    refusal = pl.element().struct
    text = pl.when(refusal.field("step_code") == "header").then(refusal.field("log_text"))
    return pl.col("refusals").list.eval(subject_of(text)).list.drop_nulls().list.first()


def _facts(files: pl.DataFrame) -> list[pl.Expr]:
    """What holds for all recipients of a queue file."""
    is_client = pl.col("entry_status_code") == "client"
    is_forwarded = (pl.col("entry_status_code") == "forwarded").fill_null(False)
    sender = pl.coalesce("sender", pl.col("entries").list.first().struct.field("sender"))
    is_submission = pl.col("entry_account").is_not_null() | pl.col("entry_service_name").str.contains(
        r"(?i)submission|smtps|msa"
    )
    made_here = (pl.col("message_ids").list.len() > 0) & (
        (sender == "") | sender.str.starts_with("double-bounce@") | (pl.col("notices").list.len() > 0)
    )
    entry = (
        pl.when(is_client & pl.col("entry_linked_queue_id").is_not_null() | is_forwarded)
        .then(pl.lit("reinjection"))
        .when(is_client & is_submission)
        .then(pl.lit("submission"))
        .when(is_client)
        .then(pl.lit("smtp"))
        .when(pl.col("entry_status_code") == "pickup")
        .then(pl.lit("pickup"))
        .when(made_here)
        .then(pl.lit("dsn"))
    )
    place = pl.col("host").fill_null("")
    return [
        pl.lit("recipient").alias("grain_code"),
        entry.alias("entry_code"),
        pl.concat_str(place, pl.lit("|"), "queue_id").alias("queue"),
        pl.col("queue_id"),
        pl.concat_str(place, pl.lit("|"), "entry_linked_queue_id").alias("previous_queue"),
        pl.col("message_id"),
        pl.col("subject"),
        sender.alias("sender"),
        pl.col("entry_client_ip").alias("client_ip"),
        pl.col("entry_client_name").alias("client_name"),
        pl.when(pl.col("entry_status_code").is_not_null())
        .then(pl.col("entry_account").is_not_null())
        .alias("is_authenticated"),
        pl.col("entry_account").alias("account"),
        pl.col("message_bytes"),
    ]


def _deliveries(files: pl.DataFrame) -> pl.DataFrame:
    """One row per queue file and original recipient, from the last status of each address."""
    tries = files.select("file", "recipient_count", "is_expired", "deliveries")
    tries = tries.filter(pl.col("deliveries").list.len() > 0)
    tries = tries.explode("deliveries").unnest("deliveries")
    tries = tries.filter(~pl.col("status_code").is_in(["deliverable", "undeliverable"]))
    last = tries.group_by("file", "recipient", maintain_order=True).agg(
        pl.col("original_recipient").drop_nulls().first(),
        pl.col("recipient_count", "is_expired").first(),
        pl.len().cast(pl.Int32).alias("try_count"),
        pl.col("at", "relay", "dsn_code", "status_code", "reply_text").last(),
    )
    last = last.with_columns(
        pl.col("reply_text").fill_null("").alias("reply"), pl.col("relay").fill_null("none").alias("relay")
    )
    reply, relay = pl.col("reply"), pl.col("relay")
    # What is asked of a reply twice is worked out once; patterns are tried on what may match them.
    refused = pl.when(reply.str.starts_with("connect to ")).then(reply)
    last = last.with_columns(
        (reply.str.contains(r"(?i)\bdiscarded, id=|^discarded\b") | (relay == "discard")).alias(
            "is_discarded"
        ),
        reply.str.extract(_QUEUE_ID).alias("own_id"),
        pl.coalesce(
            relay.str.extract(_FILTER_RELAY), refused.str.extract(r"^connect to \S*" + _FILTER_RELAY)
        ).alias("port"),
    )
    outcome = (
        pl.when((pl.col("status_code") == "sent") & pl.col("is_discarded"))
        .then(pl.lit("discarded"))
        .when(pl.col("status_code") == "sent")
        .then(pl.lit("delivered"))
        .when(pl.col("status_code") == "bounced")
        .then(pl.lit("bounced"))
        .when((pl.col("status_code") == "expired") | pl.col("is_expired"))
        .then(pl.lit("expired"))
        .otherwise(pl.lit("deferred"))
    )
    last = last.with_columns(outcome.alias("outcome_code"))
    has_address = relay.str.contains("[", literal=True)
    at_filter = pl.col("port").is_not_null() & ~pl.col("port").is_in(["24", "25"])
    handoff = (
        (~has_address & ~relay.is_in(_FINAL_RELAYS))
        | (relay.str.contains(_LOOPBACK) & pl.col("own_id").is_not_null())
        | (at_filter & (pl.col("outcome_code") == "deferred"))
    ) & (pl.col("outcome_code") != "discarded")
    last = last.with_columns(handoff.alias("is_handoff"))
    has_other_id = pl.col("own_id").is_null() & reply.str.contains("queued as ", literal=True)
    is_sent = pl.col("status_code") == "sent"
    last = last.with_columns(
        pl.coalesce("original_recipient", "recipient").alias("recipient"),
        pl.coalesce("own_id", pl.when(has_other_id).then(reply).str.extract(_ANY_ID)).alias("next_queue_id"),
        pl.when(has_address | pl.col("is_handoff")).then(relay).alias("outbound_link"),
        pl.when(is_sent)
        .then(pl.when(is_sent).then(reply).str.extract(r"^(2\d\d)\b"))
        .otherwise(pl.when(~is_sent).then(reply).str.extract(r"said: ([2-5]\d\d)\b"))
        .alias("reply_code"),
    )
    # Each address that qmgr counted has a line once it was tried.
    last = last.with_columns(
        (pl.len().over("file") < pl.col("recipient_count")).fill_null(False).alias("is_partial")
    )
    rank = pl.col("outcome_code").replace_strict(
        PRECEDENCE, list(range(len(PRECEDENCE))), return_dtype=pl.UInt8
    )
    last = last.with_columns(rank.alias("rank"))
    single = last.select(pl.struct("file", "recipient").is_duplicated()).to_series()
    alias = last.filter(single)
    last = last.filter(~single)
    if alias.height:
        best = alias.sort("rank", "at", maintain_order=True).group_by(
            "file", "recipient", maintain_order=True
        )
        last = pl.concat(
            [
                last,
                best.agg(
                    pl.exclude("file", "recipient", "at", "try_count").first(),
                    pl.col("at").max(),
                    pl.col("try_count").max(),
                ).select(last.columns),
            ]
        )
    return last.select(
        "file",
        "recipient",
        pl.col("at").alias("last_at"),
        # A filter that answers 250 and drops the message decided on its content.
        pl.when(pl.col("outcome_code") == "discarded")
        .then(pl.lit("content"))
        .otherwise(pl.lit("delivery"))
        .alias("stage_code"),
        "outcome_code",
        "is_handoff",
        "next_queue_id",
        "outbound_link",
        "reply_code",
        "dsn_code",
        pl.col("reply_text"),
        "try_count",
        "is_partial",
    )


def _refused(refusals: pl.DataFrame) -> pl.DataFrame:
    """Stage and outcome of what smtpd, cleanup or postscreen refused, discarded or held."""
    verb, step = pl.col("status_code"), pl.col("step_code")
    is_later = (pl.col("reply_code").str.starts_with("4")) | (
        pl.col("reply_code").is_null() & pl.col("dsn_code").str.starts_with("4")
    )
    stage = (
        pl.when(step == "CONNECT")
        .then(pl.lit("connect"))
        .when(step.is_in(["DATA", "END-OF-MESSAGE", "size"]) | ~step.str.contains("^[A-Z]"))
        .then(pl.lit("content"))
        .otherwise(pl.lit("envelope"))
    )
    outcome = (
        pl.when(verb.str.ends_with("discard"))
        .then(pl.lit("discarded"))
        .when(verb.str.ends_with("hold"))
        .then(pl.lit("quarantined"))
        .when(is_later)
        .then(pl.lit("deferred"))
        .otherwise(pl.lit("rejected"))
    )
    return refusals.with_columns(
        stage.fill_null("content").alias("stage_code"), outcome.alias("outcome_code")
    )


_REFUSAL = [
    "stage_code",
    "outcome_code",
    "helo",
    "reply_code",
    "dsn_code",
    "reply_text",
    "log_text",
    "dnsbl_zone",
]


def _content_refusals(files: pl.DataFrame, deliveries: pl.DataFrame) -> pl.DataFrame:
    """Messages refused, discarded or held after they had a queue file, unless they were delivered."""
    some = files.select("file", "last_at", pl.col("queueings").list.len() > 0, "refusals")
    some = some.filter(pl.col("refusals").list.len() > 0)
    some = some.join(deliveries.select("file").unique(), on="file", how="anti").explode("refusals")
    some = _refused(some.unnest("refusals"))
    # What refused the message outranks what only held it; a size limit names no recipient.
    weight = (
        pl.when((pl.col("outcome_code").is_in(["rejected", "deferred"])) & (pl.col("step_code") != "size"))
        .then(3)
        .when(pl.col("outcome_code") == "discarded")
        .then(2)
        .when(pl.col("step_code") == "size")
        .then(1)
        .otherwise(0)
    )
    some = some.with_columns(weight.alias("weight"))
    some = some.filter(pl.col("weight") == pl.col("weight").max().over("file"))
    rows = some.group_by("file", "recipient", maintain_order=True).agg(
        pl.col("last_at", "queueings").first(),
        pl.col("sender").first().alias("refused_sender"),
        pl.col(_REFUSAL).first(),
    )
    # Released from hold and taken by qmgr, but not tried yet.
    is_released = pl.col("queueings") & (pl.col("outcome_code") == "quarantined")
    return rows.select(
        "file",
        "recipient",
        "refused_sender",
        "last_at",
        *[name for name in _REFUSAL if name != "outcome_code"],
        pl.when(is_released).then(pl.lit("queued")).otherwise("outcome_code").alias("outcome_code"),
        pl.lit(0, pl.Int32).alias("try_count"),
        pl.lit(True).alias("is_partial"),
        pl.lit(False).alias("is_handoff"),
    )


def _of_sessions(bronze: pl.DataFrame) -> pl.DataFrame:
    sessions = _rows(bronze, "session", *_META, "assembly_key", "row_key", "host", "refusals", "entries")
    sessions = sessions.filter(pl.col("refusals").list.len() > 0)
    sessions = sessions.sort(
        "operator_id", "assembly_key", "first_at", "stream_id", "offset", nulls_last=True
    )
    sessions = sessions.with_columns(pl.col("first_at").dt.epoch("s").alias("second")).with_columns(
        pl.int_range(pl.len()).over("operator_id", "assembly_key", "second").alias("ordinal")
    )
    ordinal = pl.when(pl.col("ordinal") > 0).then(pl.concat_str(pl.lit("|"), "ordinal")).otherwise(pl.lit(""))
    process = pl.col("row_key").str.strip_prefix("session|")
    name = pl.concat_str(pl.col("host").fill_null(""), pl.lit("|"), process, pl.lit("|"), "second", ordinal)
    return _attempts(sessions.with_columns(name.alias("session")))


def _attempts(sessions: pl.DataFrame) -> pl.DataFrame:
    """One row per session, sender and recipient; one without a recipient if the session has no other."""
    rows = sessions.select(
        *[name for name in _META if name != "first_at"], "host", "session", "refusals"
    ).with_row_index("number")
    rows = _with_clients(_exploded(rows), sessions)
    rows = _refused(rows)
    is_kept = pl.col("outcome_code").is_in(["discarded", "quarantined"])
    named = pl.col("recipient").is_not_null() & ~pl.col("step_code").is_in(["VRFY", "ETRN"])
    rows = rows.with_columns(
        pl.when(named).then(pl.col("recipient")).alias("recipient"), is_kept.alias("is_kept")
    )
    # Refusals before RCPT are one attempt, and none where a recipient was refused.
    rows = rows.with_columns(pl.col("recipient").is_not_null().any().over("number").alias("has_recipient"))
    rows = rows.filter(pl.col("recipient").is_not_null() | ~pl.col("has_recipient"))
    rows = rows.with_columns(pl.when(pl.col("recipient").is_not_null()).then("sender").alias("per_sender"))
    rows = rows.group_by("number", "per_sender", "recipient", maintain_order=True).agg(
        pl.col("operator_id", "source_id", "stream_id", "session").first(),
        pl.col("event_offset").first().alias("offset"),
        pl.col("at").min().alias("first_at"),
        pl.col("at").max().alias("last_at"),
        pl.len().cast(pl.Int32).alias("try_count"),
        pl.col("is_kept", "sender", "client_ip", "client_name", "account", *_REFUSAL).last(),
    )
    return rows.select(
        *_META,
        "last_at",
        "session",
        pl.when("is_kept").then(pl.lit("recipient")).otherwise(pl.lit("attempt")).alias("grain_code"),
        pl.lit("smtp").alias("entry_code"),
        pl.lit(False).alias("is_handoff"),
        "sender",
        "recipient",
        "client_ip",
        "client_name",
        pl.col("account").is_not_null().alias("is_authenticated"),
        "account",
        *_REFUSAL,
        "try_count",
        # A discard or hold speaks for the whole message, and names the recipient that caused it.
        pl.col("is_kept").alias("is_partial"),
    )


def _with_clients(rows: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """The refusals, those of a filter before the queue with the client that smtpd named before them."""
    rows = rows.with_columns(pl.lit(None, pl.String).alias("account"))
    nameless = rows["client_ip"].is_null()
    if not nameless.any():
        return rows
    named = (
        sessions.with_row_index("number")
        .filter(pl.col("entries").list.len() > 0)
        .select("number", pl.col("stream_id").alias("row_stream"), "entries")
        .explode("entries")
        .unnest("entries")
    )
    named = named.select(
        "number",
        pl.col("at").dt.truncate("1s").alias("named_second"),
        pl.coalesce("stream_id", "row_stream").alias("named_stream"),
        pl.col("offset").alias("named_offset"),
        pl.col("client_ip", "client_name", "account").name.prefix("named_"),
    )
    place = ["number", "stream_id", "event_offset"]
    second = pl.col("at").dt.truncate("1s")
    before = (
        pl.when(pl.col("named_stream") == pl.col("stream_id"))
        .then(pl.col("named_offset") < pl.col("event_offset"))
        .otherwise(pl.col("named_second") <= second)
    )
    found = (
        rows.filter(nameless)
        .select(*place, "at")
        .join(named, on="number", how="inner")
        .filter(before)
        .sort("named_second", "named_stream", "named_offset")
        .unique(place, keep="last", maintain_order=True)
    )
    own = {name: pl.coalesce(name, f"named_{name}") for name in ("client_ip", "client_name", "account")}
    return (
        rows.join(
            found.select(*place, *(f"named_{name}" for name in own)),
            on=place,
            how="left",
            maintain_order="left",
        )
        .with_columns(**own)
        .drop(f"named_{name}" for name in own)
    )


def _exploded(rows: pl.DataFrame) -> pl.DataFrame:
    """The refusals of each row, with the stream and offset of their own line."""
    event = pl.col("refusals").struct
    rows = rows.explode("refusals")
    fields = rows["refusals"].struct.fields
    own = {"offset", "source_id", "stream_id"}
    return rows.select(
        *[name for name in rows.columns if name not in {"refusals", "offset", "source_id", "stream_id"}],
        *[event.field(name) for name in fields if name not in own],
        event.field("offset").alias("event_offset"),
        pl.coalesce(event.field("source_id"), "source_id").alias("source_id"),
        pl.coalesce(event.field("stream_id"), "stream_id").alias("stream_id"),
    )


def _of_screens(bronze: pl.DataFrame) -> pl.DataFrame:
    """postscreen: refused RCPTs, else the session's failed test; with the list that named the client."""
    screens = _rows(bronze, "screen", *_META, "last_at", "assembly_key", "row_key", "host", "refusals")
    screens = screens.with_row_index("screen")
    verbs = pl.col("refusals").list.eval(pl.element().struct.field("status_code"))
    screens = screens.filter(verbs.list.contains("reject") | ~verbs.list.contains("PASS"))
    session = pl.concat_str(
        pl.col("host").fill_null(""),
        pl.col("row_key").str.strip_prefix("screen|"),
        pl.col("first_at").dt.epoch("s"),
        separator="|",
    )
    rows = _attempts_of_screens(screens.with_columns(session.alias("session")))
    listings = _rows(bronze, "listing", "operator_id", "assembly_key", "refusals")
    listings = listings.explode("refusals").select(
        "operator_id",
        "assembly_key",
        *[
            pl.col("refusals").struct.field(name).alias("listed_" + name)
            for name in ("at", "dnsbl_zone", "dnsbl_code")
        ],
    )
    found = (
        rows.select(
            "screen",
            "recipient",
            "sender",
            "operator_id",
            "assembly_key",
            "opened_at",
            "closed_at",
            "dnsbl_zone",
        )
        .unique(["screen"])
        .join(listings, on=["operator_id", "assembly_key"], nulls_equal=True)
        .filter(
            (pl.col("listed_at") >= pl.col("opened_at") - _LISTING_SLACK)
            & (pl.col("listed_at") <= pl.col("closed_at") + _LISTING_SLACK)
            & (pl.col("dnsbl_zone").is_null() | (pl.col("dnsbl_zone") == pl.col("listed_dnsbl_zone")))
        )
        .sort("listed_at", "listed_dnsbl_zone", maintain_order=True)
        .group_by("screen", maintain_order=True)
        .agg(pl.col("listed_dnsbl_zone", "listed_dnsbl_code").first())
    )
    rows = rows.join(found, on="screen", how="left")
    return rows.with_columns(
        pl.coalesce("dnsbl_zone", "listed_dnsbl_zone").alias("dnsbl_zone"),
        pl.col("listed_dnsbl_code").alias("dnsbl_code"),
    )


def _attempts_of_screens(screens: pl.DataFrame) -> pl.DataFrame:
    rows = screens.select(
        "screen",
        "operator_id",
        "source_id",
        "stream_id",
        "offset",
        "assembly_key",
        "session",
        "first_at",
        "last_at",
        "refusals",
    ).rename({"first_at": "opened_at", "last_at": "closed_at"})
    rows = _exploded(rows)
    rows = rows.filter(pl.col("status_code").is_in(_TESTS))
    rank = pl.col("status_code").replace_strict(
        _TESTS, list(range(len(_TESTS))), default=99, return_dtype=pl.UInt8
    )
    rows = _refused(rows).with_columns(rank.alias("rank"))
    is_test = pl.col("recipient").is_null()
    rows = rows.with_columns(
        (~is_test).any().over("screen").alias("has_recipient"),
        pl.when(is_test).then(pl.lit("connect")).otherwise("stage_code").alias("stage_code"),
        # postscreen answers 421 to a client that it has no process for (psc_smtpd.c).
        pl.when(is_test & (pl.col("status_code") == "reject") & pl.col("reply_code").is_null())
        .then(pl.lit("deferred"))
        .otherwise("outcome_code")
        .alias("outcome_code"),
        pl.when(~is_test).then("sender").alias("sender"),
    )
    rows = rows.filter(~is_test | ~pl.col("has_recipient")).sort("rank", maintain_order=True)
    rows = rows.group_by("screen", "sender", "recipient", maintain_order=True).agg(
        pl.col(
            "operator_id", "source_id", "stream_id", "assembly_key", "session", "opened_at", "closed_at"
        ).first(),
        pl.col("event_offset").min().alias("offset"),
        pl.col("at").min().alias("first_at"),
        pl.col("at").max().alias("last_at"),
        pl.len().cast(pl.Int32).alias("try_count"),
        pl.col("client_ip", *_REFUSAL).first(),
    )
    return rows.with_columns(
        pl.lit("attempt").alias("grain_code"),
        pl.lit("smtp").alias("entry_code"),
        pl.lit(False).alias("is_handoff"),
        pl.lit(False).alias("is_authenticated"),
        pl.lit(False).alias("is_partial"),
    )
