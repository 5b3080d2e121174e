"""Estimated volumes of spam on a terminal: as filters saw it, and corrected for filter error."""

from typing import Any

import polars as pl
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from jobs.base.core.numbers import format_compact, format_percent, format_whole_percent
from jobs.base.core.periods import latest_with_logs, months_of
from jobs.base.figures import words
from jobs.base.figures.counting_rules import OPERATOR
from jobs.cli.study.study_tables import (
    CORRECTED,
    UNCORRECTED,
    estimates_table,
    explain_signs,
    format_cv,
    format_interval,
    group_by_channel,
    is_of_period,
    name_area,
    select_estimates,
    spam_title,
)

AS_FILTERED = "Spam as filters saw it: no interval includes the errors of filters"
DAYS = "Share of days with logs (counts are scaled up to all days)"
WITH_ERRORS = "Operators with logs only; filters without an audit are taken to err like audited ones."


VOLUME_HEADS = ("", "estimate", "95% interval", "CV", "cov.", "answers", "others 0.5–1.5")
CORRECTED_HEADS = ("", "estimate", "95% interval", "CV", "as seen", "cov.", "audits", "audited")


def volume_period(frame: pl.DataFrame) -> str | None:
    return latest_with_logs(frame.select("period_code", "respondent_count", "answer_count").unique().rows())


def volume_tables(frame: pl.DataFrame) -> list[Table]:
    """Certain spam in attempted units by the operators' own definition, a table for each channel.

    Period: the latest that any logs cover.
    """
    period = volume_period(frame)
    found = select_estimates(
        frame,
        is_of_period(period),
        pl.col("definition_code") == OPERATOR,
        pl.col("quantity_code") == "spam_certain",
        pl.col("unit_code").is_in(["attempted", "call"]),
    )
    tables = []
    for channel, of_channel in group_by_channel(found):
        table = estimates_table(
            spam_title(channel, period, UNCORRECTED, of_channel[0].unit_code), *VOLUME_HEADS
        )
        for row in of_channel:
            table.add_row(
                name_area(row), row.conf_status_code, format_compact(row.estimate),
                format_interval(row.estimate_low, row.estimate_high), format_cv(row),
                format_whole_percent(row.coverage_pct), format_whole_percent(row.answer_pct),
                format_interval(row.at_050, row.at_150),
            )  # fmt: skip
        tables.append(table)
    for table in tables[-1:]:
        days = ", ".join(
            f"{row.channel_code} {format_days(row)}" for row in found if row.area_kind_code == "world"
        )
        table.caption = "\n".join(
            [
                note_filter_error(frame, period),
                f"{DAYS}: {days}.",
                note_subscriptions(found),
                *explain_signs(found),
            ]
        )
    return tables


def note_filter_error(frame: pl.DataFrame, period: str | None) -> str:
    """The note that intervals exclude filter error, with the channels that have corrected figures."""
    of_corrected = frame.filter(is_of_period(period), pl.col("quantity_code") == "spam_corrected")
    channels = words.join_words(sorted(of_corrected["channel_code"].unique()))
    return f"{AS_FILTERED}: see the corrected figures of {channels}." if channels else f"{AS_FILTERED}."


def note_subscriptions(rows: list[Any]) -> str:
    """Report the part of the world's squared coefficient of variation due to errors of subscriptions."""
    parts = {
        row.channel_code: 1e6 * (row.subscriptions_variance or 0.0) / max(float(row.cv_pct) ** 2, 1e-9)
        for row in rows
        if row.area_kind_code == "world" and row.cv_pct is not None
    }
    if not any(parts.values()):
        return "Subscriptions are taken as exact: denominator.csv states no error."
    shares = ", ".join(f"{channel} {format_whole_percent(part)}" for channel, part in parts.items())
    return f"Of CV squared due to errors of subscriptions as denominator.csv states them: {shares}."


def format_days(row: Any) -> str:
    """The share of days with logs behind a figure, to a tenth, because counts are scaled by it."""
    return format_percent(row.day_pct, missing="no logs")


def corrected_tables(frame: pl.DataFrame, audits: pl.DataFrame) -> list[RenderableType]:
    """Spam in attempted units, corrected for filter error, in the period of volume_tables().

    A table for each channel with enough audits; for the others a line with their number of audits.
    """
    period = volume_period(frame)
    rows = select_estimates(
        frame,
        is_of_period(period),
        pl.col("definition_code") == OPERATOR,
        pl.col("unit_code") == "attempted",
        pl.col("quantity_code").is_in(["spam_certain", "spam_corrected"]),
    )
    found = [row for row in rows if row.quantity_code == "spam_corrected"]
    seen = {(row.channel_code, row.area_code): row for row in rows if row.quantity_code == "spam_certain"}
    tables: list[Table] = []
    for channel, of_channel in group_by_channel(found):
        table = estimates_table(spam_title(channel, period, CORRECTED, "attempted"), *CORRECTED_HEADS)
        for row in of_channel:
            before = seen.get((channel, row.area_code))
            table.add_row(
                name_area(row), row.conf_status_code, format_compact(row.estimate),
                format_interval(row.estimate_low, row.estimate_high), format_cv(row),
                format_compact(before.estimate) if before else "", format_whole_percent(row.coverage_pct),
                f"{row.audit_count}", format_whole_percent(row.audit_pct),
            )  # fmt: skip
        tables.append(table)
    for table in tables[-1:]:
        table.caption = "\n".join([WITH_ERRORS, *explain_signs(found)])
    return [*tables, *note_few_audits(period, audits, {row.channel_code for row in rows}, found)]


def note_few_audits(
    period: str | None, audits: pl.DataFrame, channels: set[str], found: list[Any]
) -> list[Text]:
    """A line for each channel that is not corrected for filter error, with the reason."""
    # NumPy and SciPy take a moment to load, and other commands of the study need neither.
    from jobs.base.stats.estimation import SMALLEST

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
            reason = (
                f"not corrected for filter error: {number} operators audited, but fewer than {SMALLEST} of"
                f" them sent every month of {period}"
            )
        else:
            has = f"{number} operator{'s' if number > 1 else ''} audited" if number else "no operator audited"
            reason = f"not corrected for filter error: {has}, {SMALLEST} are needed"
        lines.append(Text(f"{channel}: {reason}"))
    return lines
