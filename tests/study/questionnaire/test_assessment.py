"""Forms as respondents fill them in: each gives what is complete, or one clear question, and loses no figure
that was right."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.study.questionnaire.landing import answer_rows
from jobs.study.questionnaire.texts import translate_key
from tests.support.questionnaire import assessed, assessed_file, cell, filled

AT = dt.datetime(2026, 11, 25, 9, 30, tzinfo=dt.UTC)


def values_of(found: Any) -> dict[str, str]:
    return {row["indicator_code"]: row["value"] for row in answer_rows(found, AT) if row["value"] is not None}


@pytest.fixture(scope="module")
def right() -> dict[str, str]:
    """Return the values of the form that all of these were made from."""
    return values_of(assessed(filled()))


def puts(indicator: str, value: Any, style: str = "") -> Callable[[Any], None]:
    def change(book: Any) -> None:
        wanted = cell(book, indicator)
        wanted.value = value
        wanted.number_format = style or wanted.number_format

    return change


def adds_line(code: str, value: Any) -> Callable[[Any], None]:
    def change(book: Any) -> None:
        sheet = book["3 Volume"]
        sheet.append([code, "Fax", "messages", value])

    return change


def keeps_sheet(book: Any) -> None:
    for sheet in book.worksheets:
        if sheet.title not in ("2 Services", "_form"):
            book.remove(sheet)


def copies_sheet(book: Any) -> None:
    book.copy_worksheet(book["2 Services"])
    cell(book, "sp201").value = 5


def renames(book: Any, code: str, other: str) -> None:
    """Write another code into a line."""
    answer = cell(book, code)
    answer.parent.cell(answer.row, 1).value = other


# What the respondent did; what is read instead of the right figure (None where it is lost); and the question
# that goes back, with the indicators that it marks.
FORMS: dict[str, tuple[Callable[[Any], None], dict[str, str | None], dict[str, set[str]]]] = {
    "spaces": (puts("sp201", "820 000"), {}, {}),
    "spaces that do not break": (puts("sp202", "4\u00a0100\u202f000 "), {}, {}),
    "apostrophes": (puts("sp202", "4'100'000"), {}, {}),
    "Arabic figures": (puts("sp201", "٨٢٠٠٠٠"), {}, {}),
    "a percent sign": (puts("sp503.EMAIL.1", "12,5 %"), {}, {}),
    "a percent format": (puts("sp503.EMAIL.1", 0.125, "0.0%"), {}, {}),
    "a fraction": (
        puts("sp503.EMAIL.1", 0.125), {"sp503.EMAIL.1": None}, {"fraction": {"sp503.EMAIL.1"}}
    ),
    "dates of its country": (puts("sp105.last", "31/12/2025"), {}, {}),
    "words": (puts("sp201", "see our report"), {"sp201": None}, {"not_a_number": {"sp201"}}),
    "a short form": (puts("sp706", "0.44 k"), {"sp706": None}, {"shortened": {"sp706"}}),
    "no data": (puts("sp202", "n/a"), {"sp202": None}, {}),
    "a currency sign": (puts("sp705.STAFF", "KSh 900 000"), {}, {}),
    "yes in another language": (puts("sp601.EMAIL.filtering", " OUI "), {}, {}),
    "a formula": (puts("sp201", "=400000+420000"), {"sp201": None}, {"formula": {"sp201"}}),
    "a date that was a number": (
        puts("sp706", dt.datetime(2026, 5, 1)), {"sp706": None}, {"date_in_number": {"sp706"}}
    ),
    "a code in capitals": (lambda book: renames(book, "sp205.EMAIL", " SP205.Email"), {}, {}),
    "an unknown channel": (adds_line("sp205.FAX", 12), {}, {"unknown_code": {"sp205.FAX"}}),
    "two channels in each other's line": (
        lambda book: (puts("sp205.EMAIL", 2500000000)(book), puts("sp205.SMS", 9000000000)(book)),
        {"sp205.EMAIL": None, "sp205.SMS": "9000000000", "sp303.EMAIL.attempted": None},
        {"at_most": {"sp303.EMAIL.attempted"}},
    ),
    "a copied sheet": (copies_sheet, {"sp201": None}, {"twice": {"sp201"}}),
    "merged cells": (
        lambda book: book["2 Services"].merge_cells("D5:D7"),
        {"sp201": None, "sp202": None},
        {"merged": {"sp201"}},
    ),
    "questions left open": (
        lambda book: [puts(code, None)(book) for code in ("sp201", "sp706", "sp601.EMAIL.filtering")],
        {"sp201": None, "sp706": None, "sp601.EMAIL.filtering": None},
        {"required": {"sp201", "sp706"}, "required_any": {"sp601.EMAIL.equipment"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_what_is_complete_or_one_clear_question(name: str, right: dict[str, str]) -> None:
    change, read, asked = FORMS[name]
    book = filled()
    change(book)
    found = assessed(book)
    assert not found.is_refused
    expected = {code: value for code, value in {**right, **read}.items() if value is not None}
    assert values_of(found) == expected
    told: dict[str, set[str]] = {}
    for fault in found.faults:
        told.setdefault(fault.key, set()).add(fault.indicator)
    assert told == asked


def test_one_sheet_alone_counts_as_far_as_it_goes(right: dict[str, str]) -> None:
    book = filled()
    keeps_sheet(book)
    found = assessed(book)
    assert not found.is_refused and all(fault.is_gap for fault in found.faults)
    assert values_of(found) == {code: right[code] for code in right if code.startswith("sp2")}


def test_a_form_of_the_wrong_month_is_one_question_and_keeps_its_figures() -> None:
    book = filled({"sp105.first": "2025-11-01", "sp105.last": "2025-11-30"})
    found = assessed(book)
    assert found.is_refused and [fault.key for fault in found.faults] == ["other_days"]
    assert found.lines["sp201"].cells["answer"].value == 820000


@pytest.mark.parametrize("before", [[], ["sep=;"]])
def test_a_csv_of_a_french_spreadsheet_is_read(tmp_path: Path, before: list[str]) -> None:
    file = tmp_path / "réponses.csv"
    rows = [
        *before,
        "Respondent;Period;Indicator;Answer;Status;Waiver;Note",
        "savanna-mobile;2025;sp201;820 000;;;estimé d'après la facturation",
        "savanna-mobile;2025;sp503.EMAIL.1;12,5 %;Estimé;;",
        f"savanna-mobile;2025;sp301.EMAIL;{translate_key('fr', 'definition', 'OPERATOR')};;;",
        ";;;;;;",
    ]
    file.write_bytes("\r\n".join(rows).encode("cp1252"))
    found = assessed_file(file)
    assert all(fault.is_gap for fault in found.faults)
    assert values_of(found) == {"sp201": "820000", "sp301.EMAIL": "OPERATOR", "sp503.EMAIL.1": "12.5"}
    assert found.answers["sp201"].note == "estimé d'après la facturation"
