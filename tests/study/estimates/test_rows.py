"""Figures of whole periods from those of their parts."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest

from jobs.base.tables.contracts import polars_schema
from jobs.study.estimates.spam_volume import choose_logs_or_answers
from jobs.study.estimates.steps.area_rows import obs_statuses
from jobs.study.estimates.steps.rows import MEASURES, periods_of
from jobs.study.estimates.steps.sample import Reference

QUARTERS = [f"2026-Q{number}" for number in range(1, 5)]
SCHEMA: dict[str, Any] = {
    "respondent_id": pl.String, "period_code": pl.String, **dict.fromkeys(MEASURES, pl.Int64),
    "day_count": pl.Int64, "subscriptions": pl.Int64, "answer_status_code": pl.String,
}  # fmt: skip


def answer(
    who: str, period: str, spam: int, units: int | None = None, status: str | None = "A"
) -> tuple[Any, ...]:
    return who, period, units, spam, spam, None, None, status


def year_of(*rows: tuple[Any, ...], ended: str = "") -> dict[str, tuple[Any, ...]]:
    """Each respondent's units, certain spam and status of 2026; all are in the frame, one until November."""
    given = pl.DataFrame(list(rows), schema=SCHEMA, orient="row")
    frame = pl.DataFrame(
        [
            {"respondent_id": who, "channel_code": "EMAIL", "valid_from": dt.date(2020, 1, 1),
             "valid_to": dt.date(2026, 11, 1) if who == ended else None}
            for who in sorted(set(given["respondent_id"]))
        ],
        schema=polars_schema("ref.operator_frame"),
    )  # fmt: skip
    none = pl.DataFrame()
    found = choose_logs_or_answers(given, "2026", Reference(frame, none, none, none), "EMAIL")
    return {
        row["respondent_id"]: (row["units"], row["spam_certain"], row["answer_status_code"])
        for row in found.to_dicts()
    }


def test_three_quarters_and_the_months_of_the_fourth_make_the_year() -> None:
    months = ("2026-10", "2026-11", "2026-12")
    three = [answer("a", quarter, 10, 100) for quarter in QUARTERS[:3]]
    whole = [answer("a", period, place, 10, "APA"[place]) for place, period in enumerate(months)]
    lacking = [("b", *row[1:]) for row in (*three, *whole[1:])]
    assert year_of(*three, *whole, *lacking) == {"a": (330, 33, "P")}


def test_four_quarterly_answers_make_the_year_that_was_not_answered() -> None:
    four = [answer("four", quarter, 10 * place, 100) for place, quarter in enumerate(QUARTERS)]
    three = [answer("three", quarter, 1000) for quarter in QUARTERS[:3]]
    own = [answer("own", quarter, 10) for quarter in QUARTERS] + [answer("own", "2026", 77)]
    # What was not given of one quarter is not known of the year; the weakest answer is the year's.
    part = [
        answer("part", quarter, 1, None if place == 2 else 5, "APEA"[place])
        for place, quarter in enumerate(QUARTERS)
    ]
    assert year_of(*four, *three, *own, *part) == {
        "four": (400, 60, "A"), "own": (None, 77, "A"), "part": (None, 4, "E")
    }  # fmt: skip


def test_logs_come_before_answers_and_a_year_of_logs_may_be_of_months_or_quarters() -> None:
    months = [answer("logs", f"2026-{month:02}", 1, 2, None) for month in range(1, 13)]
    quarters = [answer("wide", quarter, 5, 6, None) for quarter in QUARTERS]
    few = [answer("few", "2026-11", 1, 2, None)]
    answers = [answer(who, quarter, 50) for who in ("logs", "wide", "few") for quarter in QUARTERS]
    assert year_of(*months, *quarters, *few, *answers) == {
        "logs": (24, 12, None), "wide": (24, 20, None), "few": (None, 200, "A")
    }  # fmt: skip


def test_an_operator_that_ended_in_the_year_has_no_year_by_its_quarters() -> None:
    """Nothing that an ended operator answered for the last quarter enters its year, and it is no error."""
    rows = [answer("gone", quarter, 0 if quarter == "2026-Q4" else 10) for quarter in QUARTERS]
    assert year_of(*rows, ended="gone") == {}
    assert year_of(*rows) == {"gone": (None, 30, "A")}


def test_periods_are_those_given_and_those_whose_parts_are() -> None:
    def periods(*given: str) -> list[str]:
        return periods_of(pl.DataFrame({"period_code": given}))

    months = [f"2026-{month:02}" for month in range(10, 13)]
    assert periods(*months, *QUARTERS[:3]) == sorted([*months, *QUARTERS, "2026"])
    assert periods(*months, *QUARTERS[:2]) == sorted([*months, *QUARTERS[:2], "2026-Q4"])
    assert periods("2025", "2026-01") == ["2025", "2026-01"]


@pytest.mark.parametrize(
    ("is_complete", "band", "status"),
    [
        (True, "acceptable", "A"), (False, "acceptable", "E"), (False, "caution", "E"),
        (False, "unreliable", "U"),
    ],
)  # fmt: skip
def test_low_reliability_is_said_of_unreliable_estimates_alone(
    is_complete: bool, band: str, status: str
) -> None:
    (found,) = obs_statuses(np.array([is_complete]), np.array([band], dtype=object))
    assert found == status
