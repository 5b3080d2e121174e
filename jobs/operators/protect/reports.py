"""Reports that others send, made pseudonymous: complaints, and aggregate reports of authentication."""

from collections.abc import Sequence

import polars as pl

from jobs.base.tables.contracts import list_codes
from jobs.operators.protect import location, numbering, rules
from jobs.operators.protect.addresses import locate_clients
from jobs.operators.protect.domains import extract_host, find_registered, read_host
from jobs.operators.protect.hosts import field_domain, hosts_in_texts, recipient_structs
from jobs.operators.protect.links import link_ids
from jobs.operators.protect.message_ids import normalise_ids
from jobs.operators.protect.message_types import TYPED, UNKNOWN_TYPE, type_of_texts
from jobs.operators.protect.numbering import add_e164, is_own_number
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.protect.pseudonym_keys import key_id, make_pseudonyms, pseudonym_key
from jobs.operators.protect.shapes import CHECK_RESULTS, OVERRIDES


def protect_complaints(
    raw: pl.DataFrame, space: OperatorSpace, protection: Protection, loaded: rules.Rules
) -> pl.DataFrame:
    """One operator's complaints, pseudonymous and typed.

    The type is that of the reported text; where that has none, that of the kind of feedback.
    """
    key = pseudonym_key(space)
    # What a log says of itself is E.164 since it was read; whom a subscriber names still is as it was typed.
    national = numbering.normalise_e164(pl.col("sender"), space.country, is_national=True)
    is_typed = (pl.col("channel_code") != "EMAIL") & pl.col("source_id").is_in(space.national_sources)
    raw = raw.with_columns(sender=pl.when(is_typed).then(national).otherwise("sender"))
    raw = add_e164(raw, space, "sender", "reporter", "recipients")
    is_mail = pl.col("channel_code") == "EMAIL"
    client = locate_clients(raw["client_ip"], space, protection)
    sender_country = location.country_of_numbers(raw["sender"].set(raw["channel_code"] == "EMAIL", None))
    texts = type_of_texts(raw["text"], raw["format_code"][0], raw["channel_code"][0], loaded)
    kinds = type_of_texts(
        raw["feedback_type_code"],
        raw["format_code"][0],
        raw["channel_code"][0],
        loaded,
        match_on=rules.FEEDBACK,
    )
    has_type = texts["spam_type_code"].is_not_null() & (texts["spam_type_code"] != UNKNOWN_TYPE)
    headers = hosts_in_texts(raw["header_from"], space)
    typed = {name: texts[name].zip_with(has_type.fill_null(False), kinds[name]) for name in TYPED}
    frame = raw.with_columns(
        sender_domain=find_registered(read_host(pl.col("sender"))),
        header_from_domain=headers["domain"],
        is_own_address=client["is_own"],
        origin_located=client["country_code"],
    )
    frame = frame.with_columns(
        is_own_client=pl.when(is_mail).then("is_own_address").otherwise(is_own_number("sender", space))
    )
    return frame.with_columns(
        period_date=pl.col("reported_at").dt.date(),
        reporter_hash=make_pseudonyms(raw["reporter"].str.to_lowercase(), key),
        reporter_domain=find_registered(read_host(pl.col("reporter"))),
        sender_hash=make_pseudonyms(raw["sender"].str.to_lowercase(), key),
        named_recipients=recipient_structs(raw, space, key),
        client_hash=client["hash"],
        client_network=client["network"],
        source_asn=client["asn"],
        inbound_link_id=link_ids(raw, "inbound_link", None, None, space),
        origin_claimed_code=pl.when(is_mail).then(headers["country_code"]).otherwise(sender_country),
        origin_observed_code=pl.when(pl.col("is_own_client") & pl.col("origin_located").is_null())
        .then(pl.lit(space.country))
        .otherwise("origin_located"),
        message_id_hash=make_pseudonyms(normalise_ids(raw["message_id"]), key),
        delivery_result_code=known_or_other("delivery_result", list_codes("delivery_result")),
        auth_failure_code=known_or_other("auth_failure", list_codes("auth_failure")),
        reported_domain_names=pl.col("reported_domains")
        .list.eval(find_registered(read_host(pl.element())))
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
        key_id=pl.lit(key_id(space)),
    )


def protect_authentication_reports(
    raw: pl.DataFrame, space: OperatorSpace, protection: Protection
) -> pl.DataFrame:
    """One operator's DMARC records, without addresses and free text."""
    key = pseudonym_key(space)
    client = locate_clients(raw["client_ip"], space, protection)
    named = pl.concat_str(
        pl.col("report_org").str.to_lowercase(),
        "report_id",
        "policy_domain",
        pl.col("begin_at").dt.epoch("s"),
        pl.col("end_at").dt.epoch("s"),
        separator="|",
    )
    frame = raw.with_columns(is_own_address=client["is_own"])
    return frame.with_columns(
        period_date=pl.col("begin_at").dt.date(),
        report_hash=make_pseudonyms(raw.select(named.alias("report"))["report"], key),
        # What an organisation calls itself is a text that anybody may write.
        reporter_domain=find_registered(
            pl.coalesce(extract_host(pl.col("report_email")), read_host(pl.col("report_org")))
        ),
        policy_domain=field_domain("policy_domain").fill_null("_U"),
        policy_code=known_or_other("policy", list_codes("disposition")),
        subdomain_policy_code=known_or_other("subdomain_policy", list_codes("disposition")),
        nonexistent_policy_code=known_or_other("nonexistent_policy", list_codes("disposition")),
        is_policy_test=pl.col("policy_test") == "y",
        is_dkim_strict=pl.col("dkim_mode") == "s",
        is_spf_strict=pl.col("spf_mode") == "s",
        client_hash=client["hash"],
        client_network=client["network"],
        source_asn=client["asn"],
        origin_observed_code=pl.coalesce(
            client["country_code"], pl.when("is_own_address").then(pl.lit(space.country))
        ),
        is_own_client=pl.col("is_own_address"),
        disposition_code=known_or_other("disposition", list_codes("disposition")),
        is_dkim_aligned=pl.col("dkim_evaluated") == "pass",
        is_spf_aligned=pl.col("spf_evaluated") == "pass",
        override_codes=pl.col("overrides").list.eval(
            known_value(pl.element().struct.field("type"), OVERRIDES).fill_null("_U")
        ),
        header_from_domain=field_domain("header_from"),
        sender_domain=field_domain("envelope_from"),
        recipient_domain=field_domain("envelope_to"),
        dkim_checks=reported_checks("dkim_results"),
        spf_checks=reported_checks("spf_results"),
        key_id=pl.lit(key_id(space)),
    )


def reported_checks(column: str) -> pl.Expr:
    """Each check with its domain and result; selectors, which may name a customer, stay behind."""
    check = pl.element().struct
    # Drafts of SPF had hardfail.
    result = check.field("result").replace("hardfail", "fail")
    return pl.col(column).list.eval(
        pl.struct(
            find_registered(read_host(check.field("domain"))).alias("domain"),
            known_value(result, CHECK_RESULTS).alias("result_code"),
        )
    )


def known_or_other(column: str, among: Sequence[str]) -> pl.Expr:
    """The column's value where it is one of those, _U where it is another."""
    return known_value(pl.col(column), among)


def known_value(value: pl.Expr, among: Sequence[str]) -> pl.Expr:
    return pl.when(value.is_in(list(among))).then(value).when(value.is_not_null()).then(pl.lit("_U"))
