"""The main figures of the study on a terminal, and where its sources disagree."""

from typing import Any

import polars as pl
from rich.console import RenderableType
from rich.table import Table

from jobs.base.core.numbers import format_change, format_compact, format_whole_percent
from jobs.base.figures.counting_rules import OPERATOR
from jobs.cli.study.study_change import change_tables
from jobs.cli.study.study_costs import cost_tables
from jobs.cli.study.study_measures import measure_tables
from jobs.cli.study.study_parts import route_tables, source_tables, type_tables
from jobs.cli.study.study_policy import policy_table
from jobs.cli.study.study_spending import investment_tables, public_spending_table
from jobs.cli.study.study_tables import (
    estimates_table,
    format_interval,
    is_of_period,
    latest_period,
    to_objects,
)
from jobs.cli.study.study_volume import corrected_tables, volume_tables

# Of figures that others published.
SIGNS = {"about": "", "at_least": ">", "at_most": "<"}
PUBLISHED_HEADS = ("of", "printed", "ours", "95% interval", "")
PUBLISHED_TOLD = (
    "Each counted something else, in other years: `observatory show study.published_volume` says what, and"
    " where it was read. No interval of shares."
)


def result_tables(frames: dict[str, pl.DataFrame]) -> list[RenderableType]:
    """The main figures of the latest and longest period, each table with its interval, coverage and band.

    Corrected ones come first: where filters err, intervals of what they saw do not contain the truth.
    """
    return [
        *corrected_tables(frames["study.spam_volume"], frames["study.submission_quality"]),
        *volume_tables(frames["study.spam_volume"]),
        *change_tables(frames["study.volume_change"]),
        *type_tables(frames["study.spam_type"]),
        *source_tables(frames["study.spam_source"]),
        *route_tables(frames["study.spam_route"]),
        *published_table(frames["study.published_volume"]),
        *investment_tables(
            frames["study.investment"], frames["study.investment_gap"], frames["ref.investment_target"]
        ),
        *public_spending_table(frames["study.public_spending"]),
        *measure_tables(frames["study.countermeasure"]),
        *cost_tables(frames["study.countermeasure_cost"]),
        *policy_table(frames["study.policy"]),
        *reconciliation_table(frames["study.reconciliation"]),
        *mirror_table(frames["study.mirror"]),
    ]


# So many pairs of regions are printed.
PAIRS = 8


def reconciliation_table(frame: pl.DataFrame) -> list[Table]:
    count = {
        (indicator, kind): number
        for indicator, kind, number in frame.group_by("indicator_code", "agreement_code").len().rows()
    }
    if not count:
        return []
    title = "Answers against logs of the same operators, number of answers"
    table = Table("indicator", title=title, title_justify="left")
    kinds = ("agrees", "differs", "conflicts", "other_definition")
    for kind in kinds:
        table.add_column(kind.replace("_", " "), justify="right")
    for indicator in sorted({indicator for indicator, _ in count}):
        table.add_row(indicator, *(str(count.get((indicator, kind), 0)) for kind in kinds))
    return [table]


def mirror_table(frame: pl.DataFrame) -> list[Table]:
    """The pairs of regions whose reports differ most in the last month: recipients, attempts and calls by
    the operators' own definition."""
    own = frame.filter(
        pl.col("definition_code") == OPERATOR, pl.col("measure_code").is_in(["attempted", "calls"])
    )
    found = to_objects(
        own.filter(
            is_of_period(latest_period(own)),
            pl.col("link_code") == "_T",
            ~pl.col("is_within_unplaced"),
        )
    )
    if not found:
        return []
    title = f"Sent and received in {found[0].period_code}: attempted or calls, definition {OPERATOR}"
    table = Table("channel", "from", "to", title=title, title_justify="left")
    for head in ("sent", "received", "discrepancy", "coverage"):
        table.add_column(head, justify="right")
    for row in sorted(
        found,
        key=lambda row: (-abs(row.discrepancy_units), row.origin_region_code, row.destination_region_code),
    )[:PAIRS]:
        table.add_row(
            row.channel_code, row.origin_region_code, row.destination_region_code,
            format_compact(row.sent_units), format_compact(row.received_units),
            format_change(row.discrepancy_pct, 0),
            ", ".join(format_whole_percent(each, "?")
                      for each in (row.sent_coverage_pct, row.received_coverage_pct)),
        )  # fmt: skip
    return [table]


def published_table(frame: pl.DataFrame) -> list[RenderableType]:
    """The published figures that the study has one of its own beside."""
    rows = to_objects(frame.filter(pl.col("own_value").is_not_null()).sort("channel_code", "period_code"))
    if not rows:
        return []
    title = "Published volumes of others, and this study's"
    table = estimates_table(title, *PUBLISHED_HEADS, first="figure", caption=PUBLISHED_TOLD)
    for row in rows:
        printed = f"{SIGNS[row.published_bound_code]}{format_figure(row, row.printed_value)}"
        interval = format_interval(row.own_low, row.own_high, "")
        ours = (format_figure(row, row.own_value), interval, row.own_period_code)
        table.add_row(f"{row.issuer} {row.channel_code}", row.period_code, printed, *ours)
    return [table]


def format_figure(row: Any, value: Any) -> str:
    return format_whole_percent(value) if row.comparison_code == "share" else format_compact(value)
