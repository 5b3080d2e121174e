"""Errors of a release: a generalised variance function (Wolter 2007, ch. 7). CV² = K v of a figure.

The study's own error of an area (jobs/base/stats/intervals.py) is at least the norm of a linear map of what
its operators contributed, so an interval made of it bounds them. Here an area adds public terms alone:

- K, the area's factor, follows from frame, weights and who answered: how far an area hangs on few operators,
  or on few owners of them.
- v, one number for all areas of a series, is how much operators' rates differ (rates_variance()).

rule_margin() says how far v alone is from revealing what a respondent contributed.
"""

from dataclasses import dataclass

import numpy as np

from jobs.base.stats.estimation import Array, Weighted, encode_sets
from jobs.base.stats.intervals import concentration_of, pool_variance, relative_rates


def area_factors(
    sample: Weighted, coefficients: Array, member: Array, known: Array, by_ratio: Array
) -> Array:
    """The factor K of each area: the larger of C and D; of a country, and any area that is not by_ratio, C.

    C is Royall's (1970), concentration_of() the subscriptions that respondents stand for by these
    coefficients A: for rates of the relative variance v an estimate misses the truth with the relative
    variance v C. D is what sampling says: sum of (1-f)(A x)² / (sum of A x)², f the share of the stratum that
    answered.

    Args:
        coefficients: areas x respondents.
        member: areas x operators.
        known: X of each area.
    """
    answering, x = sample.operators.is_respondent, sample.operators.subscriptions
    stands = coefficients * x[answering]
    of_model = concentration_of(sample, stands, member, known)
    everyone = np.bincount(sample.index)
    left = 1 - np.bincount(sample.index[answering], minlength=len(everyone)) / everyone
    below = stands.sum(axis=1) ** 2
    above = stands**2 @ left[sample.index[answering]]
    of_sampling = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return np.where(by_ratio, np.maximum(of_model, of_sampling), of_model)


@dataclass(frozen=True)
class Spread:
    """Variance of rates, by measure.

    Attributes:
        variance: v, not a number where one respondent shows none.
        freedom: its degrees of freedom.
        deviation: each respondent's rate over that of its cell, less 1, respondents x measures.
        stands: the subscriptions that it stands for.
        unit: the sum of these times 1 - s, s its share of its cell, so that variance x unit is the sum of
            stands x deviation².
    """

    variance: Array
    freedom: float
    deviation: Array
    stands: Array
    unit: float


def spread_of(sample: Weighted, y: Array) -> Spread:
    """The spread of rates.

    Args:
        y: respondents x measures.
    """
    x = sample.operators.subscriptions[sample.operators.is_respondent]
    over_ratio, stands, unit = relative_rates(sample, x, y)
    deviation = over_ratio - 1
    variance, freedom = pool_variance(deviation, stands, unit)
    total = float(unit.sum())
    return Spread(variance if total > 0 else np.full(y.shape[1], np.nan), freedom, deviation, stands, total)


def rule_margin(spread: Spread, variance: Array, holding: Array) -> Array:
    """Return, by measure, the largest p, in percent, for which a variance that is published lets no other
    holding find a respondent's rate within p%.

    Whoever has the frame and the ratio of each cell knows that the sum of u d² is at most variance x unit (u
    stands, d deviation), and a holding takes off its own part q of the sum. So |d_k| is at most D_k = root of
    (variance x unit - q) / u_k, and the rate 1 + d_k is open by p% on both sides where D_k >= |d_k| + p (1 +
    d_k).

    Args:
        holding: the owner of each respondent.
    """
    squares = spread.stands[:, None] * spread.deviation**2
    owner = np.unique(holding.astype(str), return_inverse=True)[1]
    of_owner = encode_sets(owner, owner.max() + 1).T @ squares
    most = of_owner.max(axis=0)
    others = np.partition(np.vstack([of_owner, np.zeros_like(most)]), -2, axis=0)[-2]
    is_most = np.arange(len(of_owner))[owner, None] == of_owner.argmax(axis=0)
    left = np.maximum(variance * spread.unit - np.where(is_most, others, most), 0.0)
    counts = spread.stands > 0
    reach = np.sqrt(left[counts] / spread.stands[counts, None])
    rate = 1 + spread.deviation[counts]
    spare = reach - abs(spread.deviation[counts])
    margin = np.divide(spare, rate, out=np.full_like(spare, np.inf), where=rate > 0)
    found: Array = 100 * margin.min(axis=0, initial=np.inf)
    return found
