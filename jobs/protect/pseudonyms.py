"""The one door from bronze to silver: what needs the raw value happens here, then it is gone.

Here, and nowhere else, text rules are matched, addresses and numbers located, an operator's own address
space told from others', and identifiers become pseudonyms: HMAC-SHA256, cut to 128 bits, under a key of
the operator's own. Registered domains (jobs/protect/domains.py), number prefixes' countries, networks (/24,
/48) and texts that identify nobody by their form (jobs/protect/shapes.py) stay.
Keys are in jobs/protect/pseudonym_keys.py, reports of others in jobs/protect/reports.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import polars as pl

from jobs.core.contracts import polars_schema
from jobs.protect import location, numbering, parties, rules, shapes, signatures
from jobs.protect.addresses import clients, database_of
from jobs.protect.countermeasures import countermeasure_of_refusals, countermeasure_of_verdicts
from jobs.protect.hosts import hosts_of, recipient_structs
from jobs.protect.links import handoffs, kind_of, link_ids
from jobs.protect.message_ids import in_one_form
from jobs.protect.message_types import TYPED, type_of_verdicts
from jobs.protect.numbering import own_number, with_e164
from jobs.protect.operators import Door, Own, by_operator
from jobs.protect.pseudonym_keys import key_id, key_of, pseudonyms
from jobs.protect.refusal_types import type_of_transmissions
from jobs.protect.reports import protect_authentication_reports, protect_complaints


def transmissions(raw: pl.DataFrame, door: Door) -> pl.DataFrame:
    """silver.transmission from what a kernel's transmissions() gave."""
    # Rules are of a format, a channel and a time; one log may hold calls beside messages, and two logs that
    # complete each other come together.
    parts = [
        by_operator(part, door, partial(protect_transmissions, loaded=loaded))
        for loaded, rows in rules.in_force(raw, "first_at")
        for part in rows.partition_by("format_code", "channel_code")
    ]
    return shaped(parts, "silver.transmission", "transmission_hash", door)


def shaped(parts: Sequence[pl.DataFrame], table: str, later: str, door: Door) -> pl.DataFrame:
    """The table's columns but for the key that is made later, with no value but of its column's shape."""
    schema: Any = {name: kind for name, kind in polars_schema(table).items() if name != later}
    done = [part.select(list(schema)).cast(schema) for part in parts if part.width]
    return shapes.passed(pl.concat(done), table, door) if done else pl.DataFrame(schema=schema)


