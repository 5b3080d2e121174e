"""Checks between the answers of a form, and between the forms of several respondents."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from jobs.base.core.numbers import plain_number
from jobs.base.core.periods import period_bounds
from jobs.study.questionnaire.answers import Answer, AnswerReading, Asker, status_label
from jobs.study.questionnaire.definition import NOT_APPLICABLE, OFFERED, Form, Question, Relation
from jobs.study.questionnaire.filing import Fault, FilePlace, FormLine
from jobs.study.questionnaire.respondents import Respondent
from jobs.study.questionnaire.texts import line_label

# The question that names the operators a respondent answers for.
CLAIMS = "sp107"
# The first and last day of the figures; a year in days, also of 52 or 53 whole weeks.
DAYS = ("sp105.first", "sp105.last")
SHORTEST_YEAR, LONGEST_YEAR = 364, 371


def broken_relations(
    form: Form, answers: dict[str, Answer], lines: dict[str, FormLine], asker: Asker
) -> list[Fault]:
    """A fault for each relation that the answers break, such as a sum, or delivered ≤ accepted ≤ attempted.

    An indicator gets each kind of fault once, even if it is larger than several others.
    """
    faults: dict[tuple[str, str], Fault] = {}
    for relation in form.relations:
        fault = check_relation(relation, form, answers, lines, asker)
        if fault is not None:
            known = faults.get((fault.key, fault.indicator), fault)
            others = tuple(dict.fromkeys((*known.others, *fault.others)))
            faults[fault.key, fault.indicator] = replace(known, others=others)
    return list(faults.values())


def check_relation(
    relation: Relation, form: Form, answers: dict[str, Answer], lines: dict[str, FormLine], asker: Asker
) -> Fault | None:
    """The fault of a broken relation; None if the relation holds or cannot be judged.

    An empty part counts as zero.
    """

    def number(code: str) -> Decimal | None:
        answer = answers.get(code)
        if answer is not None and answer.text and relation.is_dates:
            return Decimal(dt.date.fromisoformat(answer.text).toordinal())
        return answer.value if answer is not None else None

    known = [value for code in relation.parts if (value := number(code)) is not None]
    target = number(relation.target) if isinstance(relation.target, str) else relation.target
    if target is None or not known:
        return None
    total = sum(known, Decimal(0))
    missing = sum(is_missing(code, answers, lines) for code in relation.parts)
    if not relation.is_broken(total, target, missing):
        return None
    line = lines[next(code for code in (relation.place, *reversed(relation.parts)) if code in lines)]
    involved = (*relation.parts, *([relation.target] if isinstance(relation.target, str) else []))
    if len(relation.parts) > 1:
        key = "equals" if relation.is_equal else "sum_at_most"
        values = {"sum": plain_number(total), "target": plain_number(target)}
        return replace(relation_fault(line, key, **values), others=involved)
    other = name_indicator(str(relation.target), form, asker)
    if relation.is_dates:
        return relation_fault(line, "not_after", target=answers[str(relation.target)].text, other=other)
    values = {"value": plain_number(total), "target": plain_number(target), "other": other}
    return replace(relation_fault(line, "at_most", **values), others=involved)


def check_days(
    answers: dict[str, Answer], lines: dict[str, FormLine], period: str
) -> tuple[list[Fault], list[AnswerReading]]:
    """A fault if the figures cover other days than the form's period. A respondent's own year, such as a
    fiscal year, is accepted for the calendar year that holds most of its days, with a note."""
    given = [answers[code].text for code in DAYS if code in answers]
    if len(given) < len(DAYS) or not all(given):
        return [], []
    own = [dt.date.fromisoformat(str(each)) for each in given]
    first, last = period_bounds(period)
    if own == [first, last] or own[0] > own[1]:
        return [], []
    if len(period) == 4 and is_own_year(*(each.toordinal() for each in (*own, first, last))):
        return [], [AnswerReading(lines[DAYS[1]], "own_year", period)]
    wrong = DAYS[0] if own[0] != first else DAYS[1]
    values = {"period": period, "first": first.isoformat(), "last": last.isoformat()}
    return [relation_fault(lines[wrong], "other_days", **values)], []


def is_own_year(first: Any, last: Any, start: Any, end: Any) -> Any:
    """Return whether days are a year of which most days are in a calendar year. All are numbers of days, or
    formulas (Formula) for them."""
    days = last - first + 1
    is_year = (days >= SHORTEST_YEAR) & (days <= LONGEST_YEAR)
    return is_year & (2 * (end - first + 1) > days) & (2 * (last - start + 1) > days)


def name_indicator(indicator: str, form: Form, asker: Asker) -> str:
    question = form.indicators[indicator]
    found = next(each for each in question.indicators if each.code == indicator)
    return f"{indicator}, {line_label(asker.language, found)}" if found.parts else indicator


def is_missing(code: str, answers: dict[str, Answer], lines: dict[str, FormLine]) -> bool:
    """Return whether a part is not available, not disclosed, or could not be read: then it has a fault of its
    own, and the sum may be right."""
    if code in answers:
        return answers[code].status in ("NA", "R")
    cell = lines[code].cells.get("answer") if code in lines else None
    return cell is not None and not cell.is_empty


def relation_fault(line: FormLine, key: str, **values: object) -> Fault:
    cell = line.cells["answer"]
    return Fault(cell.place, line.indicator, cell.short_text, "message", key, values)


def missing_answers(
    form: Form,
    answered: set[str],
    answers: dict[str, Answer],
    lines: dict[str, FormLine],
    asker: Asker,
    file_name: str,
) -> list[Fault]:
    """A fault for each required question without an answer, except on channels that are not offered.

    Args:
        answered: indicators with a filled cell, right or wrong, so that an error is reported once. Some
            figures require another answer; a status instead of a figure does not.
    """
    faults = []
    by_id = {question.id: question for question in form.questions}
    absent = absent_channels(answers)
    needed = needed_answers(form, answered, answers)
    for question in form.questions:
        spared = by_id.get(question.instead or "")
        if question.required is None or (spared is not None and is_answered(spared, answered)):
            continue
        if question.id != OFFERED and question.channels <= absent:
            continue
        key, wanting = "definition_needed", [each for each in question.codes if each in needed]
        if not wanting:
            key, wanting = wanting_of(question, answered, absent)
        for code in wanting:
            place, written = written_place(code, lines, file_name)
            values = {"status": status_label(asker, "NA"), "other": needed.get(code, "")}
            faults.append(Fault(place, code, written, "message", key, values))
    return faults


def absent_channels(answers: Mapping[str, Answer]) -> set[str]:
    """The channels that a respondent does not offer, by its Status in the question on their traffic."""
    return {
        code.partition(".")[2]
        for code, answer in answers.items()
        if code.startswith(f"{OFFERED}.") and answer.status == NOT_APPLICABLE
    }


def written_place(code: str, lines: dict[str, FormLine], file_name: str) -> tuple[FilePlace, str]:
    """Return the place of an indicator's answer and its text; the file alone if the line is missing."""
    if code not in lines:
        return FilePlace(file_name, ""), ""
    cell = lines[code].cells["answer"]
    return cell.place, cell.short_text


