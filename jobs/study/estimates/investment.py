"""study.investment: estimated yearly spending against spam, and posts, per area, channel and strategy."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from jobs.base.core.periods import last_day
from jobs.base.costs.investment_assumptions import draw_parameters
from jobs.base.figures.areas import COUNTRY, Area, classify_countries, list_areas
from jobs.base.figures.channels import CALLS
from jobs.base.figures.counting_rules import RECEIVED
from jobs.base.stats.estimation import REPLICATES, Array, seed_of
from jobs.base.stats.sampling import Samples
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates.investment_account import PriceLevels
from jobs.study.estimates.steps.area_rows import estimate_areas
from jobs.study.estimates.steps.days import scale_to_all_days
from jobs.study.estimates.steps.rows import fill_columns, frame_rows, is_month, sum_or_null, type_columns
from jobs.study.estimates.steps.sample import Reference, Sample, point_estimates, sample_of
from jobs.study.estimates.steps.spending import (
    ALL,
    NO_MONEY,
    POSTS,
    certain_factors,
    component_factors,
    dollar_prices,
    draw_capital,
    draw_spending,
    measure_names,
    spending_measures,
    sum_by_respondent,
    sum_by_strategy,
)

TABLE = "study.investment"
AT_MARKET = "market"
MILLION, PERCENT = 1e6, 100.0
# Of ref.economy the amounts, and the columns of study.investment for each: share, and year of the amounts.
SHARES = {
    "gdp_amount": ("per_million_gdp", "gdp_year", MILLION),
    "telecom_revenue_amount": ("telecom_revenue_pct", "telecom_revenue_year", PERCENT),
}
Total = tuple[float, int]


def transform(
    investment_account: pl.DataFrame,
    submission: pl.DataFrame,
    reference: Reference,
    prices: PriceLevels,
    economy: pl.DataFrame,
    cost_parameter: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each area, strategy, component and conversion of a year and channel.

    In parts: an estimate needs the accounts and the logs of all respondents of a channel and year, so the key
    is period_code and channel_code.
    """
    dollars = prices.dollars
    traffic, amounts = yearly_units(submission), amounts_of_year(economy, prices.base_year)
    by = ["period_code", "channel_code"]
    found = [frame_rows([], TABLE)]
    for accounts in investment_account.sort(*by, "respondent_id", "strategy_code").partition_by(by):
        drawn = draw_parameters(rows_on_day(cost_parameter, last_day(str(accounts["period_code"][0]))))
        rows = channel_rows(accounts, traffic, reference, dollars, drawn, amounts)
        found.append(fill_columns(type_columns(rows, TABLE), TABLE))
    return pl.concat(found)


def yearly_units(submission: pl.DataFrame) -> pl.DataFrame:
    """Each respondent's messages or calls of a year: the mean of its months, times twelve. A month that lacks
    some days counts as a whole one, and one that lacks many not at all.

    All definitions count the same traffic, so the largest of their sums is the traffic.
    """
    unit = pl.when(pl.col("channel_code").is_in(CALLS)).then(pl.lit("call")).otherwise(pl.lit("recipient"))
    by = ["respondent_id", "channel_code", "period_code"]
    return (
        scale_to_all_days(submission)
        .filter(
            pl.col("direction_code").is_in(RECEIVED)
            & is_month(pl.col("period_code"))
            & (pl.col("unit_code") == unit)
        )
        .group_by(*by, "definition_code")
        .agg(sum_or_null(pl.col("units")), pl.col("subscriptions").max())
        .group_by(by)
        .agg(pl.col("units").max(), pl.col("subscriptions").max())
        .sort(by)
        .group_by("respondent_id", "channel_code", period_code=pl.col("period_code").str.slice(0, 4))
        .agg(pl.col("units").mean() * 12, pl.col("subscriptions").last())
    )


