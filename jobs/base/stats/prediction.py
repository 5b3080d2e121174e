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

from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.special import ndtri, stdtrit

from jobs.base.stats.estimation import Array, Weighted, encode_sets, seed_of
from jobs.base.stats.intervals import CONFIDENCE, FARTHEST, MOST_LEVERAGE, EstimateTable, add_variances

DRAWS = 399
SEED = seed_of("rates of silent operators")
# Draws of so many values at a time stay in a processor's cache.
BLOCK = 500_000


@dataclass(frozen=True)
class Multiples:
    """Rates as multiples of their cell's ratio: places x measures x draws for silent operators of an area and
    for its respondents; the relative variance of rates for each measure, and its degrees of freedom, 0 of
    one respondent.

    Attributes:
        normal: a standard normal number for each draw.
    """

    silent: Array
    answered: Array
    normal: Array
    variance: Array
    freedom: float


@dataclass(frozen=True)
class Imputed:
    """Replicates of what small areas reported and of their cells' ratios, areas x measures x replicates,
    where values were imputed.

    Attributes:
        freedom: degrees of freedom of what was imputed, None where they are those of the rates.
    """

    reported: Array
    ratio: Array
    freedom: float | None


@dataclass(frozen=True)
class SmallAreas:
    """Countries and small areas.

    Attributes:
        reported: what respondents have of each measure, areas x measures.
        least: what is certain of it.
        answered, silent: subscriptions of an area's operators, areas x places, 0 beyond its last.
        ratio: of each measure to the subscriptions of an area's cell (region and class).
        concentration: the sum of its respondents' squared shares of the subscriptions that they stand for.
    """

    reported: Array
    least: Array
    answered: Array
    silent: Array
    ratio: Array
    concentration: Array
    imputed: Imputed | None = None


@dataclass(frozen=True)
class RateReading:
    """A rate that silent operators may have, for areas x measures: its level and that level's replicates
    where values were imputed, their mean rate as a multiple of it for each draw, and the relative variance of
    that."""

    level: Array
    imputed: Array | None
    multiple: Array
    variance: Array


def relative_rates(sample: Weighted, cell: Array, y: Array) -> tuple[Array, Array]:
    """Respondents x measures: each rate y/x as a multiple of its cell's ratio, with a weighted mean of 1; and
    the share of the draws that each respondent has.

    A deviation is divided by the root of 1 - s, s the respondent's share of the cell, whose ratio its own
    rate is part of. A cell without any has multiples of 1.

    Args:
        cell: of each respondent.
    """
    x = sample.operators.subscriptions[sample.operators.is_respondent]
    weights = np.where(x > 0, sample.weights[0], 0.0)
    stands = weights * x
    place = np.unique(cell.astype(str), return_inverse=True)[1]
    below = np.bincount(place, weights=stands)[place]
    above = (encode_sets(place, place.max() + 1).T @ (weights[:, None] * y))[place]
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
    normal = random.standard_normal(DRAWS)
    taken = random.choice(len(chance), size=(DRAWS, silent + answered), p=chance)
    drawn = np.ascontiguousarray(np.moveaxis(found[taken], 0, -1))
    variance = chance @ (found - 1) ** 2
    freedom = 1 / float((chance**2).sum()) - 1
    return Multiples(drawn[:silent], drawn[silent:], normal, variance, freedom)


