"""jobs.operators.protect on transmissions: networks, domains and the table that located them."""

import dataclasses
import datetime as dt
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.settings import config
from jobs.base.settings.operator import Operator, SourceSettings
from jobs.base.tables.contracts import read_contract, rows_frame
from jobs.operators.build.settings_tables import rows_of_operators
from jobs.operators.formats import COMPLAINT, FACT, TRANSMISSION
from jobs.operators.protect import pseudonym_keys, pseudonyms, rules
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.protect.pseudonym_keys import operator_key
from jobs.operators.protect.pseudonyms import pseudonymise_complaints
from tests.operators.protect.test_range_tables import BUILT, csv_file, maxmind_file

OWN = OperatorSpace(
    operator_id="op",
    country="GBR",
    domains=("isp.example",),
    networks=(),
    number_prefixes=("4477009000",),
    links=(("PEER", "peer"), ("HUB", "hub")),
)


def row(**values: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(TRANSMISSION),
        "operator_id": "op",
        "source_id": "s",
        "stream_id": "a",
        "offset": 0,
        "format_code": "kannel",
        "channel_code": "SMS",
        "grain_code": "recipient",
        "entry_code": "link",
        "stage_code": "delivery",
        "outcome_code": "delivered",
        "first_at": dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC),
        "is_handoff": False,
        "is_partial": False,
    } | values


