"""The formulas by which a form checks itself: they show ✓, or ✗ and what is required."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from jobs.base.core.numbers import plain_number
from jobs.base.core.periods import period_bounds
from jobs.study.questionnaire.checks import is_own_year
from jobs.study.questionnaire.definition import NOT_APPLICABLE, OFFERED, Form, Indicator, Question, Relation
from jobs.study.questionnaire.texts import translate_key


class Places(Protocol):
    """The places of each indicator's cells."""

    sheet_of: dict[str, str]
    row_of: dict[str, int]
    list_range: dict[str, str]
    period: str

    def cell_reference(
        self, indicator: str, column: str, absolute: bool = False, seen_from: str | None = None
    ) -> str: ...


@dataclass(frozen=True, eq=False)
class Formula:
    """The text of a formula. A rule written for numbers makes of it the formula that judges alike."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __add__(self, other: object) -> Formula:
        return Formula(f"({self}+{other})")

    def __sub__(self, other: object) -> Formula:
        return Formula(f"({self}-{other})")

    def __rmul__(self, other: object) -> Formula:
        return Formula(f"{other}*{self}")

    def __gt__(self, other: object) -> Formula:
        return Formula(f"{self}>{other}")

    def __lt__(self, other: object) -> Formula:
        return Formula(f"{self}<{other}")

    def __ge__(self, other: object) -> Formula:
        return Formula(f"{self}>={other}")

    def __le__(self, other: object) -> Formula:
        return Formula(f"{self}<={other}")

    def __eq__(self, other: object) -> Formula:  # type: ignore[override]
        return Formula(f"{self}={other}")

    def __and__(self, other: object) -> Formula:
        return Formula(f"AND({self},{other})")

    def __or__(self, other: object) -> Formula:
        return Formula(f"OR({self},{other})")


def quote_text(words: str) -> str:
    """A text quoted for a formula."""
    return '"' + words.replace('"', '""') + '"'


def fault_text(language: str, key: str, **values: object) -> str:
    return f"✗ {translate_key(language, 'check', key, **values)}"


def quoted_fault(language: str, key: str, **values: object) -> str:
    return quote_text(fault_text(language, key, **values))


def required_key(question: Question) -> str:
    return "required" if len(question.indicators) == 1 or question.required == "each" else "required_any"


def required_check(question: Question, form: Form, places: Places, language: str) -> str | None:
    """The formula that checks whether a required question is answered; None for an optional one."""
    if question.required is None:
        return None
    answered = answered_count(question, places)
    wanted = len(question.indicators) if question.required == "each" else 1
    condition = f"{answered}<{wanted}"
    instead = next((each for each in form.questions if each.id == question.instead), None)
    if instead is not None:
        condition = f"AND({condition},{answered_count(instead, places)}=0)"
    if question.id != OFFERED and f"{OFFERED}.EMAIL" in places.row_of and None not in question.channels:
        here = places.sheet_of[question.indicators[0].code]
        label = translate_key(language, "status", NOT_APPLICABLE)
        statuses = [
            places.cell_reference(f"{OFFERED}.{channel}", "status", seen_from=here)
            for channel in sorted(map(str, question.channels))
        ]
        offered = ",".join(f"{status}<>{quote_text(label)}" for status in statuses)
        condition = f"AND({condition},OR({offered}))"
    return f'=IF({condition},{quoted_fault(language, required_key(question))},"✓")'


def answered_count(question: Question, places: Places) -> str:
    """The formula for the number of a question's lines with an answer or a status."""
    first, last = question.indicators[0].code, question.indicators[-1].code
    here = places.sheet_of[first]
    answers, statuses = (
        ":".join(places.cell_reference(each, column, True, here) for each in (first, last))
        for column in ("answer", "status")
    )
    return f"SUMPRODUCT(--(LEN({answers})+LEN({statuses})>0))"


def line_check(question: Question, indicator: Indicator, form: Form, places: Places, language: str) -> str:
    """The formula that checks a line: answer and status agree, and the answer is of its kind and within its
    limits."""
    here = places.sheet_of[indicator.code]
    answer = places.cell_reference(indicator.code, "answer", seen_from=here)
    status = places.cell_reference(indicator.code, "status", seen_from=here)

    def is_one_of(codes: str) -> str:
        labels = (quote_text(translate_key(language, "status", code)) for code in codes.split())
        return "OR(" + ",".join(f"{status}={label}" for label in labels) + ")"

    inner = kind_check(question, indicator, answer, form, places, language)
    empty = '""'
    if needing := form.needing.get(indicator.code):
        cells = ",".join(places.cell_reference(code, "answer", seen_from=here) for code in needing)
        empty = f'IF(COUNT({cells})>0,{quoted_fault(language, "definition_needed")},"")'
    return (
        f"=IF(AND(LEN({answer})=0,LEN({status})=0),{empty},"
        f"IF(AND(LEN({answer})>0,{is_one_of('NA NP R')}),{quoted_fault(language, 'either')},"
        f"IF(AND(LEN({answer})=0,{is_one_of('A E P')}),{quoted_fault(language, 'unanswered')},"
        f'IF(LEN({answer})=0,"✓",{inner}))))'
    )


