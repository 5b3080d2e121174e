"""Days without records between days with records."""

import datetime as dt

import pytest

from jobs.operators.state.missing_days import missing_days

NEWEST = dt.date(2026, 11, 24)


def before(*numbers: int) -> list[dt.date]:
    """The days so many days before the newest."""
    return [NEWEST - dt.timedelta(days=number) for number in numbers]


def each_alone(days: list[dt.date]) -> list[tuple[dt.date, dt.date]]:
    return [(day, day) for day in days]


@pytest.mark.parametrize(
    ("days", "missing"),
    [
        ([0, 1, 2, 3], []),
        ([0, 2, 3, 5], [4, 1]),
        ([0], []),
        # Of the days before a week there is nothing to say, nor of those before the first.
        ([0, 1, 2, 3, 4, 5, 6, 20], [7]),
        ([0, 3], [2, 1]),
        ([0, 40], [7, 6, 5, 4, 3, 2, 1]),
    ],
)
def test_a_day_between_others_is_missing(days: list[int], missing: list[int]) -> None:
    known = before(*days)
    assert missing_days(each_alone(known), set(known)) == before(*missing)


def test_a_piece_of_several_days_may_have_a_gap() -> None:
    spans = [(before(4)[0], NEWEST)]
    assert missing_days(spans, set(before(0, 1, 3, 4))) == before(2)


def test_another_source_of_the_same_format_fills_no_gap() -> None:
    """Two exchangers of an operator have days of one table."""
    known = before(0, 1, 3)
    assert missing_days(each_alone(known), set(before(0, 1, 2, 3))) == before(2)


def test_days_that_bronze_no_longer_keeps_are_not_missing() -> None:
    """The ledger alone has days before the oldest that is kept."""
    known = before(0, 1, 2, 3, 5)
    assert missing_days(each_alone(known), set(before(0, 1))) == before(4)


def test_a_source_without_records_misses_no_day() -> None:
    assert missing_days([], set(before(0))) == []
