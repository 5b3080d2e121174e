"""Forms that may not be loaded: small ones that grow, within a gigabyte before their rows are made; of a
period that has not ended; and with a person's address in the file's name."""

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from jobs.study.questionnaire.loading import read_files
from tests.support.bombs import part_of, run_limited, with_parts
from tests.support.questionnaire import RESPONDENTS, blank, filled, saved
from tests.support.submission_lake import AT

SHEET = "xl/worksheets/sheet2.xml"
READ = """
import datetime as dt, sys
from pathlib import Path
from jobs.study.questionnaire.loading import read_files
from jobs.study.questionnaire.respondents import read_respondents
respondents = read_respondents(Path("sample_data/study_node/respondents.csv"))
(outcome,) = read_files([Path(sys.argv[1])], respondents, dt.datetime.now(dt.UTC))
for fault in outcome.faults:
    print(fault.key, fault.format_message("en"))
"""
FAR_ROW = b'<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>'


def changed(pattern: bytes, by: bytes, part: str = SHEET) -> bytes:
    """A form with a pattern of a part replaced."""
    form = blank(is_core=True)
    data, count = re.subn(pattern, lambda found: by, part_of(form, part), count=1)
    assert count == 1
    return with_parts(form, {part: data})


def commented() -> bytes:
    """A comment makes its cell."""
    book = filled()
    book.worksheets[1]["A1048000"].comment = openpyxl.comments.Comment("x", "y")
    content = saved(book)
    assert b"A1048000" in part_of(content, "xl/comments/comment1.xml")
    part = part_of(content, "xl/comments/comment1.xml").replace(b"A1048000", b"XFD1048576")
    cell = re.sub(rb'<c r="A1048000"[^>]*/>', b"", part_of(content, SHEET))
    return with_parts(content, {"xl/comments/comment1.xml": part, SHEET: cell})


def merged(ranges: bytes) -> Callable[[], bytes]:
    return lambda: changed(rb"</sheetData>.*?(?=<)", b"</sheetData>" + ranges)


