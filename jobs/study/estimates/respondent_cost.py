"""study.respondent_cost: what countermeasures cost each operator to run in a quarter or year, in US dollars.

Restricted. Nothing is imputed: marginal cost as logs measure it, fixed cost as operators stated it, and both.

- Who counts: operators with costs of each month of the period, on 90% of its days at least; a few days that
  are missing are taken to be like the others.
- Amounts are converted at the rates of ref.exchange_rate; how far these vary is in the operators' own points.
- Means add up over months, strategies and components. What is in all strategies together and in none of them,
  such as staff for several, is SEVERAL.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from jobs.base.core.periods import months_of
from jobs.base.figures.words import OTHER, TOTAL
from jobs.base.stats.estimation import Array
from jobs.study.estimates.steps.days import days_of, keep_covered_months
from jobs.study.estimates.steps.rows import frame_rows, periods_of

TABLE = "study.respondent_cost"
SEVERAL = OTHER
# Less is what rounded means are off.
CENT = 0.01
MARGINAL, FIXED = OPERATORS_OWN = ("marginal", "fixed")
STATED = "stated"
# Prices of effort are those of world markets, so there is one conversion.
CONVERSION = "market"
MEAN, POINTS = "amount_mean", ("amount_p05", "amount_p50", "amount_p95")


@dataclass(frozen=True)
class GivenCosts:
    """Costs of one channel and period.

    Attributes:
        strategies: their codes, TOTAL first and SEVERAL last.
        people: a row for each operator, with respondent_id and subscriptions.
        means: operators x strategies x OPERATORS_OWN.
        points: the same x months x POINTS, none of SEVERAL.
        states_fixed: who stated a fixed cost.
        bounds: codes of inputs known to be missing or too high, by operator, strategy and component.
    """

    strategies: tuple[str, ...]
    people: pl.DataFrame
    means: Array
    points: Array
    states_fixed: Array
    bounds: dict[tuple[int, str, str], set[str]]


def transform(
    submission_cost: pl.DataFrame, submission: pl.DataFrame, exchange_rate: pl.DataFrame
) -> pl.DataFrame:
    """A row for each operator, period, channel, strategy and component."""
    rows: list[dict[str, object]] = []
    for channel, period, given in list_costs(submission_cost, submission, exchange_rate):
        marginal, fixed = (given.means[..., OPERATORS_OWN.index(name)] for name in OPERATORS_OWN)
        amounts = {MARGINAL: marginal, FIXED: fixed, STATED: marginal + fixed}
        rows += [
            {"respondent_id": person["respondent_id"], "own_subscriptions": person["subscriptions"]}
            | {"period_code": period, "channel_code": channel, "conversion_code": CONVERSION}
            | {"strategy_code": strategy, "cost_component_code": name, "contribution": float(of[at, place])}
            for name, of in amounts.items()
            for place, strategy in enumerate(given.strategies)
            for at, person in enumerate(given.people.to_dicts())
        ]
    return frame_rows(rows, TABLE)


def list_costs(
    submission_cost: pl.DataFrame, submission: pl.DataFrame, exchange_rate: pl.DataFrame
) -> Iterator[tuple[str, str, GivenCosts]]:
    """Channel, period and costs, for each quarter and year of which operators have costs of all months."""
    rows = convert_to_dollars(submission_cost, exchange_rate)
    by = ["respondent_id", "period_code", "channel_code"]
    given = submission.group_by(by).agg(pl.col("subscriptions").max()).sort(by)
    for (channel,), own in sorted(rows.partition_by("channel_code", as_dict=True).items()):
        for period in periods_of(own):
            months = months_of(period)
            if len(months) > 1:
                inside = own.filter(pl.col("period_code").is_in(months))
                found = read_costs(inside, given.filter(channel_code=channel), months)
                if found is not None:
                    yield str(channel), period, found


def convert_to_dollars(submission_cost: pl.DataFrame, exchange_rate: pl.DataFrame) -> pl.DataFrame:
    """Rows of packages with amounts of whole months in US dollars."""
    latest = exchange_rate.sort("rate_date").unique("currency_code", keep="last")
    rates = latest.select("currency_code", pl.col("usd_per_unit").cast(pl.Float64))
    whole = days_of(pl.col("period_code")) / pl.col("day_count")
    return (
        keep_covered_months(submission_cost)
        .join(rates, on="currency_code")
        .with_columns(pl.col(MEAN, *POINTS).cast(pl.Float64) * pl.col("usd_per_unit") * whole)
    )


def read_costs(rows: pl.DataFrame, given: pl.DataFrame, months: Sequence[str]) -> GivenCosts | None:
    """The costs of one channel and period; None where no operator has those of all months."""
    seen = rows.group_by("respondent_id").agg(pl.col("period_code").n_unique())
    names = sorted(seen.filter(pl.col("period_code") == len(months))["respondent_id"])
    if not names:
        return None
    own = rows.filter(pl.col("respondent_id").is_in(names))
    strategies = (TOTAL, *sorted(set(own["strategy_code"]) - {TOTAL}), SEVERAL)
    means = np.zeros((len(names), len(strategies), len(OPERATORS_OWN)))
    points = np.zeros((*means.shape, len(months), len(POINTS)))
    bounds: dict[tuple[int, str, str], set[str]] = {}
    columns = ("respondent_id", "strategy_code", "cost_component_code", "period_code", "bound_code")
    known = own.select(*columns, MEAN, *POINTS)
    for respondent, strategy, component, month, bound, mean, *of in known.rows():
        person = names.index(respondent)
        place = (person, strategies.index(strategy), OPERATORS_OWN.index(component))
        means[place] += mean
        points[(*place, months.index(month))] = of
        bounds.setdefault((person, strategy, component), set()).add(bound)
    # All together is what its parts are, to the last digit.
    several = means[:, 0] - means[:, 1:-1].sum(axis=1)
    means[:, -1] = np.where(several > CENT, several, 0.0)
    means[:, 0] = means[:, 1:].sum(axis=1)
    last = given.filter(pl.col("period_code").is_in(list(months)))
    subscriptions = last.sort("period_code").group_by("respondent_id").agg(pl.col("subscriptions").last())
    of_months = own.group_by("respondent_id", "period_code").agg(pl.col("day_count").max())
    days = of_months.group_by("respondent_id").agg(pl.col("day_count").sum())
    people = pl.DataFrame({"respondent_id": names})
    for each in (subscriptions, days):
        people = people.join(each, on="respondent_id", how="left", maintain_order="left")
    stated = np.array([(person, TOTAL, FIXED) in bounds for person in range(len(names))])
    return GivenCosts(strategies, people, means, points, stated, bounds)
