"""Spending of an area as a share of the gross domestic product and telecommunication revenue of countries."""

from collections.abc import Iterable

import polars as pl

from jobs.base.figures.areas import Area

MILLION, PERCENT = 1e6, 100.0
# Of ref.economy the amounts, and the columns of study.investment for each: share, and year of the amounts.
SHARES = {
    "gdp_amount": ("per_million_gdp", "gdp_year", MILLION),
    "telecom_revenue_amount": ("telecom_revenue_pct", "telecom_revenue_year", PERCENT),
}
Total = tuple[float, int]


def amounts_of_year(economy: pl.DataFrame, base_year: int) -> dict[str, dict[str, Total]]:
    """By amount and country its value and year: of the base year, else of the latest before it, else of the
    earliest after it."""
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
    """By area and amount the sum over its countries, with the earliest year in it; nothing where a country
    has none, since what all of them spend is no share of what some of them earn."""
    found: dict[str, dict[str, Total]] = {}
    for area in areas:
        for name, of_country in known.items():
            listed = [of_country.get(country) for country in area.countries]
            whole = [each for each in listed if each is not None]
            if whole and len(whole) == len(listed):
                value, year = sum(each[0] for each in whole), min(each[1] for each in whole)
                found.setdefault(area.code, {})[name] = value, year
    return found


def spending_shares(estimate: float | None, of_area: dict[str, Total]) -> dict[str, object]:
    """The columns of an estimate in dollars at market rates: its share of each amount, and that amount's
    year."""
    columns: dict[str, object] = {}
    for name, (share, year, scale) in SHARES.items():
        if estimate is not None and name in of_area:
            value, of_year = of_area[name]
            columns |= {share: scale * estimate / value, year: of_year}
    return columns
