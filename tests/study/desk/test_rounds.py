"""Standing of each respondent in the round of a period."""

import datetime as dt
from pathlib import Path

import pytest

from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.study.desk.rounds import FORMS, PACKAGES, Standing, list_standings
from tests.support.questionnaire import RESPONDENTS, SAVANNA
from tests.support.returned_forms import AT, load


def savanna(lake: Lake, period: str = "2025") -> Standing:
    return next(
        each for each in list_standings(lake, RESPONDENTS, period) if each.respondent_id == SAVANNA.id
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_nobody_answered(lake: Lake) -> None:
    found = list_standings(lake, RESPONDENTS, "2025")
    assert len(found) == len(RESPONDENTS) and {each.state for each in found} == {"silent"}
    assert {each.heard_at for each in found} == {None}


@pytest.mark.long
def test_a_form_with_an_error_and_then_in_order(lake: Lake, tmp_path: Path) -> None:
    load(lake, tmp_path, {"sp303.EMAIL.accepted": 8000000000}, AT)
    wrong = savanna(lake)
    assert (wrong.state, wrong.received_at, wrong.open_count) == ("to correct", AT, 0)
    assert wrong.to_correct_count >= 1 and wrong.why.startswith("sp303.EMAIL.accepted: ")
    assert lake.read(FORMS).height == 1
    later = AT + dt.timedelta(days=2)
    load(lake, tmp_path, {}, later)
    assert (savanna(lake).state, savanna(lake).received_at, savanna(lake).why) == ("answered", later, "")
    # In another period it is silent, and was heard of.
    assert (savanna(lake, "2024").state, savanna(lake, "2024").heard_at) == ("silent", later)


@pytest.mark.long
def test_a_gap_and_a_refusal(lake: Lake, tmp_path: Path) -> None:
    load(lake, tmp_path, {"sp706": None}, AT)
    assert (savanna(lake).state, savanna(lake).to_correct_count, savanna(lake).open_count) == ("gaps", 0, 1)
    # Of a period that has not ended: the whole form is refused, and what counted before stays.
    early = dt.datetime(2025, 12, 1, tzinfo=dt.UTC)
    load(lake, tmp_path, {}, early)
    assert savanna(lake).state == "gaps"
    other = Lake(str(tmp_path / "other"))
    load(other, tmp_path, {}, early)
    assert savanna(other).state == "refused" and "2025" in savanna(other).why


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_forms_of_one_second_the_same_decides_however_they_lie(lake: Lake, order: tuple[int, int]) -> None:
    both = [
        {
            "respondent_id": SAVANNA.id, "period_code": "2025", "received_at": AT, "is_taken": is_taken,
            "file_sha256": "0" * 64, "file_name": "form.xlsx", "to_correct_count": 0, "open_count": 1,
        }
        for is_taken in (False, True)
    ]  # fmt: skip
    for at in order:
        lake.append(rows_frame([both[at]], FORMS), FORMS)
    assert savanna(lake).state == "gaps"


def test_an_address_is_not_kept(lake: Lake, tmp_path: Path) -> None:
    load(lake, tmp_path, {"sp706": "ask ann@secret.example"}, AT)
    assert savanna(lake).state == "to correct"
    assert "secret.example" not in savanna(lake).why and "sp706: " in savanna(lake).why


def test_a_package_of_a_month_is_an_answer(lake: Lake) -> None:
    row = {"respondent_id": SAVANNA.id, "operator_id": "savanna-mail", "period_code": "2026-11",
           "month_codes": ["2026-11"], "received_at": AT}  # fmt: skip
    lake.append(rows_frame([row], PACKAGES), PACKAGES)
    assert (savanna(lake, "2026-Q4").state, savanna(lake, "2026-Q4").by) == ("answered", "package")
    assert savanna(lake, "2026-Q3").state == "silent"
