"""Signs of bypass against the truth of generated traffic, and what the rule needs."""

import collections
import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bypass_quality import quality, told, traffic
from jobs.base.core.errors import ObservatoryError
from jobs.base.figures import words
from jobs.base.tables import sketch
from jobs.base.tables.contracts import read_contract, reference_table, rows_frame
from jobs.base.tables.merge import merge_rows
from jobs.operators.gold import bypass_indicator_daily
from jobs.operators.gold.shared.bypass import (
    CONTACT_KEY,
    CONTACT_RULES,
    choose_thresholds,
    contact_bucket,
    count_contacts,
    numbers_behaviour,
)
from tests.support import bypass_calls, bypass_sms
from tests.support.examples import examples
from tests.support.gold_tables import count_table


def test_the_same_seed_gives_the_same_messages_and_every_sign() -> None:
    sent = bypass_sms.simulate(5, days=1)
    assert sent == bypass_sms.simulate(5, days=1) != bypass_sms.simulate(6, days=1)
    told = {code for code, row in words.codelist_rows("bypass").items() if row["is_recorded"] == "true"}
    assert {sign for sms in sent for sign in sms.signs} == told
    # Domain facts, section 3: what no log tells has its code all the same, so that it is not taken for none.
    assert set(words.codelist_rows("bypass")) - told == {"SMS_BYPASS", "AIT"}
    assert len({(sms.at, sms.sender, sms.recipient) for sms in sent}) == len(sent)


def test_the_same_seed_gives_the_same_calls_and_what_makes_them_hard() -> None:
    made = bypass_calls.simulate(5, days=1)
    assert made == bypass_calls.simulate(5, days=1) != bypass_calls.simulate(6, days=1)
    callees: dict[str, set[str]] = collections.defaultdict(set)
    cells: dict[str, set[str]] = collections.defaultdict(set)
    for call in made:
        callees[call.sender].add(call.recipient)
        cells[call.sender] |= {call.cell} - {""}
    boxes = {call.sender for call in made if call.signs}
    busy = {number for number, others in callees.items() if len(others) >= 30}
    assert len(boxes) == 15
    # Boxes and others among the busy, each with cells and without, and boxes that few would call busy.
    assert {(number in boxes, bool(cells[number])) for number in busy} == {
        *((True, True), (True, False), (False, True), (False, False)),
    }
    assert boxes - busy


@pytest.mark.long
def test_sim_boxes_of_calls_are_found_on_a_seed_that_chose_no_threshold(tmp_path: Path) -> None:
    made, operator, truth = traffic(3, tmp_path, "call")
    parameter = reference_table("ref.bypass_parameter")
    precision, recall = quality(told(made, operator, parameter, truth), "SIMBOX")
    assert precision >= 0.8
    # Boxes with the peer's SIM cards have no cells and are not looked at.
    assert 0.5 <= recall < 0.9


@pytest.mark.long
def test_bypass_is_found_on_a_seed_that_chose_no_threshold(tmp_path: Path) -> None:
    made, operator, truth = traffic(3, tmp_path)
    counts = told(made, operator, reference_table("ref.bypass_parameter"), truth)
    for code, (least_precision, least_recall) in {
        "GREY_ROUTE": (0.95, 0.4),
        "HOME_MISMATCH": (0.8, 0.95),
        "SIMBOX": (0.85, 0.85),
        "SPOOFED_CLI": (0.9, 0.95),
    }.items():
        precision, recall = quality(counts, code)
        assert precision >= least_precision, code
        assert recall >= least_recall, code
    # What makes it hard is there: applications behind SIM cards below the bulk preset are missed, and
    # not every sign is right.
    assert quality(counts, "HOME_MISMATCH")[0] < 1
    assert quality(counts, "SPOOFED_CLI")[0] < 1


def test_the_gateways_that_signed_for_calls_are_counted() -> None:
    link = {"link_id": "HUB", "link_code": "hub", "link_scope_code": "international", "network_codes": []}
    operator = rows_frame([{"operator_id": "a", "country_code": "GBR", "links": [link]}], "ref.operator")
    of_all = {
        "operator_id": "a",
        "period_date": dt.date(2026, 11, 24),
        "channel_code": "VOICE_IP",
        "grain_code": "call",
        "source_id": "sip",
        "sender_kind_code": "number",
        "inbound_link_id": "HUB",
        "inbound_link_code": "hub",
        "origin_claimed_code": "GBR",
    }
    calls = [("s1", "C", "g1"), ("s2", "C", "g2"), ("s3", "C", "g2"), ("s4", None, None), ("s5", "A", "g3")]
    message = rows_frame(
        [
            of_all | {"sender_hash": sender, "attestation_code": level, "origid_hash": origid}
            for sender, level, origid in calls
        ],
        "silver.message",
    )
    made = count_table(
        "gold.bypass_indicator_daily", message, operator, reference_table("ref.bypass_parameter")
    )
    sketches = ("flagged_sender_sketch", "origid_sketch", "flagged_origid_sketch")
    counts = made.select(
        *("bypass_code", "units_examined", "units_flagged"),
        *(sketch.estimate_distinct(sketch.unpack_hashes(pl.col(name))).alias(name) for name in sketches),
    )
    assert counts.rows() == [("SPOOFED_CLI", 5, 4, 4, 3, 2)]


