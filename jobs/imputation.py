"""Budget bands as amounts: for each respondent that refused, a mean and draws from its band.

Spending for each subscription is taken as lognormal within a group of operators of one size (sizes joined
until each has `SMALLEST_GROUP` accounts); the fit is jobs/censoring.py's. Respondents that spend nothing (B0)
are known exactly and are no part of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobs.censoring import draws_inside, fit, mean_inside
from jobs.estimation import Array, joined

SMALLEST_GROUP = 8


@dataclass(frozen=True)
class Spending:
    """Respondents' spending on all channels, in international dollars: a mean and draws of each (one row a
    replicate), and lowest and highest. Exact amounts are the same in all."""

    mean: Array
    draws: Array
    lowest: Array
    highest: Array
    labour_share: Array


def spending(
    exact: Array,
    labour_share: Array,
    low: Array,
    high: Array,
    subscriptions: Array,
    size: Array,
    seed: int,
    replicates: int,
) -> Spending:
    """Amounts for all respondents.

    exact: amounts, NaN where only a band is known. labour_share: of exact amounts. low, high: edges of bands,
    high inf for the highest.
    """
    random = np.random.default_rng(seed)
    is_band = np.isnan(exact)
    group = joined(size, np.ones(len(exact), dtype=bool), SMALLEST_GROUP)
    mean = np.where(is_band, 0.0, exact)
    draws = np.tile(mean, (replicates, 1))
    share = labour_share.copy()
    x = np.maximum(subscriptions, 1.0)
    for name in sorted(set(group.tolist())):
        inside = group == name
        known = inside & ~is_band & (np.nan_to_num(exact) > 0)
        banded = inside & is_band & (high > 0)
        weight = np.nan_to_num(exact[known])
        share[inside & is_band] = (
            float(np.average(labour_share[known], weights=weight)) if known.any() else 0.5
        )
        if not banded.any():
            continue
        at, spread = fit(exact[known] / x[known], low[banded] / x[banded], high[banded] / x[banded])
        edges = low[banded] / x[banded], high[banded] / x[banded]
        mean[banded] = mean_inside(*edges, at, spread) * x[banded]
        draws[:, banded] = draws_inside(*edges, at, spread, random, replicates) * x[banded]
    lowest = np.where(is_band, low, exact)
    highest = np.where(is_band, np.where(np.isfinite(high), high, low), exact)
    return Spending(mean, draws, lowest, highest, share)
