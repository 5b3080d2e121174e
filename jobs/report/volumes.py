"""The section on how much spam there is over time."""

from __future__ import annotations

from typing import Any

import polars as pl
from markupsafe import Markup

from jobs.core import words
from jobs.report import audited, charts
from jobs.report.blocks import Block, Cell, Column, Picture, Section, Table, number
from jobs.report.study import (
    UNDECIDED_LEGEND,
    Study,
    channel_name,
    spam_range,
)

DAYS_SHOWN = 31
HEADING = "Of these, spam: the line as counted, the band corrected for filter error"


def over_time(study: Study) -> Section:
    blocks, findings = [], []
    for channel, rows in study.per_channel("daily"):
        daily = rows.sort("period_date")
        name, is_told = channel_name(channel), audited.is_told(daily.to_dicts())
        findings.append(time_finding(name, daily))
        shown = daily.tail(DAYS_SHOWN)
        blocks.append(
            Block(
                heading=name,
                pictures=[
                    Picture(
                        Markup(
                            charts.volume_chart(daily, f"{name}: all and spam per day, as in the table below")
                        ),
                        heading="Recipients and attempts per day",
                    ),
                    Picture(
                        Markup(
                            charts.share_chart(daily, f"{name}: spam share per day, as in the table below")
                        ),
                        heading=HEADING if is_told else "Of these, spam",
                    ),
                ],
                table=Table(
                    f"{name} per day",
                    [
                        Column("Day", "text"),
                        Column("All"),
                        Column("Spam, certain", is_minor=is_told),
                        Column("Spam, possible", is_minor=True),
                        Column("Share"),
                        *([Column(audited.HEADING)] if is_told else []),
                    ],
                    [
                        [
                            Cell(words.day(row["period_date"])),
                            number(words.whole(row["units"])),
                            number(words.whole(row["spam_certain"])),
                            number(words.whole(row["spam_possible"])),
                            number(spam_range(row)),
                            *([audited.share_of_part(row)] if is_told else []),
                        ]
                        for row in shown.to_dicts()
                    ],
                    total=len(daily),
                ),
                csv="daily.csv",
            )
        )
    return Section(
        "time",
        "Volume over time",
        "\n".join(findings),
        blocks,
        study.missing("daily"),
        audited.on_parts(study, "daily", audited.ALIKE),
        [UNDECIDED_LEGEND],
    )


def time_finding(name: str, daily: pl.DataFrame) -> str:
    with_share = daily.filter(pl.col("units") > 0).with_columns(
        share=pl.col("spam_certain") / pl.col("units")
    )
    if len(with_share) < 2:
        return f"{name}: one day only, so nothing to compare yet."
    low = with_share.sort("share", "period_date").row(0, named=True)
    high = with_share.sort("share", "period_date").row(-1, named=True)
    if low["share"] == high["share"]:
        return f"{name}: the spam share stayed at {words.percent(low['share'])}."
    return (
        f"{name}: certain spam ranged from {words.percent(low['share'])} on {short_day(low)}"
        f" to {words.percent(high['share'])} on {short_day(high)}."
    )


def short_day(row: dict[str, Any]) -> str:
    return words.day(row["period_date"]).rsplit(words.NARROW, 1)[0]
