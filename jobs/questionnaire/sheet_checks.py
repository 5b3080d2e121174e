"""The formulas by which a form checks itself: they say ✓, or ✗ and what is wanted."""

from __future__ import annotations

from typing import Protocol

from jobs.core.periods import edges
from jobs.questionnaire.checks import OWN_YEAR
from jobs.questionnaire.definition import Form, Indicator, Question, Relation
from jobs.questionnaire.numbers import shown
from jobs.questionnaire.texts import text


class Places(Protocol):
    """Where the cells of an indicator stand."""

    sheet_of: dict[str, str]
    row_of: dict[str, int]
    list_range: dict[str, str]
    period: str

    def cell(
        self, indicator: str, column: str, absolute: bool = False, seen_from: str | None = None
    ) -> str: ...


def quoted(words: str) -> str:
    """A text within a formula."""
    return '"' + words.replace('"', '""') + '"'


def fault(language: str, key: str, **values: object) -> str:
    return f"✗ {text(language, 'check', key, **values)}"


def said(language: str, key: str, **values: object) -> str:
    return quoted(fault(language, key, **values))


def required_key(question: Question) -> str:
    return "required" if len(question.indicators) == 1 or question.required == "each" else "required_any"


def required(question: Question, asked: Form, places: Places, language: str) -> str | None:
    """Whether a question is answered that has to be; None where it need not be."""
    if question.required is None:
        return None
    answered = count_of_lines(question, places)
    wanted = len(question.indicators) if question.required == "each" else 1
    condition = f"{answered}<{wanted}"
    instead = next((each for each in asked.questions if each.id == question.instead), None)
    if instead is not None:
        condition = f"AND({condition},{count_of_lines(instead, places)}=0)"
    return f'=IF({condition},{said(language, required_key(question))},"✓")'


def count_of_lines(question: Question, places: Places) -> str:
    """How many lines of a question have an answer or a status. A sum shows only where a part is filled in."""
    first, last = question.indicators[0].code, question.indicators[-1].code
    here = places.sheet_of[first]
    answers = f"{places.cell(first, 'answer', True, here)}:{places.cell(last, 'answer', True, here)}"
    statuses = f"{places.cell(first, 'status', True, here)}:{places.cell(last, 'status', True, here)}"
    return f"SUMPRODUCT(--(LEN({answers})+LEN({statuses})>0))"


def line(question: Question, indicator: Indicator, asked: Form, places: Places, language: str) -> str:
    """The check of one line: answer and status fit together, the answer is of its kind and in its place."""
    here = places.sheet_of[indicator.code]
    answer = places.cell(indicator.code, "answer", seen_from=here)
    status = places.cell(indicator.code, "status", seen_from=here)

    def is_one_of(codes: str) -> str:
        labels = (quoted(text(language, "status", code)) for code in codes.split())
        return "OR(" + ",".join(f"{status}={label}" for label in labels) + ")"

    inner = kind_check(question, indicator, answer, asked, places, language)
    empty = '""'
    if needing := asked.needing.get(indicator.code):
        cells = ",".join(places.cell(code, "answer", seen_from=here) for code in needing)
        empty = f'IF(COUNT({cells})>0,{said(language, "definition_needed")},"")'
    return (
        f"=IF(AND(LEN({answer})=0,LEN({status})=0),{empty},"
        f"IF(AND(LEN({answer})>0,{is_one_of('NA NP R')}),{said(language, 'either')},"
        f"IF(AND(LEN({answer})=0,{is_one_of('A E P')}),{said(language, 'unanswered')},"
        f'IF(LEN({answer})=0,"✓",{inner}))))'
    )


def wanted(question: Question, language: str) -> str:
    """What an answer has to be, in words."""
    if question.kind in ("choice", "yesno", "country"):
        return text(language, "check", "list")
    if question.kind == "text":
        return text(language, "check", "text", limit=question.length)
    if question.kind == "date":
        return text(language, "check", "date")
    key = "number" if question.fractions else "whole"
    return text(language, "check", key, low=shown(question.low), high=shown(question.high))


