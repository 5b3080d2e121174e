"""The section on volume and spam per day."""

import datetime as dt

import polars as pl
from markupsafe import Markup

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.page.blocks import Block, Cell, Column, Picture, Section, Table, number_cell
from jobs.base.page.colours import ACCENT, MUTED
from jobs.base.page.line_chart import Axis, ChartLine, draw_lines, fill_gaps, nice_top
from jobs.base.tables.contracts import Row
from jobs.operators.report import audited
from jobs.operators.report.figures import SUMS
from jobs.operators.report.report import UNDECIDED_LEGEND, Report, Spam, channel_name

DAYS_SHOWN = 31
HEADING = "Of these, spam: the line as counted, the band corrected for filter error"


def time_section(report: Report) -> Section:
    blocks = []
    for channel, rows in report.split_by_channel(report.figures.daily):
        daily = rows.sort("period_date")
        name, has_audit = channel_name(channel), audited.has_audit(daily.to_dicts())
        shown = daily.tail(DAYS_SHOWN)
        # The number of operators with traffic, by day.
        mine = report.figures.operator_days.filter(pl.col("channel_code") == channel, pl.col("units") > 0)
        there = dict(mine.group_by("period_date").agg(pl.col("operator_id").n_unique()).rows())
        blocks.append(
            Block(
                heading=name,
                finding=time_finding(report, channel),
                pictures=[
                    Picture(
                        volume_chart(daily, f"{name}: all and spam per day, as in the table below"),
                        heading="Recipients and attempts per day",
                    ),
                    Picture(
                        share_chart(daily, f"{name}: spam share per day, as in the table below"),
                        heading=HEADING if has_audit else "Of these, spam",
                    ),
                ],
                table=Table(
                    f"{name} per day",
                    [
                        Column("Day", "text"),
                        Column("All"),
                        Column("Spam, certain", is_minor=has_audit),
                        Column("Spam, possible", is_minor=True),
                        Column("Share"),
                        Column("Operators", is_minor=True),
                        *([Column(audited.HEADING)] if has_audit else []),
                    ],
                    [
                        [
                            Cell(words.format_day(row["period_date"])),
                            number_cell(numbers.format_count(row["units"])),
                            number_cell(numbers.format_count(row["spam_certain"])),
                            number_cell(numbers.format_count(row["spam_possible"])),
                            number_cell(Spam.read_row(row).range),
                            number_cell(numbers.format_count(there.get(row["period_date"], 0))),
                            *([audited.part_share_cell(row)] if has_audit else []),
                        ]
                        for row in shown.to_dicts()
                    ],
                    total=len(daily),
                ),
                csv="daily.csv",
                note=" ".join([*gap_note(daily), *operators_note(there)]),
            )
        )
    return Section(
        "time",
        "Volume over time",
        "",
        blocks,
        report.list_missing(report.figures.daily),
        audited.part_notes(report, report.figures.daily, audited.ALIKE),
        [UNDECIDED_LEGEND],
    )


def volume_chart(daily: pl.DataFrame, title: str) -> Markup:
    """All units and certain spam per day, with the band up to possible spam."""
    is_there = pl.col("units") > 0
    days = fill_gaps(daily).select(
        "period_date",
        all=pl.when(is_there).then("units"),
        low=pl.when(is_there).then("spam_certain"),
        high=pl.when(is_there).then("spam_possible"),
    )
    last = days.drop_nulls().tail(1)
    lines = [
        ChartLine(column, colour, f"{name} {numbers.format_compact(height)}", height)
        for column, colour, name in (("all", MUTED, "All"), ("low", ACCENT, "Spam"))
        for height in last[column]
    ]
    return draw_lines(days, lines, Axis(nice_top(days["all"].max())), title)


