"""study.reconciliation: an operator's figure by its logs against its own by questionnaire."""

import polars as pl

from jobs.base.figures.counting_rules import RECEIVED
from jobs.study.estimates.steps.countable_answers import UNITS, countable_answers
from jobs.study.estimates.steps.days import scale_to_all_days
from jobs.study.estimates.steps.rows import AT_LEAST, MEASURES, is_month

BY = ("respondent_id", "period_code", "channel_code", "definition_code", "measure_code", "quantity_code")


def transform(
    submission: pl.DataFrame,
    questionnaire_answer: pl.DataFrame,
    measure: pl.DataFrame,
    indicator_measure: pl.DataFrame,
    definition: pl.DataFrame,
    investment_assumption: pl.DataFrame,
) -> pl.DataFrame:
    """Answers that are numbers, the last of each, beside the permitted sum of the logs of the period.

    Logs are counted by the definition that the respondent names. One that ref.definition does not have is
    held against the operator's own definition and is marked (D): whether the two agree is not asked.
    In parts: an answer needs its respondent's logs of all parts of the period, so the key is respondent_id.
    """
    limits = dict(investment_assumption.select("assumption_code", "central").rows())
    near_pct, far = limits["agree_pct"], limits["conflict_factor"]
    permitted = measure.filter("is_included").select(
        "measure_code", "unit_code", "stage_code", "outcome_code"
    )
    logs = (
        logged_figures(submission)
        .join(permitted, on=["unit_code", "stage_code", "outcome_code"])
        .group_by(BY)
        .agg(logs_value=pl.col("value").sum().cast(pl.Decimal(24, 2)))
    )
    is_spam = pl.col("quantity_code") != UNITS
    is_other = is_spam & pl.col("named_definition_code").is_null()
    answers = countable_answers(questionnaire_answer, indicator_measure, definition).with_columns(
        # A figure of a part is an estimate of the whole.
        obs_status_code=pl.when(is_other)
        .then(pl.lit("D"))
        .otherwise(pl.col("answer_status_code").replace({AT_LEAST: "E"})),
        is_least=pl.col("answer_status_code") == AT_LEAST,
        definition_code=pl.coalesce(pl.when(is_spam).then("named_definition_code"), "definition_code"),
    )
    own, logged_value, is_least = pl.col("answer_value"), pl.col("logs_value"), pl.col("is_least")
    # Ten digits, then six: a decimal is divided to the digits that its numerator has.
    divisor = pl.when(logged_value != 0).then(logged_value)
    ratio = (own.cast(pl.Decimal(38, 10)) / divisor).round(6, mode="half_away_from_zero")
    # Products of whole numbers are exact where a quotient as a float is not: 110 / 100 - 1 > 0.1.
    answer, log = own.cast(pl.Float64), logged_value.cast(pl.Float64)
    agreement = (
        pl.when(pl.col("obs_status_code") == "D")
        .then(pl.lit("other_definition"))
        .when((logged_value == own) | (is_least & (own <= logged_value)))
        .then(pl.lit("agrees"))
        .when((logged_value == 0) | (own == 0))
        .then(pl.lit("conflicts"))
        .when(100 * (answer - log).abs() <= near_pct * log)
        .then(pl.lit("agrees"))
        .when((answer <= far * log) & (log <= far * answer))
        .then(pl.lit("differs"))
        .otherwise(pl.lit("conflicts"))
    )
    return answers.join(logs, on=BY).select(
        *("respondent_id", "period_code", "indicator_code", "channel_code", "measure_code"),
        *("definition_code", "quantity_code", "logs_value", "answer_value"),
        ratio.alias("ratio"),
        (own - logged_value).alias("difference"),
        agreement.alias("agreement_code"),
        "obs_status_code",
        pl.lit("C").alias("conf_status_code"),
    )


def logged_figures(submission: pl.DataFrame) -> pl.DataFrame:
    """Log figures of months, and of the quarters and years of which a respondent gave every month; one row a
    cell and quantity. Months that lack a few days are scaled, those that lack many are none."""
    period, month = pl.col("period_code"), is_month(pl.col("period_code"))
    inside = scale_to_all_days(submission).filter(pl.col("direction_code").is_in(RECEIVED))
    quarter = (period.str.slice(5, 2).cast(pl.Int32) + 2) // 3
    months = inside.filter(month)
    spread = pl.concat(
        [
            inside.with_columns(whole=period),
            months.with_columns(whole=pl.concat_str(period.str.slice(0, 4), pl.lit("-Q"), quarter)),
            months.with_columns(whole=period.str.slice(0, 4)),
        ]
    )
    by = ["respondent_id", "channel_code", "whole"]
    month_count = period.filter(month).n_unique().over(by)
    needed = (
        pl.when(pl.col("whole").str.contains("Q", literal=True))
        .then(3)
        .when(pl.col("whole").str.len_chars() == 4)
        .then(12)
        .otherwise(1)
    )
    # A respondent's own figure of the whole period stands for the sum of its months.
    is_own = period == pl.col("whole")
    kept = pl.when(is_own.any().over(by)).then(is_own).otherwise(month_count == needed)
    return (
        spread.filter(kept)
        .with_columns(period_code=pl.col("whole"))
        .unpivot(
            MEASURES,
            index=["respondent_id", "period_code", "channel_code", "definition_code", "unit_code",
                   "stage_code", "outcome_code"],
            variable_name="quantity_code",
        )
    )  # fmt: skip
