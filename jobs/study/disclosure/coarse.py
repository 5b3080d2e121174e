"""Coarsening of figures before they leave: digits, a fixed grid for intervals, and classes."""

import math
from bisect import bisect_right
from collections.abc import Sequence

# Ten preferred numbers in each power of ten (R10 of ISO 3): neighbours are about 26% apart.
STEPS = (1.00, 1.25, 1.60, 2.00, 2.50, 3.15, 4.00, 5.00, 6.30, 8.00)
# The least that is published of how much rates differ: rates that are all alike would show each of them.
LEAST_VARIANCE = 0.01


def coarsen_digits(value: float, digits: int) -> float:
    """The value with so many significant digits."""
    return float(f"{value:.{digits - 1}e}")


def coarsen_outward(value: float, digits: int, outward: int) -> float:
    """The nearest number of so many significant digits that is not above the value (outward -1) or not below
    it (outward 1)."""
    if value <= 0:
        return 0.0
    near = coarsen_digits(value, digits)
    step = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    is_inside = near > value * (1 + 1e-12) if outward < 0 else near < value * (1 - 1e-12)
    return coarsen_digits(near + outward * step, digits) if is_inside else near


def round_up_variance(variance: float) -> float:
    """The smallest of STEPS, in any power of ten, that is not below the variance; at least
    LEAST_VARIANCE."""
    value = max(variance, LEAST_VARIANCE)
    power = math.floor(math.log10(value))
    return next(
        number for at in (power, power + 1) for step in STEPS if (number := float(f"{step}e{at}")) >= value
    )


def class_of(value: float, edges: Sequence[float], codes: Sequence[str]) -> str:
    """The code of the class that holds the value: a class begins at its lower edge."""
    return codes[bisect_right(edges, value)]


def silent_pct(estimate: float, reported: float) -> float:
    """Return the share of an estimate that stands for operators that did not answer, in percent."""
    return 100 * (1 - reported / estimate) if estimate > 0 else 0.0
