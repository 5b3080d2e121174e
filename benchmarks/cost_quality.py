"""Coverage of intervals of measured cost: how often they hold the truth, on the made-up membership.

`benchmarks/estimation_quality.py` calls it and writes what it finds to docs/estimates.md. Samples differ in
who answers, who sends costs and who states what is fixed, and in where true prices and figures lie within
operators' own points: prices at one place for all, each operator's figures at a place of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobs.base.figures.words import TOTAL
from jobs.base.stats.estimation import Array, seed_of, weight_respondents
from jobs.base.stats.intervals import estimate_figures
from jobs.base.stats.sampling import Z95
from jobs.study.estimates.countermeasure_cost import draw_costs, impute_fixed
from jobs.study.estimates.respondent_cost import SEVERAL, GivenCosts
from sample_data.costs import OWN_FIGURES, SEND, STATE, TOGETHER, SampleCosts
from sample_data.membership import SEED, YEAR, Population, answering, population, prices, volumes
from tests.base.stats.test_estimation import DRAWN, groups_of, operators

COST_TITLE = "## Measured cost"
HEAD = """
## Measured cost

What countermeasures cost to run in a quarter, {samples} samples for each setting. Of the respondents
{send:.0f}% send costs, and of these 40 to 60% state what is fixed, more of the large ones. In each sample the
true prices lie somewhere within operators' points, at one place for all, and each operator's own figures at
one of its own. `bias` is the mean estimate over the mean truth, minus one; `interval` how often the 95%
interval contains the truth; `apart` how often it would if prices erred for each operator by themselves, which
is why the study draws them together. The settings after the first are not in the interval, as for volumes. In
the last, who states a fixed cost depends on it: operators that pay e times as much for a subscription as
others of their size are e times as likely to state it.
"""
# The setting; how answering depends on spam, and stating a fixed cost on how high it is.
SETTINGS = (
    ("who answers does not depend on spam", 0.0, 0.0),
    ("operators with more spam answer more", 0.5, 0.0),
    ("operators with more spam answer less", -0.5, 0.0),
    ("operators with higher fixed costs state them more", 0.0, 1.0),
)
NAMES = ("marginal", "stated", "total")


@dataclass(frozen=True)
class SimulatedCost:
    """The world, the six regions and the least developed countries x NAMES: bias and coverage in percent; and
    of the world's marginal cost the coverage if prices erred for each operator."""

    bias_pct: Array
    coverage_pct: Array
    apart_pct: float


@dataclass(frozen=True)
class CostMembership:
    """A membership with its costs.

    Attributes:
        whole: each operator's mean marginal and fixed cost.
        level: whether its country's wages are above the median.
        share: how many of its size state what is fixed.
        dear: the logarithm of its fixed cost for each subscription, from the mean of its size.
    """

    people: Population
    whole: Array
    level: Array
    share: Array
    dear: Array


@dataclass(frozen=True)
class CostSample:
    """One sample of a membership.

    Attributes:
        sent: who sent costs.
        stated: who of them what is fixed.
        true: of all operators by NAMES.
    """

    sent: Array
    stated: Array
    true: Array


def cost_membership(channel: str, seed: int = SEED) -> CostMembership:
    people = population(channel, seed)
    price = prices(np.random.default_rng(seed))
    given = volumes(people, channel, np.random.default_rng(seed))
    whole = sum(SampleCosts(people, channel, given, price, int(YEAR), seed).means.values())
    assert isinstance(whole, np.ndarray)
    of_country = [price[name, int(YEAR)] for name in people.country]
    wage = np.array([(each.wage or 0.0) / each.market for each in of_country])
    level = np.where(wage > np.median(wage), "high", "low").astype(object)
    dear = np.log(whole[:, 1] / people.subscriptions)
    for size in set(people.size):
        dear[people.size == size] -= dear[people.size == size].mean()
    return CostMembership(people, whole, level, np.array([STATE[size] for size in people.size]), dear)


def draw_sample(
    of: CostMembership, random: np.random.Generator, selective: float = 0.0, stating: float = 0.0
) -> CostSample:
    """Who sends costs, and where truth lies within each operator's points.

    Args:
        stating: how the chance of stating a fixed cost rises with it.
    """
    sent = answering(of.people, random, selective) & (random.random(len(of.whole)) < SEND)
    states = random.random(len(sent)) < of.share * np.exp(stating * of.dear)
    alike = np.full(len(sent), random.standard_normal())
    places = np.stack([alike, random.standard_normal(len(sent))], axis=1)
    deviation = np.array([TOGETHER, OWN_FIGURES])
    true = of.whole * np.exp(deviation * places - deviation**2 / 2)
    own_fixed = np.where(states, true[:, 1], 0.0)
    each = np.stack([true[:, 0], true[:, 0] + own_fixed, true.sum(axis=1)], axis=1)
    return CostSample(sent, states[sent], each)


