"""Read a line of a form: an answer, or the faults that the respondent is asked to correct."""

import calendar
import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from jobs.base.core.identifiers import has_identifier
from jobs.base.core.numbers import plain_number
from jobs.base.settings.countries import country_named
from jobs.study.questionnaire.definition import DECIMALS, NO_WAIVER, WITHOUT_ANSWER, Question, load_definition
from jobs.study.questionnaire.filing import Fault, FormCell, FormLine
from jobs.study.questionnaire.number_formats import number_in_format
from jobs.study.questionnaire.numbers import Number, NumberProblem, read_number
from jobs.study.questionnaire.texts import (
    codes_by_label,
    fold_words,
    list_options,
    translate_key,
    unit_label,
    unit_words,
)

# Words that people write when a figure is not available.
NOT_AVAILABLE = {
    *("n/a", "n.a.", "na", "-", "--", "–", "—", "...", "?", "unknown", "not known", "no data", "n.d.", "nd"),
    *("n/d", "inconnu", "pas de données", "s/d", "desconocido", "sin datos", "н/д", "н.д.", "неизвестно"),
    *("غير معروف", "لا توجد بيانات", "未知", "不详", "暂无"),
}
# A date with the day or the month first, and the highest month.
SHORT_DATE, MONTHS = re.compile(r"(\d{1,2})[-./](\d{1,2})[-./](\d{4})"), 12
# A spreadsheet takes a text with such a beginning for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Answer:
    """One answered indicator: one of value, code and text, or a status with the reason for none."""

    indicator: str
    value: Decimal | None = None
    code: str | None = None
    text: str | None = None
    status: str = "A"
    waiver: str | None = None
    note: str | None = None

    @property
    def is_given(self) -> bool:
        return self.status not in WITHOUT_ANSWER


@dataclass(frozen=True)
class AnswerReading:
    """An answer that was not read exactly as written, to show to the respondent.

    Attributes:
        key: of group `reading`.
    """

    line: FormLine
    key: str
    read: str


@dataclass(frozen=True)
class Asker:
    """The respondent's role, language, currency and country: the reading of a cell depends on them.

    Attributes:
        is_day_first: whether its dates begin with the day; None if no date of the form shows it.
    """

    role: str
    language: str
    currency: str
    country: str
    is_day_first: bool | None = None


def read_answer(
    line: FormLine, question: Question, asker: Asker
) -> tuple[Answer | None, list[Fault], list[AnswerReading]]:
    """The answer of a line (None if it is empty or wrong), its faults, and notes on how it was read."""
    faults: list[Fault] = []
    readings: list[AnswerReading] = []
    answer, status_cell = line.cells.get("answer"), line.cells.get("status")
    note = read_note(line, faults)
    waiver = read_waiver(line, question, asker, faults)
    status = read_choice(status_cell, "status", line, asker, faults)
    if answer is None or answer.is_empty:
        if status is not None and status not in WITHOUT_ANSWER:
            values = {"status": status_label(asker, status), "other": status_label(asker, "NA")}
            faults.append(cell_fault(line, "unanswered", "status", **values))
        if status in WITHOUT_ANSWER:
            return Answer(line.indicator, status=status, waiver=waiver, note=note), faults, readings
        return None, faults, readings
    unavailable = read_unavailable(answer)
    if unavailable:
        if status is None:
            readings.append(AnswerReading(line, "status", status_label(asker, unavailable)))
        kept = status if status in WITHOUT_ANSWER else unavailable
        return Answer(line.indicator, status=kept, waiver=waiver, note=note), faults, readings
    if status in WITHOUT_ANSWER:
        faults.append(
            cell_fault(line, "either", "status", value=answer.short_text, status=status_label(asker, status))
        )
        return None, faults, readings
    read = read_cell(answer, question, asker)
    if isinstance(read, NumberProblem):
        faults.append(cell_fault(line, read.key, "answer", **read.values))
        return None, faults, readings
    if isinstance(read, Number):
        if not read.is_plain:
            readings.append(AnswerReading(line, "number", plain_number(read.value)))
        given = {"value": read.value}
    else:
        if question.kind == "date" and read != answer.short_text:
            readings.append(AnswerReading(line, "number", read))
        given = {"text" if question.kind in ("text", "date") else "code": read}  # type: ignore[dict-item]
    return (
        Answer(line.indicator, **given, status=status or "A", waiver=waiver, note=note),  # type: ignore[arg-type]
        faults,
        readings,
    )


