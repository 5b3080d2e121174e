"""Coverage of a release's intervals of changes: how often they hold the truth, beside the study's own.

    python -m benchmarks.estimation_quality --changes       writes a section of docs/estimates.md

A release's interval follows from the published changes of regions and each area's factor
(jobs/study/public/change_intervals.py); the study's own from how its respondents differ. Memberships each
have their own sizes, operators, rates and growth; the truth is the change of the whole traffic of an area.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from benchmarks.change_quality import AGAIN, GONE, OWN, SHARED
from benchmarks.inexact_quality import COUNTRIES, lost_days, with_large
from benchmarks.interval_quality import FEW, LARGE, MANY, Tally
from jobs.base.figures.areas import REGION, WORLD, are_in_area
from jobs.base.stats.change import ChangeTable, MatchedPeriod, estimate_change
from jobs.base.stats.estimation import Array, Operators, seed_of
from jobs.study.disclosure.coarse import coarsen_digits
from jobs.study.estimates.steps.sample import Denominator, Sample, Stated, select_areas, weigh_operators
from jobs.study.estimates.volume_change import add_days, draw_together
from jobs.study.public.change_intervals import ROUNDING, change_ends, growth_variance
from sample_data.membership import RESPONSE, SAMPLE, Population, World, answering, holdings, population
from tests.base.stats.test_estimation import DRAWN

CHANGES_TITLE = "## Intervals of changes in a release"
MEMBERSHIPS = 60
KINDS = ("world", "region", "group", "large")
RELEASE, STUDY = "release", "own"
# How many times as much spam who has a burst has in the later period.
BURST = 5


@dataclass(frozen=True)
class Growing:
    """Model of operators' growth.

    Attributes:
        own, shared: standard deviations of the logarithm of growth, of each and of each owner.
        region: of each region.
        reverts: the share of the logarithm of a rate that lasts, the rest is drawn anew.
        burst: the share of operators with BURST times as much.
        has_busy: days without logs are the busiest ones.
        largest: the share of the world's subscriptions that one operator has.
    """

    channel: str = "EMAIL"
    own: float = OWN
    shared: float = SHARED
    region: float = 0.0
    reverts: float = 1.0
    burst: float = 0.0
    has_busy: bool = False
    largest: float | None = None
    world: World = SAMPLE
    response: Mapping[str, float] = field(default_factory=lambda: RESPONSE)


SETTINGS: tuple[tuple[str, Growing], ...] = (
    ("as the sample", Growing()),
    ("SMS", Growing(channel="SMS")),
    ("Pareto rates of index 1.5", Growing(world=World(pareto=1.5))),
    ("a dozen owners of 40% of large ones", Growing(world=World(owned=0.4))),
    ("one operator has 30%", Growing(largest=LARGE)),
    ("busy days missing", Growing(has_busy=True)),
    ("35, 20 and 10% answer", Growing(response=FEW)),
    ("95, 80 and 70% answer", Growing(response=MANY)),
    ("growth differs by 0.1", Growing(own=0.1, shared=0.05)),
    ("growth differs by 0.6", Growing(own=0.6, shared=0.3)),
    ("half of each rate is drawn anew", Growing(reverts=0.5)),
    ("5% have five times as much", Growing(burst=0.05)),
    ("regions differ by 0.2", Growing(region=0.2)),
)

TEXT = """
## Intervals of changes in a release

