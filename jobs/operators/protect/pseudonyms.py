"""Step from bronze, the last rows that hold raw identifiers, to silver.

Only this room matches text rules, locates addresses and numbers, and recognises an operator's own address
space. It replaces identifiers by pseudonyms: HMAC-SHA256, cut to 128 bits, under a key of each operator.
Silver keeps registered domains (jobs/operators/protect/domains.py), the countries of number prefixes,
networks (/24, /48) and texts whose shape identifies nobody (jobs/operators/protect/shapes.py).
Keys are in jobs/operators/protect/pseudonym_keys.py, complaints and DMARC reports in
jobs/operators/protect/reports.py.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import polars as pl

from jobs.base.tables.contracts import polars_schema
from jobs.operators.protect import location, numbering, parties, rules, shapes, signatures
from jobs.operators.protect.addresses import locate_clients, ranges_database
from jobs.operators.protect.countermeasures import countermeasure_of_refusals, countermeasure_of_verdicts
from jobs.operators.protect.hosts import hosts_in_addresses, recipient_structs
from jobs.operators.protect.links import find_handoffs, link_ids, link_kind
from jobs.operators.protect.message_ids import normalise_ids
from jobs.operators.protect.message_types import TYPED, type_of_verdicts
from jobs.operators.protect.numbering import add_e164, is_own_number
from jobs.operators.protect.operators import OperatorSpace, Protection, map_operators
from jobs.operators.protect.pseudonym_keys import key_id, make_pseudonyms, pseudonym_key
from jobs.operators.protect.refusal_types import type_of_transmissions
from jobs.operators.protect.reports import protect_authentication_reports, protect_complaints


def pseudonymise_transmissions(raw: pl.DataFrame, protection: Protection) -> pl.DataFrame:
    """silver.transmission from what a kernel's transmissions() gave."""
    # Rules are of a format, a channel and a time; one log may hold calls beside messages, and two logs that
    # complete each other come together.
    parts = [
        map_operators(part, protection, partial(protect_transmissions, loaded=loaded))
        for loaded, rows in rules.split_by_rules(raw, "first_at")
        for part in rows.partition_by("format_code", "channel_code")
    ]
    return select_shaped(parts, "silver.transmission", "transmission_hash", protection)


def select_shaped(
    parts: Sequence[pl.DataFrame], table: str, later: str, protection: Protection
) -> pl.DataFrame:
    """The table's columns without `later`, the key that is computed later. Values that do not have their
    column's shape are left out (jobs/operators/protect/shapes.py)."""
    schema: Any = {name: kind for name, kind in polars_schema(table).items() if name != later}
    done = [part.select(list(schema)).cast(schema) for part in parts if part.width]
    return shapes.enforce_shapes(pl.concat(done), table, protection) if done else pl.DataFrame(schema=schema)


