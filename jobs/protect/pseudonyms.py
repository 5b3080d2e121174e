"""The one door from bronze to silver: what needs the raw value happens here, then it is gone.

Here, and nowhere else, text rules are matched, addresses and numbers located, an operator's own address
space told from others', and identifiers become pseudonyms: HMAC-SHA256, cut to 128 bits, under a key of
the operator's own. Registered domains (jobs/protect/domains.py), number prefixes' countries, networks (/24,
/48) and texts that tell of nobody by their shape (jobs/protect/shapes.py) stay.

The key is read in the worker from the environment or a mounted file, never passed through a query plan.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import ipaddress
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import polars as pl

from jobs.core.channels import NAMED_BY_CALL_ID
from jobs.core.contracts import codes, polars_schema
from jobs.core.errors import ObservatoryError
from jobs.core.key_names import KEY, KEY_FILE
from jobs.protect import location, numbering, parties, rules, shapes, signatures
from jobs.protect.domains import forms_of, host_named, host_of, registered
from jobs.protect.keyed_hashes import keyed_hashes
from jobs.protect.message_ids import in_one_form
from jobs.protect.refusal_types import type_of_transmissions

SHORTEST_KEY = 32
# Of 32 random hexadecimal digits fewer are different once in 10^12 keys.
FEWEST_SIGNS = 6
# Own networks of every operator: the host itself, and the addresses that stand for none.
HOST_ITSELF = ("127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128")
# The address in `name[address]:port`, `address:port` or alone.
LINK_ADDRESS = r"(?:^|\[)((?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)(?:$|\]|:[0-9]+$)"


@dataclass(frozen=True)
class Own:
    """What a worker must know of one operator: its country, address space and links (name, kind).

    national_sources: those whose subscribers write national numbers; see numbers in jobs/settings/config.py.
    key: for a process that stores nothing, a key in place of the one that derives from the master key.
    """

    operator_id: str
    country: str
    domains: tuple[str, ...]
    networks: tuple[str, ...]
    number_prefixes: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    national_sources: tuple[str, ...] = ()
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Door:
    """Everything that protect needs, small enough to travel with each task.

    ranges, number_ranges: the tables of address and of number ranges, by their URLs.
    ranges_name, ranges_date: what the operator calls the table of addresses, and of when it is.
    """

    own: tuple[Own, ...]
    ranges: str | None
    number_ranges: str | None = None
    ranges_name: str | None = None
    ranges_date: dt.date | None = None

    @classmethod
    def of(cls, operators: pl.DataFrame) -> Door:
        """The door for the rows of ref.operator."""
        rows = operators.to_dicts()
        own = tuple(
            Own(
                operator_id=row["operator_id"],
                country=row["country_code"],
                domains=tuple(domain.lower() for domain in row["domains"]),
                networks=tuple(row["networks"]),
                number_prefixes=tuple(row["number_prefixes"]),
                links=tuple((link["link_id"], link["link_code"]) for link in row["links"]),
                national_sources=tuple(row["national_sources"] or ()),
            )
            for row in rows
        )
        if not rows:
            return cls(own, None)
        # Every operator has the same tables of ranges.
        tables = ("ranges_url", "number_ranges_url", "ranges_name", "ranges_date")
        return cls(own, *(rows[0][name] for name in tables))


def master_key() -> bytes:
    """The secret from which each operator's key derives.

    Raises ObservatoryError that says how to set it.
    """
    if os.environ.get(KEY):
        key = os.environ[KEY].encode()
    elif os.environ.get(KEY_FILE):
        file = Path(os.environ[KEY_FILE])
        if not file.is_file():
            raise ObservatoryError(f"{KEY_FILE} names {file}, which is not there.")
        key = file.read_bytes().strip()
    else:
        raise ObservatoryError(
            f"no pseudonym key: set {KEY_FILE}, or [lake] key_file in the settings, to a file with at least"
            f" {SHORTEST_KEY} random characters (for instance from `openssl rand -hex 32`), and keep it: with"
            " another key nothing joins."
        )
    if len(key) < SHORTEST_KEY:
        raise ObservatoryError(f"the pseudonym key has {len(key)} characters; {SHORTEST_KEY} are the least.")
    if len(set(key)) < FEWEST_SIGNS:
        raise ObservatoryError(
            f"the pseudonym key has only {len(set(key))} different characters, and can be guessed. Make one"
            " with `openssl rand -hex 32`."
        )
    return key


def has_key() -> bool:
    """Whether the environment names a key."""
    return bool(os.environ.get(KEY) or os.environ.get(KEY_FILE))


@cache
def operator_key(operator_id: str) -> bytes:
    """The operator's own key, derived from the master key."""
    return hmac.digest(master_key(), b"operator\0" + operator_id.encode(), "sha256")


