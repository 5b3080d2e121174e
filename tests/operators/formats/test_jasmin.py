"""Jasmin's messages.log: one SMS over its tries and reports, and contents that mislead a parser."""

import datetime as dt
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats import LINES, TRANSMISSION, Source, jasmin
from jobs.operators.formats.jasmin.python_repr import decode_content
from jobs.operators.protect.countermeasures import countermeasure_of_refusals
from tests.support.closure import assert_closed_under_cuts
from tests.support.examples import examples
from tests.support.in_process import command_line_of
from tests.support.samples.jasmin import BROKEN, LOST_PART, NO_TLVS, aged, dlr, error, expired, line, mo, mt

NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
# Written by Jasmin 0.11.1: what its HTTP API was asked for (truth), and what the SMSC behind it got (smsc).
LAB = Path(__file__).parents[3] / "sample_data" / "lab" / "jasmin"


def parse(lines: list[str], zone: str = "UTC") -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    return jasmin.parse(frame, Source("lab", "gw1", "a", NEWEST, zone)).collect()


def placed(parsed: pl.DataFrame) -> pl.LazyFrame:
    return parsed.lazy().with_columns(
        operator_id=pl.lit("lab"), source_id=pl.lit("gw1"), stream_id=pl.lit("a")
    )


def transmissions(lines: list[str], **kwargs: Any) -> list[dict[str, Any]]:
    parsed = parse(lines, **kwargs)
    assert "quarantined" not in parsed["line_code"], parsed["reason_code"].to_list()
    bronze = jasmin.assemble(placed(parsed)).collect()
    assert dict(bronze.schema) == jasmin.BRONZE
    frame = jasmin.transmissions(bronze.lazy()).collect()
    assert dict(frame.schema) == TRANSMISSION
    return frame.sort("offset").to_dicts()


def test_a_submitted_row() -> None:
    (row,) = transmissions([mt(), dlr()], zone="Asia/Nicosia")
    at = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
    assert row == dict.fromkeys(TRANSMISSION) | {
        "operator_id": "lab",
        "source_id": "gw1",
        "stream_id": "a",
        "offset": 0,
        "format_code": "jasmin",
        "channel_code": "SMS",
        "grain_code": "recipient",
        "entry_code": "box",
        "is_handoff": False,
        "message_id": "5c2b-77",
        "sender": "SHOP",
        "recipient": "35799000001",
        "is_authenticated": True,
        "outbound_link": "HUB-1",
        "first_at": at,
        "last_at": at + dt.timedelta(seconds=5),
        "stage_code": "delivery",
        "outcome_code": "delivered",
        "event": "SMS-MT",
        "text": "hello",
        "message_bytes": 5,
        "segment_count": 1,
        "try_count": 1,
        "join_quality": "exact",
        "is_partial": False,
    }


def test_a_real_log_is_counted_as_what_was_sent_and_what_the_smsc_took() -> None:
    rows = transmissions((LAB / "messages.log").read_text("utf-8").splitlines())
    truth, smsc = (
        [json.loads(line) for line in (LAB / name).read_text("utf-8").splitlines()]
        for name in ("truth.jsonl", "smsc.jsonl")
    )
    ids = {found[1]: row["to"] for row in truth if (found := re.match(r'Success "(.*)"', row["r"]))}
    taken = Counter(row["to"] for row in smsc if row["ev"] == "submit" and row["status"].endswith("ESME_ROK"))
    refused = {row["to"] for row in smsc if row["ev"] == "submit"} - taken.keys()
    sent = [row for row in rows if row["event"] == "SMS-MT"]
    # Requests with a wrong number never were SMS. Without receipts, which this Jasmin could not map, what the
    # SMSC took is queued.
    assert Counter((row["recipient"], row["outcome_code"], row["segment_count"]) for row in sent) == {
        **{(number, "queued", parts): 1 for number, parts in taken.items()},
        **{(number, "rejected", 1): 1 for number in refused},
    }
    assert len(ids) == len(sent) == 50 and set(ids.values()) == {row["recipient"] for row in sent}
    received = [row for row in rows if row["event"] == "SMS-MO"]
    assert [row["recipient"] for row in received] == ["7726"] * sum(row["ev"] == "mo" for row in smsc)