def protect_transmissions(
    raw: pl.DataFrame, space: OperatorSpace, protection: Protection, loaded: rules.Rules
) -> pl.DataFrame:
    """One operator's transmissions of one format and channel, pseudonymous and classified."""
    key = pseudonym_key(space)
    raw = add_e164(raw, space, "sender", "recipient")
    is_mail = pl.col("channel_code") == "EMAIL"
    client = locate_clients(raw["client_ip"], space, protection)
    database, dated = ranges_database(protection)
    caller = raw["sender"].set(raw["channel_code"] == "EMAIL", None)
    sender_country = location.country_of_numbers(caller)
    recipient_country = location.country_of_numbers(
        raw["recipient"].set(raw["channel_code"] == "EMAIL", None)
    )
    senders, recipients = (
        hosts_in_addresses(raw["sender"], space),
        hosts_in_addresses(raw["recipient"], space),
    )
    frame = raw.with_columns(
        sender_domain=senders["domain"],
        recipient_domain=recipients["domain"],
        client_network=client["network"],
        origin_located=client["country_code"],
        source_asn=client["asn"],
        sender_country=sender_country,
        recipient_country=recipient_country,
        is_own_address=client["is_own"],
        is_handoff=find_handoffs(raw, space),
    )
    # Calls go to numbers or, as mails do, to names at a domain.
    own_recipient = (
        pl.when(is_mail | recipients["host"].is_not_null())
        # A server completes an address without a domain by its own.
        .then(recipients["is_own"] | ~pl.col("recipient").str.contains("@", literal=True))
        .otherwise(is_own_number("recipient", space))
        | pl.col("is_own_recipient").fill_null(False)
    )
    own_sender = is_own_number("sender", space) | (~is_mail & senders["is_own"])
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
        inbound_link_id=link_ids(frame, "inbound_link", "client_ip", "client_name", space),
        outbound_link_id=link_ids(frame, "outbound_link", None, None, space),
    )
    kinds = dict(space.links)
    frame = frame.with_columns(
        sender_kind_code=parties.sender_kinds(raw["sender"]),
        sender_network_code=parties.networks_of_numbers(caller, protection.number_ranges),
        destination_operator_id=parties.destination_operators(
            frame, space.operator_id, kinds, protection.number_ranges
        ),
        location_database=pl.lit(database, dtype=pl.String),
        location_date=pl.lit(dated, dtype=pl.Date),
    )
    # A mailbox of its own is no relay; a filter or the server itself is one on the loopback.
    is_local = pl.col("outbound_link").is_null() | pl.col("outbound_link").str.contains(r"\[(?:127\.|::1\])")
    acted = countermeasure_of_refusals(join_replies(frame), loaded)
    typed = type_of_transmissions(frame, loaded)
    next_queue = frame.select(
        pl.col("queue").str.replace(r"[^|]*$", "") + pl.col("next_queue_id")
    ).to_series()
    return frame.with_columns(
        *signatures.sign_transmissions(frame, key),
        *typed.select(*TYPED),
        period_date=pl.col("first_at").dt.date(),
        queue_key=shapes.queue_keys(frame["queue"], key),
        queue_id=shapes.queue_ids(frame["queue_id"], key),
        origid_hash=make_pseudonyms(frame["origid"], key),
        cell_hash=make_pseudonyms(frame["cell_id"], key),
        attestation_code=pl.col("attestation"),
        join_quality_code=pl.col("join_quality"),
        previous_queue_key=shapes.queue_keys(frame["previous_queue"], key),
        next_queue_key=shapes.queue_keys(next_queue, key),
        message_id_hash=make_pseudonyms(normalise_ids(frame["message_id"]), key),
        sender_hash=make_pseudonyms(frame["sender"].str.to_lowercase(), key),
        recipient_hash=make_pseudonyms(frame["recipient"].str.to_lowercase(), key),
        client_hash=client["hash"],
        account_hash=make_pseudonyms(frame["account"], key),
        inbound_link_code=link_kind("inbound_link_id", kinds).fill_null(
            pl.when(pl.col("is_own_client")).then(pl.lit("on-net")).when(is_mail).then(pl.lit("internet"))
        ),
        outbound_link_code=link_kind("outbound_link_id", kinds).fill_null(
            pl.when(is_mail & (pl.col("stage_code") == "delivery")).then(
                pl.when(is_local).then(pl.lit("on-net")).otherwise(pl.lit("internet"))
            )
        ),
        origin_claimed_code=pl.when(is_mail).then(senders["country_code"]).otherwise("sender_country"),
        origin_observed_code=pl.when(pl.col("is_own_client") & pl.col("origin_located").is_null())
        .then(pl.lit(space.country))
        .otherwise("origin_located"),
        destination_code=pl.when(pl.col("is_own_recipient"))
        .then(pl.lit(space.country))
        .when(is_mail)
        .then(recipients["country_code"])
        .otherwise("recipient_country"),
        countermeasure_code=acted["countermeasure_code"],
        strategy_code=acted["x1231_strategy_code"],
        is_antispam=acted["is_antispam"],
        key_id=pl.lit(key_id(space)),
    )


def join_replies(raw: pl.DataFrame) -> pl.DataFrame:
    """Transmissions with whole replies to mail, codes before the text, as the client received them: rules
    match whole replies."""
    whole = pl.concat_str("reply_code", "dsn_code", "reply_text", separator=" ", ignore_nulls=True)
    is_mail_reply = (pl.col("channel_code") == "EMAIL") & pl.col("reply_text").is_not_null()
    return raw.with_columns(reply_text=pl.when(is_mail_reply).then(whole).otherwise("reply_text"))


