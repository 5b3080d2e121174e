"""gold.spam_type_daily: spam volume by primary content type."""

import polars as pl

from jobs.operators.gold.shared.counting import VOLUME_CELL, count_units


def partial(message: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    return count_units(message, definition, [*VOLUME_CELL, "spam_type_code"])
