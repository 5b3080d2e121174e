"""Figures of the study of the kinds that others publish, from rows of estimated volumes."""

import polars as pl

from jobs.base.core.periods import count_days
from jobs.base.figures.areas import has_whole_area
from jobs.base.figures.counting_rules import OPERATOR

WHERE = ["area_code", "channel_code"]
# What of each channel adds up to all attempts; the quantities that are read.
COUNTED, SPAM, ALL = ("attempted", "call"), "spam_certain", "units"
OWN = ("own_period_code", "own_value", "own_low", "own_high")


def own_figures(spam_volume: pl.DataFrame) -> pl.DataFrame:
    """The study's figures of the last quarter, by area, channel and kind of comparison: the columns OWN. Only
    whole areas have them: a figure of a few countries stands beside no total of all."""
    own = spam_volume.filter(
        pl.col("period_code").str.contains("Q"),
        pl.col("definition_code") == OPERATOR,
        pl.col("unit_code").is_in(COUNTED),
        pl.col("estimate").is_not_null(),
        has_whole_area(),
    )
    last = own["period_code"].max() or "2020-Q1"
    ends = {"own_value": "estimate", "own_low": "estimate_low", "own_high": "estimate_high"}
    figures = own.filter(pl.col("period_code") == last).select(
        *WHERE, "quantity_code", **{name: pl.col(each).cast(pl.Float64) for name, each in ends.items()}
    )
    spam = figures.filter(pl.col("quantity_code") == SPAM).drop("quantity_code")
    units = figures.filter(pl.col("quantity_code") == ALL).select(*WHERE, of="own_value")
    share = spam.join(units.filter(pl.col("of") > 0), on=WHERE).select(
        *WHERE,
        own_value=100 * pl.col("own_value") / pl.col("of"),
        own_low=pl.lit(None, pl.Float64),
        own_high=pl.lit(None, pl.Float64),
    )
    daily = spam.with_columns(pl.col(list(ends)) / count_days(str(last)))
    kinds = {"share": share, "per_day": daily, "per_quarter": spam}
    return pl.concat(
        each.with_columns(comparison_code=pl.lit(kind), own_period_code=pl.lit(last))
        for kind, each in kinds.items()
    )
