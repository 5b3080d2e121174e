"""Quality of the study's estimates on the made-up membership: bias, and how often intervals hold the truth.

    python -m benchmarks.estimation_quality [--samples 1000]      writes docs/estimates.md
    python -m benchmarks.estimation_quality --parts               writes its section on parts alone
    python -m benchmarks.estimation_quality --change              writes its section on changes alone
    python -m benchmarks.estimation_quality --cost                writes its section on cost alone
    python -m benchmarks.estimation_quality --intervals           writes that on a release's intervals
    python -m benchmarks.estimation_quality --inexact             writes that on wrong subscriptions
    python -m benchmarks.estimation_quality --changes             writes that on a release's changes

Certain spam of a channel; samples differ in who answers. By area: the part of the largest operator, the bias
of the estimate, how often its 95% interval holds the truth, how often the band of non-response does (from
half to one and a half times the respondents' rate for all others), and the mean width of the interval. Then
countries, corrected figures and spending by band of the coefficient of variation, over several memberships.
"""

import argparse
from collections.abc import Callable

from benchmarks.change_intervals import CHANGES_TITLE, describe_changes
from benchmarks.change_quality import CHANGE_TITLE, describe_change
from benchmarks.cost_quality import COST_TITLE, describe_cost
from benchmarks.inexact_quality import INEXACT_TITLE, describe_inexact
from benchmarks.interval_quality import FEW, INTERVALS_TITLE, MANY, REVERSED, describe_intervals
from benchmarks.parts_quality import PARTS_TITLE, describe_parts
from sample_data.membership import World
from tests.base.stats.test_estimation import DRAWN, Simulated, simulated
from tests.conftest import ROOT
from tests.support.memberships import BANDS, MOST, Held, corrected_held, money_held, spam_held

FILE = ROOT / "docs" / "estimates.md"
DECISION = next((ROOT / "docs" / "decisions").glob("*-countries-are-predicted-twice.md")).name
# What a reader sees first, channel, growth of the rate with size, growth of answering with the rate.
SETTINGS = (
    ("E-mail, who answers does not depend on spam", "EMAIL", 0.0, 0.0),
    ("SMS, who answers does not depend on spam", "SMS", 0.0, 0.0),
    ("E-mail, small operators have more spam and answer less", "EMAIL", -0.15, 0.0),
    ("E-mail, operators with more spam answer more", "EMAIL", 0.0, 0.5),
    ("E-mail, operators with more spam answer less", "EMAIL", 0.0, -0.5),
)
HEAD = """# How accurate the estimates are

After reading this page you know how often the 95% intervals of `observatory study estimate` contain the
true total, for which areas they do not, and why each estimate has to be read with its non-response band.

Measured by `python -m benchmarks.estimation_quality --samples {samples}`, which also writes this page. From
the made-up membership of 193 countries (`sample_data/membership.py`) it draws {samples} samples of
respondents for each setting: 75% of large, 50% of medium and 30% of small operators. Each sample is
estimated as the study does, with {drawn} replicates, and compared with the truth.

**No interval includes the error from answers that depend on spam.** In the last two settings operators
with more spam answer more, or less, often: the log-odds of answering change by a half for each unit of
the logarithm of spam per subscription. The estimate is then biased, the interval contains the truth less
often than 95%, and the answers do not show it. The non-response band shows how far it may be off: the
total if all others have half, or one and a half times, the respondents' rate (`at_050`, `at_150`).

| column | meaning |
|---|---|
| largest | the largest operator's share of the area's subscriptions or spam, whichever is greater |
| bias | mean estimate divided by the truth, minus one |
| interval | samples whose 95% interval contains the truth |
| band | samples in which the interval, computed at 0.5 to 1.5 times the others' rate, contains it |
| width | mean width of the interval, as a share of the truth |
"""
# Memberships of a setting, each with its own countries' sizes, operators and rates.
MEMBERSHIPS = range(12)
# What is estimated, and the intervals of so many samples of each membership.
FIGURES: tuple[tuple[str, Callable[[int], Held]], ...] = (
    ("e-mail", lambda number: spam_held("EMAIL", MEMBERSHIPS, number)),
    ("SMS", lambda number: spam_held("SMS", MEMBERSHIPS, number)),
    ("e-mail, corrected for filter error", lambda number: corrected_held("EMAIL", MEMBERSHIPS, number)),
    ("SMS, corrected for filter error", lambda number: corrected_held("SMS", MEMBERSHIPS, number)),
    ("spending, e-mail", lambda number: money_held("EMAIL", MEMBERSHIPS, number)),
)
WORLDS: tuple[tuple[str, Callable[[int], Held]], ...] = (
    ("spread of rates 0.4", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, World(spread=0.4))),
    ("spread of rates 1.2", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, World(spread=1.2))),
    ("countries differ by 0.5", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, World(alike=0.5))),
    (
        "countries differ by 0.8, spread within 0.4",
        lambda n: spam_held("EMAIL", MEMBERSHIPS, n, World(spread=0.4, alike=0.8)),
    ),
    ("rates fall with size", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, World(by_size=-0.15))),
    ("rates rise with size", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, World(by_size=0.15))),
    ("countries' sizes spread by 2.2", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, World(sizes=2.2))),
    ("countries' sizes spread by 0.8", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, World(sizes=0.8))),
    ("gamma distribution of rates", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, World(has_gamma=True))),
    ("35, 20 and 10% answer", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, response=FEW)),
    ("95, 80 and 70% answer", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, response=MANY)),
    ("30, 40 and 60% answer", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, response=REVERSED)),
    ("who has more spam answers more", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, selective=0.5)),
    ("who has more spam answers less", lambda n: spam_held("EMAIL", MEMBERSHIPS, n, selective=-0.5)),
)
BY_BAND = """
## Countries, by band of the coefficient of variation

Each row has {samples} samples, from {memberships} memberships whose sizes, operators and rates are drawn
anew. A cell has the share of intervals that contain the truth, of how many rows. Areas whose operators all
answered are left out: they have no error. The interval of a country spans two readings of its silent
operators, at its own respondents' rate and at its region's and class's
([decision {decision}](decisions/{page})), so it contains the truth more often than in 95% of samples.
"""
BY_COUNT = """
By the number of a country's operators that answered:
"""
BY_AREA = """
The world, regions and groups, in the same samples:
"""
BY_WORLD = """
## Countries of other memberships

E-mail, {samples} samples from {memberships} memberships for each row. The sample's operators have rates whose
logarithm spreads by 0.8, and countries by nothing but region and class; of large, medium and small operators
75, 50 and 30% answer. In the last two rows answers depend on spam, as above.
"""