def channel_rows(
    accounts: pl.DataFrame,
    traffic: pl.DataFrame,
    reference: Reference,
    dollars: dict[str, float],
    drawn: Samples,
    amounts: dict[str, dict[str, Total]],
) -> pl.DataFrame:
    """The rows of one year and channel.

    Args:
        dollars: US for one international dollar, by country.
        drawn: what capital cost takes for granted, of investment_assumptions.points().
        amounts: the countries' economies, as amounts_of_year() returns them.
    """
    period, channel = str(accounts["period_code"][0]), str(accounts["channel_code"][0])
    strategies = [ALL, *sorted(set(accounts["strategy_code"]))]
    people = sum_by_respondent(accounts, reference.operator_frame, last_day(period)).with_columns(
        subscriptions=pl.lit(None, dtype=pl.Int64)
    )
    units = yearly_totals(traffic, reference, channel, period)
    money = money_rows(
        accounts, people, reference, dollars, drawn, strategies, ("investment", channel, period)
    )
    totals = sum_areas(amounts, areas_of(money, reference, last_day(period)))
    posts = post_rows(accounts, people, reference, strategies, ("posts", channel, period))
    rows = pl.concat([add_area_shares(money, totals), *posts], how="diagonal")
    total = pl.col("area_code").replace_strict(units, default=None, return_dtype=pl.Float64)
    return rows.with_columns(
        period_code=pl.lit(period),
        channel_code=pl.lit(channel),
        # None where no logs cover messages or calls.
        per_thousand_units=pl.when(total > 0).then(1000 * pl.col("estimate") / total),
    )


def areas_of(rows: pl.DataFrame, reference: Reference, day: dt.date) -> list[Area]:
    """The areas of these rows, with the countries that they are of."""
    countries = rows.filter(pl.col("area_kind_code") == COUNTRY)["area_code"].to_list()
    listed = classify_countries(reference.country, reference.country_group, day)
    return list_areas(listed.filter(pl.col("country_code").is_in(countries)))


def money_rows(
    accounts: pl.DataFrame,
    people: pl.DataFrame,
    reference: Reference,
    dollars: dict[str, float],
    drawn: Samples,
    strategies: list[str],
    key: tuple[str, str, str],
) -> pl.DataFrame:
    """Spending by strategy, component and conversion.

    Args:
        people: a row for each respondent, as sum_by_respondent() returns them.
        dollars: US dollars for one international dollar, by country.
        drawn: draws of what capital cost takes for granted.
        key: a table's name, the channel and the period; random numbers are drawn by them.
    """
    sample, answered = sample_of(reference, people, key[1], key[2], key)
    class_of = dict(
        classify_countries(reference.country, reference.country_group, last_day(key[2]))
        .select("country_code", "development_code")
        .rows()
    )
    capital = draw_capital(answered, [class_of[name] for name in answered["country_code"]], drawn)
    found = draw_spending(answered, seed_of(*key, "bands"), capital)
    share = sum_by_strategy(accounts, "share", answered["respondent_id"].to_list(), strategies)
    price = dollar_prices(np.array([dollars[name] for name in answered["country_code"]]))
    is_band = answered["is_band"].to_numpy()
    own = component_factors(found.parts, price)
    stands = y = spending_measures(found.mean, share, own)
    freedom = None
    if is_band.any() or (capital != 1).any():
        # Else every replicate has the same amounts.
        y = np.concatenate(
            [y[None], spending_measures(found.draws, share, component_factors(found.drawn_parts, price))]
        )
        freedom = freedom_of(is_band)
    least = spending_measures(found.certain, share, certain_factors(found.certain_parts, price, is_band))
    # Rounding of products makes equal amounts differ in their last digits: certain ones are set equal.
    least = np.where(np.isclose(least, stands, rtol=1e-12, atol=0), stands, least)
    rows = add_measures(estimate_areas(sample, y, least, freedom), measure_names(strategies), sample, is_band)
    for name, amounts in (("bands_lowest", found.lowest), ("bands_highest", found.highest)):
        points = point_estimates(sample, spending_measures(amounts, share, own))
        # Areas and measures are in the order of the rows.
        values = np.array(list(points.values()), dtype=float).ravel()
        rows = rows.with_columns(pl.Series(name, values, nan_to_null=True))
    return rows


def add_measures(
    rows: pl.DataFrame, measures: list[tuple[str, str, str]], sample: Sample, is_band: Array
) -> pl.DataFrame:
    """Rows of estimate_areas() with strategy, component and conversion of each measure, and how many of an
    area's respondents only a budget band is known of."""
    inside = sample.member[:, sample.weighted.operators.is_respondent]
    names = ("strategy_code", "component_code", "conversion_code")
    codes = pl.DataFrame([(at, *each) for at, each in enumerate(measures)], ["measure", *names], orient="row")
    banded = pl.Series(np.repeat((inside & is_band).sum(axis=1), len(measures)))
    return rows.join(codes, on="measure", maintain_order="left").with_columns(band_count=banded)


