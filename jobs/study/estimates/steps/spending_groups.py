"""Spending of groups of respondents for each subscription, by which targets are priced.

Labour is in international dollars and the rest in US dollars, so that each country can be priced at its own
wages; capital is given by the development class of the country that would pay it, at its discount rate.

How uncertain a target is: owners are drawn again and the group is chosen anew, by a rescaled bootstrap (Rao
and Wu 1988): of n owners n - 1 are drawn with replacement, so that the variance over draws is that of the
sample. Who is in the group is decided in each draw, and so is what it spends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from jobs.base.stats.estimation import Array

# A group of fewer to choose from is whoever happened to answer.
LEAST = 5
# Parts of respondents in the order of what they spend, as shares of their subscriptions.
PLACES = {"middle": (0.25, 0.75), "top": (0.75, 1.0)}
DRAWS = 400
CONFIDENCE = 0.975
# Of draws x respondents, how often each is drawn, the part of each that is in the group.
Choice = Callable[[Array], Array]


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


@dataclass(frozen=True)
class GroupSpending:
    """Spending of a group of respondents for each subscription: labour in international dollars, the rest
    and, by development class of who pays, capital in US dollars.

    Attributes:
        count, owners: the number of respondents and of their owners.
        strategies: the share of each, the largest first.
    """

    labour: float
    capital: Mapping[str, float]
    rest: float
    count: int
    owners: int
    strategies: list[tuple[str, float]]


@dataclass(frozen=True)
class TargetGroup:
    """A group whose spending is a target.

    Attributes:
        of: the number to choose from; with too few nothing else is known.
        draws: None of one owner. Of the best alone least, the smallest share of spam that one stopped, and
            right, the share of what they flagged that was spam.
    """

    of: int
    spending: GroupSpending | None = None
    draws: TargetDraws | None = None
    least: float | None = None
    right: float | None = None


def group_spending(group: pl.DataFrame, exact: pl.DataFrame, costs: pl.DataFrame) -> GroupSpending:
    """Spending of a group of spending_by_respondent().

    Args:
        costs: the result of investment_gap.capital_costs().
    """
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
    return GroupSpending(
        labour=float(group["labour"].sum()) / subscriptions,
        capital=dict(by_class.rows()),
        rest=float(group["rest"].sum()) / subscriptions,
        count=group.height,
        owners=group["holding_id"].n_unique(),
        strategies=spent.group_by("strategy_code")
        .agg(pl.col("amount").sum() / spent["amount"].sum())
        .sort(["amount", "strategy_code"], descending=[True, False])
        .rows(),
    )


def placed_spending(
    accounts: pl.DataFrame, costs: pl.DataFrame, frame: pl.DataFrame, place: str, seed: int
) -> TargetGroup:
    """The respondents that lie in a part of PLACES, in the order of spending for each subscription at market
    rates."""
    exact = exact_spending(accounts)
    each = spending_by_respondent(exact, frame).filter(pl.col("subscriptions") > 0)
    if each.height < LEAST:
        return TargetGroup(each.height)
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
    return TargetGroup(
        each.height, group_spending(group, exact, costs), draw_target(ordered, costs, choose, seed)
    )


@dataclass(frozen=True)
class TargetDraws:
    """Spending of a group for each subscription, draw by draw: labour in international dollars, the rest and,
    by development class of who pays, capital in US dollars.

    Attributes:
        owners: the number of owners that could be drawn.
    """

    labour: Array
    rest: Array
    capital: Mapping[str, Array]
    owners: int

    def necessary(self, subscriptions: float, parity: float, of_class: Mapping[str, float]) -> Array:
        """The target of an area, draw by draw.

        Args:
            parity: its subscriptions, each times what an international dollar is in US dollars there.
            of_class: its subscriptions by development class.
        """
        assets = [self.capital[name] * count for name, count in of_class.items() if name in self.capital]
        return self.rest * subscriptions + self.labour * parity + np.sum(assets, axis=0)


def draw_target(ordered: pl.DataFrame, costs: pl.DataFrame, choose: Choice, seed: int) -> TargetDraws | None:
    """The draws of a group; None of one owner, whose spending shows no variance.

    Args:
        ordered: respondents to choose from, as spending_by_respondent() gives them, in the order that
            choose() goes by.
        costs: the result of investment_gap.capital_costs().
    """
    owners, of = np.unique(ordered["holding_id"].to_numpy().astype(str), return_inverse=True)
    if len(owners) < 2:
        return None
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(owners) - 1, np.full(len(owners), 1 / len(owners)), size=DRAWS)
    count = drawn[:, of].astype(float)
    inside = count * choose(count)
    total = inside @ numbers(ordered, "subscriptions")
    capital = numbers(ordered, "capital")
    return TargetDraws(
        inside @ numbers(ordered, "labour") / total,
        inside @ numbers(ordered, "rest") / total,
        {
            name: inside @ (capital * ratio_to_own(ordered, costs, name)) / total
            for name in sorted(set(costs["development_code"]))
        },
        len(owners),
    )


def numbers(rows: pl.DataFrame, name: str) -> Array:
    return rows[name].cast(pl.Float64).to_numpy()


def ratio_to_own(ordered: pl.DataFrame, costs: pl.DataFrame, development: str) -> Array:
    """Ratio of the cost of each respondent's assets at the rate of a class to that in its own; 0 without."""
    of_class = costs.filter(pl.col("development_code") == development)
    joined = ordered.select("respondent_id").join(
        of_class, on="respondent_id", how="left", maintain_order="left"
    )
    return joined["over_own"].fill_null(0.0).to_numpy()


