"""Rules between answers stand once: a form's formulas and the checks of loading judge alike."""

import datetime as dt
import re
from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from jobs.study.questionnaire.answers import Answer, Asker
from jobs.study.questionnaire.checks import check_days, check_relation
from jobs.study.questionnaire.definition import DECIMALS, form_for
from jobs.study.questionnaire.filing import FilePlace, FormCell, FormLine
from jobs.study.questionnaire.sheet_checks import days_check, judge_relation
from jobs.study.questionnaire.texts import translate_key
from jobs.study.questionnaire.workbook import lay_out_form

FORM = form_for("O")
LAYOUT = lay_out_form(FORM, "en", "2025")
ASKER = Asker("O", "en", "KES", "KEN")
RELATIONS = {
    (relation.is_equal, len(relation.parts) > 1, str(relation.target)[-2:], relation.within): relation
    for relation in FORM.relations
    if not relation.is_dates
}
SERVERS = next(each for each in FORM.relations if each.target == "sp701._T")
# A sum that is not exact in binary.
TENTHS = {"sp701.SERVER": Decimal("0.1"), "sp701.FIREWALL": Decimal("0.2"), "sp701._T": Decimal("0.3")}
LAST = Decimal(1).scaleb(-DECIMALS)
ORIGIN = dt.date(1899, 12, 30)


class Blank(float):
    """An empty cell: nothing in a sum, and no number."""


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, Blank)


def listed(given: tuple[Any, ...]) -> list[Any]:
    return [each for one in given for each in (one if isinstance(one, list) else [one])]


FUNCTIONS = {
    "AND": lambda *given: all(given),
    "OR": lambda *given: any(given),
    "IF": lambda test, then, other: then if test else other,
    "SUM": lambda *given: sum(filter(is_number, listed(given))),
    "COUNT": lambda *given: sum(map(is_number, listed(given))),
    "COUNTIF": lambda given, text: listed((given,)).count(text),
    "ISNUMBER": is_number,
    "DATE": lambda *parts: (dt.date(*parts) - ORIGIN).days,
    "FALSE": False,
}


def evaluate(formula: str, cells: dict[tuple[str, str, int], Any], sheet: str) -> Any:
    """The value of a formula, as a spreadsheet reckons it: in binary."""
    names: dict[str, Any] = dict(FUNCTIONS)

    def keep(value: Any) -> str:
        names[f"x{len(names)}"] = value
        return f"x{len(names) - 1}"

    def look_up(found: re.Match[str]) -> str:
        text, place, column, first, last = found.groups()
        if text:
            return keep(text[1:-1])
        rows = range(int(first), int(last or first) + 1)
        values = [cells.get((place.strip("!'") if place else sheet, column, row), Blank()) for row in rows]
        return keep(values if last else values[0])

    reference = r"""("[^"]*")|('[^']+'!)?\b([A-Z])(\d+)(?::[A-Z](\d+))?\b"""
    python = re.sub(r"(?<![<>=])=(?!=)", "==", re.sub(reference, look_up, formula.replace('""', "")))
    return eval(python, {"__builtins__": {}}, names)


def cells_of(given: dict[str, Decimal | str | dt.date | None]) -> dict[tuple[str, str, int], Any]:
    """Answers in their cells, codes of statuses in those of statuses."""
    found: dict[tuple[str, str, int], Any] = {}
    for code, value in given.items():
        sheet, row = LAYOUT.sheet_of[code], LAYOUT.row_of[code] + 1
        if isinstance(value, str):
            found[sheet, "E", row] = translate_key("en", "status", value)
        elif isinstance(value, dt.date):
            found[sheet, "D", row] = (value - ORIGIN).days
        elif value is not None:
            found[sheet, "D", row] = float(value)
    return found


def answers_of(given: dict[str, Any]) -> tuple[dict[str, Answer], dict[str, FormLine]]:
    answers: dict[str, Answer] = {}
    lines = {}
    for code, value in given.items():
        lines[code] = FormLine(code, {"answer": FormCell(value, FilePlace("", ""))})
        if isinstance(value, str):
            lines[code] = FormLine(code, {"answer": FormCell(None, FilePlace("", ""))})
            answers[code] = Answer(code, status=value)
        elif isinstance(value, dt.date):
            answers[code] = Answer(code, text=value.isoformat())
        elif value is not None:
            answers[code] = Answer(code, value=value)
    return answers, lines


@st.composite
def relations_and_answers(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """A relation, and answers whose sum is at its bound or beside it. Some parts are missing."""
    relation = draw(st.sampled_from(list(RELATIONS.values())))
    most = 10**6 if isinstance(relation.target, str) else int(relation.target) // len(relation.parts)
    amounts = st.decimals(0, most, places=DECIMALS)
    parts = {code: draw(amounts | st.sampled_from([None, "NA", "NP", "R"])) for code in relation.parts}
    total = sum((each for each in parts.values() if isinstance(each, Decimal)), Decimal(0))
    off = draw(st.sampled_from([Decimal(0), LAST, -LAST, relation.within + LAST, -relation.within - LAST]))
    if isinstance(relation.target, str):
        return relation, parts | {relation.target: draw(st.just(max(total + off, Decimal(0))) | st.none())}
    known = [code for code, each in parts.items() if isinstance(each, Decimal)]
    if known:
        parts[known[0]] += max(relation.target + off - total, -parts[known[0]])
    return relation, parts


@given(relations_and_answers())
@example((SERVERS, TENTHS))
def test_a_form_and_loading_judge_relations_alike(case: tuple[Any, dict[str, Any]]) -> None:
    relation, given_answers = case
    fault = check_relation(relation, FORM, *answers_of(given_answers), ASKER)
    ready, broken, _ = judge_relation(relation, LAYOUT, "en")
    sheet = LAYOUT.sheet_of[relation.parts[0]]
    cells = cells_of(given_answers)
    said = evaluate(f"IF({ready},{broken},FALSE)", cells, sheet)
    assert said == (fault is not None), (given_answers, broken)


DAY = st.dates(dt.date(2023, 1, 1), dt.date(2027, 12, 31))


@given(first=DAY, days=st.integers(360, 375) | st.integers(1, 1000))
@example(first=dt.date(2025, 1, 1), days=365)
@example(first=dt.date(2024, 7, 2), days=365)
@example(first=dt.date(2024, 7, 1), days=365)
def test_a_form_and_loading_judge_days_alike(first: dt.date, days: int) -> None:
    question = FORM.indicators["sp105.first"]
    last = first + dt.timedelta(days - 1)
    given_answers = {"sp105.first": first, "sp105.last": last}
    faults, _ = check_days(*answers_of(given_answers), "2025")
    formula = days_check(question, '"✓"', LAYOUT, "en")
    said = evaluate(formula, cells_of(given_answers), LAYOUT.sheet_of["sp105.first"])
    assert (said == "✓") == (not faults)
