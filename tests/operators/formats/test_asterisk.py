"""Asterisk's call detail records: columns that come and go, legs that are one call, lines that mislead."""

import csv
import datetime as dt
import io
import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats import LINES, TRANSMISSION, Source
from jobs.operators.formats.sip import asterisk
from jobs.operators.protect.countermeasures import countermeasure_of_refusals
from tests.support.closure import assert_closed_under_cuts
from tests.support.examples import examples
from tests.support.samples.asterisk import CUSTOM, DAY, custom, leg

NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)


def parse(lines: list[str], **kwargs: Any) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    return asterisk.parse(frame, Source("lab", "pbx1", "a", NEWEST, **kwargs)).collect()


def placed(parsed: pl.DataFrame, source: str = "pbx1") -> pl.LazyFrame:
    whose = {"operator_id": "lab", "source_id": source, "stream_id": "a"}
    return parsed.lazy().with_columns(**{name: pl.lit(value) for name, value in whose.items()})


def bronze(lines: list[str], **kwargs: Any) -> pl.DataFrame:
    parsed = parse(lines, **kwargs)
    assert "quarantined" not in parsed["line_code"], parsed["reason_code"].to_list()
    return asterisk.assemble(placed(parsed)).collect()


def transmissions(lines: list[str], **kwargs: Any) -> list[dict[str, Any]]:
    return asterisk.transmissions(bronze(lines, **kwargs).lazy()).collect().sort("offset").to_dicts()


def test_row() -> None:
    line = leg(answer="14:00:10", account="acme", tail=["1798000000.4", "", "", "1798000000.4", "8"])
    (row,) = transmissions([line], time_zone="Asia/Nicosia")
    at = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
    assert row == dict.fromkeys(TRANSMISSION) | {
        "operator_id": "lab",
        "source_id": "pbx1",
        "stream_id": "a",
        "offset": 0,
        "format_code": "asterisk",
        "channel_code": "VOICE_IP",
        "grain_code": "call",
        "entry_code": "link",
        "queue": "pbx1|1798000000.4",
        "display_name": "Ann",
        "is_handoff": False,
        "sender": "35799000009",
        "recipient": "35722000001",
        "inbound_link": "trunk",
        "outbound_link": "200",
        "account": "acme",
        "first_at": at,
        "last_at": at + dt.timedelta(seconds=30),
        "stage_code": "delivery",
        "outcome_code": "delivered",
        "try_count": 1,
        "join_quality": "none",
        "is_partial": False,
        "talk_us": 20_000_000,
    }
    (row,) = transmissions([line], time_zone="Asia/Nicosia", options={"usegmtime": True})
    assert row["first_at"] == at + dt.timedelta(hours=2)


def test_own_order_of_columns() -> None:
    names = ["clid", "src", "dst", "channel", "start", "answer", "end", "billsec", "disposition", "linkedid"]
    line = f'"""Ann"" <1>","35799000009","35722000001","PJSIP/t-01ab","{DAY} 14:00:00","{DAY} 14:00:01",'
    line += f'"{DAY} 14:00:05","4","ANSWERED","1798000000.9"'
    options = {"columns": names}
    (row,) = transmissions([line], options=options)
    assert (row["sender"], row["talk_us"], row["queue"]) == ("35799000009", 4_000_000, "pbx1|1798000000.9")
    assert parse([line + ',"x"'], options=options)["reason_code"].to_list() == ["unknown_shape"]
    assert parse([line], options={"columns": names[:-1] + ["x"]})["line_code"].to_list() == ["record"]
    # Without a start there is no call to count.
    bad = {"columns": [name.replace("start", "x") for name in names]}
    assert parse([line], options=bad)["reason_code"].to_list() == ["unknown_shape"]


@pytest.mark.parametrize("more", [(), ("8",), ("8", '"out"', '"7"')])
def test_the_order_of_cdr_custom_is_the_same_calls(more: tuple[str, ...]) -> None:
    """14 calls: the caller id comes first, and the account behind the flags."""
    lines = [
        leg(answer=answer, account=account, clid=clid, tail=[f"1798000000.{number}{at}", user])
        for number in range(7)
        for at, (answer, account, clid, user) in enumerate(
            [("14:00:10", "acme", '"A, B" <35799000009>', "note"), ("", "", "", "spam call")]
        )
    ]
    moved = [custom(line, *more) for line in lines]
    assert asterisk.sniff("\n".join(moved).encode()) == 1
    assert transmissions(moved) == transmissions(lines)
    assert bronze(moved)["user_field"].to_list() == bronze(lines)["user_field"].to_list()
    # A file may change its order, and begin with the names of its columns.
    mixed = [",".join(CUSTOM), moved[0], lines[1]]
    assert parse(mixed)["line_code"].to_list() == ["ignored", "record", "record"]


