"""Small files that are parsed together give what each gives alone."""

import datetime as dt
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import fsspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats import Source
from jobs.operators.formats.options import complete_options
from jobs.operators.formats.registry import DOCUMENTS, FORMATS, recognise_format
from jobs.operators.ingest import parsing
from jobs.operators.ingest.parsing import Parsed, read_ranges
from jobs.operators.ingest.piece_ranges import Range
from jobs.operators.ingest.small_files import small_together
from tests.conftest import ROOT
from tests.support.examples import examples
from tests.support.filter_logs import LAB, NEWEST, lab
from tests.support.samples import SAMPLES, lines_of

FS = fsspec.filesystem("file")
OPTIONS = {"delimited": complete_options("delimited", {"profile": "sms_firewall"}, ROOT)}
HOUR = dt.timedelta(hours=1)
# Hours after the log's end that a file was written at, and that its stamps may have after that.
WRITTEN = st.sampled_from([0, 0, 1, 3, 30, 40, -24 * 200])
AHEAD = st.sampled_from([48, 48, 48, -1, -24 * 365])
ENDS = st.sampled_from(["\n", "\n", "\n", "", "\r\n", "\n\n"])
STARTS = st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b"\xff caf\xe9\n", b"\r\n"])


@cache
def logs_of_hosts() -> dict[str, list[str]]:
    """The lines of each format, of a host: its filters' lines, too. Many of these logs are of an hour."""
    logs = {name: lines_of(name) for name in FORMATS}
    for path in sorted(each for each in LAB.rglob("*") if each.is_file()):
        name, _ = recognise_format(path.read_bytes()[:65_536])
        if name in FORMATS:
            logs[name] = logs[name] + lab(str(path.relative_to(LAB)))[:2000]
    return logs


def file_of(folder: Path, number: int, data: bytes, kind: str, written: int = 0, ahead: int = 48) -> Range:
    path = folder / str(number)
    path.write_bytes(data)
    newest_at = NEWEST + written * HOUR
    source = Source(
        "a",
        "s",
        f"t{number}",
        newest_at,
        options=OPTIONS.get(kind, {}),
        latest_at=newest_at + ahead * HOUR,
    )
    place = str(path), 0, len(data), f"t{number}-0", number * 7
    return Range(*place, source, dt.date(2026, 11, 24), path.name, 1 << 20, (), kind)


def told(read: Iterable[Parsed]) -> dict[str, list[str]]:
    """All that is told, in one order."""
    found: dict[str, list[str]] = {}
    for parsed in read:
        for name, frame in {"quarantined": parsed.quarantined, "counts": parsed.count, **parsed.rows}.items():
            kinds = dict(frame.schema)
            found.setdefault(f"{name} {kinds}", []).extend(map(str, frame.rows()))
    # A format without rows may be named or not.
    return {name: sorted(rows) for name, rows in found.items() if rows}


def each_alone(ranges: list[Range]) -> Iterator[Parsed]:
    return (parsed for each in ranges for parsed in read_ranges(FS, [each], "batch"))


def assert_told_alike(ranges: list[Range]) -> None:
    assert told(read_ranges(FS, ranges, "batch")) == told(each_alone(ranges))


@pytest.mark.parametrize(("hours", "count"), [(24, 1), (25, 2), (-24, 1), (-25, 2)])
def test_files_written_within_a_day_are_read_together(tmp_path: Path, hours: int, count: int) -> None:
    ranges = [file_of(tmp_path, number, b"a\n", "postfix", number * hours) for number in range(2)]
    assert len(list(small_together([(each, b"a\n", 0) for each in ranges], 100))) == count


@pytest.mark.parametrize(("limit", "sizes"), [(9, [3]), (8, [2, 1]), (6, [2, 1]), (5, [1, 1, 1])])
def test_small_files_are_read_together_up_to_a_limit_of_bytes(
    tmp_path: Path, limit: int, sizes: list[int]
) -> None:
    ranges = [file_of(tmp_path, number, b"ab\n", "postfix") for number in range(3)]
    found = small_together([(each, b"ab\n", 0) for each in ranges], limit)
    assert [len(each) for each in found] == sizes


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(FORMATS))
@examples(12)
@given(data=st.data(), small=st.sampled_from([300, 3000, 1 << 20]))
def test_small_logs_give_together_what_each_gives_alone(name: str, data: st.DataObject, small: int) -> None:
    """Any cuts of a log into files, of any times, some damaged, with lines of years and days that differ."""
    lines = logs_of_hosts()[name]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "SMALL", small)
        ranges = []
        begin = data.draw(st.integers(0, max(len(lines) - 60, 0)))
        for number in range(data.draw(st.integers(2, 9))):
            size = data.draw(st.integers(0, 9))
            some = lines[begin : begin + size]
            begin += data.draw(st.sampled_from([size, size, size, 0, 1]))
            text = "\n".join(some) + data.draw(ENDS)
            content = data.draw(STARTS) + text.encode("utf-8", "surrogatepass")
            ranges.append(file_of(Path(folder), number, content, name, data.draw(WRITTEN), data.draw(AHEAD)))
        assert_told_alike(data.draw(st.permutations(ranges)))


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
@examples(12)
@given(data=st.data(), small=st.sampled_from([300, 1 << 20]))
def test_documents_give_together_what_each_gives_alone(name: str, data: st.DataObject, small: int) -> None:
    """Reports whole and damaged, some twice, some of the future, one too large."""
    canaries = SAMPLES[name].canaries[0]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "SMALL", small)
        ranges = []
        for number in range(data.draw(st.integers(2, 7))):
            content = canaries.entry(100 + data.draw(st.integers(0, 3))).encode()
            cut = data.draw(st.sampled_from([1.0, 1.0, 0.5, 0.0]))
            content = content[: int(len(content) * cut)]
            part = file_of(Path(folder), number, content, name, ahead=data.draw(AHEAD))
            ranges.append(replace(part, limit_bytes=data.draw(st.sampled_from([1 << 20, 1 << 20, 1]))))
        assert_told_alike(ranges)


def test_a_file_of_another_year_is_read_by_its_own(tmp_path: Path) -> None:
    """A stamp without a year, in files of which one was written before it: the year before, there."""
    line = next(each for each in lab("postfix/mail.rfc3164.log") if "queue active" in each)
    data = f"Dec  1 00:00:00{line[15:]}\n".encode()
    hours = {0: 4 * 24 + 10, 1: 5 * 24}
    ranges = [file_of(tmp_path, each, data, "postfix", hours[each], 24 * 30) for each in hours]
    found = pl.concat(parsed.count for parsed in read_ranges(FS, ranges, "batch"))
    days = dict(found.select("piece_key", "first_event_date").rows())
    assert days == {"a/s/t0-0": dt.date(2025, 12, 1), "a/s/t1-0": dt.date(2026, 12, 1)}


def test_a_kernel_is_called_for_many_small_files_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    own = parsing.parse_records

    def counted(kernel: Any, lines: pl.DataFrame, source: Source) -> Any:
        calls.append(lines.height)
        return own(kernel, lines, source)

    monkeypatch.setattr(parsing, "parse_records", counted)
    lines = lab("postfix/mail.iso8601.log")
    ranges = [
        file_of(tmp_path, number, f"{line}\n".encode(), "postfix") for number, line in enumerate(lines[:200])
    ]
    assert sum(parsed.count["line_count"].sum() for parsed in read_ranges(FS, ranges, "batch")) == 200
    assert calls == [200]
