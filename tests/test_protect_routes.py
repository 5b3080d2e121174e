"""jobs.protect on transmissions: networks, domains and the table that located them."""

from __future__ import annotations

import datetime as dt
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs import protect, rules
from jobs.formats import TRANSMISSION
from tests.test_range_tables import BUILT, csv_file, maxmind_file

OWN = protect.Own(
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


def protected(door: protect.Door, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    return protect.transmissions(pl.DataFrame(rows, schema=TRANSMISSION), door).sort("offset").to_dicts()


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
    door = protect.Door((OWN,), str(maxmind_file(tmp_path)), None, name, date)
    mail = row(
        channel_code="EMAIL", entry_code="smtp", client_ip="192.0.2.1", sender="a@mail.shop.co.uk",
        recipient="b@isp.example",
    )  # fmt: skip
    (found,) = protected(door, mail)
    assert (found["location_database"], found["location_date"]) == told
    assert (found["origin_observed_code"], found["source_asn"]) == ("CHE", 64500)
    assert (found["sender_registered_domain"], found["sender_kind_code"]) == ("shop.co.uk", "address")
    assert found["destination_operator_id"] == "op"


def test_a_table_without_a_name_is_called_by_its_file(tmp_path: Path) -> None:
    (found,) = protected(protect.Door((OWN,), str(csv_file(tmp_path))), row())
    assert (found["location_database"], found["location_date"]) == ("ranges.csv", None)
    (found,) = protected(protect.Door((OWN,), None), row())
    assert (found["location_database"], found["location_date"]) == (None, None)


def test_numbers_have_the_networks_of_their_ranges(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("prefix,mcc_mnc\n4477009000,234-90\n447700900,234-91\n")
    door = protect.Door((OWN,), None, str(numbers))
    first, second, third = protected(
        door,
        row(offset=1, sender="447700900512", recipient="447700900011", inbound_link="PEER"),
        row(offset=2, sender="447700900011", recipient="447700900512", outbound_link="HUB"),
        row(offset=3, sender="MyBank", recipient="353209110000", outbound_link="PEER"),
    )
    names = ("sender_kind_code", "sender_network_code", "destination_operator_id")
    assert tuple(first[name] for name in names) == ("number", "234-91", "op")
    assert tuple(second[name] for name in names) == ("number", "234-90", "234-91")
    assert tuple(third[name] for name in names) == ("name", None, "PEER")


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
    monkeypatch.setattr(rules, "in_force", partial(rules.in_force, folder=tmp_path))
    before = dt.datetime(2026, 11, 23, 23, 59, tzinfo=dt.UTC)
    found = protected(
        protect.Door((OWN,), None),
        row(offset=1, text="melons"),
        row(offset=2, text="melons", first_at=before),
        row(offset=3, text="melons", first_at=before, format_code="kannel_smsbox"),
    )
    assert [each["spam_type_code"] for each in found] == ["AD.pharma", "AD.retail", "AD.adult"]


def test_a_subject_passes_the_door_as_a_type() -> None:
    mail = row(
        channel_code="EMAIL", format_code="postfix", sender="a@b.example", subject="Best online casino"
    )
    (found,) = protected(protect.Door((OWN,), None), mail)
    assert (found["spam_type_code"], found["is_type_strong"]) == ("AD.gambling", False)
    assert "casino" not in str(found)


def test_what_a_caller_shows_and_where_it_is_passes_the_door_as_a_type_and_a_pseudonym() -> None:
    shown = "Great Online Casino of Ann"
    said = {"display_name": shown, "user_agent": "AutoDialer/2.1", "category": "wangiri", "cell_id": "1-4711"}
    call = {"format_code": "delimited", "channel_code": "VOICE_CS", "grain_code": "call", "origid": "gate-9"}
    (found,) = protected(protect.Door((OWN,), None), row(**call, **said))
    assert found["spam_type_codes"] == ["AD.gambling", "PHONE.robocall", "PHONE.wangiri"]
    assert (found["spam_type_code"], found["is_type_strong"]) == ("PHONE.wangiri", True)
    for name in ("cell_hash", "origid_hash"):
        assert len(found[name]) == 32
    left = " ".join(map(str, found.values())).lower()
    assert not [word for word in ("casino", "ann", "autodialer", "4711", "gate-9") if word in left]
    (none,) = protected(protect.Door((OWN,), None), row())
    assert (none["cell_hash"], none["origid_hash"]) == (None, None)
