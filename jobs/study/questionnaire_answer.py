"""study.questionnaire_answer: answers as they were received; here, which of them stands."""

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
