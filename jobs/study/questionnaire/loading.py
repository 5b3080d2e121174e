"""Load files of answers into the lake: what is complete counts, and a form with the rest marked goes back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.base.store.lock import lock_for_writing
from jobs.base.tables.contracts import Row
from jobs.study.questionnaire.assessment import Assessment, assess_filing
from jobs.study.questionnaire.checks import CLAIMS, double_claims, split_operators
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.filing import FILLED, Fault, Refused
from jobs.study.questionnaire.filled_forms import PERIOD, guess_language, read_filing
from jobs.study.questionnaire.landing import TABLE, answer_rows
from jobs.study.questionnaire.respondents import Respondent

if TYPE_CHECKING:
    from jobs.base.store.lake import Lake


@dataclass
class FileOutcome:
    """The result for one file.

    Attributes:
        assessment: None if nothing in the file could be read.
        respondent_id, period: whose form it is and of which period, as the file itself says; empty if it does
            not.
    """

    file: Path
    received_at: dt.datetime
    language: str
    assessment: Assessment | None = None
    refused: Fault | None = None
    respondent_id: str = ""
    period: str = ""
    is_known: bool = False
    # When a later file of the respondent and period came in; its answers replace these.
    later_at: dt.datetime | None = None

    @property
    def faults(self) -> list[Fault]:
        return [self.refused] if self.refused else self.assessment.faults if self.assessment else []

    @property
    def is_refused(self) -> bool:
        """Return whether nothing of the file can count."""
        return self.refused is not None or (self.assessment is not None and self.assessment.is_refused)

    @property
    def is_to_correct(self) -> bool:
        """Return whether the file was refused, and no later form of its respondent and period is loaded."""
        return self.is_refused and self.later_at is None


@dataclass(frozen=True)
class EarlierFilings:
    """The lake's earlier filings and claims.

    Attributes:
        filings: respondent, period, SHA-256 and time of each loaded file.
        claims: the operators that a respondent answered for, by respondent and period.
        answered: the indicators that it answered. Only forms claim operators. Packages of a sold operator
            stay with the seller, who has no form to correct.
    """

    filings: set[tuple[str, str, str, dt.datetime]] = field(default_factory=set)
    claims: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    answered: dict[tuple[str, str], set[str]] = field(default_factory=dict)


def read_files(
    files: list[Path],
    respondents: dict[str, Respondent],
    received: dt.datetime | None,
    may_be_early: bool = False,
) -> list[FileOutcome]:
    """Read and assess every file.

    Args:
        received: when the files came in; without it, when each was last saved.
        may_be_early: assess forms of periods that have not ended, too.
    """
    outcomes = []
    for file in files:
        at = received or dt.datetime.fromtimestamp(int(file.stat().st_mtime), dt.UTC)
        outcome = FileOutcome(file, at, guess_language(file.name))
        try:
            filing = read_filing(file)
            identify(
                outcome,
                {"respondent": filing.respondent_id, "period": filing.period, "language": filing.language},
                respondents,
            )
            outcome.assessment = assess_filing(filing, respondents, None if may_be_early else at)
            outcome.language = outcome.assessment.language
        except Refused as refused:
            identify(outcome, refused.identity, respondents)
            outcome.refused = refused.fault
        outcomes.append(outcome)
    return outcomes


def identify(outcome: FileOutcome, identity: Mapping[str, str], respondents: dict[str, Respondent]) -> None:
    """Note whose form a file is by its own words, and answer in the form's language or the respondent's."""
    if identity.get("respondent") in respondents:
        outcome.respondent_id = identity["respondent"]
        outcome.language = respondents[outcome.respondent_id].language
    if identity.get("language") in load_definition()["languages"]:
        outcome.language = identity["language"]
    if PERIOD.fullmatch(identity.get("period", "")):
        outcome.period = identity["period"]


def check_claims(
    outcomes: list[FileOutcome], earlier: EarlierFilings, respondents: dict[str, Respondent]
) -> None:
    """Add a fault to each form that answers for an operator of another respondent's form of that period."""
    names = {each.id: each.name for each in respondents.values()}
    read = [each.assessment for each in outcomes if each.assessment]
    for period in sorted({each.filing.period for each in read}):
        claims = {}
        for each in read:
            if each.filing.period == period and CLAIMS in each.lines and CLAIMS in each.answers:
                claims[each.respondent.id] = (each.lines[CLAIMS], split_operators(each.answers[CLAIMS].text))
        before = {whose: operators for (whose, when), operators in earlier.claims.items() if when == period}
        faults = double_claims(claims, before, names)
        for outcome in outcomes:
            assessment = outcome.assessment
            if (
                assessment is not None
                and assessment.filing.period == period
                and assessment.respondent.id in faults
            ):
                outcome.assessment = replace(
                    assessment, faults=[*assessment.faults, *faults[assessment.respondent.id]]
                )


