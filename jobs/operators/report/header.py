"""The top of the page: headline, a card for each channel, and the report in five numbers."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.figures.counting_rules import ATTEMPTED
from jobs.base.page.blocks import Part
from jobs.base.tables.contracts import reference_rows
from jobs.operators.report import audited
from jobs.operators.report.report import EXPECTED, Report, channel_name
from jobs.operators.report.unclaimed import describe_unclaimed, unclaimed_channels

# The name of the units in the denominator of every share.
UNITS_NAME = words.lower_first(
    next(row["name"] for row in reference_rows("measure") if row["measure_code"] == ATTEMPTED)
)


@dataclass(frozen=True)
class Headline:
    """The words at the top of the page.

    Attributes:
        text: the first line of the page.
        base: the sentences below it, with units, operators and days.
    """

    text: str
    base: str


@dataclass(frozen=True)
class Card:
    """A channel's card, with its numbers as text.

    Attributes:
        share: empty if the channel has no traffic.
        is_nobodys: most of the channel's traffic is unclaimed.
        spam: certain to possible.
        undecided: a share.
    """

    name: str
    is_nobodys: bool
    share: str = ""
    bar: tuple[Part, ...] = ()
    counted: str = ""
    error: str = ""
    complaints: str = ""
    spam: str = ""
    all: str = ""
    undecided: str = ""


@dataclass(frozen=True)
class Tile:
    """A number of the report, as text, and its name."""

    number: str
    name: str


def write_headline(report: Report, versions: Collection[str], domains: Collection[str]) -> Headline:
    """The headline: spam shares with their intervals; below it, their units, operators and days.

    Args:
        versions: the lake's tables.
        domains: those of the recipients, if the operator's own are not known.
    """
    nobodys = unclaimed_channels(report.unclaimed, report.figures.directions)
    unclaimed = " ".join(
        describe_unclaimed(each, domains) for each in report.unclaimed if each.channel_code in nobodys
    )
    totals = {code: spam for code, spam in report.totals.items() if code not in nobodys}
    if not totals and nobodys:
        names = words.join_words([channel_name(code, inside=True) for code in nobodys])
        what = "domains" if "EMAIL" in nobodys else "numbers"
        return Headline(f"Most {names} here is nobody's: name the operator's {what}", unclaimed)
    if not totals:
        base = "The tables hold no inbound or internal message."
        if any(table.startswith("study.") for table in versions):
            base += " Estimates are in the tables study.*: `observatory study estimate` prints them."
        return Headline("No traffic has been counted yet", base)
    parts = [
        f"{audited.correct_bounds(report, code, spam).range} of {channel_name(code, inside=True)}"
        for code, spam in totals.items()
    ]
    amounts = [
        f"{numbers.format_rounded(spam.units)} {channel_name(code, inside=True)} {UNITS_NAME}"
        for code, spam in totals.items()
    ]
    first, last = first_and_last_day(report)
    there = set(report.figures.days["operator_id"])
    countries = {report.operators[code].country for code in there if code in report.operators}
    who = numbers.format_noun(len(there), "operator")
    where = f" in {numbers.format_noun(len(countries), 'country', 'countries')}" if countries else ""
    return Headline(
        f"Spam was {words.join_words(parts)}",
        f"Of {words.join_words(amounts)} at {who}{where}, {words.format_days(first, last)}."
        f" {audited.audit_note(report)}{' ' if unclaimed else ''}{unclaimed}",
    )


def first_and_last_day(report: Report) -> tuple[dt.date, dt.date]:
    days = report.figures.daily["period_date"]
    return days.min(), days.max()  # type: ignore[return-value]


def channel_cards(report: Report) -> list[Card]:
    """A card for each channel: its spam share and its units."""
    nobodys = unclaimed_channels(report.unclaimed, report.figures.directions)
    made = [
        Card(
            name=channel_name(code),
            share=audited.correct_bounds(report, code, spam).range,
            is_nobodys=code in nobodys,
            bar=audited.correct_bounds(report, code, spam).bar,
            # The share before it is corrected for filter error; empty if it was not corrected.
            counted=f", {spam.range}" if audited.correct_channel(report, code, spam).share else "",
            error=audited.describe_error(audited.correct_channel(report, code, spam)),
            complaints=describe_complaints(report, code),
            spam=numbers.format_range(spam.certain, spam.possible),
            all=f"{numbers.format_rounded(spam.units)} {UNITS_NAME}",
            undecided=numbers.format_part(spam.undecided, spam.units),
        )
        for code, spam in report.totals.items()
    ]
    absent = [code for code in EXPECTED if code not in report.channels]
    return made + [Card(channel_name(code), is_nobodys=code in nobodys) for code in absent]


def describe_complaints(report: Report, channel: str) -> str:
    """Complaints of receivers, by kind, in words; empty without complaints."""
    rows = report.figures.complaints.filter(pl.col("channel_code") == channel)
    if rows.is_empty():
        return ""
    rows = rows.sort(-pl.col("complaint_count"), "feedback_type_code")
    counts = {
        words.lower_first(words.code_name("feedback_type", code)): count
        for code, count in rows.select("feedback_type_code", "complaint_count").rows()
    }
    kinds = (
        [f"{kind} {numbers.format_count(count)}" for kind, count in counts.items()]
        if len(counts) > 1
        else counts
    )
    times = numbers.format_noun(sum(counts.values()), "time")
    return f"Receivers complained {times} ({', '.join(kinds)}), which adds nothing to the share."


def number_tiles(report: Report) -> list[Tile]:
    """The report in five numbers: operators, days, files, lines, share in quarantine."""
    days, read = report.figures.days, report.figures.coverage
    there = set(days["operator_id"])
    days_there, file_count = report.figures.daily["period_date"].n_unique(), int(read["file_count"].sum())
    lines = int(read["line_count"].sum())
    share = numbers.share_of(int(read["quarantined_count"].sum()), lines)
    return [
        Tile(numbers.format_count(len(there)), "operator" if len(there) == 1 else "operators"),
        Tile(numbers.format_count(days_there), "day with data" if days_there == 1 else "days with data"),
        Tile(numbers.format_rounded(file_count), "log file" if file_count == 1 else "log files"),
        Tile(numbers.format_rounded(lines), "lines read"),
        Tile(numbers.format_share(share), "of lines in quarantine"),
    ]