def predict_areas(areas: SmallAreas, rates: Multiples) -> EstimateTable:
    """predict_block() of all areas, some at a time."""
    count = max(areas.reported.size * DRAWS // BLOCK, 1)
    blocks = np.array_split(np.arange(len(areas.reported)), count)
    tables = [predict_block(take_areas(areas, block), rates) for block in blocks]
    return EstimateTable(
        *(np.concatenate([getattr(each, field.name) for each in tables]) for field in fields(EstimateTable))
    )


def take_areas(areas: SmallAreas, places: Array) -> SmallAreas:
    """Return the areas at these places."""
    own = {field.name: getattr(areas, field.name) for field in fields(areas)}
    if (imputed := own.pop("imputed")) is not None:
        imputed = replace(imputed, reported=imputed.reported[places], ratio=imputed.ratio[places])
    return SmallAreas(**{name: values[places] for name, values in own.items()}, imputed=imputed)


def predict_block(areas: SmallAreas, rates: Multiples) -> EstimateTable:
    """Estimate, error and interval of each area and measure.

    What was imputed adds its variance over replicates: silent operators take its error with the rate. One
    respondent of all shows nothing of how rates vary: error and interval of what silent operators have are
    not a number. Where none is silent the figure is exact.
    """
    reported, least, left = areas.reported, areas.least, areas.silent.sum(axis=1)[:, None]
    listed = zip(reported, areas.answered, areas.silent, areas.ratio, strict=True)
    own_rates = np.array([point_rate(*each) for each in listed]).reshape(areas.ratio.shape)
    estimate = reported + left * own_rates
    error, low, high = np.zeros_like(estimate), estimate - least, estimate - least
    for each in list_readings(areas, rates):
        spread = (left * each.level) ** 2 * each.variance
        freedom: Array = np.full_like(spread, max(rates.freedom, 1.0))
        known, level = reported[..., None], each.level[..., None]
        if areas.imputed is not None and each.imputed is not None:
            drawn = areas.imputed.reported
            of_imputed = (drawn + left[..., None] * each.imputed).var(axis=-1, ddof=1)
            own = freedom if areas.imputed.freedom is None else areas.imputed.freedom
            spread, freedom = add_variances(spread, freedom, of_imputed, own)
            again = np.arange(DRAWS) % drawn.shape[-1]
            known, level = drawn[..., again], each.imputed[..., again]
        error = np.maximum(error, spread + (reported + left * each.level - estimate) ** 2)
        draws = known - least[..., None] + left[..., None] * level * each.multiple
        ends = interval_ends(np.maximum(draws, 0.0), freedom)
        low, high = np.minimum(low, ends[0]), np.maximum(high, ends[1])
    is_unknown = (left > 0) & (rates.freedom <= 0)
    of_error = (np.where(is_unknown, np.nan, each) for each in (np.sqrt(error), least + low, least + high))
    return EstimateTable(estimate, *of_error)


def list_readings(areas: SmallAreas, rates: Multiples) -> list[RateReading]:
    """Silent operators at their cell's rate and at the area's own; both are the cell's where nobody
    answered."""
    answered = areas.answered.sum(axis=1)
    nobody = answered <= 0
    silent = areas.silent.copy()
    # The others have the first one's multiple.
    silent[nobody, 0], silent[nobody, 1:] = silent[nobody].sum(axis=1), 0.0
    multiple, squares = mean_multiples(silent, rates.silent)
    own, of_own = mean_multiples(areas.answered, rates.answered)
    of_cell = np.sqrt(np.log1p(np.outer(areas.concentration, rates.variance)))
    off = np.exp(of_cell[..., None] * rates.normal)
    imputed = areas.imputed
    cell = RateReading(
        areas.ratio,
        None if imputed is None else imputed.ratio,
        multiple * off,
        np.outer(squares + areas.concentration, rates.variance),
    )
    # Draws in which the respondents have nothing cannot be the area's: they reported some.
    over_own = np.divide(multiple, own, out=multiple.copy(), where=own > 0)
    at_own = RateReading(
        np.where(nobody[:, None], cell.level, areas.reported / np.where(nobody, 1.0, answered)[:, None]),
        None
        if imputed is None
        else np.where(
            nobody[:, None, None],
            imputed.ratio,
            imputed.reported / np.where(nobody, 1.0, answered)[:, None, None],
        ),
        np.where(nobody[:, None, None], cell.multiple, over_own),
        np.where(nobody[:, None], cell.variance, np.outer(squares + of_own, rates.variance)),
    )
    return [cell, at_own]


def mean_multiples(subscriptions: Array, drawn: Array) -> tuple[Array, Array]:
    """The mean multiple of each area's operators in each draw, by subscriptions, areas x measures x draws;
    and the sum of their squared shares.

    Args:
        subscriptions: areas x places.
    """
    whole = subscriptions.sum(axis=1)[:, None]
    share = np.divide(subscriptions, whole, out=np.zeros_like(subscriptions), where=whole > 0)
    return np.tensordot(share, drawn[: share.shape[1]], axes=(1, 0)), (share**2).sum(axis=1)


def interval_ends(draws: Array, freedom: Array) -> tuple[Array, Array]:
    """Ends of intervals from draws on the last axis, stretched from normal to t by their degrees of
    freedom."""
    tail = (1 - CONFIDENCE) / 2
    ranks = [round((DRAWS + 1) * share) - 1 for share in (tail, 0.5, 1 - tail)]
    low, middle, high = np.moveaxis(np.sort(draws, axis=-1)[..., ranks], -1, 0)
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
    """Return whether a small area's respondents have half of its subscriptions."""
    return bool(0 < answered.sum() >= silent.sum())