def key_of(own: Own) -> bytes:
    """The key of the operator's pseudonyms."""
    return own.key or operator_key(own.operator_id)


def key_id(own: Own) -> str:
    """Names the operator's key without telling it."""
    return id_of(key_of(own))


def key_id_of(operator_id: str) -> str:
    """The id of the key that derives from the master key."""
    return id_of(operator_key(operator_id))


def id_of(key: bytes) -> str:
    return hashlib.sha256(b"key id\0" + key).hexdigest()[:8]


def pseudonyms(values: pl.Series, key: bytes) -> pl.Series:
    """Keyed pseudonyms of the values, 32 hexadecimal digits; null stays null."""
    return keyed_hashes(values, key).alias(values.name)


def by_operator(
    frame: pl.DataFrame, door: Door, function: Callable[[pl.DataFrame, Own, Door], pl.DataFrame]
) -> pl.DataFrame:
    """Apply a function to each operator's rows."""
    own = {each.operator_id: each for each in door.own}
    parts = frame.partition_by("operator_id", as_dict=True)
    done = [
        function(part, own[str(operator)], door) for (operator,), part in parts.items() if operator in own
    ]
    return pl.concat(done) if done else pl.DataFrame()


def transmissions(raw: pl.DataFrame, door: Door) -> pl.DataFrame:
    """silver.transmission from what a kernel's transmissions() gave."""
    # Rules are of a format, a channel and a time; one log may hold calls beside messages, and two logs that
    # complete each other come together.
    parts = [
        by_operator(part, door, partial(protect_transmissions, loaded=loaded))
        for loaded, rows in rules.in_force(raw, "first_at")
        for part in rows.partition_by("format_code", "channel_code")
    ]
    done = [part for part in parts if part.width]
    return shaped(pl.concat(done) if done else pl.DataFrame(), "silver.transmission", "transmission_hash")


