"""Intervals of the changes of public.volume_change, made of its published rows alone.

An interval is of the growth of an area's whole traffic. How much growth differs from operator to operator is
taken from how much the published changes of regions differ. With l the logarithm of a region's change, k its
factor (the mean of both periods' area_factor, at least half of the mean of the regions'), n regions and l'
their mean weighted by 1/k,

    g = sum of (l - l')² / k / (n - 1)        s² = K g + days_variance of both periods + ROUNDING

From (1 + change) exp(-t s) to (1 + change) exp(t s), t Student's at n - 1 degrees. Where regions grow
differently in truth, g has that in it and the interval is too wide. Errors of subscriptions cancel: both
totals are in proportion to the same ones.

Where fewer than three regions have a change, g is the rates_variance of the later period's volumes, and t has
its degrees: that is a correlation of one half between both periods' errors. It is safe where half of each
rate lasts, and wider than the other (docs/estimates.md).
"""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.special import stdtrit

from jobs.base.figures.areas import REGION
from jobs.base.tables.public_contracts import OF_CHANGE, VARIANCE
from jobs.study.public.intervals import CONFIDENCE, FARTHEST, FREEDOM

# What the rows of a pair of periods have in common.
PAIR = (
    "area_code", "channel_code", "unit_code", "definition_code", "quantity_code", "earlier_period_code",
    "later_period_code",
)  # fmt: skip
SERIES_OF_WHOLE = ("period_code", "channel_code", "unit_code", "definition_code", "quantity_code")
# Fewer regions show too little of how growth differs.
FEWEST_REGIONS = 3
# The smallest factor of a region, over the mean: one of which nearly all answered counts no more than twice.
LEAST_FACTOR = 0.5
# The variance of the logarithm of the ratio of two figures with three digits, each off by 0.5% at most.
ROUNDING = 2 * 0.005**2 / 3
RISE, FALL, UNCLEAR = "rise", "fall", "unclear"
# The later of two periods, and the earlier.
BEFORE, AFTER = "with_before", "with_after"


def add_change_intervals(rows: pl.DataFrame, whole: pl.DataFrame) -> pl.DataFrame:
    """Published rows with ends of changes and whether these leave open which way it goes; null where one of
    the two rows is missing or of another release, or where neither three regions have a change nor the
    volumes an interval.

    Args:
        whole: published volumes.
    """
    series = [name for name in PAIR if name != "area_code"]
    # Rows that stand from an earlier release may have another one: the largest.
    known = whole.select(*SERIES_OF_WHOLE, VARIANCE, FREEDOM).drop_nulls().unique().sort(VARIANCE).rows()
    spread = {row[:-2]: row[-2:] for row in known}
    ends: list[tuple[object, ...]] = []
    for pairs in list_changes(rows).partition_by(series, maintain_order=True):
        regions = pairs.filter(area_kind_code=REGION)
        key = pairs.row(0, named=True)["later_period_code"], *pairs.select(SERIES_OF_WHOLE[1:]).row(0)
        if regions.height >= FEWEST_REGIONS:
            variance = growth_variance(regions["ratio"].to_list(), regions["factor"].to_list())
            freedom = float(regions.height - 1)
        elif key in spread:
            variance, freedom = spread[key]
        else:
            continue
        for *pair, ratio, factor, days in pairs.select(*PAIR, "ratio", "factor", "days").rows():
            low, high = change_ends(ratio, factor * variance + days + ROUNDING, freedom)
            ends.append((*pair, low, high, RISE if low > 0 else FALL if high < 0 else UNCLEAR))
    kinds = dict.fromkeys(PAIR, pl.String) | dict(
        zip(OF_CHANGE, (pl.Float64, pl.Float64, pl.String), strict=True)
    )
    found = pl.DataFrame(ends, schema=kinds, orient="row").with_columns(match_code=pl.lit(BEFORE))
    return rows.drop(OF_CHANGE).join(found, on=[*PAIR, "match_code"], how="left", maintain_order="left")


def list_changes(rows: pl.DataFrame) -> pl.DataFrame:
    """A row for each area with both figures of a pair: their ratio, its factor and its error of days."""
    figure = pl.col("estimate").cast(pl.Float64)
    before, after = (figure.filter(match_code=code).first() for code in (AFTER, BEFORE))
    return (
        rows.group_by(*PAIR, "area_kind_code", "stands_from", maintain_order=True)
        .agg(ratio=after / before, factor=pl.col("area_factor").mean(), days=pl.col("days_variance").sum())
        .filter(pl.col("ratio").is_between(0, math.inf, closed="none"), pl.col("factor").is_not_null())
    )


def growth_variance(ratios: Sequence[float], factors: Sequence[float]) -> float:
    """Return the variance of growth, g, by the ratios of regions and their factors. 0 where all factors are
    0, since all of their operators answered."""
    logs, held = np.log(ratios), np.asarray(factors)
    if not held.any():
        return 0.0
    held = np.maximum(held, LEAST_FACTOR * held.mean())
    off = logs - np.average(logs, weights=1 / held)
    return float((off**2 / held).sum() / (len(logs) - 1))


def change_ends(ratio: float, squared: float, freedom: float) -> tuple[float, float]:
    """The ends of a change in percent, with one decimal, rounded outward."""
    reach = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(squared)
    times = math.exp(min(reach, math.log(FARTHEST)))
    low, high = (100 * (ratio * each - 1) for each in (1 / times, times))
    return math.floor(10 * low) / 10, math.ceil(10 * high) / 10
