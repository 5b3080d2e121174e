"""Spending of groups of respondents for each subscription, by which targets are priced.

Labour is in international dollars and the rest in US dollars, so that each country can be priced at its own
wages; capital is given by the development class of the country that would pay it, at its discount rate.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from jobs.study.estimates.steps.target_draws import choose_place, draw_target, numbers

# A group of fewer to choose from is whoever happened to answer.
LEAST = 5
# Parts of respondents in the order of what they spend, as shares of their subscriptions.
PLACES = {"middle": (0.25, 0.75), "top": (0.75, 1.0)}


def exact_spending(accounts: pl.DataFrame) -> pl.DataFrame:
    """Accounts in amounts, with labour in international dollars, capital and the rest in US dollars."""
    real, amount = pl.col("real_amount").cast(pl.Float64), pl.col("amount").cast(pl.Float64)
    labour, assets = (pl.col(f"{part}_amount").cast(pl.Float64) / amount for part in ("labour", "capital"))
    market = pl.col("market_amount").cast(pl.Float64)
    return accounts.filter(~pl.col("is_band") & (pl.col("amount") > 0) & (real > 0)).with_columns(
        (labour * pl.col("ppp_amount").cast(pl.Float64)).alias("labour"),
        (assets * market).alias("capital"),
        ((1 - labour - assets) * market).alias("rest"),
    )


def spending_by_respondent(exact: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """A row for each respondent and channel of exact_spending() that the frame has, with its holding and
    subscriptions."""
    return (
        exact.group_by("respondent_id", "channel_code")
        .agg(
            pl.col("labour", "capital", "rest").sum(),
            market=pl.col("market_amount").cast(pl.Float64).sum(),
        )
        .join(
            frame.select("respondent_id", "channel_code", "holding_id", "subscriptions"),
            on=["respondent_id", "channel_code"],
        )
    )


def group_spending(group: pl.DataFrame, exact: pl.DataFrame, costs: pl.DataFrame) -> dict[str, Any]:
    """What a group of spending_by_respondent() spends for each subscription, how many they are, their owners,
    and the strategies that they spend on. costs: of investment_gap.capital_costs()."""
    subscriptions = float(group["subscriptions"].sum())
    spent = exact.join(group, on="respondent_id", how="semi").select(
        "strategy_code", amount=pl.sum_horizontal("labour", "capital", "rest")
    )
    by_class = (
        group.join(costs, on="respondent_id")
        .sort("respondent_id")
        .group_by("development_code", maintain_order=True)
        .agg((pl.col("capital") * pl.col("over_own")).sum() / subscriptions)
    )
    return {
        "labour": float(group["labour"].sum()) / subscriptions,
        "capital": dict(by_class.rows()),
        "rest": float(group["rest"].sum()) / subscriptions,
        "count": group.height,
        "owners": group["holding_id"].n_unique(),
        "strategies": spent.group_by("strategy_code")
        .agg(pl.col("amount").sum() / spent["amount"].sum())
        .sort(["amount", "strategy_code"], descending=[True, False])
        .rows(),
    }


def placed_spending(
    accounts: pl.DataFrame, costs: pl.DataFrame, frame: pl.DataFrame, place: str, seed: int
) -> dict[str, Any]:
    """What those respondents spend that lie in a part of PLACES, in the order of spending for each
    subscription at market rates; with fewer than LEAST to choose from nothing but their number, `of`."""
    exact = exact_spending(accounts)
    each = spending_by_respondent(exact, frame).filter(pl.col("subscriptions") > 0)
    if each.height < LEAST:
        return {"of": each.height}
    low, high = PLACES[place]
    size = pl.col("subscriptions").cast(pl.Float64)
    ordered = each.sort(pl.col("market") / size, "respondent_id").with_columns(
        # Where the middle of its subscriptions lies among those of all.
        place=(size.cum_sum() - size / 2) / size.sum()
    )
    group = ordered.filter((pl.col("place") > low) & (pl.col("place") <= high))
    # One respondent may have more subscriptions than the part.
    group = group if group.height else ordered.tail(1) if high == 1.0 else ordered
    choose = choose_place(numbers(ordered, "subscriptions"), low, high)
    return group_spending(group, exact, costs) | {
        "of": each.height,
        "draws": draw_target(ordered, costs, choose, seed),
    }
