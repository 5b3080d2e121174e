"""Ingest: ranges of bytes own each line once, and each line is accounted for."""

import datetime as dt
import io
import random
import re
import tempfile
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.base.settings.operator import Operator
from jobs.base.settings.operator import SourceSettings as SourceSettings
from jobs.base.tables.contracts import polars_schema
from jobs.operators.build.ranges import ranges_of
from jobs.operators.formats import Source, registry
from jobs.operators.formats.options import complete_options
from jobs.operators.formats.registry import COMPANIONS, DOCUMENTS, FORMATS
from jobs.operators.formats.shared.lines import LONGEST_LINE, frame_lines
from jobs.operators.ingest import parsing
from jobs.operators.ingest.manifest import Piece, Stream
from jobs.operators.ingest.parsing import KEPT_OF_LINE, read_blocks, read_ranges
from jobs.operators.ingest.piece_ranges import Range
from tests.conftest import ROOT
from tests.support.examples import examples

LAB = ROOT / "sample_data" / "lab"
LOGS = {
    "postfix": [LAB / "postfix" / f"mail.{name}.log" for name in ("iso8601", "rfc3164", "rfc5424")],
    "rspamd": [LAB / "postfix" / "rspamd.log"],
    "kannel": [LAB / "kannel" / "bearerbox-access.log"],
}
FILES = [(name, path) for name, paths in LOGS.items() for path in paths]
IDS = [path.name for _, path in FILES]
FS = fsspec.filesystem("file")
# Rows and verdicts of the filters that wrote in each mail log of the laboratory.
FILTER_ROWS = {"amavis": 21, "opendkim": 68, "spamassassin": 42}
FILTER_VERDICTS = {"amavis": 21, "opendkim": 45, "spamassassin": 21}
COUNTS = ("line_count", "record_count", "ignored_count", "quarantined_count")


# Formats that cannot be read without an option.
OPTIONS = {"delimited": complete_options("delimited", {"profile": "sms_firewall"}, ROOT)}


def ranges(
    path: Path, size: int, step: int, offset: int = 0, name: str = "postfix", **settings: Any
) -> list[Range]:
    """The ranges that ranges_of cuts a piece into when a range has `step` bytes."""
    operator = Operator(id="a", name="A", country="CHE", holding="a", currency="CHF")
    source = SourceSettings(id="s", url="unused", format=name, options=OPTIONS.get(name, {}), **settings)
    piece = Piece(
        "t-0", str(path), offset, size, "2026-11-24T15:00:00+00:00", "2026-11-24T15:00:00+00:00", "log"
    )
    stream = Stream("t", name, size, "", "", 0)
    return ranges_of([("a/s/t-0", operator, source, stream, piece)], range_bytes=step)


def test_a_source_of_national_numbers_is_read_by_the_operators_country(tmp_path: Path) -> None:
    assert ranges(tmp_path, 1, 1)[0].source.numbers_of is None
    assert ranges(tmp_path, 1, 1, name="kannel", numbers="national")[0].source.numbers_of == "CHE"
    assert ranges(tmp_path, 1, 1, name="knowledge", numbers="national")[0].source.numbers_of == "CHE"


def cut(path: Path, data: bytes, step: int, part: int, offset: int = 0) -> pl.DataFrame:
    """The lines of a file as all of its ranges give them."""
    path.write_bytes(data)
    frames = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "PART", part)
        for each in ranges(path, len(data), step, offset):
            frames += [frame_lines(block, start) for block, start in read_blocks(FS, each)]
    return pl.concat(frames)


def by_hand(data: bytes, offset: int = 0) -> list[tuple[int, int, bytes]]:
    """Offset, length and bytes of each line, by its LF, CR LF or lone CR."""
    lines = []
    for line in re.split(rb"(?<=\n)|(?<=\r)(?=[^\r\n])", data):
        if line:
            lines.append((offset, len(line), line))
        offset += len(line)
    return lines


def text_of(line: bytes) -> str:
    try:
        return line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError:
        return line.rstrip(b"\r\n").decode("latin-1")


PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"\r", b"\0", b"a", b"bcdefgh", "é€😀".encode(), b"\xe9", b"\xf0\x9f", b"\xff", b" \t"]
)
BYTES = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=60).map(b"".join))


@examples(400)
@example(b"\xef\xbb\xbf", 1, 1, 0)
@example(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", 64, 40, 0)
@example(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", 5, 40, 0)
@given(data=BYTES.filter(len), step=st.integers(1, 64), part=st.integers(1, 40), offset=st.integers(0, 2**40))
def test_ranges_of_any_size_own_each_line_once(data: bytes, step: int, part: int, offset: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = cut(Path(folder) / "piece", data, step, part, offset)
    wanted = by_hand(data, offset)
    assert list(zip(found["offset"], found["line_bytes"], strict=True)) == [each[:2] for each in wanted]
    texts = [text_of(line) for *_, line in wanted]
    # The mark of a file's encoding is none of its first line's text.
    if offset == 0:
        texts[0] = texts[0].removeprefix("\ufeff")
    assert found["line"].to_list() == texts
    assert found.schema == {"offset": pl.Int64, "line": pl.String, "line_bytes": pl.Int64}


@pytest.mark.parametrize("step", [1 << 20, 3_333_333, 32 << 20])
@pytest.mark.parametrize("part", [100_000, 16 << 20])
def test_a_line_of_ten_megabytes(tmp_path: Path, step: int, part: int) -> None:
    data = b"before\n" + b"x" * 10_000_000 + b"\nafter\n"
    found = cut(tmp_path / "piece", data, step, part)
    assert found["offset"].to_list() == [0, 7, 10_000_008]
    assert found["line_bytes"].to_list() == [7, 10_000_001, 6]
    assert found["line"].str.len_bytes().to_list() == [6, 10_000_000, 5]


def batch(path: Path, name: str, step: int, part: int = 16 << 20) -> dict[str, Any]:
    """Return the result of a file's ranges: bronze rows, its own and companions', counts, quarantine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "PART", part)
        return joined(ranges(path, path.stat().st_size, step, name=name), name)


def joined(parts: list[Range], name: str) -> dict[str, Any]:
    """Join the results of ranges of one format."""
    read = [parsed for each in parts for parsed in read_ranges(FS, [each], "20261124T150000")]
    rows: dict[str, list[pl.DataFrame]] = {}
    for parsed in read:
        for each, frame in parsed.rows.items():
            if frame.height:
                rows.setdefault(each, []).append(frame)
    found = {each: pl.concat(frames) for each, frames in rows.items()}
    counts = pl.concat(parsed.count for parsed in read)
    return {
        "rows": found.pop(name, pl.DataFrame()),
        "companions": dict(sorted(found.items())),
        "quarantine": pl.concat(parsed.quarantined for parsed in read),
        "counts": counts,
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


@examples(60)
@given(data=BYTES.filter(len), name=st.sampled_from(sorted(FORMATS)), step=st.integers(10, 64))
def test_any_bytes_are_accounted_for(data: bytes, name: str, step: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece"
        path.write_bytes(data)
        conserved(batch(path, name, step), data)


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
    done = batch(path, name, 90_000, 30_000)
    conserved(done, data)
    assert done["record_count"] > 0


@pytest.mark.parametrize(("name", "log"), FILES, ids=IDS)
def test_a_whole_log_has_no_quarantine(tmp_path: Path, name: str, log: Path) -> None:
    done = batch(log, name, 60_000)
    conserved(done, log.read_bytes())
    assert done["quarantined_count"] == 0
    assert done["record_count"] >= done["rows"].height > 0


# Formats whose lines stand among those of other programs: what is not theirs they ignore.
# Rspamd also has logs of its own, in which other programs' lines are none of its format.
AMONG_OTHERS = {"kamailio", *(each.name for each in COMPANIONS)} - {"rspamd"}


@pytest.mark.parametrize("other", sorted(set(FORMATS) - AMONG_OTHERS))
@pytest.mark.parametrize(("name", "log"), FILES, ids=IDS)
def test_a_wrong_format_tells_of_no_message(tmp_path: Path, name: str, log: Path, other: str) -> None:
    """A log read by another's format is conserved, and gives no row; most of it is quarantined."""
    if other == name:
        return
    done = batch(log, other, 60_000)
    conserved(done, log.read_bytes())
    assert done["rows"].height == 0
    assert done["quarantined_count"] > done["line_count"] / 2


@pytest.mark.parametrize("other", sorted(AMONG_OTHERS))
@pytest.mark.parametrize(("name", "log"), FILES, ids=IDS)
def test_a_format_of_lines_among_others_takes_its_own(
    tmp_path: Path, name: str, log: Path, other: str
) -> None:
    done = batch(log, other, 60_000)
    conserved(done, log.read_bytes())
    assert done["rows"].height == (FILTER_ROWS.get(other, 0) if name == "postfix" else 0)
    # Kamailio writes by syslog alone: in a log of another shape it knows no line.
    is_syslog = name == "postfix" or other != "kamailio"
    assert done["quarantined_count"] == (0 if is_syslog else done["line_count"])


def alone(monkeypatch: pytest.MonkeyPatch, path: Path, name: str) -> dict[str, Any]:
    """Return the result of the host's kernel without companions."""
    with monkeypatch.context() as patch:
        patch.setattr(registry, "COMPANIONS", ())
        return batch(path, name, 60_000)


@pytest.mark.parametrize("log", LOGS["postfix"], ids=[path.name for path in LOGS["postfix"]])
def test_lines_of_filters_in_a_mail_log_become_records_of_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Path
) -> None:
    host = alone(monkeypatch, log, "postfix")
    done = batch(log, "postfix", 60_000)
    conserved(done, log.read_bytes())
    found = done["companions"]
    assert {name: rows.height for name, rows in found.items()} == FILTER_ROWS
    taken = sum(FILTER_ROWS.values())
    assert done["record_count"] == host["record_count"] + taken
    assert done["ignored_count"] == host["ignored_count"] - taken
    assert_frame_equal(done["rows"], host["rows"], check_row_order=False)
    # A filter's line tells of one format alone, and of none that the host has a row for.
    offsets = [offset for rows in found.values() for offset in rows["offset"]]
    assert len(offsets) == len(set(offsets)) == taken
    for name, rows in found.items():
        assert rows.schema == polars_schema(f"bronze.{name}")
        assert rows["ingest_id"].unique().to_list() == ["20261124T150000"]
        verdicts = FORMATS[name].verdicts(rows.drop("ingest_id", "event_date").lazy()).collect()
        assert verdicts["is_spam"].len() == FILTER_VERDICTS[name]


def test_a_log_without_lines_of_filters_gives_no_rows_of_theirs() -> None:
    assert batch(LOGS["kannel"][0], "kannel", 60_000)["companions"] == {}


def test_a_filters_broken_line_is_quarantined_as_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that the host ignores, or quarantines, and a companion knows as its own but cannot read."""
    data = (
        b"2026-11-24T14:00:00.000000+00:00 mx1 postfix/smtpd[7]: connect from good.example[192.0.2.10]\n"
        b"2026-11-24T14:00:01.000000+00:00 mx1 opendmarc[9]: 4bXyZ12345z: SPF(mailfrom): good.example\n"
        b"Feb 31 14:00:02 mx1 opendmarc[9]: 4bXyZ12345z: SPF(mailfrom): good.example pass\n"
        b"2026-11-24T14:00:03.000000+00:00 mx1 opendmarc[9]: 4bXyZ12345z: good.example pass\n"
        b"Feb 31 14:00:04 mx1 postfix/smtpd[7]: connect from good.example[192.0.2.10]\n"
    )
    starts = [start for start, *_ in by_hand(data)]
    path = tmp_path / "piece"
    path.write_bytes(data)
    host = alone(monkeypatch, path, "postfix")
    assert host["quarantine"]["offset"].to_list() == [starts[2], starts[4]]
    done = batch(path, "postfix", 1 << 20)
    conserved(done, data)
    columns = ("offset", "format_code", "reason_code")
    assert sorted(done["quarantine"].select(columns).rows()) == [
        (starts[1], "opendkim", "truncated"),
        (starts[2], "opendkim", "bad_timestamp"),
        (starts[4], "postfix", "bad_timestamp"),
    ]
    assert done["companions"]["opendkim"]["offset"].to_list() == [starts[3]]


def test_days_of_companions_are_days_of_the_piece(tmp_path: Path) -> None:
    lines = (
        b"2026-11-24T14:00:00.000000+00:00 mx1 postfix/qmgr[7]: 4bXyZ12345z: removed\n"
        b"2026-10-01T14:00:00.000000+00:00 mx1 opendmarc[9]: 4bXyZ12345z: good.example pass\n"
    )
    source = Source("op", "src", "st", dt.datetime(2026, 11, 25, tzinfo=dt.UTC))
    part = Range("", 0, len(lines), "st-0", 0, source, dt.date(2026, 10, 20))
    count = parsing.parse_block(frame_lines(lines, 0), part, "postfix", "batch").count
    days = ("late_count", "first_event_date", "last_event_date")
    assert count.select(days).row(0) == (1, dt.date(2026, 10, 1), dt.date(2026, 11, 24))


def test_a_kernel_may_have_longer_lines(tmp_path: Path) -> None:
    """A history of Rspamd that is one line of more than a megabyte."""
    rows = (LAB / "postfix" / "rspamd_history_redis.jsonl").read_bytes().splitlines()
    many = rows * (LONGEST_LINE // sum(map(len, rows)) + 1)
    data = b'{"rows": [' + b", ".join(many) + b'], "version": 2}\n'
    assert len(data) > LONGEST_LINE
    path = tmp_path / "piece"
    path.write_bytes(data)
    done = batch(path, "rspamd_history", 1 << 20)
    conserved(done, data)
    assert (done["record_count"], done["quarantined_count"]) == (1, 0)
    assert done["rows"].height == len(rows)


REPORTS = ROOT / "tests" / "data" / "reports"


def documents(folder: Path, name: str, data: bytes, limit: int = 1 << 20) -> dict[str, Any]:
    """Return the rows and counts of one file of documents."""
    path = folder / "piece"
    path.write_bytes(data)
    (part,) = ranges(path, len(data), 100, name=name)
    part = replace(part, limit_bytes=limit)
    done = joined([part], name)
    done["quarantine"] = done["quarantine"].to_dicts()
    assert done["line_count"] == sum(done[count] for count in COUNTS[1:])
    assert len(done["quarantine"]) == done["quarantined_count"]
    return done


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, (REPORTS / name).read_bytes())
    return file.getvalue()


def test_a_file_of_documents_is_read_whole_and_each_document_counts(tmp_path: Path) -> None:
    done = documents(tmp_path, "dmarc", zipped("rfc7489.xml", "bomb_entities.xml", "rfc9990.xml"))
    assert tuple(done[count] for count in COUNTS) == (3, 2, 0, 1)
    assert sorted(done["rows"]["offset"].unique()) == [0, 2]
    assert done["rows"].schema == polars_schema("bronze.dmarc")
    (refused,) = done["quarantine"]
    assert (refused["offset"], refused["reason_code"], refused["format_code"]) == (1, "unsafe_xml", "dmarc")
    assert refused["line_bytes"] == (REPORTS / "bomb_entities.xml").stat().st_size
    assert refused["line_text"].startswith("<?xml")
    assert refused["piece_id"] == "t-0"


def test_complaints_and_mails_that_are_none(tmp_path: Path) -> None:
    for number, (name, wanted) in enumerate(
        [("abuse.eml", (1, 1, 0, 0)), ("no_arf_part.eml", (1, 0, 0, 1)), ("dmarc_failure.eml", (1, 1, 0, 0))]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = documents(folder, "feedback", (REPORTS / name).read_bytes())
        assert tuple(done[count] for count in COUNTS) == wanted
        assert done["rows"].height == wanted[1]


def test_a_file_of_documents_beyond_the_limit_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (REPORTS / "rfc7489.xml").read_bytes()
    assert documents(tmp_path, "dmarc", data, len(data))["record_count"] == 1

    def opened(*args: Any) -> None:
        raise AssertionError("the file was given to the kernel")

    monkeypatch.setitem(DOCUMENTS, "dmarc", replace(DOCUMENTS["dmarc"], read=opened))
    (tmp_path / "large").mkdir()
    done = documents(tmp_path / "large", "dmarc", data, len(data) - 1)
    (refused,) = done["quarantine"]
    assert (refused["reason_code"], refused["line_bytes"], refused["line_text"]) == (
        "too_large",
        len(data),
        "",
    )


@examples(40)
@given(data=BYTES.filter(len), name=st.sampled_from(sorted(DOCUMENTS)))
def test_any_bytes_are_documents_accounted_for(data: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert documents(Path(folder), name, data)["line_count"] >= 1


def test_a_line_too_long_is_quarantined_with_its_reason(tmp_path: Path) -> None:
    real = LOGS["kannel"][0].read_bytes()
    at_limit = b"y" * (LONGEST_LINE - 1) + b"\n"
    too_long = b"x" * LONGEST_LINE + b"\n"
    data = real + too_long + at_limit + real.replace(b"[from:", b"[from:1")
    path = tmp_path / "piece"
    path.write_bytes(data)
    done = batch(path, "kannel", 500_000, 100_000)
    conserved(done, data)
    reasons = dict(done["quarantine"].select("offset", "reason_code").rows())
    assert reasons[len(real)] == "too_long"
    assert Counter(reasons.values())["too_long"] == 1
    assert set(reasons) == {len(real), len(real) + len(too_long)}
    assert done["quarantine"]["line_text"].str.len_chars().max() == KEPT_OF_LINE


def peak_memory() -> int:
    """The most bytes of memory that this process has held."""
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) * 1024


@pytest.mark.long
@pytest.mark.parametrize(
    ("size", "length"),
    [pytest.param(1 << 30, 100_000_000, marks=pytest.mark.long), (8_000_000, 30_000_000)],
    ids=["one range", "across ranges"],
)
def test_a_line_far_too_long_is_one_row_of_quarantine(tmp_path: Path, size: int, length: int) -> None:
    """Neighbours of the line are read as if it were not there, and memory holds it eight times at most."""
    real = LOGS["kannel"][0].read_bytes()
    alone, path = tmp_path / "alone", tmp_path / "piece"
    alone.write_bytes(real + real)
    path.write_bytes(real + b"x" * length + b"\n" + real)
    expected = batch(alone, "kannel", size)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory is what is used now
    before = peak_memory()
    done = batch(path, "kannel", size)
    assert peak_memory() - before < 8 * length
    conserved(done, path.read_bytes())
    refused = done["quarantine"].filter(pl.col("reason_code") == "too_long")
    assert refused.select("offset", "line_bytes").rows() == [(len(real), length + 1)]
    assert refused["line_text"].to_list() == ["x" * KEPT_OF_LINE]
    assert done["rows"].height == done["record_count"] == expected["record_count"] > 0
    what = pl.all().exclude("offset", "stream_id")
    assert_frame_equal(done["rows"].select(what), expected["rows"].select(what))


@pytest.mark.long
@pytest.mark.parametrize(("name", "log"), FILES, ids=IDS)
def test_a_range_that_is_read_twice_gives_the_same(tmp_path: Path, name: str, log: Path) -> None:
    path = tmp_path / "piece"
    path.write_bytes(damaged(log.read_bytes(), random.Random(1)))
    first, second = (batch(path, name, path.stat().st_size // 2 + 1, 20_000) for _ in range(2))
    for part in ("quarantine", "counts"):
        assert first[part].height > 0
        assert_frame_equal(first[part], second[part])
    place = ["offset", "assembly_key"]
    assert_frame_equal(first["rows"].sort(place), second["rows"].sort(place))


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
    """Return the rows of silver's first step on bronze rows."""
    kernel = FORMATS[name]
    final = kernel.verdicts or kernel.transmissions
    return final(kernel.assemble(rows.drop("ingest_id", "event_date").lazy())).collect()


def assembled_rows(name: str, rows: pl.DataFrame) -> list[str]:
    """Bronze rows assembled once more, those that wait for another piece settled, as sorted text."""
    settle = FORMATS[name].settle or (lambda frame: frame)
    done = FORMATS[name].assemble(settle(rows.drop("ingest_id", "event_date").lazy())).collect()
    return sorted(str(row) for row in done.select(sorted(done.columns)).iter_rows())


@pytest.mark.long
@pytest.mark.parametrize(("name", "log"), FILES, ids=IDS)
def test_bronze_does_not_depend_on_where_ranges_are_cut(tmp_path: Path, name: str, log: Path) -> None:
    """Assembled once more, the rows of many small ranges are those of one."""
    log = told_apart(log, tmp_path)
    whole = batch(log, name, 1 << 30)["rows"]
    wanted = assembled_rows(name, whole)
    last = [str(row) for row in together(name, whole).iter_rows()]
    assert len(last) > 10
    for number, (step, part) in enumerate([(1 << 30, 6_000), (9_001, 1 << 30), (20_011, 3_001)]):
        many = batch(log, name, step, part)["rows"]
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
    wanted = assembled_rows("postfix", batch(log, "postfix", 1 << 30)["rows"])
    rows = []
    for number, (start, end) in enumerate([(0, middle), (middle, len(data))]):
        path = tmp_path / f"piece{number}"
        path.write_bytes(data[start:end])
        for each in ranges(path, end - start, 70_000, start):
            rows += [parsed.rows["postfix"] for parsed in read_ranges(FS, [each], "id")]
    assert assembled_rows("postfix", pl.concat(rows)) == wanted


def test_the_event_dates_of_a_range_are_those_of_its_rows(tmp_path: Path) -> None:
    done = batch(LOGS["kannel"][0], "kannel", 5000)
    counts = done["counts"]
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
    part = Range("", 0, len(lines), "st-0", 0, source, dt.date(2026, 10, 20))
    count = parsing.parse_block(frame_lines(lines, 0), part, "kannel", "batch").count
    assert count.select("line_count", "record_count", "ignored_count", "late_count").row(0) == (4, 3, 1, 1)


def bodies() -> list[bytes]:
    """Bodies for ClickHouse of three layouts, and one of another table, each after its INSERT."""
    lines = (LAB / "postfix" / "clickhouse_posts.txt").read_bytes().splitlines(keepends=True)
    (insert, *_) = [line for line in lines if b"INSERT INTO rspamd (" in line]
    names = insert.split(b"(")[1].split(b")")[0].split(b",")
    rows = [line.rstrip(b"\n").split(b"\t") for line in lines if line.startswith(b"2026-")]
    log = []
    for number in range(4):
        kept = [at for at, name in enumerate(names) if number == 0 or name != names[(22, 31, 42)[number - 1]]]
        head = b",".join(names[at] for at in kept)
        log.append(b"INSERT INTO rspamd (" + head + b") FORMAT TabSeparated\n")
        for row in rows[number * 10 : number * 10 + 10]:
            log.append(b"\t".join(row[at] for at in kept) + b"\n")
        log += [b"INSERT INTO rspamd_version (Version) FORMAT TabSeparated\n", b"2026-11-24\t1\n"]
    return log


@pytest.mark.long
@examples(15)
@given(
    cuts=st.lists(st.integers(1, 51), max_size=4),
    step=st.sampled_from([900, 4_000, 1 << 20]),
    part=st.sampled_from([300, 2_000, 1 << 20]),
)
def test_clickhouse_rows_know_their_insert_over_any_cut(cuts: list[int], step: int, part: int) -> None:
    """The file grows between pulls, at any line; a piece is read in ranges, a range in blocks."""
    lines = bodies()
    bounds = sorted({0, len(lines), *(cut for cut in cuts if cut < len(lines))})
    name = "rspamd_clickhouse"
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        pieces = []
        for number, (begin, end) in enumerate(zip(bounds, bounds[1:], strict=False)):
            path = Path(folder) / f"{number}"
            path.write_bytes(b"".join(lines[begin:end]))
            place = sum(map(len, lines[:begin])), path.stat().st_size
            at = "2026-11-25T00:00:00+00:00"
            pieces.append(Piece(f"t-{number}", str(path), *place, at, at, "log"))
        operator = Operator(id="a", name="A", country="CHE", holding="a", currency="CHF")
        source = SourceSettings(id="s", url="unused")
        stream = Stream("t", name, sum(map(len, lines)), "", "", 0, pieces)
        patch.setattr(parsing, "PART", part)
        # Each piece is a batch of its own, as a run after each pull has it.
        parts = [
            each
            for piece in pieces
            for each in ranges_of([("k", operator, source, stream, piece)], range_bytes=step)
        ]
        read = [parsed for each in parts for parsed in parsing.read_under_heads(FS, each, name, "id")]
    rows = pl.concat([parsed.rows[name] for parsed in read]).sort("offset")
    assert sum(parsed.quarantined.height for parsed in read) == 0
    whole = registry.FORMATS[name]
    frame = frame_lines(b"".join(lines), 0).select("offset", "line")
    about = Source("a", "s", "t", dt.datetime(2026, 11, 25, tzinfo=dt.UTC))
    told = whole.parse(frame.lazy(), about).filter(pl.col("line_code") == "record")
    own = told.with_columns(operator_id=pl.lit("a"), source_id=pl.lit("s"), stream_id=pl.lit("t"))
    expected = whole.assemble(own).collect().sort("offset")
    assert expected.height == 40
    assert_frame_equal(rows.select(expected.columns), expected)


def told_of(pieces: list[dict[str, pl.DataFrame]]) -> dict[str, list[str]]:
    """Records that silver's first step makes of the rows of pieces, by format and in one order."""
    rows: dict[str, list[pl.DataFrame]] = {}
    for piece in pieces:
        for name, frame in piece.items():
            rows.setdefault(name, []).append(frame)
    return {
        name: sorted(str(row) for row in together(name, pl.concat(frames)).iter_rows())
        for name, frames in rows.items()
    }


@pytest.mark.long
@examples(12)
@given(data=st.data())
def test_a_mail_log_with_its_filters_and_rspamd_beside_tell_the_same_in_any_order(
    data: st.DataObject,
) -> None:
    """Amavis, spamd, OpenDKIM and OpenDMARC write in Postfix's log: any cut of it and of Rspamd's own log,
    pieces in any order, some read twice, the filters' rows joined in another order than the host's."""
    wholes: list[dict[str, pl.DataFrame]] = []
    pieces: list[dict[str, pl.DataFrame]] = []
    for number, (name, log) in enumerate((("postfix", LOGS["postfix"][0]), ("rspamd", LOGS["rspamd"][0]))):
        lines = log.read_bytes().splitlines(keepends=True)
        begin = data.draw(st.integers(0, max(len(lines) - 300, 0)))
        lines = lines[begin : begin + 300]
        cuts = data.draw(st.lists(st.integers(1, len(lines) - 1), max_size=5))
        source = Source("a", "s", f"t{number}", dt.datetime(2026, 11, 24, 15, tzinfo=dt.UTC))
        for into, bounds in ((wholes, [0, len(lines)]), (pieces, sorted({0, len(lines), *cuts}))):
            for first, last in zip(bounds, bounds[1:], strict=False):
                part = Range("", 0, 0, f"t{number}-{first}", 0, source)
                offset = sum(map(len, lines[:first]))
                frame = frame_lines(b"".join(lines[first:last]), offset)
                into.append(parsing.parse_block(frame, part, name, "batch").rows)
    whole = told_of(wholes)
    assert set(whole) >= {"postfix", "rspamd"}
    again = data.draw(st.lists(st.sampled_from(range(len(pieces))), max_size=2))
    order = data.draw(st.permutations([*range(len(pieces)), *again]))
    assert told_of([pieces[each] for each in order]) == whole | {
        name: [] for name in set().union(*pieces) - set(whole)
    }
