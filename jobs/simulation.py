"""The cost of countermeasures and how sure it is: Sobol points through the parameters' distributions.

`low`, `central` and `high` of a parameter are its 5, 50 and 95% points.

- fixed: always `central`.
- lognormal: below the median exp(N(ln central, ln(central/low)/1.645)), above it with ln(high/central).
  Where central is the geometric mean of low and high this is the plain lognormal distribution with
  sigma = ln(high/low)/3.29; elsewhere the two halves differ, so that all three points are met.
- triangular: the triangle that meets the 5 and 95% points exactly, and the median as nearly as a triangle
  can: its median stands between 35.6 and 64.4% of the way. Never below 0 where `low` is not.

A total is added up point by point; its percentiles are those of the sums, never sums of percentiles.
"""

from __future__ import annotations

import ast
import calendar
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import qmc

from jobs.errors import ObservatoryError

Samples = dict[str, np.ndarray]

COUNT = 2**13
SEED = 52
Z95 = float(ndtri(0.95))
# The points are in [0, 1); 0 itself would be an infinitely small price.
SMALLEST = 2.0**-32
DIGITS = Decimal("0.0001")
MONTHS = 12


# --- distributions ---------------------------------------------------------------------------------


def simulate(parameters: pl.DataFrame, count: int = COUNT, seed: int = SEED) -> Samples:
    """`count` values of each parameter (a power of two), by its name.

    parameters: parameter_code, low, central, high, distribution. The same table, count and seed give
    the same bits, whatever the order of the rows.
    """
    if count < 1 or count & (count - 1):
        raise ValueError(f"{count} points: Sobol points are balanced for powers of two only")
    rows = (
        parameters.select("parameter_code", "low", "central", "high", "distribution")
        .sort("parameter_code")
        .rows()
    )
    names = [row[0] for row in rows]
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"more than one row for {', '.join(repeated)}")
    if not rows:
        return {}
    points = qmc.Sobol(len(rows), scramble=True, rng=np.random.default_rng(seed)).random_base2(
        count.bit_length() - 1
    )
    points = np.maximum(points, SMALLEST)
    return {
        name: quantile(points[:, place], float(low), float(central), float(high), distribution)
        for place, (name, low, central, high, distribution) in enumerate(rows)
    }


def quantile(share: np.ndarray, low: float, central: float, high: float, distribution: str) -> np.ndarray:
    """The values below which these shares of the distribution lie."""
    if not low <= central <= high:
        raise ValueError(f"low {low}, central {central} and high {high} must not fall")
    if distribution == "fixed" or low == high:
        return np.full_like(share, central)
    if distribution == "lognormal":
        return lognormal(share, low, central, high)
    if distribution == "triangular":
        values = triangular(share, low, central, high)
        return np.maximum(values, 0.0) if low >= 0 else values
    raise ValueError(f"unknown distribution '{distribution}'; known are fixed, lognormal and triangular")


def lognormal(share: np.ndarray, low: float, central: float, high: float) -> np.ndarray:
    if low <= 0:
        raise ValueError(f"a lognormal parameter must be above 0, and low is {low}")
    z = ndtri(share)
    sigma = np.where(z < 0, math.log(central / low), math.log(high / central)) / Z95
    return central * np.exp(sigma * z)


def triangular(share: np.ndarray, low: float, central: float, high: float) -> np.ndarray:
    mode = triangle_mode((central - low) / (high - low))
    q05, q95 = unit_triangle(np.array([0.05, 0.95]), mode)
    return low + (unit_triangle(share, mode) - q05) * ((high - low) / (q95 - q05))


def unit_triangle(share: np.ndarray, mode: float) -> np.ndarray:
    """Quantiles of the triangle from 0 to 1 with its top at `mode`."""
    rising = np.sqrt(share * mode)
    falling = 1.0 - np.sqrt((1.0 - share) * (1.0 - mode))
    return np.where(share < mode, rising, falling)


@cache
def triangle_mode(place: float) -> float:
    """The top of the unit triangle whose median stands at `place` between its 5 and 95% points."""

    def off(mode: float) -> float:
        q05, q50, q95 = unit_triangle(np.array([0.05, 0.5, 0.95]), mode)
        return float((q50 - q05) / (q95 - q05)) - place

    if off(0.0) >= 0:
        return 0.0
    if off(1.0) <= 0:
        return 1.0
    return float(brentq(off, 0.0, 1.0, xtol=1e-14))


def quantiles(total: np.ndarray) -> tuple[float, float, float]:
    """The 5, 50 and 95% points of simulated values."""
    p05, p50, p95 = np.quantile(total, [0.05, 0.5, 0.95])
    return float(p05), float(p50), float(p95)


# --- formulas --------------------------------------------------------------------------------------

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def crf(rate: Any, years: Any) -> Any:
    """Capital recovery factor: the yearly share of a purchase paid back over `years` at `rate`."""
    return rate / (1 - (1 + rate) ** (-years))


def evaluate(formula: str, values: Mapping[str, Any]) -> Any:
    """The value of a driver_formula: numbers, names, + - * / **, brackets and crf(rate, years).

    Raises ObservatoryError for anything else, and for a name that has no value.
    """
    return value_of(parsed(formula), values, formula)


