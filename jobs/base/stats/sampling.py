"""Sobol points through the distributions of parameters.

`low`, `central` and `high` of a parameter are its 5, 50 and 95% points.

- fixed: always `central`.
- lognormal: below the median exp(N(ln central, ln(central/low)/1.645)), above it with ln(high/central).
  Where central is the geometric mean of low and high this is the plain lognormal distribution with
  sigma = ln(high/low)/3.29; elsewhere the two halves differ, so that all three points are met.
- triangular: the triangle that meets the 5 and 95% points exactly, and the median as nearly as a triangle
  can: its median stands between 35.6 and 64.4% of the way. Never below 0 where `low` is not.
"""

import math
from functools import cache

import numpy as np
import polars as pl

from jobs.base.stats import sobol

Samples = dict[str, np.ndarray]

COUNT = 2**13
SEED = 52
# The 95% point of the standard normal distribution.
Z95 = 1.6448536269514722
# The points are in [0, 1); 0 itself would be an infinitely small price.
SMALLEST = 2.0**-32


def sample_parameters(parameters: pl.DataFrame, count: int = COUNT, seed: int = SEED) -> Samples:
    """`count` values of each parameter (a power of two), by its name.

    Args:
        parameters: parameter_code, low, central, high, distribution. The same table, count and seed give the
            same bits, whatever the order of the rows.
    """
    if count < 1 or count & (count - 1):
        raise ValueError(f"{count} points: Sobol points are balanced for powers of two only")
    rows = (
        parameters.select("parameter_code", "low", "central", "high", "distribution")
        .sort("parameter_code")
        .rows()
    )
    names = [row[0] for row in rows]
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"more than one row for {', '.join(repeated)}")
    if not rows:
        return {}
    points = np.maximum(sobol.sobol_points(len(rows), count, np.random.default_rng(seed)), SMALLEST)
    return {
        name: distribution_quantile(points[:, place], float(low), float(central), float(high), distribution)
        for place, (name, low, central, high, distribution) in enumerate(rows)
    }


def distribution_quantile(
    share: np.ndarray, low: float, central: float, high: float, distribution: str
) -> np.ndarray:
    """The values below which these shares of the distribution lie."""
    if not low <= central <= high:
        raise ValueError(f"low {low}, central {central} and high {high} must not fall")
    if distribution == "fixed" or low == high:
        return np.full_like(share, central)
    if distribution == "lognormal":
        return lognormal_quantile(share, low, central, high)
    if distribution == "triangular":
        values = triangular_quantile(share, low, central, high)
        return np.maximum(values, 0.0) if low >= 0 else values
    raise ValueError(f"unknown distribution '{distribution}'; known are fixed, lognormal and triangular")


def lognormal_quantile(share: np.ndarray, low: float, central: float, high: float) -> np.ndarray:
    if low <= 0:
        raise ValueError(f"a lognormal parameter must be above 0, and low is {low}")
    # Imported here: it takes longer than a run that finds nothing new.
    from scipy.special import ndtri

    z = ndtri(share)
    sigma = np.where(z < 0, math.log(central / low), math.log(high / central)) / Z95
    return central * np.exp(sigma * z)


def triangular_quantile(share: np.ndarray, low: float, central: float, high: float) -> np.ndarray:
    mode = triangle_mode((central - low) / (high - low))
    q05, q95 = unit_triangle(np.array([0.05, 0.95]), mode)
    return low + (unit_triangle(share, mode) - q05) * ((high - low) / (q95 - q05))


def unit_triangle(share: np.ndarray, mode: float) -> np.ndarray:
    """Quantiles of the triangle from 0 to 1 with its top at `mode`."""
    rising = np.sqrt(share * mode)
    falling = 1.0 - np.sqrt((1.0 - share) * (1.0 - mode))
    return np.where(share < mode, rising, falling)


@cache
def triangle_mode(place: float) -> float:
    """The top of the unit triangle whose median stands at `place` between its 5 and 95% points."""
    if place < 0.5:
        return 1.0 - triangle_mode(1.0 - place)
    # With the top at sin(a)^2, from 0.5 to 0.95, the median is at sin(a) sqrt(0.5), and the 5 and 95% points
    # are at sin(a) sqrt(0.05) and 1 - cos(a) sqrt(0.05).
    end = math.sqrt(0.05)
    sine, cosine = math.sqrt(0.5) - end * (1.0 - place), end * place
    largest = math.hypot(sine, cosine)
    if place >= largest:
        return 1.0
    mode = math.sin(math.asin(place / largest) - math.atan2(cosine, sine)) ** 2
    return mode if mode <= 0.95 else 1.0


def three_quantiles(total: np.ndarray) -> tuple[float, float, float]:
    """The 5, 50 and 95% points of simulated values."""
    p05, p50, p95 = np.quantile(total, [0.05, 0.5, 0.95])
    return float(p05), float(p50), float(p95)