def test_a_threshold_that_is_missing_or_no_number_is_named() -> None:
    right = reference_table("ref.bypass_parameter")
    with pytest.raises(ObservatoryError, match="ref.bypass_parameter: no row grey_recipients for recipient"):
        choose_thresholds(right.filter(pl.col("parameter_code") != "grey_recipients"))
    with pytest.raises(ObservatoryError, match="row grey_recipients: 'many' is no number"):
        choose_thresholds(right.with_columns(value=pl.lit("many")))


# --- parts ----------------------------------------------------------------------------------------------

LINKS = [
    ("HUB", "hub", "international", None, []),
    ("PEER", "peer", "national", "p2p", ["23430"]),
    ("APPS", "aggregator", "national", "a2p", []),
]
FEW = {"grey_recipients": "3", "simbox_recipients": "2", "simbox_reply_share": "0.5", "simbox_cells": "1"}


def operators() -> pl.DataFrame:
    names = ("link_id", "link_code", "link_scope_code", "link_traffic_code", "network_codes")
    links = [dict(zip(names, link, strict=True)) for link in LINKS]
    return rows_frame(
        [
            {"operator_id": "a", "country_code": "GBR", "links": links},
            {"operator_id": "b", "country_code": "FRA", "links": []},
        ],
        "ref.operator",
    )


def few_are_many() -> pl.DataFrame:
    """Thresholds that little traffic reaches."""
    code, value = pl.col("parameter_code"), pl.col("value")
    return reference_table("ref.bypass_parameter").with_columns(
        pl.coalesce(code.replace_strict(FEW, default=None), value).alias("value")
    )


def drawn_messages() -> st.SearchStrategy[pl.DataFrame]:
    number = st.sampled_from(["n1", "n1", "n2", "n3", "n4", "n5"])
    row = st.fixed_dictionaries(
        {
            "operator_id": st.sampled_from(["a", "a", "b"]),
            "channel_code": st.sampled_from(["SMS", "SMS", "VOICE_IP", "EMAIL"]),
            "sender_kind_code": st.sampled_from(["number", "number", "number", "name", None]),
            "sender_hash": st.one_of(st.none(), number),
            "recipient_hash": st.one_of(st.just("_U"), number),
            "sender_network_code": st.sampled_from([None, "23430", "20801"]),
            "inbound_link_id": st.sampled_from([None, "HUB", "PEER", "PEER", "APPS", "GONE"]),
            "attestation_code": st.sampled_from([None, "A", "C"]),
            "origid_hash": st.sampled_from([None, "g1", "g2"]),
            "origin_claimed_code": st.sampled_from([None, "GBR", "FRA"]),
            "cell_hash": st.sampled_from([None, None, "c1", "c2"]),
            "spam_type_code": st.sampled_from(["UNK", "AD.retail"]),
            "is_type_strong": st.sampled_from([None, True, False]),
            "commercial_code": st.sampled_from([None, "one_of"]),
        }
    )
    day = {"period_date": dt.date(2026, 11, 24), "grain_code": "recipient", "inbound_link_code": "peer"}
    return st.lists(row, min_size=1, max_size=60).map(
        lambda rows: rows_frame([each | day for each in rows], "silver.message")
    )


@given(message=drawn_messages(), data=st.data())
@examples(60)
def test_cutting_the_messages_anywhere_gives_the_same_signs(
    message: pl.DataFrame, data: st.DataObject
) -> None:
    places = data.draw(st.lists(st.integers(0, 3), min_size=message.height, max_size=message.height))
    parts = [message.filter(pl.Series(places) == part) for part in sorted(set(places))]
    operator, parameter = operators(), few_are_many()
    of_parts = pl.concat(map(count_contacts, parts))
    placed = of_parts.with_columns(bucket=contact_bucket(3))
    behaviour = pl.concat(
        numbers_behaviour(
            merge_rows(placed.filter(bucket=number), CONTACT_KEY, CONTACT_RULES),
            parameter,
        )
        for number in range(3)
    )
    counts = pl.concat(bypass_indicator_daily.partial(part, operator, parameter, behaviour) for part in parts)
    contract = read_contract("gold.bypass_indicator_daily")
    made = bypass_indicator_daily.finish(merge_rows(counts, contract.key, dict(contract.merge)))
    whole = count_table("gold.bypass_indicator_daily", message, operator, parameter)
    assert sorted(map(str, made.select(contract.columns).rows())) == sorted(
        map(str, whole.select(contract.columns).rows())
    )
