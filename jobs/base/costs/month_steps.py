"""The formulas behind what countermeasures cost in a month: steps, inputs, effort."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from jobs.base.core.numbers import format_bytes, format_duration, format_number, formula_number
from jobs.base.costs.figure import FormulaStep, Input, input_of
from jobs.base.costs.prices import FixedCost, PriceLine, Prices
from jobs.base.costs.simulation import (
    Bound,
    Simulated,
    bound_of,
    conversion_rates,
    driver_formulas,
    effort_values,
    prices_for,
    share_of_year,
    simulate_month,
    sum_effort,
)
from jobs.base.figures import words
from jobs.base.settings.operator import Operator
from jobs.base.stats.formula import evaluate_formula, fill_in_values, names_in
from jobs.base.stats.sampling import Samples
from jobs.base.tables.contracts import reference_table

PARAMETER, RATE = "ref.cost_parameter", "ref.exchange_rate"


@dataclass(frozen=True)
class Month:
    """One operator's month, or a part of it: what the lake has of it, and what prices it.

    Attributes:
        parameters: the rows of ref.cost_parameter that hold in its country.
    """

    operator: Operator
    period_code: str
    channel: str
    measure: str
    effort: pl.DataFrame
    stored: Mapping[str, Any]
    parameters: pl.DataFrame
    priced: Prices
    versions: Mapping[str, int]

    @property
    def days(self) -> int:
        return int(self.stored["day_count"])

    def covers_measure(self, channel: str, measure: str) -> bool:
        return self.channel in (channel, "_T") and self.measure in (measure, "_T")

    def simulate_cost(self, samples: Samples) -> Simulated:
        """The whole month's cost, sample by sample."""
        return simulate_month(self.effort, self.priced, samples, share_of_year(self.period_code, self.days))

    def sum_covered_cost(self, samples: Samples) -> np.ndarray:
        """The month's cost, sample by sample, of what this figure covers."""
        amounts = [
            amount
            for key, amount in self.simulate_cost(samples).amounts.items()
            if self.covers_measure(*key[:2])
        ]
        return np.sum(amounts, axis=0)

    @property
    def bound(self) -> Bound:
        """Return the direction in which the figure is known to err."""
        simulated = self.simulate_cost(central_samples(self.priced.table))
        return bound_of(self.channel, self.measure, "total", simulated, self.priced.biases)


def central_samples(table: pl.DataFrame) -> Samples:
    names = table["parameter_code"].to_list()
    return {each: np.array([value]) for each, value in zip(names, table["central"].to_list(), strict=True)}


def fill_with_central(values: Samples, month: Month) -> Samples:
    """The values with all other parameters at their central ones."""
    size = len(next(iter(values.values())))
    return {
        name: np.full(size, each[0]) for name, each in central_samples(month.priced.table).items()
    } | values


def list_formula_steps(month: Month) -> tuple[list[FormulaStep], set[str]]:
    """Each formula that adds to the figure, with numbers, and the parameters that they take."""
    central = {name: float(each[0]) for name, each in central_samples(month.priced.table).items()}
    rates = conversion_rates(central_samples(month.priced.table), month.priced.shown)
    to_shown = {code: float(each[0]) for code, each in rates.items()}
    steps: list[FormulaStep] = []
    used: set[str] = set()
    for row in sum_effort(month.effort):
        if month.covers_measure(row["channel_code"], row["countermeasure_code"]):
            for line in prices_for(row, month.priced, {*central, *driver_formulas(row)}):
                step, names = price_step(row, line, central, to_shown, month.priced.shown)
                steps.append(step)
                used |= (names & central.keys()) | rates_between(line.currency_code, month.priced.shown)
    for place, item in enumerate(month.priced.fixed):
        if month.covers_measure(item.channel_code, item.countermeasure_code):
            steps.append(fixed_step(month, item, to_shown))
            used |= {f"fixed:{place}"} | rates_between(item.currency_code, month.priced.shown)
    return steps, used


