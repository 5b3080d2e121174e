"""A dated row holds from its first day on, and not on the day that ends it."""

import datetime as dt

import polars as pl
import pytest

from jobs.base.tables.validity import is_day_within, is_valid_on, rows_on_day

FIRST, END = dt.date(2026, 3, 1), dt.date(2026, 6, 1)
DAYS = [dt.date(2026, 2, 28), FIRST, dt.date(2026, 5, 31), END]


@pytest.mark.parametrize(
    ("end", "holds"), [(END, [False, True, True, False]), (None, [False, True, True, True])]
)
def test_a_dated_row_holds_on_its_days(end: dt.date | None, holds: list[bool]) -> None:
    schema = {"valid_from": pl.Date, "valid_to": pl.Date}
    dated = pl.DataFrame({"valid_from": [FIRST], "valid_to": [end]}, schema=schema)
    assert [rows_on_day(dated, day).height == 1 for day in DAYS] == holds
    assert [is_valid_on(day, FIRST, end) for day in DAYS] == holds
    assert (
        pl.DataFrame({"period_date": DAYS}).select(is_day_within(FIRST, end)).to_series().to_list() == holds
    )


def test_a_row_without_a_first_day_holds_until_its_end() -> None:
    days = pl.DataFrame({"period_date": DAYS})
    assert days.filter(is_day_within(None, END))["period_date"].to_list() == DAYS[:3]
    assert days.filter(is_day_within(None, None)).height == len(DAYS)
