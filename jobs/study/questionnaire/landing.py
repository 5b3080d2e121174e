"""Answers as rows of study.questionnaire_answer."""

import datetime as dt
from collections.abc import Collection

from jobs.base.core.numbers import plain_number
from jobs.base.tables.contracts import Row
from jobs.study.questionnaire.answers import Answer
from jobs.study.questionnaire.assessment import Assessment
from jobs.study.questionnaire.definition import NO_WAIVER, Question, form_for, load_definition

TABLE = "study.questionnaire_answer"
# The question whose answer is the waiver for all lines.
GENERAL_WAIVER = "sp904"


def answer_rows(assessment: Assessment, received_at: dt.datetime, earlier: Collection[str] = ()) -> list[Row]:
    """One row for each answer of a filing that counts, and for each earlier one that it withdraws.

    Args:
        earlier: the indicators that other filings of the respondent and period answered.
    """
    assert not assessment.is_refused
    asked = form_for(assessment.respondent.role)
    counted = assessment.counted_answers
    general = counted.get(GENERAL_WAIVER)
    parts = {each.code: each for question in asked.questions for each in question.indicators}
    currency = assessment.respondent.currency_of(assessment.filing.period)
    rows = []
    for code, answer in (counted | assessment.withdrawn(earlier)).items():
        question = asked.indicators[code]
        rows.append(
            {
                "respondent_id": assessment.respondent.id,
                "period_code": assessment.filing.period,
                "indicator_code": code,
                "question_code": question.id,
                "channel_code": parts[code].channel,
                "part_code": parts[code].part,
                "value": written_value(answer),
                "number_value": answer.value,
                "answer_status_code": answer.status,
                "unit": currency if question.kind == "money" else question.unit,
                "currency_code": currency if question.kind == "money" else None,
                "note": answer.note,
                "waiver": answer_waiver(answer, question, general, assessment.respondent.role),
                "country_code": assessment.respondent.country,
                "role_code": assessment.respondent.role,
                "received_at": received_at,
                "language_code": assessment.language,
                "file_name": assessment.filing.file_name,
                "file_sha256": assessment.filing.sha256,
                "questionnaire_version": assessment.filing.version or load_definition()["version"],
            }
        )
    return rows


def written_value(answer: Answer) -> str | None:
    """A number in plain figures, a code or a text; None without an answer."""
    if answer.value is not None:
        return plain_number(answer.value)
    return answer.code if answer.code is not None else answer.text


def answer_waiver(answer: Answer, question: Question, general: Answer | None, role: str) -> str:
    """The line's own waiver, else the one for all answers; NO_WAIVER if the role has no waiver to give."""
    if role not in question.waiver:
        return NO_WAIVER
    return answer.waiver or (general.code if general is not None and general.code else NO_WAIVER)
