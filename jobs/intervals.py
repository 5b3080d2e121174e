"""Errors and intervals of estimated totals, and what they leave out: the non-response band.

- error: standard deviation of the bootstrap replicates, or, where it is larger, the linearised error with
  residuals e/(1-h), h the operator's share of the area's weighted subscriptions (MacKinnon and White's HC3):
  the bootstrap knows too little of what a few large operators hide.
- degrees of freedom: Satterthwaite's, from the strata's parts of the linearised variance (Korn and Graubard
  1999, 5.2), so that an area that hangs on one stratum gets few.
- interval: Student's t on the scale of the logarithm, since totals of heavy-tailed rates are skewed, and
  never below what was reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from jobs.estimation import Array, Weighted, ratio_totals

CONFIDENCE = 0.95
# Non-respondents' rate as a multiple of the respondents'.
BAND_FACTORS = (0.5, 0.75, 1.0, 1.5)
CAUTION_PCT, UNRELIABLE_PCT = 16.6, 33.3
MOST_LEVERAGE = 0.9
FARTHEST = 1000.0


@dataclass(frozen=True)
class Figures:
    """Estimates as areas x measures, with errors and intervals."""

    estimate: Array
    error: Array
    low: Array
    high: Array


def figures(
    sample: Weighted,
    y: Array,
    member: Array,
    known: Array,
    least: Array | None = None,
    imputed_freedom: float | None = None,
) -> Figures:
    """Totals of areas by the ratio to subscriptions.

    y: respondents x measures, or replicates x respondents x measures where values were imputed; least: what
    is certain of imputed ones. member: areas x operators. known: subscriptions of each area. imputed_freedom:
    degrees of freedom of what was imputed; where it is given, its variance stands beside the linearised one,
    so that an area whose operators all answered has the imputation's error and freedom.
    """
    answering = sample.operators.is_respondent
    x, inside = sample.operators.subscriptions[answering], member[:, answering]
    imputed = None
    if y.ndim == 3:
        if imputed_freedom is not None:
            imputed = imputed_variance(sample.weights[0], x, y[1:], inside, known)
        rows = [
            ratio_totals(sample.weights[place : place + 1], x, y[place], inside, known)[0]
            for place in range(len(sample.weights))
        ]
        totals, y = np.array(rows), y[0]
    else:
        totals = ratio_totals(sample.weights, x, y, inside, known)
    reported = inside @ (y if least is None else least)
    error = totals[1:].std(axis=0, ddof=1)
    free = np.ones_like(error)
    for area in range(len(inside)):
        for measure in range(y.shape[1]):
            variance, free[area, measure] = linearised(
                sample, x, y[:, measure], inside[area], known[area], leverage=True
            )
            if imputed is not None and imputed_freedom is not None and imputed[area, measure] > 0:
                beside = imputed[area, measure]
                below = variance**2 / free[area, measure] + beside**2 / imputed_freedom
                variance += beside
                free[area, measure] = max(variance**2 / below, 1.0)
            error[area, measure] = max(error[area, measure], np.sqrt(variance))
    estimate = np.maximum(totals[0], reported)
    low, high = interval(estimate, error, free, reported)
    return Figures(estimate, error, low, high)


def imputed_variance(weights: Array, x: Array, drawn: Array, inside: Array, known: Array) -> Array:
    """Variance of areas' totals by what was imputed alone, areas x measures: weights stay those of the
    estimate. drawn: replicates x respondents x measures."""
    below = inside @ (weights * x)
    scale = np.divide(known, below, out=np.zeros_like(below), where=below > 0)
    totals = np.einsum("ap,rpm->ram", inside * weights * scale[:, None], drawn)
    found: Array = totals.var(axis=0, ddof=1)
    return found


def linearised(
    sample: Weighted, x: Array, y: Array, inside: Array, known: float, leverage: bool
) -> tuple[float, float]:
    """Linearised variance of an area's ratio total, and Satterthwaite's degrees of freedom.

    v = (X/sum of w x)^2 sum over strata of (1-f) n/(n-1) sum of (w e - mean of w e)^2, e = y - R x inside the
    area and 0 outside. For weights N/n and the whole population it is Cochran's N^2 (1-f) s^2(e)/n.
    """
    weights = sample.weights[0]
    below = float(weights[inside] @ x[inside])
    if below <= 0:
        return 0.0, 1.0
    residual = np.where(inside, y - (weights[inside] @ y[inside]) / below * x, 0.0)
    if leverage:
        residual = residual / (1 - np.minimum(np.where(inside, weights * x / below, 0.0), MOST_LEVERAGE))
    z = weights * residual
    stratum, strata = sample.index[sample.operators.is_respondent], sample.index.max() + 1
    count = np.bincount(stratum, minlength=strata)
    everyone = np.bincount(sample.index, minlength=strata)
    mean = np.bincount(stratum, weights=z, minlength=strata) / np.maximum(count, 1)
    squares = np.bincount(stratum, weights=(z - mean[stratum]) ** 2, minlength=strata)
    varied = count > 1
    parts = np.where(varied, (1 - count / everyone) * count / np.maximum(count - 1, 1) * squares, 0.0)
    total = float(parts.sum())
    below_freedom = float((parts[varied] ** 2 / (count[varied] - 1)).sum())
    free = total**2 / below_freedom if below_freedom > 0 else 1.0
    return (known / below) ** 2 * total, max(free, 1.0)


def interval(estimate: Array, error: Array, freedom: Array, least: Array) -> tuple[Array, Array]:
    """Student's t interval on the log scale: estimate exp(-/+ t error/estimate), never below `least`."""
    quantile = stdtrit(freedom, 0.5 + CONFIDENCE / 2)
    relative = np.divide(error, estimate, out=np.zeros_like(estimate), where=estimate > 0)
    # Beyond a factor of a thousand a bound says nothing, and soon overflows.
    reach = np.exp(np.minimum(quantile * relative, np.log(FARTHEST)))
    return np.maximum(estimate / reach, least), np.maximum(estimate * reach, least)


