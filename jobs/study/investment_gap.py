"""study.investment_gap: what an area spends in a year against what a chosen target would cost.

Two targets, chosen in the settings or on the command line. `norm`: an amount for each subscription. `best`:
what the measures cost for each subscription that the respondents run that stop most of their spam before
delivery, with labour at the parity of each country that would have to pay it.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.accounts import Price
from jobs.areas import COUNTRY, areas, classified
from jobs.contracts import struct_type
from jobs.investment_targets import of_channel, value_of
from jobs.periods import last_day
from jobs.study.investment_account import price_of, prices_of
from jobs.study_rows import COUNTED, as_table, collected

TABLE = "study.investment_gap"
# Outcomes in which spam did not get to the user, marked or not.
STOPPED = ("rejected", "discarded", "quarantined", "deferred")


def transform(
    investment: DataFrame,
    investment_account: DataFrame,
    submission: DataFrame,
    operator_frame: DataFrame,
    country: DataFrame,
    country_group: DataFrame,
    price_level: DataFrame,
    investment_assumption: DataFrame,
    investment_target: DataFrame,
) -> DataFrame:
    """One task a year and channel; all inputs are small."""
    accounts, frame = collected(investment_account), collected(operator_frame)
    countries, groups = collected(country), collected(country_group)
    prices, assumed = prices_of(collected(price_level)), collected(investment_assumption)
    stopped, chosen = collected(stopping(submission)), collected(investment_target)

    def gaps(spending: pa.Table) -> pa.Table:
        found = pl.from_arrow(spending)
        assert isinstance(found, pl.DataFrame)
        period, channel = str(found["period_code"][0]), str(found["channel_code"][0])
        members = classified(countries, groups, last_day(period))
        mine = (pl.col("period_code") == period) & (pl.col("channel_code") == channel)
        protected = stopped.filter((pl.col("channel_code") == channel) & (pl.col("year") == period))
        wanted = of_channel(chosen, channel)
        best = None
        if "best" in wanted:
            share = wanted["best"][0]
            best = best_respondents(accounts.filter(mine), protected, frame, share, last_day(period))
        rows = channel_rows(found, members, prices, assumed, wanted, best)
        return as_table([row | {"period_code": period, "channel_code": channel} for row in rows], TABLE)

    whole = investment.filter("strategy_code = '_T' AND component_code = '_T' AND conversion_code = 'market'")
    return whole.groupBy("period_code", "channel_code").applyInArrow(gaps, struct_type(TABLE))


def stopping(submission: DataFrame) -> DataFrame:
    """Each respondent's spam of a year by the operator's own definition, and what of it was stopped."""
    spam = F.col("spam_certain")
    return (
        submission.filter(F.col("direction_code").isin(*COUNTED) & (F.col("definition_code") == "OPERATOR"))
        .filter(F.col("unit_code").isin("recipient", "call") & F.col("period_code").rlike(r"^\d{4}-\d{2}$"))
        .groupBy("respondent_id", "channel_code", F.substring("period_code", 1, 4).alias("year"))
        .agg(
            F.sum(spam).alias("spam"),
            F.sum(F.when(F.col("outcome_code").isin(*STOPPED), spam).otherwise(0)).alias("stopped"),
        )
        .filter("spam > 0")
    )


def best_respondents(
    accounts: pl.DataFrame, stopped: pl.DataFrame, frame: pl.DataFrame, share: float, day: dt.date
) -> dict[str, Any] | None:
    """What the best spend for each subscription: labour in international dollars, the rest in US dollars.

    The best are the `share` of respondents with exact accounts and logs that stop most of their spam, at
    least one. None where there is no such respondent.
    """
    real = pl.col("real_amount").cast(pl.Float64)
    labour = (pl.col("labour_amount") / pl.col("amount")).cast(pl.Float64).fill_nan(0.0)
    in_frame = frame.filter(
        (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day))
    )
    exact = (
        accounts.filter(~pl.col("is_band") & (pl.col("amount") > 0))
        .with_columns(
            (labour * pl.col("ppp_amount").cast(pl.Float64)).alias("labour"),
            ((1 - labour) * pl.col("market_amount").cast(pl.Float64)).alias("rest"),
        )
        .filter(real > 0)
    )
    each = (
        exact.group_by("respondent_id", "channel_code")
        .agg(pl.col("labour", "rest").sum())
        .join(stopped, on=["respondent_id", "channel_code"])
        .join(
            in_frame.select("respondent_id", "channel_code", "subscriptions"),
            on=["respondent_id", "channel_code"],
        )
        .with_columns((pl.col("stopped") / pl.col("spam")).alias("rate"))
        .sort(["rate", "respondent_id"], descending=[True, False])
    )
    if each.is_empty():
        return None
    best = each.head(max(1, round(share * each.height)))
    subscriptions = float(best["subscriptions"].sum())
    spent = exact.join(best, on="respondent_id", how="semi").select(
        "strategy_code", amount=pl.col("labour") + pl.col("rest")
    )
    return {
        "labour": float(best["labour"].sum()) / subscriptions,
        "rest": float(best["rest"].sum()) / subscriptions,
        "count": best.height,
        "of": each.height,
        "least": float(best["rate"][-1]),
        "strategies": spent.group_by("strategy_code")
        .agg(pl.col("amount").sum() / spent["amount"].sum())
        .sort(["amount", "strategy_code"], descending=[True, False])
        .rows(),
    }


def channel_rows(
    spending: pl.DataFrame,
    members: pl.DataFrame,
    prices: dict[tuple[str, int], Price],
    assumed: pl.DataFrame,
    wanted: dict[str, tuple[float, str]],
    best: dict[str, Any] | None,
) -> list[dict[str, Any]]:
    """The gap of each area, by each target. The target of an area adds up its countries'.

    wanted: each target's value and who chose it.
    """
    base = int(value_of(assumed, "base_year"))
    of_country = dict(
        spending.filter(pl.col("area_kind_code") == COUNTRY).select("area_code", "subscriptions").rows()
    )
    targets: dict[str, dict[str, float]] = {}
    if "norm" in wanted:
        targets["norm"] = dict.fromkeys(of_country, wanted["norm"][0])
    if best:
        targets["best"] = {}
        for name in of_country:
            price = price_of(prices, name, base)
            targets["best"][name] = best["rest"] + best["labour"] * price.ppp / price.market
    listed = {
        area.code: area.countries
        for area in areas(members.filter(pl.col("country_code").is_in(list(of_country))))
    }
    told = {code: taken_for_granted(code, assumed, wanted[code], best) for code in targets}
    rows = []
    for spend in spending.filter(pl.col("estimate").is_not_null()).sort("area_code").to_dicts():
        for code, target in targets.items():
            subscriptions = sum(of_country[name] for name in listed[spend["area_code"]])
            necessary = sum(of_country[name] * target[name] for name in listed[spend["area_code"]])
            amounts = {
                end: round(float(spend[name]), 2)
                for end, name in (("", "estimate"), ("_low", "estimate_low"), ("_high", "estimate_high"))
            }
            rows.append(
                {
                    "area_code": spend["area_code"],
                    "area_kind_code": spend["area_kind_code"],
                    "conf_status_code": spend["conf_status_code"],
                    "target_code": code,
                    "target_per_subscription": necessary / subscriptions if subscriptions else 0.0,
                    "subscriptions": subscriptions,
                    "spend": amounts[""],
                    "spend_low": amounts["_low"],
                    "spend_high": amounts["_high"],
                    "necessary": necessary,
                    "gap": max(necessary - amounts[""], 0.0),
                    "gap_low": max(necessary - amounts["_high"], 0.0),
                    "gap_high": max(necessary - amounts["_low"], 0.0),
                    "assumptions": told[code],
                }
            )
    return rows


def taken_for_granted(
    target: str, assumed: pl.DataFrame, wanted: tuple[float, str], best: dict[str, Any] | None
) -> list[str]:
    """The assumptions that a gap depends on, as sentences with their values."""
    value, source = wanted
    base = int(value_of(assumed, "base_year"))
    told: list[str] = []
    if target == "norm":
        told.append(f"Norm: {value:g} US dollars of {base} for each subscription and year, by {source}.")
    if target == "best" and best:
        told += [
            f"The best are {100 * value:g}% of the respondents with accounts and logs, by {source}:"
            f" {best['count']} of {best['of']}. Each stopped at least {100 * best['least']:.1f}% of its spam,"
            " by its own definition, before delivery.",
            "What they run is what they spend on: "
            + ", ".join(f"{100 * share:.0f}% {name}" for name, share in best["strategies"])
            + " (strategies of ITU-T X.1231; _U: not told).",
            "Labour costs the country's own wages (purchasing power parity), equipment the same everywhere.",
        ]
    told += [
        f"{row['description']}: {row['central']:g} ({row['unit_text']})."
        for row in assumed.to_dicts()
        if row["assumption_code"] in ("base_year", "discount_rate")
    ]
    return told + [
        "The target is taken as known: the interval of the gap is that of spending alone.",
        "An area that spends more than the target on the whole has no gap, though some of its operators may.",
        "What a subscription needs is taken to be the same in every country but for prices.",
    ]
