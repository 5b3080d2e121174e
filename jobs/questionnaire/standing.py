"""Which of a respondent's answers stands, and which question an indicator belongs to."""

from __future__ import annotations

import polars as pl

RESPONDENT = ("respondent_id", "period_code")


def standing_answers(questionnaire_answer: pl.DataFrame) -> pl.DataFrame:
    """The answer that stands of each respondent, period and indicator: the one received last.

    Of two received at the same time the one whose file has the higher SHA-256, so that the order of loading
    does not matter. An answer that was withdrawn stands as not available: filter values afterwards.
    """
    return questionnaire_answer.sort("received_at", "file_sha256").unique(
        [*RESPONDENT, "indicator_code"], keep="last", maintain_order=True
    )


def question_of(indicator: pl.Expr) -> pl.Expr:
    """The question of an indicator's code: what stands before its first point."""
    return indicator.str.splitn(".", 2).struct.field("field_0")


def last_part(indicator: pl.Expr) -> pl.Expr:
    """What stands behind the last point of an indicator's code; all of a code without one."""
    return indicator.str.split(".").list.last()
