"""The section on campaigns: the largest of the operators' last days, with the days on which they ran."""

import datetime as dt
from collections import defaultdict

import polars as pl

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.page.bars import draw_sparkline
from jobs.base.page.blocks import Block, Cell, Column, Section, Table, number_cell, stack_parts
from jobs.base.tables.contracts import Row
from jobs.operators.report.figures import CAMPAIGN
from jobs.operators.report.report import Report, channel_name

DAYS_DRAWN = 14
CAPPED = (
    "Where it says compared in part, a hash bucket of the similarity search (LSH) held more distinct texts"
    " than each is compared with (bucket_cap of ref.campaign_parameter): the campaign may be larger, or two"
    " that are listed may be one."
)


def campaigns_section(report: Report) -> Section:
    blocks = []
    for channel, table in report.split_by_channel(report.figures.campaigns):
        order = [-pl.col("copy_count"), "first_time", *CAMPAIGN]
        rows = table.sort(order).to_dicts()
        name = channel_name(channel)
        scale = max(row["copy_count"] for row in rows)
        days = copies_by_day(report, channel)
        has_networks = any(row["distinct_network_count"] for row in rows)
        lines = [
            [
                Cell(
                    words.type_name(row["spam_type_code"]),
                    campaign_subtitle(report, row),
                    stack_parts(
                        ("certain", row["blocked_count"]),
                        ("other", row["copy_count"] - row["blocked_count"]),
                        scale=scale,
                    ),
                ),
                number_cell(numbers.format_count(row["copy_count"])),
                number_cell(numbers.format_part(row["blocked_count"], row["copy_count"])),
                number_cell(numbers.format_count(row["distinct_sender_count"])),
                *([number_cell(numbers.format_count(row["distinct_network_count"]))] if has_networks else []),
                number_cell(f"{row['first_time']}{numbers.DASH}{row['last_time']}"),
                sparkline_cell(days[row["operator_id"], row["campaign_hash"]], row["period_date"]),
            ]
            for row in rows
        ]
        columns = [
            Column("Campaign", "text"),
            Column("Copies"),
            Column("Blocked"),
            Column("Senders", is_minor=True),
            *([Column("Networks", is_minor=True)] if has_networks else []),
            Column("First and last seen", is_minor=True),
            Column(f"{DAYS_DRAWN} days", is_minor=True),
        ]
        caption = f"Largest {channel_name(channel, inside=True)} campaigns of each operator's last day"
        axis = ("0", f"{numbers.format_count(scale)} copies")
        campaigns = Table(caption, columns, lines, axis=axis)
        blocks.append(Block(name, campaigns, "campaigns.csv", finding=campaign_finding(name, rows[0])))
    notes = [
        "A campaign is a group of messages with similar text, the same fuzzy hash or digest of a filter or,"
        " failing that, the same subject or envelope. Its eight characters come from a keyed signature: they"
        " identify it on its day and reveal no content; the days before count messages that share a signature"
        " with it. Not every campaign is spam. Times are UTC.",
    ]
    if report.figures.campaigns["is_bucket_capped"].any():
        notes.append(CAPPED)
    legend = [("certain", "blocked or marked"), ("other", "let pass or not decided")]
    missing = report.list_missing(report.figures.campaigns)
    return Section(
        "campaigns",
        "Campaigns of the day",
        "",
        blocks,
        missing,
        notes if blocks else [],
        legend,
    )


def campaign_finding(name: str, row: Row) -> str:
    kind = words.type_name(row["spam_type_code"])
    what = "of no known type" if row["spam_type_code"] == "UNK" else f"“{kind}”"
    spread = [
        numbers.format_noun(row[f"distinct_{noun}_count"], noun)
        for noun in ("recipient", "sender", "network")
        if row[f"distinct_{noun}_count"]
    ]
    to = f" ({words.join_words(spread)})" if spread else ""
    blocked = numbers.format_part(row["blocked_count"], row["copy_count"])
    copies = numbers.format_noun(row["copy_count"], "copy", "copies")
    part = f"{blocked} of them were" if row["blocked_count"] else "none of them was"
    return f"{name}: the largest campaign, {what}, had {copies}{to}; {part} stopped or marked."


def campaign_subtitle(report: Report, row: Row) -> str:
    how = words.lower_first(words.code_name("signature_kind", row["signature_kind_code"]))
    operator, day = report.operator_name(row["operator_id"]), words.format_day(row["period_date"])
    part = ", compared in part" if row["is_bucket_capped"] else ""
    return f"{operator}, {day}; by {how} {row['campaign_hash'][:8]}{part}"


def copies_by_day(report: Report, channel: str) -> dict[tuple[str, str], dict[dt.date, int]]:
    """Copies per day of each campaign of a channel."""
    found: dict[tuple[str, str], dict[dt.date, int]] = defaultdict(dict)
    mine = pl.col("channel_code") == channel
    for row in report.figures.campaign_days.filter(mine).to_dicts():
        found[row["operator_id"], row["campaign_hash"]][row["period_date"]] = row["copy_count"]
    return found


def sparkline_cell(by_day: dict[dt.date, int], last: dt.date) -> Cell:
    """Copies on each day up to the last."""
    copies = [by_day.get(last - dt.timedelta(days=back), 0) for back in reversed(range(DAYS_DRAWN))]
    title = (
        f"Seen on {numbers.format_noun(sum(count > 0 for count in copies), 'day')} of {DAYS_DRAWN} to"
        f" {words.format_day(last)}, at most {numbers.format_count(max([*copies, 1]))} copies a day"
    )
    return Cell("", picture=draw_sparkline(copies, title))
