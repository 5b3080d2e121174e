"""Coarse figures: digits, ends of intervals, the steps of a variance, classes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.study.disclosure.coarse import (
    LEAST_VARIANCE,
    STEPS,
    class_of,
    coarsen_digits,
    coarsen_outward,
    round_up_variance,
    silent_pct,
)
from tests.support.digits import half_unit

VALUES = st.floats(min_value=0.01, max_value=1e15)


@given(VALUES, st.integers(1, 4))
def test_digits_move_a_value_by_half_a_unit_at_most(value: float, digits: int) -> None:
    shown = coarsen_digits(value, digits)
    assert abs(shown - value) <= half_unit(shown, digits) * (1 + 1e-9)
    assert len(f"{shown:.14e}".split("e")[0].replace(".", "").rstrip("0")) <= digits


@given(VALUES, st.integers(1, 4))
def test_ends_move_outward_by_less_than_a_unit(value: float, digits: int) -> None:
    low, high = coarsen_outward(value, digits, -1), coarsen_outward(value, digits, 1)
    assert low <= value * (1 + 1e-11) and value <= high * (1 + 1e-11)
    assert high - low <= 2 * half_unit(low, digits) * (1 + 1e-9)
    assert coarsen_digits(low, digits) == low and coarsen_digits(high, digits) == high


@given(st.floats(min_value=0, max_value=1e6))
def test_a_variance_is_rounded_up_to_a_step(value: float) -> None:
    found = round_up_variance(value)
    assert value <= found <= max(1.27 * value, LEAST_VARIANCE)
    power = math.floor(math.log10(found) + 1e-9)
    assert any(math.isclose(found, step * 10.0**power) for step in STEPS)
    assert round_up_variance(found) == found


@pytest.mark.parametrize("value", [0.0, LEAST_VARIANCE / 50, LEAST_VARIANCE])
def test_rates_that_are_nearly_alike_have_the_least_variance(value: float) -> None:
    assert round_up_variance(value) == LEAST_VARIANCE


def test_classes_begin_at_their_edges() -> None:
    assert [class_of(value, (3, 6, 11), ("a", "b", "c", "d")) for value in (2, 3, 5, 6, 10, 11)] == list(
        "abbccd"
    )


@pytest.mark.parametrize(("estimate", "reported", "pct"), [(0, 0, 0), (100, 100, 0), (200, 50, 75)])
def test_the_share_that_stands_for_silent_operators(estimate: float, reported: float, pct: float) -> None:
    assert silent_pct(estimate, reported) == pct
