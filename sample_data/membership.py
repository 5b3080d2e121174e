"""A made-up membership: operators in 193 countries, their spam, who answers, and the truth.

python -m sample_data.membership     writes sample_data/membership/

The countries and their groups are real (schemas/reference/); operators, subscriptions, prices and figures are
invented, and say nothing of any country. Three sizes, six regions, rates of spam with heavy tails; of large,
medium and small operators 75, 50 and 30% answer.
"""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from jobs.areas import classified
from jobs.contracts import REFERENCE

FOLDER = Path(__file__).parent / "membership"
SEED = 52
DAY = dt.date(2026, 12, 31)
# ITU's 194 Member States without the Vatican: the 193 of the United Nations.
LEFT_OUT = {"VAT"}
RESPONSE = {"SMALL": 0.30, "MEDIUM": 0.50, "LARGE": 0.75}
# Spam messages per subscription and month, by channel; and how rates differ between classes.
RATE = {"EMAIL": 40.0, "SMS": 3.0}
OF_CLASS = {"DEVELOPED": 1.0, "DEVELOPING": 1.3, "LDC": 0.8}
SPREAD = 0.8
MEDIUM, LARGE = 100_000, 1_000_000


@dataclass(frozen=True)
class Population:
    """Every operator of one channel, whether it answers or not; arrays sorted by operator."""

    respondent: np.ndarray
    country: np.ndarray
    region: np.ndarray
    development: np.ndarray
    size: np.ndarray
    subscriptions: np.ndarray
    spam: np.ndarray


def countries() -> pl.DataFrame:
    """The member countries with region, class and groups."""
    read = [pl.read_csv(REFERENCE / f"{name}.csv", infer_schema=False) for name in ("country", "country_group")]
    dated = [
        frame.with_columns(pl.col("valid_from", "valid_to").str.to_date("%Y-%m-%d")) for frame in read
    ]
    members = dated[0].filter((pl.col("itu_member") == "true") & ~pl.col("iso3").is_in(list(LEFT_OUT)))
    return classified(members, dated[1], DAY)


def size_of(subscriptions: np.ndarray) -> np.ndarray:
    size = np.where(subscriptions < MEDIUM, "SMALL", np.where(subscriptions < LARGE, "MEDIUM", "LARGE"))
    return size.astype(object)


def population(channel: str, seed: int = SEED, by_size: float = 0.0) -> Population:
    """Operators of a channel with their monthly spam.

    by_size: how the logarithm of the rate changes with that of the subscriptions; negative where small
    operators have more spam for each subscription.
    """
    random = np.random.default_rng([seed, *channel.encode()])
    members = countries()
    rows: list[tuple[str, str, str, float]] = []
    for place, (country, region, development) in enumerate(
        members.select("country_code", "region_code", "development_code").rows()
    ):
        total = np.exp(random.normal(14.3, 1.5))
        count = int(np.clip(2 + random.poisson(0.9 * np.log(1 + total / 3e5)), 2, 9))
        shares = random.dirichlet(np.geomspace(6, 0.6, count))
        rows += [(country, region, development, max(total * share, 200.0)) for share in shares]
        assert place < 1000
    subscriptions = np.round(np.array([row[3] for row in rows]))
    kinds = np.array([row[2] for row in rows], dtype=object)
    level = np.log(RATE[channel]) + np.log([OF_CLASS[kind] for kind in kinds])
    level = level + by_size * (np.log(subscriptions) - np.log(2e5))
    of_region = dict(zip(sorted({row[1] for row in rows}), random.normal(0, 0.25, 6), strict=True))
    level = level + np.array([of_region[row[1]] for row in rows])
    rate = np.exp(random.normal(level, SPREAD))
    number: dict[str, int] = {}
    names = []
    for country, *_ in rows:
        number[country] = number.get(country, 0) + 1
        names.append(f"{country.lower()}-{channel.lower()}-{number[country]}")
    return Population(
        respondent=np.array(names, dtype=object),
        country=np.array([row[0] for row in rows], dtype=object),
        region=np.array([row[1] for row in rows], dtype=object),
        development=kinds,
        size=size_of(subscriptions),
        subscriptions=subscriptions,
        spam=np.round(subscriptions * rate),
    )


def answering(people: Population, random: np.random.Generator, selective: float = 0.0) -> np.ndarray:
    """Who answers. selective: how much the logit of answering grows with the logarithm of the operator's rate."""
    base = np.array([RESPONSE[size] for size in people.size])
    logit = np.log(base / (1 - base))
    rate = np.log(np.maximum(people.spam, 1) / people.subscriptions)
    logit = logit + selective * (rate - rate.mean())
    return random.random(len(base)) < 1 / (1 + np.exp(-logit))
