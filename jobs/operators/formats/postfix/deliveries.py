"""Transmissions of Postfix's queue files: a row for each recipient, and for what was refused of a file."""

from pathlib import Path

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.tables.contracts import read_csv_rows
from jobs.operators.formats import OUTCOME_RANK
from jobs.operators.formats.postfix.assembly import pick_rows
from jobs.operators.formats.postfix.refusals import subject_of

# Relays without an address that are mailboxes; another name is a pipe(8) transport to a filter.
_FINAL_RELAYS = [row["relay"] for row in read_csv_rows(Path(__file__).with_name("final_relays.csv"))]

_QUEUE_ID = (
    r"queued(?: mail for delivery)?(?: as|_as:?) <?"
    r"([0-9A-F]{6,}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,}z[0-9A-Za-z]+)\b"
)
_ANY_ID = r"queued as <?([0-9A-Za-z.-]+)"
# local(8) puts what an alias or .forward file sends elsewhere into a queue file of its own.
_FORWARDED = "forwarded as "
# A filter on this host. LMTP into a mailbox store is port 24, the next MTA is port 25.
_FILTER_RELAY = r"\[(?:127\.0\.0\.1|::1)\]:(\d+)"
_LOOPBACK = r"\[(?:127\.\d+\.\d+\.\d+|::1)\]"

META = ["operator_id", "source_id", "stream_id", "offset", "first_at"]


def rows_of(bronze: pl.DataFrame, row_code: str, *columns: str | pl.Expr) -> pl.DataFrame:
    """Columns of the rows with a row_code. Lists that are not read are left out before: they cost most."""
    return pick_rows(bronze.select(*columns), bronze["row_code"] == row_code)


def _first_event_fields(column: str, fields: list[str], prefix: str) -> list[pl.Expr]:
    """Fields of the first event of a list."""
    event = pl.col(column).list.first()
    return [event.struct.field(name).alias(prefix + name) for name in fields]


def queue_file_rows(bronze: pl.DataFrame) -> pl.DataFrame:
    """Transmissions of queue files: a row for each delivery or refusal of a recipient; one for a file of
    which only its queueing is known."""
    not_read = ("removals", "assembly_key", "instance", "process_id", "client_port")
    files = rows_of(bronze, "queue", pl.exclude(not_read))
    files = files.with_row_index("file")
    files = files.with_columns(
        *_first_event_fields(
            "entries",
            ["status_code", "service_name", "client_name", "client_ip", "account", "linked_queue_id"],
            "entry_",
        ),
        *_first_event_fields("message_ids", ["message_id"], ""),
        pl.coalesce(*_first_event_fields("subjects", ["subject"], ""), _refused_subject()).alias("subject"),
        *_first_event_fields("queueings", ["sender", "message_bytes", "recipient_count"], ""),
        pl.col("queueings")
        .list.eval(pl.element().struct.field("status_code") == "expired")
        .list.any()
        .alias("is_expired"),
    )
    facts = files.select("file", *META, *_queue_file_facts())
    files = files.select(
        "file", "last_at", "sender", "recipient_count", "queueings", "deliveries", "refusals", "is_expired"
    )
    deliveries = _gather_deliveries(files)
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


def _queue_file_facts() -> list[pl.Expr]:
    """Facts that all recipients of a queue file share."""
    is_client = pl.col("entry_status_code") == "client"
    is_forwarded = (pl.col("entry_status_code") == "forwarded").fill_null(False)
    sender = pl.coalesce("sender", pl.col("entries").list.first().struct.field("sender"))
    is_submission = pl.col("entry_account").is_not_null() | pl.col("entry_service_name").str.contains(
        r"(?i)submission|smtps|msa"
    )
    made_here = (pl.col("message_ids").list.len() > 0) & (
        (sender == "") | sender.str.starts_with("double-bounce@") | (pl.col("notices").list.len() > 0)
    )
    # local(8) makes the queue file of what it forwards: nothing brings it in.
    made_by_local = (
        pl.col("entry_status_code").is_null() & (pl.col("message_ids").list.len() > 0) & ~made_here
    ).fill_null(False)
    entry = choose_code(
        reinjection=is_client & pl.col("entry_linked_queue_id").is_not_null() | is_forwarded | made_by_local,
        submission=is_client & is_submission,
        smtp=is_client,
        pickup=pl.col("entry_status_code") == "pickup",
        dsn=made_here,
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
        pl.col("recipient_count"),
    ]


