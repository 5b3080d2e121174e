"""Figures of countries and small areas: silent operators at the area's own rate and at its cell's."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy.special import ndtri

from jobs.base.stats import prediction
from jobs.base.stats.estimation import Array
from jobs.base.stats.prediction import (
    DRAWS,
    Imputed,
    Multiples,
    SmallAreas,
    draw_multiples,
    interval_ends,
    predict_areas,
    relative_rates,
)
from tests.base.stats.test_estimation import six_operators

NOBODY, ONE, TEN = np.array([]), np.array([1.0]), np.array([10.0])


def rates(variance: float, freedom: float = 9.0, drawn: Array | None = None) -> Multiples:
    """Multiples of 1 in every draw but the first silent operator's, which may be given."""
    silent, answered = np.ones((3, 1, DRAWS)), np.ones((3, 1, DRAWS))
    if drawn is not None:
        silent[0, 0] = drawn
    return Multiples(silent, answered, np.zeros(DRAWS), np.array([variance]), freedom)


def predicted(
    of: Multiples,
    reported: float,
    answered: Array,
    silent: Array,
    ratio: float,
    least: float = 0.0,
    imputed: Imputed | None = None,
) -> list[float]:
    """Estimate, error and interval of one area and measure, beside another one that must not change it."""
    areas = SmallAreas(
        *(np.array([[value], [7.0]]) for value in (reported, least)),
        *(np.array([[*each, *[0.0] * (2 - len(each))], [3.0, 2.0]]) for each in (answered, silent)),
        np.array([[ratio], [11.0]]),
        np.zeros(2),
        imputed,
    )
    found = predict_areas(areas, of)
    return [float(each[0, 0]) for each in (found.estimate, found.error, found.low, found.high)]


def drawn_twice(reported: Array, ratio: Array, freedom: float | None = None) -> Imputed:
    """Replicates of one measure in two areas."""
    return Imputed(*(np.stack([each, each])[:, None] for each in (reported, ratio)), freedom)


def test_a_country_is_predicted_at_its_own_rate_and_at_its_cells() -> None:
    """Own: 20 reported by 10 subscriptions, 5 silent: 20 + 5 x 2 = 30; at the cell's 3 it is 35. Rates have
    the relative variance 0.25: own (5 x 2)^2 x 0.25 x (1 + 1) = 50, cell (5 x 3)^2 x 0.25 + (35 - 30)^2 =
    81.25.

    Cell: one of six answered, so the cell's 3 is the rate: 2 + 5 x 3 = 17, at its own 12: (5 x 2)^2 x 0.25 x
    2 + (12 - 17)^2 = 75, and 56.25.
    """
    five = np.array([5.0])
    own = predicted(rates(0.25), 20, TEN, five, 3, least=20)
    assert own == pytest.approx([30, np.sqrt(81.25), 30, 35])
    others = predicted(rates(0.25), 2, ONE, five, 3, least=2)
    assert others == pytest.approx([17, np.sqrt(75), 12, 17])


def test_a_high_own_rate_does_not_make_silent_operators_certain() -> None:
    """Respondents with ten times the cell's rate: what the cell's operators have is inside."""
    random = np.random.default_rng(1)
    drawn = np.exp(random.normal(-0.32, 0.8, DRAWS))
    estimate, error, low, high = predicted(rates(0.9, 200, drawn), 100, TEN, TEN, 1, least=100)
    assert estimate == 200
    assert low < 105 and high > 200
    assert error > 90


def test_operators_of_a_country_that_nobody_answered_in_may_be_alike() -> None:
    """Two silent operators: each has the first one's multiple, so the relative variance is not halved."""
    drawn = np.exp(ndtri(np.arange(1, DRAWS + 1) / (DRAWS + 1)))
    estimate, error, low, high = predicted(rates(0.25, 1e9, drawn), 0, NOBODY, np.array([5.0, 5.0]), 3)
    assert (estimate, error) == pytest.approx((30, 15))
    assert (low, high) == pytest.approx((30 / np.exp(1.96), 30 * np.exp(1.96)), rel=1e-3)


def test_one_respondent_of_all_shows_no_error() -> None:
    """Figures that all reported are exact."""
    estimate, *unknown = predicted(rates(0.0, 0.0), 20, TEN, TEN, 3)
    assert estimate == 40 and np.isnan(unknown).all()
    assert predicted(rates(0.0, 0.0), 20, TEN, NOBODY, 3, least=20) == [20, 0, 20, 20]


def test_areas_are_predicted_alike_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    of = Multiples(
        *(random.lognormal(size=(3, 2, DRAWS)) for _ in range(2)),
        random.standard_normal(DRAWS),
        np.array([0.5, 0.2]),
        9.0,
    )
    shapes = ((7, 2), (7, 2), (7, 3), (7, 3), (7, 2), (7,))
    areas = SmallAreas(*(random.random(shape) for shape in shapes))
    whole = predict_areas(areas, of)
    monkeypatch.setattr(prediction, "BLOCK", 3 * 2 * DRAWS)
    for one, other in zip(astuple(whole), astuple(predict_areas(areas, of)), strict=True):
        assert one == pytest.approx(other, rel=1e-12)