def cell_fault(line: FormLine, key: str, column: str, **values: object) -> Fault:
    cell = line.cells.get(column) or next(iter(line.cells.values()))
    return Fault(cell.place, line.indicator, cell.short_text, "message", key, values, column)


def status_label(asker: Asker, status: str) -> str:
    return translate_key(asker.language, "status", status)


def read_unavailable(cell: FormCell) -> str | None:
    """NA or NP if the cell only says that there is no answer; else None."""
    if not isinstance(cell.value, str) or cell.is_formula:
        return None
    words = fold_words(cell.value)
    if words in NOT_AVAILABLE:
        return "NA"
    code = codes_by_label("status").get(words)
    return code if code in WITHOUT_ANSWER and len(words) > 1 else None


def read_note(line: FormLine, faults: list[Fault]) -> str | None:
    """The note, or None if there is none or it may not be kept."""
    cell = line.cells.get("note")
    if cell is None or cell.is_empty:
        return None
    limit = load_definition()["limits"]["note_length"]
    words = str(cell.value).strip()
    if len(words) > limit:
        faults.append(cell_fault(line, "text_long", "note", length=len(words), limit=limit))
        return None
    if has_identifier(words):
        faults.append(cell_fault(line, "personal", "note"))
        return None
    return escape_formula(words)


def escape_formula(words: str) -> str:
    """The text with an apostrophe before it if a spreadsheet would take it for a formula."""
    return f"'{words}" if words.startswith(FORMULA_STARTS) else words


def read_waiver(line: FormLine, question: Question, asker: Asker, faults: list[Fault]) -> str | None:
    """The waiver; the strictest if the cell cannot be read."""
    cell = line.cells.get("waiver")
    if cell is None or cell.is_empty or fold_words(str(cell.value)) in NOT_AVAILABLE:
        return None
    if asker.role not in question.waiver:
        faults.append(cell_fault(line, "waiver", "waiver"))
        return None
    return read_choice(cell, "waiver", line, asker, faults, "waiver") or NO_WAIVER


def read_choice(
    cell: FormCell | None,
    codelist: str,
    line: FormLine,
    asker: Asker,
    faults: list[Fault],
    column: str = "status",
) -> str | None:
    """The code of a list that a cell holds, as a code or as a label.

    Args:
        faults: takes what is wrong with the cell.
        column: the cell's column of the form.
    """
    if cell is None or cell.is_empty:
        return None
    if cell.is_formula:
        faults.append(cell_fault(line, "formula", column))
        return None
    code = codes_by_label(codelist).get(fold_words(str(cell.value)))
    if code is None:
        faults.append(cell_fault(line, "choice", column, options=list_options(asker.language, codelist)))
    return code


def read_cell(cell: FormCell, question: Question, asker: Asker) -> Number | str | NumberProblem:
    """The value of an answer's cell, read by the question's kind."""
    if cell.is_formula:
        return NumberProblem("formula")
    if cell.is_error:
        return NumberProblem("cell_error")
    if question.kind in ("number", "money", "percent"):
        return read_measure(cell, question, asker)
    if question.kind == "date":
        return read_date(cell, asker.is_day_first)
    words = str(cell.value).strip()
    if question.kind == "text":
        limit = question.length
        if len(words) > limit:
            return NumberProblem("text_long", {"length": len(words), "limit": limit})
        return NumberProblem("personal") if has_identifier(words) else escape_formula(words)
    if question.kind == "country":
        code = country_named(words)
        return code or NumberProblem("country", {"example": asker.country})
    assert question.options is not None
    if isinstance(cell.value, bool):
        words = "yes" if cell.value else "no"
    found = codes_by_label(question.options).get(fold_words(words))
    listed = list_options(asker.language, question.options)
    return found if found is not None else NumberProblem("choice", {"options": listed})