def protected(protection: Protection, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    return (
        pseudonyms.pseudonymise_transmissions(pl.DataFrame(rows, schema=TRANSMISSION), protection)
        .sort("offset")
        .to_dicts()
    )


@pytest.mark.parametrize(
    ("name", "date", "told"),
    [
        (None, None, ("Example-Country-ASN", BUILT.date())),
        ("Ours", dt.date(2026, 10, 1), ("Ours", dt.date(2026, 10, 1))),
    ],
)
def test_each_row_says_which_table_located_it(
    tmp_path: Path, name: str | None, date: dt.date | None, told: tuple[str, dt.date]
) -> None:
    """The operator's words before the table's own."""
    protection = Protection((OWN,), str(maxmind_file(tmp_path)), None, name, date)
    mail = row(
        channel_code="EMAIL", entry_code="smtp", client_ip="192.0.2.1", sender="a@mail.shop.co.uk",
        recipient="b@isp.example",
    )  # fmt: skip
    (found,) = protected(protection, mail)
    assert (found["location_database"], found["location_date"]) == told
    assert (found["origin_observed_code"], found["source_asn"]) == ("CHE", 64500)
    assert (found["sender_domain"], found["sender_kind_code"]) == ("shop.co.uk", "address")
    assert found["destination_operator_id"] == "op"


def test_a_table_without_a_name_is_called_by_its_file(tmp_path: Path) -> None:
    (found,) = protected(Protection((OWN,), str(csv_file(tmp_path))), row())
    assert (found["location_database"], found["location_date"]) == ("ranges.csv", None)
    (found,) = protected(Protection((OWN,), None), row())
    assert (found["location_database"], found["location_date"]) == (None, None)


@pytest.mark.parametrize(
    ("recipient", "logged", "is_own"),
    [("bob", None, True), ("bob@far.example", None, False), ("bob@far.example", True, True)],
)
def test_a_name_without_a_domain_and_what_the_log_shows_to_be_own_is_own(
    recipient: str, logged: bool | None, is_own: bool
) -> None:
    mail = row(channel_code="EMAIL", entry_code="smtp", recipient=recipient, is_own_recipient=logged)
    (found,) = protected(Protection((OWN,), None), mail)
    assert found["is_own_recipient"] == is_own


def test_numbers_have_the_networks_of_their_ranges(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("prefix,mcc_mnc\n4477009000,234-90\n447700900,234-91\n")
    protection = Protection((OWN,), None, str(numbers))
    first, second, third = protected(
        protection,
        row(offset=1, sender="447700900512", recipient="447700900011", inbound_link="PEER"),
        row(offset=2, sender="447700900011", recipient="447700900512", outbound_link="HUB"),
        row(offset=3, sender="MyBank", recipient="353209110000", outbound_link="PEER"),
    )
    names = ("sender_kind_code", "sender_network_code", "destination_operator_id")
    assert tuple(first[name] for name in names) == ("number", "234-91", "op")
    assert tuple(second[name] for name in names) == ("number", "234-90", "234-91")
    assert tuple(third[name] for name in names) == ("name", None, "PEER")


WRITTEN = ("447700900012", "+447700900012", "00447700900012", "07700900012")


def test_two_operators_have_no_pseudonym_in_common() -> None:
    own, other = (
        pseudonym_keys.make_pseudonyms(pl.Series(["447700900012"]), operator_key(each)).item()
        for each in ("op", "other")
    )
    assert own != other
    assert pseudonym_keys.derived_key_id("op") != pseudonym_keys.derived_key_id("other")


def test_one_subscriber_has_one_pseudonym_however_its_number_is_written() -> None:
    protection = Protection((OWN,), None)
    call = {"format_code": "kamailio", "channel_code": "VOICE_IP", "grain_code": "call"}
    rows = [
        row(offset=place, sender=one, recipient=other, inbound_link="HUB", **kind)
        for place, (one, other) in enumerate(zip(WRITTEN, reversed(WRITTEN), strict=True))
        for kind in (call, {})
    ]
    found = protected(protection, *rows)
    of_number = pseudonym_keys.make_pseudonyms(pl.Series(["447700900012"]), operator_key("op")).to_list()
    for name in ("sender_hash", "recipient_hash"):
        assert [each[name] for each in found] == of_number * 8
    assert {each["origin_claimed_code"] for each in found} == {"GBR"}
    assert {each["destination_code"] for each in found} == {"GBR"}
    assert {each["is_own_recipient"] for each in found} == {True}
    assert {each["sender_kind_code"] for each in found} == {"number"}
    abroad, name, short = protected(
        protection,
        row(offset=1, sender="0612345678"),
        row(offset=2, sender="MyBank"),
        row(offset=3, sender="07726"),
    )
    assert [each["origin_claimed_code"] for each in (abroad, name, short)] == [None] * 3
    assert (
        name["sender_hash"]
        == pseudonym_keys.make_pseudonyms(pl.Series(["mybank"]), operator_key("op")).item()
    )


@pytest.mark.parametrize("channel", ["VOICE_IP", "VOICE_CS", "VIDEO_IP", "IM"])
def test_no_call_id_passes_the_door(channel: str) -> None:
    """A Call-ID holds the address of the caller's telephone."""
    call = {"format_code": "kamailio", "channel_code": channel, "queue": "c1@192.0.2.1|f1"}
    (found,) = protected(Protection((OWN,), None), row(**call))
    assert len(found["queue_key"]) == 32
    (sms,) = protected(Protection((OWN,), None), row(queue="mx1|4cYqX00001z1fQ"))
    assert sms["queue_key"].endswith("|4cYqX00001z1fQ") and not sms["queue_key"].startswith("mx1")


@pytest.mark.parametrize(
    ("recipient", "is_own", "domain"),
    [
        ("ann@sales.group.example", True, "group.example"),
        ("ann@mx.sales.group.example.", True, "group.example"),
        # Below the same registered domain, and another's.
        ("ann@other.group.example", False, "group.example"),
        ("ann@presales.group.example", False, "group.example"),
        ("ann@BÜCHER.example", True, "xn--bcher-kva.example"),
        ("ann@a.xn--bcher-kva.example", True, "xn--bcher-kva.example"),
        ("ann@sales.group.example?subject=ann@other.example", True, "group.example"),
        ("ann@[192.0.2.1]", False, None),
        ("ann@447700900123.example", False, "nn--masked.example"),
    ],
)
@pytest.mark.parametrize("channel", ["EMAIL", "VOICE_IP"])
def test_own_domains_are_told_by_whole_names(
    recipient: str, is_own: bool, domain: str | None, channel: str
) -> None:
    own = dataclasses.replace(OWN, domains=("sales.group.example", "bücher.example"))
    kind = {"channel_code": channel, "format_code": "kamailio" if channel != "EMAIL" else "postfix"}
    (found,) = protected(Protection((own,), None), row(recipient=recipient, **kind))
    assert (found["is_own_recipient"], found["recipient_domain"]) == (is_own, domain)


LINKED = (
    ("HUB", "hub"),
    ("192.0.2.0/24", "peer"),
    ("192.0.2.64/26", "aggregator"),
    ("192.0.2.70", "roaming"),
    ("2001:db8::/32", "hub"),
    ("mx.peer.example", "peer"),
)


@pytest.mark.parametrize(
    ("logged", "told"),
    [
        ({"client_ip": "192.0.2.5"}, "192.0.2.0/24"),
        ({"client_ip": "192.0.2.65"}, "192.0.2.64/26"),
        ({"client_ip": "192.0.2.70"}, "192.0.2.70"),
        ({"client_ip": "192.0.3.5"}, None),
        ({"client_ip": "2001:db8:0:1::7"}, "2001:db8::/32"),
        ({"client_ip": "2001:db9::7"}, None),
        ({"client_ip": "::ffff:192.0.2.5"}, "192.0.2.0/24"),
        ({"inbound_link": "192.0.2.5"}, "192.0.2.0/24"),
        ({"inbound_link": "mail.example[192.0.2.5]:25"}, "192.0.2.0/24"),
        ({"inbound_link": "[2001:db8::7]:5060"}, "2001:db8::/32"),
        ({"inbound_link": "mx.peer.example[192.0.2.5]:25"}, "mx.peer.example"),
        # What the log calls the link says more than where it came from.
        ({"inbound_link": "HUB", "client_ip": "192.0.2.5"}, "HUB"),
        ({"inbound_link": "OTHER", "client_ip": "192.0.2.5"}, "192.0.2.0/24"),
        ({"client_name": "mx.peer.example", "client_ip": "192.0.2.5"}, "mx.peer.example"),
        ({"client_ip": "unknown"}, None),
        ({}, None),
    ],
)
def test_a_link_is_named_by_an_id_a_name_an_address_or_a_range(
    logged: dict[str, str], told: str | None
) -> None:
    own = dataclasses.replace(OWN, links=LINKED)
    (found,) = protected(Protection((own,), None), row(**logged))
    assert (found["inbound_link_id"], found["inbound_link_code"]) == (told, dict(LINKED).get(told or ""))


def test_what_goes_out_has_its_link_too() -> None:
    own = dataclasses.replace(OWN, links=LINKED)
    logged = ("mx[192.0.2.5]:25", "192.0.2.70", "203.0.113.1", None)
    found = protected(
        Protection((own,), None),
        *(row(offset=place, outbound_link=link) for place, link in enumerate(logged)),
    )
    assert [each["outbound_link_id"] for each in found] == ["192.0.2.0/24", "192.0.2.70", None, None]


def test_a_mailbox_that_looks_like_a_number_is_none() -> None:
    mail = row(channel_code="EMAIL", entry_code="smtp", sender="07700900012", recipient="07700900012")
    (found,) = protected(Protection((OWN,), None), mail)
    as_it_is = pseudonym_keys.make_pseudonyms(pl.Series(["07700900012"]), operator_key("op")).item()
    assert (found["sender_hash"], found["recipient_hash"]) == (as_it_is, as_it_is)


def test_complaints_and_facts_name_the_same_subscriber() -> None:
    protection = Protection((OWN,), None)
    hashed = pseudonym_keys.make_pseudonyms(pl.Series(["447700900012"]), operator_key("op")).item()
    complaint = {
        **dict.fromkeys(COMPLAINT), "operator_id": "op", "source_id": "s", "stream_id": "a", "offset": 0,
        "format_code": "kannel", "channel_code": "SMS", "feedback_type_code": "sms-7726", "incident_count": 1,
        "reported_at": dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC), "sender": "07700900012",
        "reporter": "07700900012", "recipients": ["07700900012"], "reported_domains": [],
    }  # fmt: skip
    (found,) = pseudonymise_complaints(pl.DataFrame([complaint], schema=COMPLAINT), protection).to_dicts()
    assert (found["sender_hash"], found["reporter_hash"]) == (hashed, hashed)
    assert found["named_recipients"][0]["recipient_hash"] == hashed
    assert (found["origin_claimed_code"], found["is_own_client"]) == ("GBR", True)
    fact = {
        **dict.fromkeys(FACT), "operator_id": "op", "source_id": "k", "stream_id": "a", "offset": 0,
        "first_at": dt.datetime(2026, 11, 24, tzinfo=dt.UTC), "sender": "+44 7700 900012",
        "recipient": "07700900012",
    }  # fmt: skip
    (known,) = pseudonyms.pseudonymise_facts(pl.DataFrame([fact], schema=FACT), protection).to_dicts()
    assert (known["sender_hash"], known["recipient_hash"]) == (hashed, hashed)


@pytest.mark.parametrize(
    ("source", "typed", "named"),
    [
        ("s", "2025550123", "12025550123"),
        ("s", "+4520123456", "4520123456"),
        ("s", "82262", "82262"),
        ("s", "MyBank", "mybank"),
        ("other", "2025550123", "2025550123"),
    ],
)
def test_a_report_in_a_log_of_national_numbers_names_a_national_one(
    source: str, typed: str, named: str
) -> None:
    own = OperatorSpace("op", "USA", (), (), (), (), national_sources=("s",))
    complaint = {
        **dict.fromkeys(COMPLAINT), "operator_id": "op", "source_id": source, "stream_id": "a", "offset": 0,
        "format_code": "kannel", "channel_code": "SMS", "feedback_type_code": "sms-7726", "incident_count": 1,
        "reported_at": dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC), "sender": typed,
        "reporter": "4520123456", "recipients": ["4520123456"], "reported_domains": [],
    }  # fmt: skip
    (found,) = pseudonymise_complaints(
        pl.DataFrame([complaint], schema=COMPLAINT), Protection((own,), None)
    ).to_dicts()
    told, other = pseudonym_keys.make_pseudonyms(pl.Series([named, "4520123456"]), operator_key("op"))
    assert (found["sender_hash"], found["reporter_hash"]) == (told, other)


