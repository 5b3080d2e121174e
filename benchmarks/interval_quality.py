"""Coverage of a release's intervals: how often they hold the truth, on made-up memberships.

    python -m benchmarks.estimation_quality --intervals       writes a section of docs/estimates.md

A release's interval follows from K of an area's frame and who answered, and from v, one number of a series,
rounded up (jobs/study/public/intervals.py). Memberships each have their own sizes, operators and rates; a
country's volumes count that may leave: three respondents with half of its subscriptions, and not all.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.cost_quality import NAMES, cost_membership, draw_sample, drawn_costs
from jobs.base.figures.areas import COUNTRY, HALVES, WORLD, are_in_area
from jobs.base.stats.estimation import REPLICATES, Array, seed_of
from jobs.study.estimates.steps.area_rows import public_factors, public_terms
from jobs.study.estimates.steps.sample import Sample
from jobs.study.public.intervals import reach_of
from sample_data.membership import RESPONSE, SAMPLE, Population, World
from tests.support.memberships import (
    AREAS,
    corrected_samples,
    sample_of_people,
    spam_samples,
    spending_of,
)

INTERVALS_TITLE = "## Intervals of a release"
FEW = {"SMALL": 0.1, "MEDIUM": 0.2, "LARGE": 0.35}
MANY = {"SMALL": 0.7, "MEDIUM": 0.8, "LARGE": 0.95}
REVERSED = {"SMALL": 0.6, "MEDIUM": 0.4, "LARGE": 0.3}
# Memberships of a setting; more of those whose intervals are nearest to too short, fewer of what takes long.
MEMBERSHIPS, MORE, FEWER = 60, 150, 20
LARGE = 0.3
KINDS = ("world", "region", "group", "country", "large", "AFR")
Row = Mapping[str, object]


@dataclass(frozen=True)
class Drawn:
    """One sample: who there is, what each has of the figure, and rows of areas with a release's terms."""

    people: Population
    figure: Array
    rows: Iterable[Row]


Draw = Callable[[Iterable[int], int], Iterator[Drawn]]


def terms_of(sample: Sample, y: Array, measure: int = 0) -> Iterator[Row]:
    """Of each area the columns of a row that a release's interval rests on.

    Args:
        y: of estimate_areas().
    """
    own = y[0] if y.ndim == 3 else y
    shown = {name: float(values[measure]) for name, values in public_terms(sample, y).items()}
    of_series = {name: None if np.isnan(value) else value for name, value in shown.items()}
    estimates = sample.coefficients @ own[:, measure]
    people, factors = sample.weighted.operators, public_factors(sample, y)
    inside = sample.member & people.is_respondent
    for at, area in enumerate(sample.areas):
        yield of_series | {
            "area_code": area.code,
            "area_kind_code": area.kind,
            "estimate": estimates[at],
            "area_factor": factors[at],
            "respondent_count": inside[at].sum(),
            "coverage_pct": 100 * people.subscriptions[inside[at]].sum() / sample.known[at],
        }


def volumes_drawn(
    channel: str, world: World, response: Mapping[str, float], seeds: Iterable[int], samples: int
) -> Iterator[Drawn]:
    for people, _, sample, y, _ in spam_samples(channel, seeds, samples, world, response, replicates=0):
        yield Drawn(people, people.spam, terms_of(sample, y))


def corrected_drawn(channel: str, seeds: Iterable[int], samples: int) -> Iterator[Drawn]:
    for people, _, sample, told, _, spam in corrected_samples(channel, seeds, samples, replicates=0):
        yield Drawn(people, spam, terms_of(sample, told.y))


def spending_drawn(channel: str, seeds: Iterable[int], samples: int) -> Iterator[Drawn]:
    for seed in seeds:
        found_of, people, spent = spending_of(channel, seed)
        for rows in found_of(samples):
            yield Drawn(people, spent, (row for row in rows if row["area_kind_code"] != COUNTRY))


