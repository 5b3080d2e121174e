"""Figures of others than operators.

study.public_spending is what administrations spend in a year against spam, study.member_answer what vendors,
Associates and academia sell, charge and measured, as answered. study.cost has costs of spam by published
models, evaluated again and compared with the printed values; study.published_volume volumes of spam that
others published, beside this study's.

Administrations' amounts are deflated in local currency to the base year, then converted at its rates, as
operators' are (jobs.study.estimates.steps.accounts). Nothing is annualised, divided or scaled up: who did not
answer is not in it.

No estimate reads other members' answers, and none leaves: a figure that a member published leaves as a row of
ref.published_figure, once somebody has read its source.
"""

from decimal import Decimal

import polars as pl

from jobs.base.costs.cost_model import (
    ModelFigure,
    PublishedModels,
    evaluate_figure,
    judge_reproduction,
    relative_deviation,
)
from jobs.base.figures.own_figures import WHERE, own_figures
from jobs.base.tables.contracts import Row, read_contract, rows_frame
from jobs.study.estimates.steps.rows import round_decimal
from jobs.study.questionnaire.latest_answers import latest_answers, question_code

MEMBERS = "study.member_answer"
MONEY, DAYS = ("sp701", "sp704", "sp705", "sp711"), "sp706"
# The last digit that is stored.
DIGIT, PERCENT_DIGIT = Decimal("0.0001"), Decimal("0.01")
POINTS = ("p05", "p50", "p95", "central")
# What a row of the table has from the model's own row.
SAME = (
    "model_code", "output_code", "estimand_code", "period_code", "geography_code", "currency_code",
    "unit_text", "cost_bearer", "channels",
)  # fmt: skip


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
    number = round_decimal(pl.col("value"), 4)
    real = number.cast(pl.Float64) * pl.col("base_deflator") / pl.col("deflator_index")

    def money_column(amount: pl.Expr) -> pl.Expr:
        return pl.when(is_money).then(round_decimal(amount, 2))

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
            person_days=pl.when(~is_money).then(round_decimal(number, 2)),
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


def cost(models: PublishedModels) -> pl.DataFrame:
    """A row for each figure of a published model that is a cost. In parts: a model needs all of its
    parameters, so the key is model_code."""
    return rows_frame([row_of(figure) for figure in models.figures if figure.is_cost], "study.cost")


def published_volume(published_figure: pl.DataFrame, spam_volume: pl.DataFrame) -> pl.DataFrame:
    """A row for each published figure that is in force."""
    own = own_figures(spam_volume).with_columns(
        round_decimal(pl.col(name), 4) for name in ("own_value", "own_low", "own_high")
    )
    return (
        published_figure.filter(pl.col("valid_to").is_null())
        .drop("valid_from", "valid_to", "read_date")
        .join(own, on=[*WHERE, "comparison_code"], how="left")
        # Others published it.
        .with_columns(conf_status_code=pl.lit("F"))
    )


def row_of(figure: ModelFigure) -> Row:
    found = evaluate_figure(figure)
    code, text = judge_reproduction(figure, found)
    off = relative_deviation(figure, found)
    points = dict.fromkeys(POINTS) if found is None else {name: getattr(found, name) for name in POINTS}
    amounts = points | {"printed": figure.published_value}
    row = {name: figure.row[name] for name in SAME} | {
        # The column of its quantity: a sum over a column cannot mix two.
        figure.row["estimand_code"]: {name: round_figure(value, DIGIT) for name, value in amounts.items()},
        "deviation_pct": round_figure(None if off is None else off * 100, PERCENT_DIGIT),
        "reproduction_code": code,
        "reproduction_text": text,
        "conf_status_code": "F",
    }
    if found is None:
        return row
    parts = [
        {
            "parameter_code": part.parameter_code,
            "first_order": round_figure(part.first_order, DIGIT),
            "total_order": round_figure(part.total_order, DIGIT),
            "amount_low": round_figure(part.low, DIGIT),
            "amount_high": round_figure(part.high, DIGIT),
        }
        for part in found.sensitivities
    ]
    return row | {"sensitivities": parts}


def round_figure(value: float | None, digits: Decimal) -> Decimal | None:
    """A number as it is stored: the last bits of a double differ between machines."""
    return None if value is None else Decimal(value).quantize(digits)
