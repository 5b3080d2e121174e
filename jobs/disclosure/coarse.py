"""How figures are made coarse before they leave: digits, a fixed grid for intervals, and classes."""

import math
from bisect import bisect_right
from collections.abc import Sequence

# Twenty preferred numbers in each power of ten (R20 of ISO 3): neighbours are about 12% apart.
GRID = (
    1.00, 1.12, 1.25, 1.40, 1.60, 1.80, 2.00, 2.24, 2.50, 2.80,
    3.15, 3.55, 4.00, 4.50, 5.00, 5.60, 6.30, 7.10, 8.00, 9.00,
)  # fmt: skip


def round_significant(value: float, digits: int) -> float:
    """The value with so many significant digits."""
    return float(f"{value:.{digits - 1}e}")


def on_grid(value: float, outward: int) -> float:
    """The nearest number of the grid that is not above the value (outward -1) or not below it (outward 1)."""
    if value <= 0:
        return 0.0
    power = math.floor(math.log10(value))
    numbers = [float(f"{step}e{at}") for at in (power - 1, power, power + 1) for step in GRID]
    if outward < 0:
        return numbers[bisect_right(numbers, value) - 1]
    return next(number for number in numbers if number >= value)


def unclamped_low(estimate: float, high: float) -> float:
    """The lower end of an interval that is symmetric about the estimate on the scale of the logarithm.

    The study's own lower end is never below what was reported, and so reveals it. This one follows from the
    estimate and the upper end alone, and is never above the study's.
    """
    return estimate * estimate / high if high > 0 else 0.0


def class_of(value: float, edges: Sequence[float], codes: Sequence[str]) -> str:
    """The code of the class that holds the value: a class begins at its lower edge."""
    return codes[bisect_right(edges, value)]


def silent_pct(estimate: float, reported: float) -> float:
    """What an estimate adds for operators that did not answer, in percent of the estimate."""
    return 100 * (1 - reported / estimate) if estimate > 0 else 0.0
