"""Kannel's access log: a real one with every SMS worked out by hand, and lines that mislead a parser."""

import datetime as dt
import random
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats import LINES, TRANSMISSION, Source, kannel
from tests.support.closure import assert_closed_under_cuts
from tests.support.examples import examples

LOG = Path(__file__).parents[3] / "sample_data" / "lab" / "kannel" / "bearerbox-access.log"
NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)


def parse(lines: list[str], **kwargs: Any) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    return kannel.parse(frame, Source("lab", "box1", "a", NEWEST, **kwargs)).collect()


def placed(parsed: pl.DataFrame) -> pl.LazyFrame:
    return parsed.lazy().with_columns(
        operator_id=pl.lit("lab"), source_id=pl.lit("box1"), stream_id=pl.lit("a")
    )


def bronze(lines: list[str], **kwargs: Any) -> pl.DataFrame:
    parsed = parse(lines, **kwargs)
    assert "quarantined" not in parsed["line_code"], parsed["reason_code"].to_list()
    return kannel.assemble(placed(parsed)).collect()


def transmissions(lines: list[str], **kwargs: Any) -> list[dict[str, Any]]:
    return kannel.transmissions(bronze(lines, **kwargs).lazy()).collect().sort("offset").to_dicts()


def event(words: str, at: str = "14:00:00", **fields: Any) -> str:
    """A line of the access log on 24 November 2026, or on the day that `at` names."""
    text = str(fields.get("text", "hello"))
    given = {
        "smsc": "HUB-1",
        "svc": "shop",
        "act": "",
        "fid": "",
        "sender": "SHOP",
        "to": "35799000001",
        "coding": 0,
        "mask": 31,
        "length": len(bytes.fromhex(text)) if fields.get("coding") in (1, 2) else len(text.encode()),
        "text": text,
        "udh": "",
    } | fields
    stamp = at if " " in at else f"2026-11-24 {at}"
    return (
        "{stamp} {words} [SMSC:{smsc}] [SVC:{svc}] [ACT:{act}] [BINF:] [FID:{fid}] [META:?smpp?]"
        " [from:{sender}] [to:{to}] [flags:-1:{coding}:-1:-1:{mask}] [msg:{length}:{text}]"
        " [udh:{octets}:{udh}]"
    ).format(stamp=stamp, words=words, octets=len(given["udh"]) // 2, **given)


def dlr(mask: int, text: str = "", at: str = "14:00:05", **fields: Any) -> str:
    return event("Receive DLR", at, mask=mask, text=text, **({"coding": -1} | fields))


def state(name: str, note: str = "", error: str = "000") -> str:
    return f"id:9 sub:001 dlvrd:000 submit date:2611241400 stat:{name} err:{error} text:{note}"


@pytest.fixture(scope="module")
def lab() -> pl.DataFrame:
    return kannel.transmissions(bronze(LOG.read_text().splitlines()).lazy()).collect().sort("offset")


def test_lab_lines() -> None:
    parsed = parse(LOG.read_text().splitlines())
    # "Log begins" and "Log ends"; everything else is understood.
    assert Counter(parsed["line_code"]) == {"record": 89, "ignored": 2}
    assert Counter(parsed["event_code"].drop_nulls()) == {
        "received": 21,
        "sent": 20,
        "rejected": 3,
        "report": 43,
        "stray_report": 2,
    }


def test_lab_counts(lab: pl.DataFrame) -> None:
    assert dict(lab.schema) == TRANSMISSION
    kinds = Counter(lab.select("entry_code", "grain_code", "stage_code", "outcome_code").rows())
    assert kinds == {
        # To +7726 and not to numbers that merely begin so (7726299324535): seven, one of them in UCS-2.
        ("report", "recipient", "delivery", "delivered"): 7,
        # 21 received less those seven. Three first parts of two, to different numbers, are three messages.
        ("link", "recipient", "delivery", "delivered"): 14,
        # 10 PROMO, 5 BANK less the undelivered one, 3 of the blast, 1 in UCS-2, 1 of 400 characters.
        ("box", "recipient", "delivery", "delivered"): 19,
        ("box", "recipient", "delivery", "bounced"): 1,
        # Two refused by the SMSC, one by the black list before an SMSC was chosen.
        ("box", "attempt", "envelope", "rejected"): 3,
    }


def test_lab_traps(lab: pl.DataFrame) -> None:
    by_recipient = {row["recipient"]: row for row in lab.to_dicts() if row["entry_code"] == "box"}
    # One FID for three recipients, on the DLRs only.
    for number in ("35797000001", "35798000002", "35796000003"):
        assert by_recipient[number]["outcome_code"] == "delivered"
    # 400 characters in one line; the DLRs of its second and third part are `FAILED Receive DLR`.
    assert by_recipient["44790000021"]["segment_count"] == 3
    assert by_recipient["44790000021"]["message_bytes"] == 400
    # UCS-2 in hex.
    assert by_recipient["44790000020"]["text"] == "Дешёвые лекарства €€€"
    assert by_recipient["44790000020"]["segment_count"] == 1
    assert by_recipient["44790000015"]["reply_code"] == "UNDELIV"
    refusals = [by_recipient[number] for number in ("44790000013", "44790000014", "44790000023")]
    assert [(row["reply_code"], row["reply_text"], row["outbound_link"]) for row in refusals] == [
        ("0x0000000b", "Invalid Destination Address", "SMPP-INTL"),
        ("0x00000045", "Submit failed", "SMPP-INTL"),
        (None, "sender in black-list", None),
    ]
    assert by_recipient["44790000011"]["account"] == "bulkco/acct-77"
    assert by_recipient["35796000010"]["account"] == "bulkco"
    links = Counter(lab.filter(pl.col("inbound_link").is_not_null())["inbound_link"])
    assert links == {"SMPP-INTL": 7, "OPERATOR-A": 12, "OPERATOR-B": 2}
    texts = lab["text"].to_list()
    # Brackets inside the text.
    assert texts.count("msg with ] bracket [and] newline\\n") == 2
    # UTF-8 sent as 8-bit data.
    assert texts.count("Καλημέρα €") == 2
    assert lab["segment_count"].sum() == 44 + 2
    assert lab["text"].null_count() == 0


def test_received_row() -> None:
    line = event("Receive SMS", svc="", act="foo", sender="+35799111222", to="+7726", mask=-1, text="spam!")
    (row,) = transmissions([line], time_zone="Asia/Nicosia")
    at = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
    assert row == dict.fromkeys(TRANSMISSION) | {
        "operator_id": "lab",
        "source_id": "box1",
        "stream_id": "a",
        "offset": 0,
        "format_code": "kannel",
        "channel_code": "SMS",
        "grain_code": "recipient",
        "entry_code": "report",
        "is_handoff": False,
        "sender": "35799111222",
        "recipient": "7726",
        "is_authenticated": False,
        "inbound_link": "HUB-1",
        "first_at": at,
        "last_at": at,
        "stage_code": "delivery",
        "outcome_code": "delivered",
        "event": "Receive SMS",
        "text": "spam!",
        "message_bytes": 5,
        "segment_count": 1,
        "try_count": 1,
        "join_quality": "none",
        "is_partial": False,
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            [event("Sent SMS", mask=0)], ("recipient", "delivery", "delivered", None), id="no DLR asked for"
        ),
        pytest.param(
            [event("Sent SMS", mask=-1)], ("recipient", "delivery", "delivered", None), id="mask not set"
        ),
        pytest.param(
            [event("Sent SMS", mask=24)],
            ("recipient", "delivery", "delivered", None),
            id="only ACK asked for",
        ),
        pytest.param([event("Sent SMS")], ("recipient", "delivery", "queued", None), id="no DLR yet"),
        pytest.param(
            [event("Sent SMS", fid="9"), dlr(8, "ACK/", fid="9")],
            ("recipient", "delivery", "queued", None),
            id="accepted only",
        ),
        pytest.param(
            [event("Sent SMS", fid="9"), dlr(4, fid="9"), dlr(1, state("DELIVRD"), fid="9", smsc="HUB-1-RX")],
            ("recipient", "delivery", "delivered", None),
            id="buffered, then delivered by the receiver bind",
        ),
        pytest.param(
            [event("Sent SMS", fid="9"), dlr(2, state("UNDELIV"), fid="9")],
            ("recipient", "delivery", "bounced", "UNDELIV"),
            id="undelivered",
        ),
        pytest.param(
            [event("Sent SMS", fid="9"), dlr(2, state("EXPIRED"), fid="9", at="2026-11-27 14:00:00")],
            ("recipient", "delivery", "expired", "EXPIRED"),
            id="expired three days later",
        ),
        pytest.param(
            [event("Sent SMS", fid="9"), dlr(2, state("REJECTD"), fid="9")],
            ("recipient", "envelope", "rejected", "REJECTD"),
            id="rejected after acceptance",
        ),
        pytest.param(
            [event("Sent SMS", fid="9"), dlr(2, state("REJECTD", "Blocked by firewall"), fid="9")],
            ("recipient", "content", "rejected", "REJECTD"),
            id="rejected for its content",
        ),
        pytest.param(
            [
                event("Sent SMS", fid="9", text="Spam and eggs from 3"),
                dlr(2, state("REJECTD", "Spam and eggs"), fid="9"),
            ],
            ("recipient", "envelope", "rejected", "REJECTD"),
            id="the message's own words are no reason",
        ),
        pytest.param(
            [event("REJECTED Send SMS"), dlr(16, "NACK/0x0000040B/Content filter")],
            ("attempt", "content", "rejected", "0x0000040b"),
            id="refused for its content at submission",
        ),
        pytest.param(
            [event("REJECTED Send SMS")], ("attempt", "envelope", "rejected", None), id="refused, no DLR"
        ),
        pytest.param([event("FAILED Send SMS")], ("attempt", "envelope", "deferred", None), id="failed"),
        pytest.param(
            [event("FAILED Send SMS"), dlr(16, "NACK/0x0000000a/Invalid Source Address")],
            ("attempt", "envelope", "rejected", "0x0000000a"),
            id="failed for good",
        ),
        pytest.param(
            [event("DISCARDED SMS"), dlr(16, "NACK/Retries Exceeded")],
            ("recipient", "envelope", "discarded", None),
            id="discarded",
        ),
        pytest.param(
            [event("EXPIRED SMS")], ("recipient", "delivery", "expired", None), id="expired in the queue"
        ),
        pytest.param(
            [event("REJECTED - black-listed SMS")],
            ("attempt", "envelope", "rejected", None),
            id="received, black list",
        ),
        pytest.param(
            [event("DROPPED Received SMS")],
            ("attempt", "envelope", "deferred", None),
            id="received, queue full",
        ),
    ],
)
def test_outcome(lines: list[str], expected: tuple[str, str, str, str | None]) -> None:
    (row,) = transmissions(lines)
    assert (row["grain_code"], row["stage_code"], row["outcome_code"], row["reply_code"]) == expected


