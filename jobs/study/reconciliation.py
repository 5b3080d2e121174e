"""study.reconciliation: an operator's figure by its logs against its own by questionnaire."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.study.questionnaire_answer import counted
from jobs.study_days import of_all_days
from jobs.study_rows import COUNTED, MEASURES


def transform(
    submission: DataFrame,
    questionnaire_answer: DataFrame,
    measure: DataFrame,
    indicator_measure: DataFrame,
    investment_assumption: DataFrame,
) -> DataFrame:
    """Answers that are numbers, the last of each, beside the permitted sum of the logs of the period."""
    limits = {row.assumption_code: row.central for row in investment_assumption.collect()}
    near, far = limits["agree_pct"] / 100, limits["conflict_factor"]
    logs = logged(submission).join(
        F.broadcast(
            measure.filter("is_included").select("measure_code", "unit_code", "stage_code", "outcome_code")
        ),
        ["unit_code", "stage_code", "outcome_code"],
    )
    by = ("respondent_id", "period_code", "channel_code", "definition_code", "measure_code", "quantity_code")
    logs = logs.groupBy(*by).agg(F.sum("value").cast("decimal(24,2)").alias("logs_value"))
    answers = counted(questionnaire_answer, indicator_measure)
    ratio = F.try_divide(F.col("answer_value"), F.col("logs_value"))
    agreement = (
        F.when(F.col("logs_value") == F.col("answer_value"), "agrees")
        .when((F.col("logs_value") == 0) | (F.col("answer_value") == 0), "conflicts")
        .when(F.abs(ratio - 1) <= near, "agrees")
        .when((ratio <= far) & (ratio >= 1 / far), "differs")
        .otherwise("conflicts")
    )
    return answers.join(logs, list(by)).select(
        *("respondent_id", "period_code", "indicator_code", "channel_code", "measure_code"),
        *("definition_code", "quantity_code", "logs_value", "answer_value"),
        ratio.alias("ratio"),
        (F.col("answer_value") - F.col("logs_value")).alias("difference"),
        agreement.alias("agreement_code"),
        F.lit("C").alias("conf_status_code"),
    )


def logged(submission: DataFrame) -> DataFrame:
    """Log figures of months, and of the quarters and years of which a respondent gave every month; one row a
    cell and quantity. Months that lack a few days are scaled, those that lack many are none."""
    inside = of_all_days(submission).filter(F.col("direction_code").isin(*COUNTED))
    month = F.col("period_code").rlike(r"^\d{4}-\d{2}$")
    year = F.substring("period_code", 1, 4)
    quarter = F.concat(
        year, F.lit("-Q"), F.ceil(F.substring("period_code", 6, 2).cast("int") / 3).cast("string")
    )
    wholes = F.when(month, F.array("period_code", quarter, year)).otherwise(F.array("period_code"))
    spread = inside.withColumn("whole", F.explode(wholes))
    whole = Window.partitionBy("respondent_id", "channel_code", "whole")
    given = F.size(F.collect_set(F.when(month, F.col("period_code"))).over(whole))
    needed = F.when(F.col("whole").rlike("Q"), 3).when(F.length("whole") == 4, 12).otherwise(1)
    # A respondent's own figure of the whole period stands for the sum of its months.
    has_own = F.max(F.col("period_code") == F.col("whole")).over(whole)
    kept = F.when(has_own, F.col("period_code") == F.col("whole")).otherwise(given == needed)
    quantities = F.explode(
        F.array(
            *(F.struct(F.lit(name).alias("quantity_code"), F.col(name).alias("value")) for name in MEASURES)
        )
    )
    return (
        spread.withColumn("kept", kept)
        .filter("kept")
        .withColumn("period_code", F.col("whole"))
        .select(
            *("respondent_id", "period_code", "channel_code", "definition_code", "unit_code"),
            *("stage_code", "outcome_code"),
            quantities.alias("q"),
        )
        .select("*", "q.quantity_code", "q.value")
        .drop("q")
    )
