"""Samples of made-up memberships whose truth is known: how often intervals contain it, by band of the
coefficient of variation, for spam as filters saw it, corrected spam and spending."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from jobs.base.core.call_shares import SHARES
from jobs.base.costs.investment_assumptions import draw_parameters
from jobs.base.figures.areas import COUNTRY, RAKED, are_in_area, list_areas
from jobs.base.stats.estimation import REPLICATES, Array, Operators, seed_of, weight_respondents
from jobs.base.tables.contracts import reference_table, rows_frame
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates import investment_account
from jobs.study.estimates.investment import money_rows
from jobs.study.estimates.investment_account import prices_of
from jobs.study.estimates.steps.area_rows import estimate_areas
from jobs.study.estimates.steps.audits import Corrected, correct_spam
from jobs.study.estimates.steps.sample import Reference, Sample
from jobs.study.estimates.steps.spending import ALL, sum_by_respondent
from sample_data.membership import (
    ACCOUNTS,
    BASE,
    REFUSED,
    RESPONSE,
    SAMPLE,
    YEAR,
    Population,
    World,
    answer,
    answering,
    audits,
    countries,
    population,
    prices,
    spending,
    volumes,
)

BANDS = ("acceptable", "caution", "unreliable")
AREAS = list_areas(countries())
DAY = dt.date(int(YEAR), 12, 31)
KEY = ("respondent_id", "period_code")
# Replicates of weights: intervals of countries use draws of their own, others have rougher errors. Where
# values are imputed there are as many as in the study.
FEW = 25


@dataclass
class Held:
    """Counts of rows whose operators did not all answer: how many, and how many intervals contain the truth
    or lie above it; by kind of area, band and number of respondents (MOST or more)."""

    count: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    held: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    above: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    def add(self, rows: Iterable[Mapping[str, Any]], truth: Mapping[str, float]) -> None:
        for row in rows:
            low, high, true = row["estimate_low"], row["estimate_high"], truth[row["area_code"]]
            if low is None or row["coverage_pct"] > 100 * (1 - 1e-9):
                continue
            kind = "country" if row["area_kind_code"] == COUNTRY else "area"
            key = (kind, row["cv_band_code"], min(row["respondent_count"], MOST))
            self.count[key] += 1
            self.held[key] += low <= true * (1 + 1e-9) and true <= high * (1 + 1e-9)
            self.above[key] += low > true * (1 + 1e-9)

    def of(
        self, kind: str, band: str | None = None, respondents: int | None = None
    ) -> tuple[int, float, float]:
        """Rows, and of them in per cent those whose interval contains the truth and those above it."""

        def total(counter: Counter[tuple[str, str, int]]) -> int:
            return sum(
                number
                for (of_kind, of_band, count), number in counter.items()
                if of_kind == kind and band in (None, of_band) and respondents in (None, count)
            )

        rows = total(self.count)
        return rows, 100 * total(self.held) / max(rows, 1), 100 * total(self.above) / max(rows, 1)


MOST = 3


def sample_of_people(people: Population, answered: Array, replicates: int, *key: str) -> Sample:
    """A sample as sample_of() makes it, of a membership whose frame is right."""
    operators = Operators(
        people.respondent,
        people.country,
        people.region,
        people.development,
        people.size,
        people.subscriptions,
        answered,
        people.holding,
    )
    country = people.country.astype(str)
    member = np.array([are_in_area(area, country) for area in AREAS])
    groups = {area.code: member[place] for place, area in enumerate(AREAS) if area.code in RAKED}
    drawn = weight_respondents(operators, groups, seed_of(*key), replicates)
    exact = np.zeros(len(AREAS))
    return Sample(drawn, AREAS, member, member @ people.subscriptions, exact, np.zeros(answered.sum()))


def of_areas(people: Population, figure: Array) -> dict[str, float]:
    country = people.country.astype(str)
    return {area.code: float(figure[are_in_area(area, country)].sum()) for area in AREAS}


def spam_held(
    channel: str,
    seeds: Iterable[int],
    samples: int,
    world: World = SAMPLE,
    response: Mapping[str, float] = RESPONSE,
    selective: float = 0.0,
) -> Held:
    """Count how many intervals hold spam as filters saw it, in some samples of each membership."""
    found = Held()
    for _, _, sample, y, truth in spam_samples(channel, seeds, samples, world, response, selective):
        found.add(estimate_areas(sample, y).to_dicts(), truth)
    return found


def spam_samples(
    channel: str,
    seeds: Iterable[int],
    samples: int,
    world: World = SAMPLE,
    response: Mapping[str, float] = RESPONSE,
    selective: float = 0.0,
    replicates: int = FEW,
) -> Iterator[tuple[Population, Array, Sample, Array, dict[str, float]]]:
    """Yield samples of each membership: everyone, who answered, the sample, what respondents counted, and the
    truth of areas."""
    for seed in seeds:
        people, random = population(channel, seed, world), np.random.default_rng(seed)
        truth = of_areas(people, people.spam)
        for number in range(samples):
            answered = answering(people, random, selective, response)
            sample = sample_of_people(people, answered, replicates, channel, str(seed), str(number))
            yield people, answered, sample, people.spam[answered][:, None], truth


def corrected_held(channel: str, seeds: Iterable[int], samples: int) -> Held:
    """Count how many intervals hold spam with the filters' errors, as those that answer and audit show
    them."""
    found = Held()
    for _, _, sample, told, truth, _ in corrected_samples(channel, seeds, samples):
        rows = estimate_areas(sample, told.y, told.least, told.donors - 1)
        found.add(rows.to_dicts(), truth)
    return found


def corrected_samples(
    channel: str, seeds: Iterable[int], samples: int, replicates: int = REPLICATES
) -> Iterator[tuple[Population, Array, Sample, Corrected, dict[str, float], Array]]:
    """Yield samples like spam_samples(), with corrected spam, and that of everyone last."""
    for seed in seeds:
        people, random = population(channel, seed), np.random.default_rng(seed)
        given = volumes(people, channel, random)
        rows, spam = audits(people, channel, given, np.ones(len(people.spam), dtype=bool))
        truth, months = of_areas(people, spam), months_of(given, rows)
        for number in range(samples):
            answered = answering(people, random)
            those = months.filter(pl.col("respondent_id").is_in(people.respondent[answered].tolist()))
            key = ("corrected", channel, str(seed), str(number))
            told = correct_spam(those, seed_of(*key))
            if told:
                sample = sample_of_people(people, answered, replicates, *key)
                yield people, answered, sample, told, truth, spam


def months_of(given: list[dict[str, object]], audited: list[dict[str, object]]) -> pl.DataFrame:
    """Respondents' months in the columns that correct_spam() reads."""
    units, certain, possible = (pl.col(name).sum() for name in ("units", "spam_certain", "spam_possible"))
    shares = dict.fromkeys(SHARES, pl.Float64) | {"quality_method_code": pl.String}
    quality = pl.DataFrame(audited, infer_schema_length=None).with_columns(
        pl.col(name).cast(kind) for name, kind in shares.items()
    )
    return (
        pl.DataFrame(given)
        .group_by(KEY)
        .agg(content_seen=units, flagged=certain, undecided=possible - certain, passed=units - possible)
        .with_columns(certain_before=pl.lit(0, pl.Int64), undecided_before=pl.lit(0, pl.Int64))
        .join(quality.select(*KEY, *shares), on=list(KEY), how="left")
    )