def pseudonymise_verdicts(raw: pl.DataFrame, protection: Protection) -> pl.DataFrame:
    """silver.verdict from what a kernel's verdicts() gave."""
    # Rules are of an engine and a time, and one log may hold the verdicts of several.
    parts = [
        map_operators(part, protection, partial(protect_verdicts, loaded=loaded))
        for loaded, rows in rules.split_by_rules(raw, "verdict_at")
        for part in rows.partition_by("engine_code")
    ]
    return select_shaped(parts, "silver.verdict", "verdict_hash", protection)


def protect_verdicts(
    raw: pl.DataFrame, space: OperatorSpace, protection: Protection, loaded: rules.Rules
) -> pl.DataFrame:
    """One operator's verdicts of one engine, pseudonymous and classified."""
    key = pseudonym_key(space)
    engine = raw["engine_code"][0]
    acted = countermeasure_of_verdicts(raw["action"], raw["symbols"], engine, loaded, raw["is_spam"])
    subject = signatures.decode_subjects(raw["subject"])
    typed = type_of_verdicts(raw["symbols"], engine, "EMAIL", loaded, raw["action"], subject)
    return raw.with_columns(
        *typed.select(*TYPED),
        period_date=pl.col("verdict_at").dt.date(),
        queue_id=shapes.queue_ids(raw["queue_id"], key),
        message_id_hash=make_pseudonyms(normalise_ids(raw["message_id"]), key),
        sender_hash=make_pseudonyms(raw["sender"].str.to_lowercase(), key),
        client_hash=make_pseudonyms(raw["client_ip"], key),
        digest_hash=make_pseudonyms(raw["digest"], key),
        fuzzy_hash=signatures.hash_kind(raw["fuzzy"], key, "fuzzy"),
        subject_hash=signatures.hash_subjects(raw, key),
        named_recipients=recipient_structs(raw, space, key),
        action_name=shapes.action_names(pl.col("action")),
        countermeasure_code=acted["countermeasure_code"],
        strategy_code=acted["x1231_strategy_code"],
        is_antispam=acted["is_antispam"],
        countermeasure_codes=acted["countermeasure_codes"],
        key_id=pl.lit(key_id(space)),
    )


def pseudonymise_facts(raw: pl.DataFrame, protection: Protection) -> pl.DataFrame:
    """silver.operator_knowledge from what a kernel's facts() gave."""
    done = map_operators(raw, protection, protect_facts)
    return select_shaped([done], "silver.operator_knowledge", "knowledge_hash", protection)


def protect_facts(raw: pl.DataFrame, space: OperatorSpace, protection: Protection) -> pl.DataFrame:
    """One operator's facts, which name messages by the same pseudonyms as its logs."""
    key = pseudonym_key(space)
    raw = raw.with_columns(
        numbering.normalise_e164(pl.col(name), space.country).alias(name) for name in ("sender", "recipient")
    )
    return raw.with_columns(
        period_date=pl.col("first_at").dt.date(),
        queue_id=shapes.queue_ids(raw["queue_id"], key),
        message_id_hash=make_pseudonyms(normalise_ids(raw["message_id"]), key),
        sender_hash=make_pseudonyms(raw["sender"].str.to_lowercase(), key),
        recipient_hash=make_pseudonyms(raw["recipient"].str.to_lowercase(), key),
        key_id=pl.lit(key_id(space)),
    )


def pseudonymise_complaints(raw: pl.DataFrame, protection: Protection) -> pl.DataFrame:
    """silver.complaint from what a kernel's complaints() gave."""
    parts = [
        map_operators(rows, protection, partial(protect_complaints, loaded=loaded))
        for loaded, rows in rules.split_by_rules(raw, "reported_at")
    ]
    return select_shaped(parts, "silver.complaint", "complaint_hash", protection)


def pseudonymise_authentication_reports(raw: pl.DataFrame, protection: Protection) -> pl.DataFrame:
    """silver.authentication_report from what a kernel's authentication_reports() gave."""
    done = map_operators(raw, protection, protect_authentication_reports)
    return select_shaped([done], "silver.authentication_report", "record_hash", protection)


# What protects the rows of each silver table that bronze rows become.
PROTECT: dict[str, Callable[[pl.DataFrame, Protection], pl.DataFrame]] = {
    "silver.transmission": pseudonymise_transmissions,
    "silver.verdict": pseudonymise_verdicts,
    "silver.complaint": pseudonymise_complaints,
    "silver.authentication_report": pseudonymise_authentication_reports,
    "silver.operator_knowledge": pseudonymise_facts,
}