def test_an_order_that_no_rule_names_is_not_taken_for_certain() -> None:
    moved = leg(answer="14:00:10").split(",")
    other = ",".join([*moved[9:], *moved[:9]])
    assert asterisk.sniff("\n".join([other] * 5).encode()) == 0


@pytest.mark.parametrize("is_custom", [False, True])
def test_fractions_of_seconds_stay(is_custom: bool) -> None:
    """${CDR(billsec,f)} and ${CDR(start,u)}; the second is UTC whatever the zone."""
    line = leg(answer="14:00:10", tail=["1798000000.4", ""]).replace(",30,20,", ",30.500,20.415250,")
    (row,) = transmissions([custom(line) if is_custom else line])
    assert row["talk_us"] == 20_415_250
    stamps = {"14:00:00": "1795528800.25", "14:00:10": "1795528810.5", "14:00:30": "1795528830.75"}
    for clock, stamp in stamps.items():
        line = line.replace(f"{DAY} {clock}", stamp)
    (row,) = transmissions([custom(line) if is_custom else line], time_zone="Asia/Nicosia")
    assert row["first_at"] == dt.datetime(2026, 11, 24, 14, 0, 0, 250_000, tzinfo=dt.UTC)
    assert row["talk_us"] == 20_415_250
    # Two answered legs are one talk, from the first answer to the last end.
    two = [line, line.replace("1795528830.75", "1795528835.125")]
    rows = transmissions([custom(each) if is_custom else each for each in two])
    assert [row["talk_us"] for row in rows] == [24_625_000]
    assert asterisk.sniff("\n".join(two).encode()) == 1


def test_own_words_for_a_refusal() -> None:
    options = {"rejected_pattern": r"^gate:closed\b"}
    rows = transmissions([leg(tail=["gate:closed 7"]), leg(tail=["spam call"])], options=options)
    assert [row["outcome_code"] for row in rows] == ["rejected", "bounced"]
    assert (rows[0]["reply_text"], rows[0]["log_text"]) == (
        "gate:closed 7",
        "Dial(SIP/200,20) from-pstn gate:closed 7",
    )


def test_measures() -> None:
    lines = [
        leg(tail=["spam call"]),
        leg(context="app-blacklist-check"),
        leg(app="Zapateller", data=""),
        leg(app="Hangup", data="21"),
        leg(disposition="BUSY"),
        leg(answer="14:00:10"),
    ]
    rows = asterisk.transmissions(bronze(lines).lazy()).collect().sort("offset")
    acted = countermeasure_of_refusals(rows)
    assert acted.select("countermeasure_code", "is_antispam").rows() == [
        ("CALL_ANALYTICS", True),
        ("NUMBER_BLOCKLIST", True),
        ("CALLER_AUTH", True),
        # The dialplan refused, and says no reason.
        ("UNKNOWN", None),
        ("DELIVERY_FAILURE", False),
        (None, None),
    ]


# --- legs ------------------------------------------------------------------------------------------------


def linked(start: str, answer: str = "", end: str = "14:05:00", number: int = 1, **fields: Any) -> str:
    tail = [f"1798000000.{number}", fields.pop("user", ""), "", "1798000000.1", str(number)]
    return leg(start, answer, end, tail=tail, **fields)


def test_forked_legs_are_one_call() -> None:
    lines = [
        linked("14:00:00", number=2, end="14:00:10", dstchannel="SIP/201-01ab"),
        linked("14:00:00", "14:00:10", number=3, dstchannel="SIP/202-01ac"),
        linked("14:00:00", number=4, end="14:00:10", disposition="BUSY", dstchannel="SIP/203-01ad"),
    ]
    for order in ([0, 1, 2], [2, 0, 1]):
        (row,) = transmissions([lines[place] for place in order])
        assert (row["outcome_code"], row["outbound_link"], row["talk_us"]) == (
            "delivered",
            "202",
            290_000_000,
        )
        assert row["try_count"] == 3
    (row,) = transmissions([lines[0], lines[2]])
    assert (row["outcome_code"], row["event"]) == ("bounced", "BUSY")


