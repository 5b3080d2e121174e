"""Totals from operators that answered: against svy, known truths, and under selective non-response."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
import svy
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.figures.areas import RAKED
from jobs.base.stats.estimation import (
    SMALLEST,
    Array,
    Margins,
    Operators,
    Weighted,
    adjust_nonresponse,
    assign_subscriptions,
    calibrate_weights,
    collapse_strata,
    draw_holdings,
    floor_at_one,
    rake_weights,
    ratio_groups,
    ratio_totals,
    seed_of,
    weight_respondents,
)
from jobs.base.stats.intervals import (
    EstimateTable,
    across_strata,
    add_known_errors,
    area_concentration,
    concentration_of,
    cv_band,
    estimate_figures,
    figure_at_factor,
    linearised_variance,
    log_interval,
    rates_variance,
    weigh_deviations,
)
from sample_data.membership import Population, World, answering, countries, population
from tests.support.examples import examples


def operators(people: Population, is_respondent: Array) -> Operators:
    return Operators(
        people.respondent,
        people.country,
        people.region,
        people.development,
        people.size,
        people.subscriptions,
        is_respondent,
        people.holding,
    )


def without_raking(people: Population, is_respondent: Array) -> Weighted:
    stratum = collapse_strata(people.region, people.development, people.size, is_respondent)
    index = np.unique(stratum.astype(str), return_inverse=True)[1]
    weights = adjust_nonresponse(np.ones((1, len(index))), index, is_respondent)[:, is_respondent]
    return Weighted(operators(people, is_respondent), stratum, index, weights)


# --- against svy ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("channel", ["EMAIL", "SMS"])
def test_ratio_and_linearised_error_are_those_of_svy(channel: str, seed: int) -> None:
    people = population(channel)
    answered = answering(people, np.random.default_rng(seed))
    sample = without_raking(people, answered)
    x, y = people.subscriptions[answered], people.spam[answered]
    everyone = np.bincount(sample.index)[sample.index[answered]]
    frame = pl.DataFrame(
        {
            "y": y,
            "x": x,
            "stratum": [f"h{place}" for place in sample.index[answered]],
            "everyone": everyone.astype(float),
            "weight": sample.weights[0],
            "region": people.region[answered].tolist(),
        }
    )
    oracle = svy.Sample(frame, svy.Design(stratum="stratum", wgt="weight", pop_size="everyone"))
    whole = np.ones(len(x), dtype=bool)
    told = oracle.estimation.ratio("y", "x").estimates[0]
    ratio = ratio_totals(sample.weights, x, y[:, None], whole[None, :], np.ones(1))[0, 0, 0]
    (variance,), _ = linearised_variance(sample, x, y[:, None], whole, 1.0, leverage=False)
    assert ratio == pytest.approx(told.est, rel=1e-12)
    assert np.sqrt(variance) == pytest.approx(told.se, rel=1e-9)
    for told in oracle.estimation.ratio("y", "x", by="region").estimates:
        inside = people.region[answered] == told.by_level[0]
        ratio = ratio_totals(sample.weights, x, y[:, None], inside[None, :], np.ones(1))[0, 0, 0]
        (variance,), _ = linearised_variance(sample, x, y[:, None], inside, 1.0, leverage=False)
        assert ratio == pytest.approx(told.est, rel=1e-12)
        assert np.sqrt(variance) == pytest.approx(told.se, rel=1e-9)


def test_a_channel_without_any_area_has_no_totals() -> None:
    found = ratio_totals(np.ones((3, 2)), np.ones(2), np.ones((2, 4)), np.zeros((0, 2)), np.zeros(0))
    assert found.shape == (3, 0, 4)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("channel", ["EMAIL", "SMS"])
def test_raked_total_and_bootstrap_error_are_those_of_svy(channel: str, seed: int) -> None:
    """svy rakes sums of weights: it is given weights times subscriptions, and spam for each subscription.

    It rakes each replicate again, as is done here. The linearised error of a raked total is not compared: of
    replicate weights svy takes the replicates, and without them it takes raked weights for design weights.
    """
    people, replicates = population(channel), 40
    answered = answering(people, np.random.default_rng(seed))
    groups = {"ldc": people.development == "LDC", "large": people.size == "LARGE"}
    sample = weight_respondents(operators(people, answered), groups, seed, replicates)
    x, y = people.subscriptions[answered], people.spam[answered]
    regions = ratio_groups(sample.stratum, answered, people.subscriptions)
    factors = np.vstack(
        [np.ones(len(answered)), draw_holdings(sample.index, people.holding, answered, replicates, seed)]
    )
    before = adjust_nonresponse(factors, sample.index, answered)[:, answered] * x
    frame = pl.DataFrame(
        {
            "rate": y / x,
            "region": [f"region {place}" for place in regions.place[answered]],
            **{name: np.where(inside[answered], "in", "out") for name, inside in groups.items()},
            "v": before[0],
            **{f"r{number}": before[number] for number in range(1, replicates + 1)},
        }
    )
    controls = {"region": {f"region {place}": float(each) for place, each in enumerate(regions.totals)}} | {
        name: {
            "in": float(people.subscriptions[inside].sum()),
            "out": float(people.subscriptions[~inside].sum()),
        }
        for name, inside in groups.items()
    }
    repeated = svy.BootstrapWgts(prefix="r", n_reps=replicates)
    raked = svy.Sample(frame, svy.Design(wgt="v", rep_wgts=repeated)).weighting.rake(
        controls=controls, tol=1e-9, max_iter=1000
    )
    told = raked.estimation.total("rate", method="replication", variance_center="estimate").estimates[0]
    totals = sample.weights @ y
    assert totals[0] == pytest.approx(told.est, rel=1e-5)
    assert np.sqrt(np.mean((totals[1:] - totals[0]) ** 2)) == pytest.approx(told.se, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_bootstrap_error_is_near_the_linearised_one(seed: int) -> None:
    """The finite population is in both: a bootstrap without it would be half as wide again."""
    people = population("EMAIL")
    answered = answering(people, np.random.default_rng(seed))
    plain = without_raking(people, answered)
    x, y = people.subscriptions[answered], people.spam[answered]
    factors = draw_holdings(plain.index, people.holding, answered, 2000, seed)
    weights = adjust_nonresponse(factors, plain.index, answered)[:, answered]
    whole = np.ones(len(x), dtype=bool)
    ratios = ratio_totals(weights, x, y[:, None], whole[None, :], np.ones(1))[:, 0, 0]
    (variance,), _ = linearised_variance(plain, x, y[:, None], whole, 1.0, leverage=False)
    assert ratios.std(ddof=1) == pytest.approx(np.sqrt(variance), rel=0.15)


# --- against the truth ------------------------------------------------------------------------------


DRAWN = 25
# Per cent of an area with one operator: from there a ratio's own bias shows, of the order of its relative
# variance (Cochran 1977, 6.8). It is about a third of the error at most, and the interval holds the truth.
CONCENTRATED = 100 / 6


@dataclass(frozen=True)
class Simulated:
    """Quality of the estimates of many samples, for the world, the regions and the groups, in this order.

    Attributes:
        largest_pct: the largest part that one operator has of an area's subscriptions or of its spam.
    """

    areas: list[str]
    largest_pct: Array
    bias_pct: Array
    coverage_pct: Array
    half_to_half_more: Array
    width_pct: Array


def groups_of(people: Population) -> dict[str, Array]:
    """Return the operators in each group that weights are raked to; groups overlap."""
    held = dict(countries().select("country_code", "group_codes").rows())
    return {group: np.array([group in held[country] for country in people.country]) for group in RAKED}


def simulated(channel: str, samples: int, by_size: float = 0.0, selective: float = 0.0) -> Simulated:
    """Draw who answers again and again from one membership, and estimate each time.

    With few replicates a sample, raked to all groups as in use: errors of single intervals are rougher.
    """
    people = population(channel, world=World(by_size=by_size))
    groups = groups_of(people)
    regions = {name: people.region == name for name in sorted(set(people.region))}
    inside = {"WORLD": np.ones(len(people.spam), dtype=bool)} | regions | groups
    inside["DEVELOPED"] = ~groups["DEVELOPING"]
    member = np.array(list(inside.values()))
    known, truth = member @ people.subscriptions, member @ people.spam
    largest = [(member * of).max(axis=1) / (member @ of) for of in (people.subscriptions, people.spam)]
    random = np.random.default_rng(20261125)
    estimates: list[Array] = []
    hits: list[Array] = []
    bands: list[Array] = []
    widths: list[Array] = []
    for number in range(samples):
        answered = answering(people, random, selective)
        sample = weight_respondents(operators(people, answered), groups, seed_of(channel, str(number)), DRAWN)
        found = estimate_figures(sample, people.spam[answered][:, None], member, known)
        reported = member[:, answered] @ people.spam[answered]
        low, high = found.low[:, 0], found.high[:, 0]
        estimates.append(found.estimate[:, 0])
        hits.append((low <= truth) & (truth <= high))
        least = reported + 0.5 * (low - reported)
        bands.append((least <= truth) & (truth <= reported + 1.5 * (high - reported)))
        widths.append((high - low) / truth)
    return Simulated(
        list(inside),
        100 * np.max(largest, axis=0),
        100 * (np.mean(estimates, axis=0) / truth - 1),
        100 * np.mean(hits, axis=0),
        100 * np.mean(bands, axis=0),
        100 * np.mean(widths, axis=0),
    )


def told(title: str, samples: int, found: Simulated) -> None:
    print(
        f"\n{title}: {samples} samples"
        "\narea        largest    bias  interval covers  band 0.5-1.5 covers  width"
    )
    for place, area in enumerate(found.areas):
        print(
            f"{area:10} {found.largest_pct[place]:7.0f}% {found.bias_pct[place]:6.1f}%"
            f" {found.coverage_pct[place]:15.1f}% {found.half_to_half_more[place]:19.1f}%"
            f" {found.width_pct[place]:5.0f}%"
        )


def held(channel: str, samples: int, by_size: float) -> None:
    found = simulated(channel, samples, by_size)
    told(f"{channel}, rate ~ size^{by_size:g}", samples, found)
    assert found.coverage_pct.min() >= 88
    assert found.width_pct[0] < 35
    assert abs(found.bias_pct[0]) < 2
    shared = found.largest_pct < CONCENTRATED
    assert shared.sum() >= 6
    assert np.abs(found.bias_pct[shared]).max() < 2
    assert np.abs(found.bias_pct).max() < 4


@pytest.mark.long
@pytest.mark.parametrize(("channel", "by_size"), [("EMAIL", 0.0), ("EMAIL", -0.15), ("SMS", 0.0)])
def test_intervals_cover_the_truth_and_estimates_have_no_bias(channel: str, by_size: float) -> None:
    """Estimates are of the world, each region and each group; rates are the same in all sizes, or fall with
    size, as do the rates of answering."""
    held(channel, 1000, by_size)


@pytest.mark.long
def test_intervals_cover_the_truth_of_a_few_samples() -> None:
    held("EMAIL", 150, 0.0)


@pytest.mark.long
def test_intervals_cover_the_truth_of_other_memberships() -> None:
    """The method was chosen on one membership; of others, each with its own few large operators, it holds the
    truth of all areas together as often."""
    covered = []
    for seed in range(201, 211):
        people = population("EMAIL", seed)
        groups = groups_of(people)
        member = np.array([people.region == name for name in sorted(set(people.region))] + [*groups.values()])
        known, truth = member @ people.subscriptions, member @ people.spam
        random = np.random.default_rng(seed)
        for number in range(15):
            answered = answering(people, random)
            sample = weight_respondents(operators(people, answered), groups, number, DRAWN)
            found = estimate_figures(sample, people.spam[answered][:, None], member, known)
            covered.append((found.low[:, 0] <= truth) & (truth <= found.high[:, 0]))
    by_area = 100 * np.mean(covered, axis=0)
    print("coverage by area over ten memberships:", by_area.round(1).tolist())
    assert by_area.min() >= 88


@pytest.mark.long
def test_selective_answers_break_the_interval_and_the_band_shows_it() -> None:
    """Operators with more spam answer more (half a logit for each unit of log rate): no interval can know."""
    found = simulated("EMAIL", 150, selective=0.5)
    told("EMAIL, selective answers", 150, found)
    assert found.bias_pct[0] > 5
    assert found.coverage_pct[0] < 88
    assert found.half_to_half_more[0] >= 95


# --- strata and weights -----------------------------------------------------------------------------


@st.composite
def memberships(draw: st.DrawFn) -> tuple[Array, Array, Array, Array, Array]:
    count = draw(st.integers(6, 60))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    code = [
        np.array(random.choice(names, count), dtype=object)
        for names in (["AFR", "EUR", "ASP"], ["LDC", "DEVELOPING"], ["SMALL", "MEDIUM", "LARGE"])
    ]
    answered = random.random(count) < draw(st.floats(0.2, 1.0))
    answered[:SMALLEST] = True
    return *code, answered, random.permutation(count)


@given(memberships())
@examples(60)
def test_each_stratum_has_enough_respondents_in_any_order(drawn: tuple[Array, ...]) -> None:
    region, development, size, answered, order = drawn
    stratum = collapse_strata(region, development, size, answered)
    assert all(answered[stratum == name].sum() >= SMALLEST for name in set(stratum.tolist()))
    again = collapse_strata(region[order], development[order], size[order], answered[order])
    assert again.tolist() == stratum[order].tolist()


def test_sizes_are_given_up_first_then_classes_then_regions() -> None:
    def stratum_of(counts: dict[tuple[str, str, str], int]) -> list[str]:
        rows = [key for key, count in counts.items() for _ in range(count)]
        parts = [np.array(column, dtype=object) for column in zip(*rows, strict=True)]
        return sorted(set(collapse_strata(*parts, np.ones(len(rows), dtype=bool)).tolist()))

    enough = {("EUR", "DEVELOPED", "SMALL"): 9, ("EUR", "DEVELOPED", "LARGE"): 9}
    assert stratum_of(enough | {("AFR", "LDC", "LARGE"): 3, ("AFR", "LDC", "SMALL"): 3}) == [
        "AFR|LDC|LARGE+SMALL",
        "EUR|DEVELOPED|LARGE",
        "EUR|DEVELOPED|SMALL",
    ]
    assert stratum_of(enough | {("EUR", "LDC", "LARGE"): 2, ("EUR", "LDC", "SMALL"): 2}) == [
        "EUR|DEVELOPED+LDC|LARGE",
        "EUR|DEVELOPED+LDC|SMALL",
    ]
    # Four of another region: its class is then too small as well, and its operators come in by size.
    assert stratum_of(enough | {("AFR", "LDC", "LARGE"): 4}) == [
        "AFR+EUR|DEVELOPED+LDC|LARGE",
        "AFR+EUR|DEVELOPED+LDC|SMALL",
    ]


def test_a_full_answer_leaves_no_error() -> None:
    people = population("SMS")
    answered = np.ones(len(people.spam), dtype=bool)
    sample = weight_respondents(operators(people, answered), {}, 1, 20)
    member, known = np.ones((1, len(answered)), dtype=bool), np.array([people.subscriptions.sum()])
    found = estimate_figures(sample, people.spam[:, None], member, known)
    assert found.estimate[0, 0] == pytest.approx(people.spam.sum())
    assert found.error[0, 0] == pytest.approx(0, abs=1e-3)


def test_weights_add_up_to_what_is_known() -> None:
    people = population("EMAIL")
    answered = answering(people, np.random.default_rng(8))
    is_ldc = people.development == "LDC"
    sample = weight_respondents(operators(people, answered), {"LDC": is_ldc}, 5, 10)
    x = people.subscriptions
    for weights in sample.weights:
        whole = np.zeros(len(x))
        whole[answered] = weights
        for inside in [is_ldc, *(people.region == name for name in set(people.region))]:
            assert whole[inside] @ x[inside] == pytest.approx(x[inside].sum(), rel=1e-6)


@pytest.mark.parametrize(("respondents", "is_held"), [(5, True), (4, False)])
def test_a_group_of_five_respondents_adds_up_to_what_is_known(respondents: int, is_held: bool) -> None:
    people = population("EMAIL")
    answered = answering(people, np.random.default_rng(8))
    member = np.zeros(len(answered), dtype=bool)
    member[np.flatnonzero(answered)[:respondents]] = member[np.flatnonzero(~answered)[:9]] = True
    sample = weight_respondents(operators(people, answered), {"LDC": member}, 1, 10)
    whole = np.zeros(len(answered))
    whole[answered] = sample.weights[0]
    x = people.subscriptions
    off = whole[member] @ x[member] / x[member].sum() - 1
    assert (abs(off) < 1e-6) == is_held


def test_a_stratum_has_a_ratio_of_its_own_only_with_twenty_respondents() -> None:
    stratum = np.array(["EUR|A|S"] * 20 + ["EUR|A|L"] * 19, dtype=object)
    everyone, x = np.ones(39, dtype=bool), np.ones(39)
    assert ratio_groups(stratum, everyone, x).totals.tolist() == [19, 20]
    everyone[0] = False
    assert ratio_groups(stratum, everyone, x).totals.tolist() == [39]
    # What is left of the region needs five, or the stratum does not stand apart either.
    everyone[0], everyone[25:] = True, False
    assert ratio_groups(stratum, everyone, x).totals.tolist() == [19, 20]
    everyone[24] = False
    assert ratio_groups(stratum, everyone, x).totals.tolist() == [39]


def test_non_response_is_adjusted_again_inside_each_replicate() -> None:
    """Three of five answered: where a replicate draws fewer of the three, those drawn carry more."""
    index, answered = np.zeros(5, dtype=int), np.array([True, True, True, False, False])
    assert adjust_nonresponse(np.ones((1, 5)), index, answered)[0].tolist() == pytest.approx(
        [5 / 3, 5 / 3, 5 / 3, 0, 0]
    )
    factors = np.array([[2.0, 1.0, 0.0, 1.0, 1.0]])
    assert adjust_nonresponse(factors, index, answered)[0].tolist() == pytest.approx([10 / 3, 5 / 3, 0, 0, 0])


def test_margins_that_contradict_each_other_are_given_up_from_the_last() -> None:
    x = np.ones(4)
    region = Margins("region", np.array([0, 0, 1, 1]), np.array([10.0, 10.0]))
    impossible = Margins("group", np.array([0, 0, -1, -1]), np.array([13.0]))
    weights = calibrate_weights(np.ones((1, 4)), x, [region, impossible])
    assert weights[0].tolist() == pytest.approx([5, 5, 5, 5])
    possible = Margins("group", np.array([0, -1, 0, -1]), np.array([12.0]))
    raked, off = rake_weights(np.ones((1, 4)), x, [region, possible])
    assert off < 1e-6
    assert raked[0].tolist() == pytest.approx([6, 4, 6, 4])


def test_what_is_known_of_a_country_goes_to_those_that_did_not_answer() -> None:
    reported = np.array([100.0, 30.0, 10.0, 50.0, 7.0])
    country = np.array(["A", "A", "A", "B", "C"], dtype=object)
    answered = np.array([True, False, False, True, False])
    stands = assign_subscriptions(reported, country, answered, {"A": 180.0, "B": 80.0})
    # A: 80 left, by 3 to 1. B: all answered, 30 belong to operators that nobody listed. C: nothing is known.
    assert stands.tolist() == [100.0, 60.0, 20.0, 50.0, 7.0]
    assert assign_subscriptions(reported, country, answered, {"A": 90.0})[:3].tolist() == [100.0, 0.0, 0.0]


def test_seeds_come_from_the_cells_key_alone() -> None:
    assert seed_of("EMAIL", "2026-Q4") == seed_of("EMAIL", "2026-Q4") != seed_of("EMAIL2026", "-Q4")
    index, answered = np.zeros(9, dtype=int), np.arange(9) < 5
    first, again = (
        draw_holdings(index, np.arange(9), answered, 7, seed_of("EMAIL", "2026-Q4")) for _ in range(2)
    )
    assert np.array_equal(first, again)
    assert first.sum(axis=1) == pytest.approx(np.full(7, 9.0))


# --- intervals --------------------------------------------------------------------------------------


def test_an_interval_by_hand() -> None:
    """t(0.975; 10) = 2.2281; 100 e^(+-2.2281 x 0.1): 80.03 to 124.96. What was reported is its least."""
    low, high = log_interval(np.array([100.0]), np.array([10.0]), np.array([10.0]), np.array([85.0]))
    assert high[0] == pytest.approx(124.96, abs=0.01)
    assert low[0] == 85.0
    assert log_interval(np.array([100.0]), np.array([10.0]), np.array([10.0]), np.zeros(1))[0][
        0
    ] == pytest.approx(80.03, abs=0.01)


def test_known_errors_lengthen_both_arms_by_hand() -> None:
    """Arms of 0.2 and 0.3 on the logarithm's scale, and 1.96 x 0.1 beside them: 0.28 and 0.358. A figure of
    nothing, and one without interval, stay so; what was counted is the least."""

    def row(*values: float) -> Array:
        return np.array(values)

    low, high = 100 * np.exp(-0.2), 100 * np.exp(0.3)
    given = EstimateTable(row(100, 0, 100), row(10, 0, np.nan), row(low, 0, np.nan), row(high, 0, np.nan))
    found = add_known_errors(given, 0.01, row(70, 0, 0))
    assert found.error.tolist() == pytest.approx([np.sqrt(200), 0, np.nan], nan_ok=True)
    assert found.low.tolist() == pytest.approx([100 * np.exp(-0.28001), 0, np.nan], rel=1e-4, nan_ok=True)
    assert found.high.tolist() == pytest.approx([100 * np.exp(0.35835), 0, np.nan], rel=1e-4, nan_ok=True)
    assert add_known_errors(given, 0.01, row(80, 0, 0)).low[0] == 80
    unchanged = add_known_errors(given, 0.0, row(0, 0, 0))
    assert (unchanged.low[0], unchanged.high[0], unchanged.error[0]) == (low, high, 10)


def six_operators(owner: Array | None = None) -> Weighted:
    """Four of six answered, in two classes of two: x 1, 3 and 2, 2, silent 4 and 8; weights 2, 1, 1, 1."""
    text = np.array(list("abcdef"), dtype=object)
    classes = np.array(["A", "A", "B", "B", "B", "B"], dtype=object)
    people = Operators(
        respondent=text,
        country=text,
        region=np.array(["EUR"] * 6, dtype=object),
        development=classes,
        size=np.array(["SMALL"] * 6, dtype=object),
        subscriptions=np.array([1.0, 3.0, 2.0, 2.0, 4.0, 8.0]),
        is_respondent=np.array([True] * 4 + [False] * 2),
        holding=text if owner is None else owner,
    )
    stratum = np.array([f"EUR|{name}|SMALL" for name in classes], dtype=object)
    index = (classes == "B").astype(int)
    return Weighted(people, stratum, index, np.array([[2.0, 1.0, 1.0, 1.0]]))


def test_the_variance_of_rates_by_hand() -> None:
    """Class A: u = 2 and 3, rates 8 and 3, ratio (16 + 9)/5 = 5: 2 x 0.6^2 + 3 x 0.4^2 = 1.2. Class B: u = 2
    and 2, rates 1 and 3, ratio 2: 2 x 0.5^2 x 2 = 1. Below: 2 x 3/5 + 3 x 2/5 + 2 x 1/2 x 2 = 4.4."""
    sample, x = six_operators(), np.array([1.0, 3.0, 2.0, 2.0])
    y = np.array([[8.0, 0.0], [9.0, 0.0], [2.0, 1.0], [6.0, 1.0]])
    variance, free = rates_variance(sample, x, y)
    assert variance.tolist() == pytest.approx([2.2 / 4.4, 0.0])
    assert free == pytest.approx(4.4**2 / (2 * 1.2**2 + 2))
    # The first of each class are of one owner, and count as one.
    owned = six_operators(np.array(list("abacde"), dtype=object))
    assert rates_variance(owned, x, y)[1] == pytest.approx(4.4**2 / ((1.2 + 1) ** 2 + 1.2**2 + 1))


def test_operators_of_an_owner_err_together_by_hand() -> None:
    """Two strata of four and two of them answered, rates -1, 1 and 2, 4 about their means: by operators each
    deviates by itself. Where the second and the fourth are of one owner, as are the first and the third, sums
    deviate twice as far: twice the variance."""
    text = np.array([str(place) for place in range(8)], dtype=object)
    answered = np.array([True, True, False, False] * 2)
    index = np.repeat([0, 1], 4)
    z = np.array([[-1.0], [1.0], [2.0], [4.0]])

    def variance(owner: Array) -> float:
        people = Operators(text, text, text, text, text, np.ones(8), answered, owner)
        return float(across_strata(weigh_deviations(Weighted(people, text, index, np.ones((1, 4))), z))[0])

    owned = text.copy()
    owned[[4, 5]] = ["0", "1"]
    # (1 - 2/4) x 2/(2 - 1) = 1 for each square.
    assert variance(text) == pytest.approx(4)
    assert variance(owned) == pytest.approx(8)


def test_leverage_lengthens_the_linearised_error_by_hand() -> None:
    """Four of eight answered, x 1, 2, 3 and 4, weights 2, ratio 2: residuals 1, -1, 1, -1, over 1 - x/10.
    Of these twice as much about its mean; squares times (1 - 4/8) x 4/3, and 40 known of 20."""
    text = np.array([str(place) for place in range(8)], dtype=object)
    x, answered = np.array([1.0, 2, 3, 4, 5, 5, 5, 5]), np.array([True] * 4 + [False] * 4)
    people = Operators(text, text, text, text, text, x, answered, text)
    sample = Weighted(people, text, np.zeros(8, dtype=int), np.full((1, 4), 2.0))
    y = np.array([[3.0], [3.0], [7.0], [7.0]])
    (variance,), _ = linearised_variance(sample, x[:4], y, np.ones(4, dtype=bool), 40.0, leverage=True)
    z = 2 * np.array([1 / 0.9, -1 / 0.8, 1 / 0.7, -1 / 0.6])
    assert variance == pytest.approx(2**2 * 0.5 * 4 / 3 * ((z - z.mean()) ** 2).sum())


def test_leverage_lengthens_an_error_tenfold_at_most() -> None:
    """One respondent has 97 of 100 subscriptions: its residual stands over 1 - 0.9."""
    text = np.array([str(place) for place in range(8)], dtype=object)
    x, answered = np.array([1.0, 1, 1, 97, 5, 5, 5, 5]), np.array([True] * 4 + [False] * 4)
    people = Operators(text, text, text, text, text, x, answered, text)
    sample = Weighted(people, text, np.zeros(8, dtype=int), np.full((1, 4), 2.0))
    y = np.array([[1.0], [2.0], [3.0], [94.0]])
    everyone = np.ones(4, dtype=bool)
    (longer,), _ = linearised_variance(sample, x[:4], y, everyone, 200.0, leverage=True)
    (plain,), _ = linearised_variance(sample, x[:4], y, everyone, 200.0, leverage=False)
    residuals = np.array([0.0, 1, 2, -3]), np.array([0, 1 / 0.99, 2 / 0.99, -3 / 0.1])
    assert longer / plain == pytest.approx(residuals[1].var() / residuals[0].var())


def test_the_concentration_by_hand() -> None:
    """All six: X = 20, sum of w x = 9, g = 40/9 and 20/9. Silent: 16 + 64. Class A: X = 4, sum of w x = 5, g
    = 8/5 and 4/5, nobody silent; with 10 known, 6 are of operators that nobody listed and g = 4 and 2."""
    member = np.array([[True] * 6, [True] * 2 + [False] * 4, [True] * 2 + [False] * 4])
    found = area_concentration(six_operators(), member, np.array([20.0, 4.0, 10.0]))
    whole = 80 + (31 / 9) ** 2 + (11 / 9) ** 2 * (3**2 + 2**2 + 2**2)
    assert found.tolist() == pytest.approx([whole / 400, (0.6**2 + 0.6**2) / 16, (36 + 9 + 9) / 100])
    # By owners: the silent ones are of one, those of class A of another, whose errors in the second area
    # cancel out.
    owner = np.array(["a", "a", "b", "c", "d", "d"], dtype=object)
    stands = np.array([[40 / 9, 60 / 9, 40 / 9, 40 / 9], [1.6, 2.4, 0, 0], [4, 6, 0, 0]])
    found = concentration_of(six_operators(owner), stands, member, np.array([20.0, 4.0, 10.0]))
    owned = 12**2 + (31 / 9 + 11 / 9 * 3) ** 2 + (11 / 9) ** 2 * (2**2 + 2**2)
    assert found.tolist() == pytest.approx([owned / 400, (0.6**2 + 0.6**2) / 16, (36 + 6**2) / 100])


def test_a_large_silent_operator_makes_a_figure_unreliable_though_the_others_are_alike() -> None:
    """A region of one class where one of twelve has 90% of the subscriptions and does not answer; elsewhere
    rates scatter. Where the largest did answer, little is open."""
    random = np.random.default_rng(3)
    near, far = 12, 60
    region = np.array(["AFR"] * near + ["EUR"] * far, dtype=object)
    x = np.concatenate([[9900.0], np.full(near - 1, 100.0), random.lognormal(5, 1, far)])
    y = x * np.concatenate([np.full(near, 10.0), random.lognormal(2, 0.8, far)])
    text = np.array([f"{place:02}" for place in range(near + far)], dtype=object)
    same = np.full(near + far, "X", dtype=object)
    member = (region == "AFR")[None, :]

    def cv_pct(silent: int) -> float:
        answered = np.arange(near + far) != silent
        answered[near + 30 :] = False
        people = Operators(text, text, region, same, same, x, answered, text)
        found = estimate_figures(
            weight_respondents(people, {}, 1, 50), y[answered][:, None], member, member @ x
        )
        return float(100 * found.error[0, 0] / found.estimate[0, 0])

    assert cv_band(cv_pct(0)) == "unreliable"
    assert cv_band(cv_pct(1)) == "acceptable"


def test_the_band_scales_what_was_not_reported() -> None:
    figures, reported = np.array([100.0, 50.0]), np.array([60.0, 60.0])
    found = [figure_at_factor(figures, reported, factor).tolist() for factor in (0.5, 0.75, 1.0, 1.5)]
    assert found == [[80.0, 50.0], [90.0, 50.0], [100.0, 50.0], [120.0, 50.0]]


@pytest.mark.parametrize(
    ("cv_pct", "band"),
    [(0, "acceptable"), (16.5, "acceptable"), (16.6, "caution"), (33.3, "caution"), (33.4, "unreliable")],
)
def test_bands_of_the_coefficient_of_variation(cv_pct: float, band: str) -> None:
    assert cv_band(cv_pct) == band


@given(st.integers(1, 12), st.floats(0.2, 6), st.integers(0, 2**32))
def test_nobody_stands_for_less_than_itself_and_the_rest_makes_the_total(
    count: int, scale: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    weights, x = random.uniform(0.1, 5, count), np.exp(random.normal(0, 2, count))
    known = scale * float(x.sum())
    found = floor_at_one(weights, x, known)
    assert (found >= 1).all()
    assert found @ x == pytest.approx(max(known, x.sum()))
    plain = weights * known / (weights @ x)
    if (plain >= 1).all():
        assert found == pytest.approx(plain)
