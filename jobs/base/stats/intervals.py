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
- beside: errors of the subscriptions that totals are scaled to, and of days without logs. They do not depend
  on who answered: their variance is added (add_known_errors()).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from jobs.base.stats.estimation import Array, Weighted, encode_sets, floor_at_one, ratio_totals, sum_rows

CONFIDENCE = 0.95
# Non-respondents' rate as a multiple of the respondents'.
BAND_FACTORS = (0.5, 0.75, 1.0, 1.5)
CAUTION_PCT, UNRELIABLE_PCT = 16.6, 33.3
MOST_LEVERAGE = 0.9
# In place of a band: one respondent shows no variance.
ONE_RESPONDENT = "one_respondent"
FARTHEST = 1000.0


@dataclass(frozen=True)
class EstimateTable:
    """Estimates as areas x measures, or of one area, with errors and intervals."""

    estimate: Array
    error: Array
    low: Array
    high: Array


def estimate_figures(
    sample: Weighted,
    y: Array,
    member: Array,
    known: Array,
    least: Array | None = None,
    imputed_freedom: float | None = None,
) -> EstimateTable:
    """Totals of areas by the ratio to subscriptions.

    Args:
        y: respondents x measures, or replicates x respondents x measures where values were imputed.
        least: what is certain of imputed ones.
        member: areas x operators.
        known: subscriptions of each area.
        imputed_freedom: degrees of freedom of what was imputed; where it is given, its variance is added to
            those that know nothing of it, so that an area whose operators all answered has the imputation's
            error and freedom.
    """
    answering = sample.operators.is_respondent
    x, inside = sample.operators.subscriptions[answering], member[:, answering]
    own = y[0] if y.ndim == 3 else y
    if y.ndim == 3:
        totals = replicated_totals(sample.weights, x, y, inside, known)
    else:
        totals = ratio_totals(sample.weights, x, y, inside, known)
    estimate, reported = estimated_totals(sample, own, member, known, own if least is None else least)
    each = [
        linearised_variance(sample, x, own, mine, float(total), leverage=True)
        for mine, total in zip(inside, known, strict=True)
    ]
    variance = np.array([found for found, _ in each]).reshape(estimate.shape)
    free = np.array([found for _, found in each]).reshape(estimate.shape)
    variance_of_rates, free_of_rates = rates_variance(sample, x, own)
    hidden = totals[0] * np.sqrt(np.outer(area_concentration(sample, member, known), variance_of_rates))
    free_of_hidden = np.full_like(hidden, free_of_rates)
    if y.ndim == 3 and imputed_freedom is not None:
        imputed = imputed_variance(sample.weights[0], x, y[1:], inside, known)
        variance, free = add_variances(variance, free, imputed, imputed_freedom)
        hidden, free_of_hidden = add_variances(hidden**2, free_of_hidden, imputed, imputed_freedom)
        hidden = np.sqrt(hidden)
    error = np.maximum(totals[1:].std(axis=0, ddof=1), np.sqrt(variance))
    low, high = log_interval(estimate, error, free, reported)
    # The wider of two intervals, not one of the larger error: that may have more degrees of freedom.
    lower, higher = log_interval(estimate, hidden, free_of_hidden, reported)
    return EstimateTable(
        estimate, np.maximum(error, hidden), np.minimum(low, lower), np.maximum(high, higher)
    )


def estimated_totals(
    sample: Weighted, y: Array, member: Array, known: Array, least: Array
) -> tuple[Array, Array]:
    """Estimated totals of areas, and what was reported of them, areas x measures."""
    answering = sample.operators.is_respondent
    x, inside = sample.operators.subscriptions[answering], member[:, answering]
    reported: Array = inside @ least
    estimate = np.zeros_like(reported, dtype=float)
    for area, own in enumerate(inside):
        estimate[area] = floor_at_one(sample.weights[0, own], x[own], float(known[area])) @ y[own]
    # But for the last digits it is not below it.
    return np.maximum(estimate, reported), reported


def replicated_totals(weights: Array, x: Array, y: Array, inside: Array, known: Array) -> Array:
    """ratio_totals() where each row of weights has values of its own: y is rows x respondents x measures."""
    below = weights @ (inside * x).T
    scale = np.divide(known, below, out=np.zeros_like(below), where=below > 0)
    return (inside * weights[:, None, :]) @ y * scale[:, :, None]


