"""study.investment: estimated yearly spending against spam, and posts, per area, channel and strategy."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.areas import on_day
from jobs.contracts import struct_type
from jobs.estimation import Array, seed_of
from jobs.periods import last_day
from jobs.spending import (
    ALL,
    NO_MONEY,
    POSTS,
    by_respondent,
    certain_factors,
    factors,
    measures,
    named,
    of_strategies,
    prices,
    spent,
)
from jobs.study.investment_account import prices_of
from jobs.study_days import of_all_days
from jobs.study_rows import COUNTED, as_table, collected
from jobs.study_sample import Reference, Sample, estimates, sample_of

TABLE = "study.investment"
# The unit in which a channel's messages or calls are told per thousand.
CALLS = ("VOICE_CS", "VOICE_IP", "VIDEO_IP")


def transform(
    investment_account: DataFrame,
    submission: DataFrame,
    operator_frame: DataFrame,
    denominator: DataFrame,
    country: DataFrame,
    country_group: DataFrame,
    price_level: DataFrame,
    investment_assumption: DataFrame,
) -> DataFrame:
    """One task a year and channel: the accounts of some hundred respondents."""
    reference = Reference(
        collected(operator_frame), collected(denominator), collected(country), collected(country_group)
    )
    prices = prices_of(collected(price_level))
    assumptions = dict(collected(investment_assumption).select("assumption_code", "central").rows())
    traffic = collected(yearly_units(submission))

    def estimated(accounts: pa.Table) -> pa.Table:
        found = pl.from_arrow(accounts)
        assert isinstance(found, pl.DataFrame)
        base = int(assumptions["base_year"])
        dollars = {name: price.ppp / price.market for (name, year), price in prices.items() if year == base}
        return as_table(channel_rows(found, traffic, reference, dollars), TABLE)

    return investment_account.groupBy("period_code", "channel_code").applyInArrow(
        estimated, struct_type(TABLE)
    )


def yearly_units(submission: DataFrame) -> DataFrame:
    """Each respondent's messages or calls of a year: the mean of its months, times twelve. A month that lacks
    some days counts as a whole one, and one that lacks many not at all.

    Each definition is of the same traffic, so one of them tells of it.
    """
    calls = F.col("channel_code").isin(*CALLS)
    monthly = of_all_days(submission).filter(
        F.col("direction_code").isin(*COUNTED)
        & F.col("period_code").rlike(r"^\d{4}-\d{2}$")
        & (F.col("unit_code") == F.when(calls, "call").otherwise("recipient"))
    )
    by = ("respondent_id", "channel_code", "period_code")
    of_month = (
        monthly.groupBy(*by, "definition_code")
        .agg(F.sum("units").alias("units"), F.max("subscriptions").alias("subscriptions"))
        .groupBy(*by)
        .agg(F.max("units").alias("units"), F.max("subscriptions").alias("subscriptions"))
    )
    return of_month.groupBy(
        "respondent_id", "channel_code", F.substring("period_code", 1, 4).alias("period_code")
    ).agg(
        (F.avg("units") * 12).alias("units"), F.max_by("subscriptions", "period_code").alias("subscriptions")
    )


def channel_rows(
    accounts: pl.DataFrame, traffic: pl.DataFrame, reference: Reference, dollars: dict[str, float]
) -> list[dict[str, object]]:
    """The rows of one year and channel. dollars: US for one international dollar, by country."""
    period, channel = str(accounts["period_code"][0]), str(accounts["channel_code"][0])
    strategies = [ALL, *sorted(set(accounts["strategy_code"]))]
    people = by_respondent(accounts, reference.operator_frame).with_columns(
        subscriptions=pl.lit(None, dtype=pl.Int64)
    )
    units = yearly_totals(traffic, reference, channel, period)
    beside = {"period_code": period, "channel_code": channel}
    rows = [
        *money(accounts, people, reference, dollars, strategies, ("investment", channel, period)),
        *posts(accounts, people, reference, strategies, ("posts", channel, period)),
    ]
    return [row | beside | {"per_thousand_units": per_thousand(row, units)} for row in rows]


def money(
    accounts: pl.DataFrame,
    people: pl.DataFrame,
    reference: Reference,
    dollars: dict[str, float],
    strategies: list[str],
    key: tuple[str, str, str],
) -> list[dict[str, object]]:
    """Spending by strategy, component and conversion."""
    sample, answered = sample_of(reference, people, key[1], key[2], key)
    found = spent(answered, seed_of(*key, "bands"))
    share = of_strategies(accounts, "share", answered["respondent_id"].to_list(), strategies)
    price = prices(np.array([dollars[name] for name in answered["country_code"]]))
    is_band = answered["is_band"].to_numpy()
    own = factors(found.parts, price)
    y = measures(found.mean, share, own)
    if is_band.any():
        # Without a band every replicate has the same amounts.
        drawn = measures(found.draws, share, factors(found.drawn_parts, price))
        y = np.concatenate([y[None], drawn])
    least = measures(found.lowest, share, certain_factors(found.parts, price, is_band))
    rows = estimates(sample, y, least)
    edges = [
        {
            (row["area_code"], row["measure"]): row["estimate"]
            for row in estimates(sample, measures(amounts, share, own))
        }
        for amounts in (found.lowest, found.highest)
    ]
    banded = banded_in(sample, is_band)
    names = named(strategies)
    for row in rows:
        area, measure = str(row["area_code"]), int(str(row["measure"]))
        strategy, component, conversion = names[measure]
        row |= {
            "strategy_code": strategy,
            "component_code": component,
            "conversion_code": conversion,
            "bands_lowest": edges[0][area, measure],
            "bands_highest": edges[1][area, measure],
            "band_count": banded[area],
        }
    return rows


def posts(
    accounts: pl.DataFrame,
    people: pl.DataFrame,
    reference: Reference,
    strategies: list[str],
    key: tuple[str, str, str],
) -> list[dict[str, object]]:
    """Posts by strategy, from the respondents of which they are known; none where they are of nobody."""
    told = people.filter("has_posts")
    if told.is_empty():
        return []
    sample, answered = sample_of(reference, told, key[1], key[2], key)
    own = accounts.filter(pl.col("respondent_id").is_in(told["respondent_id"].to_list()))
    filled = own.with_columns(pl.col("posts").cast(pl.Float64))
    y = of_strategies(filled, "posts", answered["respondent_id"].to_list(), strategies)
    banded = banded_in(sample, answered["is_band"].to_numpy())
    return [
        row
        | {
            "strategy_code": strategies[int(str(row["measure"]))],
            "component_code": POSTS,
            "conversion_code": NO_MONEY,
            "band_count": banded[str(row["area_code"])],
        }
        for row in estimates(sample, y)
    ]


def banded_in(sample: Sample, is_band: Array) -> dict[str, int]:
    """Of each area the respondents of whom only a budget band is known."""
    answering = sample.weighted.operators.is_respondent
    return {
        area.code: int(is_band[sample.member[place, answering]].sum())
        for place, area in enumerate(sample.areas)
    }


def per_thousand(row: dict[str, object], units: dict[str, Any]) -> float | None:
    """An estimate for each thousand messages or calls of its area; None where no logs tell of them."""
    total = units.get(str(row["area_code"]))
    return 1000 * float(str(row["estimate"])) / total if total and row["estimate"] is not None else None


def yearly_totals(traffic: pl.DataFrame, reference: Reference, channel: str, period: str) -> dict[str, Any]:
    """Messages or calls of a year of each area, as far as logs of operators tell that were there
    to its end."""
    frame = on_day(reference.operator_frame, last_day(period)).filter(pl.col("channel_code") == channel)
    answered = traffic.filter((pl.col("channel_code") == channel) & (pl.col("period_code") == period)).filter(
        pl.col("respondent_id").is_in(frame["respondent_id"].to_list())
    )
    if answered.is_empty():
        return {}
    sample, answered = sample_of(reference, answered, channel, period, ("units", channel, period))
    rows = estimates(sample, answered.select("units").to_numpy())
    return {str(row["area_code"]): row["estimate"] for row in rows}
