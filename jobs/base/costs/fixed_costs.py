"""An operator's own costs that no log shows: rows of ref.fixed_cost from its settings, and their figures."""

from collections.abc import Mapping
from typing import Any

from jobs.base.costs.prices import FixedCost
from jobs.base.settings.operator import Operator
from jobs.base.tables.contracts import Row


def fixed_cost_rows(operator: Operator) -> list[Row]:
    """The operator's rows of ref.fixed_cost."""
    return [
        {
            "operator_id": operator.id,
            "cost_name": cost.name,
            "countermeasure_code": cost.countermeasure,
            "channel": cost.channel,
            "low": float(cost.low),
            "central": float(cost.central),
            "high": float(cost.high),
            "currency_code": operator.currency,
            "per": cost.per,
        }
        for cost in operator.fixed_cost
    ]


def read_fixed_cost(row: Mapping[str, Any]) -> FixedCost:
    """A row of ref.fixed_cost as it is simulated."""
    return FixedCost(
        name=row["cost_name"],
        countermeasure_code=row["countermeasure_code"],
        channel_code=row["channel"],
        low=row["low"],
        central=row["central"],
        high=row["high"],
        currency_code=row["currency_code"],
        per=row["per"],
    )