def add_variances(
    variance: Array, freedom: Array | float, other: Array, other_freedom: Array | float
) -> tuple[Array, Array]:
    """The sum of two variances and its degrees of freedom (Satterthwaite)."""
    both = variance + other
    below = variance**2 / freedom + other**2 / other_freedom
    pooled = np.divide(both**2, below, out=np.zeros_like(both), where=below > 0)
    return both, np.where(below > 0, np.maximum(pooled, 1.0), freedom)


def imputed_variance(weights: Array, x: Array, drawn: Array, inside: Array, known: Array) -> Array:
    """Variance of areas' totals by what was imputed alone, areas x measures: weights stay those of the
    estimate.

    Args:
        drawn: replicates x respondents x measures.
    """
    below = inside @ (weights * x)
    scale = np.divide(known, below, out=np.zeros_like(below), where=below > 0)
    totals = (inside * weights * scale[:, None]) @ drawn
    found: Array = totals.var(axis=0, ddof=1)
    return found


def linearised_variance(
    sample: Weighted, x: Array, y: Array, inside: Array, known: float, leverage: bool
) -> tuple[Array, Array]:
    """Linearised variance of an area's ratio totals and Satterthwaite's degrees of freedom, by measure.

    v = (X/sum of w x)^2 sum over strata of (1-f) n/(n-1) sum of (w e - mean of w e)^2, e = y - R x inside the
    area and 0 outside, w e summed over the operators of a holding. For weights N/n, the whole population and
    holdings of one operator it is Cochran's N^2 (1-f) s^2(e)/n. The larger of it and across_strata().

    Args:
        y: respondents x measures.
    """
    weights = sample.weights[0]
    below = float(weights[inside] @ x[inside])
    if below <= 0:
        return np.zeros(y.shape[1]), np.ones(y.shape[1])
    residual = np.where(inside[:, None], y - np.outer(x, (weights[inside] @ y[inside]) / below), 0.0)
    if leverage:
        share = np.minimum(np.where(inside, weights * x / below, 0.0), MOST_LEVERAGE)
        residual = residual / (1 - share)[:, None]
    z = weights[:, None] * residual
    off = weigh_deviations(sample, z)
    total, free = owners_variance(off)
    return (known / below) ** 2 * np.maximum(total, across_strata(off)), free


@dataclass(frozen=True)
class Deviations:
    """Influences summed over what each holding has in a stratum, as deviations from the stratum's mean, times
    the root of (1-f) n/(n-1); units x measures.

    Attributes:
        stratum, owner: the place of each unit's.
        count: units of each stratum that answered.
    """

    values: Array
    stratum: Array
    owner: Array
    count: Array


def weigh_deviations(sample: Weighted, influence: Array) -> Deviations:
    """Deviations of influences, respondents x measures. A stratum with one unit has none."""
    answering = sample.operators.is_respondent
    _, first, place = np.unique(sample.unit[answering], return_index=True, return_inverse=True)
    index, owner = sample.index[answering][first], sample.owner[answering][first]
    sums = sum_rows(influence, place)
    stratum = np.unique(index, return_inverse=True)[1]
    count = np.bincount(stratum)
    one_of_each = np.unique(sample.unit, return_index=True)[1]
    everyone = np.bincount(sample.index[one_of_each])[np.unique(index)]
    mean = sum_rows(sums, stratum) / count[:, None]
    left = np.where(count > 1, (1 - count / everyone) * count / np.maximum(count - 1, 1), 0.0)
    return Deviations(np.sqrt(left)[stratum, None] * (sums - mean[stratum]), stratum, owner, count)


def owners_variance(off: Deviations) -> tuple[Array, Array]:
    """The stratified variance of sums of influences, for each measure, with holdings as units that are drawn
    without replacement; and its degrees of freedom (Satterthwaite)."""
    parts = sum_rows(off.values**2, off.stratum)
    total = parts.sum(axis=0)
    varied = off.count > 1
    below = (parts[varied] ** 2 / (off.count[varied] - 1)[:, None]).sum(axis=0)
    free = np.divide(total**2, below, out=np.ones_like(total), where=below > 0)
    return total, np.maximum(free, 1.0)


