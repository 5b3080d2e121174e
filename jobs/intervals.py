"""Errors and intervals of estimated totals, and what they leave out: the non-response band.

- error: the largest of three. The standard deviation of the bootstrap replicates; the linearised error with
  residuals e/(1-h), h the operator's share of the area's weighted subscriptions (MacKinnon and White's HC3);
  and the error of predicting those that did not answer (Royall 1970). The first two know only what
  respondents show: where a large operator is silent and the others are alike, they are small. The third
  grows with the subscriptions of each silent operator, which are known.
- degrees of freedom: Satterthwaite's, of the first two from the strata's parts of the linearised variance
  (Korn and Graubard 1999, 5.2), so that an area that hangs on one stratum gets few; of the third from the
  respondents' parts of the variance of rates.
- interval: Student's t on the scale of the logarithm, since totals of heavy-tailed rates are skewed, and
  never below what was reported. The wider of that of the first two errors and that of the third.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from jobs.estimation import Array, Weighted, for_themselves, ratio_totals

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
    degrees of freedom of what was imputed; where it is given, its variance is added to those that know
    nothing of it, so that an area whose operators all answered has the imputation's error and freedom.
    """
    answering = sample.operators.is_respondent
    x, inside = sample.operators.subscriptions[answering], member[:, answering]
    imputed = np.zeros((len(inside), y.shape[-1]))
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
            if imputed_freedom is not None:
                variance, free[area, measure] = together(
                    variance, float(free[area, measure]), imputed[area, measure], imputed_freedom
                )
            error[area, measure] = max(error[area, measure], np.sqrt(variance))
    estimate = np.zeros_like(reported)
    for area, own in enumerate(inside):
        estimate[area] = for_themselves(sample.weights[0, own], x[own], float(known[area])) @ y[own]
    # But for the last digits it is not below it.
    estimate = np.maximum(estimate, reported)
    variance_of_rates, free_of_rates = rates_variance(sample, x, y)
    hidden = totals[0] * np.sqrt(np.outer(concentration(sample, member, known), variance_of_rates))
    low, high = interval(estimate, error, free, reported)
    # The wider of two intervals, not one of the larger error: that may have more degrees of freedom.
    free_of_hidden = np.full_like(hidden, free_of_rates)
    if imputed_freedom is not None:
        for place in np.ndindex(hidden.shape):
            variance, free_of_hidden[place] = together(
                float(hidden[place] ** 2), free_of_rates, float(imputed[place]), imputed_freedom
            )
            hidden[place] = np.sqrt(variance)
    lower, higher = interval(estimate, hidden, free_of_hidden, reported)
    return Figures(estimate, np.maximum(error, hidden), np.minimum(low, lower), np.maximum(high, higher))


def together(variance: float, freedom: float, other: float, other_freedom: float) -> tuple[float, float]:
    """The sum of two variances and its degrees of freedom (Satterthwaite)."""
    both = variance + other
    below = variance**2 / freedom + other**2 / other_freedom
    return both, max(both**2 / below, 1.0) if below > 0 else freedom


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


def rates_variance(sample: Weighted, x: Array, y: Array) -> tuple[Array, float]:
    """Variance of operators' rates y/x relative to the squared ratio of their cell, for each measure, and its
    degrees of freedom.

    Pooled over cells (region and class), since a cell has few respondents and tails are heavy. A respondent
    counts by the subscriptions that it stands for, u = w x: it is large operators whose silence matters, and
    rates of small ones scatter more where rates fall with size. With s the share of u in the cell, the sum of
    u (r/R - 1)^2 has the expectation v times the sum of u (1-s) if all rates have the relative variance v.
    """
    stands = sample.weights[0] * x
    labels = [label.rsplit("|", 1)[0] for label in sample.stratum[sample.operators.is_respondent]]
    cell = np.unique(np.array(labels), return_inverse=True)[1]
    below = np.bincount(cell, weights=stands)[cell]
    used = (x > 0) & (below > 0)
    unit = np.where(used, stands * (1 - stands / np.where(used, below, 1.0)), 0.0)
    if unit.sum() <= 0:
        return np.zeros(y.shape[1]), 1.0
    found = []
    for values in y.T:
        above = np.bincount(cell, weights=sample.weights[0] * values)[cell]
        # A cell without any has rates without deviation.
        varied = used & (above > 0)
        relative = values[varied] / x[varied] * below[varied] / above[varied] - 1
        found.append(float(stands[varied] @ relative**2 / unit.sum()))
    return np.array(found), max(float(unit.sum() ** 2 / (unit**2).sum()), 1.0)