def shaped(frame: pl.DataFrame, table: str, later: str) -> pl.DataFrame:
    """The table's columns but for the one that Spark adds."""
    schema: Any = {name: kind for name, kind in polars_schema(table).items() if name != later}
    return frame.select(list(schema)).cast(schema) if frame.width else pl.DataFrame(schema=schema)


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
    acted = rules.countermeasure_of_refusals(with_whole_replies(frame), loaded)
    typed = type_of_transmissions(frame, loaded)
    next_queue = frame.select(
        pl.col("queue").str.replace(r"[^|]*$", "") + pl.col("next_queue_id")
    ).to_series()
    return frame.with_columns(
        *signatures.of_transmissions(frame, key),
        period_date=pl.col("first_at").dt.date(),
        # The keys of calls are made of Call-IDs, which hold addresses.
        queue_key=pseudonyms(frame["queue"], key)
        if frame["channel_code"][0] in NAMED_BY_CALL_ID
        else shapes.queue_keys(frame["queue"], key),
        queue_id=shapes.queue_ids(frame["queue_id"], key),
        origid_hash=pseudonyms(frame["origid"], key),
        cell_hash=pseudonyms(frame["cell_id"], key),
        reply_code=shapes.of_shape("reply_code", shapes.REPLY_CODE),
        dsn_code=shapes.of_shape("dsn_code", shapes.DSN_CODE),
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
        spam_type_code=typed["spam_type_code"],
        spam_type_codes=typed["spam_type_codes"],
        is_type_strong=typed["is_type_strong"],
        type_priority=typed["type_priority"],
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
    done = [part for part in parts if part.width]
    return shaped(pl.concat(done) if done else pl.DataFrame(), "silver.verdict", "verdict_hash")


def protect_verdicts(raw: pl.DataFrame, own: Own, door: Door, loaded: rules.Rules) -> pl.DataFrame:
    """One operator's verdicts of one engine, pseudonymous and classified."""
    key = key_of(own)
    engine = raw["engine_code"][0]
    acted = rules.countermeasure_of_verdicts(raw["action"], raw["symbols"], engine, loaded, raw["is_spam"])
    subject = signatures.decoded(raw["subject"])
    typed = rules.type_of_verdicts(raw["symbols"], engine, "EMAIL", loaded, raw["action"], subject)
    return raw.with_columns(
        period_date=pl.col("verdict_at").dt.date(),
        queue_id=shapes.queue_ids(raw["queue_id"], key),
        message_id_hash=pseudonyms(in_one_form(raw["message_id"]), key),
        sender_hash=pseudonyms(raw["sender"].str.to_lowercase(), key),
        client_hash=pseudonyms(raw["client_ip"], key),
        digest_hash=pseudonyms(raw["digest"], key),
        fuzzy_hash=signatures.hashes(raw["fuzzy"], key, "fuzzy"),
        subject_hash=signatures.subjects(raw, key),
        named_recipients=recipient_structs(raw, own, key),
        action_name=shapes.of_shape("action", shapes.ACTION),
        symbols=shapes.symbols(raw["symbols"]),
        countermeasure_code=acted["countermeasure_code"],
        strategy_code=acted["x1231_strategy_code"],
        is_antispam=acted["is_antispam"],
        countermeasure_codes=acted["countermeasure_codes"],
        spam_type_code=typed["spam_type_code"],
        spam_type_codes=typed["spam_type_codes"],
        is_type_strong=typed["is_type_strong"],
        type_priority=typed["type_priority"],
        key_id=pl.lit(key_id(own)),
    )


def complaints(raw: pl.DataFrame, door: Door) -> pl.DataFrame:
    """silver.complaint from what a kernel's complaints() gave."""
    parts = [
        by_operator(rows, door, partial(protect_complaints, loaded=loaded))
        for loaded, rows in rules.in_force(raw, "reported_at")
    ]
    done = [part for part in parts if part.width]
    return shaped(pl.concat(done) if done else pl.DataFrame(), "silver.complaint", "complaint_hash")


def protect_complaints(raw: pl.DataFrame, own: Own, door: Door, loaded: rules.Rules) -> pl.DataFrame:
    """One operator's complaints, pseudonymous and typed.

    The type is what the reported text tells; where that tells nothing, what the kind of feedback tells.
    """
    key = key_of(own)
    # What a log says of itself is E.164 since it was read; whom a subscriber names still is as it was typed.
    national = numbering.e164(pl.col("sender"), own.country, is_national=True)
    is_typed = (pl.col("channel_code") != "EMAIL") & pl.col("source_id").is_in(own.national_sources)
    raw = raw.with_columns(sender=pl.when(is_typed).then(national).otherwise("sender"))
    raw = with_e164(raw, own, "sender", "reporter", "recipients")
    is_mail = pl.col("channel_code") == "EMAIL"
    client = clients(raw["client_ip"], own, door)
    sender_country = location.country_of_numbers(raw["sender"].set(raw["channel_code"] == "EMAIL", None))
    texts = rules.type_of_texts(raw["text"], raw["format_code"][0], raw["channel_code"][0], loaded)
    kinds = rules.type_of_texts(
        raw["feedback_type_code"],
        raw["format_code"][0],
        raw["channel_code"][0],
        loaded,
        match_on=rules.FEEDBACK,
    )
    told = texts["spam_type_code"].is_not_null() & (texts["spam_type_code"] != rules.UNKNOWN_TYPE)
    headers = hosts_named(raw["header_from"], own)
    typed = {name: texts[name].zip_with(told.fill_null(False), kinds[name]) for name in rules.TYPED}
    frame = raw.with_columns(
        sender_domain=registered(host_named(pl.col("sender"))),
        header_from_domain=headers["domain"],
        is_own_address=client["is_own"],
        origin_located=client["country_code"],
    )
    frame = frame.with_columns(
        is_own_client=pl.when(is_mail).then("is_own_address").otherwise(own_number("sender", own))
    )
    return frame.with_columns(
        period_date=pl.col("reported_at").dt.date(),
        reporter_hash=pseudonyms(raw["reporter"].str.to_lowercase(), key),
        reporter_domain=registered(host_named(pl.col("reporter"))),
        sender_hash=pseudonyms(raw["sender"].str.to_lowercase(), key),
        named_recipients=recipient_structs(raw, own, key),
        client_hash=client["hash"],
        client_network=client["network"],
        source_asn=client["asn"],
        inbound_link_id=link_ids(raw, "inbound_link", None, None, own),
        origin_claimed_code=pl.when(is_mail).then(headers["country_code"]).otherwise(sender_country),
        origin_observed_code=pl.when(pl.col("is_own_client") & pl.col("origin_located").is_null())
        .then(pl.lit(own.country))
        .otherwise("origin_located"),
        message_id_hash=pseudonyms(in_one_form(raw["message_id"]), key),
        delivery_result_code=known("delivery_result", codes("delivery_result")),
        auth_failure_code=known("auth_failure", codes("auth_failure")),
        reported_domain_names=pl.col("reported_domains")
        .list.eval(registered(host_named(pl.element())))
        .list.drop_nulls(),
        spam_type_code=typed["spam_type_code"],
        spam_type_codes=pl.Series(
            [
                sorted({*texts_, *kinds_})
                for texts_, kinds_ in zip(texts["spam_type_codes"], kinds["spam_type_codes"], strict=True)
            ],
            dtype=pl.List(pl.String),
        ),
        is_type_strong=typed["is_type_strong"],
        key_id=pl.lit(key_id(own)),
    )


def authentication_reports(raw: pl.DataFrame, door: Door) -> pl.DataFrame:
    """silver.authentication_report from what a kernel's authentication_reports() gave."""
    done = by_operator(raw, door, protect_authentication_reports)
    return shaped(done, "silver.authentication_report", "record_hash")


def facts(raw: pl.DataFrame, door: Door) -> pl.DataFrame:
    """silver.operator_knowledge from what a kernel's facts() gave."""
    return shaped(by_operator(raw, door, protect_facts), "silver.operator_knowledge", "knowledge_hash")


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


# What filled-in reports may say; what else they say is free text and goes no further.
OVERRIDES = (
    *("forwarded", "sampled_out", "trusted_forwarder", "mailing_list"),
    *("local_policy", "policy_test_mode", "other"),
)
CHECK_RESULTS = ("none", "neutral", "pass", "fail", "softfail", "policy", "temperror", "permerror")


def protect_authentication_reports(raw: pl.DataFrame, own: Own, door: Door) -> pl.DataFrame:
    """One operator's DMARC records, without addresses and free text."""
    key = key_of(own)
    client = clients(raw["client_ip"], own, door)
    named = pl.concat_str(pl.col("report_org").str.to_lowercase(), pl.lit("|"), "report_id")
    frame = raw.with_columns(is_own_address=client["is_own"])
    return frame.with_columns(
        period_date=pl.col("begin_at").dt.date(),
        report_hash=pseudonyms(raw.select(named.alias("report"))["report"], key),
        # What an organisation calls itself is a text that anybody may write.
        reporter_domain=registered(
            pl.coalesce(host_of(pl.col("report_email")), host_named(pl.col("report_org")))
        ),
        policy_domain=domain("policy_domain").fill_null("_U"),
        policy_code=known("policy", codes("disposition")),
        subdomain_policy_code=known("subdomain_policy", codes("disposition")),
        nonexistent_policy_code=known("nonexistent_policy", codes("disposition")),
        is_policy_test=pl.col("policy_test") == "y",
        is_dkim_strict=pl.col("dkim_mode") == "s",
        is_spf_strict=pl.col("spf_mode") == "s",
        client_hash=client["hash"],
        client_network=client["network"],
        source_asn=client["asn"],
        origin_observed_code=pl.coalesce(
            client["country_code"], pl.when("is_own_address").then(pl.lit(own.country))
        ),
        is_own_client=pl.col("is_own_address"),
        disposition_code=known("disposition", codes("disposition")),
        is_dkim_aligned=pl.col("dkim_evaluated") == "pass",
        is_spf_aligned=pl.col("spf_evaluated") == "pass",
        override_codes=pl.col("overrides").list.eval(
            known_of(pl.element().struct.field("type"), OVERRIDES).fill_null("_U")
        ),
        header_from_domain=domain("header_from"),
        sender_domain=domain("envelope_from"),
        recipient_domain=domain("envelope_to"),
        dkim_checks=checks_of("dkim_results"),
        spf_checks=checks_of("spf_results"),
        key_id=pl.lit(key_id(own)),
    )


def checks_of(column: str) -> pl.Expr:
    """Each check with its domain and result; selectors, which may name a customer, stay behind."""
    check = pl.element().struct
    # Drafts of SPF had hardfail.
    result = check.field("result").replace("hardfail", "fail")
    return pl.col(column).list.eval(
        pl.struct(
            registered(host_named(check.field("domain"))).alias("domain"),
            known_of(result, CHECK_RESULTS).alias("result_code"),
        )
    )


def known(column: str, among: Sequence[str]) -> pl.Expr:
    """The column's value where it is one of those, _U where it is another."""
    return known_of(pl.col(column), among)


def known_of(value: pl.Expr, among: Sequence[str]) -> pl.Expr:
    return pl.when(value.is_in(list(among))).then(value).when(value.is_not_null()).then(pl.lit("_U"))


def domain(column: str) -> pl.Expr:
    """The registered domain in a field that should hold a domain; null for anything else."""
    return registered(host_named(pl.col(column)))


def recipient_structs(raw: pl.DataFrame, own: Own, key: bytes) -> pl.Series:
    """For each verdict its recipients as hash, domain and whether they are the operator's own."""
    listed = raw.select(pl.int_range(pl.len()).alias("row"), recipient=pl.col("recipients")).explode(
        "recipient"
    )
    named = hosts_of(listed["recipient"], own)
    listed = listed.with_columns(
        recipient_hash=pseudonyms(listed["recipient"].str.to_lowercase(), key),
        recipient_domain=named["domain"],
        is_own_recipient=named["is_own"],
    )
    grouped = (
        listed.filter(pl.col("recipient").is_not_null())
        .group_by("row", maintain_order=True)
        .agg(pl.struct("recipient_hash", "recipient_domain", "is_own_recipient").alias("recipients"))
    )
    rows = pl.DataFrame({"row": range(raw.height)}, schema={"row": grouped.schema["row"]})
    return rows.join(grouped, on="row", how="left", maintain_order="left")["recipients"]


def hosts_of(addresses: pl.Series, own: Own) -> pl.DataFrame:
    """What hosts_named() tells of the hosts in addresses; nothing of numbers and names."""
    # Addresses differ, what stands behind their first @ does not.
    behind = addresses.to_frame("address").select(
        "@" + pl.col("address").str.splitn("@", 2).struct.field("field_1")
    )
    return hosts_named(behind.to_series(), own, host_of)


def hosts_named(texts: pl.Series, own: Own, host: Callable[[pl.Expr], pl.Expr] = host_named) -> pl.DataFrame:
    """Of the host in each text its registered domain, the country that its last label names, and whether it
    is the operator's own: host, domain, country_code, is_own. Each distinct text is looked up once."""

    def looked_up(distinct: pl.Series) -> pl.DataFrame:
        return (
            distinct.to_frame("text")
            .select(host(pl.col("text")).alias("host"))
            .with_columns(
                domain=registered(pl.col("host")),
                country_code=country_of_host("host"),
                is_own=own_domain("host", own),
            )
        )

    return location.for_distinct(texts, looked_up)


def own_domain(column: str, own: Own) -> pl.Expr:
    """Whether a host's whole name is the operator's own domain or below one of its own."""
    column_or_empty = pl.col(column).fill_null("")
    domains = sorted({form for domain in own.domains for form in forms_of(domain)})
    below = [column_or_empty.str.ends_with("." + domain) for domain in domains]
    return pl.any_horizontal(column_or_empty.is_in(domains), *below)


def with_e164(raw: pl.DataFrame, own: Own, *columns: str) -> pl.DataFrame:
    """The rows with numbers as E.164, before anything is made of them; what is of mail stays as it is."""

    def told(name: str) -> pl.Expr:
        column = pl.when(pl.col("channel_code") != "EMAIL").then(name)
        if raw.schema[name] == pl.List(pl.String):
            number = column.list.eval(numbering.e164(pl.element(), own.country))
        else:
            number = numbering.e164(column, own.country)
        return pl.when(pl.col("channel_code") == "EMAIL").then(name).otherwise(number).alias(name)

    return raw.with_columns(map(told, columns))


def own_number(column: str, own: Own) -> pl.Expr:
    """Whether a number starts with one of the operator's own prefixes."""
    if not own.number_prefixes:
        return pl.lit(False)
    digits = pl.col(column).fill_null("").str.strip_chars_start("+")
    return pl.any_horizontal(*(digits.str.starts_with(prefix) for prefix in own.number_prefixes))


def link_ids(frame: pl.DataFrame, link: str, address: str | None, name: str | None, own: Own) -> pl.Series:
    """The operator's name of the link that each row came in or went out by; null where none fits.

    A link is named by SMSC id, by a relay's name, or by an address or a range of addresses, also that in
    `name[address]:port`. What the log calls the link goes before the client's name, and that before its
    address; of ranges the smallest decides. link, address and name are columns of the frame.
    """
    by_name = pl.lit(None, dtype=pl.String)
    for known, _ in own.links:
        by_name = (
            pl.when(is_named(pl.col(link), known).fill_null(False)).then(pl.lit(known)).otherwise(by_name)
        )
    if name is not None:
        by_name = by_name.fill_null(pl.when(pl.col(name).is_in([known for known, _ in own.links])).then(name))
    addresses = [pl.col(link).str.extract(LINK_ADDRESS).alias("of_link")]
    if address is not None:
        addresses.append(pl.col(address).alias("of_client"))
    networks = {known: network_named(known) for known, _ in own.links}
    names = {network: known for known, network in networks.items() if network is not None}
    if not names:
        return frame.select("channel_code", by_name.alias("by_name"))["by_name"]
    found = frame.select(by_name.alias("by_name"), *addresses)
    by_range = [location.narrowest(found[each.meta.output_name()], tuple(names)) for each in addresses]
    told = [found["by_name"], *(each.replace_strict(names, default=None) for each in by_range)]
    return pl.select(pl.coalesce(told)).to_series()


def is_named(link: pl.Expr, known: str) -> pl.Expr:
    return (link == known) | link.str.starts_with(known + "[") | link.str.contains(f"[{known}]", literal=True)


def network_named(link: str) -> str | None:
    """The network that a link is named by, an address being one of its own; None for other names."""
    try:
        return str(ipaddress.ip_network(link))
    except ValueError:
        return None


def kind_of(column: str, kinds: dict[str, str]) -> pl.Expr:
    """The kind of a link of the operator's."""
    if not kinds:
        return pl.lit(None, dtype=pl.String)
    return pl.col(column).replace_strict(
        list(kinds), list(kinds.values()), default=None, return_dtype=pl.String
    )


@cache
def country_codes() -> dict[str, str]:
    """ISO 3166-1 alpha-3 by the country code of a domain."""
    from jobs.core.contracts import REFERENCE

    table = pl.read_csv(REFERENCE / "country.csv", infer_schema=False)
    codes = dict(zip(table["iso2"].str.to_lowercase(), table["iso3"], strict=True))
    return codes | {"uk": codes["gb"]}


def country_of_host(column: str) -> pl.Expr:
    """The country of a host's last label, where that is a country code."""
    codes = country_codes()
    last = pl.col(column).str.extract(r"\.([a-z]{2})$")
    return last.replace_strict(list(codes), list(codes.values()), default=None, return_dtype=pl.String)


def database_of(door: Door) -> tuple[str | None, dt.date | None]:
    """Name and date of the table that locates addresses: the operator's words before the table's own."""
    if door.ranges is None:
        return None, None
    table = location.load_ranges(door.ranges)
    return door.ranges_name or table.name or Path(door.ranges).name, door.ranges_date or table.date


def clients(addresses: pl.Series, own: Own, door: Door) -> pl.DataFrame:
    """Of each address its pseudonym, network, country and autonomous system, and whether it is the operator's
    own: hash, network, country_code, asn, is_own. Each distinct address is looked up once."""

    def looked_up(distinct: pl.Series) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "hash": pseudonyms(distinct, key_of(own)),
                "network": location.network_of(distinct),
                "is_own": is_own_address(distinct, own),
            }
        ).hstack(located(distinct, door.ranges).select("country_code", "asn"))

    return location.for_distinct(addresses.cast(pl.String), looked_up)


