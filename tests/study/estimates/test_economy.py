"""Spending over gross domestic product and over telecommunication revenue."""

import polars as pl
import pytest

from jobs.base.figures.areas import Area
from jobs.base.tables.contracts import reference_table, rows_frame
from jobs.study.estimates.steps.economy import amounts_of_year, spending_shares, sum_areas

ROWS = [
    {"country_code": "FJI", "price_year": 2023, "gdp_amount": 4e9, "telecom_revenue_amount": 6e7},
    {"country_code": "FJI", "price_year": 2024, "gdp_amount": 5e9},
    {"country_code": "NZL", "price_year": 2026, "gdp_amount": 9e9, "telecom_revenue_amount": 1e8},
    {"country_code": "TON", "price_year": 2025, "telecom_revenue_amount": 1e7},
]
AREAS = [
    Area("WORLD", "world", ("FJI", "NZL", "TON")),
    Area("ASP", "region", ("FJI", "NZL")),
    Area("TON", "country", ("TON",)),
    Area("NIU", "country", ("NIU",)),
]


def test_an_area_has_a_share_where_each_of_its_countries_has_the_amount() -> None:
    rows = [row | {"source": "made up"} for row in ROWS]
    found = sum_areas(amounts_of_year(rows_frame(rows, "ref.economy"), 2025), AREAS)
    # The latest to the base year, else the earliest after it; the year is the earliest of the countries'.
    assert found["ASP"] == {"gdp_amount": (14e9, 2024), "telecom_revenue_amount": (1.6e8, 2023)}
    # Tonga's product is not known, so neither is the world's: no share of what only some have.
    assert found["WORLD"] == {"telecom_revenue_amount": (1.7e8, 2023)}
    assert set(found) == {"WORLD", "ASP", "TON"}
    assert spending_shares(28e3, found["ASP"]) == {
        "per_million_gdp": pytest.approx(2.0), "gdp_year": 2024,
        "telecom_revenue_pct": pytest.approx(0.0175), "telecom_revenue_year": 2023,
    }  # fmt: skip
    assert spending_shares(None, found["ASP"]) == spending_shares(1.0, {}) == {}


def test_every_member_of_itu_but_one_has_a_product_and_none_a_revenue() -> None:
    """Revenues are ITU's, whose licence does not allow to hand them on."""
    known = reference_table("ref.economy")
    members = set(reference_table("ref.country").filter(pl.col("itu_member"))["iso3"])
    assert members - set(known["country_code"]) == {"VAT"}
    assert known["telecom_revenue_amount"].null_count() == known.height
    assert known["price_year"].is_between(2020, 2025).all()
