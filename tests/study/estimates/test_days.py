"""Months of which logs lack days: scaled, or no answer. What comes of one is in
tests/golden/study.spam_volume/days_that_logs_lack."""

from typing import Any

import polars as pl
import pytest

from jobs.base.core import periods
from jobs.base.tables.contracts import rows_frame
from jobs.study.estimates.investment import yearly_units
from jobs.study.estimates.reconciliation import logged_figures
from jobs.study.estimates.steps.answers_left_out import few_days
from jobs.study.estimates.steps.days import days_of, scale_to_all_days
from jobs.study.estimates.steps.rows import last_day, period_volumes

VOLUME = "study.submission"


def logs(*rows: tuple[str, str, int, int | None]) -> pl.DataFrame:
    """Respondent, period, units of which a third is certain and two thirds possible, days with logs."""
    cell = {
        "holding_id": "own", "country_code": "FJI", "channel_code": "EMAIL", "direction_code": "inbound",
        "stage_code": "content", "outcome_code": "rejected", "unit_code": "recipient",
        "definition_code": "OPERATOR", "subscriptions": 100,
    }  # fmt: skip
    given: list[dict[str, Any]] = [
        cell | {"respondent_id": who, "period_code": period, "units": units, "spam_certain": units // 3,
                "spam_possible": 2 * units // 3, "day_count": days}
        for who, period, units, days in rows
    ]  # fmt: skip
    return rows_frame(given, VOLUME)


def test_days_of_periods_are_those_of_python() -> None:
    codes = ["2024", "2026", "2024-Q1", "2026-Q4", "2026-Q2", "2024-02", "2026-02", "2026-12"]
    frame = pl.DataFrame({"code": codes})
    found = frame.select("code", last=last_day(pl.col("code")), days=days_of(pl.col("code")))
    assert {row[0]: row[1:] for row in found.rows()} == {
        code: (periods.last_day(code), periods.count_days(code)) for code in codes
    }
    assert [periods.count_days(code) for code in ("2024", "2024-Q1", "2026-02")] == [366, 91, 28]


@pytest.mark.parametrize(
    ("period", "days", "is_there"),
    [("2026-11", 27, True), ("2026-11", 26, False), ("2026-12", 28, True), ("2026-12", 27, False),
     ("2026-02", 26, True), ("2026-02", 25, False), ("2026-11", 4, False)],
)  # fmt: skip
def test_a_tenth_of_the_days_may_be_missing(period: str, days: int, is_there: bool) -> None:
    assert periods.covers_month(days, periods.count_days(period)) == is_there


def test_counts_are_scaled_to_all_days_and_half_a_month_is_none() -> None:
    given = logs(
        ("whole", "2026-11", 2999, 30),
        ("day", "2026-11", 2900, 29),
        ("small", "2026-11", 7, 27),
        ("half", "2026-11", 1500, 15),
        ("few", "2026-11", 400, 4),
        # A file of rows that says nothing of days; and rows of a quarter and of a year.
        ("told", "2026-Q4", 9000, None),
        ("quarter", "2026-Q4", 9100, 91),
        ("year", "2026", 300, 300),
    )
    found = scale_to_all_days(given).select(
        "respondent_id", "units", "spam_certain", "spam_possible", "day_count"
    )
    assert {row[0]: row[1:] for row in found.rows()} == {
        "whole": (2999, 999, 1999, 30),
        # 2,900, 966 and 1,933 by 30 / 29: 3,000, 999.3 and 1,999.7.
        "day": (3000, 999, 2000, 29),
        # 7, 2 and 4 by 30 / 27: 7.8, 2.2 and 4.4.
        "small": (8, 2, 4, 27),
        "told": (9000, 3000, 6000, 92),
        "quarter": (9200, 3066, 6133, 91),
    }


def test_a_few_days_are_no_twelfth_of_a_year() -> None:
    given = logs(
        ("a", "2026-10", 3100, 31), ("a", "2026-11", 2900, 29), ("a", "2026-12", 400, 4),
        ("b", "2026-12", 400, 4),
    )  # fmt: skip
    found = dict(yearly_units(given).select("respondent_id", "units").rows())
    assert found == {"a": 12 * (3100 + 3000) / 2}


def test_answers_are_held_against_whole_months() -> None:
    """A quarter that lacks most of December is none."""
    given = logs(
        ("a", "2026-10", 3100, 31), ("a", "2026-11", 2900, 29), ("a", "2026-12", 3000, 30),
        ("b", "2026-10", 3100, 31), ("b", "2026-11", 3000, 30), ("b", "2026-12", 400, 4),
    )  # fmt: skip
    rows = (
        logged_figures(given)
        .filter(pl.col("quantity_code") == "units")
        .group_by("respondent_id", "period_code")
    )
    found = {row[:2]: row[2] for row in rows.agg(pl.col("value").sum()).rows()}
    assert found == {
        ("a", "2026-10"): 3100, ("a", "2026-11"): 3000, ("a", "2026-12"): 3100, ("a", "2026-Q4"): 9200,
        ("b", "2026-10"): 3100, ("b", "2026-11"): 3000,
    }  # fmt: skip


def test_days_add_up_over_a_quarter_as_counts_do() -> None:
    rows = [("a", "2026-10", 31), ("a", "2026-11", 29), ("a", "2026-12", 30), ("b", "2026-10", 31)]
    given = pl.DataFrame(
        [
            {"respondent_id": who, "period_code": period, "units": 1, "spam_certain": 1, "spam_possible": 1,
             "day_count": days, "subscriptions": 1, "answer_status_code": None}
            for who, period, days in rows
        ],
        schema_overrides={"answer_status_code": pl.String},
    )  # fmt: skip
    found = period_volumes(given, "2026-Q4", ["respondent_id"])
    assert found.select("respondent_id", "units", "day_count").rows() == [("a", 3, 90)]


def test_months_with_too_few_days_are_named_and_that_nothing_is_left() -> None:
    """A package of a day in thirty loads, and no estimate stands on it."""
    few, many = ("fji-1", "2026-11", 90, 1), ("fji-2", "2026-11", 90, 30)
    assert few_days(logs(many)) == []
    line = "fji-1, EMAIL in 2026-11: left out, since logs of 1 of 30 days are under 90%"
    assert few_days(logs(few, many)) == [line]
    assert few_days(logs(few)) == [
        line,
        "No estimate of spam from logs: no respondent has a month with logs of 90% of its days",
    ]
    # The lines of many are counted.
    lines = few_days(logs(many, *((f"fji-{number}", "2026-11", 90, 2) for number in range(10, 30))))
    assert lines[8:] == ["and 12 more like these"]
