"""study.investment: estimated yearly spending against spam per area, channel, strategy and conversion."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.contracts import struct_type
from jobs.estimation import REPLICATES, Array, seed_of
from jobs.imputation import Spending, spending
from jobs.study.investment_account import prices_of
from jobs.study_rows import COUNTED, as_table, collected
from jobs.study_sample import Reference, estimates, sample_of

TABLE = "study.investment"
ALL = "_T"
CONVERSIONS = ("ppp", "market", "mixed")
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
    """Each respondent's messages or calls of a year: the mean of its months, times twelve.

    Each definition is of the same traffic, so one of them tells of it.
    """
    calls = F.col("channel_code").isin(*CALLS)
    monthly = submission.filter(
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
    key = ("investment", channel, period)
    people = by_respondent(accounts, reference.operator_frame)
    sample, answered = sample_of(
        reference, people.with_columns(subscriptions=pl.lit(None, dtype=pl.Int64)), channel, period, key
    )
    found = spent(answered, seed_of(*key, "bands"))
    strategies = [ALL, *sorted(set(accounts["strategy_code"]))]
    share = shares(accounts, answered["respondent_id"].to_list(), strategies)
    to_dollars = np.array([dollars[name] for name in answered["country_code"]])
    factor = conversions(found.labour_share, to_dollars)
    drawn = np.concatenate([found.mean[None, :], found.draws])

    def measures(amounts: Array) -> Array:
        wide = amounts[..., None, None] * share[:, :, None] * factor[:, None, :]
        return wide.reshape(*amounts.shape, -1)

    # Without a band every replicate has the same amounts.
    is_band = answered["is_band"].to_numpy()
    rows = estimates(
        sample, measures(drawn) if is_band.any() else measures(found.mean), measures(found.lowest)
    )
    bounds = [
        {(row["area_code"], row["measure"]): row["estimate"] for row in estimates(sample, measures(amounts))}
        for amounts in (found.lowest, found.highest)
    ]
    units = yearly_totals(traffic, reference, channel, period)
    banded = {
        area.code: int(is_band[sample.member[place, sample.weighted.operators.is_respondent]].sum())
        for place, area in enumerate(sample.areas)
    }
    made = []
    for row in rows:
        place = row["measure"]
        assert isinstance(place, int)
        area, total = str(row["area_code"]), units.get(str(row["area_code"]))
        made.append(
            row
            | {
                "period_code": period,
                "channel_code": channel,
                "strategy_code": strategies[place // len(CONVERSIONS)],
                "conversion_code": CONVERSIONS[place % len(CONVERSIONS)],
                "bands_lowest": bounds[0][area, place],
                "bands_highest": bounds[1][area, place],
                "band_count": banded[area],
                "per_thousand_units": 1000 * float(str(row["estimate"])) / total
                if total and row["estimate"] is not None
                else None,
            }
        )
    return made


def by_respondent(accounts: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Each respondent's spending on all channels: amounts of this one over its share of the whole."""
    whole = pl.col("share").sum()
    size = (
        frame.group_by("respondent_id")
        .agg(pl.col("subscriptions").sum().alias("all_subscriptions"), pl.col("size_code").first())
        .sort("respondent_id")
    )
    real = pl.col("real_amount").cast(pl.Float64).sum()
    labour = (pl.col("labour_amount").cast(pl.Float64) / pl.col("amount").cast(pl.Float64)).fill_nan(0.0)
    return (
        accounts.sort("respondent_id", "strategy_code")
        .group_by("respondent_id", maintain_order=True)
        .agg(
            pl.col("country_code").first(),
            pl.col("is_band").first(),
            (pl.col("ppp_amount").cast(pl.Float64).sum() / whole).alias("exact"),
            pl.when(real > 0).then(labour.first()).otherwise(0.0).alias("labour_share"),
            pl.col("band_low").first().cast(pl.Float64),
            pl.col("band_high").first().cast(pl.Float64),
        )
        .join(size, on="respondent_id", how="left", maintain_order="left")
    )


def spent(answered: pl.DataFrame, seed: int) -> Spending:
    is_band = answered["is_band"].to_numpy()
    low = answered["band_low"].fill_null(0.0).to_numpy()
    high = answered.select(
        pl.when(pl.col("is_band")).then(pl.col("band_high").fill_null(np.inf)).otherwise(0.0)
    ).to_series()
    return spending(
        exact=np.where(is_band, np.nan, answered["exact"].to_numpy()),
        labour_share=answered["labour_share"].fill_null(0.0).to_numpy(),
        low=low,
        high=high.to_numpy(),
        subscriptions=answered["all_subscriptions"].cast(pl.Float64).to_numpy(),
        size=answered["size_code"].to_numpy().astype(object),
        seed=seed,
        replicates=REPLICATES,
    )


def shares(accounts: pl.DataFrame, respondents: list[str], strategies: list[str]) -> Array:
    """Respondents x strategies: the share of the whole spending; of all strategies first."""
    found = np.zeros((len(respondents), len(strategies)))
    row_of = {name: place for place, name in enumerate(respondents)}
    for respondent, strategy, share in accounts.select("respondent_id", "strategy_code", "share").rows():
        found[row_of[respondent], strategies.index(strategy)] += share
        found[row_of[respondent], 0] += share
    return found


def conversions(labour_share: Array, to_dollars: Array) -> Array:
    """Respondents x conversions: what one international dollar of spending is in each."""
    mixed = labour_share + (1 - labour_share) * to_dollars
    return np.stack([np.ones_like(mixed), to_dollars, mixed], axis=1)


def yearly_totals(traffic: pl.DataFrame, reference: Reference, channel: str, period: str) -> dict[str, Any]:
    """Messages or calls of a year of each area, as far as logs tell."""
    answered = traffic.filter((pl.col("channel_code") == channel) & (pl.col("period_code") == period))
    if answered.is_empty():
        return {}
    sample, answered = sample_of(reference, answered, channel, period, ("units", channel, period))
    rows = estimates(sample, answered.select("units").to_numpy())
    return {str(row["area_code"]): row["estimate"] for row in rows}
