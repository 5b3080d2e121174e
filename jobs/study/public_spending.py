"""study.public_spending: what administrations told that they spend in a year against spam, as told.

Amounts are deflated in local currency to the base year, then converted at its rates, as operators' are
(jobs.accounts). Nothing is annualised, divided or scaled up: who did not answer is not in it.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.study.questionnaire_answer import latest

TABLE = "study.public_spending"
MONEY, DAYS = ("sp701", "sp704", "sp705", "sp711"), "sp706"


def transform(
    questionnaire_answer: DataFrame, price_level: DataFrame, investment_assumption: DataFrame
) -> DataFrame:
    """Prices are a few hundred rows."""
    answers = public_answers(questionnaire_answer)
    is_money = F.col("question_code") != DAYS
    prices = price_level.select(
        "country_code", "price_year", "deflator_index", "ppp_rate", "market_rate",
        F.col("currency_code").alias("price_currency"),
    )  # fmt: skip
    base_year = investment_assumption.filter("assumption_code = 'base_year'").select(
        F.col("central").cast("int").alias("price_year")
    )
    base = prices.join(base_year, "price_year").select(
        "country_code",
        F.col("deflator_index").alias("base_deflator"),
        F.col("ppp_rate").alias("base_ppp"),
        F.col("market_rate").alias("base_market"),
    )
    now = prices.select(
        "country_code", F.col("price_year").cast("string").alias("period_code"), "deflator_index",
        "price_currency",
    )  # fmt: skip
    number = F.col("value").try_cast("decimal(24,4)")
    real = number * F.col("base_deflator") / F.col("deflator_index")

    def money(amount: Column, kind: str = "decimal(24,2)") -> Column:
        return F.when(is_money, amount).cast(kind)

    return (
        answers.join(F.broadcast(now), ["country_code", "period_code"], "left")
        .join(F.broadcast(base), "country_code", "left")
        .select(
            "period_code",
            "respondent_id",
            "country_code",
            "question_code",
            "indicator_code",
            "part_code",
            "answer_status_code",
            money(F.coalesce("currency_code", "price_currency"), "string").alias("currency_code"),
            money(number).alias("told_amount"),
            money(real).alias("real_amount"),
            money(real / F.col("base_ppp")).alias("ppp_amount"),
            money(real / F.col("base_market")).alias("market_amount"),
            F.when(~is_money, number).cast("decimal(24,2)").alias("person_days"),
            # One administration stands behind it.
            F.lit("C").alias("conf_status_code"),
        )
    )


def public_answers(questionnaire_answer: DataFrame) -> DataFrame:
    """What administrations answered for a year on money and days, as it stands."""
    own = questionnaire_answer.filter(
        (F.col("role_code") == "A") & F.col("period_code").rlike(r"^\d{4}$")
    ).withColumn("question_code", F.substring_index("indicator_code", ".", 1))
    # An answer that was withdrawn supersedes the one before it.
    return latest(own.filter(F.col("question_code").isin(*MONEY, DAYS))).filter("value IS NOT NULL")
