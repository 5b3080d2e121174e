"""study.user_cost: what spam costs those who receive it and what operators lose by it, by published models.

Nothing of it is measured, and none of it is added to anything. Two kinds of rows:

- What a model says of each spam, times the spam that the study estimates, by area. Time is valued at the
  model's hour, brought to an area by its wages: the mean of its countries', by their subscriptions, over that
  of the country that the hour is of.
- What a model prints for the world alone, which cannot be divided by area.
"""

from collections.abc import Iterator

import polars as pl

from jobs.base.core.periods import last_day
from jobs.base.costs.cost_model import ModelFigure, PublishedModels, evaluate_figure
from jobs.base.costs.price_year import PriceBasis, index_rows
from jobs.base.costs.user_models import (
    DRIVERS,
    HOUR_COUNTRY,
    IS_SHOWN,
    POINTS,
    UserModel,
    count_spam,
    list_user_models,
    price_units,
)
from jobs.base.figures.areas import ALL, COUNTRY, WORLD, classify_countries, list_areas
from jobs.base.tables.contracts import Row, polars_schema
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates.countermeasure_cost import daily_wages
from jobs.study.estimates.investment_account import PriceLevels

TABLE = "study.user_cost"
CURRENCY = "USD"
# What is shown of published totals of the world: time lost, victims' losses, and what one party misses and
# another keeps.
WORLD_M49, SHOWN = "001", ("social_cost", "loss", "transfer")
MODEL, JUDGEMENT, PRINTED = "model", "judgement", "printed"


def transform(
    spam_volume: pl.DataFrame,
    spam_type: pl.DataFrame,
    cost_parameter: pl.DataFrame,
    models: PublishedModels,
    price_index: pl.DataFrame,
    prices: PriceLevels,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each area and model of a quarter or year and channel, and for each published total."""
    basis = PriceBasis(prices.base_year, CURRENCY, index_rows(price_index))
    schema = polars_schema(TABLE)
    printed = [row for figure in models.figures for row in printed_row(figure, basis)]
    parts = [pl.DataFrame(printed, schema=schema, orient="row")]
    for period in sorted(set(spam_volume.filter(IS_SHOWN)["period_code"])):
        volume, types = (each.filter(pl.col("period_code") == period) for each in (spam_volume, spam_type))
        day = last_day(period)
        factors = hour_factors(
            volume, daily_wages(prices.price_level, period), classify_countries(country, country_group, day)
        )
        for model in list_user_models(rows_on_day(cost_parameter, day), basis):
            parts.append(model_rows(model, volume, types, factors))
    return pl.concat(parts).sort("period_code", "area_code", "channel_code", "user_cost_code")


def model_rows(
    model: UserModel, spam_volume: pl.DataFrame, spam_type: pl.DataFrame, factors: pl.DataFrame
) -> pl.DataFrame:
    """A row for each area and channel of a model.

    Args:
        factors: the result of hour_factors().
    """
    schema = polars_schema(TABLE)
    counted = count_spam(model.driver, spam_volume, spam_type)
    of_model = {
        "user_cost_code": model.code,
        "user_basis_code": JUDGEMENT if model.is_judgement else MODEL,
        "estimand_code": "social_cost",
        "model_year": model.year,
        "driver": model.driver,
        "bound_code": DRIVERS[model.driver].bound,
        "source": model.source,
        **{name: model.row[name] for name in ("description", "cost_bearer")},
        **{f"unit_cost_{point}": value for point, value in zip(POINTS, model.cost, strict=True)},
        **{
            f"seconds_{point}": value
            for point, value in zip(POINTS, model.seconds or (None, None, None), strict=True)
        },
    }
    rows = (
        counted.filter(pl.col("channel_code").is_in(model.channels))
        .with_columns(pl.lit(value, schema[name]).alias(name) for name, value in of_model.items())
        .join(factors, on=["channel_code", "area_code"], how="left")
        .with_columns(
            channels="channel_code",
            hour_factor=pl.when(pl.col("seconds_p50").is_not_null()).then("hour_factor"),
        )
    )
    return price_units(rows).select(pl.col(name).cast(kind) for name, kind in schema.items())


def hour_factors(spam_volume: pl.DataFrame, wages: dict[str, float], countries: pl.DataFrame) -> pl.DataFrame:
    """Cost of an hour in each area of a channel, over its cost in the country that models value it in: the
    mean of wages by subscriptions. No row of an area where a country's wage is not known."""
    places = pl.DataFrame(
        [(area.code, name) for area in list_areas(countries) for name in area.countries],
        schema={"area_code": pl.String, "country_code": pl.String},
        orient="row",
    )
    people = (
        spam_volume.filter(pl.col("area_kind_code") == COUNTRY)
        .group_by("channel_code", country_code="area_code")
        .agg(people=pl.col("subscriptions").cast(pl.Float64).max())
        .filter(pl.col("people") > 0)
    )
    base = wages.get(HOUR_COUNTRY)
    wage = pl.col("country_code").replace_strict(wages, default=None, return_dtype=pl.Float64)
    return (
        people.with_columns(factor=wage / base if base else pl.lit(None, pl.Float64))
        .join(places, on="country_code")
        .group_by("channel_code", "area_code")
        .agg(
            hour_factor=pl.when(pl.col("factor").null_count() == 0).then(
                (pl.col("factor") * pl.col("people")).sum() / pl.col("people").sum()
            )
        )
        .drop_nulls("hour_factor")
    )


def printed_row(figure: ModelFigure, basis: PriceBasis) -> Iterator[Row]:
    """The row of a published figure, in prices of the basis; none of what is no yearly total of the world, or
    cannot be restated."""
    row = figure.row
    is_shown = row["estimand_code"] in SHOWN and row["geography_code"] == WORLD_M49
    if not is_shown or row["unit_text"] != f"{row['currency_code']} per year":
        return
    factor = basis.factor(row["currency_code"], int(row["period_code"]))
    if factor is None:
        return
    found = evaluate_figure(figure)
    computed = found.p50 if found else None
    middle = computed if figure.published_value is None else figure.published_value
    ends = (found.p05, found.p95) if found and found.p05 < found.p95 else (None, None)
    amounts = dict(zip(POINTS, (ends[0], middle, ends[1]), strict=True))
    channels = row["channels"].split("|")
    yield dict.fromkeys(polars_schema(TABLE)) | {
        "period_code": row["period_code"],
        "area_code": WORLD,
        "area_kind_code": ALL,
        # As printed, it is of all of the world.
        "population_pct": 100.0,
        "channel_code": channels[0] if len(channels) == 1 else "_T",
        "user_cost_code": figure.name.replace("/", "."),
        "user_basis_code": PRINTED,
        "bound_code": "estimate",
        "model_year": int(row["period_code"]),
        "conf_status_code": "F",
        **{name: row[name] for name in ("description", "estimand_code", "cost_bearer", "channels", "source")},
        **{
            f"modelled_{point}": None if value is None else round(factor * value, 2)
            for point, value in amounts.items()
        },
    }