def test_the_door_knows_the_sources_of_national_numbers_from_the_settings() -> None:
    sources = [
        SourceSettings(id="smsc", url="a", format="kannel", numbers="national"),
        SourceSettings(id="hub", url="b", format="kannel"),
    ]
    operator = Operator(id="op", name="A", country="USA", holding="a", currency="USD", source=sources)
    rows = rows_of_operators(config.Observatory(operator=[operator]))
    assert set(rows[0]) == set(read_contract("ref.operator").columns)
    (own,) = Protection.read_operators(rows_frame(rows, "ref.operator")).spaces
    assert own.national_sources == ("smsc",)


def test_rules_are_of_a_rows_own_day_and_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "rule_id,engine_code,match_on,pattern,spam_type_code,is_strong,priority,valid_from,valid_to"
    (tmp_path / "type_rule.csv").write_text(
        f"{head}\n"
        "T1,any,text_regex,melon,AD.retail,false,60,1990-01-01,2026-11-24\n"
        "T2,any,text_regex,melon,AD.pharma,false,60,2026-11-24,\n"
        "T3,any,text_regex,melon,MALWARE.link,true,10,2099-01-01,\n"
        "T4,kannel_smsbox,text_regex,melon,AD.adult,true,10,1990-01-01,\n"
    )
    measures = (
        "rule_id,engine_code,match_on,pattern,priority,countermeasure_code,x1231_strategy_code,is_antispam"
    )
    (tmp_path / "countermeasure_rule.csv").write_text(f"{measures},valid_from,valid_to\n")
    monkeypatch.setattr(rules, "split_by_rules", partial(rules.split_by_rules, folder=tmp_path))
    before = dt.datetime(2026, 11, 23, 23, 59, tzinfo=dt.UTC)
    found = protected(
        Protection((OWN,), None),
        row(offset=1, text="melons"),
        row(offset=2, text="melons", first_at=before),
        row(offset=3, text="melons", first_at=before, format_code="kannel_smsbox"),
    )
    assert [each["spam_type_code"] for each in found] == ["AD.pharma", "AD.retail", "AD.adult"]