def share_chart(daily: pl.DataFrame, title: str) -> Markup:
    """Certain spam as a share of all units per day, with the band up to possible spam, or, of audited days,
    the band that holds the filters' errors."""
    is_audited = pl.col("audited_units") > 0
    certain, low, high = (
        pl.when(pl.col("units") > 0).then(
            pl.when(is_audited).then(pl.col(audited_column).cast(pl.Float64)).otherwise(counted)
            / pl.col("units")
        )
        for audited_column, counted in (
            ("spam_certain", "spam_certain"),
            ("spam_low", "spam_certain"),
            ("spam_high", "spam_possible"),
        )
    )
    days = fill_gaps(daily).select("period_date", certain=certain, low=low, high=high, is_audited=is_audited)
    top = days.select(pl.max_horizontal("certain", "high").max()).item()
    lines = [
        ChartLine(
            "certain",
            ACCENT,
            numbers.format_range(day["low"], day["high"], numbers.format_share),
            (day["low"] + day["high"]) / 2 if day["is_audited"] else day["low"],
        )
        for day in days.drop_nulls().tail(1).to_dicts()
    ]
    return draw_lines(days, lines, Axis(min(1.0, nice_top(top or 0.1)), "%"), title)


def gap_note(daily: pl.DataFrame) -> list[str]:
    """A note on the dashed lines of a chart; none if every day has data."""
    days = fill_gaps(daily)
    without = days.filter(pl.col("units").is_null()).height
    return [f"Dashed: {numbers.format_noun(without, 'day')} without data."] if without else []


def operators_note(there: dict[dt.date, int]) -> list[str]:
    """A note that days of a chart have different numbers of operators; none if they are equal."""
    counts = sorted(set(there.values()))
    if len(counts) < 2:
        return []
    return [f"A day has the data of {counts[0]} to {counts[-1]} operators: the line follows that too."]


def choose_panel(days: pl.DataFrame) -> tuple[list[str], pl.DataFrame]:
    """The panel for comparing days: a set of operators, and the days that have all of them.

    Each day has a set of operators; chosen is the set with most operators times days. A range over days with
    different operators would compare operators, not days.

    Args:
        days: rows of operator_days of a channel.
    """
    sets = days.group_by("period_date").agg(pl.col("operator_id").unique().sort())["operator_id"].to_list()
    each = [frozenset(operators) for operators in sets]
    best = max(
        dict.fromkeys(each),
        key=lambda mine: (len(mine) * sum(mine <= other for other in each), len(mine), sorted(mine)),
    )
    whole = (
        days.filter(pl.col("operator_id").is_in(sorted(best)))
        .group_by("period_date")
        .agg(pl.col("operator_id").n_unique().alias("there"), pl.col(list(SUMS)).sum())
    )
    return sorted(best), whole.filter(pl.col("there") == len(best)).sort("period_date")


def time_finding(report: Report, channel: str) -> str:
    """A sentence on the range of the daily share of certain spam, over days that have the same operators."""
    name = channel_name(channel)
    there = report.figures.operator_days.filter(pl.col("channel_code") == channel, pl.col("units") > 0)
    count = there["period_date"].n_unique()
    if count < 2:
        return f"{name}: one day only, so nothing to compare yet."
    operators, days = choose_panel(there)
    if len(days) < 2:
        return f"{name}: no two days have the same operators, so days cannot be compared."
    at = over = ""
    if len(days) < count or len(operators) < there["operator_id"].n_unique():
        is_one = len(operators) == 1
        at = f" at {report.operator_name(operators[0]) if is_one else f'the same {len(operators)} operators'}"
        over = f" ({len(days)} of {count} days)"
    shares = days.with_columns(share=pl.col("spam_certain") / pl.col("units")).sort("share", "period_date")
    low, high = shares.row(0, named=True), shares.row(-1, named=True)
    if low["share"] == high["share"]:
        return f"{name}: the spam share{at} stayed at {numbers.format_share(low['share'])}{over}."
    return (
        f"{name}: certain spam{at} ranged from {numbers.format_share(low['share'])} on {short_day(low)}"
        f" to {numbers.format_share(high['share'])} on {short_day(high)}{over}."
    )


def short_day(row: Row) -> str:
    return words.format_day(row["period_date"]).rsplit(numbers.NARROW, 1)[0]
