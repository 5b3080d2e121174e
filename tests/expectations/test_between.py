"""Rules between tables: what adds up, and what is found where it does not."""

from decimal import Decimal
from typing import Any

import polars as pl

from expectations import between, native
from jobs.base.tables.contracts import read_contract
from jobs.operators.build.gold_steps import GOLD_DAILY
from tests.support.volume_rows import ROW, TABLE, frame


def rules_on(table: str) -> list[between.CrossRule]:
    return [rule for rule in between.cross_rules() if rule.table == table]


def broken_by(rule: between.CrossRule, *frames: pl.DataFrame) -> dict[str, tuple[int, list[dict[str, str]]]]:
    """The broken rules, with how many rows break them and examples. frames: the rule's own first."""
    results = native.check_between(dict(zip((rule.table, *rule.others), frames, strict=True)), rule)
    assert {result.table for result in results} == {rule.table}
    return {result.rule: (result.violations, result.examples) for result in results if not result.is_held}


def test_details_add_up_to_volume() -> None:
    (rule,) = rules_on("gold.spam_type_daily")
    volume = frame(ROW, {"unit_code": "message"}, {"unit_code": "attempt"})

    def types(*rows: dict[str, Any]) -> pl.DataFrame:
        return frame(*(ROW | {"spam_type_code": "UNK"} | row for row in rows), table=rule.table)

    halves: dict[str, Any] = {"units": 5, "spam_certain": 2, "spam_possible": 3}
    right = [halves, halves | {"spam_type_code": "AD.pharma"}, {"unit_code": "message"}]
    assert broken_by(rule, types(*right, {"unit_code": "attempt"}), volume) == {}
    # One total is off, one is missing here, one is missing there.
    wrong = [halves, {"unit_code": "message", "spam_possible": 7}, {"unit_code": "segment"}]
    found = broken_by(rule, types(*wrong), volume)
    assert {name: count for name, (count, _) in found.items()} == {
        "units_equal_volume": 3,
        "spam_certain_equal_volume": 3,
        "spam_possible_equal_volume": 4,
    }
    assert {example["unit_code"] for example in found["units_equal_volume"][1]} == {
        "recipient",
        "attempt",
        "segment",
    }


def test_every_detail_table_is_held_to_volume() -> None:
    """Every table that counts units and spam by day is volume in other parts, and must add up to it."""
    details = {
        table
        for table in GOLD_DAILY
        if table != TABLE and {*between.MEASURES} <= {*read_contract(table).columns}
    }
    assert "gold.spam_type_daily" in details
    # The coverage of types counts in its own way, and is held to the types; hours have no definition.
    others = {"gold.type_coverage_daily", "gold.traffic_hourly_daily"}
    rules = [rule for rule in between.cross_rules() if rule.table.startswith("gold.")]
    assert {rule.table for rule in rules} == details | others
    for rule in rules:
        assert set(rule.key) <= set(read_contract(rule.table).columns) & set(read_contract(TABLE).columns)


def test_what_was_marked_is_what_operators_call_spam() -> None:
    (rule,) = rules_on("gold.type_coverage_daily")
    types = [
        ROW | {"spam_type_code": code, "definition_code": definition, "units": 9, "spam_certain": certain}
        for code, definition, certain in (
            ("UNK", "OPERATOR", 4),
            ("AD.pharma", "OPERATOR", 2),
            ("AD.adult", "OPERATOR", 0),
            ("UNK", "CASL", 7),
        )
    ]
    volume = frame(*types, table="gold.spam_type_daily")

    def coverage(*parts: tuple[str, int, int, int]) -> pl.DataFrame:
        rows = [
            ROW
            | {"engine_code": engine, "units_marked": strong + weak + untyped, "units_strong": strong}
            | {"units_weak": weak, "units_untyped": untyped}
            for engine, strong, weak, untyped in parts
        ]
        return frame(*rows, table=rule.table)

    # Two filters may speak of one message: their rows add up to nothing.
    assert broken_by(rule, coverage(("rspamd", 1, 0, 4), ("amavis", 0, 1, 3), ("_T", 1, 1, 4)), volume) == {}
    for wrong in ([("_T", 2, 1, 4)], [("_T", 1, 2, 3)], [("rspamd", 1, 1, 4)]):
        assert {name: count for name, (count, _) in broken_by(rule, coverage(*wrong), volume).items()} == {
            "marked_equal_certain": 1
        }


def test_the_hours_of_a_day_are_its_volume() -> None:
    (rule,) = rules_on("gold.traffic_hourly_daily")
    cells = [ROW | {"definition_code": code, "units": 9} for code in ("OPERATOR", "CASL")]
    volume = frame(*cells, {**cells[0], "unit_code": "segment"})

    def hours(*units: int) -> pl.DataFrame:
        rows = [ROW | {"hour_of_day": hour, "units": each} for hour, each in enumerate(units)]
        return frame(*rows, table=rule.table)

    assert broken_by(rule, hours(4, 5), volume) == {}
    for wrong in (hours(4), hours(4, 5, 1), hours()):
        found = broken_by(rule, wrong, volume)
        assert {name: count for name, (count, _) in found.items()} == {"units_equal_volume": 1}


def test_components_and_strategies_of_spending_add_up() -> None:
    """Sums differ by the rounding of each row, and where nothing is estimated."""
    rules = rules_on("study.investment")

    def broken(*changed: tuple[str, str, str | None]) -> set[str]:
        amounts: dict[tuple[str, str], str | None] = {
            ("_T", "_T"): "10.00", ("_T", "capital"): "3.33", ("_T", "operating"): "6.67",
            ("filtering", "_T"): "6.01", ("filtering", "capital"): "2.00", ("filtering", "operating"): "4.00",
            ("network", "_T"): "4.00", ("network", "capital"): "1.33", ("network", "operating"): "2.67",
            ("_T", "posts"): "3.00", ("filtering", "posts"): "2.00", ("network", "posts"): "1.00",
        }  # fmt: skip
        amounts |= {(strategy, component): amount for strategy, component, amount in changed}
        rows = []
        for (strategy, component), amount in amounts.items():
            money = None if amount is None else Decimal(amount)
            row = {
                "period_code": "2026", "area_code": "FJI", "channel_code": "EMAIL", "estimate": money,
                "reported": money or Decimal(0), "strategy_code": strategy, "component_code": component,
                "conversion_code": "none" if component == "posts" else "market",
            }  # fmt: skip
            rows.append(row)
        spending = frame(*rows, table="study.investment")
        return {name for rule in rules for name in broken_by(rule, spending)}

    every = [
        (strategy, component)
        for strategy in ("_T", "filtering", "network")
        for component in ("_T", "capital", "operating", "posts")
    ]
    assert broken() == set()
    assert broken(*((strategy, component, None) for strategy, component in every)) == set()
    assert broken(("_T", "_T", "10.05")) == {"components_add_up", "strategies_add_up"}
    assert broken(("filtering", "capital", None)) == {"components_add_up", "strategies_add_up"}
    assert broken(("network", "posts", "1.03")) == {"strategies_add_up"}
