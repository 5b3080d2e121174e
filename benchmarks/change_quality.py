"""Coverage of intervals of changes: how often they hold the truth, on the made-up membership in two periods.

`benchmarks/estimation_quality.py` calls it and writes what it finds to docs/estimates.md. Each operator's
spam grows or falls by its own factor, operators of one owner partly together; a few close and a few start.
Samples differ in who answers: of those that answered once most answer again. The change is estimated as the
study does, from those that answered in both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from jobs.base.stats.change import MatchedPeriod, estimate_change
from jobs.base.stats.estimation import (
    Array,
    Operators,
    Weighted,
    collapse_strata,
    draw_holdings,
    seed_of,
    weight_by_factors,
    weight_respondents,
)
from jobs.base.stats.intervals import estimate_figures
from sample_data.membership import SEED, Population, answering, holdings, population
from tests.base.stats.test_estimation import DRAWN, groups_of, operators

CHANGE_TITLE = "## Change from matched respondents"
HEAD = """
## Change from matched respondents

E-mail and text messages in two periods, {samples} samples for each setting. Each operator's spam changes by
a factor of its own, whose logarithm has a mean of 0.05 and a standard deviation of {own}, and one of
{shared} that operators of a holding share; {gone:.0f}% of small operators close and others start. Of those
that answered {again:.0f}% answer again, and of the others {late:.0f}% do. `bias` is the mean estimated change
over the true one of all operators together, `interval` how often the 95% interval contains it, `width` the
interval's width, `apart` that of the change between two estimates from all respondents of each period, if
they are taken to be independent. In the last two settings who grew more answers again more, or less, often
(the log-odds change by one for each unit of the logarithm of growth): the interval does not include it.

The least developed countries' e-mail is below 95% because one operator of this membership has {share:.0f}% of
their spam, which fell by a third while others' grew. `largest matched` and `largest not` are the samples in
which it answered twice, and the others: no interval from other operators can know of it.
"""
OTHERS = """
{count} other memberships, drawn in the same way, {samples} samples each, who answers again does not depend on
growth: mean coverage, and in brackets the lowest and the highest.

| area | e-mail | SMS |
|---|--:|--:|
"""
OWN, SHARED, GONE = 0.25, 0.15, 0.03
AGAIN, LATE = 0.85, 0.15
SETTINGS = (
    ("who answers again does not depend on growth", 0.0),
    ("who grew more answers again more", 1.0),
    ("who grew more answers again less", -1.0),
)
AREAS = ("WORLD", "six regions", "LDC")


@dataclass(frozen=True)
class TwoPeriods:
    """A membership in two periods.

    Attributes:
        spam, exists: of both, in this order.
        holding: of each operator.
    """

    people: Population
    spam: tuple[Array, Array]
    exists: tuple[Array, Array]
    holding: Array


def matched_population(channel: str, seed: int = SEED) -> TwoPeriods:
    people, random = population(channel, seed), np.random.default_rng([SEED, *b"change"])
    holding = np.array(holdings(people, random), dtype=object)
    shared = {name: random.normal(0, SHARED) for name in sorted(set(holding))}
    growth = random.normal(0.05, OWN, len(holding)) + np.array([shared[name] for name in holding])
    fate = random.random(len(holding))
    is_small = people.size == "SMALL"
    exists = (~(is_small & (fate > 1 - GONE)), ~(is_small & (fate < GONE)))
    return TwoPeriods(people, (people.spam, people.spam * np.exp(growth)), exists, holding)


@dataclass(frozen=True)
class SimulatedChange:
    """The world, the six regions and the least developed countries: bias, coverage, width and width without
    the covariance, in percent.

    Attributes:
        is_hit: samples x areas.
        has_largest: the samples in which the least developed countries' largest operator answered twice.
    """

    bias_pct: Array
    coverage_pct: Array
    width_pct: Array
    apart_pct: Array
    is_hit: Array
    has_largest: Array


def simulate_change(
    of: TwoPeriods, samples: int, selective: float, has_apart: bool = True
) -> SimulatedChange:
    """Draw who answers again and again, and estimate the change each time.

    Args:
        has_apart: also by two estimates that have nothing in common, which takes most of the time.
    """
    people = of.people
    groups = groups_of(people)
    regions = [people.region == name for name in sorted(set(people.region))]
    inside = np.array([np.ones(len(people.spam), dtype=bool), *regions, groups["LDC"]])
    truth = (inside @ (of.spam[1] * of.exists[1])) / (inside @ (of.spam[0] * of.exists[0]))
    log_growth = np.log(of.spam[1] / of.spam[0])
    random = np.random.default_rng(20261129)
    largest = largest_operator(of, groups["LDC"])
    ratios, hits, widths, apart, has_largest = [], [], [], [], []
    for number in range(samples):
        first = answering(people, random, 0.0) & of.exists[0]
        odds = np.log(np.where(first, AGAIN / (1 - AGAIN), LATE / (1 - LATE)))
        chance = 1 / (1 + np.exp(-odds - selective * (log_growth - log_growth.mean())))
        second = (random.random(len(first)) < chance) & of.exists[1]
        both = first & second
        seed = seed_of("change", str(number))
        frames = [operators_of(of, both, exists) for exists in of.exists]
        later = frames[1]
        owner = later.operators.holding
        drawn = draw_holdings(later.index, owner, later.operators.is_respondent, DRAWN, seed)
        factors = np.ones((DRAWN, len(both)))
        factors[:, of.exists[1]] = drawn
        periods = [
            MatchedPeriod(
                weight_by_factors(
                    frame, {name: each[exists] for name, each in groups.items()}, factors[:, exists]
                ),
                spam[both][:, None],
                inside[:, exists],
                inside[:, exists] @ people.subscriptions[exists],
            )
            for frame, exists, spam in zip(frames, of.exists, of.spam, strict=True)
        ]
        found = estimate_change(*periods)
        low, high = found.low[:, 0], found.high[:, 0]
        ratios.append(found.ratio[:, 0])
        hits.append((low <= truth) & (truth <= high))
        widths.append((high - low) / truth)
        has_largest.append(both[largest])
        if has_apart:
            apart.append(independent_width(of, (first, second), groups, inside, seed))
    return SimulatedChange(
        100 * (np.mean(ratios, axis=0) / truth - 1),
        100 * np.mean(hits, axis=0),
        100 * np.mean(widths, axis=0),
        100 * np.mean(apart, axis=0) if has_apart else np.full(len(truth), np.nan),
        np.array(hits),
        np.array(has_largest),
    )


def largest_operator(of: TwoPeriods, member: Array) -> int:
    """The place of the operator with most spam in the earlier period, of a group's."""
    return int(np.argmax(of.spam[0] * of.exists[0] * member))


