"""Tests of the kernel of every format: on the laboratory's logs, and on samples of formats of which it has
none. Also the rows of each line of golden/ by itself."""

import csv
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.operators.formats import PARSED, TRANSMISSION, VERDICT
from jobs.operators.formats.delimited.profile_files import list_shipped
from jobs.operators.formats.registry import FORMATS
from jobs.operators.silver.assembling import settle_rows
from tests.support.cells import value_of
from tests.support.examples import examples
from tests.support.filter_logs import assert_closed, codes, frame_of, lab, parse, placed, source
from tests.support.lab_logs import LOGS
from tests.support.samples import SAMPLES, lines_of

LONGEST = 80


def pieces_of(name: str, log: str, begin: int, cuts: Iterable[int]) -> list[pl.LazyFrame]:
    """Some lines of a log, parsed in pieces that end at the cuts."""
    lines = lab(log)[begin:][:LONGEST]
    bounds = sorted({0, len(lines), *(min(cut, len(lines)) for cut in cuts)})
    sizes = [0]
    for line in lines:
        sizes.append(sizes[-1] + len(line.encode("utf-8", "surrogatepass")) + 1)
    return [
        placed(parse(FORMATS[name], lines[first:last], sizes[first]), log)
        for first, last in zip(bounds, bounds[1:], strict=False)
    ]


def own_lines(name: str) -> list[str]:
    return [line for log in LOGS.get(name, ()) for line in lab(log)[:LONGEST]] or lines_of(name)


@cache
def records_of(name: str) -> list[str]:
    lines = [line for log in LOGS.get(name, ()) for line in lab(log)] + lines_of(name)
    return [
        line for line, (code, _) in zip(lines, codes(FORMATS[name], lines), strict=True) if code == "record"
    ]


def damaged(lines: list[str]) -> st.SearchStrategy[str]:
    """A line with some signs replaced, or left out."""
    cuts = st.tuples(st.sampled_from(lines), st.integers(0, 300), st.text(max_size=4), st.integers(0, 9))
    return cuts.map(lambda cut: (cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + cut[3] :]).replace("\n", ""))


def told(name: str, bronze: pl.LazyFrame) -> list[str]:
    """Return the transmissions and verdicts of bronze rows, in one order."""
    kernel = FORMATS[name]
    rows = []
    for view in ("transmissions", "verdicts"):
        if getattr(kernel, view):
            rows += [f"{view} {row}" for row in getattr(kernel, view)(bronze).collect().to_dicts()]
    return sorted(rows)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(LOGS))
@examples(4)
@given(data=st.data())
def test_pieces_in_any_order_and_repeated_tell_what_the_whole_tells(name: str, data: st.DataObject) -> None:
    kernel = FORMATS[name]
    wholes: list[pl.LazyFrame] = []
    pieces: list[pl.LazyFrame] = []
    for log in LOGS[name]:
        begin = data.draw(st.integers(0, max(len(lab(log)) - LONGEST, 0)))
        wholes += pieces_of(name, log, begin, [])
        cuts = data.draw(st.lists(st.integers(0, LONGEST), max_size=4))
        pieces += pieces_of(name, log, begin, cuts)
    again = data.draw(st.lists(st.sampled_from(range(len(pieces))), max_size=3))
    order = data.draw(st.permutations([*range(len(pieces)), *again]))
    parts = [kernel.assemble(pieces[number]) for number in order]
    whole = told(name, kernel.assemble(pl.concat(wholes)))
    assert told(name, kernel.assemble(pl.concat(parts))) == whole


@pytest.mark.parametrize("name", [name for name in sorted(LOGS) if FORMATS[name].records])
def test_records_are_those_of_parse(name: str) -> None:
    for log in LOGS[name]:
        lines = frame_of(lab(log))
        parsed = FORMATS[name].parse(lines.lazy(), source()).collect()
        codes, records = FORMATS[name].records(lines, source())
        assert_frame_equal(codes, parsed.select(codes.columns))
        assert_frame_equal(records, parsed.filter(pl.col("line_code") == "record").select(records.columns))


# Formats of filters, of which each record stands for itself.
FILTERS = [name for name, kernel in sorted(FORMATS.items()) if kernel.verdicts and not kernel.transmissions]


@pytest.mark.parametrize("name", FILTERS)
@examples(12)
@given(data=st.data())
def test_chosen_lines_survive_every_cut(name: str, data: st.DataObject) -> None:
    """Bronze rows are the same, too, and verdicts whatever tasks the rows are spread over."""
    kernel = FORMATS[name]
    # An INSERT that damage made another (one more column, another table) counts for its own piece alone.
    other = damaged(records_of(name)).filter(lambda line: "INSERT" not in line)
    lines = data.draw(st.lists(st.sampled_from(records_of(name)) | other, min_size=1, max_size=30))
    cuts = data.draw(st.lists(st.integers(0, len(lines)), max_size=4))
    assert_closed(kernel, lines, cuts, data.draw(st.integers(0, 99)), data.draw(st.sampled_from([0, 7])))


