"""Forms that may not be loaded: of a period that has not ended, or with people's addresses and numbers in
them; and figures that are the least."""

import datetime as dt
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.core.errors import ObservatoryError
from jobs.questionnaire.answers import has_identifier
from jobs.questionnaire.loading import read_files
from jobs.questionnaire.respondents import read_respondents
from tests.conftest import ROOT
from tests.support.questionnaire import RESPONDENTS, SAVANNA, assessed, cell, filled, told

FOLDER = ROOT / "sample_data" / "study_node"


@pytest.mark.parametrize(
    ("period", "received", "is_complete"),
    [
        ("2026", "2026-12-31T23:00", False), ("2026", "2027-01-01T00:00", True),
        ("2026-Q3", "2026-09-30T12:00", False), ("2026-Q3", "2026-10-01T00:00", True),
        ("2026-11", "2026-11-28T12:00", False), ("2025", "2026-11-28T12:00", True),
    ],
)  # fmt: skip
def test_a_form_of_a_period_that_has_not_ended_is_not_complete(
    tmp_path: Path, period: str, received: str, is_complete: bool
) -> None:
    file = tmp_path / "form.csv"
    file.write_text(f"respondent,period,indicator,answer\nsavanna-mobile,{period},sp201,820000\n")
    at = dt.datetime.fromisoformat(received).replace(tzinfo=dt.UTC)
    (outcome,) = read_files([file], RESPONDENTS, at)
    assert (outcome.refused is None) == is_complete
    if outcome.refused:
        words = outcome.refused.format_message("en")
        assert f"The form is of {period}, which ends on" in words and "not complete" in words


@pytest.mark.parametrize("period", ["2030", "2030-Q1", "2099-12"])
def test_no_form_is_made_of_a_period_that_has_not_begun(tmp_path: Path, period: str) -> None:
    settings = tmp_path / "observatory.toml"
    settings.write_text(
        f'[lake]\nroot = "{tmp_path}/lake"\n[study]\nrespondents = "{FOLDER}/respondents.csv"\n'
    )
    made = CliRunner().invoke(
        app,
        ["questionnaire", "make", "--config", str(settings), "--period", period, "--respondent", SAVANNA.id,
         "--output", str(tmp_path / "forms")],
    )  # fmt: skip
    assert isinstance(made.exception, ObservatoryError)
    assert f"--period: {period} has not begun" in str(made.exception)
    assert not (tmp_path / "forms").exists()


FOUND = [
    "ask anna.example@example.org", "anna@example", "from 192.0.2.17", "from [2001:db8::17]:",
    "call +254 700 000 000", "call 00254-700-000-000", "Tel. 0700 000 000", "(020) 7946 0000",
    "tel:٠٧٠٠٠٠٠٠٠٠",
]  # fmt: skip
NOT_FOUND = [
    "7000000000 of 9,000,000,000 messages", "1 250 000 and 0.5%", "since 01/11/2026, or 2026-11-25",
    "RFC 5321, section 4.5.3.1.8", "0.35 to 0.75 of 1.000.000", "twice a day @ 10 and 20:30",
    "100 % of 2025-2026", "version 4.0.1 at 12:00:00", "",
]  # fmt: skip


@pytest.mark.parametrize("words", FOUND)
def test_addresses_and_numbers_in_notes_and_texts_are_found(words: str) -> None:
    assert has_identifier(words)
    book = filled()
    cell(book, "sp201", "note").value = words
    cell(book, "sp104").value = f"Example Holding, {words}"
    says = [message for _, _, message in told(assessed(book))]
    assert len(says) == 2 and all("address or a number of a person" in each for each in says)
    assert not any(words in each for each in says)


@pytest.mark.parametrize("words", NOT_FOUND)
def test_figures_and_dates_in_notes_are_none(words: str) -> None:
    assert not has_identifier(words)
    book = filled()
    cell(book, "sp201", "note").value = words
    assert told(assessed(book)) == []


def test_a_files_name_is_stored_and_names_no_person(tmp_path: Path) -> None:
    file = tmp_path / "anna@example.org form.csv"
    file.write_text("respondent,period,indicator,answer\nsavanna-mobile,2025,sp201,820000\n")
    (outcome,) = read_files([file], RESPONDENTS, None)
    assert outcome.refused and "address or a number of a person" in outcome.refused.format_message("en")


def test_the_list_of_respondents_names_no_person(tmp_path: Path) -> None:
    text = (FOLDER / "respondents.csv").read_text(encoding="utf-8")
    file = tmp_path / "respondents.csv"
    file.write_text(text.replace(SAVANNA.name, "Anna, anna@example.org".replace(",", "")), encoding="utf-8")
    with pytest.raises(ObservatoryError, match="name holds an address or a number"):
        read_respondents(file)


def test_blocked_messages_alone_are_at_least_the_spam() -> None:
    book = filled()
    cell(book, "sp305.SMS.attempted", "status").value = "At least"
    found = assessed(book)
    assert told(found) == []
    assert found.answers["sp305.SMS.attempted"].status == "GE"