@cache
def parsed(formula: str) -> ast.expr:
    try:
        return ast.parse(formula, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ObservatoryError(f"formula '{formula}': {error}") from None


def value_of(node: ast.expr, values: Mapping[str, Any], formula: str) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name):
            if name not in values:
                raise ObservatoryError(f"formula '{formula}': '{name}' has no value")
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -value_of(operand, values, formula)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return BINARY[type(op)](value_of(left, values, formula), value_of(right, values, formula))
        case ast.Call(func=ast.Name(id="crf"), args=[rate, years], keywords=[]):
            return crf(value_of(rate, values, formula), value_of(years, values, formula))
    raise ObservatoryError(f"formula '{formula}': '{ast.unparse(node)}' is not allowed in a formula")


def names_in(formula: str) -> set[str]:
    """The drivers and parameters that a formula needs."""
    return {node.id for node in ast.walk(parsed(formula)) if isinstance(node, ast.Name)} - {"crf"}


# --- cost ------------------------------------------------------------------------------------------


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
    known = dict(zip(rates["currency_code"], rates.select(*RATE_POINTS).rows(), strict=True))
    shown = currency_code if currency_code in known else "USD"
    samples = simulate(joint(parameters, fixed, known, shown), count, seed)
    lines = priced_lines(parameters)
    months = effort.with_columns(pl.col("period_date").dt.strftime("%Y-%m").alias("period_code"))
    rows: list[dict[str, Any]] = []
    for (period,), month in sorted(months.partition_by("period_code", as_dict=True).items()):
        days = month["period_date"].n_unique()
        simulated = month_cost(month, lines, fixed, samples, shown, share_of_year(str(period), days))
        head = {
            "operator_id": month["operator_id"][0],
            "period_code": period,
            "currency_code": shown,
            "day_count": days,
        }
        rows += [head | row for row in summed_up(simulated, strategies(month))]
    return pl.DataFrame(rows, schema=COST).sort(
        "period_code", "channel_code", "countermeasure_code", "cost_component_code"
    )


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


def drivers(row: Mapping[str, Any], samples: Samples) -> dict[str, Any]:
    """What prices are multiplied with, from one measure's effort over a month.

    cpu_seconds: the filter's own logged time, an upper bound because it waits for the network too; where
    none is logged, content filters of mail take cpu_seconds_per_message. spam_bytes_received: the bytes of
    what was acted on, taken as the same share of bytes as of units. quarantine_byte_days: bytes times
    quarantine_days. dnsbl_lookups: connections times dnsbl_lookups_per_connection.
    """
    code, channel = row["countermeasure_code"], row["channel_code"]
    examined, acted = row["units_examined"] or 0, row["units_acted"] or 0
    known: dict[str, Any] = {}
    if row["filter_us"]:
        known["cpu_seconds"] = row["filter_us"] / 1e6
    elif code == "CONTENT_FILTER" and channel == "EMAIL" and examined:
        known["cpu_seconds"] = examined * samples["cpu_seconds_per_message"]
    if row["received_bytes"] and examined:
        known["spam_bytes_received"] = row["received_bytes"] * (acted / examined)
    if row["quarantined_bytes"]:
        known["quarantine_byte_days"] = row["quarantined_bytes"] * samples["quarantine_days"]
    if code == "DNSBL":
        known["dnsbl_lookups"] = examined * samples["dnsbl_lookups_per_connection"]
    if code == "USER_REPORT":
        known["sms_reports"] = acted
    if code == "CALL_ANALYTICS":
        known["calls_screened"] = examined
    if code == "CONTENT_FILTER":
        known["im_messages_screened"] = examined
    return known


Key = tuple[str, str, str]


@dataclass(frozen=True)
class Simulated:
    """One month's cost, point by point, by (channel, countermeasure, component), in one currency.

    priced: the measures of which some driver is known and priced.
    """

    amounts: dict[Key, np.ndarray]
    priced: frozenset[tuple[str, str]]
    fixed: frozenset[tuple[str, str]]


def month_cost(
    month: pl.DataFrame,
    lines: Sequence[Line],
    fixed: Sequence[FixedCost],
    samples: Samples,
    shown: str,
    share: float,
) -> Simulated:
    """Simulate one month. share: which part of a year the fixed figures are charged for."""
    effort = ("units_examined", "units_acted", "filter_us", "received_bytes", "quarantined_bytes")
    sums = month.group_by("channel_code", "countermeasure_code").agg(pl.col(effort).sum())
    size = len(next(iter(samples.values())))
    amounts: dict[Key, np.ndarray] = {}
    priced = set()
    to_shown = {
        name.removeprefix("rate:"): rate / samples[f"rate:{shown}"]
        for name, rate in samples.items()
        if name.startswith("rate:")
    }
    for row in sums.sort("channel_code", "countermeasure_code").rows(named=True):
        measure = row["channel_code"], row["countermeasure_code"]
        known = drivers(row, samples)
        total = np.zeros(size)
        for line in lines:
            if (
                not line.covers(measure[1], measure[0])
                or names_in(line.formula) - samples.keys() - known.keys()
            ):
                continue
            total = total + evaluate(line.formula, samples | known) * to_shown[line.currency_code]
            priced.add(measure)
        amounts[(*measure, "marginal")] = total
    own = set()
    for place, item in enumerate(fixed):
        measure = item.channel_code, item.countermeasure_code
        yearly = samples[f"fixed:{place}"] * (MONTHS if item.per == "month" else 1)
        key = (*measure, "fixed")
        amounts[key] = amounts.get(key, np.zeros(size)) + yearly * share * to_shown[item.currency_code]
        own.add(measure)
    return Simulated(amounts, frozenset(priced), frozenset(own))


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
