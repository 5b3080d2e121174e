"""What dominates a total: first-order and total Sobol indices of its parameters, and a tornado."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import sobol_indices, uniform

from jobs.sampling import SEED, SMALLEST, Samples, quantile

COUNT = 2**12


@dataclass(frozen=True)
class Sensitivity:
    """One parameter's part in a total.

    first_order: the share of the total's variance that it explains alone. total_order: the share that it has
    a part in. low, high: the total at its 5 and 95% points, all others at their central values.
    """

    parameter_code: str
    first_order: float
    total_order: float
    low: float
    high: float


def sensitivities(
    total: Callable[[Samples], np.ndarray], parameters: pl.DataFrame, count: int = COUNT, seed: int = SEED
) -> list[Sensitivity]:
    """The uncertain parameters of a total, the most important first.

    total: from values of the parameters to as many values of the total. parameters: as for sampling.simulate.
    The same table, count and seed give the same indices, whatever the order of the rows.
    """
    columns = ("parameter_code", "low", "central", "high", "distribution")
    rows = parameters.select(columns).sort("parameter_code").rows()
    uncertain = [row for row in rows if row[1] < row[3] and row[4] != "fixed"]
    if not uncertain:
        return []
    central = {row[0]: float(row[2]) for row in rows}

    def at_shares(shares: np.ndarray) -> np.ndarray:
        shares = np.clip(shares, SMALLEST, 1 - SMALLEST)
        values = {name: np.full(shares.shape[1], value) for name, value in central.items()}
        for place, (name, low, middle, high, distribution) in enumerate(uncertain):
            values[name] = quantile(shares[place], float(low), float(middle), float(high), distribution)
        # A copy, because the indices are computed in place.
        return np.array(total(values)).reshape(1, -1)

    if len(uncertain) > 1:
        rng = np.random.default_rng(seed)
        found = sobol_indices(func=at_shares, n=count, dists=[uniform()] * len(uncertain), rng=rng)
        first, whole = (np.clip(each, 0.0, 1.0).ravel() for each in (found.first_order, found.total_order))
    else:
        # All variance there is comes from it; the estimator does not take one alone.
        first = whole = np.array([float(np.ptp(at_shares(np.array([[0.05, 0.95]]))) > 0)])
    ends = [tuple(at_point(total, central, row[0], end) for end in (row[1], row[3])) for row in uncertain]
    parts = [
        Sensitivity(row[0], float(one), float(both), *end)
        for row, one, both, end in zip(uncertain, first, whole, ends, strict=True)
    ]
    return sorted(parts, key=lambda part: (-round(part.total_order, 4), part.parameter_code))


def at_point(
    total: Callable[[Samples], np.ndarray], central: dict[str, float], name: str, value: float
) -> float:
    values = {each: np.array([middle]) for each, middle in central.items()} | {name: np.array([float(value)])}
    return float(total(values)[0])
