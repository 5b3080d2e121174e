"""Estimated volumes of spam on a terminal, as filters saw it and corrected for their errors."""

from __future__ import annotations

from typing import Any

import polars as pl
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from jobs.cli.study_tables import (
    CORRECTED,
    SEEN,
    of_period,
    part,
    quality,
    rows_of,
    sheet,
    short,
    signs,
    spam_title,
    span,
)
from jobs.core import words
from jobs.core.counting_rules import OPERATOR
from jobs.core.periods import months_of, with_logs

AS_FILTERED = "Spam as filters saw it: no interval includes the errors of filters"
DAYS = "Share of days with logs (counts are scaled up to all days)"
WITH_ERRORS = "Operators with logs only; filters without an audit are taken to err like audited ones."


VOLUME_HEADS = ("", "estimate", "95% interval", "CV", "cov.", "answers", "others 0.5–1.5")
CORRECTED_HEADS = ("", "estimate", "95% interval", "CV", "as seen", "cov.", "audits", "audited")


def volume_period(frame: pl.DataFrame) -> str | None:
    return with_logs(frame.select("period_code", "respondent_count", "answer_count").unique().rows())


def volume(frame: pl.DataFrame) -> list[Table]:
    """Certain spam of what was attempted by the operators' own definition, a table for each channel.

    Of the latest period that any logs cover.
    """
    period = volume_period(frame)
    found = rows_of(
        frame,
        of_period(period),
        pl.col("definition_code") == OPERATOR,
        pl.col("quantity_code") == "spam_certain",
        pl.col("unit_code").is_in(["attempted", "call"]),
    )
    tables = []
    for channel in dict.fromkeys(row.channel_code for row in found):
        of_channel = [row for row in found if row.channel_code == channel]
        table = sheet(spam_title(channel, period, SEEN, of_channel[0].unit_code), *VOLUME_HEADS)
        for row in of_channel:
            table.add_row(
                row.area_code, row.conf_status_code, short(row.estimate),
                span(row.estimate_low, row.estimate_high), quality(row),
                f"{row.coverage_pct:.0f}%", part(row.answer_pct), span(row.at_050, row.at_150),
            )  # fmt: skip
        tables.append(table)
    for table in tables[-1:]:
        days = ", ".join(
            f"{row.channel_code} {days_of(row)}" for row in found if row.area_kind_code == "world"
        )
        table.caption = "\n".join([as_filtered(frame, period), f"{DAYS}: {days}.", *signs(found)])
        table.caption_justify = "left"
    return tables


def as_filtered(frame: pl.DataFrame, period: str | None) -> str:
    """What intervals of spam as filters saw it leave out, and for which channels there are better ones."""
    of_corrected = frame.filter(of_period(period), pl.col("quantity_code") == "spam_corrected")
    channels = words.listed(sorted(of_corrected["channel_code"].unique()))
    return f"{AS_FILTERED}: see the corrected figures of {channels}." if channels else f"{AS_FILTERED}."


def days_of(row: Any) -> str:
    """The share of days that logs behind a figure have, to a tenth, since counts are scaled by it."""
    return "no logs" if row.day_pct is None else f"{row.day_pct:.1f}%"


def corrected(frame: pl.DataFrame, audits: pl.DataFrame) -> list[RenderableType]:
    """Spam with the filters' errors, of what was attempted in the period of volume(): a table for each
    channel that has audits enough, and of the others how many they have."""
    period = volume_period(frame)
    rows = rows_of(
        frame,
        of_period(period),
        pl.col("definition_code") == OPERATOR,
        pl.col("unit_code") == "attempted",
        pl.col("quantity_code").is_in(["spam_certain", "spam_corrected"]),
    )
    found = [row for row in rows if row.quantity_code == "spam_corrected"]
    seen = {(row.channel_code, row.area_code): row for row in rows if row.quantity_code == "spam_certain"}
    told: list[Table] = []
    for channel in dict.fromkeys(row.channel_code for row in found):
        table = sheet(spam_title(channel, period, CORRECTED, "attempted"), *CORRECTED_HEADS)
        for row in found:
            if row.channel_code == channel:
                before = seen.get((channel, row.area_code))
                table.add_row(
                    row.area_code, row.conf_status_code, short(row.estimate),
                    span(row.estimate_low, row.estimate_high), quality(row),
                    short(before.estimate) if before else "", f"{row.coverage_pct:.0f}%",
                    f"{row.audit_count}", part(row.audit_pct),
                )  # fmt: skip
        told.append(table)
    for table in told[-1:]:
        table.caption, table.caption_justify = "\n".join([WITH_ERRORS, *signs(found)]), "left"
    return [*told, *few_audits(period, audits, {row.channel_code for row in rows}, found)]


def few_audits(period: str | None, audits: pl.DataFrame, channels: set[str], found: list[Any]) -> list[Text]:
    """A line for each channel that has no spam with the filters' errors, on why."""
    # NumPy and SciPy take a moment to load, and other commands of the study need neither.
    from jobs.stats.estimation import SMALLEST

    months = months_of(period) if period else ()
    of_period = audits.filter(
        pl.col("quality_method_code") == "audit", pl.col("period_code").is_in([period, *months])
    )
    count = dict(
        of_period.group_by("channel_code").agg(pl.col("respondent_id").drop_nulls().n_unique()).rows()
    )
    lines = []
    for channel in sorted(channels - {row.channel_code for row in found}):
        number = count.get(channel, 0)
        if number >= SMALLEST:
            # The estimate is of those that have a row for the whole period.
            told = (
                f"not corrected for filter error: {number} operators audited, but fewer than {SMALLEST} of"
                f" them sent every month of {period}"
            )
        else:
            has = f"{number} operator{'s' if number > 1 else ''} audited" if number else "no operator audited"
            told = f"not corrected for filter error: {has}, {SMALLEST} are needed"
        lines.append(Text(f"{channel}: {told}"))
    return lines
