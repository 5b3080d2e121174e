"""A stretch of a log that stands in the same file once more counts once, in every format and wherever it was
pasted; twins beside each other stay."""

import datetime as dt
import random

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.operators.silver import copies, repeats
from jobs.operators.silver.assembling import assemble_rows, settle_rows
from jobs.operators.silver.bucketing import bucket_of
from jobs.operators.silver.pipeline import count_once
from jobs.operators.sniff.silver import PROTECTION
from tests.operators.silver.test_copies import FEW, LOGS, OTHERS, lines_of, profile, read, silver, times_of
from tests.support.examples import examples

__all__ = ["profile"]

# What an operator asked for repeats itself, and has an order of its own.
POSTFIX = ("postfix, ISO", "postfix, RFC 3164")
OF_LINES = [name for name in (*FEW, *OTHERS) if LOGS[name].format != "rspamd_history"]
NAMES = [name if name in FEW else pytest.param(name, marks=pytest.mark.long) for name in OF_LINES]


# How a record of several lines begins. A stretch that is pasted into one makes another of it.
BEGINS = {"exim, rejectlog": "2026-", "opendmarc_history": "job "}


def newest(lines: list[str], name: str) -> dt.datetime:
    """The last second before a place in a log."""
    return times_of(read(LOGS[name], lines=lines))[1]


def pasted(lines: list[str], name: str, choice: random.Random, count: int) -> list[str]:
    """The lines with a stretch of them so many times more, each at a later place.

    The stretch goes back in time, and what follows it does not go on as the stretch did: else the file is one
    in which more was copied, or less.
    """
    cuts = [place for place, line in enumerate(lines) if line.startswith(BEGINS.get(name, ""))]
    cuts.append(len(lines))
    begin, end = sorted(choice.sample(cuts, 2))
    later = [place for place in cuts if place >= end]
    places = [choice.choice([end, choice.choice(later), len(lines)]) for _ in range(count)]
    stretch = lines[begin:end]
    rows = read(LOGS[name], lines=stretch)
    assume(sum(frame.height for frame in rows.values()))
    file = lines
    for at in sorted(places, reverse=True):
        assume(times_of(rows)[0] < newest(lines[:at], name))
        assume(lines[at : at + 1] != lines[end : end + 1] or at in (end, len(lines)))
        assume(lines[at : at + 1] != stretch[:1])
        file = [*file[:at], *stretch, *file[at:]]
    return file


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
@examples(6, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000), count=st.integers(1, 2))
def test_a_stretch_that_was_pasted_counts_once(name: str, seed: int, count: int) -> None:
    choice = random.Random(seed)
    lines = lines_of(LOGS[name], seed, 300 if name in ("exim, rejectlog", *POSTFIX) else 80)
    file = pasted(lines, name, choice, count)
    found, counts = silver(read(LOGS[name], lines=file))
    assert found == silver(read(LOGS[name], lines=lines))[0]
    assert counts.filter(pl.col("kept_source_id") != pl.col("source_id")).is_empty()


@pytest.mark.long
@pytest.mark.parametrize("name", OF_LINES)
def test_a_file_that_was_appended_to_itself_counts_once(name: str) -> None:
    lines = LOGS[name].lines[:150]
    whole, before = silver(read(LOGS[name], lines=lines))
    assert before.is_empty()
    for times in (2, 3):
        found, counts = silver(read(LOGS[name], lines=lines * times))
        assert found == whole
        assert counts["copied_line_count"].sum() > 0
        formats, _ = count_once(read(LOGS[name], lines=lines * times))
        keys = assemble_rows("silver.transmission", formats, PROTECTION)["transmission_hash"]
        assert keys.is_unique().all()


@pytest.mark.parametrize("name", NAMES)
@examples(4, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000))
def test_twins_stay(name: str, seed: int) -> None:
    """No line of a log is a copy for having a twin beside it."""
    _, counts = silver(read(LOGS[name], lines=lines_of(LOGS[name], seed)))
    assert counts.is_empty()


def test_pieces_and_buckets_change_nothing() -> None:
    """Lines that are behind are known from all parts of a file, and a copy of a line lies in its bucket."""
    for name in FEW:
        lines = LOGS[name].lines[:200]
        file = [*lines, *lines[20:180]]
        bronze = {each: settle_rows(each, rows) for each, rows in read(LOGS[name], lines=file).items()}
        third = pl.col("offset") * 3 // (sum(len(line) + 1 for line in file) + 1)
        extents = pl.concat(
            copies.file_extents(rows.filter(third == n), each)
            for each, rows in bronze.items()
            for n in range(3)
        )
        logs, turned = copies.logs_of(extents), repeats.find_turns(extents)
        whole = pl.concat(copies.file_extents(rows, each) for each, rows in bronze.items())
        order = turned.columns
        assert_frame_equal(turned.sort(order), repeats.find_turns(whole).sort(order))
        kept, counts = copies.counted_once(bronze, logs, turned)
        assert counts.height
        buckets = [
            {each: rows.filter(bucket_of(rows, each, 4) == n) for each, rows in bronze.items()}
            for n in range(4)
        ]
        found = [copies.counted_once(part, logs, turned) for part in buckets]
        for each, rows in kept.items():
            in_parts = pl.concat(part[each].select(rows.columns) for part, _ in found)
            order = ["source_id", "stream_id", "offset", "first_at", "assembly_key"]
            assert_frame_equal(in_parts.sort(order), rows.sort(order).select(in_parts.columns))
        assert_frame_equal(copies.sum_counts(pl.concat(each for _, each in found)), counts)


def test_two_hosts_clocks_turn_nothing_back() -> None:
    """A relay's file has lines of a host whose clock is late: its twins stay."""
    line = (
        "2026-11-24T10:00:{:02d}+00:00 {} postfix/smtpd[{}]: NOQUEUE: reject: RCPT from unknown[192.0.2.9]:"
    )
    line += (
        " 554 5.7.1 <u@own.example>: Relay access denied; from=<a@x.example> to=<u@own.example> proto=SMTP"
    )
    lines = [
        line.format(second + late, host, pid)
        for second in range(20)
        for host, late, pid in (
            ("mx1", 5, second),
            ("mx2", 0, 100 + second // 2),
            ("mx2", 0, 100 + second // 2),
        )
    ]
    found, counts = silver(read(LOGS["postfix, ISO"], lines=lines))
    assert counts.is_empty()
    assert found.total() > 0
