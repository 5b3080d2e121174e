"""Lines over days: where they stand, that no line crosses a gap, and that labels can be read."""

import datetime as dt
import re

import polars as pl
import pytest

from jobs.base.page.colours import ACCENT, MUTED
from jobs.base.page.line_chart import APART, Axis, ChartLine, draw_lines

ALL, SPAM = ChartLine("all", MUTED, "All <b>", 50), ChartLine("low", ACCENT, "Spam 48", 48)


def days(*values: int | None) -> pl.DataFrame:
    """A day for each value, and a band of twice its height."""
    given = pl.Series(values, dtype=pl.Int64)
    dates = pl.date_range(dt.date(2026, 9, 28), dt.date(2026, 9, 27) + dt.timedelta(len(given)), eager=True)
    return pl.DataFrame({"period_date": dates, "all": given, "low": given, "high": 2 * given})


def test_values_stand_at_their_heights_and_days() -> None:
    drawn = draw_lines(days(0, 50, 100), [SPAM], Axis(100), "Spam & all")
    assert f'd="M44.0,162.0L194.0,87.0L344.0,12.0" fill="none" stroke="{ACCENT}"' in drawn
    # The band up to twice as much leaves the field with it.
    assert "M44.0,162.0L194.0,87.0L344.0,12.0L344.0,-138.0L194.0,12.0L44.0,162.0Z" in drawn
    assert re.findall(r">([^<]+)</text>", drawn) == [
        "0",
        "50",
        "100",
        "28\xa0Sep",
        "29\xa0Sep",
        "30\xa0Sep",
        "Spam 48",
    ]
    assert 'aria-label="Spam &amp; all"' in drawn and "stroke-dasharray" not in drawn
    assert drawn == draw_lines(days(0, 50, 100), [SPAM], Axis(100), "Spam & all")


def test_no_line_crosses_a_gap_but_a_dashed_one() -> None:
    drawn = draw_lines(days(50, 50, None, 50), [SPAM], Axis(100), "Spam")
    found = re.findall(r'd="([^"]+)" fill="none" stroke="#\w+" (stroke-[dw])', drawn)
    assert [line for line, style in found if style == "stroke-d"] == ["M44.0,87.0L144.0,87.0L344.0,87.0"]
    assert [line for line, style in found if style == "stroke-w"] == ["M44.0,87.0L144.0,87.0", "M344.0,87.0"]
    assert drawn.count("<circle") == 3


def test_labels_keep_apart_and_are_text() -> None:
    drawn = draw_lines(days(50, 50), [ALL, SPAM], Axis(100), "Spam")
    first, second = (float(each) for each in re.findall(r'y="([\d.]+)" text-anchor="start"', drawn))
    assert second - first == pytest.approx(APART, abs=0.1)
    assert "All &lt;b&gt;" in drawn


@pytest.mark.parametrize(
    ("axis", "heights"),
    [
        (Axis(0.003, "%"), ["0", "0.1%", "0.2%", "0.3%"]),
        (Axis(1.0, "%"), ["0", "50%", "100%"]),
        (Axis(1.5), ["0", "0.5", "1", "1.5"]),
        (Axis(8_000_000), ["0", "2M", "4M", "6M", "8M"]),
    ],
)
def test_heights_have_round_names(axis: Axis, heights: list[str]) -> None:
    drawn = draw_lines(days(*[None] * 366), [], axis, "None")
    shown: list[str] = re.findall(r">([^<]+)</text>", drawn)
    assert shown[: len(heights)] == heights and len(shown) == len(heights) + 5
