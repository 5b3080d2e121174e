"""Prices of effort: parameters, an operator's own figures and exchange rates, with their distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from jobs.base.core.column_types import ColumnTypes
from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.contracts import reference_rows

# The kind of price of what is bought by use.
SERVICE = "service"


def base_year() -> int:
    """The year in whose prices the study's money is."""
    rows = reference_rows("investment_assumption")
    return next(int(row["central"]) for row in rows if row["assumption_code"] == "base_year")


def count_prices() -> tuple[int, int]:
    """Count prices of measured effort, and those that are judgement without a source."""
    rows = reference_rows("cost_parameter")
    prices = [
        row for row in rows if row["countermeasures"] and not row["valid_to"] and not row["price_area_code"]
    ]
    return sum(row["source_kind"] == "assumption" for row in prices), len(prices)


def describe_prices() -> str:
    """Describe the prices of measured effort, and how many of them have no source."""
    judged, count = count_prices()
    return f"reference prices, {judged} of {count} of them judgement of this project"


@dataclass(frozen=True)
class FixedCost:
    """One of the operator's own figures, in currency_code, per year or month; `_T` is no one measure."""

    name: str
    countermeasure_code: str
    channel_code: str
    low: float
    central: float
    high: float
    currency_code: str
    per: str = "year"


@dataclass(frozen=True)
class Prices:
    """All that effort is priced with.

    Attributes:
        table: every uncertain value with its distribution, as sampling.sample_parameters takes it.
        shown: the currency of the amounts.
        biases: which way each parameter errs that is known to err, over or under.
    """

    table: pl.DataFrame
    lines: list[PriceLine]
    fixed: Sequence[FixedCost]
    shown: str
    biases: Mapping[str, str]

    def has_own(self, channel: str, measure: str) -> bool:
        """Return whether the operator states a fixed cost of the measure, or of all measures of the
        channel."""
        return any(
            each.channel_code == channel and each.countermeasure_code in (measure, "_T")
            for each in self.fixed
        )


def collect_prices(
    parameters: pl.DataFrame, fixed: Sequence[FixedCost], rates: pl.DataFrame, currency_code: str
) -> Prices:
    known = dict(zip(rates["currency_code"], rates.select(*RATE_POINTS).rows(), strict=True))
    shown = currency_code if currency_code in known else "USD"
    biased = parameters.filter(pl.col("bias_code").fill_null("") != "").select("parameter_code", "bias_code")
    return Prices(
        join_uncertain(parameters, fixed, known, shown),
        priced_lines(parameters),
        fixed,
        shown,
        dict(biased.rows()),
    )


RATE_POINTS = ("usd_per_unit_low", "usd_per_unit", "usd_per_unit_high")


def join_uncertain(
    parameters: pl.DataFrame,
    fixed: Sequence[FixedCost],
    rates: Mapping[str, tuple[float, float, float]],
    shown: str,
) -> pl.DataFrame:
    """All that is uncertain in one table: parameters, the operator's figures, exchange rates to USD.

    Raises ObservatoryError for a currency without a rate.
    """
    used = {*parameters["currency_code"].drop_nulls(), *(item.currency_code for item in fixed), shown} - {""}
    unknown = sorted(used - rates.keys())
    if unknown:
        raise ObservatoryError(
            f"ref.exchange_rate has no rate for {', '.join(unknown)}: add a row to"
            " schemas/reference/exchange_rate.csv, with its source"
        )
    names = ["parameter_code", "low", "central", "high", "distribution"]
    own = [
        (f"fixed:{place}", *choose_distribution(item.low, item.central, item.high))
        for place, item in enumerate(fixed)
    ]
    money = [(f"rate:{code}", *choose_distribution(*rates[code])) for code in sorted(used)]
    schema: ColumnTypes = dict(
        zip(names, (pl.String, pl.Float64, pl.Float64, pl.Float64, pl.String), strict=True)
    )
    return pl.concat(
        [
            parameters.select(names).cast(pl.Schema(schema)),
            pl.DataFrame([*own, *money], schema=schema, orient="row"),
        ]
    )


def choose_distribution(low: float, central: float, high: float) -> tuple[float, float, float, str]:
    """Three points with the distribution that is taken through them."""
    if low == high:
        return low, central, high, "fixed"
    return low, central, high, "lognormal" if low > 0 else "triangular"


@dataclass(frozen=True)
class PriceLine:
    """A price: what its formula gives, in currency_code, is the cost of a driver.

    Attributes:
        is_service: of a filter that is bought by use, and so an alternative to one's own.
    """

    code: str
    formula: str
    currency_code: str
    countermeasures: frozenset[str]
    channels: frozenset[str]
    is_service: bool

    def applies_to(self, countermeasure: str, channel: str) -> bool:
        return bool(self.countermeasures & {countermeasure, "_T"}) and bool(self.channels & {channel, "_T"})


def priced_lines(parameters: pl.DataFrame) -> list[PriceLine]:
    """The parameters that price what logs show: those with `countermeasures`, counted as investment."""
    chosen = parameters.filter(
        (pl.col("countermeasures").fill_null("") != "") & (pl.col("counts_as_investment") == "yes")
    )
    columns = ("parameter_code", "driver_formula", "currency_code", "countermeasures", "channels")
    return [
        PriceLine(
            *(code, formula, currency, frozenset(measures.split("|")), frozenset(channels.split("|"))),
            is_service=kind == SERVICE,
        )
        for code, formula, currency, measures, channels, kind in chosen.select(*columns, "cost_kind")
        .sort("parameter_code")
        .rows()
    ]
