"""The variance function of a release's errors: its factors, and what a published variance reveals."""

from dataclasses import replace

import numpy as np
import pytest

from jobs.base.figures.areas import COUNTRY, WORLD
from jobs.base.stats.estimation import Array
from jobs.base.stats.variance_function import Spread, rule_margin, spread_of
from jobs.study.estimates.steps.area_rows import estimate_areas
from jobs.study.estimates.steps.sample import Sample, point_estimates
from sample_data.membership import answering, population
from tests.support.memberships import AREAS, sample_of_people


def drawn() -> tuple[Sample, Array, Array]:
    """A sample, everyone's subscriptions, and who answered."""
    people, random = population("SMS", 3), np.random.default_rng(3)
    answered = answering(people, random)
    return sample_of_people(people, answered, 0, "factors"), people.subscriptions, answered


@pytest.mark.long
def test_coefficients_are_those_of_the_estimates() -> None:
    sample, x, answered = drawn()
    y = np.random.default_rng(4).lognormal(size=(int(answered.sum()), 1)) * x[answered][:, None]
    found = sample.coefficients @ y
    for area, estimate in zip(sample.areas, found, strict=True):
        expected = point_estimates(sample, y)[area.code][0]
        assert expected is None or estimate[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("owners", [0, 9])
def test_factors_are_the_variance_of_what_an_estimate_misses(owners: int) -> None:
    """Rates that differ by a variance of 0.25 and by nothing else, of all operators drawn anew, those of an
    owner alike: the estimate misses the truth by that times C. K is C of countries; else the larger of C and
    D."""
    sample, x, answered = drawn()
    random = np.random.default_rng(5)
    whose = np.arange(len(x))
    if owners:
        whose = np.where(random.random(len(x)) < 0.3, random.integers(0, owners, len(x)), whose)
        owned = replace(sample.weighted.operators, holding=whose.astype(str).astype(object))
        sample = replace(sample, weighted=replace(sample.weighted, operators=owned))
    y = x * (1 + random.choice([-0.5, 0.5], size=(4000, len(x))))[:, whose]
    missed = y[:, answered] @ sample.coefficients.T - y @ sample.member.T
    measured = (missed**2).mean(axis=0) / (0.25 * np.where(sample.known > 0, sample.known, 1) ** 2)
    for at, area in enumerate(AREAS):
        if area.kind == COUNTRY and not owners:
            assert sample.factors[at] == pytest.approx(measured[at], rel=0.2)
        else:
            assert sample.factors[at] >= 0.9 * measured[at]
    world = [area.code for area in AREAS].index(WORLD)
    assert sample.factors[world] < 5 * measured[world]


def test_imputed_figures_err_where_everyone_answered() -> None:
    """Counted figures leave nothing open; imputed ones a hundredth of the squares of their shares."""
    people = population("SMS", 3)
    x, random = people.subscriptions, np.random.default_rng(6)
    sample = sample_of_people(people, np.ones(len(x), dtype=bool), 2, "all")
    drawn = np.outer(x, [3.0])[None] * random.lognormal(0, 0.1, (3, len(x), 1))
    for y, share in ((drawn[0], 0.0), (drawn, 0.01)):
        of_area = dict(estimate_areas(sample, y).select("area_code", "area_factor").rows())
        for code in ("FRA", "EUR", WORLD):
            inside = sample.member[[area.code for area in AREAS].index(code)]
            squares = float((x[inside] ** 2).sum() / x[inside].sum() ** 2)
            assert of_area[code] == pytest.approx(share * squares, rel=1e-3, abs=1e-12)


def test_a_variance_that_nobody_shows_is_none() -> None:
    sample, x, answered = drawn()
    alike = np.outer(x[answered], [2.0])
    assert spread_of(sample.weighted, alike).variance == pytest.approx(0, abs=1e-12)
    one = answered & (np.cumsum(answered) == 1)
    alone = sample_of_people(population("SMS", 3), one, 2, "one")
    rows = estimate_areas(alone, np.ones((1, 1)))
    assert set(rows["rates_variance"]) == {None}
    assert set(rows["rates_margin_pct"]) == {None}


def test_margin_is_where_another_holding_begins_to_find_a_rate() -> None:
    """Three holdings: of the sum that is published as exact, the second takes off its own, and the third's is
    nothing, so that the first's deviation follows; rounded up it is open."""
    deviation = np.array([[3.0], [-0.8], [0.0]])
    stands = np.array([10.0, 10.0, 80.0])
    unit = 60.0
    variance = float((stands @ deviation**2)[0]) / unit
    exact = Spread(np.array([variance]), 2.0, deviation, stands, unit)
    names = np.array(["a", "b", "c"], dtype=object)
    assert rule_margin(exact, exact.variance, names)[0] == pytest.approx(0, abs=1e-9)
    wide = rule_margin(exact, 1.2 * exact.variance, names)[0]
    # By hand: the second knows 6.4 of 115.68, so that the first's deviation is at most the root of 10.928.
    assert wide == pytest.approx(100 * (np.sqrt((1.2 * 96.4 - 6.4) / 10) - 3) / 4)
    # Operators of one holding take off their common part.
    together = rule_margin(exact, 1.2 * exact.variance, np.array(["a", "b", "b"], dtype=object))[0]
    assert together == pytest.approx(wide)
