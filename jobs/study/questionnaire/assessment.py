"""Assess a whole filing: its answers, or everything that the respondent is asked to correct."""

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from jobs.base.core.identifiers import has_identifier
from jobs.base.core.periods import period_bounds
from jobs.study.questionnaire.answers import Answer, AnswerReading, Asker, find_day_first, read_answer
from jobs.study.questionnaire.checks import (
    absent_channels,
    broken_relations,
    changed_givens,
    check_days,
    foreign_claims,
    missing_answers,
)
from jobs.study.questionnaire.definition import (
    IDENTITY_SECTION,
    NOT_APPLICABLE,
    Form,
    form_for,
    load_definition,
)
from jobs.study.questionnaire.filing import Fault, FilePlace, Filing, FormLine, file_refusal
from jobs.study.questionnaire.filled_forms import PERIOD
from jobs.study.questionnaire.respondents import Respondent

# The period in the name of a form, behind its respondent's.
NAMED = re.compile(rf"({PERIOD.pattern})[_.]")


@dataclass(frozen=True)
class Assessment:
    """A filing's answers in the form's order, its faults, and the answers not read exactly as written."""

    filing: Filing
    respondent: Respondent
    language: str
    answers: dict[str, Answer]
    lines: dict[str, FormLine]
    faults: list[Fault]
    readings: list[AnswerReading]

    @property
    def lost_indicators(self) -> set[str]:
        """The indicators whose answers a fault keeps from counting."""
        return {indicator for fault in self.faults for indicator in fault.lost_indicators}

    @property
    def counted_answers(self) -> dict[str, Answer]:
        """The answers that count. What is written in a line with a fault is not available until it is
        corrected: left out, it would count as none in a sum."""
        found = {}
        for code in form_for(self.respondent.role, period=self.filing.period).indicators:
            if code in self.answers and code not in self.lost_indicators:
                found[code] = self.answers[code]
            elif code in self.lines and not self.lines[code].is_open:
                found[code] = Answer(code, status="NA")
        return found

    def withdrawn(self, earlier: Collection[str]) -> dict[str, Answer]:
        """Return earlier answered indicators of channels that the respondent does not offer by this form, as
        not applicable: the form asks to leave their lines empty."""
        counted = self.counted_answers
        absent = absent_channels(counted)
        return {
            each.code: Answer(each.code, status=NOT_APPLICABLE)
            for question in form_for(self.respondent.role, period=self.filing.period).questions
            for each in question.indicators
            if each.channel in absent and each.code in earlier and each.code not in counted
        }

    @property
    def is_refused(self) -> bool:
        """Return whether nothing of the form can count: an error in whose figures they are or of which days,
        or no answer beside these."""
        asked = form_for(self.respondent.role, period=self.filing.period).indicators
        own = {code for code, question in asked.items() if question.section == IDENTITY_SECTION}
        is_unclear = any(
            fault.indicator in own and fault.lost_indicators and not fault.is_gap for fault in self.faults
        )
        return is_unclear or set(self.answers) - self.lost_indicators <= own


@dataclass
class LineAnswers:
    """The lines of a form by indicator, with what was read of them.

    Attributes:
        filled: indicators with a filled cell, right or wrong.
    """

    lines: dict[str, FormLine] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    readings: list[AnswerReading] = field(default_factory=list)


def assess_filing(
    filing: Filing, respondents: dict[str, Respondent], received_at: dt.datetime | None = None
) -> Assessment:
    """The assessment of a filing that came in at received_at.

    Raises Refused if the respondent is unknown, if the period is none, is not the one in the file's name or
    had not ended, or if the form is of another version of the questionnaire.
    """
    respondent = respondents.get(filing.respondent_id)
    if respondent is None:
        raise file_refusal(filing.file_name, "unknown_respondent", value=filing.respondent_id)
    language = filing.language if filing.language in load_definition()["languages"] else respondent.language
    refuse_filing(filing, respondent, received_at)
    asked = form_for(respondent.role, period=filing.period)
    dates = [
        line.cells["answer"]
        for line in filing.lines
        if line.indicator in asked.indicators and asked.indicators[line.indicator].kind == "date"
    ]
    currency = respondent.currency_of(filing.period)
    asker = Asker(respondent.role, language, currency, respondent.country, find_day_first(dates))
    found = read_answers(filing, asked, asker)
    answers, lines = found.answers, found.lines
    faults = [*filing.faults, *found.faults]
    faults += broken_relations(asked, answers, lines, asker)
    faulty = {indicator for fault in faults for indicator in fault.lost_indicators}
    missing = missing_answers(asked, found.filled, answers, lines, asker, filing.file_name)
    faults += [each for each in missing if each.indicator not in faulty]
    faults += changed_givens(asked, answers, lines, respondent)
    faults += foreign_claims(answers, lines, respondent, respondents)
    wrong, readings = check_days(answers, lines, filing.period)
    faults += wrong
    order = {code: number for number, code in enumerate(asked.indicators)}
    return Assessment(
        filing,
        respondent,
        language,
        {code: answers[code] for code in order if code in answers},
        lines,
        sorted(faults, key=lambda fault: (order.get(fault.indicator, -1), fault.place.cell)),
        [*found.readings, *readings],
    )


def refuse_filing(filing: Filing, respondent: Respondent, received_at: dt.datetime | None) -> None:
    """Raise Refused for the file's name, the period or the version of a filing."""
    if has_identifier(filing.file_name):
        # It is stored with each answer.
        raise file_refusal(filing.file_name, "personal", "message")
    if not PERIOD.fullmatch(filing.period):
        raise file_refusal(filing.file_name, "period", value=filing.period)
    named = NAMED.match(filing.file_name.removeprefix(f"{respondent.id}_"))
    if filing.file_name.startswith(f"{respondent.id}_") and named and named[1] != filing.period:
        raise file_refusal(filing.file_name, "other_period", value=named[1], expected=filing.period)
    last = period_bounds(filing.period)[1]
    if received_at is not None and received_at.astimezone(dt.UTC).date() <= last:
        raise file_refusal(filing.file_name, "not_ended", value=filing.period, last=last.isoformat())
    version = load_definition()["version"]
    if filing.version not in ("", version):
        raise file_refusal(filing.file_name, "version", "message", value=filing.version, expected=version)


def read_answers(filing: Filing, asked: Form, asker: Asker) -> LineAnswers:
    """Read the answers of a filing's lines; a filled line that the form does not have is a fault."""
    found = LineAnswers()
    for line in filing.lines:
        question = asked.indicators.get(line.indicator)
        if question is None:
            if any(not cell.is_empty for cell in line.cells.values()):
                place = FilePlace(line.cells["answer"].place.sheet, line.cells["answer"].place.cell)
                found.faults.append(Fault(place, line.indicator, line.indicator, "message", "unknown_code"))
            continue
        found.lines[line.indicator] = line
        answer, wrong, read = read_answer(line, question, asker)
        found.faults += wrong
        found.readings += read
        if answer is not None:
            found.answers[line.indicator] = answer
        if answer is not None or not line.is_open:
            found.filled.add(line.indicator)
    return found
