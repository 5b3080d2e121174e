"""Every question of the form is read by a table of the study; the contracts say which."""

from jobs.core.contracts import list_tables, read_contract
from jobs.questionnaire.definition import all_questions
from jobs.study.estimate.study_stage import ANSWERS


def test_every_question_is_used_by_a_table_and_no_table_reads_another() -> None:
    """But those that the list of respondents fills in, which say whose the form is."""
    asked = {question.id for question in all_questions() if question.given is None}
    identify = {question.id for question in all_questions() if question.given is not None}
    read = {code for table in list_tables() for code in read_contract(table).questions}
    assert asked - read == set(), "no table uses these questions: use them, or take them out of the form"
    assert read - asked - identify == set(), "the form has no such question"


def test_who_reads_answers_says_which() -> None:
    for about in map(read_contract, list_tables()):
        assert bool(about.questions) == (ANSWERS in about.reads), about.table