def choose_place(size: Array, low: float, high: float) -> Choice:
    """Return a function that chooses the operators whose middle lies in a part of all subscriptions, in their
    order; an operator with more than the part alone is chosen, as in placed_spending()."""

    def choose(count: Array) -> Array:
        drawn = count * size
        middle = (np.cumsum(drawn, axis=1) - drawn / 2) / drawn.sum(axis=1, keepdims=True)
        inside = (count > 0) & (middle > low) & (middle <= high)
        last = np.zeros_like(inside)
        last[np.arange(len(count)), count.shape[1] - 1 - np.argmax(count[:, ::-1] > 0, axis=1)] = True
        otherwise = last if high == 1.0 else count > 0
        return np.where(inside.any(axis=1, keepdims=True), inside, otherwise)

    return choose


def choose_first(rate: Array, share: float) -> Choice:
    """The first so many of those drawn, at least one, and all that have the rate of the last of them."""

    def choose(count: Array) -> Array:
        wanted = np.maximum(1, np.rint(share * count.sum(axis=1)))
        last = np.argmax(np.cumsum(count, axis=1) >= wanted[:, None], axis=1)
        return (count > 0) & (rate >= rate[last][:, None])

    return choose


@dataclass(frozen=True)
class Payers:
    """Countries that pay for a target: subscriptions, what an international dollar is in US dollars, and
    development class of each."""

    subscriptions: Mapping[str, float]
    dollars: Mapping[str, float]
    classes: Mapping[str, str]

    def necessary_interval(
        self, necessary: float, countries: Sequence[str], draws: TargetDraws
    ) -> tuple[float, float]:
        """The 95% interval about the target of these countries, by Student's t with the owners' degrees of
        freedom; not below 0."""
        of_class: dict[str, float] = {}
        for name in countries:
            of_class[self.classes[name]] = of_class.get(self.classes[name], 0.0) + self.subscriptions[name]
        parity = sum(self.subscriptions[name] * self.dollars[name] for name in countries)
        drawn = draws.necessary(sum(of_class.values()), parity, of_class)
        half = float(drawn.std(ddof=1) * stats.t.ppf(CONFIDENCE, draws.owners - 1))
        return max(necessary - half, 0.0), necessary + half
