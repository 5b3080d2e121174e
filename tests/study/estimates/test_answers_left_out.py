"""Remarks of an estimate about answers that it leaves out."""

import datetime as dt
from typing import Any

from jobs.base.tables.contracts import rows_frame
from jobs.study.estimates.steps.answers_left_out import note_left_out
from jobs.study.estimates.steps.study_stage import ANSWERS, FRAME, SUBMISSION


def answered(who: str, indicator: str, value: str | None, status: str = "A") -> dict[str, Any]:
    return {
        "respondent_id": who, "period_code": "2026", "indicator_code": indicator, "value": value,
        "answer_status_code": status, "country_code": "FJI", "file_sha256": "aa",
        "received_at": dt.datetime(2027, 1, 10, tzinfo=dt.UTC),
    }  # fmt: skip


def listed(who: str, channel: str, subscriptions: int) -> dict[str, Any]:
    return {
        "respondent_id": who, "holding_id": who, "country_code": "FJI", "channel_code": channel,
        "size_code": "SMALL", "subscriptions": subscriptions, "valid_from": dt.date(2020, 1, 1),
    }  # fmt: skip


def told(answers: list[dict[str, Any]], frame: list[dict[str, Any]]) -> list[str]:
    given = {SUBMISSION: [], ANSWERS: answers, FRAME: frame}
    return note_left_out({table: rows_frame(rows, table) for table, rows in given.items()})


def test_answers_that_stand_in_no_estimate_are_counted() -> None:
    answers = [
        answered("a", "sp301.EMAIL", "COMPLAINT"),
        answered("a", "sp303.EMAIL.attempted", "9"),
        answered("a", "sp303.EMAIL.delivered", "8"),
        answered("b", "sp301.EMAIL", None, "NA"),
        answered("b", "sp303.EMAIL.attempted", "9"),
        answered("c", "sp301.EMAIL", "OPERATOR"),
        answered("c", "sp303.EMAIL.attempted", "9"),
        answered("c", "sp205.SMS", "9"),
        answered("c", "sp306.VOICE_CS.attempted", "9"),
    ]
    assert told(answers, []) == [
        "Answers on spam that no estimate takes, because their definition (sp301) is none, or more than one,"
        " of those that are estimated: 1 by “Reported by users” (a);"
        " 2 by no definition (b, c)"
    ]
    assert told(answers[5:8], []) == []


def test_subscriptions_far_from_the_frames_are_told() -> None:
    """Circuit-switched calls have mobile and fixed subscriptions without those over IP. Three times as many
    are near."""
    answers = [
        answered("a", "sp201", "3001"),
        answered("a", "sp202", "1200"),
        answered("a", "sp203", "301"),
        answered("a", "sp204", None, "NP"),
        answered("b", "sp202", "333"),
        answered("b", "sp203", None, "NA"),
        answered("c", "sp201", "0"),
    ]
    frame = [
        listed("a", "EMAIL", 1000), listed("a", "SMS", 400), listed("a", "VOICE_CS", 500),
        listed("b", "SMS", 1000), listed("b", "VOICE_CS", 1), listed("c", "EMAIL", 100),
    ]  # fmt: skip
    lines = told(answers, frame)
    assert [line.partition(", more")[0] for line in lines] == [
        "a answered 3,001 subscriptions of EMAIL in 2026, and the frame of operators has 1,000",
        "a answered 1,501 subscriptions of VOICE_CS in 2026, and the frame of operators has 500",
        "b answered 333 subscriptions of SMS in 2026, and the frame of operators has 1,000",
    ]
    assert all("its answer does not stand, the frame's number does" in line for line in lines)
