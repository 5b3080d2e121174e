"""Costs of spam to those who receive it, by published models: a cost for each spam of a channel.

A model is a row of ref.cost_parameter of kind `social` whose formula takes one driver of DRIVERS and
parameters alone. Driver times cost is a model's figure, never measured and never added to what was measured.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from jobs.base.costs.price_areas import world_prices
from jobs.base.costs.price_year import PriceBasis
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.stats.formula import evaluate_formula, names_in
from jobs.base.stats.sampling import Samples, sample_parameters, three_quantiles

SOCIAL, HOUR = "social", "user_hour_value"
# The country at whose wages the hour is valued: that of the model's authors.
HOUR_COUNTRY = "USA"
SPAM = "spam_certain"
POINTS = ("p05", "p50", "p95")
CELL = ["period_code", "area_code", "channel_code"]
# Periods that are shown: a quarter as 2026-Q4, or a year.
IS_SHOWN = pl.col("period_code").str.contains(r"^\d{4}(-Q[1-4])?$")


@dataclass(frozen=True)
class Driver:
    """Spam that a model's cost is of.

    Attributes:
        unit: in which the study counts it.
        types: its families of types, none for all spam.
        share: the part of it that reaches users, as a formula.
        bound: which way it errs: all that was counted is more than what reached users, and spam of unknown
            type is in no type.
    """

    unit: str
    share: str
    bound: str
    types: tuple[str, ...] = ()


SCAM = ("FRAUD", "PHISH")
DRIVERS = {
    "email_spam_sent": Driver("attempted", "1", "estimate"),
    "email_spam_delivered": Driver("attempted", "email_spam_reaching_share", "estimate"),
    "sms_spam_delivered": Driver("recipient", "1", "upper"),
    "calls_spam_delivered": Driver("call", "1", "upper"),
    "scam_sms_delivered": Driver("recipient", "1", "neither", SCAM),
    "scam_calls_delivered": Driver("call", "1", "neither", SCAM),
}


@dataclass(frozen=True)
class UserModel:
    """A model: its row of ref.cost_parameter and its driver, the rows of all parameters that it takes, its
    cost for each spam in US dollars of the base year, and the user's seconds where it values time.

    Attributes:
        cost, seconds: 5, 50 and 95% points.
    """

    row: Mapping[str, Any]
    driver: str
    inputs: tuple[Mapping[str, Any], ...]
    cost: tuple[float, float, float]
    seconds: tuple[float, float, float] | None

    @property
    def code(self) -> str:
        return str(self.row["parameter_code"])

    @property
    def channels(self) -> list[str]:
        return str(self.row["channels"]).split("|")

    @property
    def is_judgement(self) -> bool:
        """Return whether one of its inputs has no published source."""
        return any(each["source_kind"] == "assumption" for each in self.inputs)

    @property
    def year(self) -> int:
        """The year of its price."""
        (priced,) = (each for each in self.inputs if each["currency_code"])
        return int(priced["price_year"])

    @property
    def source(self) -> str:
        return "; ".join(dict.fromkeys(each["source"] for each in self.inputs))


def list_user_models(parameters: pl.DataFrame, basis: PriceBasis) -> list[UserModel]:
    """The models of the parameters of a day, in prices of the basis; those whose currency and year it cannot
    restate are left out."""
    world = world_prices(parameters)
    known = {row["parameter_code"]: row for row in world.to_dicts()}
    samples = sample_parameters(world)
    return sorted(find_models(known, samples, basis), key=lambda model: model.code)


def find_models(
    known: Mapping[str, Mapping[str, Any]], samples: Samples, basis: PriceBasis
) -> Iterator[UserModel]:
    for row in known.values():
        formula = row["driver_formula"]
        if row["cost_kind"] != SOCIAL or not formula:
            continue
        names = names_in(formula)
        drivers = names & DRIVERS.keys()
        if len(drivers) != 1 or names - drivers - known.keys():
            continue
        (name,) = drivers
        driver = DRIVERS[name]
        share = names_in(driver.share)
        if share - known.keys():
            continue
        inputs = tuple(known[each] for each in [row["parameter_code"], *sorted(names - drivers | share)])
        inputs = tuple({each["parameter_code"]: each for each in inputs}.values())
        (price,) = {(each["currency_code"], each["price_year"]) for each in inputs if each["currency_code"]}
        factor = basis.factor(*price)
        if factor is None:
            continue
        values = dict(samples) | {name: np.atleast_1d(evaluate_formula(driver.share, samples))}
        cost = three_quantiles(factor * evaluate_formula(formula, values))
        seconds = None
        if HOUR in names:
            one = values | {HOUR: np.full_like(values[HOUR], 3600.0)}
            seconds = three_quantiles(evaluate_formula(formula, one))
        yield UserModel(row, name, inputs, cost, seconds)


def count_spam(name: str, spam_volume: pl.DataFrame, spam_type: pl.DataFrame) -> pl.DataFrame:
    """Estimated certain spam by the operators' own definition that a driver is of, by CELL: spam_units, with
    the area's kind and the worst status. Rows are of the study's tables or of published ones."""
    driver = DRIVERS[name]
    rows = spam_type if driver.types else spam_volume
    own = rows.filter(
        pl.col("definition_code") == OPERATOR,
        pl.col("quantity_code") == SPAM,
        pl.col("unit_code") == driver.unit,
        pl.col("estimate").is_not_null(),
        IS_SHOWN,
    )
    if driver.types:
        # A family has a row of its own where it has several types; else its types are added up.
        family = pl.col("spam_type_code").str.split(".").list.first()
        has_row = (pl.col("spam_type_code") == family).any().over(*CELL, family)
        own = own.filter(family.is_in(driver.types), (pl.col("spam_type_code") == family) | ~has_row)
    return own.group_by(CELL).agg(
        spam_units=pl.col("estimate").cast(pl.Float64).sum(),
        area_kind_code=pl.col("area_kind_code").first(),
        # C before F and N.
        conf_status_code=pl.col("conf_status_code").min(),
        **{name: pl.col(name).first() for name in COVERAGE},
    )


# How much of an area the study has, which a published area is named by.
COVERAGE = ("area_country_count", "frame_country_count", "rated_country_count", "population_pct")


def price_units(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with hours and amounts: spam_units times what each costs, at the area's wages where the model
    values time. One rule for the study's rows and those that leave."""
    units = pl.col("spam_units").cast(pl.Float64)
    factor = pl.col("hour_factor").fill_null(1.0)
    return rows.with_columns(
        *(
            (units * pl.col(f"seconds_{point}").cast(pl.Float64) / 3600).alias(f"hours_{point}")
            for point in POINTS
        ),
        *(
            (units * pl.col(f"unit_cost_{point}").cast(pl.Float64) * factor).alias(f"modelled_{point}")
            for point in POINTS
        ),
    )
