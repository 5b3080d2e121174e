"""The latest answers of respondents, and the parts of an indicator's code."""

from collections.abc import Collection

import polars as pl

RESPONDENT = ("respondent_id", "period_code")


def latest_answers(questionnaire_answer: pl.DataFrame) -> pl.DataFrame:
    """The latest answer of each respondent, period and indicator.

    Of two received at the same time, the one whose file has the higher SHA-256, so that the order of loading
    does not matter. A withdrawn answer is kept as not available: filter values afterwards.
    """
    return questionnaire_answer.sort("received_at", "file_sha256").unique(
        [*RESPONDENT, "indicator_code"], keep="last", maintain_order=True
    )


def keep_asked(questionnaire_answer: pl.DataFrame, questions: Collection[tuple[str, str]]) -> pl.DataFrame:
    """The answers of some roles to some questions: those that a table's contract names."""
    asked = pl.concat_str(pl.col("role_code"), question_code(pl.col("indicator_code")), separator=" ")
    return questionnaire_answer.filter(asked.is_in([f"{role} {question}" for role, question in questions]))


def question_code(indicator: pl.Expr) -> pl.Expr:
    """The question in an indicator's code: the text before its first point."""
    return indicator.str.splitn(".", 2).struct.field("field_0")


def last_part(indicator: pl.Expr) -> pl.Expr:
    """The text after the last point of an indicator's code; the whole code without a point."""
    return indicator.str.split(".").list.last()
