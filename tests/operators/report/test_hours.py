"""The section on hours of the day, bytes and delays."""

from typing import Any

import polars as pl
import pytest

from jobs.base.core import numbers
from jobs.operators.gold.traffic_hourly_daily import WITHIN
from jobs.operators.report import hours
from jobs.operators.report.report import Report
from tests.support.report_figures import OPERATORS, figures, with_figure


@pytest.fixture(scope="module")
def report() -> Report:
    return Report(figures(), {each.id: each for each in OPERATORS}, None)


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\xa0", " ")


def rows_of(block: Any) -> dict[str, list[str]]:
    return {row[0].text: [plain(cell.text) for cell in row[1:]] for row in block.table.rows}


def test_hours_are_those_of_the_figures(report: Report) -> None:
    section = hours.hours_section(report)
    mail = figures().hours.filter(pl.col("channel_code") == "EMAIL")
    recipients, messages = (mail.filter(pl.col("unit_code") == unit) for unit in ("recipient", "message"))
    rows = rows_of(section.blocks[0])
    assert len(rows) == 24
    last = recipients.filter(pl.col("hour_of_day") == 23)["units"].sum()
    assert rows["23:00–24:00"][0] == f"{last:,}"
    received = messages.filter(pl.col("hour_of_day") == 23)["bytes"].sum()
    assert rows["23:00–24:00"][2] == plain(numbers.format_bytes(received))
    assert section.blocks[0].finding.startswith("E-mail: the busiest hour of the day is 23:00–24:00 UTC, ")
    assert len(section.blocks[0].pictures) == mail["operator_id"].n_unique()


def test_bytes_and_delays_are_of_each_operator(report: Report) -> None:
    _, mail, _, sms = hours.hours_section(report).blocks
    # 50, 80, 89, 95, 99 and 100% within a second, 10 s, a minute, 10 minutes, an hour and a day.
    units, received, recipients, half, most, nearly, longest = rows_of(mail)["Alp Mail"]
    assert received[-2:] == recipients[-2:] == "GB" and float(received[:-3]) < float(recipients[:-3])
    assert (half, most, nearly, longest) == ("10 s", "10 min", "1 day", "1.4 h")
    # A log without sizes or delays says so, instead of zeros.
    assert rows_of(sms)["Thames Text"][1:] == [*["not in the log"] * 3, "", "", ""]


def test_sizes_of_some_units_are_a_least(report: Report) -> None:
    row = {"units": 3, "sized_units": 2, "bytes": 1700}
    assert plain(hours.bytes_cell(row).text) == "≥ 1.7 kB"
    assert plain(hours.bytes_cell(row | {"units": 2}).text) == "1.7 kB"


def test_a_log_of_one_line_a_message_has_no_delay() -> None:
    """All its delays are zero, which is no percentile."""
    row = {"delay_units": 5, **{f"within_{n}s": 5 for n in WITHIN}}
    assert hours.delay_percentiles(row, 0) == ["not in the log", "", "", ""]
    assert [plain(text) for text in hours.delay_percentiles(row, 900_000)] == ["1 s", "1 s", "1 s", "900 ms"]
    never = row | {f"within_{n}s": 0 for n in WITHIN}
    assert hours.delay_percentiles(never, 10**12)[:3] == ["over 1 day"] * 3


def test_a_lake_without_hours_says_so(report: Report) -> None:
    none = with_figure(report, hours=figures().hours.clear())
    section = hours.hours_section(none)
    assert section.blocks == [] and "the next run computes them" in section.missing[0]
