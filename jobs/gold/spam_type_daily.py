"""gold.spam_type_daily: spam volume by primary content type."""

from pyspark.sql import DataFrame

from jobs.gold.counting import VOLUME, counted


def transform(message: DataFrame, definition: DataFrame) -> DataFrame:
    return counted(message, definition, [*VOLUME, "spam_type_code"])
