"""How often the study's intervals hold the truth, and how far estimates are off, on the made-up membership.

    python -m tests.estimation_quality [--samples 1000]      writes docs/estimates.md

Certain spam of a channel; samples differ in who answers. By area: the part of the largest operator, the bias
of the estimate, how often its 95% interval holds the truth, how often the band of non-response does (from
half to one and a half times the respondents' rate for all others), and the mean width of the interval.
"""

from __future__ import annotations

import argparse

from tests.conftest import ROOT
from tests.test_estimation import DRAWN, Simulated, simulated

FILE = ROOT / "docs" / "estimates.md"
# What a reader sees first, channel, growth of the rate with size, growth of answering with the rate.
SETTINGS = (
    ("E-mail, who answers does not depend on spam", "EMAIL", 0.0, 0.0),
    ("SMS, who answers does not depend on spam", "SMS", 0.0, 0.0),
    ("E-mail, small operators have more spam and answer less", "EMAIL", -0.15, 0.0),
    ("E-mail, operators with more spam answer more", "EMAIL", 0.0, 0.5),
    ("E-mail, operators with more spam answer less", "EMAIL", 0.0, -0.5),
)
HEAD = """# How right the estimates are

Written by `python -m tests.estimation_quality --samples {samples}`: from the made-up membership of 193
countries (`sample_data/membership.py`) {samples} samples of respondents are drawn for each setting, of large,
medium and small operators 75, 50 and 30%; each is estimated as the study does, with {drawn} replicates, and
held against the truth.

What no interval knows: whether operators that answer have other spam than those that do not. In the last two
settings they have: the logit of answering grows or falls by a half for each unit of the logarithm of spam for
each subscription. The estimate is then off in one direction, the world's interval holds the truth less often
than it says, and nothing in the answers shows it. The band of non-response is for that: it tells what the
total is if all others have half, or one and a half times, the respondents' rate. Read it beside each estimate
(`at_050`, `at_150`).

- largest: the largest operator's part of the area, of subscriptions or spam, whichever is greater
- bias: the mean estimate over the truth, less one
- interval: samples whose 95% interval holds the truth
- band: samples in which the interval, taken at 0.5 to 1.5 times the rate of others, holds it
- width: mean width of the interval, as part of the truth
"""


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    samples = parser.parse_args().samples
    text = HEAD.format(samples=samples, drawn=DRAWN)
    for title, channel, by_size, selective in SETTINGS:
        found = simulated(channel, samples, by_size, selective)
        text += section(title, found)
        print(section(title, found))
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
