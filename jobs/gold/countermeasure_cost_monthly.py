"""gold.countermeasure_cost_monthly: what each countermeasure cost, with its 5, 50 and 95% points."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import simulation
from jobs.contracts import arrow_schema, struct_type
from jobs.fixed_costs import figure_of

TABLE = "gold.countermeasure_cost_monthly"


def transform(
    countermeasure_effort_daily: DataFrame,
    cost_parameter: DataFrame,
    exchange_rate: DataFrame,
    operator: DataFrame,
    fixed_cost: DataFrame,
) -> DataFrame:
    """A month of an operator is simulated as a whole: quantiles of a sum are no sum of quantiles."""
    parameters, rates = small(cost_parameter), small(exchange_rate)
    currency = {row.operator_id: row.currency_code for row in operator.collect()}
    fixed: dict[str, list[simulation.FixedCost]] = {}
    for row in fixed_cost.collect():
        fixed.setdefault(row.operator_id, []).append(figure_of(row.asDict()))

    def month_cost(effort: pa.Table) -> pa.Table:
        rows = pl.from_arrow(effort)
        assert isinstance(rows, pl.DataFrame)
        whose = rows["operator_id"][0]
        own = fixed.get(whose, [])
        costs = simulation.cost(rows, parameters, own, rates, currency[whose])
        return (
            costs.rename({"x1231_strategy_code": "strategy_code"}, strict=False)
            .to_arrow()
            .select(arrow_schema(TABLE).names)
            .cast(arrow_schema(TABLE))
        )

    month = F.date_format("period_date", "yyyy-MM").alias("month")
    return countermeasure_effort_daily.groupBy("operator_id", month).applyInArrow(
        month_cost, struct_type(TABLE)
    )


def small(reference: DataFrame) -> pl.DataFrame:
    """A reference table as Polars: it does not grow with the lake."""
    frame = pl.from_arrow(reference.toArrow())
    assert isinstance(frame, pl.DataFrame)
    return frame
