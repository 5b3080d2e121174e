"""study.questionnaire_answer: answers as they were received; here which stands, and what logs have too."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def latest(questionnaire_answer: DataFrame) -> DataFrame:
    """The answer that stands of each respondent, period and indicator: the one received last.

    Of two received at the same time the one whose file has the higher SHA-256, so that the order of loading
    does not matter. An answer that was withdrawn stands as not available: filter values afterwards.
    """
    key = ["respondent_id", "period_code", "indicator_code"]
    columns = questionnaire_answer.columns
    newest = F.max_by(F.struct(*columns), F.struct("received_at", "file_sha256")).alias("answer")
    return questionnaire_answer.groupBy(*key).agg(newest).select("answer.*")


def counted(questionnaire_answer: DataFrame, indicator_measure: DataFrame) -> DataFrame:
    """Answers that stand and are numbers that logs have too: a row for each respondent, period and indicator,
    with the channel, measure, definition and quantity that it tells of."""
    return (
        latest(questionnaire_answer)
        .select(
            *("respondent_id", "period_code", "indicator_code", "answer_status_code"),
            F.col("value").try_cast("decimal(24,2)").alias("answer_value"),
        )
        .filter("answer_value IS NOT NULL")
        .join(F.broadcast(indicator_measure.drop("source", "valid_from", "valid_to")), "indicator_code")
    )
