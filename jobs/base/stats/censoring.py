"""Amounts of which only a budget band is known: lognormal distribution fitted to exact and banded amounts.

Likelihood of an exact amount y: density of ln y; of a band (a, b]: P(ln b) - P(ln a) (interval censoring;
Tobin 1958, Stewart 1983). Of an amount that was stated in part, b is infinite (censored from the right). A
banded amount is then its mean inside the band,
exp(m + s^2/2) [P(B-s) - P(A-s)] / [P(B) - P(A)], A = (ln a - m)/s, B = (ln b - m)/s,
and in each replicate a draw from the band.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri

from jobs.base.stats.estimation import Array

# A spread below this makes bands narrower than any budget is known.
LEAST_SPREAD = 0.1
# One above this is of bands that leave it open (one below, one above, and none between), not of budgets: two
# of three operators of a size would be within a factor of 20 of the middle either way.
MOST_SPREAD = 3.0
SMALL = 1e-300
ROOT = np.sqrt(2 * np.pi)


def fit_lognormal(exact: Array, low: Array, high: Array) -> tuple[float, float]:
    """Mean and standard deviation of the logarithm, by maximum likelihood.

    Raises ValueError without anything to fit to.

    Args:
        exact: amounts above 0.
        low, high: edges of bands, 0 and inf where they are open.
    """
    if len(exact) + len(low) == 0:
        raise ValueError("no amount and no band to fit a distribution to")
    logs = np.log(exact)
    with np.errstate(divide="ignore"):
        below, above = np.log(low), np.log(high)
    edges = np.concatenate([below, above])
    start = np.concatenate([logs, edges[np.isfinite(edges)]])
    if len(start) == 0:
        raise ValueError("a band that is open at both ends carries no information")

    def negative_log_likelihood(at: Array) -> tuple[float, Array]:
        """Minus the log-likelihood of mean and log spread, and its slope."""
        mean, spread = at[0], np.exp(at[1])
        z, a, b = (logs - mean) / spread, (below - mean) / spread, (above - mean) / spread
        inside = np.maximum(ndtr(b) - ndtr(a), SMALL)
        at_a, at_b = normal_density(a), normal_density(b)
        # An open end has no density, and infinity times none is none.
        a, b = np.where(at_a > 0, a, 0.0), np.where(at_b > 0, b, 0.0)
        slope = [
            -z.sum() / spread + ((at_b - at_a) / inside).sum() / spread,
            (1 - z**2).sum() + ((b * at_b - a * at_a) / inside).sum(),
        ]
        of_exact = -(z**2) / 2 - np.log(ROOT) - np.log(spread)
        return float(-of_exact.sum() - np.log(inside).sum()), np.array(slope)

    first = np.array([start.mean(), np.log(max(start.std(), 0.5))])
    bounds = [(None, None), (np.log(LEAST_SPREAD), np.log(MOST_SPREAD))]
    tight = {"ftol": 1e-16, "gtol": 1e-11, "maxiter": 1000}
    found = minimize(
        negative_log_likelihood, first, jac=True, method="L-BFGS-B", bounds=bounds, options=tight
    )
    return float(found.x[0]), float(np.exp(found.x[1]))


def normal_density(z: Array) -> Array:
    """Density of the standard normal distribution. scipy.stats has it too, and takes a second to import."""
    found: Array = np.exp(-(z**2) / 2) / ROOT
    return found


def mean_inside(low: Array, high: Array, mean: float, spread: float) -> Array:
    """The mean of each band under the distribution; the nearest edge where it gives the band no chance."""
    a, b = standardise_edges(low, high, mean, spread)
    chance = ndtr(b) - ndtr(a)
    part = ndtr(b - spread) - ndtr(a - spread)
    middle = np.exp(mean + spread**2 / 2) * np.divide(
        part, chance, out=np.zeros_like(part), where=chance > 1e-12
    )
    nearest = np.where(a > 0, low, np.where(np.isfinite(high), high, low))
    return np.where(chance > 1e-12, np.clip(middle, low, high), nearest)


def draws_inside(
    low: Array, high: Array, mean: float, spread: float, random: np.random.Generator, count: int
) -> Array:
    """`count` draws from each band, as draws x bands.

    Args:
        low, high: the edges of each band; high may be infinite.
        mean, spread: of the logarithm of the amounts.
    """
    a, b = standardise_edges(low, high, mean, spread)
    below, above = ndtr(a), ndtr(b)
    share = below + random.random((count, len(low))) * (above - below)
    drawn = np.exp(mean + spread * ndtri(np.clip(share, 1e-15, 1 - 1e-15)))
    return np.clip(drawn, low, high)


def standardise_edges(low: Array, high: Array, mean: float, spread: float) -> tuple[Array, Array]:
    with np.errstate(divide="ignore"):
        return (np.log(low) - mean) / spread, (np.log(high) - mean) / spread
