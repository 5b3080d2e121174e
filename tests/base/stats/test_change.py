"""Change between two periods from matched respondents: against svy, its properties, and known truths."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import svy

from benchmarks.change_quality import matched_population, simulate_change
from jobs.base.stats.change import (
    MatchedPeriod,
    estimate_change,
    log_influence,
)
from jobs.base.stats.estimation import Array, Weighted, draw_holdings, seed_of, weight_by_factors
from jobs.base.stats.intervals import owners_variance, weigh_deviations
from sample_data.membership import answering, population
from tests.base.stats.test_estimation import groups_of, without_raking


def owners(count: int, random: np.random.Generator) -> Array:
    """An owner of each operator; some have several."""
    return np.array([f"owner {number}" for number in random.integers(0, int(0.7 * count), count)])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("channel", ["EMAIL", "SMS"])
def test_ratio_and_linearised_error_are_those_of_svy(channel: str, seed: int) -> None:
    """svy's ratio of one period's figures to the other's, with owners as units of the first stage: the
    logarithm's error is that of the ratio over the ratio."""
    random = np.random.default_rng([seed, 7])
    people = population(channel)
    answered = answering(people, np.random.default_rng(seed))
    holding = owners(len(answered), random)
    sample = owned(without_raking(people, answered), holding)
    x, earlier = people.subscriptions[answered], people.spam[answered]
    later = earlier * random.lognormal(0.1, 0.3, len(earlier))
    units = np.array([f"{stratum}|{owner}" for stratum, owner in zip(sample.index, holding, strict=True)])
    of_stratum = {
        stratum: len(set(units[sample.index == stratum])) for stratum in range(sample.index.max() + 1)
    }
    frame = pl.DataFrame(
        {
            "earlier": earlier,
            "later": later,
            "stratum": [f"h{place}" for place in sample.index[answered]],
            "unit": units[answered].tolist(),
            "everyone": [float(of_stratum[place]) for place in sample.index[answered]],
            "weight": sample.weights[0],
        }
    )
    oracle = svy.Sample(frame, svy.Design(stratum="stratum", psu="unit", wgt="weight", pop_size="everyone"))
    told = oracle.estimation.ratio("later", "earlier").estimates[0]
    whole = np.ones((1, len(answered)), dtype=bool)
    periods = [
        MatchedPeriod(sample, y[:, None], whole, np.array([float(sample.weights[0] @ x)]))
        for y in (earlier, later)
    ]
    before, after = (log_influence(each, leverage=False) for each in periods)
    (variance,), _ = owners_variance(weigh_deviations(sample, (after - before)[0]))
    weights = sample.weights[0]
    ratio = float(weights @ later / (weights @ earlier))
    assert ratio == pytest.approx(told.est, rel=1e-12)
    assert np.sqrt(variance) * ratio == pytest.approx(told.se, rel=1e-9)


def owned(sample: Weighted, holding: Array) -> Weighted:
    return replace(sample, operators=replace(sample.operators, holding=holding))


def matched(seed: int, growth: Array | None = None) -> tuple[MatchedPeriod, MatchedPeriod, Array]:
    """Two periods of the membership's e-mail by those that answered, and owners."""
    random = np.random.default_rng(seed)
    people = population("EMAIL")
    answered = answering(people, random)
    holding = owners(len(answered), random)
    plain = owned(without_raking(people, answered), holding)
    drawn = draw_holdings(plain.index, holding, answered, 100, seed_of("change", str(seed)))
    sample = weight_by_factors(plain, groups_of(people), drawn)
    member = np.array([np.ones(len(answered), dtype=bool), people.development == "LDC"])
    known = member @ people.subscriptions
    y = people.spam[answered][:, None]
    moved = y * (random.lognormal(0, 0.2, len(y)) if growth is None else growth[answered])[:, None]
    return MatchedPeriod(sample, y, member, known), MatchedPeriod(sample, moved, member, known), holding


def test_a_change_that_all_have_has_no_error() -> None:
    """Variation that both periods share leaves no error in a change: the covariance takes it off."""
    people = population("EMAIL")
    before, after, _ = matched(1, np.full(len(people.spam), 1.25))
    found = estimate_change(before, after)
    for each in (found.ratio, found.low, found.high):
        assert each == pytest.approx(np.full((2, 1), 1.25), rel=1e-9)


def test_an_area_that_answered_in_full_has_an_exact_change() -> None:
    people = population("EMAIL")
    everyone = np.ones(len(people.spam), dtype=bool)
    random = np.random.default_rng(2)
    holding = owners(len(everyone), random)
    plain = owned(without_raking(people, everyone), holding)
    drawn = draw_holdings(plain.index, holding, everyone, 50, 2)
    sample = weight_by_factors(plain, groups_of(people), drawn)
    member, y = everyone[None, :], people.spam[:, None]
    known = member @ people.subscriptions
    later = y * random.lognormal(0, 0.2, len(y))[:, None]
    found = estimate_change(
        MatchedPeriod(sample, y, member, known), MatchedPeriod(sample, later, member, known)
    )
    for each in (found.ratio, found.low, found.high):
        assert each[0, 0] == pytest.approx(later.sum() / y.sum(), rel=1e-9)


def test_backwards_the_change_is_the_inverse() -> None:
    before, after, _ = matched(3)
    there, back = estimate_change(before, after), estimate_change(after, before)
    assert there.ratio == pytest.approx(1 / back.ratio, rel=1e-12)
    assert there.low == pytest.approx(1 / back.high, rel=0.02)


def test_without_the_covariance_the_interval_is_many_times_as_wide() -> None:
    before, after, holding = matched(4)
    other = replace(
        after,
        sample=weight_by_factors(
            after.sample,
            groups_of(population("EMAIL")),
            draw_holdings(after.sample.index, holding, after.sample.operators.is_respondent, 100, 99),
        ),
    )
    together, apart = (estimate_change(before, each) for each in (after, other))
    assert (np.log(apart.high / apart.low) > 1.5 * np.log(together.high / together.low)).all()


def test_operators_of_an_owner_are_drawn_together() -> None:
    index, answered = np.zeros(6, dtype=int), np.array([True, True, True, False, False, True])
    holding = np.array(["a", "a", "b", "c", "d", "a"])
    factors = draw_holdings(index, holding, answered, 200, 1)
    assert (factors[:, 0] == factors[:, 1]).all() and (factors[:, 0] == factors[:, 5]).all()
    assert (factors[:, 0] != factors[:, 2]).any()
    assert factors.mean() == pytest.approx(1, abs=0.1)


def test_of_nothing_there_is_no_change() -> None:
    before, after, _ = matched(5)
    found = estimate_change(replace(before, y=0 * before.y), after)
    assert np.isnan(found.ratio).all()


@pytest.mark.long
def test_intervals_contain_the_change() -> None:
    """docs/estimates.md has all areas and settings, by more samples."""
    found = simulate_change(matched_population("EMAIL"), samples=60, selective=0.0)
    assert abs(found.bias_pct[0]) < 2
    assert found.coverage_pct[0] >= 88 and np.nanmean(found.coverage_pct[1:7]) >= 88
    assert found.width_pct[0] < 0.5 * found.apart_pct[0]
    # Intervals of the least developed countries miss where their largest operator did not answer twice.
    assert found.has_largest.any() and found.is_hit[found.has_largest, -1].all()
