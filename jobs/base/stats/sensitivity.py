"""Parameters that dominate a total: first-order and total Sobol indices of its parameters, and a tornado."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobs.base.stats import sobol
from jobs.base.stats.sampling import SEED, SMALLEST, Samples, distribution_quantile

COUNT = 2**12


@dataclass(frozen=True)
class Sensitivity:
    """One parameter's part in a total.

    Attributes:
        first_order: the share of the total's variance that it explains alone.
        total_order: the share that it has a part in.
        low, high: the total at its 5 and 95% points, all others at their central values.
    """

    parameter_code: str
    first_order: float
    total_order: float
    low: float
    high: float


def rank_parameters(
    total: Callable[[Samples], np.ndarray], parameters: pl.DataFrame, count: int = COUNT, seed: int = SEED
) -> list[Sensitivity]:
    """The uncertain parameters of a total, the most important first.

    Args:
        total: from values of the parameters to as many values of the total.
        parameters: as for sampling.simulate. The same table, count and seed give the same indices, whatever
            the order of the rows.
    """
    columns = ("parameter_code", "low", "central", "high", "distribution")
    rows = parameters.select(columns).sort("parameter_code").rows()
    uncertain = [row for row in rows if row[1] < row[3] and row[4] != "fixed"]
    if not uncertain:
        return []
    central = {row[0]: float(row[2]) for row in rows}

    def sum_at_shares(shares: np.ndarray) -> np.ndarray:
        shares = np.clip(shares, SMALLEST, 1 - SMALLEST)
        values = {name: np.full(shares.shape[1], value) for name, value in central.items()}
        for place, (name, low, middle, high, distribution) in enumerate(uncertain):
            values[name] = distribution_quantile(
                shares[place], float(low), float(middle), float(high), distribution
            )
        return np.asarray(total(values))

    if len(uncertain) > 1:
        first, whole = (
            np.clip(each, 0.0, 1.0) for each in estimate_indices(sum_at_shares, len(uncertain), count, seed)
        )
    else:
        # All variance there is comes from it; the estimator does not take one alone.
        first = whole = np.array([float(np.ptp(sum_at_shares(np.array([[0.05, 0.95]]))) > 0)])
    ends = [tuple(sum_at_point(total, central, row[0], end) for end in (row[1], row[3])) for row in uncertain]
    parts = [
        Sensitivity(row[0], float(one), float(both), *end)
        for row, one, both, end in zip(uncertain, first, whole, ends, strict=True)
    ]
    return sorted(parts, key=lambda part: (-round(part.total_order, 4), part.parameter_code))


def estimate_indices(
    total: Callable[[np.ndarray], np.ndarray], dimensions: int, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """First-order and total Sobol indices of a function of so many shares, all uniform from 0 to 1.

    It takes two independent sets of points and, for each dimension, the first set with that dimension from
    the second (Saltelli et al. 2010, table 2, b and f). A constant function has indices of 0.
    """
    both = sobol.sobol_points(2 * dimensions, count, np.random.default_rng(seed), bits=64).T
    one, other = both[:dimensions], both[dimensions:]
    mixed = np.repeat(one[:, None, :], dimensions, axis=1)
    places = np.arange(dimensions)
    mixed[places, places] = other
    # One call for all: a page of points for each dimension.
    of_mixed = total(mixed.reshape(dimensions, -1)).reshape(dimensions, count)
    of_one, of_other = total(one), total(other)
    mean, variance = (of(np.stack([of_one, of_other])) for of in (np.mean, np.var))
    if not variance > 0:
        return np.zeros(dimensions), np.zeros(dimensions)
    change = of_mixed - of_one
    return np.mean((of_other - mean) * change, axis=1) / variance, 0.5 * np.mean(change**2, axis=1) / variance


def sum_at_point(
    total: Callable[[Samples], np.ndarray], central: dict[str, float], name: str, value: float
) -> float:
    values = {each: np.array([middle]) for each, middle in central.items()} | {name: np.array([float(value)])}
    return float(total(values)[0])