def test_multiples_by_hand() -> None:
    """Class A: ratio (16 + 9)/5 = 5, rates 8 and 3: 1.6 and 0.6, shares 2/5 and 3/5 of the subscriptions, so
    1 + 0.6/sqrt(0.6) and 1 - 0.4/sqrt(0.4). Class B: ratio 2, rates 1 and 3, shares 1/2. All over their
    weighted mean. A measure that nobody has any of does not vary."""
    y = np.array([[8.0, 0.0], [9.0, 0.0], [2.0, 0.0], [6.0, 0.0]])
    labels = np.array(["EUR|A", "EUR|A", "EUR|B", "EUR|B"], dtype=object)
    found, chance = relative_rates(six_operators(), labels, y)
    raw = np.array([1 + 0.6 / np.sqrt(0.6), 1 - 0.4 / np.sqrt(0.4), 1 - np.sqrt(0.5), 1 + np.sqrt(0.5)])
    assert chance.tolist() == pytest.approx([0.4, 0.2, 0.2, 0.2])
    assert found[:, 0].tolist() == pytest.approx((raw / (chance @ raw)).tolist())
    assert found[:, 1].tolist() == [1, 1, 1, 1]
    drawn = draw_multiples(six_operators(), labels, y, 2, 3)
    assert drawn.silent.shape == (2, 2, DRAWS) and drawn.answered.shape == (3, 2, DRAWS)
    assert set(np.round(drawn.silent[:, 0], 9).ravel()) == set(np.round(found[:, 0], 9))
    assert drawn.variance.tolist() == pytest.approx([float(chance @ (found[:, 0] - 1) ** 2), 0])
    assert drawn.freedom == pytest.approx(1 / 0.28 - 1)


def test_ends_are_stretched_from_normal_to_t() -> None:
    """Ends of a lognormal distribution are exp(-+1.96); with four degrees of freedom exp(-+2.776); with one,
    no more than a factor of a thousand. Draws of nothing stay so."""
    draws = np.exp(ndtri(np.arange(1, DRAWS + 1) / (DRAWS + 1))) * np.array([1.0, 1, 1, 0])[:, None]
    low, high = interval_ends(draws, np.array([1e12, 4, 1, 4]))
    assert np.log(high[:2]).tolist() == pytest.approx([1.95996, 2.77645], rel=1e-4)
    assert np.log(low[:2]).tolist() == pytest.approx([-1.95996, -2.77645], rel=1e-4)
    assert high[2] == pytest.approx(1000)
    assert (low[3], high[3]) == (0, 0)


def test_silent_operators_take_the_error_of_what_was_imputed() -> None:
    """Rates do not vary. Own: of two equal operators one answered, 90 or 110, which varies by 200: 200 in
    all, and twice the error. Nobody answered, and the cell's rate is 9 or 11: 10 times its error."""
    own = drawn_twice(np.array([90.0, 110.0]), np.array([10.0, 10.0]))
    found = predicted(rates(0), 100, TEN, TEN, 10, imputed=own)
    assert found[:2] == pytest.approx((200, 2 * np.sqrt(200)))
    none = drawn_twice(np.zeros(2), np.array([9.0, 11.0]))
    found = predicted(rates(0), 0, NOBODY, TEN, 10, imputed=none)
    assert found[:2] == pytest.approx((100, 10 * np.sqrt(2)))
    assert found[2:] != [100, 100]


def test_without_silent_operators_only_what_was_imputed_errs() -> None:
    assert predicted(rates(0.9), 100, TEN, NOBODY, 1, least=100) == [100, 0, 100, 100]
    imputed = drawn_twice(np.array([90.0, 110.0]), np.ones(2))
    found = predicted(rates(0.9), 100, TEN, NOBODY, 1, imputed=imputed)
    assert found[:2] == pytest.approx((100, np.sqrt(200)))


def test_few_audits_leave_a_country_few_degrees_of_freedom() -> None:
    """Imputation alone has its own degrees, four with the quantile 2.776; without any, the rates have
    nine."""
    spread = np.exp(0.1 * ndtri(np.arange(1, DRAWS + 1) / (DRAWS + 1)))
    for freedom, quantile in ((4.0, 2.776), (None, 2.262)):
        imputed = drawn_twice(100 * spread, 10 * spread, freedom)
        _, _, low, high = predicted(rates(0), 100, TEN, TEN, 10, imputed=imputed)
        assert np.log(high / low) == pytest.approx(2 * quantile * 0.1, rel=1e-3)