def test_sniff_says_that_receipts_are_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command_line_of(monkeypatch, capsys)("sniff", str(LAB / "messages.log"))
    said = " ".join(told.out.split())
    assert "not there 122 lines: Jasmin could not map receipts to their SMS (DLRMapNotFound)" in said


def test_received_rows() -> None:
    rows = transmissions([mo(), mo(to="b'1234'"), mo(status="[i-status:8]"), mo(status="[istatus:69]")])
    assert [
        (row["entry_code"], row["grain_code"], row["stage_code"], row["outcome_code"], row["reply_code"])
        for row in rows
    ] == [
        ("report", "recipient", "delivery", "delivered", None),
        ("link", "recipient", "delivery", "delivered", None),
        # An interceptor refused it.
        ("report", "attempt", "content", "rejected", "0x00000008"),
        ("report", "attempt", "content", "rejected", "0x00000045"),
    ]
    assert {(row["sender"], row["inbound_link"], row["is_authenticated"]) for row in rows} == {
        ("35799000009", "OPERATOR-A", False)
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([mt()], ("recipient", "delivery", "queued", None, 1), id="no DLR yet"),
        pytest.param(
            [mt(dlr="RegisteredDeliveryReceipt.NO_SMSC_DELIVERY_RECEIPT_REQUESTED")],
            ("recipient", "delivery", "delivered", None, 1),
            id="no DLR asked for",
        ),
        pytest.param(
            [mt(dlr="SMSC_DELIVERY_RECEIPT_REQUESTED_FOR_FAILURE")],
            ("recipient", "delivery", "delivered", None, 1),
            id="silence is success",
        ),
        pytest.param([mt(), dlr("ACCEPTD")], ("recipient", "delivery", "queued", None, 1), id="no final one"),
        pytest.param(
            [mt(), dlr("UNDELIV")], ("recipient", "delivery", "bounced", "UNDELIV", 1), id="undelivered"
        ),
        pytest.param(
            [mt(), dlr("EXPIRED", "2026-11-27 14:00:00")],
            ("recipient", "delivery", "expired", "EXPIRED", 1),
            id="expired three days later",
        ),
        pytest.param(
            [mt(), dlr("REJECTD")], ("recipient", "envelope", "rejected", "REJECTD", 1), id="refused later"
        ),
        pytest.param(
            [mt(), dlr("UNDELIV"), dlr("DELIVRD")],
            ("recipient", "delivery", "delivered", None, 1),
            id="delivered after all",
        ),
        pytest.param([dlr(at="13:59:59"), mt()], ("recipient", "delivery", "delivered", None, 1), id="first"),
        pytest.param([mt(), dlr(smsc="B2")], ("recipient", "delivery", "queued", None, 1), id="another's"),
        pytest.param(
            [mt(), dlr(cid="HUB-2")], ("recipient", "delivery", "queued", None, 1), id="of another link"
        ),
        pytest.param([error()], ("attempt", "envelope", "rejected", "0x00000058", 1), id="refused"),
        pytest.param(
            [error(retry="True"), error(at="14:00:30")],
            ("attempt", "envelope", "rejected", "0x00000058", 2),
            id="refused again",
        ),
        pytest.param(
            [error(retry="True"), mt("14:00:30"), dlr(at="14:00:40")],
            ("recipient", "delivery", "delivered", None, 1),
            id="a try that was followed folds",
        ),
        pytest.param(
            [error(retry="True")], ("attempt", "envelope", "deferred", "0x00000058", 1), id="not followed"
        ),
        pytest.param(
            [error("ESME_RFUTURE")], ("attempt", "envelope", "rejected", None, 1), id="an unknown status"
        ),
        pytest.param([expired()], ("recipient", "delivery", "expired", None, 0), id="never sent"),
        pytest.param([aged()], ("recipient", "delivery", "expired", None, 0), id="no connector"),
        pytest.param(
            [aged(state="connected", word="Requeuing"), aged(state="connected")],
            ("recipient", "delivery", "expired", None, 0),
            id="put back, then given up",
        ),
        pytest.param(
            [error(retry="True"), expired()], ("recipient", "delivery", "expired", None, 1), id="tried before"
        ),
        pytest.param([BROKEN], ("recipient", "delivery", "bounced", None, 0), id="an error of Jasmin's own"),
        pytest.param([LOST_PART], ("recipient", "delivery", "bounced", None, 0), id="parts that never met"),
    ],
)
def test_outcome(lines: list[str], expected: tuple[str, str, str, str | None, int]) -> None:
    (row,) = transmissions(lines)
    assert (
        row["grain_code"],
        row["stage_code"],
        row["outcome_code"],
        row["reply_code"],
        row["try_count"],
    ) == expected


