"""jobs.operators.protect on complaints and DMARC reports: what passes the protection, and what must not."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.tables.contracts import list_codes, polars_schema, read_contract
from jobs.operators.formats import AUTHENTICATION_REPORT, COMPLAINT, Source, dmarc, feedback
from jobs.operators.formats.shared.documents import frame_of
from jobs.operators.protect import pseudonym_keys, pseudonyms
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.protect.pseudonym_keys import operator_key
from jobs.operators.protect.pseudonyms import pseudonymise_authentication_reports

SAMPLES = Path(__file__).parents[2] / "data" / "reports"
NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)


@pytest.fixture
def protection(tmp_path: Path) -> Protection:
    ranges = tmp_path / "ranges.csv"
    ranges.write_text(
        "prefix,country_code,asn,as_name\n192.0.2.0/24,GRC,64500,Mailer\n2001:db8::/32,FRA,64501,Six\n"
    )
    own = OperatorSpace(
        operator_id="op",
        country="CYP",
        domains=("isp.example",),
        networks=("203.0.113.0/24",),
        number_prefixes=("35799",),
        links=(("MNO", "peer"),),
    )
    return Protection((own,), str(ranges))


def complaint(**values: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(COMPLAINT),
        "operator_id": "op",
        "source_id": "s",
        "stream_id": "a",
        "offset": 0,
        "format_code": "feedback",
        "channel_code": "EMAIL",
        "feedback_type_code": "abuse",
        "reported_at": dt.datetime(2026, 11, 24, 23, 30, tzinfo=dt.UTC),
        "recipients": [],
        "reported_domains": [],
        "incident_count": 1,
    } | values


def complaints(protection: Protection, *rows: dict[str, Any]) -> pl.DataFrame:
    done = pseudonyms.pseudonymise_complaints(pl.DataFrame(rows, schema=COMPLAINT), protection)
    schema = polars_schema("silver.complaint")
    assert dict(done.schema) == {name: kind for name, kind in schema.items() if name != "complaint_hash"}
    for name in read_contract("silver.complaint").required:
        assert done[name].null_count() == 0, name
    return done


def shown(frame: pl.DataFrame) -> str:
    """Every decoded value of a table."""
    return json.dumps(frame.to_dicts(), default=str, ensure_ascii=False).lower()


def test_a_mail_complaint_keeps_domains_networks_and_countries_only(protection: Protection) -> None:
    source = Source("op", "s", "a", NEWEST)
    documents = feedback.read((SAMPLES / "abuse.eml").read_bytes(), "x", source, 1 << 20)
    raw = feedback.complaints(frame_of(enumerate(documents), source, feedback.BRONZE).lazy()).collect()
    done = complaints(protection, *raw.to_dicts())
    row = done.row(0, named=True)
    assert (row["period_date"], row["incident_count"]) == (dt.date(2026, 11, 24), 3)
    assert (row["sender_domain"], row["header_from_domain"]) == ("mailer.example", "mailer.example")
    assert row["reporter_domain"] == "provider.example"
    assert (row["client_network"], row["origin_observed_code"], row["source_asn"]) == (
        "192.0.2.0/24",
        "GRC",
        64500,
    )
    assert row["is_own_client"] is False
    assert row["reported_domain_names"] == ["mailer.example", "pills.example"]
    assert [each["recipient_domain"] for each in row["named_recipients"]] == ["provider.example"] * 2
    assert row["spam_type_code"] == "AD.pharma"
    for secret in (
        *("maria", "nikos", "fbl@", "deals@", "bounce-1", "orig-1", "192.0.2.55", "viagra"),
        *("prescription", "providerfbl", "http"),
    ):
        assert secret not in shown(done), secret


def test_the_same_address_has_the_same_pseudonym_as_elsewhere(protection: Protection) -> None:
    done = complaints(protection, complaint(sender="Bounce@Mailer.Example", reporter="a@isp.example"))
    hashed = pseudonym_keys.make_pseudonyms(pl.Series(["bounce@mailer.example"]), operator_key("op"))
    assert done["sender_hash"].to_list() == hashed.to_list()


def test_a_sms_complaint_shows_no_number_and_no_text(protection: Protection) -> None:
    text = "Κερδίσατε 1000€, anna@isp.example, call +35796000000. You have WON a lottery prize"
    sms = {"format_code": "kannel", "channel_code": "SMS", "feedback_type_code": "sms-7726"}
    done = complaints(
        protection,
        complaint(**sms, sender="306900000000", reporter="35799123000", recipients=["35799123000"], text=text)
        | {"inbound_link": "MNO"},
        complaint(**sms, sender="35799000009", reporter="35799123001", offset=1),
        complaint(**sms, sender="MyBank", reporter="35799123002", offset=2),
        complaint(**sms, reporter="35799123003", offset=3),
    )
    assert done["origin_claimed_code"].to_list() == ["GRC", "CYP", None, None]
    assert done["is_own_client"].to_list() == [False, True, False, False]
    assert done["origin_observed_code"].to_list() == [None, "CYP", None, None]
    assert done["inbound_link_id"].to_list() == ["MNO", None, None, None]
    assert done["spam_type_code"][0] == "FRAUD.lottery"
    assert done["sender_domain"].to_list() == [None] * 4
    for secret in ("3579", "3069", "mybank", "anna", "κερδ", "lottery prize", "1000"):
        assert secret not in shown(done.drop("period_date", "reported_at", "spam_type_code")), secret


def test_the_kind_of_feedback_tells_the_type_where_the_text_does_not(protection: Protection) -> None:
    done = complaints(
        protection,
        complaint(feedback_type_code="virus"),
        complaint(feedback_type_code="fraud", text="Cheap viagra"),
        complaint(feedback_type_code="abuse", text="hello"),
        complaint(feedback_type_code="not-spam"),
    )
    assert done["spam_type_code"].to_list() == ["MALWARE.attach", "AD.pharma", "UNK", None]
    assert done["spam_type_codes"].to_list() == [["MALWARE.attach"], ["AD.pharma", "PHISH.mail"], [], []]


def test_what_a_complaint_may_say_in_its_words_does_not_pass(protection: Protection) -> None:
    done = complaints(
        protection,
        complaint(
            delivery_result="smg-policy-action",
            auth_failure="call 35799123456",
            reported_domains=["35799123456", "anna@isp.example", "192.0.2.7", "good.example.", "x y.example"],
            header_from="Anna Papadopoulou",
            sender="SRS0=ab=cd=isp.example=anna@fwd.example",
            agent="anna@isp.example",
        ),
    )
    row = done.row(0, named=True)
    assert (row["delivery_result_code"], row["auth_failure_code"]) == ("_U", "_U")
    assert row["reported_domain_names"] == ["isp.example", "good.example"]
    assert (row["header_from_domain"], row["sender_domain"]) == (None, "fwd.example")
    for secret in ("anna", "papado", "35799", "192.0.2", "srs0"):
        assert secret not in shown(done)


def test_every_kind_and_result_is_in_its_list(protection: Protection) -> None:
    for column, code in (("delivery_result", "delivery_result_code"), ("auth_failure", "auth_failure_code")):
        listed = list_codes(column)
        done = complaints(protection, *(complaint(**{column: each}) for each in listed), complaint())
        assert done[code].to_list() == [*listed, None]


def test_an_own_address_that_no_table_locates_is_in_the_own_country(protection: Protection) -> None:
    done = complaints(protection, complaint(client_ip="203.0.113.9"), complaint(client_ip="198.51.100.9"))
    assert done["is_own_client"].to_list() == [True, False]
    assert done["origin_observed_code"].to_list() == ["CYP", None]


def test_another_operators_rows_and_no_rows(protection: Protection) -> None:
    assert complaints(protection, complaint(operator_id="other")).height == 0
    assert complaints(protection).height == 0


# --- DMARC reports ---


def reports(protection: Protection, raw: pl.DataFrame) -> pl.DataFrame:
    done = pseudonymise_authentication_reports(raw, protection)
    schema = polars_schema("silver.authentication_report")
    assert dict(done.schema) == {name: kind for name, kind in schema.items() if name != "record_hash"}
    for name in read_contract("silver.authentication_report").required:
        assert done[name].null_count() == 0, name
    return done


def record(**values: Any) -> dict[str, Any]:
    moment = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    return {
        **dict.fromkeys(AUTHENTICATION_REPORT),
        "operator_id": "op",
        "source_id": "s",
        "stream_id": "a",
        "offset": 0,
        "report_org": "Receiver",
        "report_id": "1",
        "record_number": 1,
        "begin_at": moment,
        "end_at": moment,
        "policy_domain": "shop.example",
        "message_count": 5,
        "client_ip": "192.0.2.10",
        "overrides": [],
        "dkim_results": [],
        "spf_results": [],
    } | values


def test_a_report_keeps_domains_networks_and_results(protection: Protection) -> None:
    source = Source("op", "s", "a", NEWEST)
    documents = list(dmarc.read((SAMPLES / "rfc7489.xml").read_bytes(), "x", source, 1 << 20))
    bronze = dmarc.assemble(frame_of(enumerate(documents), source, dmarc.BRONZE).lazy())
    done = reports(protection, dmarc.authentication_reports(bronze).collect()).sort("record_number")
    first, second = done.to_dicts()
    assert first["report_hash"] == second["report_hash"] and len(first["report_hash"]) == 32
    assert (first["period_date"], first["reporter_domain"]) == (dt.date(2026, 11, 23), "receiver.example")
    assert (first["client_network"], first["origin_observed_code"], first["source_asn"]) == (
        "192.0.2.0/24",
        "GRC",
        64500,
    )
    assert (second["client_network"], second["origin_observed_code"]) == ("2001:db8::/48", "FRA")
    assert (first["policy_code"], first["subdomain_policy_code"], first["policy_percent"]) == (
        "quarantine",
        "reject",
        50,
    )
    assert (first["is_dkim_strict"], first["is_spf_strict"], first["is_policy_test"]) == (False, True, None)
    assert (first["is_dkim_aligned"], first["is_spf_aligned"]) == (True, False)
    assert (first["disposition_code"], second["disposition_code"]) == ("none", "quarantine")
    assert second["override_codes"] == ["mailing_list", "local_policy"]
    assert (first["sender_domain"], first["recipient_domain"], first["header_from_domain"]) == (
        "shop.example",
        "receiver.example",
        "shop.example",
    )
    assert first["dkim_checks"] == [
        {"domain": "shop.example", "result_code": "pass"},
        {"domain": "sender.example", "result_code": "fail"},
    ]
    assert first["spf_checks"] == [{"domain": "shop.example", "result_code": "softfail"}]
    for secret in (
        "anna",
        "arc=pass",
        "dmarc-reports",
        "Receiver",
        "bounces",
        "7489-1",
        "s2026",
        "192.0.2.10",
        "::25",
    ):
        assert secret not in shown(done), secret


def test_free_text_in_a_report_does_not_pass(protection: Protection) -> None:
    raw = pl.DataFrame(
        [
            record(
                report_org="anna@isp.example",
                report_id="anna@isp.example",
                policy_domain="+35799123456",
                policy="ask anna",
                disposition="35799123456",
                header_from="Anna <anna@isp.example>",
                envelope_from="anna@mail.isp.example",
                envelope_to="35799123456",
                overrides=[{"type": "anna said so", "comment": "call 35799123456"}],
                dkim_results=[{"domain": "anna@isp.example", "selector": "anna", "result": "anna"}],
                spf_results=[{"domain": "35799123456", "scope": "anna", "result": "hardfail"}],
            ),
            record(report_org="Call +357 99 123456", report_id="2"),
        ],
        schema=AUTHENTICATION_REPORT,
    )
    done = reports(protection, raw)
    row = done.row(0, named=True)
    assert (row["reporter_domain"], row["policy_domain"]) == ("isp.example", "_U")
    assert (row["policy_code"], row["disposition_code"], row["override_codes"]) == ("_U", "_U", ["_U"])
    assert (row["header_from_domain"], row["sender_domain"], row["recipient_domain"]) == (
        "isp.example",
        "isp.example",
        None,
    )
    assert row["dkim_checks"] == [{"domain": "isp.example", "result_code": "_U"}]
    assert row["spf_checks"] == [{"domain": None, "result_code": "fail"}]
    assert done["reporter_domain"].to_list() == ["isp.example", None]
    for secret in ("anna", "35799", "123456"):
        assert secret not in shown(done.drop("report_hash", "client_hash", "key_id")), secret


def test_copies_of_a_report_share_its_hash_and_others_do_not(protection: Protection) -> None:
    raw = pl.DataFrame(
        [
            record(),
            record(report_org="RECEIVER", offset=3),
            record(report_id="2"),
            record(report_org="Other"),
        ],
        schema=AUTHENTICATION_REPORT,
    )
    hashes = reports(protection, raw)["report_hash"].to_list()
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
