"""The kernels of gold's tables, by table.

A daily table is counted from parts of the messages: PARTIALS has what a part of them adds to it, FINISHERS
what is computed from merged rows of whole operator-days, if that is more than their sum. TRANSFORMS has those
of tables that are computed from whole tables. Their parameters are the tables that the contract reads.
"""

from collections.abc import Callable

import polars as pl

from jobs.base.tables.contracts import conform_frame
from jobs.operators.gold import (
    bulk_daily,
    bypass_indicator_daily,
    campaign_daily,
    countermeasure_cost_monthly,
    countermeasure_effort_daily,
    filter_quality_monthly,
    refused_by_others_daily,
    spam_corrected_monthly,
    spam_route_daily,
    spam_sender_domain_daily,
    spam_source_daily,
    spam_source_monthly,
    spam_type_daily,
    spam_volume_daily,
    traffic_hourly_daily,
    type_coverage_daily,
)

Kernel = Callable[..., pl.DataFrame]

PARTIALS: dict[str, Kernel] = {
    "gold.bulk_daily": bulk_daily.partial,
    "gold.bypass_indicator_daily": bypass_indicator_daily.partial,
    "gold.campaign_daily": campaign_daily.partial,
    "gold.countermeasure_effort_daily": countermeasure_effort_daily.partial,
    "gold.refused_by_others_daily": refused_by_others_daily.partial,
    "gold.spam_route_daily": spam_route_daily.partial,
    "gold.spam_sender_domain_daily": spam_sender_domain_daily.partial,
    "gold.spam_source_daily": spam_source_daily.partial,
    "gold.spam_type_daily": spam_type_daily.partial,
    "gold.spam_volume_daily": spam_volume_daily.partial,
    "gold.traffic_hourly_daily": traffic_hourly_daily.partial,
    "gold.type_coverage_daily": type_coverage_daily.partial,
}
FINISHERS: dict[str, Kernel] = {
    "gold.bypass_indicator_daily": bypass_indicator_daily.finish,
    "gold.campaign_daily": campaign_daily.finish,
    "gold.countermeasure_effort_daily": countermeasure_effort_daily.finish,
    "gold.refused_by_others_daily": refused_by_others_daily.finish,
    "gold.spam_sender_domain_daily": spam_sender_domain_daily.finish,
    "gold.spam_source_daily": spam_source_daily.finish,
}
TRANSFORMS: dict[str, Kernel] = {
    "gold.countermeasure_cost_monthly": countermeasure_cost_monthly.transform,
    "gold.filter_quality_monthly": filter_quality_monthly.transform,
    "gold.spam_corrected_monthly": spam_corrected_monthly.transform,
    "gold.spam_source_monthly": spam_source_monthly.transform,
}


def finish_rows(merged: pl.DataFrame, table: str) -> pl.DataFrame:
    """A table's rows of whole operator-days, from merged parts."""
    finish = FINISHERS.get(table)
    return conform_frame(finish(merged) if finish else merged, table)
