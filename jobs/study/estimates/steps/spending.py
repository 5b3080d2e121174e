"""Spending of respondents as measures that can be estimated: strategies x components x conversions, and
posts.

Capital and running costs are parts of one whole; the whole is estimated itself. Conversions: all at
purchasing power parity, all at the market rate, and labour at parity with the rest at the market rate.
"""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl

from jobs.base.costs.investment_assumptions import LIFE, SHARE, rate_code
from jobs.base.stats.estimation import Array, encode_sets
from jobs.base.stats.formula import recovery_factor
from jobs.base.stats.imputation import PARTS, Spending, impute_spending
from jobs.base.stats.sampling import Samples
from jobs.base.tables.validity import rows_on_day

ALL = "_T"
CONVERSIONS = ("ppp", "market", "mixed")
# Of which parts each component is made, in the order of PARTS.
COMPONENTS = {ALL: (1, 1, 1), "capital": (1, 0, 0), "operating": (0, 1, 1)}
# Posts are no money: a component and conversion of their own.
POSTS, NO_MONEY = "posts", "none"


def sum_by_respondent(accounts: pl.DataFrame, frame: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """Each respondent's spending on all channels: amounts of this one over its share of the whole, the shares
    of its parts, its assets, its band, and its posts on this channel. Its size and subscriptions are those of
    the day."""
    whole = pl.col("share").sum()
    size = (
        rows_on_day(frame, day)
        .group_by("respondent_id")
        .agg(pl.col("subscriptions").sum().alias("all_subscriptions"), pl.col("size_code").first())
        .sort("respondent_id")
    )
    amount = pl.col("amount").cast(pl.Float64)
    shares = {
        part: pl.when(amount.sum() > 0)
        .then(pl.col(f"{part}_amount").cast(pl.Float64).sum() / amount.sum())
        .otherwise(0.0)
        for part in PARTS
    }
    return (
        accounts.sort("respondent_id", "strategy_code")
        .group_by("respondent_id", maintain_order=True)
        .agg(
            pl.col("country_code").first(),
            pl.col("is_band").first(),
            (pl.col("ppp_amount").cast(pl.Float64).sum() / whole).alias("exact"),
            pl.col("band_low").first().cast(pl.Float64),
            pl.col("band_high").first().cast(pl.Float64),
            pl.col("posts").is_not_null().all().alias("has_posts"),
            pl.col("assets").first(),
            **shares,
        )
        .join(size, on="respondent_id", how="left", maintain_order="left")
    )


def draw_capital(answered: pl.DataFrame, classes: Sequence[str], points: Samples) -> Array:
    """Replicates x respondents: each one's capital cost with the drawn rate, lives and shares over that with
    the central ones, which is 1 for those of whom no asset is known. What it stated itself is not drawn.

    Args:
        answered: the result of sum_by_respondent().
        classes: classes of the respondents' countries.
        points: the result of investment_assumptions.points(), the central values first.
    """
    stated = (
        answered.select("assets")
        .with_row_index("place")
        .explode("assets")
        .drop_nulls("assets")
        .unnest("assets")
    )
    place = stated["place"].to_numpy()
    rates = [rate_code(classes[each]) for each in place]

    def draw_codes(codes: Sequence[str], own: Array) -> Array:
        stands = np.array([points[code] for code in codes]).reshape(len(codes), len(points[SHARE])).T
        return np.where(np.isnan(own), stands, own)

    share = draw_codes([SHARE] * len(place), stated["share"].cast(pl.Float64).fill_null(np.nan).to_numpy())
    life = draw_codes(
        [LIFE[code] for code in stated["asset_code"]],
        stated["life"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
    )
    rate = draw_codes(rates, np.full(len(place), np.nan))
    each = stated["purchase"].cast(pl.Float64).to_numpy() * share * recovery_factor(rate, life)
    cost = each @ encode_sets(place, answered.height)
    return np.divide(cost[1:], cost[0], out=np.ones_like(cost[1:]), where=cost[0] > 0)


def draw_spending(answered: pl.DataFrame, seed: int, capital: Array) -> Spending:
    """The respondents' amounts, with bands imputed.

    Args:
        answered: the result of sum_by_respondent().
        capital: the result of draw_capital().
    """
    is_band = answered["is_band"].to_numpy()
    high = pl.when(pl.col("is_band")).then(pl.col("band_high").fill_null(np.inf)).otherwise(0.0)
    return impute_spending(
        exact=np.where(is_band, np.nan, answered["exact"].to_numpy()),
        parts=answered.select(*PARTS).to_numpy(),
        low=answered["band_low"].fill_null(0.0).to_numpy(),
        high=answered.select(high).to_series().to_numpy(),
        subscriptions=answered["all_subscriptions"].cast(pl.Float64).to_numpy(),
        size=answered["size_code"].to_numpy().astype(object),
        seed=seed,
        replicates=len(capital),
        capital=capital,
    )


def sum_by_strategy(
    accounts: pl.DataFrame, column: str, respondents: Sequence[str], strategies: Sequence[str]
) -> Array:
    """Respondents x strategies: the sums of a column; of all strategies first."""
    found = np.zeros((len(respondents), len(strategies)))
    row_of = {name: place for place, name in enumerate(respondents)}
    for respondent, strategy, value in accounts.select("respondent_id", "strategy_code", column).rows():
        found[row_of[respondent], strategies.index(strategy)] += value
        found[row_of[respondent], 0] += value
    return found


def dollar_prices(to_dollars: Array) -> Array:
    """Respondents x PARTS x CONVERSIONS: what one international dollar of a part is in each.

    Args:
        to_dollars: US dollars for one international dollar, of each respondent's country.
    """
    parity = np.ones_like(to_dollars)
    mixed = {"labour": parity}
    return np.stack(
        [np.stack([parity, to_dollars, mixed.get(part, to_dollars)], axis=-1) for part in PARTS], axis=1
    )


def component_factors(parts: Array, price: Array) -> Array:
    """(… x) respondents x COMPONENTS x CONVERSIONS: what one international dollar of spending is in each."""
    return np.einsum("...rp,rpv,cp->...rcv", parts, price, np.array(list(COMPONENTS.values()), dtype=float))


def certain_factors(parts: Array, price: Array, is_band: Array) -> Array:
    """Factors of component_factors() for what is certain: how a band divides is not known, so its least over
    all divisions."""
    one = np.eye(len(PARTS))[:, None, :].repeat(len(parts), axis=1)
    least = component_factors(one, price).min(axis=0)
    return np.where(is_band[:, None, None], least, component_factors(parts, price))


def spending_measures(amounts: Array, share: Array, factor: Array) -> Array:
    """(replicates x) respondents x measures, ordered as measure_names() lists them.

    Args:
        amounts: (replicates x) respondents.
        share: respondents x strategies.
        factor: an array like that of component_factors().
    """
    wide = amounts[..., None, None, None] * share[:, :, None, None] * factor[..., None, :, :]
    return wide.reshape(*amounts.shape, -1)


def measure_names(strategies: Sequence[str]) -> list[tuple[str, str, str]]:
    """Strategy, component and conversion of each measure."""
    return [
        (strategy, component, conversion)
        for strategy in strategies
        for component in COMPONENTS
        for conversion in CONVERSIONS
    ]