def test_refusal_words() -> None:
    lines = [event("Sent SMS", fid="9", text="Hi Ann"), dlr(2, state("UNDELIV", "Hi Ann", "011"), fid="9")]
    (row,) = transmissions(lines)
    assert row["reply_text"].endswith("stat:UNDELIV err:011")
    (row,) = transmissions([event("REJECTED - black-listed SMS", sender="35799000009")])
    assert (row["event"], row["entry_code"], row["inbound_link"]) == (
        "REJECTED - black-listed SMS",
        "link",
        "HUB-1",
    )


def test_one_foreign_id_for_many_recipients() -> None:
    numbers = ["35799000001", "35799000002", "35799000003"]
    lines = [event("Sent SMS", fid="7", to=number) for number in numbers]
    lines += [dlr(1, fid="7", to=numbers[0]), dlr(2, state("UNDELIV"), fid="7", to="+" + numbers[1])]
    assert [row["outcome_code"] for row in transmissions(lines)] == ["delivered", "bounced", "queued"]


def test_reports_without_id_go_to_the_sms_that_waits() -> None:
    # Two in flight between the same numbers; ids stand on the final reports only.
    first, second = event("Sent SMS", "14:00:00", text="one"), event("Sent SMS", "14:00:02", text="two")
    lines = [first, dlr(8, "ACK/", "14:00:00"), second, dlr(8, "ACK/", "14:00:02")]
    lines += [dlr(2, state("UNDELIV"), "14:00:03", fid="b"), dlr(1, "", "14:00:09", fid="a")]
    assert [row["outcome_code"] for row in transmissions(lines)] == ["delivered", "bounced"]
    # One before it was never answered, and a report has no SMS in the log at all.
    lines = [dlr(2, state("UNDELIV"), "13:00:00", fid="x"), first, second, dlr(1, "", "14:00:03", fid="b")]
    assert [row["outcome_code"] for row in transmissions(lines)] == ["queued", "delivered"]
    # The SMS has its report; a further one is of something older than the log.
    lines = [first, dlr(2, state("UNDELIV"), "14:00:03", fid="a"), dlr(1, "", "14:00:04", fid="b")]
    assert [row["outcome_code"] for row in transmissions(lines)] == ["bounced"]


