"""gold.spam_volume_daily: spam per operator, day, channel, direction, stage, outcome, unit and definition."""

from pyspark.sql import DataFrame

from jobs.gold.counting import VOLUME, counted


def transform(message: DataFrame, definition: DataFrame) -> DataFrame:
    return counted(message, definition, VOLUME)
