"""Coverage of intervals where subscriptions, owners and days differ from those that the estimator has.

python -m benchmarks.estimation_quality --inexact       writes a section of docs/estimates.md
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.interval_quality import LARGE, Tally
from jobs.base.figures.areas import COUNTRY
from jobs.base.stats.estimation import Array, Operators, seed_of
from jobs.study.estimates.steps.area_rows import estimate_areas
from jobs.study.estimates.steps.sample import Denominator, Sample, Stated, weigh_operators
from jobs.study.public.intervals import KNOWN_ERRORS, reach_of
from sample_data.membership import SAMPLE, Population, World, answering, countries, population
from tests.support.memberships import BANDS, FEW, of_areas

INEXACT_TITLE = "## Subscriptions, owners and days"
CHANNEL, MEMBERSHIPS, SAMPLES = "EMAIL", 60, 2
KINDS = ("world", "region", "group", *BANDS)
# Whose intervals: a release's, a release's without the terms of this section, and the study's own.
RELEASE, WITHOUT, OWN = "release", "without", "own"
# Of respondents those whose logs lack days, 1 to 9 of a quarter's 90; the spread of days' logarithm.
LACKING, MOST_DAYS, DAYS, OF_DAYS = 0.5, 9, 90, 0.4
COUNTRIES = countries()


@dataclass(frozen=True)
class Inexact:
    """own, shared: standard deviations of the logarithm of subscriptions that a study states; off: how many
    times as far off they are. has_busy: days without logs are an operator's busiest. largest: the share of
    the world's subscriptions that one operator has."""

    own: float = 0.0
    shared: float = 0.0
    off: float = 1.0
    has_busy: bool = False
    largest: float | None = None
    world: World = SAMPLE


SETTINGS: tuple[tuple[str, Inexact], ...] = (
    ("as the sample", Inexact()),
    ("one operator has 30%", Inexact(largest=LARGE)),
    ("a dozen owners of 40% of large ones", Inexact(world=World(owned=0.4))),
    ("subscriptions off as stated", Inexact(own=0.2, shared=0.1)),
    ("off by twice what is stated", Inexact(own=0.2, shared=0.1, off=2.0)),
    ("busy days missing", Inexact(has_busy=True)),
)

TEXT = """
## Subscriptions, owners and days

Estimates are rates times subscriptions. Official statistics count SIM cards and no mailboxes, so a study
states in `denominator.csv` how wrong its subscriptions may be, or takes them as exact, and its outputs say
which. Of a figure's squared coefficient of variation `subscriptions_variance` is due to them, and
`days_variance` to scaling months with missing days. An error that countries of one source share does not
average out over them; errors of their own do. Both are part of a release's intervals and of the study's own
(`own`), for which holdings are drawn, not operators.

Running cost and spending have both, as volumes have. A change by matched respondents has no error of
subscriptions, since both totals are in proportion to the same ones; each period lacks days of its own, so
intervals of a change have both periods' `days_variance`. Need and spending grow alike with subscriptions, so
a gap errs in proportion to itself. Mirror tables hold what two sides counted, scaled by nothing. Shares and
unit costs are of two estimates and have no interval.

Certain spam by e-mail, who answers does not depend on spam: {memberships} memberships for each row,
{samples} sample(s) of each; the share of 95% intervals that hold the truth, and their mean width (the
logarithm of the upper end over the lower). `without` is a release's interval without these two terms: how
much of a width is due to them. Countries are those whose rows may leave, by the band of the interval of that
row: rows of one membership do not hold the same countries. Subscriptions are off as stated with a standard
deviation of 20% for each country by itself and 10% for all together, so in nine of ten cases by less than a
factor of 1.39, and of 1.18: more than in the guide's examples. Where busy days are missing, half of the
respondents' logs lack 1 to 9 days of {days}, their busiest; days' logarithms have a standard deviation of
{of_days}.

Where subscriptions are off by twice what is stated, intervals are too short: no column shows it. If in doubt,
state more. That a missing day errs by as much as a day has is a judgement, and so is what a study states
without a source. Countries' rates are taken to be alike in how the errors of their subscriptions add up.

| membership | intervals | world | regions | groups | acceptable | caution | unreliable |
|---|---|--:|--:|--:|--:|--:|--:|"""