def needed_answers(form: Form, answered: set[str], answers: dict[str, Answer]) -> dict[str, str]:
    """Indicators without an answer that a figure requires, each with the first such figure."""
    figures = {code for code, answer in answers.items() if answer.value is not None}
    return {
        code: next(each for each in needing if each in figures)
        for code, needing in form.needing.items()
        if code not in answered and not figures.isdisjoint(needing)
    }


def is_answered(question: Question, answered: set[str]) -> bool:
    return not answered.isdisjoint(question.codes)


def wanting_of(question: Question, answered: set[str], absent: set[str]) -> tuple[str, list[str]]:
    """The message for a required question, and its indicators that want an answer: each, or where one of them
    is enough the first one of a channel that is offered.

    Args:
        absent: channels that are not.
    """
    if question.required == "each":
        return "required", [code for code in question.codes if code not in answered]
    key = "required" if len(question.codes) == 1 else "required_any"
    offered = [each.code for each in question.indicators if each.channel not in absent]
    return key, [] if is_answered(question, answered) else offered[:1]


def changed_givens(
    form: Form, answers: dict[str, Answer], lines: dict[str, FormLine], respondent: Respondent
) -> list[Fault]:
    """A fault if the role or the country differs from the list of respondents."""
    expected = {"role": respondent.role, "country": respondent.country}
    return [
        relation_fault(lines[question.id], "given", expected=expected[question.given])
        for question in form.questions
        if question.given in expected
        and question.id in answers
        and answers[question.id].code != expected[question.given]
    ]


def foreign_claims(
    answers: dict[str, Answer],
    lines: dict[str, FormLine],
    respondent: Respondent,
    respondents: Mapping[str, Respondent],
) -> list[Fault]:
    """A fault for each claimed operator that the list of respondents assigns to another respondent, or to
    none. Packages use the same list, so that each operator counts once."""
    if CLAIMS not in answers:
        return []
    holders = {operator: each.name for each in respondents.values() for operator in each.operators}
    faults = []
    for operator in split_operators(answers[CLAIMS].text):
        if operator in respondent.operators:
            continue
        if operator in holders:
            key, values = "listed_elsewhere", {"operator": operator, "other": holders[operator]}
        else:
            key, values = "given", {"value": operator, "expected": ", ".join(respondent.operators) or "–"}
        faults.append(relation_fault(lines[CLAIMS], key, **values))
    return faults


def split_operators(text: str | None) -> list[str]:
    """The ids of operators in an answer, which any comma, semicolon or space may separate."""
    return [each for each in re.split(r"[\s,;،、؛，；]+", text or "") if each]


def double_claims(
    claims: dict[str, tuple[FormLine, list[str]]], earlier: dict[str, list[str]], names: dict[str, str]
) -> dict[str, list[Fault]]:
    """List, by respondent, a fault for each operator that another respondent answers for too.

    Args:
        claims: of the files at hand, by respondent.
        earlier: of files that were loaded before.
    """
    everyone = {**earlier, **{respondent: operators for respondent, (_, operators) in claims.items()}}
    faults: dict[str, list[Fault]] = {}
    for respondent, (line, operators) in sorted(claims.items()):
        for operator in operators:
            others = sorted(
                each for each, theirs in everyone.items() if each != respondent and operator in theirs
            )
            faults.setdefault(respondent, []).extend(
                relation_fault(line, "two_claims", operator=operator, other=names.get(other, other))
                for other in others
            )
    return {respondent: found for respondent, found in faults.items() if found}
