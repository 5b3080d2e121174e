"""The cost of countermeasures and how sure it is: measured effort times prices, point by point.

A total is added up point by point; its percentiles are those of the sums, never sums of percentiles. An
amount with missing parts is a lower bound, one with parts that are too high an upper bound, one with
both neither.
"""

import calendar
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from jobs.base.costs.prices import FixedCost, PriceLine, Prices, collect_prices
from jobs.base.stats.formula import evaluate_formula, names_in
from jobs.base.stats.sampling import Samples, sample_parameters, three_quantiles
from jobs.base.tables.contracts import Row, column_types

DIGITS = Decimal("0.0001")
MONTHS = 12


COST = column_types(
    *("operator_id", "period_code", "channel_code", "countermeasure_code", "strategy_code"),
    *("cost_component_code", "currency_code", "amount_p05", "amount_p50", "amount_p95", "bound_code"),
    "day_count",
)


def simulate_costs(
    effort: pl.DataFrame,
    parameters: pl.DataFrame,
    fixed: Sequence[FixedCost],
    rates: pl.DataFrame,
    currency_code: str,
) -> pl.DataFrame:
    """One operator's cost for each month, channel, countermeasure and component, with totals `_T`.

    Marginal cost is each priced line (a parameter with `countermeasures`) times its driver over the days
    with data. Fixed cost is a twelfth of a year's figure, times the share of the month's days with data.
    Amounts are in currency_code, or in USD where no rate is known, at the rates given and in the prices of
    each parameter's own year. bound_code: see bound_of.

    Args:
        effort: rows of gold.countermeasure_effort_daily of one operator.
        parameters, rates: ref.cost_parameter and ref.exchange_rate as valid for the period.
        fixed: the operator's own figures.
    """
    if effort.is_empty():
        return pl.DataFrame(schema=COST)
    priced = collect_prices(parameters, fixed, rates, currency_code)
    samples = sample_parameters(priced.table)
    months = effort.with_columns(pl.col("period_date").dt.strftime("%Y-%m").alias("period_code"))
    rows: list[Row] = []
    for (period,), month in sorted(months.partition_by("period_code", as_dict=True).items()):
        days = month["period_date"].n_unique()
        simulated = simulate_month(month, priced, samples, share_of_year(str(period), days))
        head = {
            "operator_id": month["operator_id"][0],
            "period_code": period,
            "currency_code": priced.shown,
            "day_count": days,
        }
        rows += [head | row for row in sum_by_component(simulated, strategy_by_measure(month), priced.biases)]
    return pl.DataFrame(rows, schema=COST).sort(
        "period_code", "channel_code", "countermeasure_code", "cost_component_code"
    )


def share_of_year(period: str, days: int) -> float:
    """A month's part of a year, as far as it has data."""
    year, month = map(int, period.split("-"))
    return days / calendar.monthrange(year, month)[1] / MONTHS


EFFORT = ("units_examined", "units_acted", "filter_us", "received_bytes", "quarantined_bytes")
# Efforts that logs overstate, and why.
OVERSTATED = {
    "filter_us": "a filter's logged time includes its waiting for the network, which takes no computing",
    "received_bytes": "spam is taken to be as large as other mail, and is smaller",
}
# Drivers that are a measure's own work. What it received and what it keeps are beside it.
WORK = frozenset({"cpu_seconds", "dnsbl_lookups", "sms_reports", "calls_screened", "messages_screened"})
# Codes that are no measure of the operator's and cost it nothing.
NO_MEASURE = ("NONE", "DELIVERY_FAILURE", "CALLEE_REJECT")


