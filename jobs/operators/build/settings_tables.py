"""Reference tables as a run reads them: those that the settings give, and the dated ones."""

import polars as pl

from jobs.base.costs import fixed_costs
from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator
from jobs.base.tables.contracts import Row, reference_table, rows_frame


def subscribers_of(operator: Operator) -> dict[str, int]:
    """Subscribers by channel; `_T` where the settings have one number for all."""
    given = operator.subscribers
    return given if isinstance(given, dict) else {} if given is None else {"_T": given}


def rows_of_operators(settings: Observatory) -> list[Row]:
    """Rows of ref.operator: what the settings say of each operator."""
    location = settings.location
    return [
        {
            "operator_id": each.id,
            "operator_name": each.name,
            "country_code": each.country,
            "holding_id": each.holding,
            "currency_code": each.currency,
            "subscribers": [
                {"channel_code": channel, "subscriber_count": count}
                for channel, count in subscribers_of(each).items()
            ],
            "domains": each.domains,
            "networks": each.networks,
            "number_prefixes": each.number_prefixes,
            "national_sources": [source.id for source in each.source if source.numbers == "national"],
            "links": [
                {
                    "link_id": link.name,
                    "link_code": link.kind,
                    "link_scope_code": link.scope_code,
                    "link_traffic_code": link.traffic_code,
                    "network_codes": link.networks,
                }
                for link in each.link
            ],
            "ranges_url": location.ranges if location else None,
            "ranges_name": location.name if location else None,
            "ranges_date": location.date if location else None,
            "number_ranges_url": location.number_ranges if location else None,
        }
        for each in settings.operator
    ]


def read_reference(settings: Observatory, table: str) -> pl.DataFrame:
    """A reference table: what the settings say of operators, or a dated CSV."""
    if table == "ref.operator":
        return rows_frame(rows_of_operators(settings), table)
    if table == "ref.fixed_cost":
        costs = [row for each in settings.operator for row in fixed_costs.fixed_cost_rows(each)]
        return rows_frame(costs, table)
    return reference_table(table)