def find_day_first(cells: Iterable[FormCell]) -> bool | None:
    """Return whether dates such as 30/09/2026 among cells begin with the day; None if none shows it, or they
    differ."""
    found = set()
    for cell in cells:
        if digits := SHORT_DATE.fullmatch(fold_words(str(cell.value))):
            one, other = int(digits[1]), int(digits[2])
            found |= {one > MONTHS} if (one > MONTHS) != (other > MONTHS) else set()
    return found.pop() if len(found) == 1 else None


def read_date(cell: FormCell, is_day_first: bool | None) -> str | NumberProblem:
    if isinstance(cell.value, dt.date):
        return cell.value.isoformat()[:10]
    words = fold_words(str(cell.value))
    if digits := re.fullmatch(r"(\d{4})[-./年]?(\d{2})[-./月]?(\d{2})日?", words):
        year, *rest = map(int, digits.groups())
        orders = [rest]
    elif digits := SHORT_DATE.fullmatch(words):
        # The day or the month first: as in the form's other dates, or else read where only one of the two is
        # a date, or both are the same.
        *rest, year = map(int, digits.groups())
        orders = {None: [rest, rest[::-1]], True: [rest[::-1]], False: [rest]}[is_day_first]
    else:
        return NumberProblem("not_a_date")
    days = {dt.date(year, month, day) for month, day in orders if is_day(year, month, day)}
    return days.pop().isoformat() if len(days) == 1 else NumberProblem("not_a_date")


def is_day(year: int, month: int, day: int) -> bool:
    return year > 0 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def read_measure(cell: FormCell, question: Question, asker: Asker) -> Number | NumberProblem:
    """A number within the question's limits."""
    currency = asker.currency if question.kind == "money" else None
    is_percent = question.kind == "percent"
    if isinstance(cell.value, bool):
        return NumberProblem("not_a_number")
    if isinstance(cell.value, dt.date):
        return NumberProblem("date_in_number")
    read: Number | NumberProblem
    own = unit_words(question.unit, question.kind)
    if isinstance(cell.value, int | float):
        value = Decimal(repr(cell.value))
        if not value.is_finite():
            return NumberProblem("cell_error")
        read = number_in_format(value, cell.number_format, currency, is_percent, own)
    elif str(cell.value).lstrip().startswith("="):
        # In CSV a formula is text.
        return NumberProblem("formula")
    else:
        read = read_number(str(cell.value), currency, is_percent, own)
    if isinstance(read, NumberProblem):
        if read.key == "unit":
            expected = unit_label(asker.language, question, asker.currency)
            return NumberProblem("unit", {**read.values, "expected": expected})
        return read
    wrong = out_of_bounds(read.value, question)
    if wrong:
        return wrong
    if is_percent and 0 < read.value < 1 and "%" not in f"{cell.short_text}{cell.number_format}":
        return NumberProblem(
            "fraction", {"value": plain_number(read.value), "meant": plain_number(read.value * 100)}
        )
    return read


def out_of_bounds(value: Decimal, question: Question) -> NumberProblem | None:
    figures = {"value": plain_number(value)}
    if value < 0:
        return NumberProblem("negative", figures)
    if question.kind == "percent" and value > 100:
        return NumberProblem("over_hundred", figures)
    if not question.low <= value <= question.high:
        return NumberProblem(
            "out_of_range",
            {**figures, "low": plain_number(question.low), "high": plain_number(question.high)},
        )
    if not question.fractions and value != value.to_integral_value():
        return NumberProblem("not_whole", figures)
    if value != round(value, DECIMALS):
        return NumberProblem("decimals", figures)
    return None
