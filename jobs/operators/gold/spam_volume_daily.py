"""gold.spam_volume_daily: spam per operator, day, channel, direction, stage, outcome, unit and definition."""

import polars as pl

from jobs.operators.gold.shared.counting import VOLUME_CELL, count_units


def partial(message: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    return count_units(message, definition, VOLUME_CELL)