def cost_drawn(channel: str, name: str, seeds: Iterable[int], samples: int) -> Iterator[Drawn]:
    for seed in seeds:
        of, random = cost_membership(channel, seed), np.random.default_rng(seed)
        for number in range(samples):
            found = draw_sample(of, random)
            key = seed_of("cost", channel, str(seed), str(number))
            y = drawn_costs(of, found, key, REPLICATES, np.random.default_rng(key))
            sample = sample_of_people(of.people, found.sent, 0, "cost", channel, str(seed), str(number))
            at = NAMES.index(name)
            rows = (row for row in terms_of(sample, y, at) if row["area_kind_code"] != COUNTRY)
            yield Drawn(of.people, found.true[:, at], rows)


def spam(channel: str = "EMAIL", world: World = SAMPLE, response: Mapping[str, float] = RESPONSE) -> Draw:
    return partial(volumes_drawn, channel, world, response)


# What a reader sees first, what is drawn, how many memberships.
SETTINGS: tuple[tuple[str, Draw, int], ...] = (
    ("e-mail", spam(), MEMBERSHIPS),
    ("SMS", spam("SMS"), MEMBERSHIPS),
    ("spread of rates 0.4", spam(world=World(spread=0.4)), MEMBERSHIPS),
    ("spread of rates 1.2", spam(world=World(spread=1.2)), MEMBERSHIPS),
    ("countries differ by 0.5", spam(world=World(alike=0.5)), MEMBERSHIPS),
    ("rates fall with size", spam(world=World(by_size=-0.15)), MEMBERSHIPS),
    ("countries' sizes spread by 2.2", spam(world=World(sizes=2.2)), MEMBERSHIPS),
    ("gamma distribution of rates", spam(world=World(has_gamma=True)), MEMBERSHIPS),
    ("35, 20 and 10% answer", spam(response=FEW), MEMBERSHIPS),
    ("95, 80 and 70% answer", spam(response=MANY), MEMBERSHIPS),
    ("30, 40 and 60% answer", spam(response=REVERSED), MEMBERSHIPS),
    ("e-mail, corrected", partial(corrected_drawn, "EMAIL"), FEWER),
    ("SMS, corrected", partial(corrected_drawn, "SMS"), FEWER),
    ("spending, e-mail", partial(spending_drawn, "EMAIL"), FEWER),
    ("marginal cost, e-mail", partial(cost_drawn, "EMAIL", "marginal"), FEWER),
    ("total cost, e-mail", partial(cost_drawn, "EMAIL", "total"), FEWER),
    ("marginal cost, SMS", partial(cost_drawn, "SMS", "marginal"), FEWER),
    ("total cost, SMS", partial(cost_drawn, "SMS", "total"), FEWER),
    ("rates rise with size", spam(world=World(by_size=0.15)), MORE),
    ("a dozen owners of 40% of large ones", spam(world=World(owned=0.4)), MORE),
    ("Pareto rates of index 1.5", spam(world=World(pareto=1.5)), MORE),
    ("Africa has twice the spread", spam(world=World(uneven=2.0)), MORE),
)

TEXT = """
## Intervals of a release

A release's intervals are not the study's own: each is made of its area's public factor and of one number
for the whole series ([decision 175](decisions/0175-intervals-of-a-release-are-public-terms.md)). How often
they contain the truth where answers do not depend on spam, and their mean width (the logarithm of the upper
end over the lower), by `python -m benchmarks.estimation_quality --intervals`: {samples} samples of each of
{memberships} memberships whose sizes, operators and rates are drawn anew, of {few} for money and corrected
spam, of {more} in the last four rows; certain spam by e-mail where nothing else is said. `large` are
regions, groups and countries of which one operator has more than 30%, of subscriptions or of the figure;
countries are those whose rows may leave and whose operators did not all answer: of money none. `above` and
`below` are regions whose truth is above the interval, and below it.

An interval's upper arm is 1.3 times as long as t says, the lower one 0.9 times. Rates have a long tail
upwards: a sample without the few operators that have most shows too little, and too small a variance. An
area's factor counts operators or their owners, whichever gives more.

Intervals are still too short where rates have tails that few respondents show (Pareto), and in a region whose
rates differ more than all others': an interval that included this would bound what its operators contributed.
Of cells that the study itself finds more than twice as uncertain as this, 1.5% of all, 69% contained the
truth (measured once, with arms of one length).

Corrected spam and money take v from the world's total, with what was imputed, over the world's factor; to all
factors a hundredth of the squares of respondents' shares is added, since their own figures are imputed, too.
Prices err for all operators alike, which is no matter of an area's factor, so that intervals of marginal
cost, and of total cost where most is marginal, are far too wide for regions and groups. In this table
subscriptions are right and no days are missing; [other cases](#subscriptions-owners-and-days) are below.

| figure and membership | world | regions | groups | countries | large | Africa | above | below |
|---|--:|--:|--:|--:|--:|--:|--:|--:|"""