def money_held(channel: str, seeds: Iterable[int], samples: int) -> Held:
    """Count how many intervals hold spending at market rates, with accounts of some respondents and budget
    bands of others."""
    found = Held()
    for seed in seeds:
        found_of, people, true = spending_of(channel, seed)
        truth = of_areas(people, true)
        for rows in found_of(samples):
            found.add(rows, truth)
    return found


def spending_of(channel: str, seed: int) -> tuple[Any, Population, Array]:
    """Rows of so many samples of a membership; the membership, and what each operator spends."""
    people, random = population(channel, seed), np.random.default_rng(seed)
    price = prices(random)
    # All by one strategy: how spending divides is estimated apart.
    told = [
        {name: value for name, value in answers.items() if name[:5] != "sp708"} | {"sp708.filtering": "100"}
        for answers in spending(people, channel, price, random)
    ]
    frame = rows_frame(
        [
            {"respondent_id": name, "holding_id": name, "country_code": country, "channel_code": channel,
             "size_code": size, "subscriptions": int(subscriptions), "valid_from": dt.date(2020, 1, 1)}
            for name, country, size, subscriptions in zip(
                people.respondent, people.country, people.size, people.subscriptions, strict=True
            )
        ],
        "ref.operator_frame",
    )  # fmt: skip
    levels = rows_frame(
        [
            {"country_code": country, "price_year": year, "currency_code": of.currency,
             "deflator_index": of.deflator, "ppp_rate": of.ppp, "market_rate": of.market,
             "wage_per_day": of.wage}
            for (country, year), of in price.items()
        ],
        "ref.price_level",
    )  # fmt: skip
    known = [
        reference_table(f"ref.{name}") for name in ("cost_parameter", "investment_assumption", "budget_band")
    ]
    places = [reference_table(f"ref.{name}") for name in ("country", "country_group")]
    whole = accounts_of(people, told, frame, levels, [*known, *places])
    amounts = dict(whole.group_by("respondent_id").agg(pl.col("market_amount").cast(pl.Float64).sum()).rows())
    true = np.array([amounts[name] for name in people.respondent])
    dollars = price["USA", int(YEAR)].deflator / price["USA", BASE].deflator
    spent = dict(whole.group_by("respondent_id").agg(pl.col("ppp_amount").cast(pl.Float64).sum()).rows())
    bands = [(code, high) for code, high in known[2].select("band_code", "high").rows()]
    refused = []
    for name, answers in zip(people.respondent, told, strict=True):
        total = spent[name] * dollars
        code = next(code for code, high in bands if high is None or total <= float(high))
        kept = {key: value for key, value in answers.items() if key[:5] in ("sp707", "sp708")}
        refused.append(kept | {"sp709": code})
    banded = accounts_of(people, refused, frame, levels, [*known, *places])
    denominator = rows_frame(
        [
            {"country_code": country, "period_code": YEAR, "channel_code": channel,
             "subscriptions": int(people.subscriptions[people.country == country].sum())}
            for country in sorted(set(people.country))
        ],
        "ref.denominator",
    )  # fmt: skip
    of_reference = Reference(frame, denominator, *places)
    parity = {name: of.ppp / of.market for (name, year), of in prices_of(levels).items() if year == BASE}
    drawn = draw_parameters(rows_on_day(known[0], DAY))

    def found_of(samples: int) -> Iterator[list[dict[str, object]]]:
        for number in range(samples):
            answers = answering(people, random) & (random.random(len(people.spam)) < ACCOUNTS)
            refuses = random.random(len(people.spam)) < REFUSED
            given = pl.concat(
                [
                    accounts.filter(pl.col("respondent_id").is_in(people.respondent[those].tolist()))
                    for accounts, those in ((whole, answers & ~refuses), (banded, answers & refuses))
                ]
            ).sort("respondent_id", "strategy_code")
            strategies = [ALL, *sorted(set(given["strategy_code"]))]
            asked = sum_by_respondent(given, frame, DAY).with_columns(
                subscriptions=pl.lit(None, dtype=pl.Int64)
            )
            key = (f"money {seed} {number}", channel, YEAR)
            rows = money_rows(given, asked, of_reference, parity, drawn, strategies, key)
            yield rows.filter(strategy_code=ALL, component_code=ALL, conversion_code="market").to_dicts()

    return found_of, people, true


def accounts_of(
    people: Population,
    told: list[dict[str, str]],
    frame: pl.DataFrame,
    levels: pl.DataFrame,
    known: list[pl.DataFrame],
) -> pl.DataFrame:
    """The accounts of all operators by these answers."""
    answers = [
        answer(str(name), str(country), YEAR, indicator, value)
        for name, country, given in zip(people.respondent, people.country, told, strict=True)
        for indicator, value in given.items()
    ]
    received = dt.datetime(2027, 2, 1, tzinfo=dt.UTC)
    rows = rows_frame([row | {"received_at": received} for row in answers], "study.questionnaire_answer")
    return investment_account.transform(rows, investment_account.AccountTables(frame, levels, *known))
