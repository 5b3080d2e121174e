"""The source line under each figure: tables, definition, period and run."""

from __future__ import annotations

import polars as pl

from jobs.core import words
from jobs.core.counting_rules import OPERATOR
from jobs.report.report import Report

MINE, EACH, NONE = f"definition {OPERATOR}", "each definition as named", "independent of any definition"
CORRECTED = "gold.spam_corrected_monthly"
# The table that a figure is computed from, and its definition of spam.
SOURCES = {
    "volume.csv": ("gold.spam_volume_daily", EACH),
    "bases.csv": ("gold.spam_volume_daily", f"{MINE}, unless a row names another"),
    "daily.csv": (CORRECTED, MINE),
    "types.csv": ("gold.spam_type_daily", MINE),
    "type_coverage.csv": ("gold.type_coverage_daily", NONE),
    "campaigns.csv": ("gold.campaign_daily", NONE),
    "routes.csv": ("gold.spam_route_daily", MINE),
    "transits.csv": (CORRECTED, MINE),
    "bypass.csv": ("gold.bypass_indicator_daily", NONE),
    "countries.csv": (CORRECTED, MINE),
    "networks.csv": ("gold.spam_source_daily", MINE),
    "stages.csv": (CORRECTED, MINE),
    "hours.csv": ("gold.traffic_hourly_daily", NONE),
    "effort.csv": ("gold.countermeasure_effort_daily", NONE),
    "quality.csv": ("gold.filter_quality_monthly", MINE),
    "quality_parts.csv": ("gold.filter_quality_monthly", MINE),
    "costs.csv": ("gold.countermeasure_cost_monthly", NONE),
    "coverage.csv": ("bronze.file", NONE),
    "validation.csv": ("the lake's validation results", NONE),
}
# Figures that do not depend on a period.
UNDATED = {"coverage.csv": "all files read", "validation.csv": "last check of each table"}


def source_lines(report: Report, run_id: str) -> dict[str, str]:
    """The line of each figure, by the name of its file."""
    return {
        name: f"Source: {table}; {definition}; {period_of(report, name)}; run {run_id}."
        for name, (table, definition) in SOURCES.items()
    }


def period_of(report: Report, name: str) -> str:
    """The days or months of a figure's numbers; the page's days if the figure has no period of its own."""
    if name in UNDATED:
        return UNDATED[name]
    figure = report.figures[name.removesuffix(".csv")]
    if "period_code" in figure.columns and len(figure):
        months = sorted(set(figure["period_code"]))
        return words.DASH.join(words.format_period(code) for code in dict.fromkeys((months[0], months[-1])))
    dated = figure if "period_date" in figure.columns and len(figure) else report.figures["daily"]
    days = dated.select(first=pl.col("period_date").min(), last=pl.col("period_date").max()).row(0)
    return "no day" if days[0] is None else words.format_days(*days)
