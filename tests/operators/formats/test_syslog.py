"""The syslog envelope: four renderings, years that are not written, clocks that change; logs of a log host,
which wraps lines once more and has several machines in one file."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.operators.formats import LINES, Source, postfix
from jobs.operators.formats.amavis import FORMAT as amavis
from jobs.operators.formats.opendkim import FORMAT as opendkim
from jobs.operators.formats.shared.syslog import split_at_first, split_envelope
from jobs.operators.formats.sip.kamailio import FORMAT as kamailio
from jobs.operators.formats.spamassassin import FORMAT as spamassassin
from tests.conftest import ROOT
from tests.support.mixed import by_relay

UTC = dt.UTC


def source(**kwargs: Any) -> Source:
    newest = dt.datetime(2026, 11, 24, 15, tzinfo=UTC)
    return Source(**({"operator_id": "o", "source_id": "s", "stream_id": "t", "newest_at": newest} | kwargs))


def envelope(*lines: str, **kwargs: Any) -> list[dict[str, Any]]:
    return split_envelope(pl.Series("line", lines, dtype=pl.String), source(**kwargs)).to_dicts()


def stamp_of(line: str, **kwargs: Any) -> dt.datetime | None:
    return envelope(line, **kwargs)[0]["at"]


@pytest.mark.parametrize(
    "line",
    [
        "Nov  4 14:16:30 mx1 postfix/smtpd[227]: hello: world",
        "<22>Nov  4 14:16:30 mx1 postfix/smtpd[227]: hello: world",
        "mail-1  | Nov  4 14:16:30 mx1 postfix/smtpd[227]: hello: world",
        "2026-11-04T14:16:30+00:00 mx1 postfix/smtpd[227]: hello: world",
        "2026-11-04T14:16:30.000000+00:00 mx1 postfix/smtpd[227]: hello: world",
        "2026-11-04T15:46:30.000000+01:30 mx1 postfix/smtpd[227]: hello: world",
        "2026-11-04T14:16:30Z mx1 postfix/smtpd[227]: hello: world",
        "2026-11-04T09:16:30,000-0500 mx1 postfix/smtpd[227]: hello: world",
        "2026-11-04T14:16:30 mx1 postfix/smtpd[227]: hello: world",
        "2026 Nov  4 14:16:30.000 mx1 postfix/smtpd[227]: hello: world",
        "<22>1 2026-11-04T14:16:30.000000+00:00 mx1 postfix/smtpd 227 - -  hello: world",
        '<22>1 2026-11-04T14:16:30Z mx1 postfix/smtpd 227 - [a b="x] y"][c] hello: world',
        "<22>1 2026-11-04T14:16:30Z mx1 postfix/smtpd 227 - - \ufeffhello: world",
        "Nov  4 14:16:30 mx1 postfix/smtpd[227]: hello: world\r",
        # Facility and level, in words or numbers: FreeBSD's syslogd -v, BusyBox's, Solaris', a template's.
        "Nov  4 14:16:30 <mail.info> mx1 postfix/smtpd[227]: hello: world",
        "Nov  4 14:16:30 <2.6> mx1 postfix/smtpd[227]: hello: world",
        "2026-11-04T14:16:30.000000+00:00 <mail.info> mx1 postfix/smtpd[227]: hello: world",
        "2026-11-04T14:16:30Z <local7.notice> mx1 postfix/smtpd[227]: hello: world",
        "2026 Nov  4 14:16:30.000 <mail.info> mx1 postfix/smtpd[227]: hello: world",
        "<mail.info>Nov  4 14:16:30 mx1 postfix/smtpd[227]: hello: world",
        "<mail.info> 2026-11-04T14:16:30Z mx1 postfix/smtpd[227]: hello: world",
        "Nov  4 14:16:30 mx1 mail.info postfix/smtpd[227]: hello: world",
        "2026-11-04T14:16:30Z mx1 <mail.info> postfix/smtpd[227]: hello: world",
        "Nov  4 14:16:30 mx1 postfix/smtpd[227]: [ID 197553 mail.info] hello: world",
    ],
)
def test_renderings_of_one_line(line: str) -> None:
    assert envelope(line) == [
        {
            "at": dt.datetime(2026, 11, 4, 14, 16, 30, tzinfo=UTC),
            "host": "mx1",
            "tag": "postfix/smtpd",
            "pid": "227",
            "body": "hello: world",
            "reason_code": None,
        }
    ]


@pytest.mark.parametrize(
    "outer",
    [
        "Nov  4 14:16:59 relay ",
        "<22>Nov  4 14:16:59 relay ",
        "2026-11-04T14:16:59.123456+00:00 relay ",
        "2026 Nov  4 14:16:59.000 relay ",
        "Nov  4 14:17:10 far Nov  4 14:16:59 relay ",
        "Nov  4 14:16:59 <mail.info> relay ",
        "Nov  4 14:16:59 relay mail.info ",
    ],
)
@pytest.mark.parametrize(
    "inner",
    [
        "Nov  4 14:16:30 mx1 postfix/smtpd[227]: hello: world",
        "<22>Nov  4 14:16:30 mx1 postfix/smtpd[227]: hello: world",
        "2026-11-04T14:16:30+00:00 mx1 postfix/smtpd[227]: hello: world",
        "Nov  4 14:16:30 <mail.info> mx1 postfix/smtpd[227]: hello: world",
        "2026 Nov  4 14:16:30.000 mx1 postfix/smtpd[227]: hello: world",
        "1 2026-11-04T14:16:30Z mx1 postfix/smtpd 227 - - hello: world",
        "<22>1 2026-11-04T14:16:30Z mx1 postfix/smtpd 227 - - hello: world",
    ],
)
def test_a_relay_wrapped_the_line_in_an_envelope_of_its_own(outer: str, inner: str) -> None:
    """The inner stamp and host are those of the event; lines around it are as they were."""
    plain = "Nov  4 14:16:31 mx2 postfix/smtpd[7]: plain"
    found = envelope(plain, outer + inner, plain)
    assert found[1] == envelope(inner if inner[0] != "1" else "<22>" + inner)[0]
    assert found[1]["host"] == "mx1" and found[1]["at"] == dt.datetime(2026, 11, 4, 14, 16, 30, tzinfo=UTC)
    assert found[0] == found[2] == envelope(plain)[0]


def test_what_only_looks_like_a_wrapped_line() -> None:
    """A broken inner stamp leaves the outer envelope; endless relays end."""
    (broken,) = envelope("Nov  4 14:16:59 relay Nov 99 99:16:30 mx1 p[1]: b")
    assert (broken["host"], broken["tag"], broken["reason_code"]) == ("relay", "Nov", None)
    (program,) = envelope("Nov  4 14:16:59 mx1 May[3]: hello")
    assert (program["host"], program["tag"], program["body"]) == ("mx1", "May", "hello")
    (deep,) = envelope("Nov  4 14:16:59 relay " * 50_000 + "Nov  4 14:16:30 mx1 p[1]: b")
    assert deep["reason_code"] is None


def test_levels_that_change_from_line_to_line() -> None:
    """The rows of a file with facility and level are those of one without, whatever lines lie beside."""
    bodies = [f"mx{number % 2} p{number % 3}[{number}]: {number}" for number in range(12)]
    levels = ["<mail.info> ", "<mail.notice> ", "", "<2.4> "]
    plain = [f"Nov 24 14:00:{number:02d} {body}" for number, body in enumerate(bodies)]
    marked = [f"Nov 24 14:00:{number:02d} {levels[number % 4]}{body}" for number, body in enumerate(bodies)]
    assert envelope(*marked) == envelope(*plain)
    assert [envelope(line)[0] for line in marked] == envelope(*plain)
    # A program may be called so, and a host may have no name.
    (odd,) = envelope("Nov 24 14:00:00 mx1 mail.info: hello there")
    assert (odd["host"], odd["tag"], odd["body"]) == ("mx1", "mail.info", "hello there")
    assert envelope("Nov 24 14:00:00 <mail.info>")[0]["reason_code"] == "truncated"
    assert envelope("Nov 24 14:00:00 mx1 mail.info")[0]["reason_code"] == "truncated"


def test_fractions_are_kept() -> None:
    expected = dt.datetime(2026, 11, 4, 14, 16, 30, 123400, tzinfo=UTC)
    assert stamp_of("2026-11-04T14:16:30.123400+00:00 h p[1]: b") == expected
    assert stamp_of("2026-11-04T14:16:30.1234Z h p[1]: b") == expected
    assert stamp_of("2026-11-04T14:16:30.123400999Z h p[1]: b") == expected
    assert stamp_of("2026 Nov 04 14:16:30.1234 h p[1]: b") == expected


def test_mixed_renderings_keep_their_order() -> None:
    lines = [
        "Nov 24 14:00:00 a p[1]: 0",
        "junk",
        "2026-11-24T14:00:01+00:00 b p: 2",
        "<1>1 2026-11-24T14:00:02Z c p - - - 3",
        "2026 Nov 24 14:00:03 d p: 4",
        "",
        "2026-11-24T14:00:05.000001+00:00 e p: 6",
    ]
    found = envelope(*lines)
    assert [row["host"] for row in found] == ["a", None, "b", "c", "d", None, "e"]
    assert [row["body"][-1:] for row in found] == ["0", "k", "2", "3", "4", "", "6"]
    assert [row["reason_code"] for row in found] == [
        None,
        "bad_timestamp",
        None,
        None,
        None,
        "bad_timestamp",
        None,
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2026-02-29T10:00:00Z h p: b", "bad_timestamp"),
        ("2026-13-01T10:00:00Z h p: b", "bad_timestamp"),
        ("2026-01-01T24:00:00Z h p: b", "bad_timestamp"),
        ("2026-01-01T10:00:00.x h p: b", "bad_timestamp"),
        ("Feb 30 10:00:00 h p: b", "bad_timestamp"),
        ("Nox 24 10:00:00 h p: b", "bad_timestamp"),
        ("Nov 24 10:00:00 h", "truncated"),
        ("2026-11-24T10:00:00Z", "truncated"),
        ("<22>1 2026-11-24T10:00:00Z h p 1 - -", "truncated"),
        ("\0\0\0\0", "bad_timestamp"),
    ],
)
def test_reasons(line: str, reason: str) -> None:
    assert envelope(line)[0]["reason_code"] == reason


def test_year_is_the_latest_that_is_not_too_late() -> None:
    new_year = dt.datetime(2026, 1, 2, 3, tzinfo=UTC)
    assert stamp_of("Dec 31 23:59:59 h p: b", newest_at=new_year) == dt.datetime(
        2025, 12, 31, 23, 59, 59, tzinfo=UTC
    )
    assert stamp_of("Jan  1 00:00:00 h p: b", newest_at=new_year) == dt.datetime(2026, 1, 1, tzinfo=UTC)
    # 36 hours of slack: a day ahead is still this year, two days ahead is the year before.
    assert stamp_of("Jan  3 15:00:00 h p: b", newest_at=new_year) == dt.datetime(2026, 1, 3, 15, tzinfo=UTC)
    assert stamp_of("Jan  3 15:00:01 h p: b", newest_at=new_year) == dt.datetime(
        2025, 1, 3, 15, 0, 1, tzinfo=UTC
    )
    assert stamp_of("Feb 29 10:00:00 h p: b", newest_at=new_year) == dt.datetime(2024, 2, 29, 10, tzinfo=UTC)


def test_zone_of_the_source() -> None:
    berlin = {"time_zone": "Europe/Berlin"}
    assert stamp_of("Jul  1 12:00:00 h p: b", **berlin) == dt.datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert stamp_of("2026-07-01T12:00:00 h p: b", **berlin) == dt.datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert stamp_of("2026-07-01T12:00:00Z h p: b", **berlin) == dt.datetime(2026, 7, 1, 12, tzinfo=UTC)
    # 25 October: 02:30 comes twice, the first time in summer time. 29 March: 02:30 does not come.
    assert stamp_of("Oct 25 02:30:00 h p: b", **berlin) == dt.datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert stamp_of("Mar 29 02:30:00 h p: b", **berlin) == dt.datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    both = envelope("2026-07-01T12:00:00 h p: b", "2026-07-01T12:00:00Z h p: b", **berlin)
    assert [row["at"].hour for row in both] == [10, 12]


def test_hosts_of_several_machines() -> None:
    found = envelope(
        "2026-11-04T14:16:30.000000+00:00 mx1 postfix/qmgr[1]: a",
        "2026-11-04T14:16:30.000000+00:00 mx10 b: c d",
    )
    assert [(row["host"], row["tag"], row["pid"], row["body"]) for row in found] == [
        ("mx1", "postfix/qmgr", "1", "a"),
        ("mx10", "b", None, "c d"),
    ]


@given(st.lists(st.text(max_size=50) | st.from_regex(r"(Nov|2026-11-|<2>1 |2026 Nov).{0,40}"), max_size=12))
def test_any_text_gives_one_row_each(lines: list[str]) -> None:
    found = envelope(*lines)
    assert len(found) == len(lines)
    assert all((row["at"] is None) <= (row["reason_code"] is not None) for row in found)


@given(st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2199, 12, 31)), st.integers(-840, 840))
def test_iso_stamps_are_those_of_the_standard_library(wall: dt.datetime, minutes: int) -> None:
    at = wall.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    for text in (at.isoformat(), at.isoformat(timespec="microseconds")):
        assert stamp_of(f"{text} h p[1]: b") == at.astimezone(UTC)


@pytest.mark.parametrize("separator", [" ", ": ", "é"])
def test_halves_are_those_of_splitn(separator):
    texts = pl.Series(
        ["a b c", "a: b", "é b é: x", "", None, " ", ": ", "日本: 語 é", "a:b"], dtype=pl.String
    )
    expected = texts.str.splitn(separator, 2).struct.unnest().get_columns()
    assert [half.to_list() for half in split_at_first(texts, separator)] == [
        half.to_list() for half in expected
    ]


LAB = ROOT / "sample_data" / "lab"

MAIL, CALLS = LAB / "postfix" / "mail.iso8601.log", LAB / "kamailio" / "kamailio.rfc3164.log"

SOURCE = Source("lab", "loghost", "a", dt.datetime(2026, 11, 25, tzinfo=dt.UTC))


def parsed(kernel: Any, lines: list[str]) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    found: pl.DataFrame = kernel.parse(frame, SOURCE).collect()
    return found


def bronze(kernel: Any, lines: list[str]) -> pl.LazyFrame:
    place = (pl.lit(value).alias(name) for name, value in (("operator_id", "lab"), ("source_id", "loghost")))
    rows = parsed(kernel, lines).filter(pl.col("line_code") == "record")
    assembled: pl.LazyFrame = kernel.assemble(rows.with_columns(*place, stream_id=pl.lit("a")).lazy())
    return assembled


@pytest.mark.parametrize(
    ("kernel", "log"),
    [(postfix, MAIL), (amavis, MAIL), (spamassassin, MAIL), (opendkim, MAIL), (kamailio, CALLS)],
)
def test_wrapped_lines_tell_what_they_told_before(kernel: Any, log: Path) -> None:
    plain = log.read_bytes()
    wrapped = by_relay(plain)
    assert wrapped.count(b"loghost") > 50
    before = parsed(kernel, plain.decode().splitlines())
    assert (before["line_code"] == "record").sum() > 20
    assert_frame_equal(parsed(kernel, wrapped.decode().splitlines()), before)


def test_two_servers_in_one_file_are_counted_apart() -> None:
    """Two servers with the same queue ids, process numbers and clients, line by line in turn."""
    lines = MAIL.read_text().splitlines()
    hosts = {line.split()[1] for line in lines}
    (host,) = hosts
    both = [line for each in lines for line in (each, each.replace(f" {host} ", " other1 ", 1))]
    what = ["queue_id", "sender", "recipient", "stage_code", "outcome_code", "first_at"]
    alone = postfix.transmissions(bronze(postfix, lines)).select(what).collect()
    found = postfix.transmissions(bronze(postfix, both)).select("queue", *what).collect()
    assert len(alone) == 252
    assert_frame_equal(
        found.select(what).sort(what), pl.concat([alone, alone]).sort(what), check_row_order=True
    )
    of_host = pl.col("queue").str.split("|").list.first()
    queues = found.filter(pl.col("queue").is_not_null()).group_by(of_host).len()
    assert sorted(queues["queue"].to_list()) == sorted([host, "other1"])
    assert queues["len"].n_unique() == 1