def test_how_a_report_was_joined_is_told() -> None:
    sent = event("Sent SMS", "14:00:00", fid="5", text="one")
    for reports, quality in (
        ([], "none"),
        ([dlr(8, "ACK/", "14:00:00")], "by_numbers"),
        ([dlr(1, "", "14:00:09", fid="6")], "by_numbers"),
        ([dlr(8, "ACK/", "14:00:00"), dlr(1, "", "14:00:09", fid="5")], "exact"),
        ([dlr(1, "", "14:00:09", fid="5", to="35796000077")], "none"),
    ):
        (row,) = transmissions([sent, *reports])
        assert row["join_quality"] == quality, reports
    assert transmissions([event("Receive SMS")])[0]["join_quality"] == "none"


def test_nack_goes_to_the_refused_sms() -> None:
    lines = [event("REJECTED Send SMS", text="one"), event("Sent SMS", text="two"), dlr(8, "ACK/")]
    lines += [dlr(16, "NACK/0x00000058/Throttling error")]
    rows = transmissions(lines)
    assert [(row["outcome_code"], row["reply_code"]) for row in rows] == [
        ("rejected", "0x00000058"),
        ("queued", None),
    ]


def test_report_logged_before_its_sms() -> None:
    lines = [dlr(1, fid="5", at="14:00:00"), event("Sent SMS", "14:00:00", fid="5")]
    assert [row["outcome_code"] for row in transmissions(lines)] == ["delivered"]