A release's interval of a change is of the growth of an area's whole traffic, and is a function of published
figures alone ([how it is made](disclosure.md#changes)): how much growth differs between operators is taken
from how much the changes of regions differ, with each area's public factor among those that answered twice.
The study's own (`own`) sees how its respondents differ. By `python -m benchmarks.estimation_quality
--changes`: {samples} sample(s) of each of {memberships} memberships, certain spam by e-mail where nothing
else is said; the share of 95% intervals that hold the truth, and their mean width (the logarithm of the upper
end over the lower). Growth differs as [above](#change-from-matched-respondents): 0.25 for each operator and
0.15 for each owner. `large` are regions and groups of which one operator has more than 30%, of subscriptions
or of spam; `above` and `below` are regions whose truth is above the interval, and below it. Changes of
countries do not leave.

A release's are wider, for two reasons: six regions show less of how growth differs than some hundred
operators (Student's t of five degrees is 2.57 in place of about 2), and the public factor is the larger of
two. Where regions grow differently in truth that is taken for error, and they are far too wide: a reader sees
too few rises and falls, not too many.

Where fewer than three regions have a change, as in the demo's release, `rates_variance` of the later period's
volumes stands in for it, with the public factor among those that answered twice: a correlation of one half
between both periods' errors. Measured once in these settings, of 80 memberships, two samples each, that held
in 95 to 100% of the world, 96 to 100% of regions and groups, and 91 to 100% of those that one operator
dominates, with a mean width of the world's of 0.35 as the sample is and 0.33 where growth differs by 0.1.

| membership | intervals | world | regions | groups | large | above | below |
|---|---|--:|--:|--:|--:|--:|--:|"""


@dataclass(frozen=True)
class TwoPeriods:
    """A membership in two periods.

    Attributes:
        owner: of each operator.
        spam, exists: of the earlier and the later.
    """

    people: Population
    owner: Array
    spam: tuple[Array, Array]
    exists: tuple[Array, Array]


def draw_membership(of: Growing, seed: int) -> TwoPeriods:
    people, random = population(of.channel, seed, of.world), np.random.default_rng([seed, *b"growth"])
    if of.largest is not None:
        people = with_large(people, of.largest)
    owner = people.holding if of.world.owned else np.array(holdings(people, random), dtype=object)
    count = len(people.spam)
    growth = random.normal(0.05, of.own, count)
    for whose, spread in ((owner, of.shared), (people.region, of.region)):
        place = np.unique(whose.astype(str), return_inverse=True)[1]
        growth += random.normal(0, spread, place.max() + 1)[place]
    rate = np.log(np.maximum(people.spam, 1) / people.subscriptions)
    anew = random.normal(0, np.sqrt(1 - of.reverts**2) * rate.std(), count)
    growth += (of.reverts - 1) * (rate - rate.mean()) + anew
    growth += np.where(random.random(count) < of.burst, np.log(BURST), 0.0)
    fate, is_small = random.random(count), people.size == "SMALL"
    exists = (~(is_small & (fate > 1 - GONE)), ~(is_small & (fate < GONE)))
    return TwoPeriods(people, owner, (people.spam, people.spam * np.exp(growth)), exists)


def answer_twice(of: TwoPeriods, response: Mapping[str, float], random: np.random.Generator) -> Array:
    """Who answers in both periods. Operators that answer together do so again."""
    first = answering(of.people, random, response=response)
    place = np.unique(of.people.holding.astype(str), return_index=True, return_inverse=True)
    drawn = random.random(len(first))[place[1]][place[2]]
    found: Array = first & (drawn < AGAIN) & of.exists[0] & of.exists[1]
    return found


def matched_sample(of: TwoPeriods, period: int, both: Array, missing: Array, seed: int) -> Sample:
    """The operators of a period, of whom those answered that did so twice."""
    there = of.exists[period]
    names = ("respondent", "country", "region", "development", "size", "subscriptions")
    respondent, country, region, development, size, x = (getattr(of.people, name)[there] for name in names)
    known = {name: Denominator(float(x[country == name].sum())) for name in sorted(set(country))}
    operators = Operators(respondent, country, region, development, size, x, both[there], of.owner[there])
    return weigh_operators(operators, Stated(known, np.zeros(len(x)), missing), COUNTRIES, seed, 0)


def estimate_twice(
    of: TwoPeriods, both: Array, has_busy: bool, random: np.random.Generator, seed: int
) -> tuple[tuple[Sample, Sample], ChangeTable]:
    """The samples of both periods, of areas with respondents enough, and what the study estimates."""
    samples, counted = [], []
    for period, spam in enumerate(of.spam):
        none = np.zeros(both.sum())
        lost, missing = lost_days(len(none), random) if has_busy else (none, none)
        samples.append(matched_sample(of, period, both, missing, seed))
        counted.append((spam[both] * (1 - lost) / (1 - missing))[:, None])
    enough = [
        {area.code for area, is_enough in zip(each.areas, each.ratio_mask, strict=True) if is_enough}
        for each in samples
    ]
    codes = [area.code for area in samples[1].areas if area.code in enough[0] & enough[1]]
    earlier, later = (select_areas(each, codes) for each in draw_together(*samples, seed, DRAWN))
    before, after = (
        MatchedPeriod(each.weighted, y, each.member, each.known)
        for each, y in zip((earlier, later), counted, strict=True)
    )
    days = earlier.days_variance + later.days_variance
    return (earlier, later), add_days(estimate_change(before, after), days)


def public_ends(samples: tuple[Sample, Sample], found: ChangeTable) -> list[tuple[float, float]]:
    """The ends that a release has, of figures with three digits, as ratios."""
    factors = np.mean([each.factors for each in samples], axis=0)
    days = np.sum([each.days_variance for each in samples], axis=0)
    before, after = (
        np.array([coarsen_digits(float(value), 3) for value in each[:, 0]])
        for each in (found.before, found.after)
    )
    ratios = after / before
    regions = [place for place, area in enumerate(samples[1].areas) if area.kind == REGION]
    variance = growth_variance(ratios[regions].tolist(), factors[regions].tolist())
    squared = factors * variance + days + ROUNDING
    ends = [change_ends(*each, len(regions) - 1) for each in zip(ratios, squared, strict=True)]
    return [(1 + low / 100, 1 + high / 100) for low, high in ends]


def simulate_changes(of: Growing, memberships: int, samples: int) -> dict[tuple[str, str], Tally]:
    """By whose intervals and kind of area; `large` of areas but the world of which one operator has more than
    30%, of subscriptions or of spam."""
    found: dict[tuple[str, str], Tally] = defaultdict(lambda: Tally([], [], []))
    for seed in range(memberships):
        drawn, random = draw_membership(of, seed), np.random.default_rng(seed)
        country = drawn.people.country.astype(str)
        spam = [each * there for each, there in zip(drawn.spam, drawn.exists, strict=True)]
        for number in range(samples):
            both = answer_twice(drawn, of.response, random)
            key = seed_of("growth", str(seed), str(number))
            pair, own = estimate_twice(drawn, both, of.has_busy, random, key)
            public = public_ends(pair, own)
            for place, area in enumerate(pair[1].areas):
                inside = are_in_area(area, country)
                true = spam[1][inside].sum() / spam[0][inside].sum()
                of_each = (drawn.people.subscriptions[inside], spam[0][inside])
                is_large = area.code != WORLD and max(float(of.max() / of.sum()) for of in of_each) > LARGE
                ends = {RELEASE: public[place], STUDY: (own.low[place, 0], own.high[place, 0])}
                for whose, (low, high) in ends.items():
                    for kind in (area.kind, "large" * is_large):
                        found[whose, kind].above.append(true > high)
                        found[whose, kind].below.append(true < low)
                        found[whose, kind].width.append(float(np.log(high / max(low, 1e-3))))
    return found


def describe_changes(samples: int) -> str:
    """The section of docs/estimates.md, of so many samples for each row."""
    each = max(samples // MEMBERSHIPS, 1)
    lines = [TEXT.format(samples=each, memberships=MEMBERSHIPS)]
    for title, of in SETTINGS:
        found = simulate_changes(of, MEMBERSHIPS, each)
        for whose in (RELEASE, STUDY):
            regions = found[whose, REGION]
            cells = [
                *(found[whose, kind].shown for kind in KINDS),
                f"{100 * np.mean(regions.above):.1f}%",
                f"{100 * np.mean(regions.below):.1f}%",
            ]
            lines.append(f"| {title} | {whose} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"
