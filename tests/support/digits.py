"""Significant digits."""

import math


def half_unit(value: float, digits: int) -> float:
    """Half of the last of so many significant digits of a value; of 0 nothing."""
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1) if value else 0.0
