"""Kannel's smsbox log beside bearerbox's: one SMS is counted once, and what smsbox refused is counted."""

import datetime as dt
import random
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.base.core.errors import ObservatoryError
from jobs.operators.formats import LINES, TRANSMISSION, Source, kannel
from jobs.operators.formats.kannel import smsbox as kannel_smsbox
from jobs.operators.protect.countermeasures import countermeasure_of_refusals
from tests.support.closure import assert_closed_under_cuts
from tests.support.examples import examples

LAB = Path(__file__).parents[3] / "sample_data" / "lab" / "kannel"
LOG = LAB / "smsbox-access.log"
NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)


def parse(lines: list[str], kernel: Any = kannel_smsbox, zone: str = "UTC", **options: Any) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    return kernel.parse(frame, Source("lab", "box1", "a", NEWEST, zone, options=options)).collect()


def placed(parsed: pl.DataFrame) -> pl.DataFrame:
    return parsed.with_columns(operator_id=pl.lit("lab"), source_id=pl.lit("box1"), stream_id=pl.lit("a"))


def bronze(parsed: pl.DataFrame, kernel: Any = kannel_smsbox) -> pl.DataFrame:
    return kernel.assemble(placed(parsed).lazy()).collect()


def transmissions(lines: list[str], **options: Any) -> pl.DataFrame:
    rows = kannel_smsbox.transmissions(bronze(parse(lines, **options)).lazy()).collect()
    assert dict(rows.schema) == TRANSMISSION
    return rows.sort("offset")


@pytest.fixture(scope="module")
def bearerbox() -> pl.DataFrame:
    lines = (LAB / "bearerbox-access.log").read_text().splitlines()
    return kannel.transmissions(bronze(parse(lines, kannel), kannel).lazy()).collect()


def test_lab_lines() -> None:
    parsed = parse(LOG.read_text().splitlines())
    assert Counter(parsed["line_code"]) == {"record": 25, "ignored": 2}
    assert Counter(parsed["event_code"].drop_nulls()) == {"added": 23, "refused": 2}


def test_lab_requests_that_bearerbox_never_saw() -> None:
    """The log of bearerbox has 23 SMS from the box and none of these two."""
    rows = transmissions(LOG.read_text().splitlines())
    columns = ["grain_code", "entry_code", "stage_code", "outcome_code", "is_authenticated", "is_partial"]
    assert rows.select(columns).rows() == [("attempt", "box", "envelope", "rejected", True, True)] * 2
    assert rows["reply_text"].to_list() == [
        "UDH field misformed, rejected",
        "Number(s) has/have been denied by white- and/or black-lists.",
    ]
    measures = countermeasure_of_refusals(rows)["countermeasure_code"].to_list()
    assert measures == ["POLICY_SYNTAX", "NUMBER_BLOCKLIST"]


def test_lab_every_added_sms_is_one_of_bearerbox(bearerbox: pl.DataFrame) -> None:
    requests = bronze(parse(LOG.read_text().splitlines())).filter(pl.col("event_code") == "added")
    submitted = bearerbox.filter(pl.col("entry_code") == "box")
    same = ["sender", "recipient", "text"]
    # One SMS in three segments, one in UCS-2, and one that bearerbox itself refused are among them.
    assert sorted(requests.select(same).rows()) == sorted(submitted.select(same).rows())
    # Without that log they are rows.
    alone = transmissions(LOG.read_text().splitlines(), bearerbox=False)
    assert Counter(alone["outcome_code"]) == {"queued": 23, "rejected": 2}
    assert sorted(alone.filter(pl.col("recipient").is_not_null()).select(same).rows()) == sorted(
        submitted.select(same).rows()
    )


def test_lab_submitters(bearerbox: pl.DataFrame) -> None:
    requests = bronze(parse(LOG.read_text().splitlines()))
    known = kannel_smsbox.add_submitters(bearerbox.lazy(), requests.lazy()).collect()
    assert_frame_equal(known.drop("client_ip").sort("offset"), bearerbox.drop("client_ip").sort("offset"))
    assert Counter(known.select("entry_code", "client_ip").rows()) == {
        ("box", "127.0.0.1"): 23,
        ("link", None): 14,
        ("report", None): 7,
    }


def added(at: str = "14:00:00", **fields: str) -> str:
    given = {
        "user": "shop",
        "sender": "SHOP",
        "ip": "192.0.2.7",
        "to": "35799000001",
        "text": "hello",
    } | fields
    return (
        "2026-11-24 {at} send-SMS request added - sender:{user}:{sender} {ip} target:{to} request: '{text}'"
    ).format(at=at, **given)


def refused(reason: str = "UDH field misformed, rejected", at: str = "14:00:00") -> str:
    return f"2026-11-24 {at} send-SMS request failed - {reason}"


def test_submitters_by_text_and_time() -> None:
    """A text sent twice from two addresses, and one asked for an hour before, each find their submitter."""
    lines = [added("14:00:00"), added("14:05:00", ip="192.0.2.8"), added("13:07:00", to="35799000002")]
    requests = bronze(parse(lines))

    def sms(at: str, to: str = "35799000001", text: str = "hello") -> str:
        return (
            f"2026-11-24 {at} Sent SMS [SMSC:X] [SVC:shop] [ACT:] [BINF:] [FID:] [META:] [from:SHOP]"
            f" [to:{to}] [flags:-1:0:-1:-1:0] [msg:{len(text)}:{text}] [udh:0:]"
        )

    events = [
        sms("13:59:58"),
        sms("13:59:59"),
        sms("14:06:00"),
        sms("14:06:59", to="35799000002"),
        sms("14:07:01", to="35799000002"),
        sms("14:00:00", text="bye"),
    ]
    rows = kannel.transmissions(bronze(parse(events, kannel), kannel).lazy())
    known = kannel_smsbox.add_submitters(rows, requests.lazy()).collect().sort("offset")
    assert known["client_ip"].to_list() == [None, "192.0.2.7", "192.0.2.8", "192.0.2.7", None, None]


def test_local_time_and_options() -> None:
    assert parse([refused()], zone="Asia/Nicosia")["first_at"][0] == dt.datetime(
        2026, 11, 24, 12, tzinfo=dt.UTC
    )
    kannel_smsbox.check_options({"bearerbox": False}, Path())
    with pytest.raises(ObservatoryError, match="bearerbox: must be true or false, not 'no'"):
        kannel_smsbox.check_options({"bearerbox": "no"}, Path())


def test_sniff() -> None:
    assert kannel_smsbox.sniff(LOG.read_bytes()) == 1
    assert kannel.sniff(LOG.read_bytes()) == 0
    assert kannel_smsbox.sniff((LAB / "bearerbox-access.log").read_bytes()) == 0
    assert kannel_smsbox.sniff(b"") == kannel_smsbox.sniff(b"\x00\xff\x1f\x8b") == 0


@examples(30)
@given(
    st.lists(
        st.one_of(
            st.builds(added, to=st.sampled_from(["1", "2"]), text=st.sampled_from(["a", "b"])),
            st.builds(refused),
        ),
        min_size=1,
        max_size=15,
    ),
    st.booleans(),
    st.randoms(use_true_random=False),
    st.data(),
)
def test_assemble_is_closed(
    lines: list[str], has_bearerbox: bool, shuffler: random.Random, data: st.DataObject
) -> None:
    lines_in_place = placed(parse(lines, bearerbox=has_bearerbox))
    _, rows = assert_closed_under_cuts(kannel_smsbox, lines_in_place, shuffler, data)
    counted = sum(1 for line in lines if "failed" in line or not has_bearerbox)
    assert len(rows) == counted