def price_step(
    row: Mapping[str, Any],
    line: PriceLine,
    central: Mapping[str, float],
    to_shown: Mapping[str, float],
    shown: str,
) -> tuple[FormulaStep, set[str]]:
    """One price charged to a measure's effort, and the names that its whole formula takes."""
    known = driver_formulas(row)
    texts = {name: f"({known[name]})" if name in known else name for name in names_in(line.formula)}
    formula = fill_in_values(line.formula, texts)
    values = dict(central) | effort_values(row)
    names = names_in(formula)
    numbers = fill_in_values(formula, {name: formula_number(values[name]) for name in names})
    result = format_converted(evaluate_formula(formula, values), line.currency_code, shown, to_shown)
    what = f"{words.code_name('countermeasure', row['countermeasure_code'])}: {line.code}"
    return FormulaStep(what, formula, numbers, result), names


def fixed_step(month: Month, item: FixedCost, to_shown: Mapping[str, float]) -> FormulaStep:
    """One of the operator's own figures, as far as the month has data."""
    year, number_of_month = map(int, month.period_code.split("-"))
    days = calendar.monthrange(year, number_of_month)[1]
    months = 12 if item.per == "month" else 1
    amount = item.central * months * share_of_year(month.period_code, month.days)
    over = "" if item.per == "month" else "/12"
    return FormulaStep(
        item.name,
        f"own figure*days with data/days of the month{over}",
        f"{formula_number(item.central)}*{month.days}/{days}{over}",
        format_converted(amount, item.currency_code, month.priced.shown, to_shown),
    )


def rates_between(currency: str, shown: str) -> set[str]:
    # Rates are in US dollars, so that of the dollar says nothing.
    return set() if currency == shown else {f"rate:{code}" for code in (currency, shown) if code != "USD"}


def format_converted(amount: float, currency: str, shown: str, to_shown: Mapping[str, float]) -> str:
    if currency == shown:
        return f"{format_number(amount)} {shown}"
    return f"{format_number(amount)} {currency} = {format_number(amount * to_shown[currency])} {shown}"


def list_inputs(month: Month, used: set[str]) -> list[Input]:
    """The parameters, rates and own figures that the figure takes."""
    parameters = {row["parameter_code"]: row for row in month.parameters.rows(named=True)}
    rates = {row["currency_code"]: row for row in reference_table(RATE).rows(named=True)}
    inputs = [input_of(parameters[code], code) for code in sorted(used & parameters.keys())]
    for place, item in enumerate(month.priced.fixed):
        if f"fixed:{place}" in used:
            unit = f"{item.currency_code} per {item.per}"
            inputs.append(
                Input(
                    f"fixed:{place}",
                    item.name,
                    unit,
                    item.low,
                    item.central,
                    item.high,
                    f"settings of {month.operator.id}",
                    "own figure",
                    "",
                )
            )
    for code in sorted(each.removeprefix("rate:") for each in used if each.startswith("rate:")):
        row = rates[code]
        inputs.append(
            Input(
                f"rate:{code}",
                f"US dollars for one {code}, {row['rate_date']}",
                f"USD per {code}",
                row["usd_per_unit_low"],
                row["usd_per_unit"],
                row["usd_per_unit_high"],
                row["source"],
                row["source_kind"],
                row["confidence"],
            )
        )
    return inputs


def effort_lines(month: Month) -> list[tuple[str, str]]:
    """The effort that logs show, a line per measure."""
    derived = dict(month.effort.select("countermeasure_code", "is_examined_derived").rows())
    found = []
    for row in sum_effort(month.effort):
        if not month.covers_measure(row["channel_code"], row["countermeasure_code"]):
            continue
        code = row["countermeasure_code"]
        how = " (derived)" if derived.get(code) else ""
        text = f"{row['units_examined'] or 0:,} examined{how}, {row['units_acted'] or 0:,} acted on"
        if row["filter_us"]:
            text += f", filter time {format_duration(row['filter_us'] / 1e6)}"
        if row["received_bytes"]:
            text += f", {format_bytes(row['received_bytes'])} received"
        if row["quarantined_bytes"]:
            text += f", {format_bytes(row['quarantined_bytes'])} quarantined"
        found.append(
            (
                f"{words.code_name('countermeasure', code)},"
                f" {words.code_name('channel', row['channel_code'])}",
                text,
            )
        )
    return found