def kind_check(
    question: Question, indicator: Indicator, answer: str, asked: Form, places: Places, language: str
) -> str:
    wrong = quoted(f"✗ {wanted(question, language)}")
    further = relation_check(indicator, answer, asked, places, language)
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
        limits = f"AND({answer}>={shown(question.low)},{answer}<={shown(question.high)}{whole})"
        if question.kind == "percent":
            # A spreadsheet keeps 0.7 % as 0.007, and only the format shows it.
            is_signed = f'IFERROR(LEFT(CELL("format",{answer}),1)="P",FALSE)'
            fraction = f"AND({answer}>0,{answer}<1)"
            words = said(language, "fraction")
            unsigned = f"IF({fraction},{words},{further})"
            further = f"IF({is_signed},IF({answer}<=1,{further},{wrong}),{unsigned})"
        return f"IF(ISNUMBER({answer}),IF({limits},{further},{wrong}),{wrong})"
    return f"IF({condition},{further},{wrong})"


def days_check(question: Question, further: str, places: Places, language: str) -> str:
    """Whether the days of the figures are those of the form, or of a year that has most of its days there;
    as jobs.questionnaire.checks.wrong_days."""
    here = places.sheet_of[question.indicators[0].code]
    first, last = (places.cell(each.code, "answer", seen_from=here) for each in question.indicators)
    start, end = (f"DATE({day.year},{day.month},{day.day})" for day in edges(places.period))
    holds = f"AND({first}={start},{last}={end})"
    if len(places.period) == 4:
        days = f"({last}-{first}+1)"
        shared = f"(MIN({last},{end})-MAX({first},{start})+1)"
        is_year = f"AND({days}>={OWN_YEAR[0]},{days}<={OWN_YEAR[-1]},2*{shared}>{days})"
        holds = f"OR({holds},{is_year})"
    low, high = (day.isoformat() for day in edges(places.period))
    wrong = said(language, "other_days", first=low, last=high)
    return f"IF(COUNT({first},{last})<2,{further},IF({holds},{further},{wrong}))"


def relation_check(indicator: Indicator, answer: str, asked: Form, places: Places, language: str) -> str:
    """What a line's answer has to be to others: no more than the whole, or the sum of its parts."""
    here = places.sheet_of[indicator.code]
    check = '"✓"'
    for relation in reversed(asked.relations):
        if relation.place != indicator.code or relation.has_sum:
            continue
        target = places.cell(str(relation.target), "answer", seen_from=here)
        if relation.is_equal:
            parts, missing = group_range(relation, places)[0], missing_count(relation, places, language)
            total = said(language, "equals", target=target)
            short = f"AND(SUM({parts})<{answer}-0.005,{missing}=0)"
            check = f'IF(COUNT({parts})=0,"✓",IF(OR(SUM({parts})>{answer}+0.005,{short}),{total},{check}))'
        elif len(relation.parts) == 1:
            over = said(language, "at_most", target=target)
            check = f"IF(AND(ISNUMBER({target}),{answer}>{target}),{over},{check})"
    return check


def group_range(relation: Relation, places: Places) -> tuple[str, str]:
    """The answers of a group of lines, which stand one below the other, and how many of them are missing."""
    here = places.sheet_of[relation.parts[0]]
    rows = [places.row_of[code] for code in relation.parts]
    assert rows == list(range(rows[0], rows[0] + len(rows))), (
        f"{relation.parts[0]}: parts apart from each other"
    )

    def ranged(column: str) -> str:
        first, last = relation.parts[0], relation.parts[-1]
        return f"{places.cell(first, column, seen_from=here)}:{places.cell(last, column, seen_from=here)}"

    return ranged("answer"), ranged("status")


def group(relation: Relation, places: Places, language: str) -> tuple[str, str]:
    """The sum of a group of lines, and the check of it."""
    here = places.sheet_of[relation.parts[0]]
    parts, _ = group_range(relation, places)
    missing = missing_count(relation, places, language)
    if isinstance(relation.target, str):
        target = places.cell(relation.target, "answer", seen_from=here)
        ready = f"AND(COUNT({parts})>0,ISNUMBER({target}))"
    else:
        target = shown(relation.target)
        ready = f"COUNT({parts})>0"
    key = "equals" if relation.is_equal else "at_most"
    within = shown(relation.within)
    over = f"SUM({parts})>{target}+{within}"
    under = f",AND(SUM({parts})<{target}-{within},{missing}=0)" if relation.is_equal else ""
    wrong = said(language, key, target=target)
    return f'=IF(COUNT({parts})=0,"",SUM({parts}))', f'=IF({ready},IF(OR({over}{under}),{wrong},"✓"),"")'


def missing_count(relation: Relation, places: Places, language: str) -> str:
    """How many lines of a group are not available or not disclosed."""
    _, statuses = group_range(relation, places)
    labels = (quoted(text(language, "status", code)) for code in ("NA", "R"))
    return "(" + "+".join(f"COUNTIF({statuses},{label})" for label in labels) + ")"
