"""The section on hours of the day, bytes and delays, of each operator's traffic in all directions."""

from dataclasses import replace
from typing import Any

import polars as pl

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.page.bars import draw_bars
from jobs.base.page.blocks import Block, Cell, Column, Picture, Section, Table, number_cell
from jobs.base.tables.contracts import Row
from jobs.operators.gold.traffic_hourly_daily import WITHIN
from jobs.operators.report.report import Report, channel_name

# The widths of a picture beside others and alone.
NARROW, WIDE = 420, 920
HOURS = {hour: f"{hour:02d}" for hour in (0, 6, 12, 18)}
# Names of the upper bounds of delays, in seconds.
NAMES = {1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 86400: "1 day"}
POINTS = {0.5: "Half within", 0.9: "90% within", 0.99: "99% within"}
# Units that are no part of another: messages hold recipients.
APART = ("recipient", "attempt", "call")
SUMMED = ["units", "sized_units", "bytes", "delay_units", *(f"within_{n}s" for n in WITHIN)]


def hours_section(report: Report) -> Section:
    table = report.figures.hours
    blocks = []
    for channel in [code for code in words.codelist_rows("channel") if code in set(table["channel_code"])]:
        mine = table.filter(pl.col("channel_code") == channel)
        name = channel_name(channel)
        hours = sum_by_hour(mine)
        busiest = hours.sort(-pl.col("units"), "hour_of_day").row(0, named=True)
        share = numbers.format_part(busiest["units"], int(hours["units"].sum()))
        hour = hour_span(busiest["hour_of_day"])
        finding = f"{name}: the busiest hour of the day is {hour} UTC, with {share} of the units."
        blocks.append(replace(hour_block(report, name, mine, hours), finding=finding))
        blocks.append(load_block(report, name, mine))
    notes = [
        "Hours are UTC, those of a message's first event, of all days and directions together. A message to"
        " several recipients is one in its bytes received, and one for each recipient in its bytes for"
        " recipients; ≥ if some have no size in the log. Delays are of delivered recipients, from"
        " the first event to the last.",
    ]
    missing = [] if blocks else ["There is no hour of any traffic in this lake: the next run computes them."]
    return Section(
        "hours",
        "Hours of the day, bytes and delays",
        "",
        blocks,
        missing,
        notes if blocks else [],
    )


def sum_by_hour(mine: pl.DataFrame) -> pl.DataFrame:
    """All 24 hours with their units, and the bytes of their messages."""
    is_unit, is_message = pl.col("unit_code").is_in(APART), pl.col("unit_code") == "message"
    sums = mine.group_by("hour_of_day").agg(
        units=pl.col("units").filter(is_unit).sum(), bytes=pl.col("bytes").filter(is_message).sum()
    )
    every = pl.DataFrame({"hour_of_day": range(24)}, schema={"hour_of_day": pl.Int64})
    return every.join(sums, on="hour_of_day", how="left").fill_null(0).sort("hour_of_day")


def hour_span(hour: int) -> str:
    return f"{hour:02d}:00{numbers.DASH}{hour + 1:02d}:00"


def hour_block(report: Report, name: str, mine: pl.DataFrame, hours: pl.DataFrame) -> Block:
    """A picture for each operator, and the hours of all of them as a table."""
    pictures, operators = [], sorted(set(mine["operator_id"]))
    for operator in operators:
        own = sum_by_hour(mine.filter(pl.col("operator_id") == operator))
        heading = report.operator_name(operator)
        title = f"{heading}, {words.lower_first(name)}: units by hour of the day, UTC"
        units = own["units"].to_list()
        svg = draw_bars(units, "units", HOURS, title, NARROW)
        wide = draw_bars(units, "units", HOURS, title, WIDE) if len(operators) == 1 else None
        pictures.append(Picture(wide or svg, svg if wide else None, heading))
    total = int(hours["units"].sum())
    lines = [
        [
            Cell(hour_span(row["hour_of_day"])),
            number_cell(numbers.format_count(row["units"])),
            number_cell(numbers.format_part(row["units"], total)),
            number_cell(numbers.format_bytes(row["bytes"]) if row["bytes"] else ""),
        ]
        for row in hours.to_dicts()
    ]
    columns = [Column("Hour, UTC", "text"), Column("Units"), Column("Share"), Column("Bytes received")]
    heading = f"{name} by hour of the day"
    return Block(heading, Table(heading, columns, lines), "hours.csv", pictures)


def load_block(report: Report, name: str, mine: pl.DataFrame) -> Block:
    """The bytes of each operator's traffic, and the delays of its deliveries."""
    lines = []
    for operator in sorted(set(mine["operator_id"])):
        own = mine.filter(pl.col("operator_id") == operator)
        added = own.group_by("unit_code").agg(pl.col(SUMMED).sum())
        sums = {row["unit_code"]: row for row in added.to_dicts()}
        longest = own["longest_delay_us"].max()
        lines.append(
            [
                Cell(report.operator_name(operator)),
                number_cell(numbers.format_count(sum(sums[unit]["units"] for unit in APART if unit in sums))),
                *(bytes_cell(sums.get(unit)) for unit in ("message", "recipient")),
                *(number_cell(text) for text in delay_percentiles(sums.get("recipient"), longest)),
            ]
        )
    columns = [
        Column("Operator", "text"),
        Column("Units", is_minor=True),
        Column("Bytes received"),
        Column("For recipients", is_minor=True),
        *(Column(text, is_minor=text == POINTS[0.99]) for text in POINTS.values()),
        Column("Longest", is_minor=True),
    ]
    caption = f"Bytes and delivery delays of {words.lower_first(name)}"
    return Block(f"{name}: bytes and delays", Table(caption, columns, lines), "hours.csv")


def bytes_cell(row: Row | None) -> Cell:
    """A sum of sizes; a lower bound if some units have no size."""
    if row is None or not row["sized_units"]:
        return number_cell("not in the log", "muted")
    return number_cell(
        ("≥ " if row["sized_units"] < row["units"] else "") + numbers.format_bytes(row["bytes"])
    )


def delay_percentiles(row: Row | None, longest: Any) -> list[str]:
    """Percentiles of delays, each as the smallest bound that holds them, and the longest delay.

    If no delivery took any time, the log has one line per message, and therefore no delays.
    """
    if row is None or not row["delay_units"] or not longest:
        return ["not in the log", *[""] * len(POINTS)]
    found = []
    for point in POINTS:
        ends = [n for n in WITHIN if row[f"within_{n}s"] >= point * row["delay_units"]]
        found.append(NAMES[ends[0]] if ends else f"over {NAMES[WITHIN[-1]]}")
    return [*found, numbers.format_duration(longest / 1e6)]