def test_reused_foreign_id() -> None:
    lines = [event("Sent SMS", "08:00:00", fid="1", text="one"), dlr(1, "", "08:00:09", fid="1")]
    lines += [
        event("Sent SMS", "19:00:00", fid="1", text="two"),
        dlr(2, state("UNDELIV"), "19:00:09", fid="1"),
    ]
    assert [row["outcome_code"] for row in transmissions(lines)] == ["delivered", "bounced"]


def test_retries_are_one_sms() -> None:
    lines = [event("FAILED Send SMS", "10:00:00"), event("FAILED Send SMS", "10:30:00")]
    lines += [event("Sent SMS", "11:00:00", fid="3", smsc="HUB-2"), dlr(1, "", "11:00:05", fid="3")]
    (row,) = transmissions(lines)
    assert (row["offset"], row["try_count"], row["outcome_code"], row["outbound_link"]) == (
        0,
        3,
        "delivered",
        "HUB-2",
    )
    assert (row["first_at"].hour, row["last_at"].hour) == (10, 11)
    day = [event("FAILED Send SMS"), event("Sent SMS", "2026-11-25 14:00:00")]
    assert [row["try_count"] for row in transmissions(day)] == [2]
    # Another text, another customer, two refusals, more than a day: no retries.
    for other in (
        [event("FAILED Send SMS"), event("Sent SMS", text="other")],
        [event("FAILED Send SMS"), event("Sent SMS", svc="other")],
        [event("REJECTED Send SMS"), event("Sent SMS")],
        [event("FAILED Send SMS"), event("Sent SMS", "2026-11-25 14:00:01")],
    ):
        assert [row["try_count"] for row in transmissions(other)] == [1, 1]


def part(words: str, number: int, text: str, at: str = "14:00:00", total: int = 2, **fields: Any) -> str:
    return event(words, at, udh=f"05000342{total:02X}{number:02X}", text=text, **fields)


def test_parts_are_one_message() -> None:
    lines = [part("Receive SMS", 2, "world", "14:00:03"), part("Receive SMS", 1, "hello ", "14:00:04")]
    (row,) = transmissions(lines)
    assert (row["text"], row["segment_count"], row["message_bytes"], row["offset"]) == (
        "hello world",
        2,
        11,
        0,
    )
    # An application that never changes the reference sends two messages.
    lines = [part("Sent SMS", number, f"{copy}{number}", mask=0) for copy in "ab" for number in (1, 2)]
    assert [row["text"] for row in transmissions(lines)] == ["a1a2", "b1b2"]
    # A day later the reference has come round.
    lines = [part("Receive SMS", 1, "old"), part("Receive SMS", 2, "new", "2026-11-25 14:00:00")]
    assert [row["text"] for row in transmissions(lines)] == ["old", "new"]
    for at, count in (("15:00:00", 1), ("15:00:01", 2)):
        assert len(transmissions([part("Receive SMS", 1, "a"), part("Receive SMS", 2, "b", at)])) == count
    # Segments are those that the log has, not those that a header declares.
    rows = transmissions(
        [part("Receive SMS", 1, "old"), part("Receive SMS", 2, "new", "2026-11-25 14:00:00")]
    )
    assert [row["segment_count"] for row in rows] == [1, 1]
    # 16-bit reference behind application ports, total 3 declared and 2 seen.
    header = "0B05040B8423F00804BEEF03"
    lines = [event("Receive SMS", udh=header + f"{number:02X}", text="x") for number in (1, 3)]
    assert [(row["segment_count"], row["text"]) for row in transmissions(lines)] == [(2, "xx")]


