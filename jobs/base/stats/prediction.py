"""Figures of a country or a small area: what was reported, and a rate for those that did not answer.

- rate: the area's own where its respondents have half of its subscriptions, else that of its cell (region and
  class).
- how rates vary: respondents' rates as multiples of their cell's ratio, pooled over all cells, since a cell
  has few and tails are heavy. A draw gives each operator of the area the multiple of a respondent, chosen by
  its weight: a hot deck (Rubin and Schenker 1986), so that an interval has the shape that rates have.
- error and interval: nothing shows whether operators of one country are alike. So silent operators are
  predicted twice, at the area's own rate and at its cell's, and the interval reaches from the lower of the
  lower ends to the higher of the higher ends; the error is the larger one, each around the estimate, so that
  it includes how far the two are apart. By its own rate alone, an area whose respondents have a high one
  seemed certain, and the truth of silent operators with common rates was below its interval. Where nobody
  answered, all operators have one multiple.

Percentiles of draws become t's by stretching them around the median on the scale of the logarithm: with few
respondents, few multiples have been seen.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from jobs.base.stats.estimation import Array, Weighted, one_hot, seed_of
from jobs.base.stats.intervals import CONFIDENCE, FARTHEST, MOST_LEVERAGE, add_variances

DRAWS = 399
SEED = seed_of("rates of silent operators")


@dataclass(frozen=True)
class Multiples:
    """Rates as multiples of their cell's ratio: draws x places x measures for silent operators of an area and
    for its respondents; the relative variance of rates for each measure, and its degrees of freedom, 0 of one
    respondent. normal: a standard normal number for each draw."""

    silent: Array
    answered: Array
    normal: Array
    variance: Array
    freedom: float


@dataclass(frozen=True)
class RateCell:
    """A region and class: the ratio of each measure to subscriptions, and the sum of its respondents' squared
    shares of the subscriptions that they stand for. imputed: replicates of the ratio at the estimate's
    weights, where values were imputed."""

    ratio: Array
    concentration: float
    imputed: Array | None


@dataclass(frozen=True)
class RateReading:
    """A rate that silent operators may have: level for each measure, its replicates where values were
    imputed, their mean rate as a multiple of it in draws x measures, and the relative variance of that."""

    level: Array
    imputed: Array | None
    multiple: Array
    variance: Array


@dataclass(frozen=True)
class Imputed:
    """Replicates of what a small area reported, where values were imputed. freedom: degrees of freedom of
    what was imputed, None where they are those of the rates."""

    reported: Array
    freedom: float | None


def relative_rates(sample: Weighted, cell: Array, y: Array) -> tuple[Array, Array]:
    """Respondents x measures: each rate y/x as a multiple of its cell's ratio, with a weighted mean of 1; and
    the share of the draws that each respondent has.

    cell: of each respondent. A deviation is divided by the root of 1 - s, s the respondent's share of the
    cell, whose ratio its own rate is part of. A cell without any has multiples of 1.
    """
    x = sample.operators.subscriptions[sample.operators.is_respondent]
    weights = np.where(x > 0, sample.weights[0], 0.0)
    stands = weights * x
    place = np.unique(cell.astype(str), return_inverse=True)[1]
    below = np.bincount(place, weights=stands)[place]
    above = (one_hot(place, place.max() + 1).T @ (weights[:, None] * y))[place]
    varied = (stands > 0)[:, None] & (above > 0)
    over_ratio = np.divide(y * below[:, None], x[:, None] * above, out=np.ones_like(above), where=varied)
    share = np.minimum(np.divide(stands, below, out=np.zeros_like(below), where=below > 0), MOST_LEVERAGE)
    found = np.maximum(1 + (over_ratio - 1) / np.sqrt(1 - share)[:, None], 0.0)
    chance = weights / weights.sum() if weights.sum() > 0 else np.full(len(x), 1 / len(x))
    mean = chance @ found
    return np.divide(found, mean, out=np.ones_like(found), where=mean > 0), chance


def draw_multiples(sample: Weighted, cell: Array, y: Array, silent: int, answered: int) -> Multiples:
    """Draws for areas of at most so many silent operators and respondents."""
    found, chance = relative_rates(sample, cell, y)
    random = np.random.default_rng(SEED)
    normal = random.standard_normal((DRAWS, 1))
    taken = random.choice(len(chance), size=(DRAWS, silent + answered), p=chance)
    variance = chance @ (found - 1) ** 2
    freedom = 1 / float((chance**2).sum()) - 1
    return Multiples(found[taken[:, :silent]], found[taken[:, silent:]], normal, variance, freedom)


def predicted_figure(
    y: Array,
    answered: Array,
    silent: Array,
    cell: RateCell,
    rates: Multiples,
    least: Array,
    imputed: Imputed | None = None,
) -> tuple[Array, Array, Array, Array]:
    """Estimate, error and interval of a small area, for each measure.

    y: respondents x measures. answered, silent: their subscriptions. least: what is certain of y. What was
    imputed adds its variance over replicates: silent operators take its error with the rate.
    """
    reported, left = y.sum(axis=0), float(silent.sum())
    estimate = reported + left * point_rate(reported, answered, silent, cell.ratio)
    squares, lows, highs = [], [estimate - least], [estimate - least]
    for each in list_readings(reported, answered, silent, cell, rates, imputed):
        spread = (left * each.level) ** 2 * each.variance
        freedom: Array = np.full_like(spread, max(rates.freedom, 1.0))
        known, level = reported, each.level
        if imputed is not None and each.imputed is not None:
            of_imputed = (imputed.reported + left * each.imputed).var(axis=0, ddof=1)
            own = freedom if imputed.freedom is None else imputed.freedom
            spread, freedom = add_variances(spread, freedom, of_imputed, own)
            again = np.arange(DRAWS) % len(imputed.reported)
            known, level = imputed.reported[again], each.imputed[again]
        squares.append(spread + (reported + left * each.level - estimate) ** 2)
        low, high = interval_ends(np.maximum(known - least + left * level * each.multiple, 0.0), freedom)
        lows.append(low)
        highs.append(high)
    error: Array = np.sqrt(np.max(squares, axis=0))
    return estimate, error, least + np.min(lows, axis=0), least + np.max(highs, axis=0)


def list_readings(
    reported: Array, answered: Array, silent: Array, cell: RateCell, rates: Multiples, imputed: Imputed | None
) -> list[RateReading]:
    """Silent operators at their cell's rate and, where anybody answered, at the area's own."""
    left, of_answered, variance = float(silent.sum()), float(answered.sum()), rates.variance
    drawn = cell.imputed if imputed is not None else None
    if not left > 0:
        return [RateReading(0 * cell.ratio, drawn, np.zeros((DRAWS, len(reported))), 0 * variance)]
    if not of_answered > 0:
        multiple, squares = rates.silent[:, 0], 1.0
    else:
        multiple, squares = mean_multiple(silent, rates.silent)
    off = np.exp(np.sqrt(np.log1p(variance * cell.concentration)) * rates.normal)
    found = [RateReading(cell.ratio, drawn, multiple * off, variance * (squares + cell.concentration))]
    if of_answered > 0:
        own, of_own = mean_multiple(answered, rates.answered)
        # Draws in which the respondents have nothing cannot be the area's: they reported some.
        over_own = np.divide(multiple, own, out=multiple.copy(), where=own > 0)
        drawn = imputed.reported / of_answered if imputed is not None else None
        found.append(RateReading(reported / of_answered, drawn, over_own, variance * (squares + of_own)))
    return found


def mean_multiple(subscriptions: Array, drawn: Array) -> tuple[Array, float]:
    """The mean multiple of operators in each draw, by subscriptions; and the sum of their squared shares."""
    share = subscriptions / subscriptions.sum()
    return np.tensordot(share, drawn[:, : len(share)], axes=(0, 1)), float(share @ share)


def interval_ends(draws: Array, freedom: Array) -> tuple[Array, Array]:
    """Ends of an interval from draws x measures, stretched from normal to t by their degrees of freedom."""
    tail = (1 - CONFIDENCE) / 2
    ranks = [round((DRAWS + 1) * share) - 1 for share in (tail, 0.5, 1 - tail)]
    low, middle, high = np.sort(draws, axis=0)[ranks]
    stretch = stdtrit(freedom, 1 - tail) / ndtri(1 - tail)
    has_any = middle > 0
    down, up = (np.divide(end, middle, out=np.ones_like(end), where=has_any) for end in (low, high))
    # Beyond a factor of a thousand a bound says nothing, and soon overflows.
    most = np.maximum(up, FARTHEST)
    with np.errstate(over="ignore"):
        high = np.where(has_any, middle * np.minimum(up**stretch, most), high)
    return np.where(has_any, middle * down**stretch, low), high


def point_rate(reported: Array, answered: Array, silent: Array, cell_ratio: Array) -> Array:
    """The rate at which a small area's silent operators are taken: its own where respondents have half of its
    subscriptions, else its cell's."""
    return reported / float(answered.sum()) if has_own_rate(answered, silent) else cell_ratio


def has_own_rate(answered: Array, silent: Array) -> bool:
    """Whether a small area's respondents have half of its subscriptions."""
    return bool(0 < answered.sum() >= silent.sum())
