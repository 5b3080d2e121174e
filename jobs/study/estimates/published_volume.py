"""study.published_volume: volumes of spam that others published, beside this study's."""

import polars as pl

from jobs.base.figures.own_figures import WHERE, own_figures
from jobs.study.estimates.steps.rows import to_decimal

TABLE = "study.published_volume"


def transform(published_figure: pl.DataFrame, spam_volume: pl.DataFrame) -> pl.DataFrame:
    """A row for each published figure that is in force."""
    own = own_figures(spam_volume).with_columns(
        to_decimal(pl.col(name), 4) for name in ("own_value", "own_low", "own_high")
    )
    return (
        published_figure.filter(pl.col("valid_to").is_null())
        .drop("valid_from", "valid_to", "read_date")
        .join(own, on=[*WHERE, "comparison_code"], how="left")
        # Others published it.
        .with_columns(conf_status_code=pl.lit("F"))
    )