OF_HALVES = """
Developing and developed countries by themselves, {each} samples of each of {memberships} memberships:

| figure and membership | developing | developed |
|---|--:|--:|"""


@dataclass
class Tally:
    """Intervals of areas: how often the truth is above and below, and their width on the logarithm's
    scale."""

    above: list[bool]
    below: list[bool]
    width: list[float]

    @property
    def held(self) -> float:
        """Of the intervals those that contain the truth, in percent."""
        return 100 - 100 * float(np.mean(self.above) + np.mean(self.below))

    @property
    def shown(self) -> str:
        return f"{self.held:.1f}%, {np.mean(self.width):.2f}" if self.width else "–"


def simulate(draw: Draw, memberships: int, samples: int) -> dict[str, Tally]:
    """By kind of area; `large` of areas but the world of which one operator has more than 30%, of
    subscriptions or of the figure; Africa and the halves of the world by themselves."""
    found: dict[str, Tally] = defaultdict(lambda: Tally([], [], []))
    member: dict[str, Array] = {}
    seen: Population | None = None
    for each in draw(range(memberships), samples):
        if each.people is not seen:
            seen = each.people
            country = seen.country.astype(str)
            member = {area.code: are_in_area(area, country) for area in AREAS}
        truth = {code: float(each.figure[inside].sum()) for code, inside in member.items()}
        for row in each.rows:
            code, kind = str(row["area_code"]), str(row["area_kind_code"])
            covered, estimate, factor, variance, freedom = (
                float(str(row[name]))
                for name in ("coverage_pct", "estimate", "area_factor", "rates_variance", "rates_freedom")
            )
            is_open = int(str(row["respondent_count"])) >= 3 and covered >= 50
            if covered > 100 - 1e-7 or (kind == COUNTRY and not is_open):
                continue
            down, up = reach_of(factor * variance, freedom)
            of_each = (each.people.subscriptions[member[code]], each.figure[member[code]])
            is_large = code != WORLD and max(float(of.max() / of.sum()) for of in of_each) > LARGE
            for name in (kind, code * (code in ("AFR", *HALVES)), "large" * is_large):
                found[name].above.append(truth[code] > estimate * up)
                found[name].below.append(truth[code] < estimate / down)
                found[name].width.append(float(np.log(up * down)))
    return found


def describe_intervals(samples: int) -> str:
    """The section of docs/estimates.md, of so many samples for each row."""
    each = max(samples // MEMBERSHIPS, 1)
    lines = [TEXT.format(memberships=MEMBERSHIPS, more=MORE, few=FEWER, samples=each)]
    halves = [OF_HALVES.format(each=each, memberships=MEMBERSHIPS)]
    for title, draw, memberships in SETTINGS:
        found = simulate(draw, memberships, each)
        regions = found["region"]
        cells = [
            *(found[kind].shown for kind in KINDS),
            f"{100 * np.mean(regions.above):.1f}%",
            f"{100 * np.mean(regions.below):.1f}%",
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
        if memberships == MEMBERSHIPS:
            halves.append(f"| {title} | {' | '.join(found[half].shown for half in HALVES)} |")
        print(lines[-1], flush=True)
    return "\n".join([*lines, *halves]) + "\n"
