"""jobs.base.stats.prevalence: what a labelled sample says of a population whose truth is known."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.stats.prevalence import (
    Calls,
    IntervalEstimate,
    Quality,
    Stratum,
    allocate_sample,
    collapse_strata,
    draw_totals,
    estimate_part,
    estimate_quality,
    estimate_stratum,
    estimate_type,
)
from jobs.base.stats.prevalence_by_test import correct_calls, correct_prevalence, estimate_rate, rogan_gladen
from tests.support.examples import examples

# The guess that a sample is allotted by: what the filter blocked is mostly spam, what it passed mostly not.
SPREAD = {"blocked": 0.2, "tagged": 0.3, "undecided": 0.5, "passed": 0.2}
FLAGS = {"blocked": True, "tagged": True, "undecided": None, "passed": False}


@dataclass(frozen=True)
class Truth:
    """A month of mail as nobody knows it: strata with their units and the spam in them."""

    units: dict[tuple[str, str], int]
    spam: dict[tuple[str, str], int]

    @property
    def prevalence(self) -> float:
        return sum(self.spam.values()) / sum(self.units.values())

    @property
    def sensitivity(self) -> float:
        return self.of_call(self.spam, True) / sum(self.of_call(self.spam, flag) for flag in (True, False))

    @property
    def specificity(self) -> float:
        ham = {key: self.units[key] - self.spam[key] for key in self.units}
        return self.of_call(ham, False) / sum(self.of_call(ham, flag) for flag in (True, False))

    def of_call(self, counts: dict[tuple[str, str], int], flag: bool) -> int:
        return sum(count for (call, _), count in counts.items() if FLAGS[call] is flag)


def month(rng: np.random.Generator, units: int, prevalence: float, spam_score: float = 9.0) -> Truth:
    """Units with scores as a filter gives them: spam and the rest overlap, so the filter errs both ways.

    A few refusals are of an unknown measure, and no filter saw one in twenty units.
    """
    is_spam = rng.random(units) < prevalence
    score = np.where(is_spam, rng.normal(spam_score, 5, units), rng.normal(-1, 2.8, units))
    seen = rng.random(units) > 0.05
    call = np.where(seen, np.digitize(score, [6, 15]), 0)
    call = np.where(rng.random(units) < 0.003, 3, call)
    band = np.where(seen, np.digitize(score, [0, 4]), 3)
    is_typed = rng.random(units) < np.where(is_spam, 0.5, 0.08)
    cells = call * 8 + band * 2 + is_typed
    calls = ("passed", "tagged", "blocked", "undecided")
    names = {int(cell): (calls[cell // 8], f"{cell % 8}") for cell in np.unique(cells)}
    counts, of_spam = np.bincount(cells), np.bincount(cells, weights=is_spam)
    return Truth(
        {key: int(counts[cell]) for cell, key in names.items()},
        {key: int(of_spam[cell]) for cell, key in names.items()},
    )


def audited(rng: np.random.Generator, truth: Truth, size: int, least: int, response: float) -> list[Stratum]:
    """The strata as a person labelled a sample of them; some of it was not labelled."""
    keys = sorted(truth.units)
    drawn = allocate_sample([truth.units[key] for key in keys], [SPREAD[key[0]] for key in keys], size, least)
    strata = []
    for key, count in zip(keys, drawn, strict=True):
        labelled = int(rng.binomial(count, response))
        spam = int(rng.hypergeometric(truth.spam[key], truth.units[key] - truth.spam[key], labelled))
        call = key[0]
        strata.append(
            Stratum(f"EMAIL.{call}.{key[1]}", call, FLAGS[call], truth.units[key], count, labelled, spam)
        )
    return strata


def holds(figure: IntervalEstimate | None, value: float) -> bool:
    return figure is not None and figure.low <= value <= figure.high


@pytest.mark.long
@pytest.mark.parametrize(
    ("units", "prevalence", "size", "least", "response"),
    [
        (20_000, 0.45, 400, 10, 1.0),
        (20_000, 0.45, 200, 3, 0.8),
        (20_000, 0.05, 400, 10, 0.9),
        (1_500, 0.3, 300, 5, 1.0),
    ],
    ids=["half spam", "few labels, some missing", "little spam", "small month"],
)
def test_corrected_prevalence_covers_the_truth_in_90_of_100_seeds(
    units: int, prevalence: float, size: int, least: int, response: float
) -> None:
    names = ("prevalence", "sensitivity", "specificity", "as counted", "of flagged", "of passed")
    held = dict.fromkeys(names, 0)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        truth = month(rng, units, prevalence)
        strata = audited(rng, truth, size, least, response)
        assert truth.sensitivity < 0.9 and truth.specificity < 0.999
        found = estimate_quality(strata, f"seed {seed}")
        assert found is not None
        held["prevalence"] += holds(found.prevalence, truth.prevalence)
        held["sensitivity"] += holds(found.sensitivity, truth.sensitivity)
        held["specificity"] += holds(found.specificity, truth.specificity)
        for name, flag in (("flagged", True), ("passed", False)):
            of_spam, of_all = (truth.of_call(counts, flag) for counts in (truth.spam, truth.units))
            held[f"of {name}"] += holds(getattr(found.calls, name), of_spam / of_all)
        flagged = sum(each.units for each in strata if each.is_flagged)
        possible = flagged + sum(each.units for each in strata if each.is_flagged is None)
        held["as counted"] += flagged / units <= truth.prevalence <= possible / units
    print(held)
    assert held["prevalence"] >= 90
    assert min(held["sensitivity"], held["specificity"]) >= 85
    assert min(held["of flagged"], held["of passed"]) >= 90
    # What the filter itself flagged is no estimate of how much spam there was.
    assert held["as counted"] == 0


BANDS = ("lt0", "0to4", "ge4", "none")


def part_of(truth: Truth, band: int) -> Truth:
    """The strata of one band of the score."""
    inside = [key for key in truth.units if int(key[1]) // 2 == band]
    return Truth({key: truth.units[key] for key in inside}, {key: truth.spam[key] for key in inside})


@pytest.mark.long
def test_parts_of_a_channel_cover_their_truth() -> None:
    """Sensitivity and specificity by band of the score, against those of the month that was drawn from."""
    held: dict[str, list[bool]] = {}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        truth = month(rng, 20_000, 0.45)
        strata = audited(rng, truth, 800, 15, 0.9)
        for place, band in enumerate(BANDS):
            true = part_of(truth, place)
            inside = [each for each in strata if int(each.code[-1]) // 2 == place]
            found = estimate_part(inside, f"{seed}|{band}")
            if found is None:
                continue
            held.setdefault(f"{band} prevalence", []).append(holds(found.prevalence, true.prevalence))
            if found.sensitivity is not None:
                held.setdefault(f"{band} sensitivity", []).append(holds(found.sensitivity, true.sensitivity))
                held.setdefault(f"{band} specificity", []).append(holds(found.specificity, true.specificity))
    print({name: f"{sum(each)}/{len(each)}" for name, each in held.items()})
    assert all(sum(each) >= 0.9 * len(each) for each in held.values())
    # Below 6 points everything passes, and what no filter saw passes too: one call, no sensitivity.
    both = {name.split()[0] for name in held if "sensitivity" in name}
    assert "ge4" in both and len(held["ge4 sensitivity"]) >= 95


@pytest.mark.long
def test_types_cover_their_truth_and_add_up() -> None:
    """Spam of three types, drawn and labelled: how much there was of each, and how much of it was caught."""
    shares = {"PHISH.mail": 0.5, "AD.retail": 0.4, "FRAUD.romance": 0.1}
    held = {(name, what): 0 for name in shares for what in ("prevalence", "sensitivity")}
    told = dict.fromkeys(shares, 0)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        truth = month(rng, 20_000, 0.45)
        strata = audited(rng, truth, 600, 10, 0.9)
        of_types: dict[str, list[Stratum]] = {name: [] for name in shares}
        true: dict[str, dict[tuple[str, str], int]] = {name: {} for name in shares}
        for each in strata:
            key = (each.call, each.code[-1])
            there = rng.multinomial(truth.spam[key], list(shares.values()))
            labelled = rng.multivariate_hypergeometric(there, each.spam)
            for name, count, label in zip(shares, there, labelled, strict=True):
                true[name][key] = int(count)
                of_types[name].append(dataclasses.replace(each, spam=int(label)))
        whole = estimate_quality(strata, "x")
        found = {name: estimate_type(of_types[name], f"{seed}|{name}") for name in shares}
        assert whole is not None and all(found.values())
        parts = [each.prevalence.value for each in found.values() if each is not None]
        assert sum(parts) == pytest.approx(whole.prevalence.value)
        for name, each in found.items():
            assert each is not None and each.specificity is None
            of = Truth(truth.units, true[name])
            held[name, "prevalence"] += holds(each.prevalence, of.prevalence)
            told[name] += each.sensitivity is not None
            held[name, "sensitivity"] += holds(each.sensitivity, of.sensitivity)
    print(held, told)
    assert all(held[name, "prevalence"] >= 90 for name in shares)
    assert all(held[name, "sensitivity"] >= 0.9 * told[name] for name in shares)


def test_too_few_labels_tell_nothing_of_a_part_or_a_type() -> None:
    blocked = Stratum("a", "blocked", True, 500, 20, 20, 18)
    passed = Stratum("b", "passed", False, 900, 5, 4, 1)
    assert estimate_part([blocked, passed], "x") is None
    enough = estimate_part([blocked, dataclasses.replace(passed, labelled=5)], "x")
    assert enough is not None and enough.sensitivity is not None and enough.specificity is not None
    # Four units that were all labelled are all there is to know.
    whole = estimate_part([blocked, Stratum("b", "passed", False, 4, 4, 4, 1)], "x")
    assert whole is not None and whole.sensitivity is not None
    # One call: how often it was right is the prevalence.
    alone = estimate_part([blocked], "x")
    assert alone is not None and (alone.sensitivity, alone.specificity) == (None, None)
    assert alone.prevalence.value == 0.9
    rare = [dataclasses.replace(blocked, spam=4), dataclasses.replace(passed, spam=0)]
    few = estimate_type(rare, "x")
    assert few is not None and few.sensitivity is None and few.prevalence.value == pytest.approx(100 / 1_400)
    five = estimate_type([dataclasses.replace(blocked, spam=5), rare[1]], "x")
    assert five is not None and five.sensitivity is not None
    nobody = estimate_type([blocked, Stratum("c", "undecided", None, 30, 2, 0, 0)], "x")
    assert nobody is None


@pytest.mark.parametrize(
    "strata",
    [
        [
            Stratum("a", "blocked", True, 8_000, 400, 400, 380),
            Stratum("b", "passed", False, 30_000, 900, 900, 90),
            Stratum("c", "passed", False, 1_000, 800, 800, 300),
        ],
        # Four fifths are known: what is left varies by the fifth.
        [Stratum("c", "passed", False, 1_000, 800, 800, 300)],
    ],
    ids=["three strata", "most of one"],
)
def test_the_interval_is_as_wide_as_the_variance_of_a_stratified_sample_says(strata: list[Stratum]) -> None:
    variance = sum(
        each.units**2 * (1 - each.labelled / each.units) * rate * (1 - rate) / (each.labelled - 1)
        for each in strata
        for rate in [each.spam / each.labelled]
    )
    found = estimate_quality(strata, "x")
    assert found is not None
    width = (found.prevalence.high - found.prevalence.low) * sum(each.units for each in strata)
    assert width == pytest.approx(2 * 1.96 * variance**0.5, rel=0.06)
    _, drawn = draw_totals(collapse_strata(strata), np.random.default_rng(1))
    assert drawn.sum(axis=1).std() == pytest.approx(variance**0.5, rel=0.05)


def test_worked_by_hand() -> None:
    strata = [
        Stratum("blocked", "blocked", True, 100, 100, 100, 90),
        Stratum("passed", "passed", False, 300, 300, 300, 30),
        Stratum("undecided", "undecided", None, 100, 100, 100, 50),
    ]
    found = estimate_quality(strata, "x")
    # 170 of 500; of 120 spam whose flag is known 90 were caught; of 280 others 270 were let pass.
    exact = [IntervalEstimate(each, each, each) for each in (170 / 500, 90 / 120, 270 / 280)]
    calls = Calls(
        IntervalEstimate(0.9, 0.9, 0.9), IntervalEstimate(0.5, 0.5, 0.5), IntervalEstimate(0.1, 0.1, 0.1)
    )
    assert found == Quality(*exact, least=170 / 500, most=170 / 500, calls=calls)


def test_few_labels_vary_by_one_less_than_they_are() -> None:
    """Two of four are spam, of 1,000: (1 - 4/1000) x 0.5 x 0.5 / (4 - 1)."""
    cells = [Stratum("a", "passed", False, 1000, 4, 4, 2)]
    _, drawn = draw_totals(cells, np.random.default_rng(1))
    assert (drawn / 1000).var() == pytest.approx(0.996 * 0.25 / 3, rel=0.06)


def test_labels_are_drawn_again_from_a_rate_smoothed_by_two_and_by_one_of_either_kind() -> None:
    """Two labels of the group's rate, (4 + 0.5) / (8 + 1), and one of either kind, of which the first stratum
    has a quarter as it has a quarter of the units: (0 + 1 + 0.25) / (4 + 2 + 0.5)."""
    cells = [Stratum("a", "passed", False, 1000, 4, 4, 0), Stratum("b", "passed", False, 3000, 4, 4, 4)]
    _, drawn = draw_totals(cells, np.random.default_rng(1))
    # Where no spam is drawn again the deviation is the smoothed rate alone.
    scale = (0.996 * 4 / 3) ** 0.5
    assert drawn[:, 0].min() / 1000 == pytest.approx(-scale * 1.25 / 6.5)


def test_no_spam_among_the_labels_is_not_no_spam() -> None:
    strata = [
        Stratum("a", "blocked", True, 5_000, 50, 50, 50),
        Stratum("b", "passed", False, 100_000, 100, 100, 0),
    ]
    found = estimate_quality(strata, "x")
    assert found is not None and found.sensitivity is not None
    assert found.prevalence.value == pytest.approx(5_000 / 105_000)
    assert found.prevalence.high > 5_900 / 105_000
    assert found.sensitivity.value == 1 and found.sensitivity.low < 0.9


def test_what_nobody_labelled_may_be_all_spam_or_none() -> None:
    strata = [
        Stratum("a", "blocked", True, 100, 100, 100, 100),
        Stratum("b", "undecided", None, 20, 10, 0, 0),
        Stratum("c", "passed", False, 80, 80, 80, 0),
    ]
    found = estimate_quality(strata, "x")
    assert found is not None
    assert found.prevalence == IntervalEstimate(110 / 200, 100 / 200, 120 / 200)
    assert (found.least, found.most) == (100 / 200, 120 / 200)
    assert found.sensitivity == IntervalEstimate(1, 1, 1)
    assert found.calls == Calls(
        IntervalEstimate(1, 1, 1), IntervalEstimate(0.5, 0, 1), IntervalEstimate(0, 0, 0)
    )
    assert estimate_quality([dataclasses.replace(each, labelled=0, spam=0) for each in strata], "x") is None


def test_a_stratum_of_one_label_goes_with_its_neighbour() -> None:
    strata = [
        Stratum("a", "passed", False, 10, 1, 1, 0),
        Stratum("b", "passed", False, 20, 5, 5, 1),
        Stratum("c", "passed", False, 30, 5, 0, 0),
        Stratum("d", "blocked", True, 1, 1, 1, 1),
    ]
    assert [(each.code, each.units, each.labelled) for each in collapse_strata(strata)] == [
        ("d", 1, 1),
        ("a+b+c", 60, 6),
    ]
    two = [dataclasses.replace(strata[0], sampled=2, labelled=2), strata[1]]
    assert [each.code for each in collapse_strata(two)] == ["a", "b"]


@st.composite
def samples(draw: st.DrawFn) -> list[Stratum]:
    strata = []
    for place in range(draw(st.integers(1, 8))):
        call = draw(st.sampled_from(sorted(FLAGS)))
        units = draw(st.integers(1, 50_000))
        sampled = draw(st.integers(0, min(units, 60)))
        labelled = draw(st.integers(0, sampled))
        spam = draw(st.integers(0, labelled))
        strata.append(Stratum(f"s{place}", call, FLAGS[call], units, sampled, labelled, spam))
    return strata


@examples(40)
@given(samples(), st.randoms(use_true_random=False))
def test_estimates_stay_inside_what_is_known_and_order_changes_nothing(strata: list[Stratum], random) -> None:  # type: ignore[no-untyped-def]
    found = estimate_quality(strata, "x")
    shuffled = list(strata)
    random.shuffle(shuffled)
    assert estimate_quality(shuffled, "x") == found
    if found is None:
        assert not any(each.labelled for each in strata)
        return
    for each in (found.prevalence, found.sensitivity, found.specificity):
        if each is not None:
            assert 0 <= each.low <= each.value <= each.high <= 1
    units = sum(each.units for each in strata)
    spam = sum(each.spam for each in strata)
    calls = {True: found.calls.flagged, None: found.calls.undecided, False: found.calls.passed}
    of_calls = 0.0
    for flag, one in calls.items():
        cells = [each for each in strata if each.is_flagged is flag]
        here = sum(each.units for each in cells)
        assert (one is None) == (here == 0)
        if one is not None:
            labels = sum(each.labelled for each in cells), sum(each.spam for each in cells)
            assert labels[1] / here <= one.low + 1e-9 and one.low <= one.value <= one.high
            assert one.high - 1e-9 <= (here - labels[0] + labels[1]) / here
            of_calls += here * one.value
    # What the calls hold adds up to what the channel holds.
    assert of_calls == pytest.approx(units * found.prevalence.value)
    clean = sum(each.labelled - each.spam for each in strata)
    slack = 1e-9
    assert spam / units - slack <= found.prevalence.low
    assert found.prevalence.high <= (units - clean) / units + slack
    assert -slack <= found.least <= found.most <= 1 + slack
    # Strata that are put together hold all units, labels and spam.
    cells = collapse_strata(strata)
    for name in ("units", "sampled", "labelled", "spam"):
        assert sum(getattr(cell, name) for cell in cells) == sum(getattr(each, name) for each in strata)


@examples(40)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(FLAGS)), st.integers(1, 500), st.floats(0, 1)),
        min_size=1,
        max_size=6,
    )
)
def test_a_census_gives_the_exact_truth_without_width(cells: list[tuple[str, int, float]]) -> None:
    strata = [
        Stratum(f"s{place}", call, FLAGS[call], units, units, units, round(units * rate))
        for place, (call, units, rate) in enumerate(cells)
    ]
    found = estimate_quality(strata, "x")
    assert found is not None
    truth = sum(each.spam for each in strata) / sum(each.units for each in strata)
    assert [found.prevalence.low, found.prevalence.high, found.least, found.most] == pytest.approx(
        [truth] * 4
    )
    for each in (found.sensitivity, found.specificity):
        assert each is None or each.high - each.low < 1e-9
    for one in strata:
        alone = estimate_stratum(one, "x")
        assert alone is not None and alone.high - alone.low < 1e-9


def test_a_stratum_alone_covers_its_truth() -> None:
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        spam = int(rng.integers(0, 400))
        labelled = int(rng.hypergeometric(spam, 400 - spam, 12))
        held += holds(
            estimate_stratum(Stratum("a", "passed", False, 400, 12, 12, labelled), str(seed)), spam / 400
        )
    assert held >= 180


# --- allocation -------------------------------------------------------------------------------------------


@examples(100)
@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.floats(0.05, 0.5)), min_size=1, max_size=12),
    st.integers(1, 2_000),
    st.integers(0, 30),
)
def test_an_allocation_adds_up_and_keeps_its_minimum(
    cells: list[tuple[int, float]], size: int, least: int
) -> None:
    units, spread = [each[0] for each in cells], [each[1] for each in cells]
    given_ = allocate_sample(units, spread, size, least)
    floor = [min(each, least) for each in units]
    assert all(low <= count <= whole for low, count, whole in zip(floor, given_, units, strict=True))
    assert sum(given_) == max(sum(floor), min(size, sum(units)))


def test_the_larger_and_the_less_certain_stratum_gets_more() -> None:
    assert allocate_sample([1_000, 9_000, 9_000, 4], [0.2, 0.2, 0.4, 0.5], 290, 5) == [10, 92, 184, 4]
    assert allocate_sample([10, 10], [0.5, 0.5], 100, 5) == [10, 10]
    assert allocate_sample([1_000, 1_000], [0.5, 0.5], 7, 5) == [5, 5]


# --- Rogan and Gladen -------------------------------------------------------------------------------------


@given(st.floats(0, 1), st.floats(0.55, 1), st.floats(0.5, 1))
def test_the_correction_undoes_what_a_filter_does(
    truth: float, sensitivity: float, specificity: float
) -> None:
    apparent = truth * sensitivity + (1 - truth) * (1 - specificity)
    value, is_cut = rogan_gladen(apparent, sensitivity, specificity)
    assert value == pytest.approx(truth, abs=1e-9)
    assert not is_cut


def test_the_correction_by_hand() -> None:
    # Of 1,000 units 300 are spam; 0.9 of them and 0.02 of the others are flagged: 284.
    assert rogan_gladen(0.284, 0.9, 0.98) == (pytest.approx(0.3), False)
    # Fewer are flagged than the filter flags by mistake alone: cut to none, and said so.
    assert rogan_gladen(0.01, 0.9, 0.98) == (0.0, True)
    assert rogan_gladen(0.95, 0.9, 0.98) == (1.0, True)
    # A float's rounding is no cut.
    for value, is_cut in ((1 + 5e-10, False), (1 + 2e-9, True), (-5e-10, False), (-2e-9, True)):
        assert rogan_gladen(value, 1.0, 1.0) == (round(value), is_cut)
    with pytest.raises(ValueError, match="more than 1"):
        rogan_gladen(0.5, 0.4, 0.6)


@given(
    st.tuples(*[st.floats(0, 1)] * 2), st.tuples(st.integers(10, 400), st.integers(10, 400)), st.floats(0, 1)
)
@examples(60)
def test_what_a_test_says_of_calls_adds_up(
    ends: tuple[float, float], tested: tuple[int, int], error: float
) -> None:
    low, high = sorted(ends)
    spam, ham = (
        (tested[0], tested[0] - int(tested[0] * error * 0.4)),
        (tested[1], int(tested[1] * error * 0.4)),
    )
    found, is_cut = correct_prevalence((low, high), spam, ham, "x")
    calls = correct_calls((low, high), spam, ham, "x")
    shares = [(low, calls.flagged), (high - low, calls.undecided), (1 - high, calls.passed)]
    for size, each in shares:
        assert (each is None) == (size == 0)
        assert each is None or 0 <= each.low <= each.value <= each.high <= 1
    if not is_cut:
        value = sum(size * each.value for size, each in shares if each is not None)
        assert value == pytest.approx(found.value, abs=1e-6)


def test_what_a_test_says_of_calls_by_hand() -> None:
    # Of 1,000 units 300 are spam: 270 of the 284 that are flagged, 30 of the 716 that pass.
    found = correct_calls((0.284, 0.284), (100, 90), (100, 2), "x")
    assert found.undecided is None and found.flagged is not None and found.passed is not None
    assert (found.flagged.value, found.passed.value) == (
        pytest.approx(270 / 284),
        pytest.approx(30 / 716),
    )
    # What the test leaves open of the flagged is what it says of false alarms.
    better = correct_calls((0.284, 0.284), (10_000, 9_000), (10_000, 200), "x")
    assert better.flagged is not None and better.flagged.low > found.flagged.low
    undecided = correct_calls((0.2, 0.4), (100, 90), (100, 2), "x").undecided
    assert undecided is not None and (undecided.low, undecided.high) == (0, 1)


def test_a_correction_covers_the_truth_for_tests_of_any_chance() -> None:
    held, plain = 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        sensitivity, specificity, truth = (
            rng.uniform(0.8, 0.97),
            rng.uniform(0.97, 0.999),
            rng.uniform(0.1, 0.8),
        )
        apparent = truth * sensitivity + (1 - truth) * (1 - specificity)
        spam = (300, int(rng.binomial(300, sensitivity)))
        ham = (500, int(rng.binomial(500, 1 - specificity)))
        found, _ = correct_prevalence((apparent, apparent), spam, ham, str(seed))
        held += holds(found, truth)
        plain += abs(apparent - truth) < 0.001
    assert held >= 180
    assert plain < 20


@pytest.mark.long
def test_a_correction_covers_the_truth_of_generated_months() -> None:
    """The filter of a month, tested on other mail of its kind: 300 spam and 600 others, drawn apart."""
    held = {"corrected": 0, "as counted": 0, "True": 0, "False": 0}
    for seed in range(100):
        rng = np.random.default_rng(1_000 + seed)
        prevalence = float(rng.uniform(0.05, 0.7))
        truth, elsewhere = month(rng, 20_000, prevalence), month(rng, 20_000, 0.5)
        tested = []
        for tag, size in (("spam", 300), ("ham", 600)):
            of_kind = {
                key: elsewhere.spam[key] if tag == "spam" else elsewhere.units[key] - elsewhere.spam[key]
                for key in elsewhere.units
            }
            drawn = rng.multivariate_hypergeometric(list(of_kind.values()), size)
            flags = [FLAGS[call] is True for call, _ in of_kind]
            tested.append((size, int(drawn[flags].sum())))
        ends = [
            sum(count for (call, _), count in truth.units.items() if FLAGS[call] in among) / 20_000
            for among in ((True,), (True, None))
        ]
        found, _ = correct_prevalence((ends[0], ends[1]), tested[0], tested[1], str(seed))
        calls = correct_calls((ends[0], ends[1]), tested[0], tested[1], str(seed))
        for flag, call in ((True, calls.flagged), (False, calls.passed)):
            there = truth.of_call(truth.units, flag)
            held[f"{flag}"] += holds(call, truth.of_call(truth.spam, flag) / there)
        held["corrected"] += holds(found, truth.prevalence)
        held["as counted"] += ends[0] <= truth.prevalence <= ends[1]
    print(held)
    assert min(held["corrected"], held["True"], held["False"]) >= 90
    assert held["as counted"] < 10


def test_what_logs_cannot_decide_widens_a_correction() -> None:
    narrow, _ = correct_prevalence((0.4, 0.4), (1_000, 900), (1_000, 10), "x")
    wide, _ = correct_prevalence((0.35, 0.45), (1_000, 900), (1_000, 10), "x")
    assert wide.low < narrow.low and narrow.high < wide.high
    assert wide.value == pytest.approx(narrow.value)
    # A test of so few that the filter may tell nothing leaves everything open.
    nothing, _ = correct_prevalence((0.4, 0.4), (3, 2), (3, 1), "x")
    assert (nothing.low, nothing.high) == (0, 1)
    rate = estimate_rate((1_000, 900), "x", "spam")
    assert rate.value == 0.9 and 0.87 < rate.low < 0.9 < rate.high < 0.93
