"""Files of answers to the lake: each is read and judged, what is good is landed, what is not goes back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.engine.lock import as_only_writer
from jobs.questionnaire.assessment import Assessment, assess
from jobs.questionnaire.checks import CLAIMS, claimed, two_claims
from jobs.questionnaire.filing import FILLED, Fault, Refused
from jobs.questionnaire.landing import TABLE, rows_of
from jobs.questionnaire.reading import guessed_language, read_filing
from jobs.questionnaire.respondents import Respondent

if TYPE_CHECKING:
    from jobs.engine.lake import Lake


@dataclass
class Outcome:
    """What became of one file. assessment: None if nothing in it could be read."""

    file: Path
    received_at: dt.datetime
    language: str
    assessment: Assessment | None = None
    refused: Fault | None = None
    is_known: bool = False
    # When a later file of the respondent and period came in, whose answers stand.
    later_at: dt.datetime | None = None

    @property
    def faults(self) -> list[Fault]:
        return [self.refused] if self.refused else self.assessment.faults if self.assessment else []


@dataclass(frozen=True)
class Standing:
    """What the lake has: the receipts of each respondent's files, and the operators that each answered for in
    a period. Packages claim none: whose an operator is now the list says, and forms are held to it; a package
    of one that was sold since is of its seller, who has no form to mend."""

    receipts: set[tuple[str, str, str, dt.datetime]] = field(default_factory=set)
    claims: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def read_files(
    files: list[Path], respondents: dict[str, Respondent], received: dt.datetime | None
) -> list[Outcome]:
    """Every file, judged by itself and against the others at hand. A file came in when it was saved, unless
    `received` says so."""
    outcomes = []
    for file in files:
        at = received or dt.datetime.fromtimestamp(int(file.stat().st_mtime), dt.UTC)
        outcome = Outcome(file, at, guessed_language(file.name))
        try:
            filing = read_filing(file)
            whose = respondents.get(filing.respondent_id)
            outcome.language = whose.language if whose else outcome.language
            outcome.assessment = assess(filing, respondents, at)
            outcome.language = outcome.assessment.language
        except Refused as refused:
            outcome.refused = refused.fault
        outcomes.append(outcome)
    return outcomes


def hold_to_one_claim(
    outcomes: list[Outcome], standing: Standing, respondents: dict[str, Respondent]
) -> None:
    """Add a fault where two respondents answer for one operator in a period."""
    names = {each.id: each.name for each in respondents.values()}
    read = [each.assessment for each in outcomes if each.assessment]
    for period in sorted({each.filing.period for each in read}):
        claims = {}
        for each in read:
            if each.filing.period == period and CLAIMS in each.lines and CLAIMS in each.answers:
                claims[each.respondent.id] = (each.lines[CLAIMS], claimed(each.answers[CLAIMS].text))
        before = {whose: operators for (whose, when), operators in standing.claims.items() if when == period}
        faults = two_claims(claims, before, names)
        for outcome in outcomes:
            about = outcome.assessment
            if about is not None and about.filing.period == period and about.respondent.id in faults:
                outcome.assessment = replace(about, faults=[*about.faults, *faults[about.respondent.id]])


def new_rows(outcomes: list[Outcome], standing: Standing, is_dated: bool) -> list[dict[str, Any]]:
    """The rows of the good files that the lake does not have yet.

    is_dated: someone says when the files came in; else a file that was loaded before is not taken again.
    """
    rows = []
    for outcome in outcomes:
        about = outcome.assessment
        if about is None or outcome.faults:
            continue
        receipt = (about.respondent.id, about.filing.period, about.filing.sha256)
        known = {(*known[:3],) if not is_dated else known for known in standing.receipts}
        outcome.is_known = (receipt if not is_dated else (*receipt, outcome.received_at)) in known
        later = [
            at
            for whose, period, _, at in standing.receipts
            if (whose, period) == receipt[:2] and at > outcome.received_at
        ]
        outcome.later_at = max(later, default=None)
        if not outcome.is_known:
            rows += rows_of(about, outcome.received_at)
    return rows


def standing_in(lake: Lake, outcomes: list[Outcome]) -> Standing:
    """The receipts and claims that the lake has of the periods at hand."""
    import polars as pl

    from jobs.questionnaire.standing import standing_answers

    periods = sorted({each.assessment.filing.period for each in outcomes if each.assessment})
    answers = lake.read(TABLE, where=pl.col("period_code").is_in(periods))
    receipts = answers.select("respondent_id", "period_code", "file_sha256", "received_at").unique()
    claims = standing_answers(answers.filter(pl.col("indicator_code") == CLAIMS))
    return Standing(
        set(receipts.iter_rows()),
        {
            (respondent, period): claimed(value)
            for respondent, period, value in claims.select(
                "respondent_id", "period_code", "value"
            ).iter_rows()
        },
    )


@as_only_writer("observatory questionnaire load")
def land(lake: Lake, outcomes: list[Outcome], respondents: dict[str, Respondent], is_dated: bool) -> int:
    """Append the answers of the files that are in order; how many rows they are."""
    hold_to_one_claim(outcomes, Standing(), respondents)
    if not any(each.assessment and not each.faults for each in outcomes):
        return 0
    standing = standing_in(lake, outcomes)
    in_order = [each for each in outcomes if not each.faults]
    hold_to_one_claim(in_order, standing, respondents)
    rows = new_rows(outcomes, standing, is_dated)
    if rows:
        validated(lake, rows)
    return len(rows)


def validated(lake: Lake, rows: list[dict[str, Any]]) -> None:
    """Append the rows in one transaction, if every rule of their contract holds."""
    from jobs.core.contracts import contract, rows_frame
    from jobs.core.errors import ValidationHeld
    from jobs.stages.checks import row_rules

    frame = rows_frame(rows, TABLE)
    rules = row_rules(contract(TABLE))
    broken = frame.select((~rule).sum().alias(name) for name, rule in rules.items())
    wrong = [f"{name} on {count} rows" for name, count in broken.row(0, named=True).items() if count]
    if wrong:
        raise ValidationHeld(f"{TABLE}: {'; '.join(wrong)}. Nothing was written.")
    lake.append(frame, TABLE)


def cells_of(assessment: Assessment) -> dict[str, dict[str, Any]]:
    """What stood in the cells, to be filled into the form that goes back; a formula as its text."""
    return {
        code: {
            name: line.cells[name].value
            for name in FILLED
            if name in line.cells and not line.cells[name].is_empty
        }
        for code, line in assessment.lines.items()
    }