def test_transferred_legs_are_one_talk() -> None:
    lines = [
        linked("14:00:00", "14:00:10", "14:01:00", 1),
        linked("14:01:00", "14:01:20", "14:05:00", 2, src="200", dst="35722000002"),
    ]
    (row,) = transmissions(lines)
    assert (row["sender"], row["recipient"], row["talk_us"]) == ("35799000009", "35722000001", 290_000_000)


def test_a_refused_leg() -> None:
    refused = linked("14:00:00", number=1, app="Playback", data="blacklist", answer="14:00:01")
    (row,) = transmissions([refused, linked("14:00:00", number=2)])
    assert row["outcome_code"] == "rejected"
    (row,) = transmissions([refused, linked("14:00:20", "14:00:30", number=2)])
    assert row["outcome_code"] == "delivered"


def test_what_is_no_leg_of_the_same_call() -> None:
    # Without ids each row is a call; servers count their ids for themselves.
    assert len(transmissions([leg(), leg()])) == 2
    here, there = (placed(parse([linked("14:00:00")]), source) for source in ("pbx1", "pbx2"))
    rows = pl.concat([asterisk.assemble(here), asterisk.assemble(there)])
    assert len(asterisk.transmissions(rows).collect()) == 2


def test_clock_changes() -> None:
    # Nicosia ran 03:30 twice on 25 October 2026 and skipped 03:30 on 29 March.
    line = leg("03:30:00", "03:30:05", "03:30:20")
    for day, hour in (("2026-10-25", 0), ("2026-03-29", 1)):
        (row,) = transmissions([line.replace(DAY, day)], time_zone="Asia/Nicosia")
        assert (row["first_at"].hour, row["first_at"].minute) == (hour, 30)
        assert row["talk_us"] == 15_000_000


# --- other lines, any text -------------------------------------------------------------------------------


def test_sniff() -> None:
    lines = [leg(), leg(answer="14:00:10", tail=["1798000000.1", "x"]), leg(clid='"A, B" <1>')]
    assert asterisk.sniff("\n".join(lines).encode()) == 1
    assert asterisk.sniff(b"") == asterisk.sniff(b"\x00\xff\x1f\x8b") == asterisk.sniff(b"a,b,c\n1,2,3") == 0


LEGS = st.builds(
    linked,
    st.sampled_from(["14:00:00", "14:00:05"]),
    st.sampled_from(["", "14:00:10"]),
    number=st.integers(1, 4),
    user=st.sampled_from(["", "spam call"]),
    src=st.sampled_from(["", "35799000009"]),
) | st.builds(leg, tail=st.sampled_from([[], ["1798000000.2"], ["x"]]))


@examples(40)
@given(st.lists(LEGS, min_size=1, max_size=12), st.randoms(use_true_random=False), st.data())
def test_assemble_is_closed(lines: list[str], shuffler: random.Random, data: st.DataObject) -> None:
    whole, rows = assert_closed_under_cuts(asterisk, placed(parse(lines)).collect(), shuffler, data)
    assert rows["try_count"].sum() == len(whole) == len(lines)


FIELD = st.text(alphabet='a1é",; \\\t<>#', max_size=6)


@examples(50)
@given(st.lists(st.tuples(FIELD, FIELD, FIELD), max_size=6))
def test_quoting_is_that_of_csv(values: list[tuple[str, str, str]]) -> None:
    lines = [leg(clid=clid, context=context, data=data) for clid, context, data in values]
    rows = [next(csv.reader(io.StringIO(line, newline=""))) for line in lines]
    read = parse(lines)
    assert read["dial_context"].fill_null("").to_list() == [row[3] for row in rows]
    assert read["application"].to_list() == [f"{row[7]}({row[8]})" for row in rows]


def test_hostile_lines() -> None:
    lines = [
        leg(data="x" * 10_000_000),
        "," * 1_000_000,
        '"' * 1_000_001,
        leg(clid="a\x00\x1b[31m"),
        "\x00" * 99,
    ]
    parsed = parse(lines)
    assert parsed["line_code"].to_list() == ["record", *["quarantined"] * 2, "record", "quarantined"]
