"""Every question of the form is read by a table of the study, of each role that is asked; the contracts say
which."""

import io
from collections import Counter
from pathlib import Path

import openpyxl
import pytest

from jobs.base.tables.contracts import list_tables, read_contract
from jobs.study.estimates.steps.study_stage import ANSWERS
from jobs.study.questionnaire.definition import form_for, list_questions
from jobs.study.questionnaire.order import Order
from jobs.study.questionnaire.workbook import make_workbook
from schemas.dictionary import forms
from tests.support.questionnaire import SAVANNA, assessed_file


def test_every_question_is_used_by_a_table_and_no_table_reads_another() -> None:
    """Questions that the list of respondents fills in are exceptions: they say whose the form is."""
    roles = {(role, question) for question in list_questions() for role in question.who}
    asked = {(role, question.id) for role, question in roles if question.given is None}
    identify = {(role, question.id) for role, question in roles if question.given is not None}
    read = {each for table in list_tables() for each in read_contract(table).questions}
    assert asked - read == set(), "no table reads these of the role: read them, or ask the role no more"
    assert read - asked - identify == set(), "the form does not ask the role"


def test_only_who_is_asked_may_waive_and_only_where_a_table_reads_the_waiver() -> None:
    """study.respondent_waiver reads them, and it is of operators alone."""
    reads = {role for role, question in read_contract("study.respondent_waiver").questions}
    for question in list_questions():
        assert set(question.waiver) <= set(question.who) & reads, question.id


def test_who_reads_answers_says_which() -> None:
    for about in map(read_contract, list_tables()):
        assert bool(about.questions) == (ANSWERS in about.reads), about.table


def test_a_form_of_less_than_a_year_asks_for_no_money_and_no_policy() -> None:
    """Accounts and public spending are of years: nothing of a quarter's money would be counted. Laws and
    standards change too rarely to be asked for every quarter."""
    money = {"study.investment_account", "study.public_spending"}
    read = {each for table in money for each in read_contract(table).questions}
    read |= {("O", "sp605"), ("O", "sp606")} | {
        ("A", id) for id in ("sp605", "sp606", "sp901", "sp902", "sp903")
    }
    yearly = {
        (role, question.id) for question in list_questions() if question.yearly for role in question.who
    }
    assert yearly == read
    for role in ("O", "A"):
        year, quarter, month = (form_for(role, period=each) for each in ("2026", "2026-Q4", "2026-11"))
        assert year == form_for(role) and quarter == month
        asked = {question.id for question in quarter.questions}
        assert {question.id for question in year.questions} - asked == {
            id for whose, id in read if whose == role
        }


def test_a_quarters_form_has_at_most_sixty_cells_a_channel() -> None:
    counts = Counter(
        each.channel for question in form_for("O", period="2026-Q4").questions for each in question.indicators
    )
    assert max(count for channel, count in counts.items() if channel) <= 60
    assert counts["EMAIL"] == 41 and counts[None] <= 20


def test_money_in_a_quarters_form_is_refused_and_not_dropped(tmp_path: Path) -> None:
    file = tmp_path / "form.csv"
    line = "savanna-mobile,{},sp701.SERVER,100\n"
    for period, refused in (("2025-Q4", ["sp701.SERVER"]), ("2025", [])):
        file.write_text("respondent,period,indicator,answer\n" + line.format(period))
        found = assessed_file(file)
        assert [each.indicator for each in found.faults if each.key == "unknown_code"] == refused


@pytest.mark.long
def test_the_workbook_of_a_quarter_has_no_line_on_money() -> None:
    for period, has_money in (("2025", True), ("2025-Q4", False)):
        book = openpyxl.load_workbook(io.BytesIO(make_workbook(Order(SAVANNA, "en", period))))
        cells = {str(each.value) for sheet in book for row in sheet.iter_rows() for each in row}
        assert ("sp701.SERVER" in cells) == has_money and "sp205.EMAIL" in cells


def test_the_guide_says_which_form_feeds_which_table() -> None:
    lines = forms().splitlines()
    assert "| `study.member_answer` | – | – | – | – | 1001–1006 |" in lines
    assert "| `study.investment_account` | 701–709 | – | – | – | – |" in lines
