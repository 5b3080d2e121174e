"""Coverage of intervals of parts (types, sources, routes) on the made-up membership.

`benchmarks/estimation_quality.py` calls it and writes what it finds to docs/estimates.md. Samples differ in
who answers; some small operators answer and send no parts. Each sample is estimated as the study does: parts
by the weights of those that sent them, the whole by the weights of all, and the factor between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobs.base.figures.areas import classify_countries
from jobs.base.stats.estimation import Array, seed_of, weight_respondents
from jobs.base.stats.intervals import estimate_figures, estimated_totals
from jobs.base.tables.contracts import reference_table
from jobs.study.estimates.steps.part_estimates import count_owners
from sample_data.membership import (
    ANSWERS_ONLY,
    DAY,
    SEED,
    Population,
    answering,
    holdings,
    population,
    routes,
    volumes,
)
from sample_data.parts import SOURCES, source_shares, type_shares
from tests.base.stats.test_estimation import DRAWN, groups_of, operators

PARTS_TITLE = "## Types, sources and routes"
HEAD = """
## Types, sources and routes

Parts of spam as filters saw it, of {samples} samples for each setting. Of small operators that send no logs
{alone:.0f}% answer, and have no parts. Bias and interval as above: of the world, of the six regions together
(mean bias, and the share of all their intervals that contain the truth) and of the least developed countries.
`scaled` is the bias of the world's part times `part_factor`, which adds up to `study.spam_volume`. As for
volumes, no interval includes the error from answers that depend on spam: the last two tables of each kind.

Of a part that no respondent of an area saw there is no row, which does not mean that there was none; such
samples count in the bias, and not among intervals. Text messages from the Americas to the least developed
countries, which few operators have, are without a row in {unseen:.0f}% of samples.

By the number of holdings that had any of a part, all parts and areas of this section together, where answers
do not depend on spam: rows, the share of their intervals that contain the truth, and the mean estimate over
the truth, minus one. With fewer than three holdings the band is `few_holdings`, and the row is confidential.
Which way such a row errs depends on the membership: here their mean is too high, of others 19 to 29% too low.

