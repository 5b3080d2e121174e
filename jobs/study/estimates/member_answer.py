"""study.member_answer: what vendors, Associates and academia answered on products, prices and own figures.

No estimate reads this table, and no other one reads these answers. None leaves: a figure that a member
published leaves as a row of ref.published_figure, once somebody has read its source.
"""

import polars as pl

from jobs.base.tables.contracts import read_contract
from jobs.study.questionnaire.latest_answers import latest_answers

TABLE = "study.member_answer"


def transform(questionnaire_answer: pl.DataFrame) -> pl.DataFrame:
    """A row for each answer that stands. In parts: each answer stands for itself, by respondent_id,
    period_code and indicator_code."""
    given = latest_answers(questionnaire_answer).filter(pl.col("value").is_not_null())
    # One respondent stands behind it.
    return given.with_columns(conf_status_code=pl.lit("C")).select(read_contract(TABLE).columns)