def many(element: bytes, part: str, end: bytes) -> Callable[[], bytes]:
    """A part with an element as often as 30 MB hold it."""
    return lambda: changed(end, element * (30 * 2**20 // len(element)) + end, part)


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "the last cell": (
        "form.xlsx",
        lambda: changed(rb"</sheetData>", FAR_ROW + b"</sheetData>"),
        "far XFD1048576",
    ),
    "one merged range": (
        "form.xlsx",
        merged(b'<mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'),
        "far A1:XFD1048576",
    ),
    "many merged ranges": (
        "form.xlsx",
        merged(b"<mergeCells>" + b'<mergeCell ref="A1:Z999"/>' * 1000 + b"</mergeCells>"),
        "far A1:Z999",
    ),
    "a link": (
        "form.xlsx",
        merged(b'<hyperlinks><hyperlink ref="A1:XFD1048576" location="A1"/></hyperlinks>'),
        "far A1:XFD1048576",
    ),
    "a comment": ("form.xlsx", commented, "far XFD1048576"),
    "cells without places": ("form.xlsx", many(b"<row><c/></row>", SHEET, b"</sheetData>"), "too_large "),
    "styles": ("form.xlsx", many(b"<xf/>", "xl/styles.xml", b"</cellXfs>"), "too_large "),
    "texts": ("form.xlsx", many(b"<si/>", "xl/sharedStrings.xml", b"</sst>"), "too_large "),
    "entities": (
        "form.xlsx",
        lambda: with_parts(
            blank(is_core=True),
            {SHEET: b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 10**6 + b'">]><x>' + b"&a;" * 10**6 + b"</x>"},
        ),
        "not_a_workbook ",
    ),
    "lists": ("form.json", lambda: b'{"answers": [' + b"[]," * 10_000_000, "too_large "),
    "fewer lists": ("form.json", lambda: b'{"answers": [' + b"[]," * 2_600_000 + b"[]]}", "shape "),
    "nested lists": ("form.json", lambda: b"[" * 8_000_000, "shape "),
    "lines": ("form.csv", lambda: b"respondent,period,indicator,answer\n" + b",\n" * 4_000_000, "too_large "),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", BOMBS)
def test_a_form_that_grows_is_refused_within_a_gigabyte(tmp_path: Path, name: str) -> None:
    file_name, make, message = BOMBS[name]
    file = tmp_path / file_name
    file.write_bytes(make())
    done = run_limited(READ, file, seconds=30)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(message), done.stdout[:300]


def test_a_note_beside_a_form_is_no_bomb(tmp_path: Path) -> None:
    book = filled()
    book.worksheets[1]["Z3000"].value = "see our report"
    file = tmp_path / "form.xlsx"
    file.write_bytes(saved(book))
    (outcome,) = read_files([file], RESPONDENTS, AT)
    assert outcome.faults == []


@pytest.mark.parametrize(
    "written", ["million " * 10_000, "1" + ",000" * 5000, "9" * 400, "NaN", "1e999999999"]
)
def test_a_number_that_cannot_be_computed_is_a_fault(tmp_path: Path, written: str) -> None:
    file = tmp_path / "form.csv"
    file.write_text(
        f'respondent,period,indicator,answer\nsavanna-mobile,2025,sp201,"1 {written}"\n', encoding="utf-8"
    )
    (outcome,) = read_files([file], RESPONDENTS, AT)
    assert "sp201" in {fault.indicator for fault in outcome.faults}


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400", "1" + "0" * 400, "1e308", "true", "{}"]
)
def test_a_number_of_json_that_is_none_is_a_fault(tmp_path: Path, number: str) -> None:
    file = tmp_path / "form.json"
    answer = f'{{"indicator": "sp201", "answer": {number}}}'
    file.write_text(f'{{"respondent": "savanna-mobile", "period": "2025", "answers": [{answer}]}}')
    (outcome,) = read_files([file], RESPONDENTS, AT)
    assert "sp201" in {fault.indicator for fault in outcome.faults}


@pytest.mark.parametrize("period", ["0000", "٢٠٢٥", "9999", "2025-Q0"])
def test_a_period_that_no_calendar_has_is_refused(tmp_path: Path, period: str) -> None:
    file = tmp_path / "form.csv"
    file.write_text(
        f"respondent,period,indicator,answer\nsavanna-mobile,{period},sp201,1\n", encoding="utf-8"
    )
    (outcome,) = read_files([file], RESPONDENTS, AT)
    assert [fault.key for fault in outcome.faults] == ["period"]


@pytest.mark.parametrize(
    ("period", "received", "is_complete"),
    [
        ("2026", "2026-12-31T23:00", False), ("2026", "2027-01-01T00:00", True),
        ("2026-Q3", "2026-09-30T12:00", False), ("2026-Q3", "2026-10-01T00:00", True),
        ("2026-11", "2026-11-28T12:00", False), ("2025", "2026-11-28T12:00", True),
    ],
)  # fmt: skip
def test_a_form_of_a_period_that_has_not_ended_is_not_complete(
    tmp_path: Path, period: str, received: str, is_complete: bool
) -> None:
    file = tmp_path / "form.csv"
    file.write_text(f"respondent,period,indicator,answer\nsavanna-mobile,{period},sp201,820000\n")
    at = dt.datetime.fromisoformat(received).replace(tzinfo=dt.UTC)
    (outcome,) = read_files([file], RESPONDENTS, at)
    assert (outcome.refused is None) == is_complete
    if outcome.refused:
        words = outcome.refused.format_message("en")
        assert f"The form is of {period}, which ends on" in words and "not complete" in words


def test_a_files_name_is_stored_and_names_no_person(tmp_path: Path) -> None:
    file = tmp_path / "anna@example.org form.csv"
    file.write_text("respondent,period,indicator,answer\nsavanna-mobile,2025,sp201,820000\n")
    (outcome,) = read_files([file], RESPONDENTS, None)
    assert outcome.refused and "address or a number of a person" in outcome.refused.format_message("en")
