"""Who gave logs or answers and is not in the frame of operators is told before Spark's tasks start."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import periods
from jobs.config import Observatory
from jobs.contracts import struct_type
from jobs.errors import ObservatoryError
from jobs.lake import Lake
from jobs.study_files import read_reference
from jobs.study_frame import last_day, refuse_missing, refuse_unpriced
from jobs.study_run import GIVEN, estimate, framed
from sample_data.membership import FOLDER


def table(spark: SparkSession, name: str, rows: list[dict[str, Any]]) -> DataFrame:
    schema = struct_type(name)
    return spark.createDataFrame([tuple(row.get(each) for each in schema.names) for row in rows], schema)


def logs(who: str, period: str, channel: str = "EMAIL", **other: Any) -> dict[str, Any]:
    return {
        "respondent_id": who, "holding_id": "own", "country_code": "FJI", "period_code": period,
        "channel_code": channel, "direction_code": "inbound", "stage_code": "content",
        "outcome_code": "rejected", "unit_code": "recipient", "definition_code": "OPERATOR", "units": 5,
        "spam_certain": 0, "spam_possible": 0,
    } | other  # fmt: skip


def answer(who: str, period: str, indicator: str, value: str | None, hour: int = 0) -> dict[str, Any]:
    return {
        "respondent_id": who, "period_code": period, "indicator_code": indicator, "value": value,
        "answer_status_code": "A" if value else "NA", "country_code": "NPL", "role_code": "O",
        "received_at": dt.datetime(2027, 2, 1, hour), "file_sha256": "0",
    }  # fmt: skip


def listed(who: str, channel: str = "EMAIL", since: str = "2020-01-01", until: str = "") -> dict[str, Any]:
    return {
        "respondent_id": who, "holding_id": "own", "country_code": "FJI", "channel_code": channel,
        "size_code": "SMALL", "subscriptions": 100, "valid_from": dt.date.fromisoformat(since),
        "valid_to": dt.date.fromisoformat(until) if until else None,
    }  # fmt: skip


def have(
    spark: SparkSession,
    given: list[dict[str, Any]],
    answers: list[dict[str, Any]],
    frame: list[dict[str, Any]],
) -> dict[str, DataFrame]:
    lake = Lake(spark, "")
    found = {
        name: framed(lake, read_reference(name), name) for name in ("ref.measure", "ref.indicator_measure")
    }
    return found | {
        "study.submission": table(spark, "study.submission", given),
        "study.questionnaire_answer": table(spark, "study.questionnaire_answer", answers),
        "ref.operator_frame": table(spark, "ref.operator_frame", frame),
    }


def test_days_of_periods_are_those_of_python(spark: SparkSession) -> None:
    codes = ["2024", "2026", "2024-Q1", "2026-Q4", "2026-Q2", "2024-02", "2026-02", "2026-12"]
    frame = spark.createDataFrame([(code,) for code in codes], "code string")
    found = frame.select("code", last_day(F.col("code")).alias("day")).collect()
    assert {row.code: row.day for row in found} == {code: periods.last_day(code) for code in codes}


def test_all_that_are_missing_are_told_at_once_with_their_lines(spark: SparkSession) -> None:
    given = [
        *(logs("a-mail", f"2026-{month}") for month in ("10", "11", "12")),
        logs("known", "2026-11"),
        logs("late", "2026-10"),
        logs("late", "2026-12"),
        logs("gone", "2026-Q4"),
        # Outbound mail is another's inbound and in no total.
        logs("sender", "2026-11", direction_code="outbound"),
    ]
    answers = [
        answer("b-sms", "2026-Q4", "sp305.SMS.attempted", "70"),
        answer("none", "2026-Q4", "sp305.SMS.attempted", "0"),
        answer("back", "2026-Q4", "sp305.SMS.attempted", "70"),
        answer("back", "2026-Q4", "sp305.SMS.attempted", None, hour=1),
        answer("spends", "2026", "sp705._T", "1000"),
        answer("parts", "2026", "sp705._T", "1000"),
        answer("parts", "2026", "sp707.EMAIL", "60"),
        answer("parts", "2026", "sp707.SMS", "40"),
        answer("parts", "2026", "sp707.VOICE_CS", "0"),
        # No sum, so no account.
        answer("known", "2026", "sp707.SMS", "40"),
    ]
    frame = [
        listed("known"), listed("late", since="2026-11-01"), listed("gone", until="2026-12-31"),
        listed("parts"), listed("none"),
    ]  # fmt: skip
    with pytest.raises(ObservatoryError) as told:
        refuse_missing(have(spark, given, answers, frame), FOLDER)
    head, *lines, foot = str(told.value).splitlines()
    assert head == f"{FOLDER}/operator_frame.csv.gz lacks 6 that gave logs or answers:"
    since = "with the day it started, if earlier"
    assert lines == [
        "  a-mail, EMAIL in 2026-10, 2026-11, 2026-12: add a-mail,own,FJI,EMAIL,<size_code>,<subscriptions>,"
        f"2026-10-01 {since}",
        "  b-sms, SMS in 2026-Q4: add b-sms,<holding_id>,NPL,SMS,<size_code>,<subscriptions>,"
        f"2026-12-01 {since}",
        "  gone, EMAIL in 2026-Q4: it stands there from 2020-01-01 to 2026-12-31: correct valid_from or"
        " valid_to",
        "  late, EMAIL in 2026-10: it stands there from 2026-11-01 to now: correct valid_from or valid_to",
        "  parts, SMS in 2026: add parts,<holding_id>,NPL,SMS,<size_code>,<subscriptions>,"
        f"2026-12-01 {since}",
        "  spends, spending in 2026: add spends,<holding_id>,NPL,<channel_code>,<size_code>,<subscriptions>,"
        f"2026-12-01 {since}",
    ]
    assert foot.endswith(
        ": respondent_id,holding_id,country_code,channel_code,size_code,subscriptions,valid_from"
    )


def test_a_country_without_prices_is_told_with_its_year(spark: SparkSession) -> None:
    answers = [answer("a-mail", "2026", "sp705._T", "1000")]
    tables = have(spark, [], answers, [listed("a-mail"), listed("other")])
    known = {"country_code": "FJI", "price_year": 2026}
    tables["ref.price_level"] = table(spark, "ref.price_level", [known])
    with pytest.raises(ObservatoryError, match=r"price_level.csv.gz has no price level for FJI in 2025: add"):
        refuse_unpriced(tables, 2025, FOLDER)
    refuse_unpriced(tables, 2026, FOLDER)
    banded = [answer("a-mail", "2026", "sp709", "B2")]
    tables["study.questionnaire_answer"] = table(spark, "study.questionnaire_answer", banded)
    with pytest.raises(ObservatoryError, match=r"no price level for USA in 2026: add"):
        refuse_unpriced(tables, 2026, FOLDER)


def test_amounts_and_prices_are_in_one_currency_or_it_is_told(spark: SparkSession) -> None:
    """Answers of 2025 are in lev, and some by an older form in euro; the year's prices are in lev, those of
    the base year, 2026, in euro. A withdrawn answer is in no currency."""
    asked = [("bg-1", "2025", "BGN"), ("bg-2", "2025", "EUR"), ("hr", "2026", "EUR"), ("ke", "2026", None)]
    answers = [answer(who, year, "sp705._T", "1000") | {"currency_code": code} for who, year, code in asked]
    answers += [
        answer("hr", "2026", "sp705.STAFF", "5") | {"currency_code": "HRK"},
        answer("hr", "2026", "sp705.STAFF", None, hour=1) | {"currency_code": "HRK"},
        # No amount.
        answer("bg-1", "2025", "sp706", "3"),
    ]
    places = {"bg-1": "BGR", "bg-2": "BGR", "hr": "HRV", "ke": "KEN"}
    frame = [listed(who) | {"country_code": country} for who, country in places.items()]
    tables = have(spark, [], answers, frame)
    levels = [
        ("BGR", 2025, "BGN"), ("BGR", 2026, "EUR"), ("HRV", 2026, "EUR"), ("KEN", 2026, "KES"),
        # Of a year that nobody answered for.
        ("HRV", 2022, "HRK"),
    ]  # fmt: skip
    tables["ref.price_level"] = table(
        spark,
        "ref.price_level",
        [dict(zip(("country_code", "price_year", "currency_code"), row, strict=True)) for row in levels],
    )
    with pytest.raises(ObservatoryError) as told:
        refuse_unpriced(tables, 2026, FOLDER)
    assert str(told.value).splitlines() == [
        f"{FOLDER}/price_level.csv.gz is not in the currency of the amounts:",
        "  BGR: answers for 2025 are in EUR, its row of 2025 is in BGN: put parity, market rate and wage of"
        " that row into EUR, or ask for these answers in BGN",
        "  BGR: its row of 2025 is in BGN, that of the base year 2026 in EUR: put parity, market rate and"
        " wage of 2026 into BGN, and its deflator if it is of another series",
    ]


def test_estimating_tells_it_before_any_table_is_computed(spark: SparkSession, tmp_path: Path) -> None:
    """As an error of its own: one that a task raises comes below Spark's stack trace."""
    tables = {
        "ref.operator_frame": [listed("known")],
        "ref.denominator": [],
        "ref.price_level": [{"country_code": "FJI", "price_year": 2026, "currency_code": "FJD",
                             "deflator_index": 1.0, "ppp_rate": 1.0, "market_rate": 1.0}],
        "study.submission": [logs("stranger", "2026-11")],
        "study.submission_route": [],
        "study.questionnaire_answer": [],
    }  # fmt: skip
    lake, said = Lake(spark, str(tmp_path / "lake")), []
    for name, rows in tables.items():
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        frame = table(spark, name, rows)
        pl.from_arrow(frame.toArrow()).write_csv(folder / f"{name.split('.')[1]}.csv")
        if name in GIVEN:
            lake.rewrite(frame, name, {})
    settings = Observatory.model_validate({"lake": {"root": lake.root}})
    with pytest.raises(ObservatoryError, match="stranger, EMAIL in 2026-11: add stranger,own,FJI,EMAIL"):
        estimate(lake, settings, folder, "run", said.append)
    assert not any("spam_volume" in line for line in said)
