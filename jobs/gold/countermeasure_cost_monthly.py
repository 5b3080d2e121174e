"""gold.countermeasure_cost_monthly: what each countermeasure cost, with its 5, 50 and 95% points."""

import polars as pl

from jobs.core.contracts import conform_frame
from jobs.costs import simulation
from jobs.costs.fixed_costs import to_fixed_cost
from jobs.costs.prices import FixedCost

TABLE = "gold.countermeasure_cost_monthly"


def transform(
    countermeasure_effort_daily: pl.DataFrame,
    cost_parameter: pl.DataFrame,
    exchange_rate: pl.DataFrame,
    operator: pl.DataFrame,
    fixed_cost: pl.DataFrame,
) -> pl.DataFrame:
    """A month of an operator is simulated as a whole: quantiles of a sum are no sum of quantiles."""
    currency = dict(operator.select("operator_id", "currency_code").iter_rows())
    fixed: dict[str, list[FixedCost]] = {}
    for row in fixed_cost.to_dicts():
        fixed.setdefault(row["operator_id"], []).append(to_fixed_cost(row))
    nothing = conform_frame(
        simulation.simulate_costs(countermeasure_effort_daily.clear(), cost_parameter, [], exchange_rate, ""),
        TABLE,
    )
    parts = [
        simulation.simulate_costs(
            effort, cost_parameter, fixed.get(str(whose), []), exchange_rate, currency[str(whose)]
        )
        for (whose,), effort in countermeasure_effort_daily.partition_by("operator_id", as_dict=True).items()
    ]
    return pl.concat([nothing, *(conform_frame(part, TABLE) for part in parts)])
