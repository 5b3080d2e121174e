"""The change of matched respondents and what is wrong with days and subscriptions."""

import math

import polars as pl
import pytest

from jobs.study.estimates.volume_change import TABLE
from tests.golden.test_golden import GOLDEN, computed, inputs

CASE = GOLDEN / TABLE / "five_of_ten_in_two_quarters"
FIGURES, DENOMINATOR = "study.respondent_figure", "ref.denominator"


def interval(frames: dict[str, pl.DataFrame]) -> tuple[float, float, float]:
    """The world's change in percent, of certain spam, with its ends."""
    row = computed(TABLE, frames).filter(
        area_code="WORLD", unit_code="attempted", quantity_code="spam_certain", match_code="with_before"
    )
    change, low, high = (float(row[f"change{name}_pct"][0]) for name in ("", "_low", "_high"))
    return change, low, high


def test_days_that_one_quarter_lacks_widen_a_change_and_subscriptions_do_not() -> None:
    frames = inputs(TABLE, [CASE])
    change, low, high = interval(frames)
    assert low < change < high
    # Of the fourth quarter's 92 days nine are missing, everywhere: a tenth is the next step above.
    is_later = pl.col("period_code") == "2026-Q4"
    fewer = frames[FIGURES].with_columns(
        day_count=pl.when(is_later & pl.col("day_count").is_not_null()).then(83).otherwise("day_count")
    )
    assert fewer["day_count"].min() == 83
    same, lower, higher = interval(frames | {FIGURES: fewer})
    assert same == change
    for before, after in ((low, lower), (high, higher)):
        arm = math.log((1 + before / 100) / (1 + change / 100))
        wider = math.log((1 + after / 100) / (1 + change / 100))
        assert wider**2 - arm**2 == pytest.approx((1.959964 * 0.1) ** 2, rel=1e-3)
    wrong = frames[DENOMINATOR].with_columns(subscriptions_low=pl.lit(1), subscriptions_high=pl.lit(10_000))
    assert interval(frames | {DENOMINATOR: wrong}) == (change, low, high)
