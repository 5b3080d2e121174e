"""study.respondent_cost: what countermeasures cost each operator to run in a quarter or year, in US dollars.
Restricted. Nothing is imputed: marginal cost as logs measure it, fixed cost as operators stated it, and both.
"""

import polars as pl

from jobs.study.estimates.countermeasure_cost import CONVERSION, STATED
from jobs.study.estimates.steps.costs_given import FIXED, MARGINAL, OPERATORS_OWN, list_costs
from jobs.study.estimates.steps.rows import typed_rows

TABLE = "study.respondent_cost"


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
    return typed_rows(rows, TABLE)