def test_worst_part_decides() -> None:
    lines = [part("Sent SMS", 1, "a", fid="1"), part("Sent SMS", 2, "b", fid="2")]
    lines += [dlr(1, fid="1"), dlr(2, state("EXPIRED"), fid="2")]
    assert [(row["outcome_code"], row["grain_code"]) for row in transmissions(lines)] == [
        ("expired", "recipient")
    ]
    lines = [part("Sent SMS", 1, "a", fid="1", mask=0), part("REJECTED Send SMS", 2, "b")]
    assert [(row["outcome_code"], row["grain_code"]) for row in transmissions(lines)] == [
        ("rejected", "recipient")
    ]


def test_events_that_are_no_sms() -> None:
    lines = [
        event("FAILED Receive DLR", to="+SHOP"),
        event("Sent DLR"),
        event("Invented SMS"),
        dlr(1, fid="none"),
    ]
    assert transmissions(lines) == []


def test_operators_are_kept_apart() -> None:
    sent, report = bronze([event("Sent SMS", fid="1")]), bronze(["", dlr(1, fid="1")])
    other = report.with_columns(operator_id=pl.lit("other"))
    for reports, outcome in ((report, "delivered"), (other, "queued")):
        rows = kannel.transmissions(pl.concat([sent, reports]).lazy()).collect()
        assert rows["outcome_code"].to_list() == [outcome]


def test_what_comes_in_between_two_tries_parts_them_not() -> None:
    """An SMS from a number that is also sent to: what comes in waits for no try."""
    tries = [event("FAILED Send SMS", "14:00:00"), event("Sent SMS", "14:00:02")]
    between = event("Receive SMS", "14:00:01")
    rows = kannel.transmissions(bronze([tries[0], between, tries[1]]).lazy()).collect().sort("offset")
    assert rows["try_count"].to_list() == [2, 1]
    assert rows["outcome_code"].to_list() == ["queued", "delivered"]


def test_sniff() -> None:
    assert kannel.sniff(LOG.read_bytes()) == 1
    assert (
        kannel.sniff(b"2026-11-24 13:47:00 Log begins\n2026-11-24 13:47:02 send-SMS request added - x\n") == 0
    )
    assert kannel.sniff(b"") == kannel.sniff(b"\x00\xff\x1f\x8b") == 0


# Few numbers, ids and texts, so that everything collides.
EVENTS = st.builds(
    event,
    st.sampled_from(["Sent SMS", "FAILED Send SMS", "REJECTED Send SMS", "Receive SMS", "DISCARDED SMS"]),
    st.integers(0, 59).map(lambda second: f"14:00:{second:02d}"),
    fid=st.sampled_from(["", "1", "2"]),
    sender=st.sampled_from(["SHOP", "35799000009"]),
    to=st.sampled_from(["35799000001", "+7726"]),
    text=st.sampled_from(["hello", "bye"]),
    mask=st.sampled_from([0, 31]),
    udh=st.sampled_from(["", "", "050003420201", "050003420202"]),
)
REPORTS = st.builds(
    dlr,
    st.sampled_from([1, 2, 8, 16]),
    st.sampled_from(["", "ACK/", "NACK/0x00000045/x", state("EXPIRED")]),
    st.integers(0, 59).map(lambda second: f"14:00:{second:02d}"),
    fid=st.sampled_from(["", "1", "2"]),
    sender=st.sampled_from(["SHOP", "35799000009"]),
    to=st.sampled_from(["35799000001", "+7726"]),
)


@examples(40)
@given(
    st.lists(st.one_of(EVENTS, REPORTS), min_size=1, max_size=25),
    st.randoms(use_true_random=False),
    st.data(),
)
def test_assemble_is_closed(lines: list[str], shuffler: random.Random, data: st.DataObject) -> None:
    whole, rows = assert_closed_under_cuts(kannel, placed(parse(lines)).collect(), shuffler, data)
    submitted = whole.filter(
        pl.col("event_code").is_in(["sent", "failed", "rejected", "received", "discarded"])
    )
    assert len(rows) <= len(submitted) and (len(rows) > 0) == (len(submitted) > 0)