| holdings | rows | interval | bias |
|---|--:|--:|--:|
{by_holdings}
"""
# Classes of the number of holdings, by their least.
CLASSES = (1, 3, 6, 11, 21)
SETTINGS = (
    ("who answers does not depend on spam", 0.0),
    ("operators with more spam answer more", 0.5),
    ("operators with more spam answer less", -0.5),
)
# So many countries of source are shown.
SHOWN = 5


@dataclass(frozen=True)
class Parts:
    """Spam of every operator in parts, operators x parts, with a name for each; parts may overlap."""

    title: str
    people: Population
    names: list[str]
    spam: Array


def typed_parts(channel: str) -> Parts:
    people = population(channel)
    names, shares = type_shares(people, channel, SEED)
    return Parts(f"{channel} by type", people, names, people.spam[:, None] * shares)


def sourced_parts(channel: str) -> Parts:
    """By region of source, and by the countries that most comes from."""
    people = population(channel)
    codes, shares = source_shares(people, channel, SEED)
    spam = people.spam[:, None] * shares
    region = regions_of()
    names = sorted({region.get(code, "_U") for code in codes})
    of_regions = [spam[:, [region.get(code, "_U") == name for code in codes]].sum(axis=1) for name in names]
    countries = [code for code in SOURCES if code in codes][:SHOWN]
    columns = [*of_regions, *(spam[:, codes.index(code)] for code in countries)]
    return Parts(f"{channel} by source", people, [*names, *countries], np.stack(columns, axis=1))


def routed_parts(channel: str) -> Parts:
    """By region of origin, and by kind of link."""
    people, random = population(channel), np.random.default_rng([SEED, *b"routes"])
    rows, _ = routes(people, volumes(people, channel, np.random.default_rng(SEED)), random)
    region, place = regions_of(), {name: at for at, name in enumerate(people.respondent)}
    of: dict[str, Array] = {}
    for row in rows:
        if row["direction_code"] == "inbound":
            origin = region.get(str(row["partner_country_code"]), "_U")
            for name in (origin, f"link {row['link_code']}"):
                spam = of.setdefault(name, np.zeros(len(people.spam)))
                spam[place[row["respondent_id"]]] += int(str(row["spam_certain"]))
    names = sorted(of)
    return Parts(f"{channel} by route", people, names, np.stack([of[name] for name in names], axis=1))


def regions_of() -> dict[str, str]:
    """The ITU region of each country."""
    listed = classify_countries(reference_table("ref.country"), reference_table("ref.country_group"), DAY)
    return dict(listed.select("country_code", "region_code").rows())


@dataclass(frozen=True)
class Simulated:
    """Areas x parts: bias in percent, and the share of intervals that contain the truth, of those that there
    are; and the bias of the first area's parts times their factor. Samples x areas x parts: the estimate over
    the truth, whether the interval contains it, and how many holdings had any."""

    bias_pct: Array
    coverage_pct: Array
    scaled_bias_pct: Array
    ratio: Array
    is_held: Array
    owners: Array


def simulate_parts(of: Parts, samples: int, selective: float) -> Simulated:
    """The world, the six regions, and the least developed countries, in this order."""
    people = of.people
    groups = groups_of(people)
    regions = [people.region == name for name in sorted(set(people.region))]
    member = np.array([np.ones(len(people.spam), dtype=bool), *regions, groups["LDC"]])
    known, truth = member @ people.subscriptions, member @ of.spam
    random = np.random.default_rng(20261129)
    estimates, scaled, hits, owners = [], [], [], []
    holding = np.array(holdings(people, np.random.default_rng(SEED)))
    for number in range(samples):
        sent = answering(people, random, selective)
        alone = ~sent & (people.size == "SMALL") & (random.random(len(sent)) < ANSWERS_ONLY)
        seed = seed_of("parts", of.title, str(number))
        sample = weight_respondents(operators(people, sent), groups, seed, DRAWN)
        found = estimate_figures(sample, of.spam[sent], member, known)
        everyone = weight_respondents(operators(people, sent | alone), groups, seed, 0)
        y = people.spam[sent | alone][:, None]
        volume = estimated_totals(everyone, y, member, known, y)[0][0, 0]
        parts = people.spam[sent][:, None]
        factor = volume / estimated_totals(sample, parts, member, known, parts)[0][0, 0]
        estimates.append(found.estimate)
        scaled.append(found.estimate[0] * factor)
        owners.append(
            [count_owners(of.spam[sent][inside], holding[sent][inside]) for inside in member[:, sent]]
        )
        hits.append((found.low <= truth * (1 + 1e-9)) & (truth <= found.high * (1 + 1e-9)))
    # Of what an area gets nothing of, nothing is shown.
    true = np.where(truth > 0, truth, np.nan)
    is_row = (np.array(owners) > 0) & (truth > 0)
    held = (np.array(hits) & is_row).sum(axis=0)
    rows = is_row.sum(axis=0)
    return Simulated(
        100 * (np.mean(estimates, axis=0) / true - 1),
        np.divide(100 * held, rows, out=np.full(truth.shape, np.nan), where=rows > 0),
        100 * (np.mean(scaled, axis=0) / true[0] - 1),
        np.array(estimates) / true,
        np.array(hits),
        np.where(truth > 0, np.array(owners), -1),
    )


def show_parts(of: Parts, found: Sequence[Simulated]) -> str:
    lines = [f"\n### {of.title}"]
    for (title, _), each in zip(SETTINGS, found, strict=True):
        lines += [
            f"\n{title[0].upper()}{title[1:]}:\n",
            "| part | world | interval | scaled | regions | interval | LDC | interval |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        for at, name in enumerate(of.names):
            bias, held = each.bias_pct[:, at], each.coverage_pct[:, at]
            cells = [
                percent(bias[0], "+"), percent(held[0]), percent(each.scaled_bias_pct[at], "+"),
                percent(np.nanmean(bias[1:7]), "+"), percent(np.nanmean(held[1:7])),
                percent(bias[7], "+"), percent(held[7]),
            ]  # fmt: skip
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def percent(value: float, sign: str = "") -> str:
    return "–" if np.isnan(value) else f"{value:{sign}.1f}%"


def show_by_holdings(found: Sequence[Simulated]) -> str:
    """Rows of a table by classes of the number of holdings that had any of a part."""
    owners, held, ratio = (
        np.concatenate([getattr(each, name).ravel() for each in found])
        for name in ("owners", "is_held", "ratio")
    )
    lines = []
    for least, beyond in zip(CLASSES, (*CLASSES[1:], np.inf), strict=True):
        inside = (owners >= least) & (owners < beyond)
        title = f"{least} or more" if beyond == np.inf else f"{least} to {beyond - 1}"
        shares = f"{100 * held[inside].mean():.1f}% | {100 * (ratio[inside].mean() - 1):+.0f}%"
        lines.append(f"| {title} | {int(inside.sum()):,} | {shares} |")
    return "\n".join(lines)


def describe_parts(samples: int) -> str:
    """The section of docs/estimates.md."""
    tables = [typed_parts("EMAIL"), sourced_parts("EMAIL"), routed_parts("SMS")]
    found = [[simulate_parts(of, samples, selective) for _, selective in SETTINGS] for of in tables]
    of_routes = found[-1][0].owners[:, -1, tables[-1].names.index("AMS")]
    return HEAD.format(
        samples=samples,
        alone=100 * ANSWERS_ONLY,
        unseen=100 * float((of_routes == 0).mean()),
        by_holdings=show_by_holdings([each[0] for each in found]),
    ) + "".join(show_parts(of, each) for of, each in zip(tables, found, strict=True))