def concentration(sample: Weighted, member: Array, known: Array) -> Array:
    """What the relative variance of rates is multiplied with for that of each area's ratio total.

    For y = x R (1 + e), e independent and of variance v, the total X (sum of w y)/(sum of w x) misses the
    truth with the variance R^2 v (sum of x^2 over silent operators + sum of (g-1)^2 x^2 over respondents),
    where g = X w/(sum of w x) (Royall 1970, for the weights used here); this is the bracket divided by
    X^2. Subscriptions of no listed operator count as those of one silent operator.
    """
    people, weights = sample.operators, sample.weights[0]
    answering, x = people.is_respondent, people.subscriptions
    inside = member[:, answering]
    below = inside @ (weights * x[answering])
    g = np.outer(np.divide(known, below, out=np.zeros_like(below), where=below > 0), weights)
    unlisted = np.maximum(known - member @ x, 0.0)
    bracket = (
        member[:, ~answering] @ x[~answering] ** 2
        + unlisted**2
        + (inside * ((g - 1) * x[answering]) ** 2).sum(axis=1)
    )
    return np.divide(bracket, known**2, out=np.zeros_like(bracket), where=known > 0)


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


@dataclass(frozen=True)
class Imputed:
    """Replicates of what was imputed, at the estimate's weights: what a small area reported, and its cell's
    ratio. freedom: its degrees of freedom, None where they are those of the rates."""

    reported: Array
    cell_ratio: Array
    freedom: float | None


def predicted_figure(
    y: Array,
    answered: Array,
    silent: Array,
    cell_ratio: Array,
    rates_variance: float,
    freedom: float,
    least: float,
    imputed: Imputed | None = None,
) -> tuple[float, float, float, float]:
    """Estimate, error and interval of a small area: what was reported, and silent operators at a rate.

    The rate is the area's own where respondents have half of its subscriptions, else its cell's (region and
    class); cell_ratio is that ratio and its replicates. Variance after Royall (1970) for y = x (b + e), the
    rates e varying as in the cell: each silent operator's own deviation; and, of the area's own ratio, its
    respondents' deviations, or, of the cell's, its replicates' variance. least: what is certain of y. What
    was imputed adds the variance of reported + left x rate over its replicates: silent operators take its
    error with the rate.
    """
    reported, left = float(y.sum()), float(silent.sum())
    spread = rates_variance * float((silent**2).sum())
    is_own = answered.sum() > 0 and answered.sum() >= left
    if is_own:
        rate = reported / float(answered.sum())
        spread += rates_variance * left**2 * float((answered**2).sum()) / float(answered.sum()) ** 2
    else:
        rate = float(cell_ratio[0])
        spread += left**2 * float(cell_ratio[1:].var(ddof=1))
    if imputed is not None:
        rates = imputed.reported / float(answered.sum()) if is_own else imputed.cell_ratio
        of_imputed = float((imputed.reported + left * rates).var(ddof=1))
        if imputed.freedom is None:
            spread += of_imputed
        else:
            spread, freedom = together(spread, freedom, of_imputed, imputed.freedom)
    estimate, error = np.array(reported + left * rate), np.array(np.sqrt(spread))
    # The logarithm of what is not certain, not of the total: the rest is exact.
    low, high = interval(estimate - least, error, np.array(freedom), np.array(0.0))
    return float(estimate), float(error), least + float(low), least + float(high)
