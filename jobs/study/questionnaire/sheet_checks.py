"""The formulas by which a form checks itself: they show ✓, or ✗ and what is required."""

from typing import Protocol

from jobs.base.core.periods import period_bounds
from jobs.study.questionnaire.checks import OWN_YEAR
from jobs.study.questionnaire.definition import Form, Indicator, Question, Relation
from jobs.study.questionnaire.numbers import format_number
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
        language, "check", key, low=format_number(question.low), high=format_number(question.high)
    )


def kind_check(
    question: Question, indicator: Indicator, answer: str, form: Form, places: Places, language: str
) -> str:
    wrong = quote_text(f"✗ {describe_wanted(question, language)}")
    further = relation_check(indicator, answer, form, places, language)
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
        limits = (
            f"AND({answer}>={format_number(question.low)},{answer}<={format_number(question.high)}{whole})"
        )
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
    first, last = (places.cell_reference(each.code, "answer", seen_from=here) for each in question.indicators)
    start, end = (f"DATE({day.year},{day.month},{day.day})" for day in period_bounds(places.period))
    holds = f"AND({first}={start},{last}={end})"
    if len(places.period) == 4:
        days = f"({last}-{first}+1)"
        shared = f"(MIN({last},{end})-MAX({first},{start})+1)"
        is_year = f"AND({days}>={OWN_YEAR[0]},{days}<={OWN_YEAR[-1]},2*{shared}>{days})"
        holds = f"OR({holds},{is_year})"
    low, high = (day.isoformat() for day in period_bounds(places.period))
    wrong = quoted_fault(language, "other_days", first=low, last=high)
    return f"IF(COUNT({first},{last})<2,{further},IF({holds},{further},{wrong}))"


def relation_check(indicator: Indicator, answer: str, form: Form, places: Places, language: str) -> str:
    """The formula that checks a line against others: at most the whole, or the sum of its parts."""
    here = places.sheet_of[indicator.code]
    check = '"✓"'
    for relation in reversed(form.relations):
        if relation.place != indicator.code or relation.has_sum:
            continue
        target = places.cell_reference(str(relation.target), "answer", seen_from=here)
        if relation.is_equal:
            parts, missing = group_range(relation, places)[0], missing_count(relation, places, language)
            total = quoted_fault(language, "equals", target=target)
            short = f"AND(SUM({parts})<{answer}-0.005,{missing}=0)"
            check = f'IF(COUNT({parts})=0,"✓",IF(OR(SUM({parts})>{answer}+0.005,{short}),{total},{check}))'
        elif len(relation.parts) == 1:
            over = quoted_fault(language, "at_most", target=target)
            check = f"IF(AND(ISNUMBER({target}),{answer}>{target}),{over},{check})"
    return check


def group_range(relation: Relation, places: Places) -> tuple[str, str]:
    """The ranges of answers and of statuses of a group of lines, which lie one below the other."""
    here = places.sheet_of[relation.parts[0]]
    rows = [places.row_of[code] for code in relation.parts]
    assert rows == list(range(rows[0], rows[0] + len(rows))), (
        f"{relation.parts[0]}: parts apart from each other"
    )

    def range_reference(column: str) -> str:
        first, last = relation.parts[0], relation.parts[-1]
        return ":".join(places.cell_reference(each, column, seen_from=here) for each in (first, last))

    return range_reference("answer"), range_reference("status")


def sum_check(relation: Relation, places: Places, language: str) -> tuple[str, str]:
    """The formulas for the sum of a group of lines and for its check."""
    here = places.sheet_of[relation.parts[0]]
    parts, _ = group_range(relation, places)
    missing = missing_count(relation, places, language)
    if isinstance(relation.target, str):
        target = places.cell_reference(relation.target, "answer", seen_from=here)
        ready = f"AND(COUNT({parts})>0,ISNUMBER({target}))"
    else:
        target = format_number(relation.target)
        ready = f"COUNT({parts})>0"
    key = "equals" if relation.is_equal else "at_most"
    within = format_number(relation.within)
    over = f"SUM({parts})>{target}+{within}"
    under = f",AND(SUM({parts})<{target}-{within},{missing}=0)" if relation.is_equal else ""
    wrong = quoted_fault(language, key, target=target)
    return f'=IF(COUNT({parts})=0,"",SUM({parts}))', f'=IF({ready},IF(OR({over}{under}),{wrong},"✓"),"")'


def missing_count(relation: Relation, places: Places, language: str) -> str:
    """The formula for the number of a group's lines that are not available or not disclosed."""
    _, statuses = group_range(relation, places)
    labels = (quote_text(translate_key(language, "status", code)) for code in ("NA", "R"))
    return "(" + "+".join(f"COUNTIF({statuses},{label})" for label in labels) + ")"
