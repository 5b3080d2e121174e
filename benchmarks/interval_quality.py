"""How often the intervals of a release hold the truth, on made-up memberships.

    python -m benchmarks.estimation_quality --intervals       writes a section of docs/estimates.md

A release's interval is estimate · exp(-/+ t √(K v)): K of an area's frame and who answered, v one number of a
series, rounded up (jobs/study/public/intervals.py). Certain spam of a channel, in memberships that each have
their own sizes, operators and rates; a country counts that may leave: three respondents with half of its
subscriptions, and not all.
"""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from jobs.base.figures.areas import COUNTRY, WORLD
from jobs.study.estimates.steps.area_rows import public_terms
from jobs.study.public.intervals import reach_of
from sample_data.membership import RESPONSE, SAMPLE, World
from tests.support.memberships import spam_samples

INTERVALS_TITLE = "## Intervals of a release"
FEW = {"SMALL": 0.1, "MEDIUM": 0.2, "LARGE": 0.35}
MANY = {"SMALL": 0.7, "MEDIUM": 0.8, "LARGE": 0.95}
REVERSED = {"SMALL": 0.6, "MEDIUM": 0.4, "LARGE": 0.3}
MEMBERSHIPS = 60
LARGE = 0.3
KINDS = ("world", "region", "group", "country", "large", "AFR")
# What a reader sees first, channel, membership, who answers.
SETTINGS = (
    ("e-mail", "EMAIL", SAMPLE, RESPONSE),
    ("SMS", "SMS", SAMPLE, RESPONSE),
    ("spread of rates 0.4", "EMAIL", World(spread=0.4), RESPONSE),
    ("spread of rates 1.2", "EMAIL", World(spread=1.2), RESPONSE),
    ("countries differ by 0.5", "EMAIL", World(alike=0.5), RESPONSE),
    ("rates fall with size", "EMAIL", World(by_size=-0.15), RESPONSE),
    ("rates rise with size", "EMAIL", World(by_size=0.15), RESPONSE),
    ("countries' sizes spread by 2.2", "EMAIL", World(sizes=2.2), RESPONSE),
    ("gamma distribution of rates", "EMAIL", World(has_gamma=True), RESPONSE),
    ("35, 20 and 10% answer", "EMAIL", SAMPLE, FEW),
    ("95, 80 and 70% answer", "EMAIL", SAMPLE, MANY),
    ("30, 40 and 60% answer", "EMAIL", SAMPLE, REVERSED),
    ("Pareto rates of index 1.5", "EMAIL", World(pareto=1.5), RESPONSE),
    ("Africa has twice the spread", "EMAIL", World(uneven=2.0), RESPONSE),
)

TEXT = """
## Intervals of a release

A release's intervals are not the study's own: each is made of its area's public factor and of one number
for the whole series ([decision 175](decisions/0175-intervals-of-a-release-are-public-terms.md)). How often
they contain the truth where answers do not depend on spam, and their mean width (the logarithm of the upper
end over the lower), by `python -m benchmarks.estimation_quality --intervals`: in each row {memberships}
memberships whose sizes, operators and rates are drawn anew, {samples} samples each; e-mail where nothing
else is said. `large` are regions, groups and countries of which one operator has more than 30%, of
subscriptions or spam; countries are those whose rows may leave and whose operators did not all answer.

They are too short where rates have tails that few respondents show (Pareto), and in a region whose rates
differ more than all others': the one number cannot know of it, and an interval that did would bound what its
operators contributed. Of cells that the study itself finds more than twice as uncertain as this, 1.5% of all,
69% contain the truth (measured once, on 30 November 2026, before countries' factors were multiplied by 1.6).
Spending, cost and corrected spam are not simulated here.

| membership | world | regions | groups | countries | large | Africa |
|---|--:|--:|--:|--:|--:|--:|"""

Tally = dict[str, list[tuple[bool, float]]]


def simulate(
    channel: str, world: World, response: Mapping[str, float], memberships: int, samples: int
) -> Tally:
    """By kind of area for each interval whether it held the truth, and its width on the scale of the
    logarithm; `large` of areas but the world of which one operator has more than 30%, of subscriptions or
    spam; `AFR` by itself."""
    found: Tally = defaultdict(list)
    for people, answered, sample, y, truth in spam_samples(
        channel, range(memberships), samples, world, response, replicates=0
    ):
        terms = {name: float(str(values[0])) for name, values in public_terms(sample, y).items()}
        estimates = sample.coefficients @ y[:, 0]
        covered = sample.member[:, answered] @ people.subscriptions[answered] / sample.known
        for at, area in enumerate(sample.areas):
            inside = sample.member[at]
            is_open = (inside & answered).sum() >= 3 and covered[at] >= 0.5
            if covered[at] > 1 - 1e-9 or (area.kind == COUNTRY and not is_open):
                continue
            reach = reach_of(sample.factors[at], terms["rates_variance"], terms["rates_freedom"])
            largest = max(
                float(of[inside].max() / of[inside].sum()) for of in (people.subscriptions, people.spam)
            )
            held = estimates[at] / reach <= truth[area.code] <= estimates[at] * reach
            kinds = [area.kind, area.code if area.code == "AFR" else ""]
            for kind in [*kinds, "large" if largest > LARGE and area.code != WORLD else ""]:
                found[kind].append((bool(held), 2 * float(np.log(reach))))
    return found


def describe_intervals(samples: int) -> str:
    """The section of docs/estimates.md, of so many samples for each row."""
    each = max(samples // MEMBERSHIPS, 1)
    lines = [TEXT.format(memberships=MEMBERSHIPS, samples=each)]
    for title, channel, world, response in SETTINGS:
        found = simulate(channel, world, response, MEMBERSHIPS, each)
        cells = []
        for kind in KINDS:
            held, width = np.mean(found[kind], axis=0)
            cells.append(f"{100 * held:.1f}%, {width:.2f}")
        lines.append(f"| {title} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"