def test_a_subject_passes_the_door_as_a_type() -> None:
    mail = row(
        channel_code="EMAIL", format_code="postfix", sender="a@b.example", subject="Best online casino"
    )
    (found,) = protected(Protection((OWN,), None), mail)
    assert (found["spam_type_code"], found["is_type_strong"]) == ("AD.gambling", False)
    assert "casino" not in str(found)


def test_what_a_caller_shows_and_where_it_is_passes_the_door_as_a_type_and_a_pseudonym() -> None:
    shown = "Great Online Casino of Ann"
    said = {"display_name": shown, "user_agent": "AutoDialer/2.1", "category": "wangiri", "cell_id": "1-4711"}
    call = {"format_code": "delimited", "channel_code": "VOICE_CS", "grain_code": "call", "origid": "gate-9"}
    (found,) = protected(Protection((OWN,), None), row(**call, **said))
    assert found["spam_type_codes"] == ["AD.gambling", "PHONE.robocall", "PHONE.wangiri"]
    assert (found["spam_type_code"], found["is_type_strong"]) == ("PHONE.wangiri", True)
    for name in ("cell_hash", "origid_hash"):
        assert len(found[name]) == 32
    left = " ".join(map(str, found.values())).lower()
    assert not [word for word in ("casino", "ann", "autodialer", "4711", "gate-9") if word in left]
    (none,) = protected(Protection((OWN,), None), row())
    assert (none["cell_hash"], none["origid_hash"]) == (None, None)
