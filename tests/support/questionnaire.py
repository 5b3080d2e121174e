"""Forms filled in, for the tests of the questionnaire."""

import io
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl

from jobs.study.questionnaire.assessment import Assessment, assess_filing
from jobs.study.questionnaire.filing import COLUMNS
from jobs.study.questionnaire.filled_forms import read_book, read_filing, read_workbook
from jobs.study.questionnaire.order import Order
from jobs.study.questionnaire.respondents import Respondent, read_respondents
from jobs.study.questionnaire.texts import translate_key
from jobs.study.questionnaire.workbook import make_workbook
from tests.conftest import ROOT

RESPONDENTS = read_respondents(ROOT / "sample_data" / "study_node" / "respondents.csv")
SAVANNA = RESPONDENTS["savanna-mobile"]

# Answers that break no rule, by indicator: numbers, lists by their code, texts.
GOOD: dict[str, Any] = {
    "sp201": 820000,
    "sp202": 4100000,
    "sp205.EMAIL": 9000000000,
    "sp205.SMS": 2500000000,
    **{f"sp301.{channel}": ("definition", "OPERATOR") for channel in ("EMAIL", "SMS", "VOICE_CS")},
    "sp303.EMAIL.attempted": 7000000000,
    "sp303.EMAIL.accepted": 1200000000,
    "sp303.EMAIL.delivered": 310000000,
    "sp305.SMS.attempted": 64000000,
    "sp305.SMS.delivered": 9000000,
    "sp306.VOICE_CS.attempted": 3100000,
    "sp401.EMAIL.AD": 50,
    "sp401.EMAIL.PHISH": 20,
    "sp401.EMAIL.UNK": 30,
    "sp501.SMS.aggregator": 60,
    "sp501.SMS.unknown": 40,
    "sp502.EMAIL.1": "FRA",
    "sp503.EMAIL.1": 12.5,
    "sp601.EMAIL.filtering": ("yesno", "yes"),
    "sp701.SERVER": 1500000,
    "sp701.FIREWALL": 2500000.5,
    "sp701._T": 4000000.5,
    "sp705.STAFF": 900000,
    "sp706": 440,
    "sp904": ("waiver", "W1"),
}


@cache
def blank(respondent: Respondent = SAVANNA, language: str = "en", is_core: bool = False) -> bytes:
    return make_workbook(Order(respondent, language, "2025", is_core))


@cache
def pickled(content: bytes) -> bytes:
    return pickle.dumps(openpyxl.load_workbook(io.BytesIO(content)))


def opened(content: bytes) -> Any:
    """A workbook of its own, without the time that it takes to read the same file again."""
    return pickle.loads(pickled(content))


def cell(book: Any, indicator: str, column: str = "answer") -> Any:
    """The cell of a form, found by the code in its line."""
    for sheet in book.worksheets:
        for row in sheet.iter_rows(min_row=4):
            if row[0].value == indicator:
                return row[COLUMNS.index(column)]
    raise AssertionError(f"no line {indicator}")


def fill(book: Any, answers: dict[str, Any], language: str = "en") -> Any:
    places = {
        row[0].value: row[COLUMNS.index("answer")]
        for sheet in book.worksheets
        for row in sheet.iter_rows(min_row=4)
        if len(row) == len(COLUMNS)
    }
    for indicator, answer in answers.items():
        value = translate_key(language, *answer) if isinstance(answer, tuple) else answer
        places[indicator].value = value
    return book


def saved(book: Any) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def filled(answers: dict[str, Any] | None = None, is_core: bool = True) -> Any:
    """A form with GOOD, all of which is core, and what is given beside it."""
    return fill(opened(blank(is_core=is_core)), {**GOOD, **(answers or {})})


def assessed(book: Any, name: str = "form.xlsx") -> Assessment:
    """The workbook as it is judged, without the time that it takes to save and open it."""
    return assess_filing(read_book(name, "0" * 64, book), RESPONDENTS)


def reread(book: Any, name: str = "form.xlsx") -> Assessment:
    """The workbook as it is judged when it comes as a file."""
    return assess_filing(read_workbook(name, "0" * 64, saved(book)), RESPONDENTS)


def assessed_file(file: Path) -> Assessment:
    return assess_filing(read_filing(file), RESPONDENTS)


def told(found: Assessment, language: str = "en") -> list[tuple[str, str, str]]:
    """List what the respondent reads: sheet, cell and message of each fault."""
    return [(each.place.sheet, each.place.cell, each.format_message(language)) for each in found.faults]
