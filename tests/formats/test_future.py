"""Stamps from the future, in every format: the line is quarantined, and closes no day."""

import datetime as dt
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from jobs.core.lines import frame_lines
from jobs.formats import AHEAD
from jobs.formats.registry import FORMATS, recognise_format
from jobs.ingest.reading import Parsed, Range, parse_block
from tests.formats.test_formats import LOGS
from tests.support.filter_logs import LAB, lab, source
from tests.support.samples import files_of
from tests.support.samples.forms import Log


def read(
    name: str, lines: list[str], latest_at: dt.datetime | None, options: dict[str, Any] | None = None
) -> Parsed:
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    about = replace(source(options=options or {}), latest_at=latest_at)
    return parse_block(frame_lines(data, 0), Range("", 0, len(data), "p", 0, about), name, "1")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_record_from_the_future_is_quarantined(name: str) -> None:
    # A companion's lines stand in the log of another format; of some, only the sample has lines.
    logs = [Log(str(recognise_format((LAB / log).read_bytes()[:65_536])[0]), lab(log)) for log in LOGS[name]]
    logs += files_of(name).values()
    found_any = False
    for log in logs:
        whole = read(log.format, log.lines, None, log.options)
        if name not in whole.rows or whole.rows[name].is_empty():
            continue
        found_any = True
        newest: Any = whole.rows[name]["first_at"].max()
        # All were written in time: nothing changes.
        same = read(log.format, log.lines, newest + AHEAD, log.options)
        assert same.count.equals(whole.count)
        # The whole log is from the future.
        none = read(log.format, log.lines, dt.datetime(2026, 2, 1, tzinfo=dt.UTC), log.options)
        has = {key: frame.height for key, frame in none.rows.items()}
        # A run of opendmarc's history whose time is not known has that of its file.
        assert all(count == 0 for key, count in has.items() if key != "opendmarc_history"), has
        before, after = (each.count.row(0, named=True) for each in (whole, none))
        counts = ("record_count", "ignored_count", "quarantined_count")
        assert sum(after[each] for each in counts) == after["line_count"] == before["line_count"]
        assert after["ignored_count"] == before["ignored_count"]
        found = none.quarantined.filter(reason_code="from_the_future")
        assert found.height == before["record_count"] - after["record_count"] > 0
        assert name in set(found["format_code"])
        # Of the text as much is kept as of any quarantined line.
        assert found["line_text"].is_not_null().all()
    assert found_any


@pytest.mark.parametrize("name", ["postfix", "kannel", "exim", "rspamd"])
def test_one_line_from_the_future_leaves_the_others(name: str) -> None:
    # Of a filter, its own log: in a mail server's its lines are few, or none.
    read_all = [(lines, read(name, lines, None)) for log in LOGS[name] for lines in [lab(log)]]
    dated = [(lines, found) for lines, found in read_all if any("2026" in line for line in lines)]
    lines, whole = max(dated, key=lambda each: each[1].rows[name].height)
    offsets = whole.rows[name]["offset"].to_list()
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode("utf-8", "surrogatepass")) + 1)
    place = next(n for n, start in enumerate(starts[:-1]) if start in offsets and "2026" in lines[n])
    wrong = [*lines[:place], lines[place].replace("2026", "2036", 1), *lines[place + 1 :]]
    spoilt = read(name, wrong, dt.datetime(2026, 12, 1, tzinfo=dt.UTC))
    assert spoilt.quarantined.filter(reason_code="from_the_future")["offset"].to_list() == [starts[place]]
    assert spoilt.count["last_event_date"].to_list() == whole.count["last_event_date"].to_list()
    assert spoilt.count["record_count"].item() == whole.count["record_count"].item() - 1


def test_a_document_of_rows_is_refused_as_a_whole() -> None:
    row = '{"unix_time":%d,"message-id":"a@b.example","action":"no action","score":1.0,"required_score":15}'
    day = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    times = [int(at.timestamp()) for at in (day, day.replace(year=2036))]
    document = "[" + ",".join(row % at for at in times) + "]"
    read_at = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    parsed = read("rspamd_history", [document, row % times[0]], read_at)
    assert parsed.quarantined["reason_code"].to_list() == ["from_the_future"]
    assert parsed.rows["rspamd_history"]["first_at"].to_list() == [day]
    assert isinstance(parsed.rows["rspamd_history"], pl.DataFrame)
