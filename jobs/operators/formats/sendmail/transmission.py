"""Counts Sendmail's events: one transmission per message and recipient, or refused attempt.

A queue id is used again, so that its events are cut into lives: another from= begins one, and so does a
refusal after a to=. A from= with nrcpts=0 closes a transaction whose recipients were all refused: no message
existed, and it only names the sender and client of those refusals. The same holds for a from= with size=0,
without msgid= and without any to=: its client left or reset the session after an accepted RCPT, as callouts
and harvesters do. A client that broke off within DATA leaves a from= line, too, and gives no row.

A message gives one row per recipient as first given, and no more rows than its from= has recipients
(nrcpts=). A to= with a ctladdr= belongs to that address's alias or .forward file, and counts once for it,
with the outcome of highest precedence; where ctladdr= is the sender, it names the user whose program handed
the message in. Members of other aliases are logged without brackets and without the alias: where they are
more than the recipients that remain, those with the outcome of highest precedence stand for the aliases. What
a milter or ruleset refuses after DATA holds for all recipients that the following to= lines name, whatever
their stat= says. A message that is given up after days is logged in the notice alone (`Cannot send message
for 5 days`).

A session gives one row per (sender, recipient) that it was refused for, or one without a recipient when it
was refused before RCPT. A session is a process until it is silent for ten minutes or has another client.

Rows of one assembly_key must come together; nothing else is needed.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats import OUTCOME_RANK
from jobs.operators.formats.sendmail.events import BRONZE
from jobs.operators.formats.shared.fields import FACTS_OF_FILE, stack_mail

_KEY = ["operator_id", "assembly_key"]
_OWNER = ["operator_id", "source_id", "stream_id", "offset"]
_PLACE = ["source_id", "stream_id", "offset", "first_at"]
_REFUSAL = ["reply_code", "dsn_code", "reply_text", "log_text", "dnsbl_zone"]
_GAP = pl.duration(minutes=10)
_LOGIN = "1h"

# Steps before DATA; other rulesets and milters look at headers and body.
_CONNECT = ["check_relay", "greeting", "milter connect"]
_ENVELOPE = [
    *("check_mail", "check_rcpt", "check_compat", "check_vrfy", "check_expn", "check_etrn", "check_helo"),
    *("rcpt", "overflow", "milter helo", "milter from", "milter to", "tls_client", "trust_auth"),
]
# Mailers of mailboxes, programs and files on this host.
_LOCAL_MAILERS = ["local", "prog", "*file*", "cyrus", "cyrusv2", "cyrusbb"]
_NEXT_ID = (
    r"[( ]([0-9A-Za-z]{8,}) Message accepted for delivery"
    r"|queued(?: mail for delivery)? as:? <?([0-9A-Za-z.-]+)"
)
_LOOPBACK = r"\[(?:127\.0\.0\.1|::1)\]"


def transmissions(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """The transmissions for silver, with the columns of TRANSMISSION. Raw identifiers."""
    events = _number_lives(bronze.collect())
    files = _gather_messages(events)
    parts = [_message_rows(events, files), _session_rows(events, files)]
    return stack_mail(parts, "sendmail")


def _number_lives(bronze: pl.DataFrame) -> pl.DataFrame:
    """Events in order, with stage, and `life`: a number per queue id and use, null for those without one."""
    owner = [*_KEY, "queue_id"]
    step, code = pl.col("step_code"), pl.col("event_code")
    events = bronze.select(list(BRONZE)).with_columns(second=pl.col("first_at").dt.truncate("1s"))
    events = events.sort(*_KEY, "queue_id", "second", "stream_id", "offset", "source_id", nulls_last=True)
    # A message is too big at MAIL, by what its client says of it, or after its from=, by what came.
    has_come = ((code == "arrival") & (pl.col("recipient_count") > 0)).cum_sum().over(owner) > 0
    stage = choose_code(
        connect=step.is_in(_CONNECT),
        envelope=step.is_in(_ENVELOPE) | ((step == "size") & ~has_come.fill_null(False)),
        content=step.is_not_null(),
    )
    events = events.with_columns(stage_code=stage)
    # What a transaction goes through: refusals, its from=, then everything else.
    phase = (
        pl.when((code == "refusal") & (pl.col("stage_code") != "content"))
        .then(0)
        .when(code == "arrival")
        .then(1)
        # A message is broken off before its from= is written.
        .when(code.is_in(["notice", "carrier", "login", "aborted", "lost"]))
        .then(None)
        .otherwise(2)
    )
    events = events.with_columns(phase=phase).with_columns(
        before=pl.col("phase").forward_fill().shift(1).over(owner)
    )
    name = pl.struct(owner)
    begins = (
        (name != name.shift(1)).fill_null(True)
        | (pl.col("phase") < pl.col("before")).fill_null(False)
        | ((pl.col("phase") == 1) & (pl.col("before") == 1)).fill_null(False)
    )
    life = begins.cum_sum()
    return events.with_columns(life=pl.when(pl.col("queue_id").is_not_null()).then(life))


def _gather_messages(events: pl.DataFrame) -> pl.DataFrame:
    """One row per life of a queue id: what holds for all its recipients, and what became of it as a whole."""
    code, status = pl.col("event_code"), pl.col("status_code")
    came = code == "arrival"
    of_content = (code == "refusal") & (pl.col("stage_code") == "content")

    def arrival_field(name: str) -> pl.Expr:
        return pl.col(name).filter(came).first()

    facts = [
        *("sender", "client_name", "client_ip", "message_id", "message_bytes", "recipient_count", "protocol"),
        *("service_name", "is_local", "is_authenticated"),
    ]
    files = (
        events.filter(pl.col("life").is_not_null())
        .group_by("life", maintain_order=True)
        .agg(
            pl.col("operator_id", "assembly_key", "host", "queue_id").first(),
            # A message begins with its from=, not with recipients refused before.
            *[pl.coalesce(arrival_field(name), pl.col(name).first()).alias(name) for name in _PLACE],
            arrival_field("first_at").alias("came_at"),
            *[arrival_field(name).alias(name) for name in facts],
            came.any().alias("has_arrival"),
            ((code == "notice") & (status == "expired")).any().fill_null(False).alias("is_expired"),
            (code == "carrier").any().alias("is_carrier"),
            ((code == "aborted").any() & ~(code == "delivery").any()).alias("is_aborted"),
            (code == "delivery").any().alias("is_tried"),
            (code == "lost").any().alias("is_lost"),
            (of_content & status.is_in(["reject", "temporarily"])).any().fill_null(False).alias("is_refused"),
            ((code == "discarded") | ((code == "refusal") & (status == "discard")))
            .any()
            .alias("is_discarded"),
            ((code == "quarantined") | ((code == "refusal") & (status == "quarantine")))
            .any()
            .alias("is_quarantined"),
            pl.col("stage_code").filter(code == "refusal").last().alias("decided_code"),
            *[
                pl.col(name)
                .filter((code == "refusal") & (of_content | ~status.is_in(["reject", "temporarily"])))
                .last()
                .alias("refused_" + name)
                for name in ("status_code", *_REFUSAL)
            ],
        )
    )
    # A notice made by the process that also made the message it is about stands only once.
    made = events.filter(code == "notice").select(*_KEY, queue_id="linked_queue_id", is_made=True).unique()
    files = _add_accounts(files.join(made, on=[*_KEY, "queue_id"], how="left"), events)
    authenticated = pl.col("is_authenticated").fill_null(False) | pl.col("account").is_not_null()
    is_made = ~pl.col("has_arrival") & (pl.col("is_carrier") | pl.col("is_made").fill_null(False))
    entry = choose_code(
        dsn=is_made,
        pickup=pl.col("is_local").fill_null(False),
        submission=authenticated | pl.col("service_name").str.contains(r"(?i)^(?:MSA|MSP|submission|smtps)"),
        smtp=pl.col("has_arrival"),
    )
    # Its client left, or reset the session, after an accepted RCPT.
    is_left = (pl.col("message_bytes") == 0) & pl.col("message_id").is_null() & ~pl.col("is_tried")
    return files.with_columns(
        entry.alias("entry_code"),
        pl.when(pl.col("has_arrival")).then(authenticated).alias("is_authenticated"),
        pl.when(is_made).then(pl.lit("")).otherwise("sender").alias("sender"),
        pl.concat_str(pl.col("host").fill_null(""), "queue_id", separator="|").alias("queue"),
        (pl.col("has_arrival") & ((pl.col("recipient_count") == 0) | is_left))
        .fill_null(False)
        .alias("is_empty"),
    )


def _add_accounts(files: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """The account that logged in, in the same process, within the hour before a message came."""
    logins = events.filter(pl.col("event_code") == "login").select(*_KEY, "account", at="first_at").sort("at")
    files = files.with_columns(at=pl.coalesce("came_at", "first_at")).sort("at", maintain_order=True)
    files = files.join_asof(
        logins, on="at", by=_KEY, strategy="backward", tolerance=_LOGIN, check_sortedness=False
    )
    return files.drop("at")


_FACTS = [*_OWNER, *FACTS_OF_FILE, "recipient_count"]


def _message_rows(events: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    files = files.filter(~pl.col("is_empty") & ~pl.col("is_aborted"))
    tries = _gather_tries(events, files)
    whole = files.filter(
        pl.col("is_refused") | pl.col("is_discarded") | (pl.col("is_quarantined") & ~pl.col("is_expired"))
    )
    sent = tries.filter(pl.col("status_code") == "sent").select("life").unique()
    # What was held may be released later; refused is refused.
    whole = whole.filter(pl.col("is_refused") | ~pl.col("life").is_in(sent["life"].implode()))
    # A refusal or discard before DATA is of the session, unless a message came of it.
    whole = whole.filter(pl.col("has_arrival") | (pl.col("decided_code") == "content"))
    parts = [_decided_messages(whole, tries)]
    parts.append(_gather_deliveries(tries.join(whole.select("life"), on="life", how="anti"), files))
    known = pl.concat([part.select("life") for part in parts]).unique()
    parts.append(_waiting_recipients(files.filter("has_arrival").join(known, on="life", how="anti")))
    rows = pl.concat(parts, how="diagonal").join(files.select("life", *_FACTS), on="life", how="left")
    return rows.with_columns(
        pl.lit("recipient").alias("grain_code"),
        pl.when("is_own_recipient").then(pl.lit(True)).alias("is_own_recipient"),
    )


def _gather_tries(events: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """One row per to= line and recipient in it; `original` is the recipient as first given."""
    tries = events.filter(pl.col("event_code") == "delivery").select(
        *("life", "first_at", "recipients", "original_recipient", "status_code", "relay", "transport"),
        *_REFUSAL,
    )
    senders = files.select("life", "sender", "is_local")
    tries = tries.explode("recipients").join(senders, on="life", how="inner")
    given = pl.col("recipients").str.strip_chars(" ")
    address = given.str.strip_prefix("<").str.strip_suffix(">")
    owner = pl.col("original_recipient").str.to_lowercase()
    sender = pl.col("sender").fill_null("").str.to_lowercase()
    # Whoever runs a program may be logged without a domain.
    is_sender = (owner == sender) | (owner == sender.str.splitn("@", 2).struct.field("field_0"))
    is_named = pl.col("original_recipient").is_not_null() & ~is_sender.fill_null(False)
    # What came by SMTP was given in brackets.
    is_member = ~is_named & ~given.str.starts_with("<")
    is_alias = is_member & ~pl.col("is_local").fill_null(True)
    return tries.with_columns(
        recipient=address,
        original=pl.when(is_named).then("original_recipient").otherwise(address),
        is_member=is_member,
        is_own_recipient=pl.col("transport").is_in(_LOCAL_MAILERS).fill_null(False) | is_alias,
    ).filter(pl.col("recipient") != "")


def _decided_messages(files: pl.DataFrame, tries: pl.DataFrame) -> pl.DataFrame:
    """Messages refused, discarded or held as a whole: one row per recipient that to= lines name, else one."""
    named = tries.group_by("life", recipient="original", maintain_order=True).agg(
        pl.col("is_own_recipient").any()
    )
    later = (pl.col("refused_status_code") == "temporarily") | pl.col("refused_reply_code").str.starts_with(
        "4"
    )
    outcome = choose_code(
        deferred=pl.col("is_refused") & later.fill_null(False),
        rejected=pl.col("is_refused"),
        discarded=pl.col("is_discarded"),
        otherwise="quarantined",
    )
    rows = files.join(named, on="life", how="left")
    of_life = pl.len().over("life") < pl.col("recipient_count").fill_null(1)
    last = pl.coalesce("came_at", "first_at")
    return rows.select(
        "life",
        "recipient",
        "is_own_recipient",
        last.alias("last_at"),
        choose_code(
            content=pl.col("is_refused"), otherwise=pl.col("decided_code").fill_null("content")
        ).alias("stage_code"),
        outcome.alias("outcome_code"),
        *[pl.col("refused_" + name).alias(name) for name in _REFUSAL],
        pl.lit(0, pl.Int32).alias("try_count"),
        (of_life | pl.col("recipient").is_null()).alias("is_partial"),
        pl.lit(False).alias("is_handoff"),
    )


def _gather_deliveries(tries: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """One row per message and original recipient, from the last state of each address."""
    facts = ["status_code", "relay", "reply_code", "dsn_code", "reply_text"]
    last = tries.group_by("life", "original", "recipient", maintain_order=True).agg(
        pl.col("first_at").max().alias("last_at"),
        pl.len().cast(pl.Int32).alias("try_count"),
        pl.col(facts).last(),
        pl.col("is_member").all(),
        pl.col("is_own_recipient").any(),
    )
    last = last.join(files.select("life", "is_expired", "is_lost", "recipient_count"), on="life", how="left")
    state, relay = pl.col("status_code"), pl.col("relay").fill_null("")
    outcome = choose_code(
        delivered=state == "sent",
        expired=state.is_in(["deferred", "queued"]) & pl.col("is_expired"),
        bounced=state.is_in(["deferred", "queued"]) & pl.col("is_lost"),
        otherwise=state,
    )
    next_id = pl.col("reply_text").str.extract_groups(_NEXT_ID).struct
    last = last.with_columns(
        outcome.alias("outcome_code"),
        pl.when(state == "sent")
        .then(pl.coalesce(next_id.field("1"), next_id.field("2")))
        .alias("next_queue_id"),
    ).with_columns(
        (
            relay.str.contains(_LOOPBACK) & (pl.col("next_queue_id").is_not_null() | (state == "deferred"))
        ).alias("is_handoff")
    )
    last = last.with_columns(rank=OUTCOME_RANK).sort("rank", maintain_order=True)
    rows = last.group_by("life", "original", maintain_order=True).agg(
        pl.col("last_at").max(),
        pl.col("try_count").max(),
        pl.col("recipient_count", "outcome_code", "is_handoff", "next_queue_id").first(),
        pl.col("relay").first().alias("outbound_link"),
        pl.col("reply_code", "dsn_code", "reply_text", "rank").first(),
        pl.col("is_member").all(),
        pl.col("is_own_recipient").any(),
    )
    # Members of aliases are as many as the aliases at most.
    place = pl.int_range(pl.len()).over("life")
    rows = rows.sort("is_member", "rank", maintain_order=True).filter(
        (place < pl.col("recipient_count")).fill_null(True) | (pl.col("recipient_count") == 0)
    )
    return rows.with_columns(
        pl.col("original").alias("recipient"),
        pl.lit("delivery").alias("stage_code"),
        (pl.len().over("life") < pl.col("recipient_count")).fill_null(False).alias("is_partial"),
    ).drop("original", "recipient_count", "is_member", "rank")


def _waiting_recipients(files: pl.DataFrame) -> pl.DataFrame:
    return files.select(
        "life",
        pl.col("came_at").alias("last_at"),
        pl.lit("delivery").alias("stage_code"),
        pl.when("is_lost").then(pl.lit("bounced")).otherwise(pl.lit("queued")).alias("outcome_code"),
        pl.lit(0, pl.Int32).alias("try_count"),
        pl.lit(True).alias("is_partial"),
        pl.lit(False).alias("is_handoff"),
    )


def _session_rows(events: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """One row per session, sender and recipient; one without a recipient if the session has no other."""
    lines = events.filter((pl.col("event_code") == "refusal") & (pl.col("stage_code") != "content"))
    of_file = files.select(
        "life", "has_arrival", "is_empty", *[pl.col(name).alias("of_" + name) for name in _FILLED]
    )
    lines = lines.join(of_file, on="life", how="left", maintain_order="left")
    # What became a message is counted there.
    is_kept = pl.col("status_code").is_in(["discard", "quarantine"])
    lines = lines.filter(~(is_kept & pl.col("has_arrival") & ~pl.col("is_empty")).fill_null(False))
    lines = lines.with_columns(pl.coalesce(name, "of_" + name).alias(name) for name in _FILLED)
    lines = lines.sort(*_KEY, "second", "stream_id", "offset", "source_id")
    owner = pl.struct(_KEY)
    client = pl.col("client_ip").forward_fill().over(_KEY)
    begins = (
        (owner != owner.shift(1)).fill_null(True)
        | ((pl.col("first_at") - pl.col("first_at").shift(1)) > _GAP).fill_null(False)
        | (client != client.shift(1)).fill_null(False)
    )
    # Each line of an overflow is a recipient of its own, without a name.
    is_overflow = pl.col("step_code") == "overflow"
    named = pl.col("recipient").is_not_null() | is_overflow
    lines = lines.with_columns(number=begins.cum_sum()).with_columns(
        named.any().over("number").alias("has_recipient"),
        pl.col("first_at").min().over("number").alias("opened_at"),
        pl.when(named).then("sender").alias("per_sender"),
        pl.when(is_overflow).then(pl.int_range(pl.len())).alias("line"),
    )
    lines = lines.filter(named | ~pl.col("has_recipient"))
    rows = lines.group_by("number", "per_sender", "recipient", "line", maintain_order=True).agg(
        pl.col(*_OWNER, "first_at", "opened_at", "assembly_key").first(),
        pl.col("first_at").last().alias("last_at"),
        pl.len().cast(pl.Int32).alias("try_count"),
        *[pl.col(name).drop_nulls().last() for name in ("sender", "client_ip", "client_name")],
        pl.col("is_authenticated").any(),
        pl.col("status_code", "stage_code", *_REFUSAL).last(),
    )
    status = pl.col("status_code")
    later = (status == "temporarily") | pl.coalesce("reply_code", "dsn_code").str.starts_with("4").fill_null(
        False
    )
    outcome = choose_code(
        discarded=status == "discard",
        quarantined=status == "quarantine",
        deferred=later,
        otherwise="rejected",
    )
    is_kept = status.is_in(["discard", "quarantine"])
    return rows.with_columns(
        outcome.alias("outcome_code"),
        pl.when(is_kept).then(pl.lit("recipient")).otherwise(pl.lit("attempt")).alias("grain_code"),
        pl.lit("smtp").alias("entry_code"),
        pl.concat_str("assembly_key", pl.col("opened_at").dt.epoch("s"), separator="|").alias("session"),
        pl.col("is_authenticated").fill_null(False),
        pl.lit(False).alias("is_handoff"),
        (is_kept | pl.col("line").is_not_null()).alias("is_partial"),
    )


# What a refusal may leave to the from= line of its transaction.
_FILLED = ["sender", "client_ip", "client_name", "is_authenticated"]