def new_rows(outcomes: list[FileOutcome], earlier: EarlierFilings, is_dated: bool) -> list[Row]:
    """The rows of files that count and that the lake does not hold yet.

    Args:
        is_dated: the time of receipt was given. Such a file is loaded again under another time; without a
            given time, a file that was loaded before is skipped.
    """
    rows = []
    answered = {key: set(codes) for key, codes in earlier.answered.items()}
    for each in outcomes:
        if each.assessment is not None and not each.is_refused:
            answered.setdefault((each.respondent_id, each.period), set()).update(
                each.assessment.counted_answers
            )
    received = [((whose, period), at) for whose, period, _, at in earlier.filings]
    received += [((each.respondent_id, each.period), each.received_at) for each in outcomes
                 if not each.is_refused]  # fmt: skip
    for outcome in outcomes:
        assessment, of = outcome.assessment, (outcome.respondent_id, outcome.period)
        later = [at for its, at in received if its == of and at > outcome.received_at]
        outcome.later_at = max(later, default=None)
        if assessment is None or outcome.is_refused:
            continue
        own = (*of, assessment.filing.sha256)
        known = {(*known[:3],) if not is_dated else known for known in earlier.filings}
        outcome.is_known = (own if not is_dated else (*own, outcome.received_at)) in known
        if not outcome.is_known:
            rows += answer_rows(assessment, outcome.received_at, answered.get(of, set()))
    return rows


def read_earlier_filings(lake: Lake, outcomes: list[FileOutcome]) -> EarlierFilings:
    """Read the filings and claims of the files' periods in the lake."""
    import polars as pl

    from jobs.study.questionnaire.latest_answers import latest_answers

    periods = sorted({each.assessment.filing.period if each.assessment else each.period for each in outcomes})
    answers = lake.read(TABLE, where=pl.col("period_code").is_in(periods))
    filings = answers.select("respondent_id", "period_code", "file_sha256", "received_at").unique()
    claims = latest_answers(answers.filter(pl.col("indicator_code") == CLAIMS))
    answered: dict[tuple[str, str], set[str]] = {}
    given = answers.filter(pl.col("value").is_not_null())
    for whose, period, code in given.select("respondent_id", "period_code", "indicator_code").iter_rows():
        answered.setdefault((whose, period), set()).add(code)
    return EarlierFilings(
        set(filings.iter_rows()),
        {
            (respondent, period): split_operators(value)
            for respondent, period, value in claims.select(
                "respondent_id", "period_code", "value"
            ).iter_rows()
        },
        answered,
    )


@lock_for_writing("observatory questionnaire load")
def land_answers(
    lake: Lake, outcomes: list[FileOutcome], respondents: dict[str, Respondent], is_dated: bool
) -> int:
    """Append the answers that count; the number of rows."""
    check_claims(outcomes, EarlierFilings(), respondents)
    earlier = read_earlier_filings(lake, outcomes)
    in_order = [each for each in outcomes if not each.is_refused]
    check_claims(in_order, earlier, respondents)
    rows = new_rows(outcomes, earlier, is_dated)
    if rows:
        append_validated(lake, rows)
    return len(rows)


def append_validated(lake: Lake, rows: list[Row]) -> None:
    """Append the rows in one transaction. Raises ValidationHeld if they break a rule of their contract."""
    from expectations import native
    from expectations.rules import UNIQUE, rules_of
    from jobs.base.checks.validations import refuse_broken
    from jobs.base.tables.contracts import read_contract, rows_frame

    frame = rows_frame(rows, TABLE)
    rules = [rule for rule in rules_of(TABLE) if rule.kind != UNIQUE]
    results = native.check(TABLE, frame, rules, read_contract(TABLE).key)
    refuse_broken(results, "Nothing was written.")
    lake.append(frame, TABLE)


def form_cells(assessment: Assessment) -> dict[str, dict[str, Any]]:
    """The values of the filled cells by indicator and column, for the form that goes back; a formula as
    text."""
    return {
        code: {
            name: line.cells[name].value
            for name in FILLED
            if name in line.cells and not line.cells[name].is_empty
        }
        for code, line in assessment.lines.items()
    }
