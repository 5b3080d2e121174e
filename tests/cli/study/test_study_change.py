"""Output on the terminal about the change since the period before."""

from typing import Any

import polars as pl

from jobs.base.tables.contracts import polars_schema
from jobs.cli.study.study_change import change_tables

TABLE = "study.volume_change"


def row(match: str, period: str, **values: Any) -> dict[str, Any]:
    return {
        "period_code": period, "match_code": match, "earlier_period_code": "2026-Q4",
        "later_period_code": "2027-Q1", "area_code": "WORLD", "channel_code": "EMAIL",
        "unit_code": "attempted", "definition_code": "OPERATOR", "quantity_code": "spam_certain",
        "respondent_count": 363, "population_pct": 97, "area_kind_code": "world",
    } | values  # fmt: skip


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    kinds = polars_schema(TABLE)
    return pl.DataFrame([{name: each.get(name) for name in kinds} for each in rows], schema=kinds)


CHANGE = {
    "change_pct": 4.25, "change_low_pct": -1.04, "change_high_pct": 9.8, "change_code": "unclear",
    "whole_change_pct": 6.1,
}  # fmt: skip
ROSE = {"change_pct": 20.0, "change_low_pct": 9.1, "change_high_pct": 32, "change_code": "rise"}


def test_the_change_of_each_area_says_how_sure_it_is_and_who_joined_and_left() -> None:
    ldc = {"area_code": "LDC", "area_kind_code": "group"}
    rows = [
        row("with_before", "2027-Q1", unmatched_count=7, **ROSE, **ldc),
        row("with_before", "2027-Q1", unmatched_count=12, **CHANGE),
        row("with_after", "2026-Q4", unmatched_count=3),
        row("with_before", "2026-12", unmatched_count=5, **CHANGE),
    ]
    (table,) = change_tables(frame_of(rows))
    assert table.title == "EMAIL: change of spam from 2026-Q4 to 2027-Q1"
    assert [list(column.cells) for column in table.columns] == [
        ["WORLD", "LDC"], ["363", "363"], ["+4.3%", "+20.0%"], ["-1.0% to +9.8%", "+9.1% to +32.0%"],
        ["unclear", "rise"], ["12", "7"], ["3", "0"], ["+6.1%", ""],
    ]  # fmt: skip
    of_few = {"population_pct": 3, "frame_country_count": 12, "area_country_count": 195}
    (few,) = change_tables(frame_of([row("with_before", "2027-Q1", unmatched_count=0, **CHANGE, **of_few)]))
    assert list(few.columns[0].cells) == ["12 countries"] and "Countries of the study" in str(few.caption)


def test_without_two_periods_nothing_is_said() -> None:
    assert change_tables(frame_of([])) == []
    assert change_tables(frame_of([row("with_after", "2026-Q4", unmatched_count=3)])) == []
