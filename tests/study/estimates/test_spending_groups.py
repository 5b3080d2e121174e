"""Uncertainty of targets by groups of respondents."""

import math

import numpy as np
import polars as pl
import pytest

from jobs.base.stats.intervals import gap_interval
from jobs.study.estimates.steps.spending_groups import (
    DRAWS,
    PLACES,
    Payers,
    choose_first,
    choose_place,
    draw_target,
    placed_spending,
)
from tests.study.estimates.test_investment_gap import NO_ASSETS, accounts, framed

NAMES = "abcdefgh"


def ordered(**columns: list[float]) -> pl.DataFrame:
    """Eight respondents of an owner each."""
    rows = {"respondent_id": list(NAMES), "holding_id": list(NAMES), "subscriptions": [100.0] * 8}
    rows |= {name: [0.0] * 8 for name in ("labour", "rest", "capital")}
    return pl.DataFrame(rows | columns)


def test_a_group_is_chosen_in_each_draw_as_it_is_chosen_once() -> None:
    """One by one, over respondents drawn with replacement; sizes differ, and one may fill a part alone."""
    random = np.random.default_rng(7)
    for _ in range(60):
        size = random.lognormal(3, 1.5, 8)
        count = random.multinomial(7, np.full(8, 1 / 8)).astype(float)
        drawn = [place for place in range(8) for _ in range(int(count[place]))]
        places = sorted(set(drawn))
        total = sum(size[place] for place in drawn)
        for low, high in PLACES.values():
            inside = choose_place(size, low, high)(count[None])[0]
            below, wanted = 0.0, []
            for place in places:
                # Copies of one respondent stand side by side, and are one with their sum.
                own = size[place] * count[place]
                if low < (below + own / 2) / total <= high:
                    wanted.append(place)
                below += own
            wanted = wanted or ([places[-1]] if high == 1.0 else places)
            assert np.flatnonzero(inside).tolist() == wanted
        rate = np.sort(random.integers(0, 4, 8) / 3)[::-1]
        first = choose_first(rate, 0.25)(count[None])[0]
        last = rate[drawn[max(1, round(0.25 * len(drawn))) - 1]]
        assert np.flatnonzero(first).tolist() == [place for place in places if rate[place] >= last]


def test_a_middle_at_a_places_lower_end_is_outside_and_at_its_upper_end_inside() -> None:
    """Six respondents of one size: the middles of the second and the fifth are 0.25 and 0.75."""
    given = accounts([(name, "service", 9 * place, 9) for place, name in enumerate(NAMES[:6], 1)])
    for place, names in (("middle", [2, 3, 4]), ("top", [5])):
        inside = choose_place(np.full(6, 100.0), *PLACES[place])(np.ones((1, 6)))[0]
        assert np.flatnonzero(inside).tolist() == names
        group = placed_spending(given, NO_ASSETS, framed(NAMES[:6]), place, 5)
        assert group.spending and group.spending.count == len(names)


@pytest.mark.parametrize(("count", "is_known"), [(4, False), (5, True)])
def test_a_group_is_chosen_from_five_or_more(count: int, is_known: bool) -> None:
    given = accounts([(name, "service", 9 * place, 9) for place, name in enumerate(NAMES[:count], 1)])
    group = placed_spending(given, NO_ASSETS, framed(NAMES), "middle", 5)
    assert (group.of, group.spending is not None) == (count, is_known)


def test_the_spread_of_draws_is_that_of_a_mean() -> None:
    """All respondents as one group: n - 1 of n owners drawn give the variance of a mean of n."""
    spent = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    draws = draw_target(ordered(rest=[100 * each for each in spent]), NO_ASSETS, lambda count: count > 0, 1)
    assert draws is not None and draws.owners == 8 and draws.rest.shape == (DRAWS,)
    assert draws.rest.std() == pytest.approx(np.std(spent, ddof=1) / np.sqrt(8), rel=0.12)
    low, high = Payers({"FJI": 10.0}, {"FJI": 0.5}, {"FJI": "SIDS"}).necessary_interval(45.0, ["FJI"], draws)
    assert (low + high) / 2 == pytest.approx(45.0)
    # Student's t of seven degrees of freedom.
    assert (high - low) / 2 == pytest.approx(10 * draws.rest.std(ddof=1) * 2.3646, rel=1e-3)


def test_owners_are_drawn_and_not_their_operators() -> None:
    apart = ordered(rest=[100.0] * 4 + [900.0] * 4)
    joint = apart.with_columns(holding_id=pl.Series(["x"] * 4 + ["y"] * 4))
    every, two = (draw_target(each, NO_ASSETS, lambda count: count > 0, 1) for each in (apart, joint))
    assert every is not None and two is not None
    assert two.rest.std() > 1.5 * every.rest.std()
    assert draw_target(joint.head(4), NO_ASSETS, lambda count: count > 0, 1) is None


def test_labour_is_paid_at_parity_and_who_spend_alike_leave_no_doubt() -> None:
    draws = draw_target(ordered(labour=[200.0] * 8, rest=[50.0] * 8), NO_ASSETS, lambda count: count > 0, 1)
    assert draws is not None
    payers = Payers({"FJI": 10.0, "DEU": 30.0}, {"FJI": 0.5, "DEU": 1.2}, {"FJI": "SIDS", "DEU": "DEVELOPED"})
    necessary = 40 * 0.5 + 2 * (10 * 0.5 + 30 * 1.2)
    assert payers.necessary_interval(necessary, ["DEU", "FJI"], draws) == pytest.approx(
        (necessary, necessary)
    )


def test_a_gap_has_both_uncertainties_and_a_norm_that_of_spending_alone() -> None:
    assert gap_interval(50.0, (50.0, 50.0), 30.0, (20.0, 45.0), 0.0) == (5.0, 30.0)
    assert gap_interval(50.0, (47.0, 62.0), 30.0, (25.0, 34.0), 0.0) == (15.0, 33.0)
    # A target below spending may be above it all the same.
    assert gap_interval(28.0, (24.0, 32.0), 30.0, (27.0, 33.0), 0.0) == (0.0, 3.0)
    assert gap_interval(50.0, (None, None), 30.0, (20.0, 45.0), 0.0) == (None, None)
    assert gap_interval(50.0, (50.0, 50.0), 30.0, (None, None), 0.0) == (None, None)


def test_a_gap_errs_by_its_own_subscriptions_not_by_those_of_spending() -> None:
    """A tenth of a norm of 100 is spent, exactly, and subscriptions are off by 20% or less in 95% of cases:
    the gap is 90 of 100 for each subscription, so off by 20%, too, not by 20% of 10."""
    variance = (math.log(1.2) / 1.959964) ** 2
    found = gap_interval(100.0, (100.0, 100.0), 10.0, (10.0, 10.0), variance)
    assert found == pytest.approx((90 / 1.2, 90 * 1.2))
    # Who spends more than the norm does so whatever subscriptions are.
    assert gap_interval(100.0, (100.0, 100.0), 110.0, (110.0, 110.0), variance)[1] == 0


def test_the_groups_of_a_study_have_draws() -> None:
    given = accounts([(name, "service", 9 * place, 9) for place, name in enumerate(NAMES, 1)])
    group = placed_spending(given, NO_ASSETS, framed(NAMES), "middle", 5)
    assert group.draws and group.draws.owners == 8 and group.draws.rest.std() > 0
