"""The cost of countermeasures and how sure it is: measured effort times prices, point by point.

A total is added up point by point; its percentiles are those of the sums, never sums of percentiles.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from jobs.errors import ObservatoryError
from jobs.formula import evaluate, names_in
from jobs.sampling import COUNT, SEED, Samples, quantiles, simulate

DIGITS = Decimal("0.0001")
MONTHS = 12


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


COST: dict[str, Any] = {
    "operator_id": pl.String,
    "period_code": pl.String,
    "channel_code": pl.String,
    "countermeasure_code": pl.String,
    "strategy_code": pl.String,
    "cost_component_code": pl.String,
    "currency_code": pl.String,
    "amount_p05": pl.Decimal(20, 4),
    "amount_p50": pl.Decimal(20, 4),
    "amount_p95": pl.Decimal(20, 4),
    "is_lower_bound": pl.Boolean,
    "day_count": pl.Int64,
}


def cost(
    effort: pl.DataFrame,
    parameters: pl.DataFrame,
    fixed: Sequence[FixedCost],
    rates: pl.DataFrame,
    currency_code: str,
    count: int = COUNT,
    seed: int = SEED,
) -> pl.DataFrame:
    """One operator's cost for each month, channel, countermeasure and component, with totals `_T`.

    effort: rows of gold.countermeasure_effort_daily of one operator. parameters, rates: ref.cost_parameter
    and ref.exchange_rate as valid for the period. fixed: the operator's own figures.

    Marginal cost is each priced line (a parameter with `countermeasures`) times its driver over the days
    with data. Fixed cost is a twelfth of a year's figure, times the share of the month's days with data.
    Amounts are in currency_code, or in USD where no rate is known, at the rates given and in the prices of
    each parameter's own year. A total without fixed figures is a lower bound, and so is a marginal cost
    in which nothing could be priced.
    """
    if effort.is_empty():
        return pl.DataFrame(schema=COST)
    priced = prices(parameters, fixed, rates, currency_code)
    samples = simulate(priced.table, count, seed)
    months = effort.with_columns(pl.col("period_date").dt.strftime("%Y-%m").alias("period_code"))
    rows: list[dict[str, Any]] = []
    for (period,), month in sorted(months.partition_by("period_code", as_dict=True).items()):
        days = month["period_date"].n_unique()
        simulated = month_cost(month, priced, samples, share_of_year(str(period), days))
        head = {
            "operator_id": month["operator_id"][0],
            "period_code": period,
            "currency_code": priced.shown,
            "day_count": days,
        }
        rows += [head | row for row in summed_up(simulated, strategies(month))]
    return pl.DataFrame(rows, schema=COST).sort(
        "period_code", "channel_code", "countermeasure_code", "cost_component_code"
    )


@dataclass(frozen=True)
class Prices:
    """All that effort is priced with.

    table: every uncertain value with its distribution, as sampling.simulate takes it. shown: the currency of
    the amounts.
    """

    table: pl.DataFrame
    lines: list[Line]
    fixed: Sequence[FixedCost]
    shown: str


def prices(
    parameters: pl.DataFrame, fixed: Sequence[FixedCost], rates: pl.DataFrame, currency_code: str
) -> Prices:
    known = dict(zip(rates["currency_code"], rates.select(*RATE_POINTS).rows(), strict=True))
    shown = currency_code if currency_code in known else "USD"
    return Prices(joint(parameters, fixed, known, shown), priced_lines(parameters), fixed, shown)


RATE_POINTS = ("usd_per_unit_low", "usd_per_unit", "usd_per_unit_high")


def joint(
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
    own = [(f"fixed:{place}", *points(item.low, item.central, item.high)) for place, item in enumerate(fixed)]
    money = [(f"rate:{code}", *points(*rates[code])) for code in sorted(used)]
    schema: dict[str, Any] = dict(
        zip(names, (pl.String, pl.Float64, pl.Float64, pl.Float64, pl.String), strict=True)
    )
    return pl.concat(
        [
            parameters.select(names).cast(pl.Schema(schema)),
            pl.DataFrame([*own, *money], schema=schema, orient="row"),
        ]
    )


def points(low: float, central: float, high: float) -> tuple[float, float, float, str]:
    """Three points with the distribution that is taken through them."""
    if low == high:
        return low, central, high, "fixed"
    return low, central, high, "lognormal" if low > 0 else "triangular"


@dataclass(frozen=True)
class Line:
    """A price: what its formula gives, in currency_code, is the cost of a driver."""

    code: str
    formula: str
    currency_code: str
    countermeasures: frozenset[str]
    channels: frozenset[str]

    def covers(self, countermeasure: str, channel: str) -> bool:
        return bool(self.countermeasures & {countermeasure, "_T"}) and bool(self.channels & {channel, "_T"})


def priced_lines(parameters: pl.DataFrame) -> list[Line]:
    """The parameters that price what logs show: those with `countermeasures`, counted as investment."""
    chosen = parameters.filter(
        (pl.col("countermeasures").fill_null("") != "") & (pl.col("counts_as_investment") == "yes")
    )
    columns = ("parameter_code", "driver_formula", "currency_code", "countermeasures", "channels")
    return [
        Line(code, formula, currency, frozenset(measures.split("|")), frozenset(channels.split("|")))
        for code, formula, currency, measures, channels in chosen.select(columns)
        .sort("parameter_code")
        .rows()
    ]


def share_of_year(period: str, days: int) -> float:
    """A month's part of a year, as far as it has data."""
    year, month = map(int, period.split("-"))
    return days / calendar.monthrange(year, month)[1] / MONTHS


