"""Answers of those who operate no network, as answered: study.public_spending, what administrations spend in
a year against spam; and study.member_answer, what vendors, Associates and academia sell, charge and measured.

Administrations' amounts are deflated in local currency to the base year, then converted at its rates, as
operators' are (jobs.study.estimates.steps.accounts). Nothing is annualised, divided or scaled up: who did not
answer is not in it.

No estimate reads other members' answers, and none leaves: a figure that a member published leaves as a row of
ref.published_figure, once somebody has read its source.
"""

import polars as pl

from jobs.base.tables.contracts import read_contract
from jobs.study.estimates.steps.rows import to_decimal
from jobs.study.questionnaire.latest_answers import latest_answers, question_code

MEMBERS = "study.member_answer"
MONEY, DAYS = ("sp701", "sp704", "sp705", "sp711"), "sp706"


def public_spending(
    questionnaire_answer: pl.DataFrame, price_level: pl.DataFrame, investment_assumption: pl.DataFrame
) -> pl.DataFrame:
    """A row for each answer of an administration. In parts: each answer stands for itself, by respondent_id,
    period_code and indicator_code."""
    answers = public_answers(questionnaire_answer)
    base_year = investment_assumption.filter(pl.col("assumption_code") == "base_year").select(
        price_year=pl.col("central").cast(pl.Int32)
    )
    base = price_level.join(base_year, on="price_year").select(
        "country_code",
        base_deflator="deflator_index",
        base_ppp="ppp_rate",
        base_market="market_rate",
    )
    now = price_level.select(
        "country_code",
        "deflator_index",
        period_code=pl.col("price_year").cast(pl.String),
        price_currency="currency_code",
    )
    is_money = pl.col("question_code") != DAYS
    number = to_decimal(pl.col("value"), 4)
    real = number.cast(pl.Float64) * pl.col("base_deflator") / pl.col("deflator_index")

    def money_column(amount: pl.Expr) -> pl.Expr:
        return pl.when(is_money).then(to_decimal(amount, 2))

    return (
        answers.join(now, on=["country_code", "period_code"], how="left")
        .join(base, on="country_code", how="left")
        .select(
            "period_code",
            "respondent_id",
            "country_code",
            "question_code",
            "indicator_code",
            "part_code",
            "answer_status_code",
            currency_code=pl.when(is_money).then(pl.coalesce("currency_code", "price_currency")),
            told_amount=money_column(number),
            real_amount=money_column(real),
            ppp_amount=money_column(real / pl.col("base_ppp")),
            market_amount=money_column(real / pl.col("base_market")),
            person_days=pl.when(~is_money).then(to_decimal(number, 2)),
            # One administration stands behind it.
            conf_status_code=pl.lit("C"),
        )
    )


def public_answers(questionnaire_answer: pl.DataFrame) -> pl.DataFrame:
    """The latest answers of administrations for a year on money and days."""
    regulator_answers = questionnaire_answer.filter(
        (pl.col("role_code") == "A") & pl.col("period_code").str.contains(r"^\d{4}$")
    ).with_columns(question_code=question_code(pl.col("indicator_code")))
    # An answer that was withdrawn supersedes the one before it.
    return latest_answers(regulator_answers.filter(pl.col("question_code").is_in([*MONEY, DAYS]))).filter(
        pl.col("value").is_not_null()
    )


def member_answer(questionnaire_answer: pl.DataFrame) -> pl.DataFrame:
    """A row for each answer that stands. In parts: each answer stands for itself, by respondent_id,
    period_code and indicator_code."""
    given = latest_answers(questionnaire_answer).filter(pl.col("value").is_not_null())
    # One respondent stands behind it.
    return given.with_columns(conf_status_code=pl.lit("C")).select(read_contract(MEMBERS).columns)