def describe_wanted(question: Question, language: str) -> str:
    """The required form of an answer, in words."""
    if question.kind in ("choice", "yesno", "country"):
        return translate_key(language, "check", "list")
    if question.kind == "text":
        return translate_key(language, "check", "text", limit=question.length)
    if question.kind == "date":
        return translate_key(language, "check", "date")
    key = "number" if question.fractions else "whole"
    return translate_key(
        language, "check", key, low=plain_number(question.low), high=plain_number(question.high)
    )


def kind_check(
    question: Question, indicator: Indicator, answer: str, form: Form, places: Places, language: str
) -> str:
    """The formula that checks an answer by its question's kind, and then by further relations.

    Args:
        answer: the reference of the answer's cell.
    """
    wrong = quote_text(f"✗ {describe_wanted(question, language)}")
    further = relation_check(indicator, form, places, language)
    if question.kind == "text":
        condition = f"LEN({answer})<={question.length}"
    elif question.kind in ("choice", "yesno", "country"):
        source = places.list_range[question.options or "country"].removeprefix("=")
        condition = f"ISNUMBER(MATCH({answer},{source},0))"
    elif question.kind == "date":
        condition = f"ISNUMBER({answer})"
        if question.given == "period":
            return f"IF({condition},{days_check(question, further, places, language)},{wrong})"
    else:
        whole = "" if question.fractions else f",{answer}=INT({answer})"
        limits = f"AND({answer}>={plain_number(question.low)},{answer}<={plain_number(question.high)}{whole})"
        if question.kind == "percent":
            # A spreadsheet keeps 0.7 % as 0.007, and only the format shows it.
            is_signed = f'IFERROR(LEFT(CELL("format",{answer}),1)="P",FALSE)'
            fraction = f"AND({answer}>0,{answer}<1)"
            words = quoted_fault(language, "fraction")
            unsigned = f"IF({fraction},{words},{further})"
            further = f"IF({is_signed},IF({answer}<=1,{further},{wrong}),{unsigned})"
        return f"IF(ISNUMBER({answer}),IF({limits},{further},{wrong}),{wrong})"
    return f"IF({condition},{further},{wrong})"


def days_check(question: Question, further: str, places: Places, language: str) -> str:
    """The formula that checks the days of the figures, as jobs.study.questionnaire.checks.check_days does."""
    here = places.sheet_of[question.indicators[0].code]
    first, last = (
        Formula(places.cell_reference(each.code, "answer", seen_from=here)) for each in question.indicators
    )
    bounds = period_bounds(places.period)
    start, end = (Formula(f"DATE({day.year},{day.month},{day.day})") for day in bounds)
    holds: Any = (first == start) & (last == end)
    if len(places.period) == 4:
        holds = holds | is_own_year(first, last, start, end)
    low, high = (day.isoformat() for day in bounds)
    wrong = quoted_fault(language, "other_days", first=low, last=high)
    return f"IF(COUNT({first},{last})<2,{further},IF({holds},{further},{wrong}))"


def relation_check(indicator: Indicator, form: Form, places: Places, language: str) -> str:
    """The formula that checks a line against others: at most the whole, or the sum of its parts."""
    check = '"✓"'
    for relation in reversed(form.relations):
        if relation.place == indicator.code and not relation.has_sum:
            ready, broken, wrong = judge_relation(relation, places, language)
            check = f"IF(IF({ready},{broken},FALSE),{wrong},{check})"
    return check


def sum_check(relation: Relation, places: Places, language: str) -> tuple[str, str]:
    """The formulas for the sum of a group of lines and for its check."""
    parts, _ = group_range(relation, places)
    ready, broken, wrong = judge_relation(relation, places, language)
    return f'=IF(COUNT({parts})=0,"",SUM({parts}))', f'=IF({ready},IF({broken},{wrong},"✓"),"")'


def judge_relation(relation: Relation, places: Places, language: str) -> tuple[str, str, str]:
    """The formulas of a relation: whether it can be judged, whether it is broken, and what is wrong then."""
    here = places.sheet_of[relation.parts[0]]
    parts, statuses = group_range(relation, places)
    ready, target = f"COUNT({parts})>0", str(relation.target)
    if isinstance(relation.target, str):
        target = places.cell_reference(relation.target, "answer", seen_from=here)
        ready = f"AND({ready},ISNUMBER({target}))"
    labels = (quote_text(translate_key(language, "status", code)) for code in ("NA", "R"))
    missing = Formula("(" + "+".join(f"COUNTIF({statuses},{label})" for label in labels) + ")")
    broken = relation.is_broken(Formula(f"SUM({parts})"), Formula(target), missing)
    key = "equals" if relation.is_equal else "at_most"
    return ready, str(broken), quoted_fault(language, key, target=target)


def group_range(relation: Relation, places: Places) -> tuple[str, str]:
    """The ranges of answers and of statuses of a group of lines, which lie one below the other."""
    here = places.sheet_of[relation.parts[0]]
    rows = [places.row_of[code] for code in relation.parts]
    assert rows == list(range(rows[0], rows[0] + len(rows))), (
        f"{relation.parts[0]}: parts apart from each other"
    )

    def range_reference(column: str) -> str:
        ends = dict.fromkeys((relation.parts[0], relation.parts[-1]))
        return ":".join(places.cell_reference(each, column, seen_from=here) for each in ends)

    return range_reference("answer"), range_reference("status")