def across_strata(off: Deviations) -> Array:
    """owners_variance() where what a holding has in several strata deviates together: the squares are those
    of its deviations' sum."""
    found: Array = (sum_rows(off.values, np.unique(off.owner, return_inverse=True)[1]) ** 2).sum(axis=0)
    return found


def rates_variance(sample: Weighted, x: Array, y: Array) -> tuple[Array, float]:
    """Variance of operators' rates y/x relative to the squared ratio of their cell, for each measure, and its
    degrees of freedom.

    Pooled over cells (region and class), since a cell has few respondents and tails are heavy. A respondent
    counts by the subscriptions that it stands for, u = w x: it is large operators whose silence matters, and
    rates of small ones scatter more where rates fall with size. With s the share of u in the cell, the sum of
    u (r/R - 1)^2 has the expectation v times the sum of u (1-s) if all rates have the relative variance v.
    """
    over_ratio, stands, unit = relative_rates(sample, x, y)
    variance, freedom = pool_variance(over_ratio - 1, stands, unit)
    # Operators of one owner show one rate, and count as one.
    of_owner = np.bincount(sample.owner[sample.operators.is_respondent], weights=unit)
    return variance, max(float(unit.sum() ** 2 / (of_owner**2).sum()), 1.0) if unit.sum() > 0 else freedom


