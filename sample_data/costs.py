"""Costs of countermeasures of the made-up membership's operators: what packages say, and the truth."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jobs.base.core.periods import count_days
from jobs.base.stats.sampling import Z95
from jobs.base.tables.contracts import reference_rows

if TYPE_CHECKING:
    from jobs.study.estimates.steps.accounts import Price
    from sample_data.membership import Population

# US dollars: for a thousand messages, and fixed for a subscription and month.
PER_THOUSAND = {"EMAIL": 0.01, "SMS": 0.2}
PER_SUBSCRIPTION = {"EMAIL": 0.012, "SMS": 0.006}
# How strategies divide marginal cost, and how sure each is: deviation of the logarithm, that of all together
# last. What is fixed is the filter's in part, and for the rest staff for all measures.
MARGINAL = {"filtering": (16.0, 0.7), "network": (2.5, 0.5), "service": (1.5, 0.9)}
TOGETHER, OWN_FIGURES, FILTER_SHARE = 0.6, 0.15, 0.6
# How costs differ: fixed cost falls with size and rises with wages.
SPREAD, BY_SIZE, BY_WAGE = 0.4, -0.15, 0.3
# Of those that send packages those with costs, and those that state what is fixed.
SEND, STATE = 0.85, {"SMALL": 0.4, "MEDIUM": 0.5, "LARGE": 0.6}


class SampleCosts:
    """Costs of all operators of a channel.

    Attributes:
        means: operators x (marginal, fixed) by month, in US dollars.
    """

    def __init__(
        self,
        people: Population,
        channel: str,
        given: Sequence[Mapping[str, object]],
        price: Mapping[tuple[str, int], Price],
        year: int,
        seed: int,
    ) -> None:
        self.people, self.channel, self.price, self.year = people, channel, price, year
        random = np.random.default_rng([seed, *b"costs", *channel.encode()])
        count = len(people.respondent)
        units: dict[str, np.ndarray] = {}
        place = {name: at for at, name in enumerate(people.respondent)}
        for row in given:
            if row["direction_code"] == "inbound":
                of_month = units.setdefault(str(row["period_code"]), np.zeros(count))
                of_month[place[row["respondent_id"]]] += int(str(row["units"]))
        own = np.exp(random.normal(0, SPREAD, count))
        prices = [price[country, year] for country in people.country]
        wage = np.array([(each.wage or 0.0) / each.market for each in prices])
        level = BY_SIZE * np.log(people.subscriptions / 2e5) + BY_WAGE * np.log(wage / np.median(wage))
        yearly = PER_SUBSCRIPTION[channel] * people.subscriptions
        fixed = yearly * np.exp(level + random.normal(0, SPREAD, count))
        self.shares = random.dirichlet([weight for weight, _ in MARGINAL.values()], count)
        self.means = {
            month: np.stack([PER_THOUSAND[channel] * of / 1000 * own, fixed], axis=1)
            for month, of in sorted(units.items())
        }
        self.sends = random.random(count) < SEND
        self.states = random.random(count) < np.array([STATE[size] for size in people.size])

    def package_rows(
        self, silent: Collection[str], days: Mapping[tuple[str, str], int]
    ) -> list[dict[str, object]]:
        """Rows of the packages of those that send.

        Args:
            days: with logs, of months that lack some.
        """
        known = {row["currency_code"]: float(row["usd_per_unit"]) for row in reference_rows("exchange_rate")}
        rows = []
        for at, respondent in enumerate(self.people.respondent):
            if respondent in silent or not self.sends[at]:
                continue
            currency = self.price[self.people.country[at], self.year].currency
            currency = currency if currency in known else "USD"
            for month, means in self.means.items():
                has = days.get((str(respondent), month), count_days(month))
                scale = has / count_days(month) / known[currency]
                head = {
                    "respondent_id": respondent, "country_code": self.people.country[at],
                    "period_code": month, "channel_code": self.channel, "currency_code": currency,
                    "day_count": has,
                }  # fmt: skip
                for strategy, component, share, deviation, bound in self.parts_of(at):
                    mean = means[at, int(component == "fixed")] * share * scale
                    codes = {"strategy_code": strategy, "cost_component_code": component}
                    rows.append(head | codes | {"bound_code": bound} | points_of(mean, deviation))
        return rows

    def parts_of(self, at: int) -> list[tuple[str, str, float, float, str]]:
        """Strategy, component, share of the component, deviation of the logarithm and bound."""
        found = [
            (strategy, "marginal", float(self.shares[at, place]), deviation, "upper")
            for place, (strategy, (_, deviation)) in enumerate(MARGINAL.items())
        ]
        found.append(("_T", "marginal", 1.0, TOGETHER, "upper"))
        if self.states[at]:
            found.append(("filtering", "fixed", FILTER_SHARE, OWN_FIGURES, "estimate"))
            found.append(("_T", "fixed", 1.0, OWN_FIGURES, "lower"))
        return found

    def total_of(self, inside: np.ndarray) -> dict[str, float]:
        """Sum what all operators of an area spent, by figure."""
        both = sum(means[inside].sum(axis=0) for means in self.means.values())
        assert isinstance(both, np.ndarray)
        return {"cost_marginal": float(both[0]), "cost_fixed": float(both[1])}


def points_of(mean: float, deviation: float) -> dict[str, float]:
    """The mean and points of a lognormal distribution, to four digits after the point."""
    median = mean / np.exp(deviation**2 / 2)
    ends = {"p05": -Z95, "p50": 0.0, "p95": Z95}
    points = {f"amount_{name}": float(median * np.exp(end * deviation)) for name, end in ends.items()}
    return {name: round(value, 4) for name, value in ({"amount_mean": float(mean)} | points).items()}
