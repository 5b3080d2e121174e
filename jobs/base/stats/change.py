"""Change between two periods, from those that answered in both.

Each period's total is estimated as any other, by the weights of the matched respondents alone; the change is
their ratio. What respondents were like in one period they mostly are in the other, so their figures vary
together, and the ratio varies far less than either total (Cochran 1977, 6.19).

- replicates: the same draws of holdings hold for both periods, so that a replicate's ratio has the covariance
  of the two totals.
- error: as for a total (jobs/base/stats/intervals.py) the largest of three: of the replicates' logarithms;
  the linearised one of the logarithm, by holding, with residuals e/(1-h); and that of predicting who did not
  answer, from how far relative rates moved between the periods.
- interval: Student's t on the scale of the logarithm.
"""

from dataclasses import dataclass

import numpy as np

from jobs.base.stats.estimation import Array, Weighted, ratio_totals
from jobs.base.stats.intervals import (
    MOST_LEVERAGE,
    area_concentration,
    estimated_totals,
    log_interval,
    owners_variance,
    pool_variance,
    relative_rates,
    weigh_deviations,
)


@dataclass(frozen=True)
class MatchedPeriod:
    """One period of respondents that answered in both.

    Attributes:
        sample: with replicates of the same draws in both periods.
        y: respondents x measures, in the same order in both periods.
        member: areas x operators, the same areas in both.
        known: subscriptions of each area.
    """

    sample: Weighted
    y: Array
    member: Array
    known: Array

    @property
    def x(self) -> Array:
        """Subscriptions of the respondents."""
        people = self.sample.operators
        found: Array = people.subscriptions[people.is_respondent]
        return found

    @property
    def inside(self) -> Array:
        """Areas x respondents."""
        found: Array = self.member[:, self.sample.operators.is_respondent]
        return found


@dataclass(frozen=True)
class ChangeTable:
    """Areas x measures: totals of both periods, the ratio of the later to the earlier, and its interval; not
    a number where the earlier total is nothing."""

    before: Array
    after: Array
    ratio: Array
    low: Array
    high: Array


def estimate_change(before: MatchedPeriod, after: MatchedPeriod) -> ChangeTable:
    """The change of areas' totals."""
    totals, replicated, influence = [], [], []
    for each in (before, after):
        totals.append(estimated_totals(each.sample, each.y, each.member, each.known, each.y)[0])
        weights = each.sample.weights
        replicated.append(ratio_totals(weights[1:], each.x, each.y, each.inside, each.known))
        influence.append(log_influence(each))
    ratio = np.divide(totals[1], totals[0], out=np.full_like(totals[0], np.nan), where=totals[0] > 0)
    varied = (replicated[0] > 0) & (replicated[1] > 0)
    logs = np.log(np.divide(replicated[1], replicated[0], out=np.ones_like(replicated[0]), where=varied))
    parts = [
        owners_variance(weigh_deviations(after.sample, later - earlier))
        for earlier, later in zip(*influence, strict=True)
    ]
    variance, free = (np.array(each).reshape(ratio.shape) for each in zip(*parts, strict=True))
    error = np.maximum(logs.std(axis=0, ddof=1), np.sqrt(variance))
    moved, free_of_moved = rates_moved(before, after)
    hidden = np.sqrt(np.outer(area_concentration(after.sample, after.member, after.known), moved))
    none = np.zeros_like(ratio)
    low, high = log_interval(ratio, error * ratio, free, none)
    lower, higher = log_interval(ratio, hidden * ratio, np.full_like(ratio, free_of_moved), none)
    return ChangeTable(totals[0], totals[1], ratio, np.minimum(low, lower), np.maximum(high, higher))


def log_influence(of: MatchedPeriod, leverage: bool = True) -> Array:
    """Influence of each respondent on the logarithm of an area's ratio total, areas x respondents x measures:
    w (y - R x) / (sum of w y)."""
    weights, x = of.sample.weights[0], of.x
    inside = of.inside[:, :, None]
    stands = np.where(of.inside, weights * x, 0.0)
    below = stands.sum(axis=1)[:, None, None]
    above = np.where(inside, (weights[:, None] * of.y)[None], 0.0)
    whole = above.sum(axis=1, keepdims=True)
    share = np.divide(stands[:, :, None], below, out=np.zeros_like(above), where=below > 0)
    of_total = np.divide(above, whole, out=np.zeros_like(above), where=whole > 0)
    residual = np.where(whole > 0, of_total - share, 0.0)
    found: Array = residual / (1 - np.minimum(share, MOST_LEVERAGE)) if leverage else residual
    return found


def rates_moved(before: MatchedPeriod, after: MatchedPeriod) -> tuple[Array, float]:
    """Variance of how far operators' rates moved between the periods, relative to their cells, for each
    measure; and its degrees of freedom."""
    earlier, _, _ = relative_rates(before.sample, before.x, before.y)
    later, stands, unit = relative_rates(after.sample, after.x, after.y)
    return pool_variance(later - earlier, stands, unit)