def freedom_of(is_band: Array) -> float:
    """Degrees of freedom of what was imputed: of bands those of the accounts that their distribution was
    fitted to; rate, lives and shares are drawn from distributions that are given."""
    return max(float(len(is_band) - 1), 1.0) if is_band.any() else float(REPLICATES - 1)


def post_rows(
    accounts: pl.DataFrame,
    people: pl.DataFrame,
    reference: Reference,
    strategies: list[str],
    key: tuple[str, str, str],
) -> list[pl.DataFrame]:
    """Posts by strategy, from the respondents of which they are known; none where they are of nobody."""
    with_posts = people.filter("has_posts")
    if with_posts.is_empty():
        return []
    sample, answered = sample_of(reference, with_posts, key[1], key[2], key)
    own = accounts.filter(pl.col("respondent_id").is_in(with_posts["respondent_id"].to_list()))
    filled = own.with_columns(pl.col("posts").cast(pl.Float64))
    y = sum_by_strategy(filled, "posts", answered["respondent_id"].to_list(), strategies)
    measures = [(strategy, POSTS, NO_MONEY) for strategy in strategies]
    return [add_measures(estimate_areas(sample, y), measures, sample, answered["is_band"].to_numpy())]


def yearly_totals(traffic: pl.DataFrame, reference: Reference, channel: str, period: str) -> dict[str, Any]:
    """Messages or calls of a year of each area, as far as logs of operators cover them that were there
    to its end."""
    frame = rows_on_day(reference.operator_frame, last_day(period)).filter(pl.col("channel_code") == channel)
    answered = traffic.filter((pl.col("channel_code") == channel) & (pl.col("period_code") == period)).filter(
        pl.col("respondent_id").is_in(frame["respondent_id"].to_list())
    )
    if answered.is_empty():
        return {}
    sample, answered = sample_of(reference, answered, channel, period, ("units", channel, period))
    rows = estimate_areas(sample, answered.select("units").to_numpy())
    return dict(rows.select("area_code", "estimate").rows())


def amounts_of_year(economy: pl.DataFrame, base_year: int) -> dict[str, dict[str, Total]]:
    """Return value and year by amount and country: of the base year, else of the latest before it, else of
    the earliest after it."""
    ranked = economy.sort(
        pl.col("price_year") > base_year, (pl.col("price_year") - base_year).abs(), maintain_order=True
    )
    return {
        name: {
            country: (float(value), year)
            for country, value, year in ranked.filter(pl.col(name).is_not_null())
            .unique("country_code", keep="first", maintain_order=True)
            .select("country_code", name, "price_year")
            .rows()
        }
        for name in SHARES
    }


def sum_areas(known: dict[str, dict[str, Total]], areas: Iterable[Area]) -> dict[str, dict[str, Total]]:
    """Sum amounts over each area's countries, with the earliest year in the sum; nothing where a country has
    none, since what all of them spend is no share of what some of them earn."""
    found: dict[str, dict[str, Total]] = {}
    for area in areas:
        for name, of_country in known.items():
            listed = [of_country.get(country) for country in area.countries]
            whole = [each for each in listed if each is not None]
            if whole and len(whole) == len(listed):
                value, year = sum(each[0] for each in whole), min(each[1] for each in whole)
                found.setdefault(area.code, {})[name] = value, year
    return found


def add_area_shares(rows: pl.DataFrame, totals: dict[str, dict[str, Total]]) -> pl.DataFrame:
    """Rows with the share of each amount that an estimate in dollars at market rates is of its area's, and
    that amount's year.

    Args:
        totals: the result of sum_areas().
    """
    for name, (share, year, scale) in SHARES.items():
        known = [(area, *of_area[name]) for area, of_area in totals.items() if name in of_area]
        kinds = {"area_code": pl.String, "whole": pl.Float64, year: pl.Int64}
        whole = pl.DataFrame(known, schema=kinds, orient="row").with_columns(
            conversion_code=pl.lit(AT_MARKET)
        )
        rows = rows.join(whole, on=["area_code", "conversion_code"], how="left", maintain_order="left")
        has_any = pl.col("estimate").is_not_null()
        rows = rows.with_columns(
            pl.when(has_any).then(scale * pl.col("estimate") / pl.col("whole")).alias(share),
            pl.when(has_any).then(pl.col(year)).alias(year),
        ).drop("whole")
    return rows