def relative_rates(sample: Weighted, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Each respondent's rate over the ratio of its cell, respondents x measures; the subscriptions that it
    stands for, and these times what others of its cell stand for, as a share."""
    stands = sample.weights[0] * x
    labels = [label.rsplit("|", 1)[0] for label in sample.stratum[sample.operators.is_respondent]]
    cell = np.unique(np.array(labels), return_inverse=True)[1]
    below = np.bincount(cell, weights=stands)[cell]
    used = (x > 0) & (below > 0)
    unit = np.where(used, stands * (1 - stands / np.where(used, below, 1.0)), 0.0)
    cells = encode_sets(cell, cell.max() + 1)
    above = (cells.T @ (sample.weights[0][:, None] * y))[cell]
    # A cell without any has rates without deviation.
    varied = used[:, None] & (above > 0)
    over_ratio = np.divide(y * below[:, None], x[:, None] * above, out=np.ones_like(above), where=varied)
    return over_ratio, stands, unit


def pool_variance(deviation: Array, stands: Array, unit: Array) -> tuple[Array, float]:
    """The variance of deviations, respondents x measures, and its degrees of freedom; stands and unit of
    relative_rates()."""
    if unit.sum() <= 0:
        return np.zeros(deviation.shape[1]), 1.0
    return stands @ deviation**2 / unit.sum(), max(float(unit.sum() ** 2 / (unit**2).sum()), 1.0)


def area_concentration(sample: Weighted, member: Array, known: Array) -> Array:
    """Factor from the relative variance of rates to that of each area's ratio total.

    For y = x R (1 + e), e independent and of variance v, the total X (sum of w y)/(sum of w x) misses the
    truth with the variance R^2 v (sum of x^2 over silent operators + sum of (g-1)^2 x^2 over respondents),
    where g = X w/(sum of w x) (Royall 1970, for the weights used here); this is concentration_of() what each
    operator, or each holding, adds.
    """
    answering, x = sample.operators.is_respondent, sample.operators.subscriptions
    stands = member[:, answering] * sample.weights[0] * x[answering]
    below = stands.sum(axis=1)
    scale = np.divide(known, below, out=np.zeros_like(below), where=below > 0)
    return concentration_of(sample, stands * scale[:, None], member, known)


def concentration_of(sample: Weighted, stands: Array, member: Array, known: Array) -> Array:
    """The sum of squares of what an area's estimate misses of each operator's subscriptions, over the square
    of all subscriptions: that is the relative variance for rates of the variance 1.

    So it is if operators differ each by itself; where those of an owner have one rate, sums over each owner
    are squared instead. This is the larger of both. Subscriptions of no listed operator count as those of one
    silent operator.

    Args:
        stands: subscriptions that each respondent stands for in each area, areas x respondents.
    """
    parts = -(member * sample.operators.subscriptions)
    unlisted = np.maximum(known + parts.sum(axis=1), 0.0)
    parts[:, sample.operators.is_respondent] += stands
    by_owner = parts @ encode_sets(sample.owner, int(sample.owner.max(initial=-1)) + 1)
    missed = np.maximum((parts**2).sum(axis=1), (by_owner**2).sum(axis=1))
    return np.divide(missed + unlisted**2, known**2, out=np.zeros_like(missed), where=known > 0)


def log_interval(estimate: Array, error: Array, freedom: Array, least: Array) -> tuple[Array, Array]:
    """Student's t interval on the log scale: estimate exp(-/+ t error/estimate), never below `least`."""
    quantile = stdtrit(freedom, 0.5 + CONFIDENCE / 2)
    relative = np.divide(error, estimate, out=np.zeros_like(estimate), where=estimate > 0)
    # Beyond a factor of a thousand a bound says nothing, and soon overflows.
    reach = np.exp(np.minimum(quantile * relative, np.log(FARTHEST)))
    return np.maximum(estimate / reach, least), np.maximum(estimate * reach, least)


def add_known_errors(of_area: EstimateTable, variance: float | Array, least: Array) -> EstimateTable:
    """An area's estimates, with errors that nothing of what was reported shows.

    On the logarithm's scale the square of each arm and that of the other error's, which is normal, add up.

    Args:
        variance: relative to the squared estimate.
        least: what the interval is never below.
    """
    has_any = (variance > 0) & (of_area.estimate > 0) & ~np.isnan(of_area.low)
    value = np.where(has_any, of_area.estimate, 1.0)
    square = variance * float(stdtrit(np.inf, 0.5 + CONFIDENCE / 2)) ** 2

    def reach(end: Array) -> Array:
        arm = np.log(np.clip(np.where(has_any, end, 1.0) / value, 1 / FARTHEST, FARTHEST))
        found: Array = np.exp(np.sqrt(arm**2 + square))
        return found

    return EstimateTable(
        of_area.estimate,
        np.where(has_any, np.sqrt(of_area.error**2 + variance * value**2), of_area.error),
        np.where(has_any, np.maximum(value / reach(of_area.low), least), of_area.low),
        np.where(has_any, value * reach(of_area.high), of_area.high),
    )


def gap_interval(
    necessary: float,
    target: tuple[float | None, float | None],
    spent: float,
    spending: tuple[float | None, float | None],
    variance: float,
) -> tuple[float | None, float | None]:
    """The interval of what is necessary less what is spent, not below 0; None for an end that one of the two
    intervals lacks.

    Args:
        target, spending: intervals. Both errors are taken to be independent. Respondents that spend much
            raise both, so the true interval is narrower.
        variance: of the area's subscriptions, relative to their square. Need and spending are in proportion
            to them, and so is the gap. The interval of spending has their error, too, so that it counts twice
            where little is missing.
    """
    (low, high), (least, most) = target, spending
    gap = necessary - spent
    reach = math.exp(float(stdtrit(np.inf, 0.5 + CONFIDENCE / 2)) * math.sqrt(variance))
    fewer, more = max(gap, 0.0) * (1 - 1 / reach), max(gap, 0.0) * (reach - 1)
    return (
        None
        if low is None or most is None
        else max(gap - math.hypot(most - spent, necessary - low, fewer), 0.0),
        None
        if high is None or least is None
        else max(gap + math.hypot(spent - least, high - necessary, more), 0.0),
    )


def cv_band(cv_pct: float) -> str:
    """Statistics Canada's bands of the coefficient of variation: acceptable, caution or unreliable.

    Of a coefficient that is not a number, ONE_RESPONDENT.
    """
    if math.isnan(cv_pct):
        return ONE_RESPONDENT
    if cv_pct < CAUTION_PCT:
        return "acceptable"
    return "caution" if cv_pct <= UNRELIABLE_PCT else "unreliable"


def figure_at_factor(value: Array, reported: Array, factor: float) -> Array:
    """A figure if those that did not answer have `factor` times the rate that it gives them.

    What was reported stays as it is; only what is beyond it scales.
    """
    return np.where(value > reported, reported + factor * (value - reported), value)