EFFORT = ("units_examined", "units_acted", "filter_us", "received_bytes", "quarantined_bytes")


def drivers(row: Mapping[str, Any]) -> dict[str, str]:
    """What prices are multiplied with, as formulas over one measure's effort in a month and the parameters.

    cpu_seconds: the filter's own logged time, an upper bound because it waits for the network too; where
    none is logged, content filters of mail take cpu_seconds_per_message. spam_bytes_received: the bytes of
    what was acted on, taken as the same share of bytes as of units. quarantine_byte_days: bytes times
    quarantine_days. dnsbl_lookups: connections times dnsbl_lookups_per_connection.
    """
    code, channel = row["countermeasure_code"], row["channel_code"]
    known: dict[str, str] = {}
    if row["filter_us"]:
        known["cpu_seconds"] = "filter_us/1e6"
    elif code == "CONTENT_FILTER" and channel == "EMAIL" and row["units_examined"]:
        known["cpu_seconds"] = "units_examined*cpu_seconds_per_message"
    if row["received_bytes"] and row["units_examined"]:
        known["spam_bytes_received"] = "received_bytes*(units_acted/units_examined)"
    if row["quarantined_bytes"]:
        known["quarantine_byte_days"] = "quarantined_bytes*quarantine_days"
    if code == "DNSBL":
        known["dnsbl_lookups"] = "units_examined*dnsbl_lookups_per_connection"
    if code == "USER_REPORT":
        known["sms_reports"] = "units_acted"
    if code == "CALL_ANALYTICS":
        known["calls_screened"] = "units_examined"
    if code == "CONTENT_FILTER":
        known["im_messages_screened"] = "units_examined"
    return known


def lines_for(row: Mapping[str, Any], lines: Sequence[Line], known: Collection[str]) -> list[Line]:
    """The prices that are charged to a measure: those that cover it and whose every name has a value."""
    return [
        line
        for line in lines
        if line.covers(row["countermeasure_code"], row["channel_code"])
        and not names_in(line.formula) - set(known)
    ]


def measured(row: Mapping[str, Any]) -> dict[str, int]:
    return {name: row[name] or 0 for name in EFFORT}


def conversions(samples: Samples, shown: str) -> Samples:
    """By currency, what turns an amount into the currency shown."""
    return {
        name.removeprefix("rate:"): rate / samples[f"rate:{shown}"]
        for name, rate in samples.items()
        if name.startswith("rate:")
    }