def drawn_costs(
    of: CostMembership, found: CostSample, seed: int, replicates: int, draws: np.random.Generator
) -> Array:
    """Return the study's estimate of a sample's costs and its replicates x respondents x NAMES."""
    sent, stated = found.sent, found.stated
    own = given_costs(of.whole[sent] * np.stack([np.ones(len(stated)), stated], axis=1), stated)
    drawn = np.concatenate([own.means[None], draw_costs(own, seed, replicates)])[:, :, 0]
    size = of.people.size[sent]
    both = [f"{one}|{other}" for one, other in zip(size, of.level[sent], strict=True)]
    cells = [np.array(both, dtype=object), size, np.full(len(size), "", dtype=object)]
    imputed = impute_fixed(drawn[..., 1:], stated, of.people.subscriptions[sent], cells, draws)[..., 0]
    together = drawn.sum(axis=-1)
    return np.stack([drawn[..., 0], together, together + imputed], axis=-1)


def simulate_cost(channel: str, samples: int, selective: float, stating: float) -> SimulatedCost:
    of = cost_membership(channel)
    people, whole = of.people, of.whole
    groups = groups_of(people)
    regions = [people.region == name for name in sorted(set(people.region))]
    member = np.array([np.ones(len(people.spam), dtype=bool), *regions, groups["LDC"]])
    known = member @ people.subscriptions
    random = np.random.default_rng(20261129)
    fixed = np.stack([np.zeros_like(of.share), of.share, np.ones_like(of.share)], axis=1) * whole[:, 1:]
    expected = member @ (whole[:, :1] + fixed)
    estimates, hits, apart = [], [], []
    for number in range(samples):
        given = draw_sample(of, random, selective, stating)
        truth = member @ given.true
        seed = seed_of("cost", channel, str(number))
        sample = weight_respondents(operators(people, given.sent), groups, seed, DRAWN)
        draws = np.random.default_rng(seed)
        y = drawn_costs(of, given, seed, DRAWN, draws)
        least = np.zeros_like(y[0])
        found = estimate_figures(sample, y, member, known, least, float(given.stated.sum() - 1))
        estimates.append(found.estimate)
        hits.append((found.low <= truth) & (truth <= found.high))
        alone = y[:, :, :1].copy()
        alone[1:] = draws.permuted(alone[1:], axis=0)
        other = estimate_figures(sample, alone, member[:1], known[:1], least[:, :1], float(DRAWN - 1))
        apart.append(other.low[0, 0] <= truth[0, 0] <= other.high[0, 0])
    return SimulatedCost(
        100 * (np.mean(estimates, axis=0) / expected - 1),
        100 * np.mean(hits, axis=0),
        float(100 * np.mean(apart)),
    )


def given_costs(means: Array, stated: Array) -> GivenCosts:
    """Costs of all strategies together, with points of lognormal distributions.

    Args:
        means: operators x (marginal, fixed).
    """
    deviation = np.array([TOGETHER, OWN_FIGURES])
    median = means / np.exp(deviation**2 / 2)
    points = np.stack([median * np.exp(end * deviation) for end in (-Z95, 0.0, Z95)], axis=-1)
    several = np.zeros_like(means)
    return GivenCosts(
        (TOTAL, SEVERAL),
        pl.DataFrame(),
        np.stack([means, several], axis=1),
        np.stack([points, np.zeros_like(points)], axis=1)[..., None, :],
        stated,
        {},
    )


def show_cost(channel: str, found: Sequence[SimulatedCost]) -> str:
    lines = [f"\n### {channel}, cost"]
    for (title, *_), each in zip(SETTINGS, found, strict=True):
        lines += [
            f"\n{title[0].upper()}{title[1:]}:\n",
            "| cost | world: bias | interval | apart | regions: bias | interval | LDC: bias | interval |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        for at, name in enumerate(NAMES):
            bias, held = each.bias_pct[:, at], each.coverage_pct[:, at]
            cells = [
                f"{bias[0]:+.1f}%", f"{held[0]:.1f}%",
                f"{each.apart_pct:.1f}%" if name == "marginal" else "",
                f"{bias[1:7].mean():+.1f}%", f"{held[1:7].mean():.1f}%",
                f"{bias[7]:+.1f}%", f"{held[7]:.1f}%",
            ]  # fmt: skip
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def describe_cost(samples: int) -> str:
    """The section of docs/estimates.md."""
    parts = [HEAD.format(samples=samples, send=100 * SEND).rstrip()]
    for channel in ("EMAIL", "SMS"):
        parts.append(show_cost(channel, [simulate_cost(channel, samples, *each) for _, *each in SETTINGS]))
    return "\n".join(parts) + "\n"