def is_own_address(addresses: pl.Series, own: Own) -> pl.Series:
    """Whether each address is in the operator's networks; null for what is no address."""
    return location.in_networks(addresses, [*HOST_ITSELF, *own.networks])


def handoffs(raw: pl.DataFrame, own: Own) -> pl.Series:
    """Whether each delivery was to a filter: as the kernel found, or to an address of the operator's own that
    answered with a queue id, as a filter on another host does."""
    known = raw["is_handoff"]
    rows = (raw["next_queue_id"].is_not_null() & ~known.fill_null(False)).arg_true()
    if not len(rows):
        return known

    def owned(links: pl.Series) -> pl.DataFrame:
        return pl.DataFrame({"is_own": is_own_address(links.str.extract(LINK_ADDRESS), own)})

    is_own = location.for_distinct(raw["outbound_link"].gather(rows), owned)["is_own"]
    return known.scatter(rows.filter(is_own.fill_null(False)), True)


def located(addresses: pl.Series, ranges: str | None) -> pl.DataFrame:
    """Country and autonomous system of addresses, from the operator's own table of ranges."""
    if ranges is None:
        unknown = {"country_code": pl.String, "asn": pl.Int64}
        return pl.DataFrame(
            {name: pl.Series([None] * len(addresses), dtype=kind) for name, kind in unknown.items()}
        )
    return location.locate(addresses, location.load_ranges(ranges))