def operators_of(of: TwoPeriods, answered: Array, exists: Array) -> Weighted:
    """The operators that exist, in their strata, without weights."""
    everyone = replace(operators(of.people, answered), holding=of.holding)
    kept = Operators(*(getattr(everyone, name)[exists] for name in Operators.__dataclass_fields__))
    stratum = collapse_strata(kept.region, kept.development, kept.size, kept.is_respondent)
    index = np.unique(stratum.astype(str), return_inverse=True)[1]
    return Weighted(kept, stratum, index, np.empty((0, 0)))


def independent_width(
    of: TwoPeriods, answered: tuple[Array, Array], groups: dict[str, Array], inside: Array, seed: int
) -> Array:
    """The width of the interval of a ratio of two estimates that have nothing in common."""
    squares, ratio = np.zeros(len(inside)), np.ones(len(inside))
    for number, (sent, exists, spam) in enumerate(zip(answered, of.exists, of.spam, strict=True)):
        people = operators_of(of, sent, exists).operators
        of_groups = {name: each[exists] for name, each in groups.items()}
        sample = weight_respondents(people, of_groups, seed + number, DRAWN)
        known = inside[:, exists] @ people.subscriptions
        found = estimate_figures(sample, spam[sent][:, None], inside[:, exists], known)
        squares += np.log(found.high[:, 0] / found.estimate[:, 0]) ** 2
        ratio = found.estimate[:, 0] / ratio
    reach = np.sqrt(squares)
    found_width: Array = np.exp(reach) - np.exp(-reach)
    return found_width


def describe_change(samples: int) -> str:
    """The section of docs/estimates.md."""
    of_mail = matched_population("EMAIL")
    least_developed = groups_of(of_mail.people)["LDC"]
    spam = of_mail.spam[0] * of_mail.exists[0] * least_developed
    share = 100 * float(spam[largest_operator(of_mail, least_developed)] / spam.sum())
    found = HEAD.format(
        samples=samples, own=OWN, shared=SHARED, gone=100 * GONE, again=100 * AGAIN, late=100 * LATE,
        share=share,
    )  # fmt: skip
    for channel, name in (("EMAIL", "E-mail"), ("SMS", "SMS")):
        for title, selective in SETTINGS:
            each = simulate_change(matched_population(channel), samples, selective)
            found += f"\n{name}, {title}:\n\n| area | bias | interval | width | apart |\n"
            found += "|---|--:|--:|--:|--:|\n"
            for area, places in zip(AREAS, ([0], range(1, 7), [7]), strict=True):
                of = [
                    float(np.nanmean(values[list(places)]))
                    for values in (each.bias_pct, each.coverage_pct, each.width_pct, each.apart_pct)
                ]
                found += f"| {area} | {of[0]:+.1f}% | {of[1]:.1f}% | {of[2]:.0f}% | {of[3]:.0f}% |\n"
            for kind, chosen in (("matched", each.has_largest), ("not", ~each.has_largest)):
                of_those = 100 * each.is_hit[chosen, -1].mean()
                found += f"| LDC, largest {kind}: {chosen.sum()} samples | | {of_those:.1f}% | | |\n"
    return found + describe_others(samples // 3)


def describe_others(samples: int, count: int = 10) -> str:
    """Coverage in memberships of other operators, subscriptions and rates."""
    coverage = {
        channel: np.array(
            [
                simulate_change(matched_population(channel, seed), samples, 0.0, False).coverage_pct
                for seed in range(1, count + 1)
            ]
        )
        for channel in ("EMAIL", "SMS")
    }
    found = OTHERS.format(count=count, samples=samples)
    for area, places in zip(AREAS, ([0], range(1, 7), [7]), strict=True):
        of_area = [np.nanmean(each[:, list(places)], axis=1) for each in coverage.values()]
        cells = (f"{each.mean():.1f}% ({each.min():.0f}–{each.max():.0f})" for each in of_area)
        found += f"| {area} | {' | '.join(cells)} |\n"
    return found
