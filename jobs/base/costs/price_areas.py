"""Prices of a country: the row of the most specific of its areas, of each parameter of ref.cost_parameter.

The order is: the country itself; the Resolution's groups, as jobs/base/figures/areas.py lists them, so that a
country of two groups takes the price of the first; its region; the world, whose row has no area.
"""

import datetime as dt

import polars as pl

from jobs.base.core.periods import last_day
from jobs.base.figures.areas import GROUPS, classify_countries
from jobs.base.tables.validity import rows_on_day

AREA, PARAMETER = "price_area_code", "parameter_code"


def world_prices(parameters: pl.DataFrame) -> pl.DataFrame:
    """The rows of the world, which hold where no area has one."""
    return parameters.filter(pl.col(AREA).is_null())


def prices_of_period(
    parameters: pl.DataFrame,
    country_code: str,
    period_code: str,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """The prices that hold in a country on a period's last day, by its groups on that day.

    Args:
        parameters: ref.cost_parameter.
        country, country_group: the reference tables of these names.
    """
    return prices_on_day(parameters, country_code, last_day(period_code), country, country_group)


def prices_on_day(
    parameters: pl.DataFrame,
    country_code: str,
    day: dt.date,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """The prices that hold in a country on a day, one row for each parameter."""
    classes = classify_countries(country, country_group, day).filter(country_code=country_code)
    areas = [country_code]
    for row in classes.to_dicts():
        areas += [*(group for group in GROUPS if group in row["group_codes"]), row["region_code"]]
    rank = pl.col(AREA).replace_strict({code: place for place, code in enumerate(areas)}, default=None)
    return (
        rows_on_day(parameters, day)
        .with_columns(rank=pl.when(pl.col(AREA).is_null()).then(len(areas)).otherwise(rank))
        .filter(pl.col("rank") == pl.col("rank").min().over(PARAMETER))
        .drop("rank")
    )