def protect_transmissions(raw: pl.DataFrame, own: Own, door: Door, loaded: rules.Rules) -> pl.DataFrame:
    """One operator's transmissions of one format and channel, pseudonymous and classified."""
    key = key_of(own)
    raw = with_e164(raw, own, "sender", "recipient")
    is_mail = pl.col("channel_code") == "EMAIL"
    client = clients(raw["client_ip"], own, door)
    database, dated = database_of(door)
    caller = raw["sender"].set(raw["channel_code"] == "EMAIL", None)
    sender_country = location.country_of_numbers(caller)
    recipient_country = location.country_of_numbers(
        raw["recipient"].set(raw["channel_code"] == "EMAIL", None)
    )
    senders, recipients = hosts_of(raw["sender"], own), hosts_of(raw["recipient"], own)
    frame = raw.with_columns(
        sender_domain=senders["domain"],
        recipient_domain=recipients["domain"],
        client_network=client["network"],
        origin_located=client["country_code"],
        source_asn=client["asn"],
        sender_country=sender_country,
        recipient_country=recipient_country,
        is_own_address=client["is_own"],
        is_handoff=handoffs(raw, own),
    )
    # Calls go to numbers or, as mails do, to names at a domain.
    own_recipient = (
        pl.when(is_mail | recipients["host"].is_not_null())
        .then(recipients["is_own"])
        .otherwise(own_number("recipient", own))
    )
    own_sender = own_number("sender", own) | (~is_mail & senders["is_own"])
    frame = frame.with_columns(
        is_own_client=(
            pl.col("is_authenticated").fill_null(False)
            | pl.col("is_own_address").fill_null(False)
            | (pl.col("entry_code") == "pickup")
            | (~is_mail & own_sender & (pl.col("entry_code") == "link"))
        ),
        # A mail server's refusal before RCPT names no recipient: it came to the operator itself. What an own
        # service was refused would have left.
        is_own_recipient=pl.when(pl.col("recipient").is_null())
        .then(pl.col("entry_code").fill_null("") != "box")
        .otherwise(own_recipient),
        inbound_link_id=link_ids(frame, "inbound_link", "client_ip", "client_name", own),
        outbound_link_id=link_ids(frame, "outbound_link", None, None, own),
    )
    kinds = dict(own.links)
    frame = frame.with_columns(
        sender_kind_code=parties.sender_kinds(raw["sender"]),
        sender_network_code=parties.networks_of_numbers(caller, door.number_ranges),
        destination_operator_id=parties.destination_operators(
            frame, own.operator_id, kinds, door.number_ranges
        ),
        location_database=pl.lit(database, dtype=pl.String),
        location_date=pl.lit(dated, dtype=pl.Date),
    )
    # A mailbox of its own is no relay; a filter or the server itself is one on the loopback.
    is_local = pl.col("outbound_link").is_null() | pl.col("outbound_link").str.contains(r"\[(?:127\.|::1\])")
    acted = countermeasure_of_refusals(with_whole_replies(frame), loaded)
    typed = type_of_transmissions(frame, loaded)
    next_queue = frame.select(
        pl.col("queue").str.replace(r"[^|]*$", "") + pl.col("next_queue_id")
    ).to_series()
    return frame.with_columns(
        *signatures.of_transmissions(frame, key),
        *typed.select(*TYPED),
        period_date=pl.col("first_at").dt.date(),
        queue_key=shapes.queue_keys(frame["queue"], key),
        queue_id=shapes.queue_ids(frame["queue_id"], key),
        origid_hash=pseudonyms(frame["origid"], key),
        cell_hash=pseudonyms(frame["cell_id"], key),
        attestation_code=pl.col("attestation"),
        join_quality_code=pl.col("join_quality"),
        previous_queue_key=shapes.queue_keys(frame["previous_queue"], key),
        next_queue_key=shapes.queue_keys(next_queue, key),
        message_id_hash=pseudonyms(in_one_form(frame["message_id"]), key),
        sender_hash=pseudonyms(frame["sender"].str.to_lowercase(), key),
        recipient_hash=pseudonyms(frame["recipient"].str.to_lowercase(), key),
        client_hash=client["hash"],
        account_hash=pseudonyms(frame["account"], key),
        inbound_link_code=kind_of("inbound_link_id", kinds).fill_null(
            pl.when(pl.col("is_own_client")).then(pl.lit("on-net")).when(is_mail).then(pl.lit("internet"))
        ),
        outbound_link_code=kind_of("outbound_link_id", kinds).fill_null(
            pl.when(is_mail & (pl.col("stage_code") == "delivery")).then(
                pl.when(is_local).then(pl.lit("on-net")).otherwise(pl.lit("internet"))
            )
        ),
        origin_claimed_code=pl.when(is_mail).then(senders["country_code"]).otherwise("sender_country"),
        origin_observed_code=pl.when(pl.col("is_own_client") & pl.col("origin_located").is_null())
        .then(pl.lit(own.country))
        .otherwise("origin_located"),
        destination_code=pl.when(pl.col("is_own_recipient"))
        .then(pl.lit(own.country))
        .when(is_mail)
        .then(recipients["country_code"])
        .otherwise("recipient_country"),
        countermeasure_code=acted["countermeasure_code"],
        strategy_code=acted["x1231_strategy_code"],
        is_antispam=acted["is_antispam"],
        key_id=pl.lit(key_id(own)),
    )


def with_whole_replies(raw: pl.DataFrame) -> pl.DataFrame:
    """Transmissions with refusals of mail as the client got them, codes first, as rules know them."""
    whole = pl.concat_str("reply_code", "dsn_code", "reply_text", separator=" ", ignore_nulls=True)
    is_mail_reply = (pl.col("channel_code") == "EMAIL") & pl.col("reply_text").is_not_null()
    return raw.with_columns(reply_text=pl.when(is_mail_reply).then(whole).otherwise("reply_text"))


