"""Audits that are due: the channels of a month that lack one, and the progress of those begun."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.base.core.periods import period_bounds
from jobs.base.figures.counting_rules import HAD_CONTENT, OPERATOR, RECEIVED
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import read_files
from jobs.base.tables.sql import parse_expression
from jobs.operators.runs import quality

VOLUME = "gold.spam_volume_daily"
DONE, LABELLING, NOT_DRAWN = "done", "labelling", "not_drawn"


@dataclass(frozen=True)
class AuditDue:
    """The progress of the audit of a month and channel.

    Attributes:
        step: what to do next; None where it is done.
    """

    operator_id: str
    period_code: str
    channel_code: str
    audit_code: str
    drawn: int
    labelled: int
    step: str | None


def list_audits(lake: Lake, operators: Collection[str], period: str) -> list[AuditDue]:
    """List the state of the audit of each operator, month of the period and channel with content that the
    filter could see. drawn and labelled count the month's one sample, whatever the channel."""
    first, last = map(str, period_bounds(period))
    files = lake.files(
        VOLUME,
        lake.versions().get(VOLUME),
        lambda of: of["operator_id"] in operators and first <= str(of["period_date"]) <= last,
    )
    seen = (
        read_files(VOLUME, files)
        .filter(
            pl.col("definition_code") == OPERATOR,
            pl.col("direction_code").is_in(RECEIVED),
            pl.col("units") > 0,
            parse_expression(HAD_CONTENT),
        )
        .with_columns(pl.col("period_date").dt.strftime("%Y-%m").alias("period_code"))
        .select("operator_id", "period_code", "channel_code")
        .unique()
        .sort("operator_id", "period_code", "channel_code")
    )
    done = lake.read(quality.TABLE, where=pl.col("quality_method_code") == "audit")
    audited = set(done.select(seen.columns).iter_rows())
    labels = lake.read(quality.AUDIT[1], columns=["operator_id", "period_code", "label_code"])
    return [describe_audit(row, row in audited, labels) for row in seen.iter_rows()]


def describe_audit(row: tuple[Any, ...], is_done: bool, labels: pl.DataFrame) -> AuditDue:
    operator, month, channel = row
    of_month = labels.filter(operator_id=operator, period_code=month)["label_code"]
    drawn, labelled = of_month.len(), of_month.count()
    if is_done:
        return AuditDue(operator, month, channel, DONE, drawn, labelled, None)
    if drawn:
        step = f"fill in the sheet of {month} ({labelled:,} of {drawn:,} done), then `observatory audit load`"
        return AuditDue(operator, month, channel, LABELLING, drawn, labelled, step)
    step = f"`observatory audit sample --month {month} --operator {operator}` draws messages to label"
    return AuditDue(operator, month, channel, NOT_DRAWN, 0, 0, step)