def _gather_deliveries(files: pl.DataFrame) -> pl.DataFrame:
    """One row per queue file and original recipient, from the last status of each address."""
    tries = files.select("file", "recipient_count", "is_expired", "deliveries")
    tries = tries.filter(pl.col("deliveries").list.len() > 0)
    tries = tries.explode("deliveries").unnest("deliveries")
    tries = tries.filter(~pl.col("status_code").is_in(["deliverable", "undeliverable"]))
    # An address may be given beside an alias of which it is a member.
    last = tries.group_by("file", "recipient", "original_recipient", maintain_order=True).agg(
        pl.col("recipient_count", "is_expired").first(),
        pl.len().cast(pl.Int32).alias("try_count"),
        pl.col("at", "relay", "dsn_code", "status_code", "reply_text").last(),
    )
    last = last.with_columns(
        pl.col("reply_text").fill_null("").alias("reply"),
        pl.col("relay").fill_null("none").alias("relay"),
        # discard(8) alone has sent something to no relay (src/discard/discard.c).
        (
            ((pl.col("relay") == "none") & (pl.col("status_code") == "sent"))
            | (pl.col("reply_text") == "delivered to file: /dev/null")
        )
        .fill_null(False)
        .alias("is_sunk"),
    )
    reply, relay = pl.col("reply"), pl.col("relay")
    # What is asked of a reply twice is worked out once; patterns are tried on what may match them.
    refused = pl.when(reply.str.starts_with("connect to ")).then(reply)
    last = last.with_columns(
        (
            reply.str.contains(r"(?i)\bdiscarded, id=|^discarded\b")
            | (relay == "discard")
            | pl.col("is_sunk")
        ).alias("is_discarded"),
        reply.str.extract(_QUEUE_ID).alias("own_id"),
        pl.coalesce(
            relay.str.extract(_FILTER_RELAY), refused.str.extract(r"^connect to \S*" + _FILTER_RELAY)
        ).alias("port"),
    )
    outcome = choose_code(
        discarded=(pl.col("status_code") == "sent") & pl.col("is_discarded"),
        delivered=pl.col("status_code") == "sent",
        bounced=pl.col("status_code") == "bounced",
        expired=(pl.col("status_code") == "expired") | pl.col("is_expired"),
        otherwise="deferred",
    )
    last = last.with_columns(outcome.alias("outcome_code"))
    has_address = relay.str.contains("[", literal=True)
    at_filter = pl.col("port").is_not_null() & ~pl.col("port").is_in(["24", "25"])
    is_forwarded = reply.str.starts_with(_FORWARDED)
    handoff = (
        is_forwarded
        | (~has_address & ~relay.is_in(_FINAL_RELAYS))
        | (relay.str.contains(_LOOPBACK) & pl.col("own_id").is_not_null())
        | (at_filter & (pl.col("outcome_code") == "deferred"))
    ) & (pl.col("outcome_code") != "discarded")
    last = last.with_columns(handoff.alias("is_handoff"))
    has_other_id = pl.col("own_id").is_null() & reply.str.contains("queued as ", literal=True)
    is_sent = pl.col("status_code") == "sent"
    last = last.with_columns(
        pl.coalesce("original_recipient", "recipient").alias("recipient"),
        pl.coalesce(
            "own_id",
            pl.when(is_forwarded).then(reply.str.strip_prefix(_FORWARDED)),
            pl.when(has_other_id).then(reply).str.extract(_ANY_ID),
        ).alias("next_queue_id"),
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
    last = last.with_columns(rank=OUTCOME_RANK)
    is_alias = last.select(pl.struct("file", "recipient").is_duplicated()).to_series()
    aliases = last.filter(is_alias)
    last = last.filter(~is_alias)
    if aliases.height:
        # A copy that goes on in another queue file stands for its alias: that file is then no other message.
        best = aliases.sort("rank", ~pl.col("is_handoff"), "at", maintain_order=True).group_by(
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
        choose_code(
            content=(pl.col("outcome_code") == "discarded") & ~pl.col("is_sunk"), otherwise="delivery"
        ).alias("stage_code"),
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


def decide_refusals(refusals: pl.DataFrame) -> pl.DataFrame:
    """Stage and outcome of what smtpd, cleanup or postscreen refused, discarded or held."""
    verb, step = pl.col("status_code"), pl.col("step_code")
    is_later = (pl.col("reply_code").str.starts_with("4")) | (
        pl.col("reply_code").is_null() & pl.col("dsn_code").str.starts_with("4")
    )
    stage = choose_code(
        connect=step == "CONNECT",
        content=step.is_in(["DATA", "END-OF-MESSAGE", "size"]) | ~step.str.contains("^[A-Z]"),
        otherwise="envelope",
    )
    outcome = choose_code(
        discarded=verb.str.ends_with("discard"),
        quarantined=verb.str.ends_with("hold"),
        deferred=is_later,
        otherwise="rejected",
    )
    return refusals.with_columns(
        stage.fill_null("content").alias("stage_code"), outcome.alias("outcome_code")
    )


REFUSAL = [
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
    some = decide_refusals(some.unnest("refusals"))
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
        pl.col(REFUSAL).first(),
    )
    # Released from hold and taken by qmgr, but not tried yet.
    is_released = pl.col("queueings") & (pl.col("outcome_code") == "quarantined")
    return rows.select(
        "file",
        "recipient",
        "refused_sender",
        "last_at",
        *[name for name in REFUSAL if name != "outcome_code"],
        pl.when(is_released).then(pl.lit("queued")).otherwise("outcome_code").alias("outcome_code"),
        pl.lit(0, pl.Int32).alias("try_count"),
        pl.lit(True).alias("is_partial"),
        pl.lit(False).alias("is_handoff"),
    )
