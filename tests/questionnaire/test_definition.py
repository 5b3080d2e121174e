"""Every question of the form is read by a table of the study, of each role that is asked; the contracts say
which."""

from jobs.core.contracts import list_tables, read_contract
from jobs.questionnaire.definition import all_questions
from jobs.study.estimate.study_stage import ANSWERS


def test_every_question_is_used_by_a_table_and_no_table_reads_another() -> None:
    """But those that the list of respondents fills in, which say whose the form is."""
    roles = {(role, question) for question in all_questions() for role in question.who}
    asked = {(role, question.id) for role, question in roles if question.given is None}
    identify = {(role, question.id) for role, question in roles if question.given is not None}
    read = {each for table in list_tables() for each in read_contract(table).questions}
    assert asked - read == set(), "no table reads these of the role: read them, or ask the role no more"
    assert read - asked - identify == set(), "the form does not ask the role"


def test_only_who_is_asked_may_waive_and_only_where_a_table_reads_the_waiver() -> None:
    """study.contribution reads waivers, and it is of operators alone."""
    reads = {role for role, question in read_contract("study.contribution").questions}
    for question in all_questions():
        assert set(question.waiver) <= set(question.who) & reads, question.id


def test_who_reads_answers_says_which() -> None:
    for about in map(read_contract, list_tables()):
        assert bool(about.questions) == (ANSWERS in about.reads), about.table
