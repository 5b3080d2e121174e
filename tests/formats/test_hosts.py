"""Logs of a log host: lines that it wrapped once more, and lines of several machines in one file."""

import datetime as dt
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from jobs.formats import LINES, Source, amavis, opendkim, postfix, spamassassin
from jobs.formats.sip import kamailio
from tests.conftest import ROOT
from tests.support.mixed import by_relay

LAB = ROOT / "sample_data" / "lab"
MAIL, CALLS = LAB / "postfix" / "mail.iso8601.log", LAB / "kamailio" / "kamailio.rfc3164.log"
SOURCE = Source("lab", "loghost", "a", dt.datetime(2026, 11, 25, tzinfo=dt.UTC))


def parsed(kernel: ModuleType, lines: list[str]) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    found: pl.DataFrame = kernel.parse(frame, SOURCE).collect()
    return found


def bronze(kernel: ModuleType, lines: list[str]) -> pl.LazyFrame:
    place = (pl.lit(value).alias(name) for name, value in (("operator_id", "lab"), ("source_id", "loghost")))
    rows = parsed(kernel, lines).filter(pl.col("line_code") == "record")
    assembled: pl.LazyFrame = kernel.assemble(rows.with_columns(*place, stream_id=pl.lit("a")).lazy())
    return assembled


@pytest.mark.parametrize(
    ("kernel", "log"),
    [(postfix, MAIL), (amavis, MAIL), (spamassassin, MAIL), (opendkim, MAIL), (kamailio, CALLS)],
)
def test_wrapped_lines_tell_what_they_told_before(kernel: ModuleType, log: Path) -> None:
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
