"""How figures are made coarse: digits, the grid of intervals, classes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.disclosure.coarse import (
    GRID,
    class_of,
    on_grid,
    round_significant,
    silent_pct,
    unclamped_low,
)
from tests.support.digits import half_unit

VALUES = st.floats(min_value=0.01, max_value=1e15)


@given(VALUES, st.integers(1, 4))
def test_digits_move_a_value_by_half_a_unit_at_most(value: float, digits: int) -> None:
    shown = round_significant(value, digits)
    assert abs(shown - value) <= half_unit(shown, digits) * (1 + 1e-9)
    assert len(f"{shown:.15e}".split("e")[0].replace(".", "").rstrip("0")) <= digits


@given(VALUES)
def test_the_grid_is_left_outward_and_by_one_step(value: float) -> None:
    low, high = on_grid(value, -1), on_grid(value, 1)
    assert low <= value <= high
    assert high / low <= 1.15
    power = math.floor(math.log10(low) + 1e-9)
    assert any(math.isclose(low, step * 10.0**power) for step in GRID)


@given(st.floats(1, 1e9), st.floats(1, 50), st.floats(0, 1))
def test_the_lower_end_without_the_clamp_is_never_above_the_clamped_one(
    estimate: float, reach: float, share: float
) -> None:
    """The study's interval of a country: what was reported, and the rest times and by its reach."""
    reported = share * estimate
    high = reported + (estimate - reported) * reach
    low = reported + (estimate - reported) / reach
    assert unclamped_low(estimate, high) <= low * (1 + 1e-9)


def test_classes_begin_at_their_edges() -> None:
    assert [class_of(value, (3, 6, 11), ("a", "b", "c", "d")) for value in (2, 3, 5, 6, 10, 11)] == list(
        "abbccd"
    )


@pytest.mark.parametrize(("estimate", "reported", "pct"), [(0, 0, 0), (100, 100, 0), (200, 50, 75)])
def test_the_share_that_stands_for_silent_operators(estimate: float, reported: float, pct: float) -> None:
    assert silent_pct(estimate, reported) == pct