PROFILES = {"delimited": sorted(list_shipped())}


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(FORMATS))
@examples(60)
@given(data=st.data())
def test_any_text_is_accounted_for(name: str, data: st.DataObject) -> None:
    """Each line, whole, damaged or of any text, is a record, ignored, or quarantined with a reason; and what
    later steps read is there."""
    kernel = FORMATS[name]
    anything = st.text(max_size=60) | st.text(st.sampled_from(',;|"\r\x00 0a-:[]='), max_size=60)
    line = anything.map(lambda text: text.replace("\n", "")) | damaged(own_lines(name))
    lines = data.draw(st.lists(line, max_size=8))
    options = {"profile": data.draw(st.sampled_from(PROFILES[name]))} if name in PROFILES else {}
    parsed = parse(kernel, lines, options=options)
    is_quarantined = parsed["line_code"] == "quarantined"
    assert set(parsed["line_code"]) <= {"record", "ignored", "quarantined"}
    assert (is_quarantined == parsed["reason_code"].is_not_null()).all()
    assert {column: parsed.schema[column] for column in PARSED} == PARSED
    rows = kernel.assemble(placed(parsed)).collect()
    records = int((parsed["line_code"] == "record").sum())
    assert len(rows) == records or SAMPLES[name].joins_records
    assert rows.schema == pl.Schema(kernel.bronze)
    assert rows.select("operator_id", "stream_id", "offset", "assembly_key").is_unique().all()
    for view, schema in (("transmissions", TRANSMISSION), ("verdicts", VERDICT)):
        if getattr(kernel, view):
            assert getattr(kernel, view)(rows.lazy()).collect().schema == pl.Schema(schema)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_nothing_in_nothing_out(name: str) -> None:
    kernel = FORMATS[name]
    options = {"profile": PROFILES[name][0]} if name in PROFILES else {}
    for lines in ([], [""], ["", "\r", "  "]):
        parsed = parse(kernel, lines, options=options)
        assert {column: parsed.schema[column] for column in PARSED} == PARSED
        assert set(parsed["line_code"]) <= {"ignored"}
        rows = kernel.assemble(placed(parsed))
        assert dict(rows.collect_schema()) == kernel.bronze
        assert told(name, rows) == []


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_hostile_lines(name: str) -> None:
    own = own_lines(name)[0]
    lines = [
        "\x00" * 1000,
        own.replace(" ", "\x00"),
        own + "\x1b[31m\x07",
        own + "\r",
        own.encode().replace(b"e", b"\xe4").decode("latin-1"),
        own + "x" * 5_000_000,
        own * 10_000,
        own[: len(own) // 2] * 10_000,
        *(sign * 1_000_000 for sign in ';,|"< '),
        "\ufeff" + own,
    ]
    options = {"profile": PROFILES[name][0]} if name in PROFILES else {}
    parsed = parse(FORMATS[name], lines, options=options)
    assert ((parsed["line_code"] == "quarantined") == parsed["reason_code"].is_not_null()).all()
    assert parsed["line_code"][3] == parse(FORMATS[name], [own], options=options)["line_code"][0]


# golden/<format>/line.log, and for each of its lines a row of expected.csv, which names columns of what the
# line gives by itself: of its row of silver, else of what parse() returns, as line_code and reason_code.
# case: why the line is there. time_zone and options (JSON) are of its source. An empty cell is null, two
# apostrophes are the empty text; lists have blanks between, or are JSON.
GOLDEN = Path(__file__).parent / "golden"


def golden_lines(name: str) -> list[tuple[str, dict[str, str]]]:
    """The golden lines of a format, each with its row."""
    lines = (GOLDEN / name / "line.log").read_bytes().decode().split("\n")[:-1]
    with (GOLDEN / name / "expected.csv").open(newline="", encoding="utf-8") as rows:
        return list(zip(lines, csv.DictReader(rows), strict=True))


GOLDEN_LINES = [
    pytest.param(folder.name, line, row, id=f"{folder.name} {number} {row['case']}")
    for folder in sorted(GOLDEN.iterdir())
    for number, (line, row) in enumerate(golden_lines(folder.name), start=1)
]


def read_line(name: str, line: str, source: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns that a line gives, and the type of each."""
    kernel = FORMATS[name]
    parsed = parse(kernel, [line], **source)
    kinds = dict(parsed.schema) | TRANSMISSION | VERDICT
    found = dict.fromkeys(kinds) | parsed.to_dicts()[0]
    if found["line_code"] == "record":
        bronze = settle_rows(name, kernel.assemble(placed(parsed)).collect())
        rows_of, *_ = kernel.silver_rows.values()
        silver = rows_of(kernel.assemble(bronze.lazy())).collect().to_dicts()
        assert len(silver) <= 1, "a line of several rows of silver"
        found |= dict(*silver)
    return found, kinds


def expected_of(text: str, kind: Any) -> Any:
    if text == "''":
        return ""
    if isinstance(kind, pl.List) and text and not text.startswith("["):
        return text.split(" ")
    return value_of(text, kind)


@pytest.mark.parametrize(("name", "line", "row"), GOLDEN_LINES)
def test_a_line_gives_its_row(name: str, line: str, row: dict[str, str]) -> None:
    source = {"time_zone": row.get("time_zone") or "UTC", "options": json.loads(row.get("options") or "{}")}
    found, kinds = read_line(name, line, source)
    named = [column for column in row if column not in ("case", "time_zone", "options")]
    assert {column: found[column] for column in named} == {
        column: expected_of(row[column], kinds[column]) for column in named
    }