def driver_formulas(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the quantities that prices are multiplied with, as formulas over one measure's effort in a month
    and the parameters.

    cpu_seconds: the filter's own logged time, which is too long (OVERSTATED); where none is logged, content
    filters of mail take cpu_seconds_per_message. spam_bytes_received: the bytes of what was acted on, taken
    as the same share of bytes as of units (OVERSTATED). quarantine_byte_days: bytes times quarantine_days.
    dnsbl_lookups: connections times dnsbl_lookups_per_connection.
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
        known["messages_screened"] = "units_examined"
    return known


def prices_for(row: Mapping[str, Any], priced: Prices, known: Collection[str]) -> list[PriceLine]:
    """The prices that are charged to a measure: those that cover it and whose every name has a value.

    A service's is left out where a filter of the operator's own is seen: logs have its time, or the operator
    states a fixed cost.
    """
    measure = row["channel_code"], row["countermeasure_code"]
    has_own = bool(row["filter_us"]) or priced.has_own(*measure)
    return [
        line
        for line in lines_for(measure, priced)
        if not names_in(line.formula) - set(known) and not (line.is_service and has_own)
    ]


def lines_for(measure: tuple[str, str], priced: Prices) -> list[PriceLine]:
    """The prices that cover a measure of a channel."""
    channel, code = measure
    return [line for line in priced.lines if line.applies_to(code, channel)]


def effort_values(row: Mapping[str, Any]) -> dict[str, int]:
    return {name: row[name] or 0 for name in EFFORT}


def conversion_rates(samples: Samples, shown: str) -> Samples:
    """Return the rate into the currency shown, by currency."""
    return {
        name.removeprefix("rate:"): rate / samples[f"rate:{shown}"]
        for name, rate in samples.items()
        if name.startswith("rate:")
    }


def sum_effort(month: pl.DataFrame) -> list[Row]:
    """A month's effort, a row for each measure of a channel."""
    sums = month.group_by("channel_code", "countermeasure_code").agg(pl.col(EFFORT).sum())
    return sums.sort("channel_code", "countermeasure_code").rows(named=True)


Key = tuple[str, str, str]
Measure = tuple[str, str]


@dataclass(frozen=True)
class Simulated:
    """One month's cost, point by point, by (channel, countermeasure, component), in one currency.

    Attributes:
        inputs: by measure, the drivers, efforts and parameters in the prices that are charged to it.
        fixed: the measures, or `_T` of a channel, that the operator's own figures are of.
        own: the measures whose work a service would be paid for by use, but whose own figures stand.
    """

    amounts: dict[Key, np.ndarray]
    inputs: dict[Measure, frozenset[str]]
    fixed: frozenset[Measure]
    own: frozenset[Measure] = frozenset()


def simulate_month(month: pl.DataFrame, priced: Prices, samples: Samples, share: float) -> Simulated:
    """Simulate one month.

    Args:
        share: which part of a year the fixed figures are charged for.
    """
    size = len(next(iter(samples.values())))
    amounts: dict[Key, np.ndarray] = {}
    inputs: dict[Measure, frozenset[str]] = {}
    own_filters = set()
    to_shown = conversion_rates(samples, priced.shown)
    for row in sum_effort(month):
        measure = row["channel_code"], row["countermeasure_code"]
        values = samples | effort_values(row)
        formulas = driver_formulas(row)
        known = {name: evaluate_formula(formula, values) for name, formula in formulas.items()}
        total = np.zeros(size)
        for line in prices_for(row, priced, {*samples, *known}):
            total = total + evaluate_formula(line.formula, values | known) * to_shown[line.currency_code]
            names = names_in(line.formula)
            names |= {each for name in names & formulas.keys() for each in names_in(formulas[name])}
            inputs[measure] = inputs.get(measure, frozenset()) | names
        amounts[(*measure, "marginal")] = total
        if priced.has_own(*measure) and any(line.is_service for line in lines_for(measure, priced)):
            own_filters.add(measure)
    stated = set()
    for place, item in enumerate(priced.fixed):
        measure = item.channel_code, item.countermeasure_code
        yearly = samples[f"fixed:{place}"] * (MONTHS if item.per == "month" else 1)
        key = (*measure, "fixed")
        amounts[key] = amounts.get(key, np.zeros(size)) + yearly * share * to_shown[item.currency_code]
        stated.add(measure)
    return Simulated(amounts, inputs, frozenset(stated), frozenset(own_filters))


def sum_by_component(
    simulated: Simulated, strategy: Mapping[str, str | None], biases: Mapping[str, str]
) -> list[Row]:
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
        p05, p50, p95 = three_quantiles(np.sum(amounts, axis=0))
        rows.append(
            {
                "channel_code": channel,
                "countermeasure_code": measure,
                "strategy_code": strategy.get(measure),
                "cost_component_code": component,
                "amount_p05": round_amount(p05),
                "amount_p50": round_amount(p50),
                "amount_p95": round_amount(p95),
                "bound_code": bound_of(channel, measure, component, simulated, biases).code,
            }
        )
    return rows


@dataclass(frozen=True)
class Bound:
    """Direction in which an amount is known to err.

    Attributes:
        priceless: measures whose work could not be priced.
        unstated: measures, or a channel's `_T`, without a fixed cost.
        over, under: inputs that are too high, too low.
    """

    priceless: tuple[Measure, ...] = ()
    unstated: tuple[Measure, ...] = ()
    over: tuple[str, ...] = ()
    under: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """A code of the list `bound`."""
        return bound_code(bool(self.priceless or self.unstated or self.under), bool(self.over))


def bound_code(is_too_low: bool, is_too_high: bool) -> str:
    """A code of the list `bound`, by whether a part is missing or too low, and whether one is too high."""
    return {(False, False): "estimate", (True, False): "lower", (False, True): "upper"}.get(
        (is_too_low, is_too_high), "neither"
    )


def joint_bound(codes: Collection[str]) -> str:
    """The bound of a sum of amounts: too low, too high, as any of them is."""
    return bound_code(bool({"lower", "neither"} & set(codes)), bool({"upper", "neither"} & set(codes)))


def bound_of(
    channel: str, measure: str, component: str, simulated: Simulated, biases: Mapping[str, str]
) -> Bound:
    """Return what is known to be missing from an amount, too high or too low in it. A sum errs as its parts
    do.

    Of a marginal cost each measure is missing whose own work could not be priced. A measure's fixed cost is
    known where the operator stated one. A channel's is known where it stated one of each measure, or one for
    the channel (`_T`), which is in no measure's own total.
    """
    measures = sorted(
        {key[:2] for key in simulated.amounts if key[2] == "marginal" and key[1] not in NO_MEASURE}
        | {each for each in simulated.fixed if each[1] != "_T"}
    )
    within = [each for each in measures if channel in (each[0], "_T") and measure in (each[1], "_T")]
    priceless: list[Measure] = []
    unstated: list[Measure] = []
    used: set[str] = set()
    if component != "fixed":
        priceless = find_priceless(within, simulated)
        used = {name for each in within for name in simulated.inputs.get(each, ())}
    if component != "marginal":
        unstated = find_unstated(within, channel, measure, simulated)
    over = {name for name in used if name in OVERSTATED or biases.get(name) == "over"}
    under = {name for name in used if biases.get(name) == "under"}
    return Bound(tuple(priceless), tuple(unstated), tuple(sorted(over)), tuple(sorted(under)))


def find_priceless(within: Collection[Measure], simulated: Simulated) -> list[Measure]:
    """Find the measures whose own work could not be priced."""
    effort = {key[:2] for key in simulated.amounts if key[2] == "marginal"}
    return [
        each
        for each in within
        if each in effort and each not in simulated.own and not WORK & simulated.inputs.get(each, frozenset())
    ]


def find_unstated(
    within: Collection[Measure], channel: str, measure: str, simulated: Simulated
) -> list[Measure]:
    """Find the measures without a stated fixed cost; among all measures, also channels that have none: a
    channel without measures may cost staff all the same."""
    if measure != "_T":
        return [each for each in within if each not in simulated.fixed]
    whole = {each[0] for each in simulated.fixed if each[1] == "_T"}
    channels = {key[0] for key in simulated.amounts if channel in (key[0], "_T")}
    idle = channels - whole - {each[0] for each in within}
    unstated = [each for each in within if each not in simulated.fixed and each[0] not in whole]
    return unstated + [(each, "_T") for each in sorted(idle)]


def strategy_by_measure(month: pl.DataFrame) -> dict[str, str | None]:
    """Each measure's X.1231 strategy, as its effort rows say; the first in order where they differ."""
    named = month.select("countermeasure_code", "strategy_code").drop_nulls().unique().sort("strategy_code")
    return dict(reversed(named.rows()))


def round_amount(amount: float) -> Decimal:
    """An amount to four places, as it is stored: the last bits of a double differ between machines."""
    return Decimal(amount).quantize(DIGITS)