# Measured once, by no command.
SMALL_STUDY = """
In a study of six countries, measured once on 28 November 2026 and repeated by no command, 120 samples of 20
memberships: 98.5% acceptable, 94.3% caution, 94.7% unreliable; of countries without a respondent 85%, all of
them unreliable. So few cells show too little of how countries differ: do not use these rows.
"""


def by(title: str, found: list[tuple[str, Held]], kind: str, bands: bool) -> str:
    """A table of shares of intervals that contain the truth, by band or by number of respondents."""
    heads = list(BANDS) if bands else ["none", *map(str, range(1, MOST)), f"{MOST} or more"]
    lines = [f"| {title} | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    for name, held in found:
        cells = [
            held.of(kind, band=band) if bands else held.of(kind, respondents=place)
            for place, band in enumerate([*BANDS] if bands else heads)
        ]
        shown = [f"{share:.1f}% of {rows:,}" if rows else "–" for rows, share, _ in cells]
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n" + "\n".join(lines) + "\n"


def memberships(samples: int) -> str:
    """Tables over several memberships, of so many samples in all for each figure."""
    of_each = max(samples // len(MEMBERSHIPS), 1)
    few = max(of_each // 5, 1)
    figures = [(name, measured(of_each)) for name, measured in FIGURES]
    worlds = [(name, measured(few)) for name, measured in WORLDS]
    count = len(MEMBERSHIPS)
    return "".join(
        [
            BY_BAND.format(
                samples=of_each * count, memberships=count, decision=DECISION[:4].lstrip("0"), page=DECISION
            ),
            by("figure", figures, "country", True),
            BY_COUNT,
            by("figure", figures, "country", False),
            BY_AREA,
            by("figure", figures, "area", True),
            BY_WORLD.format(samples=few * count, memberships=count),
            by("membership", worlds, "country", True),
            SMALL_STUDY,
        ]
    )


def section(title: str, found: Simulated) -> str:
    lines = [
        f"\n## {title}\n",
        "| area | largest | bias | interval | band | width |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {area} | {found.largest_pct[place]:.0f}% | {found.bias_pct[place]:+.1f}%"
        f" | {found.coverage_pct[place]:.1f}% | {found.half_to_half_more[place]:.1f}%"
        f" | {found.width_pct[place]:.0f}% |"
        for place, area in enumerate(found.areas)
    ]
    return "\n".join(lines) + "\n"


def replace_section(title: str, section: str) -> None:
    """Write a section of the page in place of the one of this title."""
    before, _, rest = FILE.read_text(encoding="utf-8").partition(f"\n{title}\n")
    _, heading, after = rest.partition("\n## ")
    FILE.write_text(before + section.rstrip("\n") + "\n" + heading + after, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--change", action="store_true")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--intervals", action="store_true")
    parser.add_argument("--inexact", action="store_true")
    parser.add_argument("--changes", action="store_true")
    asked = parser.parse_args()
    samples = asked.samples
    if asked.parts:
        replace_section(PARTS_TITLE, describe_parts(samples))
    if asked.change:
        replace_section(CHANGE_TITLE, describe_change(samples))
    if asked.cost:
        replace_section(COST_TITLE, describe_cost(samples))
    if asked.intervals:
        replace_section(INTERVALS_TITLE, describe_intervals(samples))
    if asked.inexact:
        replace_section(INEXACT_TITLE, describe_inexact(samples))
    if asked.changes:
        replace_section(CHANGES_TITLE, describe_changes(samples))
    if asked.parts or asked.change or asked.cost or asked.intervals or asked.inexact or asked.changes:
        return
    text = HEAD.format(samples=samples, drawn=DRAWN)
    for title, channel, by_size, selective in SETTINGS:
        found = simulated(channel, samples, by_size, selective)
        text += section(title, found)
        print(section(title, found))
    of_bands = memberships(samples)
    print(of_bands)
    others = describe_change(samples) + describe_parts(samples) + describe_cost(samples)
    others += describe_intervals(samples) + describe_inexact(samples) + describe_changes(samples)
    FILE.write_text(text + of_bands + others, encoding="utf-8")


if __name__ == "__main__":
    main()
