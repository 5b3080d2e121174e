"""Fixed costs that an operator may state where it knows no better: yearly amounts from the register's prices.

Prices of `fixed_for` are of filters of one's own (a firewall, call authentication) and of licences by mailbox
or subscription. Their formulas take counts of the operator, lives, and its country's discount rate. Wages are
in none of them: the register has those of one country alone. What is proposed enters no cost by itself: the
operator copies it into its settings, and whoever reads them sees that it was proposed.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import exact_number, round_significant
from jobs.base.costs.investment_assumptions import rate_code
from jobs.base.costs.price_areas import prices_on_day
from jobs.base.figures.areas import classify_countries
from jobs.base.settings.operator import Operator
from jobs.base.stats.formula import evaluate_formula, names_in
from jobs.base.stats.sampling import sample_parameters, three_quantiles
from jobs.base.tables.contracts import reference_table
from jobs.base.tables.validity import rows_on_day

PARAMETER, RATE = "ref.cost_parameter", "ref.exchange_rate"
# An operator with as many subscribers or more is a large one to prices of call authentication.
LARGE = 1_000_000
DIGITS = 3


@dataclass(frozen=True)
class ProposedCost:
    """A yearly amount as 5, 50 and 95% points, in the operator's currency."""

    parameter_code: str
    description: str
    countermeasure_code: str
    channel_code: str
    low: float
    central: float
    high: float
    source_kind: str


def propose_costs(operator: Operator, channel: str, day: dt.date) -> list[ProposedCost]:
    """The proposals for a channel, without those of measures whose fixed cost the operator states.

    Raises ObservatoryError without the channel's subscribers or an exchange rate of the currency.
    """
    counts = drivers_of(operator, channel)
    parameters = prices_on_day(
        reference_table(PARAMETER),
        *(operator.country, day, reference_table("ref.country"), reference_table("ref.country_group")),
    )
    known = dict(rows_on_day(reference_table(RATE), day).select("currency_code", "usd_per_unit").rows())
    if operator.currency not in known:
        raise ObservatoryError(
            f"cost fixed: {RATE} has no rate for {operator.currency}: add a row, with its source"
        )
    samples = sample_parameters(parameters) | {
        name: np.array([float(value)]) for name, value in counts.items()
    }
    samples["discount_rate"] = samples[discount_rate(operator.country, day)]
    currency_of = dict(parameters.select("parameter_code", "currency_code").rows())
    stated = {each.countermeasure for each in operator.fixed_cost if each.channel == channel}
    found = []
    for row in parameters.filter(pl.col("fixed_for").is_not_null()).sort("parameter_code").rows(named=True):
        measure, formula = row["fixed_for"], row["driver_formula"]
        if channel not in row["channels"].split("|") or stated & {measure, "_T"}:
            continue
        if names_in(formula) - samples.keys():
            continue
        # A share has no currency: that of the price it is a share of.
        (currency,) = {currency_of[name] for name in names_in(formula) if currency_of.get(name)}
        rate = known[currency] / known[operator.currency]
        points = three_quantiles(np.atleast_1d(evaluate_formula(formula, samples) * rate))
        if points[1] > 0:
            low, central, high = (float(round_significant(each, DIGITS)) for each in points)
            found.append(
                ProposedCost(
                    row["parameter_code"], row["description"], measure, channel,
                    low, central, high, row["source_kind"],
                )
            )  # fmt: skip
    return found


def drivers_of(operator: Operator, channel: str) -> Mapping[str, int]:
    """The counts that formulas take, of an operator with one network."""
    given = operator.subscribers
    count = given.get(channel) if isinstance(given, dict) else given
    if count is None:
        raise ObservatoryError(
            f"cost fixed: operator '{operator.id}' has no subscribers of {channel}: add subscribers ="
            f" {{ {channel} = … }} to its settings"
        )
    is_large = int(count >= LARGE)
    return {
        "networks": 1,
        "operators": 1,
        "certificates": 1,
        "operators_small": 1 - is_large,
        "operators_large": is_large,
        "mailboxes": count,
        "voice_subscriptions": count,
    }


def discount_rate(country: str, day: dt.date) -> str:
    """The parameter of the country's discount rate."""
    classes = classify_countries(reference_table("ref.country"), reference_table("ref.country_group"), day)
    of_country = dict(classes.select("country_code", "development_code").rows())
    return rate_code(of_country.get(country, "DEVELOPING"))


def describe_proposals(proposals: list[ProposedCost]) -> str:
    """The proposals as a settings file has them."""
    return "\n\n".join(
        "\n".join(
            [
                "[[operator.fixed_cost]]",
                f'name = "proposed: {each.description} ({each.parameter_code}, {each.source_kind})"',
                f'countermeasure = "{each.countermeasure_code}"',
                f'channel = "{each.channel_code}"',
                f"low = {exact_number(each.low)}",
                f"central = {exact_number(each.central)}",
                f"high = {exact_number(each.high)}",
                'per = "year"',
            ]
        )
        for each in proposals
    )
