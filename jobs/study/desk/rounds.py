"""The round of a period: who was asked, answered, was refused and why, has gaps, or is silent."""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.base.core.identifiers import has_identifier
from jobs.base.core.periods import months_of
from jobs.base.store.lake import Lake
from jobs.base.store.lock import lock_for_writing
from jobs.base.tables.contracts import Row, read_contract, rows_frame
from jobs.study.questionnaire.filing import Fault
from jobs.study.questionnaire.filled_forms import PERIOD
from jobs.study.questionnaire.loading import FileOutcome
from jobs.study.questionnaire.respondents import Respondent

FORMS = "study.returned_form"
ANSWERS, PACKAGES = "study.questionnaire_answer", "study.submission_receipt"
# So many errors of a form are kept.
KEPT = 20
# In the order in which they need somebody.
STATES = ("refused", "to correct", "gaps", "silent", "answered")


@dataclass(frozen=True)
class Standing:
    """State of a respondent in a period.

    Attributes:
        state: of STATES.
        received_at: of its last form or package of the period.
        heard_at: of its last one of any period.
        why: what is to be corrected, or open.
    """

    respondent_id: str
    name: str
    role: str
    country: str
    language: str
    state: str
    by: str
    received_at: dt.datetime | None
    heard_at: dt.datetime | None
    to_correct_count: int
    open_count: int
    why: str


@lock_for_writing("observatory questionnaire load")
def record_forms(lake: Lake, outcomes: Iterable[FileOutcome], respondents: Collection[str]) -> None:
    """Append how the respondents' forms of this load were judged, each once."""
    contract = read_contract(FORMS)
    known = set(lake.read(FORMS).select(contract.key).iter_rows()) if lake.exists(FORMS) else set()
    rows = [
        form_row(each)
        for each in outcomes
        if each.respondent_id in respondents and PERIOD.fullmatch(each.period)
    ]
    new = {key: row for row in rows if (key := tuple(row[name] for name in contract.key)) not in known}
    if new:
        lake.append(rows_frame([*new.values()], FORMS), FORMS)


def settled_forms(lake: Lake) -> set[tuple[str, str]]:
    """The respondents and periods whose last form has nothing to correct and nothing open."""
    last = {
        (whose, row["period_code"]): row["to_correct_count"] + row["open_count"] == 0
        for whose, rows in rows_by_respondent(
            lake, FORMS, "period_code", "to_correct_count", "open_count"
        ).items()
        for row in rows
    }
    return {key for key, is_settled in last.items() if is_settled}


def form_row(outcome: FileOutcome) -> Row:
    gaps = sum(fault.is_gap for fault in outcome.faults)
    return {
        "respondent_id": outcome.respondent_id,
        "period_code": outcome.period,
        "received_at": outcome.received_at,
        "file_sha256": hashlib.sha256(outcome.file.read_bytes()).hexdigest(),
        "file_name": outcome.file.name if not has_identifier(outcome.file.name) else "(withheld)",
        "is_taken": not outcome.is_refused,
        "to_correct_count": len(outcome.faults) - gaps,
        "open_count": gaps,
        "found_text": "\n".join(dict.fromkeys(map(describe_fault, outcome.faults[:KEPT]))) or None,
    }


def describe_fault(fault: Fault) -> str:
    """A fault in English, after its indicator; without what was written where that may be somebody's address
    or number."""
    text = " ".join(fault.format_message("en").split())
    shown = fault.key if has_identifier(text) else text
    return f"{fault.indicator}: {shown}" if fault.indicator else shown


def list_standings(lake: Lake, respondents: Mapping[str, Respondent], period: str) -> list[Standing]:
    """The standing of each respondent that was asked, those that need somebody first."""
    forms = rows_by_respondent(lake, FORMS, "period_code", "is_taken", "to_correct_count", "open_count",
                               "found_text")  # fmt: skip
    answers = rows_by_respondent(lake, ANSWERS, "period_code")
    packages = rows_by_respondent(lake, PACKAGES, "month_codes")
    months = set(months_of(period))
    found = []
    for each in respondents.values():
        sent = [row for row in packages.get(each.id, []) if months & set(row["month_codes"])]
        answered = [row for row in answers.get(each.id, []) if row["period_code"] == period]
        judged = [row for row in forms.get(each.id, []) if row["period_code"] == period]
        heard = [*answers.get(each.id, []), *packages.get(each.id, []), *forms.get(each.id, [])]
        found.append(stand(each, answered, sent, judged, latest(heard)))
    return sorted(found, key=lambda each: (STATES.index(each.state), each.respondent_id))


def rows_by_respondent(lake: Lake, table: str, *columns: str) -> dict[str, list[Row]]:
    """The distinct rows of a table, in these columns and by when they were received, of each respondent. Of
    one moment the order is that of their values, however they lie in the table."""
    if not lake.exists(table):
        return {}
    rows = lake.read(table, columns=["respondent_id", "received_at", *columns]).unique()
    found: dict[str, list[Row]] = {}
    for row in sorted(rows.to_dicts(), key=lambda row: (row["received_at"], str(row))):
        found.setdefault(row["respondent_id"], []).append(row)
    return found


def latest(rows: Sequence[Mapping[str, Any]]) -> dt.datetime | None:
    return max((row["received_at"] for row in rows), default=None)


def stand(
    whose: Respondent,
    answered: Sequence[Mapping[str, Any]],
    sent: Sequence[Mapping[str, Any]],
    judged: Sequence[Mapping[str, Any]],
    heard_at: dt.datetime | None,
) -> Standing:
    """Return a respondent's state, by its loaded answers, its packages and its judged forms of the period,
    each in the order of receipt. The last form decides: an earlier form that counts stands beside a later one
    that was refused."""
    last = judged[-1] if judged else None
    wrong, gaps = (last["to_correct_count"], last["open_count"]) if last else (0, 0)
    if last and not last["is_taken"]:
        state = "refused"
    elif wrong or gaps:
        state = "to correct" if wrong else "gaps"
    else:
        state = "answered" if answered or sent else "silent"
    kinds = (("form", answered or judged), ("package", sent))
    return Standing(
        whose.id, whose.name, whose.role, whose.country, whose.language, state,
        ", ".join(name for name, rows in kinds if rows),
        latest([*answered, *sent, *judged]), heard_at, wrong, gaps,
        (last["found_text"] or "") if last and (wrong or gaps) else "",
    )  # fmt: skip