def verdicts(raw: pl.DataFrame, door: Door) -> pl.DataFrame:
    """silver.verdict from what a kernel's verdicts() gave."""
    # Rules are of an engine and a time, and one log may hold the verdicts of several.
    parts = [
        by_operator(part, door, partial(protect_verdicts, loaded=loaded))
        for loaded, rows in rules.in_force(raw, "verdict_at")
        for part in rows.partition_by("engine_code")
    ]
    return shaped(parts, "silver.verdict", "verdict_hash", door)


def protect_verdicts(raw: pl.DataFrame, own: Own, door: Door, loaded: rules.Rules) -> pl.DataFrame:
    """One operator's verdicts of one engine, pseudonymous and classified."""
    key = key_of(own)
    engine = raw["engine_code"][0]
    acted = countermeasure_of_verdicts(raw["action"], raw["symbols"], engine, loaded, raw["is_spam"])
    subject = signatures.decoded(raw["subject"])
    typed = type_of_verdicts(raw["symbols"], engine, "EMAIL", loaded, raw["action"], subject)
    return raw.with_columns(
        *typed.select(*TYPED),
        period_date=pl.col("verdict_at").dt.date(),
        queue_id=shapes.queue_ids(raw["queue_id"], key),
        message_id_hash=pseudonyms(in_one_form(raw["message_id"]), key),
        sender_hash=pseudonyms(raw["sender"].str.to_lowercase(), key),
        client_hash=pseudonyms(raw["client_ip"], key),
        digest_hash=pseudonyms(raw["digest"], key),
        fuzzy_hash=signatures.hashes(raw["fuzzy"], key, "fuzzy"),
        subject_hash=signatures.subjects(raw, key),
        named_recipients=recipient_structs(raw, own, key),
        action_name=shapes.action_names(pl.col("action")),
        countermeasure_code=acted["countermeasure_code"],
        strategy_code=acted["x1231_strategy_code"],
        is_antispam=acted["is_antispam"],
        countermeasure_codes=acted["countermeasure_codes"],
        key_id=pl.lit(key_id(own)),
    )


def facts(raw: pl.DataFrame, door: Door) -> pl.DataFrame:
    """silver.operator_knowledge from what a kernel's facts() gave."""
    done = by_operator(raw, door, protect_facts)
    return shaped([done], "silver.operator_knowledge", "knowledge_hash", door)


def protect_facts(raw: pl.DataFrame, own: Own, door: Door) -> pl.DataFrame:
    """One operator's facts, which name messages by the pseudonyms that its logs got."""
    key = key_of(own)
    raw = raw.with_columns(
        numbering.e164(pl.col(name), own.country).alias(name) for name in ("sender", "recipient")
    )
    return raw.with_columns(
        period_date=pl.col("first_at").dt.date(),
        queue_id=shapes.queue_ids(raw["queue_id"], key),
        message_id_hash=pseudonyms(in_one_form(raw["message_id"]), key),
        sender_hash=pseudonyms(raw["sender"].str.to_lowercase(), key),
        recipient_hash=pseudonyms(raw["recipient"].str.to_lowercase(), key),
        key_id=pl.lit(key_id(own)),
    )


def complaints(raw: pl.DataFrame, door: Door) -> pl.DataFrame:
    """silver.complaint from what a kernel's complaints() gave."""
    parts = [
        by_operator(rows, door, partial(protect_complaints, loaded=loaded))
        for loaded, rows in rules.in_force(raw, "reported_at")
    ]
    return shaped(parts, "silver.complaint", "complaint_hash", door)


def authentication_reports(raw: pl.DataFrame, door: Door) -> pl.DataFrame:
    """silver.authentication_report from what a kernel's authentication_reports() gave."""
    done = by_operator(raw, door, protect_authentication_reports)
    return shaped([done], "silver.authentication_report", "record_hash", door)