def cv_band(cv_pct: float) -> str:
    """Statistics Canada's bands of the coefficient of variation: acceptable, caution or unreliable."""
    if cv_pct < CAUTION_PCT:
        return "acceptable"
    return "caution" if cv_pct <= UNRELIABLE_PCT else "unreliable"


def at_factor(value: float, reported: float, factor: float) -> float:
    """A figure if those that did not answer have `factor` times the rate that it gives them.

    What was reported stays as it is; only what is beyond it scales.
    """
    return reported + factor * (value - reported) if value > reported else value


def predicted_figure(
    y: Array,
    answered: Array,
    silent: Array,
    cell_ratio: Array,
    rates_variance: float,
    freedom: float,
    least: float,
    imputed_variance: float,
) -> tuple[float, float, float, float]:
    """Estimate, error and interval of a small area: what was reported, and silent operators at a rate.

    The rate is the area's own where respondents have half of its subscriptions, else its cell's (region and
    class); cell_ratio is that ratio and its replicates. Variance after Royall (1970) for y = x (b + e), the
    rates e varying as in the cell: each silent operator's own deviation; and, of the area's own ratio, its
    respondents' deviations, or, of the cell's, its replicates' variance. least and imputed_variance: what is
    certain of y, and the variance of what was imputed.
    """
    reported, left = float(y.sum()), float(silent.sum())
    spread = rates_variance * float((silent**2).sum()) + imputed_variance
    if answered.sum() > 0 and answered.sum() >= left:
        rate = reported / float(answered.sum())
        spread += rates_variance * left**2 * float((answered**2).sum()) / float(answered.sum()) ** 2
    else:
        rate = float(cell_ratio[0])
        spread += left**2 * float(cell_ratio[1:].var(ddof=1))
    estimate, error = np.array(reported + left * rate), np.array(np.sqrt(spread))
    # The logarithm of what is not certain, not of the total: the rest is exact.
    low, high = interval(estimate - least, error, np.array(freedom), np.array(0.0))
    return float(estimate), float(error), least + float(low), least + float(high)