def inexact_samples(
    of: Inexact, memberships: int, samples: int
) -> Iterator[tuple[Sample, Array, dict[str, float]]]:
    """So many samples of each membership: the sample, what respondents' logs count scaled to all days, and
    the truth of areas."""
    for seed in range(memberships):
        people, random = population(CHANNEL, seed, of.world), np.random.default_rng(seed)
        if of.largest is not None:
            people = with_large(people, of.largest)
        truth = of_areas(people, people.spam)
        for number in range(samples):
            answered = answering(people, random)
            shared = random.standard_normal()
            stated = {
                name: Denominator(
                    float(people.subscriptions[people.country == name].sum())
                    * np.exp(of.off * (of.shared * shared + of.own * random.standard_normal())),
                    of.own,
                    "one source",
                    of.shared,
                )
                for name in sorted(set(people.country))
            }
            lost, missing = lost_days(int(answered.sum()), random) if of.has_busy else (0.0, 0.0)
            operators = Operators(
                *(getattr(people, name) for name in ("respondent", "country", "region", "development")),
                people.size,
                people.subscriptions,
                answered,
                people.holding,
            )
            sample = weigh_operators(
                operators,
                Stated(stated, np.zeros(len(answered)), np.zeros(answered.sum()) + missing),
                COUNTRIES,
                seed_of("inexact", str(seed), str(number)),
                FEW,
            )
            yield sample, (people.spam[answered] * (1 - lost) / (1 - missing))[:, None], truth


def with_large(people: Population, share: float) -> Population:
    """The membership in which the largest operator has this share of all subscriptions, at its own rate."""
    at = int(people.subscriptions.argmax())
    others = people.subscriptions.sum() - people.subscriptions[at]
    times = np.ones(len(people.spam))
    times[at] = share / (1 - share) * others / people.subscriptions[at]
    return replace(people, subscriptions=people.subscriptions * times, spam=people.spam * times)


def lost_days(count: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Of respondents the share of their spam on the days that their logs lack, and the share of days."""
    level = np.sort(random.lognormal(0, OF_DAYS, (count, DAYS)))[:, ::-1]
    lacking = np.where(random.random(count) < LACKING, random.integers(1, MOST_DAYS + 1, count), 0)
    is_lost = np.arange(DAYS) < lacking[:, None]
    return (level * is_lost).sum(axis=1) / level.sum(axis=1), lacking / DAYS


def simulate_inexact(of: Inexact, memberships: int, samples: int) -> dict[tuple[str, str], Tally]:
    """By whose intervals and kind of area or a country's band."""
    found: dict[tuple[str, str], Tally] = defaultdict(lambda: Tally([], [], []))
    for sample, y, truth in inexact_samples(of, memberships, samples):
        for row in estimate_areas(sample, y).to_dicts():
            for whose, (low, high) in ends_of(row).items():
                kind, true = str(row["area_kind_code"]), truth[str(row["area_code"])]
                count, covered = (float(str(row[name])) for name in ("respondent_count", "coverage_pct"))
                if high <= low or (kind == COUNTRY and (count < 3 or covered < 50)):
                    continue
                of_kind = found[whose, str(row["cv_band_code"]) if kind == COUNTRY else kind]
                of_kind.above.append(true > high)
                of_kind.below.append(true < low)
                of_kind.width.append(float(np.log(high / low)))
    return found


def ends_of(row: Mapping[str, object]) -> dict[str, tuple[float, float]]:
    """The intervals of a row. Those without these terms are counted where a release's have a width."""
    estimate, factor, variance, freedom, low, high, *known = (
        float(str(row[name]))
        for name in (
            *("estimate", "area_factor", "rates_variance", "rates_freedom", "estimate_low", "estimate_high"),
            *KNOWN_ERRORS,
        )
    )
    found = {OWN: (low, high)}
    for whose, squared_cv in ((RELEASE, factor * variance + sum(known)), (WITHOUT, factor * variance)):
        down, up = reach_of(max(squared_cv, 1e-18), freedom)
        if factor * variance + sum(known) > 1e-12:
            found[whose] = (estimate / down, estimate * up)
    return found


def describe_inexact(samples: int) -> str:
    """The section of docs/estimates.md, of so many samples for each row."""
    each = max(samples // MEMBERSHIPS, 1)
    lines = [TEXT.format(samples=each, memberships=MEMBERSHIPS, days=DAYS, of_days=OF_DAYS)]
    for title, of in SETTINGS:
        found = simulate_inexact(of, MEMBERSHIPS, each)
        for whose in (RELEASE, WITHOUT, OWN) if of.own or of.has_busy else (RELEASE, OWN):
            cells = [found[whose, kind].shown for kind in KINDS]
            lines.append(f"| {title} | {whose} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"