def test_what_is_given_up_has_what_earlier_tries_name() -> None:
    rows = transmissions([error(retry="True"), expired(), aged(qid="5c2b-78"), LOST_PART])
    names = ["sender", "recipient", "outbound_link", "inbound_link", "text", "is_partial", "is_authenticated"]
    assert [[row[name] for name in names] for row in rows] == [
        ["SHOP", "35799000001", "HUB-1", None, "hello", False, True],
        [None, None, "HUB-1", None, None, True, True],
        [None, None, None, None, None, True, False],
    ]
    assert {row["reply_text"] for row in rows} == {None}


def test_reused_and_shared_ids() -> None:
    # An SMSC's id comes round: a DLR is of the latest SMS before it.
    lines = [mt(qid="1"), dlr(at="14:00:01"), mt("14:10:00", qid="2"), dlr("UNDELIV", "14:10:01")]
    assert [row["outcome_code"] for row in transmissions(lines)] == ["delivered", "bounced"]
    # Zeros in front and small letters are no part of an id.
    assert [row["outcome_code"] for row in transmissions([mt(smsc="b'000a1'"), dlr()])] == ["delivered"]
    assert [row["outcome_code"] for row in transmissions([mt(smsc="A1"), dlr(smsc="b'A1'")])] == ["delivered"]


def test_measures() -> None:
    frame = pl.DataFrame(transmissions([error(), mo(status="[i-status:102]")]), schema=TRANSMISSION)
    assert countermeasure_of_refusals(frame)["countermeasure_code"].to_list() == [
        "RATE_LIMIT",
        "USER_REPORT",
    ]
    assert frame["reply_text"].to_list() == ["ESME_RTHROTTLED", "102"]


