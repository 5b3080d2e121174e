"""Forms that came back, loaded into a lake."""

import datetime as dt
from pathlib import Path

from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.study.desk.rounds import record_forms
from jobs.study.questionnaire.landing import TABLE, answer_rows
from jobs.study.questionnaire.loading import read_files
from tests.support.questionnaire import RESPONDENTS, filled, saved

AT = dt.datetime(2026, 2, 1, 8, tzinfo=dt.UTC)


def load(lake: Lake, folder: Path, answers: dict[str, object], at: dt.datetime) -> None:
    """Write the rows that `questionnaire load` writes of Savanna's form of 2025 with these answers."""
    file = folder / f"{at:%d}.xlsx"
    file.write_bytes(saved(filled(answers)))
    outcomes = read_files([file], RESPONDENTS, at)
    for each in outcomes:
        if each.assessment and not each.is_refused:
            lake.append(rows_frame(answer_rows(each.assessment, at), TABLE), TABLE)
    record_forms(lake, outcomes, RESPONDENTS)
    record_forms(lake, outcomes, RESPONDENTS)
