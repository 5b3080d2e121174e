"""Ingest without Spark: ranges of bytes own each line once, and each line is accounted for."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import re
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import config, ingest, reading
from jobs.formats import Source
from jobs.formats.registry import FORMATS
from jobs.pull import Piece, Stream
from jobs.reading import KEPT_OF_LINE, LONGEST_LINE, Range, blocks, frame_of, read_range
from tests.conftest import ROOT

LAB = ROOT / "sample_data" / "lab"
LOGS = {
    "postfix": [LAB / "postfix" / f"mail.{name}.log" for name in ("iso8601", "rfc3164", "rfc5424")],
    "rspamd": [LAB / "postfix" / "rspamd.log"],
    "kannel": [LAB / "kannel" / "bearerbox-access.log"],
}
FILES = [(name, path) for name, paths in LOGS.items() for path in paths]
IDS = [path.name for _, path in FILES]
FS = fsspec.filesystem("file")
COUNTS = ("line_count", "record_count", "ignored_count", "quarantined_count")


def ranges(path: Path, size: int, step: int, offset: int = 0) -> list[Range]:
    """The ranges that ranges_of cuts a piece into when RANGE is `step`."""
    operator = config.Operator(id="a", name="A", country="CHE", holding="a", currency="CHF")
    source = config.Source(id="s", url="unused")
    piece = Piece("t-0", str(path), offset, size, "2026-11-24T15:00:00", "2026-11-24T15:00:00+00:00", "log")
    stream = Stream("t", "postfix", size, "", "", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest, "RANGE", step)
        return ingest.ranges_of([("a/s/t-0", operator, source, stream, piece)])


def cut(path: Path, data: bytes, step: int, part: int, offset: int = 0) -> pl.DataFrame:
    """The lines of a file as all of its ranges give them."""
    path.write_bytes(data)
    frames = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "PART", part)
        for each in ranges(path, len(data), step, offset):
            frames += [frame_of(block, start) for block, start in blocks(FS, each)]
    return pl.concat(frames)


def by_hand(data: bytes, offset: int = 0) -> list[tuple[int, int, bytes]]:
    """Offset, length and bytes of each line, told by the line feeds alone."""
    lines = []
    for line in data.split(b"\n"):
        lines.append((offset, len(line) + 1, line))
        offset += len(line) + 1
    *whole, (start, length, last) = lines
    return [*whole, (start, length - 1, last)] if last else whole


def text_of(line: bytes) -> str:
    try:
        return line.rstrip(b"\r").decode("utf-8")
    except UnicodeDecodeError:
        return line.rstrip(b"\r").decode("latin-1")


PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"\r", b"\0", b"a", b"bcdefgh", "é€😀".encode(), b"\xe9", b"\xf0\x9f", b"\xff", b" \t"]
)
BYTES = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=60).map(b"".join))


@settings(max_examples=400, deadline=None)
@given(data=BYTES.filter(len), step=st.integers(1, 64), part=st.integers(1, 40), offset=st.integers(0, 2**40))
def test_ranges_of_any_size_own_each_line_once(data: bytes, step: int, part: int, offset: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = cut(Path(folder) / "piece", data, step, part, offset)
    wanted = by_hand(data, offset)
    assert list(zip(found["offset"], found["line_bytes"], strict=True)) == [each[:2] for each in wanted]
    assert found["line"].to_list() == [text_of(line) for *_, line in wanted]
    assert found.schema == {"offset": pl.Int64, "line": pl.String, "line_bytes": pl.Int64}


@pytest.mark.parametrize("step", [1 << 20, 3_333_333, 32 << 20])
@pytest.mark.parametrize("part", [100_000, 16 << 20])
def test_a_line_of_ten_megabytes(tmp_path: Path, step: int, part: int) -> None:
    data = b"before\n" + b"x" * 10_000_000 + b"\nafter\n"
    found = cut(tmp_path / "piece", data, step, part)
    assert found["offset"].to_list() == [0, 7, 10_000_008]
    assert found["line_bytes"].to_list() == [7, 10_000_001, 6]
    assert found["line"].str.len_bytes().to_list() == [6, 10_000_000, 5]


def batch(folder: Path, path: Path, name: str, step: int, part: int = 16 << 20) -> dict[str, Any]:
    """What the tasks of a file's ranges give: bronze rows, counts, quarantine."""
    rows = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "PART", part)
        for each in ranges(path, path.stat().st_size, step):
            for out in read_range(FS, each, name, str(folder), "20261124T150000"):
                rows.append(pl.from_arrow(out))
    counts = pl.concat([pl.read_parquet(file) for file in sorted(folder.glob("counts/*.parquet"))])
    files = sorted(folder.glob("quarantine/*.parquet"))
    quarantine = pl.concat([pl.read_parquet(file) for file in files]) if files else pl.DataFrame()
    return {
        "rows": pl.concat(rows) if rows else pl.DataFrame(),
        "quarantine": quarantine,
        **{count: counts[count].sum() for count in COUNTS},
    }