@pytest.mark.parametrize("tail", ["", NO_TLVS, " [tlvs:0x1401:b'14]01',0x1400:7]"])
@pytest.mark.parametrize(
    ("logged", "text", "octets", "segments"),
    [
        ("b'hello'", "hello", 5, 1),
        ("b''", "", 0, 1),
        ("b'a] [to:1] [content:b'", "a] [to:1] [content:b", 20, 1),
        ("b'x] [tlvs:y'", "x] [tlvs:y", 10, 1),
        ('b"it\'s"', "it's", 4, 1),
        (repr(b"a\nb\\"), "a\nb\\", 4, 1),
        (repr("Дешёвые".encode("utf-16-be")), "Дешёвые", 14, 1),
        (repr("Дешёвые".encode("utf-16-be") * 10), "Дешёвые" * 10, 140, 1),
        (repr("Дешёвые".encode("utf-16-be") * 11), "Дешёвые" * 11, 154, 2),
        (repr("Ab 1\U0001f600".encode("utf-16-be")), "Ab 1\U0001f600", 12, 1),
        (repr("中奖通知".encode("utf-16-be")), "中奖通知", 8, 1),
        # GSM 03.38: @ is 0x00, _ 0x11, euro two octets.
        (repr(b"win\x00x.example/a\x11b \x1be5"), "win@x.example/a_b €5", 21, 1),
        (repr("Zürich".encode("latin-1")), "Zürich", 6, 1),
        (repr("Ζάκυνθος".encode()), "Ζάκυνθος", 16, 1),
        ("b'" + "x" * 160 + "'", "x" * 160, 160, 1),
        ("b'" + "x" * 161 + "'", "x" * 161, 161, 2),
        ("b'" + "x" * 307 + "'", "x" * 307, 307, 3),
        (repr(b"\x06\x05\x04\x0b\x84\x23\xf0\xff"), None, 8, 1),
        ("** 161 byte content **", None, 161, 2),
        # Before Python 3.
        ("'hello'", "hello", 5, 1),
        ("hello you", "hello you", 9, 1),
    ],
)
def test_contents(tail: str, logged: str, text: str | None, octets: int, segments: int) -> None:
    (row,) = transmissions([mt(tail=tail, content=logged)])
    assert (row["text"], row["message_bytes"], row["segment_count"]) == (text, octets, segments)
    assert (row["recipient"], row["outbound_link"]) == ("35799000001", "HUB-1")


def test_sniff() -> None:
    other = line("SMPPClientSMListener is added [cid:HUB-1]")
    assert jasmin.sniff("\n".join([mt(), dlr(), other]).encode()) == 1
    assert jasmin.sniff(other.encode()) == jasmin.sniff(b"") == jasmin.sniff(b"\x00\xff") == 0


# Few ids, so that everything collides.
TIMES = st.integers(0, 59).map(lambda second: f"14:00:{second:02d}")
IDS = st.sampled_from(["1", "2"])
EVENTS = st.one_of(
    st.builds(mt, TIMES, qid=IDS, smsc=st.sampled_from(["b'0A1'", "b'B2'"]), cid=st.sampled_from(["x", "y"])),
    st.builds(
        error, st.sampled_from(["ESME_RTHROTTLED"]), st.sampled_from(["True", "False"]), TIMES, qid=IDS
    ),
    st.builds(expired, IDS, TIMES),
    st.just(LOST_PART),
    st.builds(mo, TIMES, st.sampled_from(["[status:CommandStatus.ESME_ROK]", "[i-status:8]"])),
    st.builds(
        dlr,
        st.sampled_from(["DELIVRD", "UNDELIV", "ACCEPTD"]),
        TIMES,
        st.sampled_from(["A1", "B2"]),
        st.sampled_from(["x", "y"]),
    ),
)


@examples(40)
@given(st.lists(EVENTS, min_size=1, max_size=25), st.randoms(use_true_random=False), st.data())
def test_assemble_is_closed(lines: list[str], shuffler: random.Random, data: st.DataObject) -> None:
    _, rows = assert_closed_under_cuts(jasmin, placed(parse(lines)).collect(), shuffler, data)
    told = [text for text in lines if " DLR " not in text]
    assert (len(rows) > 0) == (len(told) > 0) and len(rows) <= len(told)


@examples(50)
@given(st.text(max_size=40))
def test_ucs2_of_any_script_or_nothing_wrong(text: str) -> None:
    octets = text.encode("utf-16-be", "surrogatepass")
    read, count, _ = decode_content(repr(octets))
    assert count == len(octets)
    assert read is None or isinstance(read, str)


def test_long_and_cut_contents() -> None:
    lines = [
        mt(content="b'" + "x" * 2_000_000 + "'"),
        mt(content="b'\\x0"),
        mt(content="b'" + "\\" * 9 + "'"),
    ]
    assert parse(lines)["line_code"].to_list() == ["record"] * 3
