"""Sensitivity of an area's spending, and of its gap to a norm, to one parameter at a time.

Each parameter of jobs.base.costs.investment_assumptions is set to its 5% and then its 95% point, with all
others at their central values, and the area is estimated again. What respondents stated themselves does not
change. The points of several parameters do not add up; the interval of the estimate includes them all
together.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from jobs.base.core.periods import last_day
from jobs.base.costs.investment_assumptions import PARAMETERS, SHARE
from jobs.base.figures.areas import classify_countries
from jobs.base.stats.estimation import Array, seed_of
from jobs.base.stats.imputation import PARTS
from jobs.base.stats.sampling import Samples
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates.steps.sample import Reference, point_estimates, sample_of
from jobs.study.estimates.steps.spending import (
    CONVERSIONS,
    dollar_prices,
    draw_capital,
    draw_spending,
    sum_by_respondent,
)

MARKET = CONVERSIONS.index("market")


@dataclass(frozen=True)
class ParameterEffect:
    """A parameter's points, and an area's spending in dollars at market rates with the parameter there."""

    parameter_code: str
    low: float
    central: float
    high: float
    at_low: float
    at_high: float

    @property
    def swing(self) -> float:
        return abs(self.at_high - self.at_low)


def vary_parameters(
    accounts: pl.DataFrame,
    reference: Reference,
    dollars: dict[str, float],
    parameters: pl.DataFrame,
    area: str,
    channel: str,
    period: str,
) -> tuple[float, list[ParameterEffect]]:
    """The area's spending at central values, and what each parameter makes of it, the greatest swing first.

    Raises KeyError for an area that has no operators.

    Args:
        accounts: of study.investment_account, of the channel and year.
        dollars: US for one international dollar, by country.
        parameters: ref.cost_parameter.
    """
    day = last_day(period)
    points = {
        code: (low, central, min(high, 1.0) if code == SHARE else high)
        for code, low, central, high in rows_on_day(parameters, day)
        .filter(pl.col("parameter_code").is_in(PARAMETERS))
        .select("parameter_code", *(pl.col(name).cast(pl.Float64) for name in ("low", "central", "high")))
        .rows()
    }
    people = sum_by_respondent(accounts, reference.operator_frame, day).with_columns(
        subscriptions=pl.lit(None, dtype=pl.Int64)
    )
    key = ("investment", channel, period)
    sample, answered = sample_of(reference, people, channel, period, key, replicates=0)
    classes = dict(
        classify_countries(reference.country, reference.country_group, day)
        .select("country_code", "development_code")
        .rows()
    )
    capital = draw_capital(answered, [classes[name] for name in answered["country_code"]], vary_each(points))
    found = draw_spending(answered, seed_of(*key, "bands"), np.ones((2, answered.height)))
    price = dollar_prices(np.array([dollars[name] for name in answered["country_code"]]))[:, :, MARKET]
    factor = np.ones((len(capital) + 1, *found.parts.shape))
    factor[1:, :, PARTS.index("capital")] = capital
    y = found.mean * np.einsum("srp,rp,rp->sr", factor, found.parts, price)
    values = [float(value or 0.0) for value in point_estimates(sample, y.T)[area]]
    effects = [
        ParameterEffect(code, *points[code], *values[1 + 2 * place : 3 + 2 * place])
        for place, code in enumerate(points)
    ]
    return values[0], sorted(effects, key=lambda each: (-each.swing, each.parameter_code))


def vary_each(points: dict[str, tuple[float, float, float]]) -> Samples:
    """Central values first, then each parameter in turn at its low and at its high point."""
    found: dict[str, Array] = {}
    for place, (code, (low, central, high)) in enumerate(points.items()):
        found[code] = np.full(1 + 2 * len(points), central)
        found[code][[1 + 2 * place, 2 + 2 * place]] = low, high
    return found
