"""What `observatory study estimate` prints of its tables."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pyspark.sql import Row, SparkSession
from rich.console import Console, Group

from jobs.contracts import struct_type
from jobs.costs.drawing import sentences
from jobs.study_command import granted, volume

TABLE = "study.spam_volume"


def row(period: str, unit: str, estimate: int, respondents: int, answers: int) -> tuple[Any, ...]:
    given = {
        "period_code": period, "area_code": "WORLD", "area_kind_code": "world", "channel_code": "EMAIL",
        "unit_code": unit, "definition_code": "OPERATOR", "quantity_code": "spam_certain",
        "respondent_count": respondents, "answer_count": answers, "cv_band_code": "acceptable",
        "answer_pct": Decimal(100 * answers) / respondents, "coverage_pct": Decimal(40), "cv_pct": Decimal(9),
    } | {name: Decimal(estimate) for name in
         ("estimate", "estimate_low", "estimate_high", "at_050", "at_150")}  # fmt: skip
    return tuple(given.get(name) for name in struct_type(TABLE).names)


def printed(spark: SparkSession, *rows: tuple[Any, ...]) -> str:
    console = Console(width=80, record=True)
    for table in volume(spark.createDataFrame(list(rows), struct_type(TABLE))):
        console.print(table)
    return console.export_text()


def test_the_quarter_of_logs_is_printed_and_not_the_year_of_one_answer(spark: SparkSession) -> None:
    """With how much of it rests on answers; recipients apart, which nobody is asked for, are not."""
    quarter, year = row("2026-Q4", "attempted", 4300, 8, 2), row("2026", "attempted", 77, 1, 1)
    text = printed(spark, quarter, year, row("2026-Q4", "recipient", 1200, 6, 0))
    assert "EMAIL: spam in 2026-Q4 by the operators' own definition" in text
    assert "WORLD" in text and "4.3k" in text and "25%" in text
    assert " ".join(text.split()).count("as filters saw it") == 1
    # Few small operators that answered are not nobody.
    assert "<1%" in printed(spark, row("2026-Q4", "attempted", 4300, 900, 1))
    assert "<1%" not in printed(spark, row("2026-Q4", "attempted", 4300, 900, 0))
    assert "77" not in text and "1.2k" not in text
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
    assert "EMAIL: spam in 2026 by" in printed(spark, year)


def test_what_is_taken_for_granted_names_the_setting_in_its_brackets() -> None:
    sentence = "Norm: 9000 US dollars, by the settings, [study.gap]."
    held = [Row(target_code="norm", channel_code="EMAIL", assumptions=[sentence])]
    for shown in (Group(*granted(held)), sentences([sentence])):
        console = Console(width=80, record=True)
        console.print(shown)
        assert sentence in console.export_text()