def month_effort(month: pl.DataFrame) -> list[dict[str, Any]]:
    """A month's effort, a row for each measure of a channel."""
    sums = month.group_by("channel_code", "countermeasure_code").agg(pl.col(EFFORT).sum())
    return sums.sort("channel_code", "countermeasure_code").rows(named=True)


Key = tuple[str, str, str]


@dataclass(frozen=True)
class Simulated:
    """One month's cost, point by point, by (channel, countermeasure, component), in one currency.

    priced: the measures of which some driver is known and priced.
    """

    amounts: dict[Key, np.ndarray]
    priced: frozenset[tuple[str, str]]
    fixed: frozenset[tuple[str, str]]


def month_cost(month: pl.DataFrame, priced: Prices, samples: Samples, share: float) -> Simulated:
    """Simulate one month. share: which part of a year the fixed figures are charged for."""
    size = len(next(iter(samples.values())))
    amounts: dict[Key, np.ndarray] = {}
    charged = set()
    to_shown = conversions(samples, priced.shown)
    for row in month_effort(month):
        measure = row["channel_code"], row["countermeasure_code"]
        values = samples | measured(row)
        known = {name: evaluate(formula, values) for name, formula in drivers(row).items()}
        total = np.zeros(size)
        for line in lines_for(row, priced.lines, {*samples, *known}):
            total = total + evaluate(line.formula, values | known) * to_shown[line.currency_code]
            charged.add(measure)
        amounts[(*measure, "marginal")] = total
    own = set()
    for place, item in enumerate(priced.fixed):
        measure = item.channel_code, item.countermeasure_code
        yearly = samples[f"fixed:{place}"] * (MONTHS if item.per == "month" else 1)
        key = (*measure, "fixed")
        amounts[key] = amounts.get(key, np.zeros(size)) + yearly * share * to_shown[item.currency_code]
        own.add(measure)
    return Simulated(amounts, frozenset(charged), frozenset(own))


def summed_up(simulated: Simulated, strategy: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Rows of one month: each measure, each channel's total and the whole, by component.

    A figure for `_T` of a channel, such as staff for all measures, is in the totals only.
    """
    groups: dict[Key, list[np.ndarray]] = {}
    for (channel, measure, component), amount in simulated.amounts.items():
        places = {(channel, measure), (channel, "_T"), ("_T", "_T")}
        for place in sorted(places):
            for part in (component, "total"):
                groups.setdefault((*place, part), []).append(amount)
    rows = []
    for (channel, measure, component), amounts in sorted(groups.items()):
        p05, p50, p95 = quantiles(np.sum(amounts, axis=0))
        rows.append(
            {
                "channel_code": channel,
                "countermeasure_code": measure,
                "strategy_code": strategy.get(measure),
                "cost_component_code": component,
                "amount_p05": money(p05),
                "amount_p50": money(p50),
                "amount_p95": money(p95),
                "is_lower_bound": is_lower_bound(channel, measure, component, simulated),
            }
        )
    return rows


def is_lower_bound(channel: str, measure: str, component: str, simulated: Simulated) -> bool:
    """Whether a part of the cost is known to be missing.

    A total misses the fixed cost where the operator gave none: of the measure, of the channel, or, for the
    whole, of any channel. A marginal cost is missing where no driver of any measure could be priced.
    """
    within = {key[:2] for key in simulated.amounts if channel in (key[0], "_T") and measure in (key[1], "_T")}
    if component == "fixed":
        return False
    if component == "marginal":
        return not (within & simulated.priced)
    if measure != "_T":
        return not (within & simulated.fixed)
    return {place[0] for place in within} != {place[0] for place in within & simulated.fixed}


def strategies(month: pl.DataFrame) -> dict[str, str | None]:
    """Each measure's X.1231 strategy, as its effort rows say; the first in order where they differ."""
    named = month.select("countermeasure_code", "strategy_code").drop_nulls().unique().sort("strategy_code")
    return dict(reversed(named.rows()))


def money(amount: float) -> Decimal:
    """An amount to four places, as it is stored: the last bits of a double differ between machines."""
    return Decimal(amount).quantize(DIGITS)
