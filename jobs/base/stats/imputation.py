"""Budget bands as amounts: for each respondent that refused, a mean and draws from its band; and draws of
exact accounts, whose capital cost depends on rate, lives and shares that nobody knows.

Spending for each subscription is taken as lognormal within a group of operators of one size (sizes joined
until each has `SMALLEST_GROUP` accounts); the fit is jobs/base/stats/censoring.py's. Respondents that spend
nothing (B0) are known exactly and are no part of the fit. How a band divides into capital, labour and other
is taken from the group's accounts: their mean by amount, and in each draw the division of one of them, drawn
by amount (a hot deck), so that components are as uncertain as accounts differ. A respondent that stated a
part and no band has an amount with no upper edge; where nothing in its group has one either, the stated part
is its amount.
"""

from dataclasses import dataclass

import numpy as np

from jobs.base.stats.censoring import draws_inside, fit_lognormal, mean_inside
from jobs.base.stats.estimation import Array, join_small

SMALLEST_GROUP = 8
PARTS = ("capital", "labour", "other")


@dataclass(frozen=True)
class Spending:
    """Respondents' spending on all channels, in international dollars: a mean and draws of each (one row a
    replicate), at the lowest and highest edge of each band, and what is certain of it. Exact amounts are the
    same in all but draws and certain. Of bands the lower edge counts as certain; where it is a partial
    answer, its capital stands at central rate, lives and shares, for a band keeps no assets.

    Attributes:
        parts: respondents x PARTS, the shares of the amount.
        drawn_parts: these shares in each replicate.
        certain_parts: of what is certain of exact amounts.
    """

    mean: Array
    draws: Array
    lowest: Array
    highest: Array
    parts: Array
    drawn_parts: Array
    certain: Array
    certain_parts: Array


def impute_spending(
    exact: Array,
    parts: Array,
    low: Array,
    high: Array,
    subscriptions: Array,
    size: Array,
    seed: int,
    replicates: int,
    capital: Array | None = None,
) -> Spending:
    """Amounts for all respondents.

    Args:
        exact: amounts, NaN where only a band is known.
        parts: shares of exact amounts.
        low, high: edges of bands, high inf for the highest.
        capital: replicates x respondents, what each exact amount's capital is multiplied with in each; the
            same without.
    """
    random = np.random.default_rng(seed)
    is_band = np.isnan(exact)
    is_known = np.nan_to_num(exact) > 0
    group = join_small(size, np.ones(len(exact), dtype=bool), SMALLEST_GROUP)
    mean = np.where(is_band, 0.0, exact)
    share = parts.copy()
    if capital is None:
        capital = np.ones((replicates, len(exact)))
    draws, drawn = multiply_capital(mean, parts, capital)
    certain, certain_parts = multiply_capital(mean, parts, capital.min(axis=0))
    x = np.maximum(subscriptions, 1.0)
    for name in sorted(set(group.tolist())):
        inside = group == name
        banded = inside & is_band & (high > 0)
        if not banded.any():
            continue
        known = inside & is_known
        edges = low[banded] / x[banded], high[banded] / x[banded]
        if known.any() or np.isfinite(high[banded]).any():
            at, spread = fit_lognormal(exact[known] / x[known], *edges)
            mean[banded] = mean_inside(*edges, at, spread) * x[banded]
            draws[:, banded] = draws_inside(*edges, at, spread, random, replicates) * x[banded]
        else:
            # Lower edges alone would be likeliest of amounts without end.
            mean[banded] = draws[:, banded] = low[banded]
        donors = np.flatnonzero(known if known.any() else is_known)
        if not len(donors):
            # No account shows it: each part has a third.
            share[banded] = drawn[:, banded] = 1 / len(PARTS)
            continue
        weight = exact[donors] / exact[donors].sum()
        share[banded] = weight @ parts[donors]
        donor = random.choice(donors, size=(replicates, int(banded.sum())), p=weight)
        drawn[:, banded] = drawn[np.arange(replicates)[:, None], donor]
    lowest = np.where(is_band, low, exact)
    highest = np.where(is_band, np.where(np.isfinite(high), high, low), exact)
    certain = np.where(is_band, low, certain)
    return Spending(mean, draws, lowest, highest, share, drawn, certain, certain_parts)


def multiply_capital(amounts: Array, parts: Array, times: Array) -> tuple[Array, Array]:
    """Amounts and their parts with capital multiplied.

    Args:
        times: (replicates x) respondents.
    """
    each = np.stack([times, np.ones_like(times), np.ones_like(times)], axis=-1)
    grown = 1 + parts[:, 0] * (times - 1)
    # Without capital nothing is left of an amount that was capital alone.
    below = np.where(grown > 0, grown, 1.0)
    return amounts * grown, parts * each / below[..., None]