def conserved(done: dict[str, Any], data: bytes) -> None:
    """The counts add up to the lines of the file, and the quarantine holds what they say."""
    lines = by_hand(data)
    assert done["line_count"] == len(lines)
    assert done["line_count"] == sum(done[name] for name in COUNTS[1:])
    quarantine = done["quarantine"]
    assert quarantine.height == done["quarantined_count"]
    if quarantine.height:
        known = {offset: (length, text_of(line)[:KEPT_OF_LINE]) for offset, length, line in lines}
        kept = quarantine.select("offset", "line_bytes", "line_text").rows()
        assert len({offset for offset, *_ in kept}) == len(kept)
        assert all(known[offset] == (length, text) for offset, length, text in kept)
        assert quarantine["reason_code"].null_count() == 0


@settings(max_examples=60, deadline=None)
@given(data=BYTES.filter(len), name=st.sampled_from(sorted(FORMATS)), step=st.integers(10, 64))
def test_any_bytes_are_accounted_for(data: bytes, name: str, step: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece"
        path.write_bytes(data)
        conserved(batch(Path(folder) / "staging", path, name, step), data)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A log with bytes flipped, lost and doubled, NULs, CRLF, Latin-1, a cut end, lines swapped."""
    spoilt = bytearray(data)
    for _ in range(chance.randrange(1, 300)):
        place = chance.randrange(len(spoilt))
        act = chance.randrange(7)
        if act == 0:
            spoilt[place] ^= 1 << chance.randrange(8)
        elif act == 1:
            del spoilt[place : place + chance.randrange(1, 200)]
        elif act == 2:
            spoilt[place:place] = spoilt[place : place + chance.randrange(1, 200)]
        elif act == 3:
            spoilt[place:place] = bytes(chance.randrange(1, 30))
        elif act == 4:
            spoilt[place:place] = chance.choice([b"\r", b"\r\n", b"\n", b"\n\n"])
        elif act == 5:
            spoilt[place:place] = chance.choice([b"\xe9", b"\xff\xfe", b"\xc3", "😀".encode()])
        else:
            spoilt[place:place] = chance.choice([b"[", b"]", b": ", b"=", b"<>", b"9" * 30])
    return bytes(spoilt[: -chance.randrange(1, 40)])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "log"), FILES, ids=IDS)
def test_a_damaged_log_is_accounted_for(tmp_path: Path, name: str, log: Path, seed: int) -> None:
    data = damaged(log.read_bytes(), random.Random(seed))
    path = tmp_path / "piece"
    path.write_bytes(data)
    done = batch(tmp_path / "staging", path, name, 90_000, 30_000)
    conserved(done, data)
    assert done["record_count"] > 0


@pytest.mark.parametrize(("name", "log"), FILES, ids=IDS)
def test_a_whole_log_has_no_quarantine(tmp_path: Path, name: str, log: Path) -> None:
    done = batch(tmp_path / "staging", log, name, 60_000)
    conserved(done, log.read_bytes())
    assert done["quarantined_count"] == 0
    assert done["record_count"] >= done["rows"].height > 0


@pytest.mark.parametrize("other", sorted(FORMATS))
@pytest.mark.parametrize(("name", "log"), FILES, ids=IDS)
def test_a_wrong_format_tells_of_no_message(tmp_path: Path, name: str, log: Path, other: str) -> None:
    """A log read by another's format is conserved, and gives no row; most of it is quarantined."""
    if other == name:
        return
    done = batch(tmp_path / "staging", log, other, 60_000)
    conserved(done, log.read_bytes())
    assert done["rows"].height == 0
    assert done["quarantined_count"] > done["line_count"] / 2


def test_a_line_too_long_is_quarantined_with_its_reason(tmp_path: Path) -> None:
    real = LOGS["kannel"][0].read_bytes()
    at_limit = b"y" * (LONGEST_LINE - 1) + b"\n"
    too_long = b"x" * LONGEST_LINE + b"\n"
    data = real + too_long + at_limit + real.replace(b"[from:", b"[from:1")
    path = tmp_path / "piece"
    path.write_bytes(data)
    done = batch(tmp_path / "staging", path, "kannel", 500_000, 100_000)
    conserved(done, data)
    reasons = dict(done["quarantine"].select("offset", "reason_code").rows())
    assert reasons[len(real)] == "too_long"
    assert Counter(reasons.values())["too_long"] == 1
    assert set(reasons) == {len(real), len(real) + len(too_long)}
    assert done["quarantine"]["line_text"].str.len_chars().max() == KEPT_OF_LINE


@pytest.mark.parametrize(("name", "log"), FILES, ids=IDS)
def test_a_task_that_runs_twice_leaves_the_same_files(tmp_path: Path, name: str, log: Path) -> None:
    path = tmp_path / "piece"
    path.write_bytes(damaged(log.read_bytes(), random.Random(1)))

    def digests() -> dict[str, str]:
        batch(tmp_path / "staging", path, name, path.stat().st_size // 2 + 1, 20_000)
        files = sorted((tmp_path / "staging").rglob("*.parquet"))
        return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    first = digests()
    assert len(first) > 2
    assert digests() == first
    tables = [pq.read_table(file) for file in first if "/quarantine/" in file]
    assert all(table.num_rows for table in tables)


def told_apart(log: Path, folder: Path) -> Path:
    """The log without the lines that smtpd links to a queue file only by writing them beside each other.

    A cut between a hold or discard and the queue file's first line parts the two; the Postfix format
    names this among its limits.
    """
    lines = log.read_bytes().splitlines(keepends=True)
    path = folder / log.name
    path.write_bytes(b"".join(line for line in lines if not re.search(rb"NOQUEUE: (hold|discard): ", line)))
    return path


def together(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """What silver's first step makes of bronze rows."""
    kernel = FORMATS[name]
    final = kernel.verdicts if hasattr(kernel, "verdicts") else kernel.transmissions
    return final(kernel.assemble(rows.drop("ingest_id", "event_date").lazy())).collect()


def assembled_rows(name: str, rows: pl.DataFrame) -> list[str]:
    """Bronze rows assembled once more, as sorted text."""
    done = FORMATS[name].assemble(rows.drop("ingest_id", "event_date").lazy()).collect()
    return sorted(str(row) for row in done.select(sorted(done.columns)).iter_rows())


@pytest.mark.parametrize(("name", "log"), FILES, ids=IDS)
def test_bronze_does_not_depend_on_where_ranges_are_cut(tmp_path: Path, name: str, log: Path) -> None:
    """Assembled once more, the rows of many small ranges are those of one."""
    log = told_apart(log, tmp_path)
    whole = batch(tmp_path / "whole", log, name, 1 << 30)["rows"]
    wanted = assembled_rows(name, whole)
    last = [str(row) for row in together(name, whole).iter_rows()]
    assert len(last) > 10
    for number, (step, part) in enumerate([(1 << 30, 6_000), (9_001, 1 << 30), (20_011, 3_001)]):
        many = batch(tmp_path / str(number), log, name, step, part)["rows"]
        assert many.height >= whole.height
        assert assembled_rows(name, many) == wanted
        # Nor on the order in which the tasks end.
        shuffled = many.sample(fraction=1, shuffle=True, seed=number)
        assert sorted(str(row) for row in together(name, shuffled).iter_rows()) == sorted(last)


def test_the_lines_of_a_later_piece_keep_their_place_in_the_stream(tmp_path: Path) -> None:
    """A log landed in two pieces gives the rows that it gives in one."""
    log = told_apart(LOGS["postfix"][0], tmp_path)
    data = log.read_bytes()
    middle = data.index(b"\n", len(data) // 2) + 1
    wanted = assembled_rows("postfix", batch(tmp_path / "whole", log, "postfix", 1 << 30)["rows"])
    rows = []
    for number, (start, end) in enumerate([(0, middle), (middle, len(data))]):
        path = tmp_path / f"piece{number}"
        path.write_bytes(data[start:end])
        for each in ranges(path, end - start, 70_000, start):
            own = replace(each, number=each.number + 100 * number)
            rows += [
                pl.from_arrow(out) for out in read_range(FS, own, "postfix", str(tmp_path / "out"), "id")
            ]
    assert assembled_rows("postfix", pl.concat(rows)) == wanted


def test_the_event_dates_of_a_range_are_those_of_its_rows(tmp_path: Path) -> None:
    done = batch(tmp_path / "staging", LOGS["kannel"][0], "kannel", 5000)
    counts = pl.concat([pl.read_parquet(file) for file in (tmp_path / "staging").glob("counts/*.parquet")])
    dates = (counts["first_event_date"].min(), counts["last_event_date"].max())
    assert dates == (done["rows"]["event_date"].min(), done["rows"]["event_date"].max())
    assert dates[0] == dt.date(2026, 11, 24)
    assert counts["piece_key"].unique().to_list() == ["a/s/t-0"]


def test_records_of_closed_days_are_counted_as_late(tmp_path: Path) -> None:
    lines = b"2026-11-24 10:00:00 Log begins\n" + b"".join(
        f"2026-{month}-24 10:00:0{second} Receive SMS [SMSC:A] [SVC:] [ACT:] [BINF:] [FID:] [META:] "
        f"[from:+44770090000{second}] [to:+447700900100] [flags:-1:0:-1:0:-1] [msg:2:hi] [udh:0:]\n".encode()
        for month, second in (("09", 1), ("11", 2), ("11", 3))
    )
    source = Source("op", "src", "st", dt.datetime(2026, 11, 25, tzinfo=dt.UTC))
    part = Range(0, "", 0, len(lines), "st-0", 0, source, dt.date(2026, 10, 20))
    count = reading.parse_block(frame_of(lines, 0), part, "kannel", "batch").count
    assert count.select("line_count", "record_count", "ignored_count", "late_count").row(0) == (4, 3, 1, 1)
