"""Native rules, and suites of Great Expectations: each kind of rule fails when it is broken."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from expectations import domain, suites
from expectations.suites import Result
from jobs.core.contracts import contract, polars_schema, rows_frame, tables
from jobs.core.errors import ValidationHeld
from jobs.stages import checks
from jobs.stages.gold_steps import GOLD_DAILY
from tests.conftest import ROOT

TABLE = "gold.spam_volume_daily"
MESSAGE = "silver.message"
DAY = dt.date(2026, 11, 24)
ROW: dict[str, Any] = {
    "operator_id": "a",
    "period_date": DAY,
    "channel_code": "EMAIL",
    "direction_code": "inbound",
    "stage_code": "content",
    "outcome_code": "rejected",
    "unit_code": "recipient",
    "definition_code": "OPERATOR",
    "units": 10,
    "spam_certain": 4,
    "spam_possible": 6,
}


def frame(*rows: dict[str, Any], table: str = TABLE) -> pl.DataFrame:
    base = ROW if table == TABLE else {}
    return rows_frame([base | row for row in rows], table)


# --- native checks --------------------------------------------------------------------------------------


def test_rows_that_hold_all_rules_break_none() -> None:
    days = [{"period_date": dt.date(2026, 11, day)} for day in range(1, 6)]
    assert checks.check_rows(frame(*days), TABLE) == []
    assert checks.check_rows(frame(), TABLE) == []
    assert checks.check_rows(frame({"outcome_code": "_U"}), TABLE) == []


def test_a_broken_rule_holds_with_table_rule_count_and_keys() -> None:
    days = [{"period_date": dt.date(2026, 11, day)} for day in range(1, 6)]
    (found,) = checks.check_rows(frame(ROW, *({"spam_possible": 11} | day for day in days)), TABLE)
    with pytest.raises(ValidationHeld) as error:
        checks.refuse([found])
    first, *examples = str(error.value).splitlines()
    assert first == (
        "gold.spam_volume_daily: rule possible_within_units is broken on 5 rows; the table stays as it was."
    )
    assert len(examples) == checks.EXAMPLES
    assert all("operator_id=a, period_date=2026-11-0" in example for example in examples)
    assert all("definition_code=OPERATOR" in example for example in examples)
    assert error.value.exit_code == 1
    checks.refuse([])


def test_broken_rows_hold_back_their_operator_alone() -> None:
    rows = [{}, {"operator_id": "b", "spam_certain": 7}, {"operator_id": "c"}]
    rows += [{"operator_id": "c", "unit_code": unit, "spam_certain": -1} for unit in ("call", "attempt")]
    found = checks.check_rows(frame(*rows, {"operator_id": "b", "spam_certain": 7}), TABLE)
    assert [(each.rule, each.operator_id, each.violations) for each in found] == [
        ("certain_within_possible", "b", 2),
        ("certain_not_negative", "c", 2),
        ("key_unique", "b", 1),
    ]
    assert [example["unit_code"] for example in found[1].examples] == ["attempt", "call"]


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"outcome_code": "rejectd"}, "outcome_code_known"),
        ({"definition_code": "NOBODYS"}, "definition_code_known"),
        ({"stage_code": None}, "stage_code_not_null"),
        ({"units": None}, "units_not_null"),
        ({"spam_certain": 7}, "certain_within_possible"),
        ({"spam_certain": -1}, "certain_not_negative"),
    ],
)
def test_each_kind_of_native_rule(wrong: dict[str, Any], rule: str) -> None:
    found = {each.rule: each for each in checks.check_rows(frame(ROW, {"operator_id": "b"} | wrong), TABLE)}
    assert (found[rule].violations, found[rule].operator_id) == (1, "b")


def test_every_table_has_rules_that_polars_reads() -> None:
    for table in tables():
        about = contract(table)
        nothing = pl.DataFrame(schema=polars_schema(table))
        found = nothing.select(condition.alias(name) for name, condition in checks.row_rules(about).items())
        assert set(found.dtypes) <= {pl.Boolean}, table


def test_a_key_that_occurs_twice_holds() -> None:
    rows = frame(ROW, {"units": 8}, {"units": 9}, {"stage_code": "connect"})
    (found,) = checks.check_rows(rows, TABLE)
    assert (found.rule, found.violations) == ("key_unique", 2)
    assert checks.message(TABLE, found.rule, 2, found.examples).splitlines()[0] == (
        "gold.spam_volume_daily: rule key_unique is broken on 2 rows; the table stays as it was."
    )
    assert (found.examples[0]["stage_code"], found.examples[0]["outcome_code"]) == ("content", "rejected")


def test_a_key_may_occur_once_in_each_period() -> None:
    """The key of silver.message has no day."""
    key = {"operator_id": "a", "message_hash": "m", "recipient_hash": "r"}
    days = [key | {"period_date": dt.date(2026, 11, day)} for day in (24, 25)]
    for rows, count in ((days, 0), ([*days, days[0]], 1)):
        found = checks.check_rows(frame(*rows, table=MESSAGE), MESSAGE)
        assert sum(each.violations for each in found if each.rule == "key_unique") == count


# --- suites ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken() -> dict[str, Result]:
    """Each rule's result on a frame in which each kind of rule is broken once."""
    rows = frame(
        ROW,
        {"outcome_code": "rejectd"},
        {"direction_code": None},
        {"unit_code": "message", "spam_certain": 9},
        {"unit_code": "attempt", "spam_possible": None},
        {"unit_code": "call", "spam_certain": -2, "spam_possible": 99},
        {"channel_code": "SMS"},
        {"channel_code": "SMS", "units": 12},
    )
    results = suites.validate([suites.Asked(TABLE, rows, suites.contract_rules(TABLE), contract(TABLE).key)])
    return {result.rule: result for result in results}


@pytest.mark.parametrize(
    ("rule", "count", "example"),
    [
        ("outcome_code_known", 1, {"outcome_code": "rejectd"}),
        ("direction_code_given", 1, {"direction_code": "None"}),
        ("spam_possible_given", 1, {"unit_code": "attempt"}),
        ("certain_within_possible", 2, {"spam_certain": None}),
        ("possible_within_units", 2, {}),
        ("certain_not_negative", 1, {"unit_code": "call"}),
        ("key_unique", 2, {"channel_code": "SMS"}),
    ],
)
def test_each_kind_of_expectation_fails_with_count_and_examples(
    broken: dict[str, Result], rule: str, count: int, example: dict[str, str]
) -> None:
    result = broken[rule]
    assert not result.is_held
    assert result.table == TABLE
    assert result.violations == count
    assert result.says
    assert len(result.examples) == count
    wanted = {name: value for name, value in example.items() if value is not None}
    assert all(tuple(found) == contract(TABLE).key for found in result.examples)
    assert all(wanted.items() <= found.items() for found in result.examples)


def test_other_rules_hold(broken: dict[str, Result]) -> None:
    failed = {name for name, result in broken.items() if not result.is_held}
    assert failed == {
        *("outcome_code_known", "direction_code_given", "spam_possible_given", "certain_within_possible"),
        *("possible_within_units", "certain_not_negative", "key_unique"),
    }
    assert {name for name, result in broken.items() if result.is_held and result.violations} == set()


def test_a_clean_frame_breaks_nothing_and_every_rule_is_asked() -> None:
    rows = frame(ROW, {"unit_code": "message"})
    results = suites.validate([suites.Asked(TABLE, rows, suites.contract_rules(TABLE), contract(TABLE).key)])
    assert all(result.is_held for result in results)
    assert {result.rule for result in results} == {rule.name for rule in suites.contract_rules(TABLE)}


def test_a_frame_without_rows_breaks_nothing() -> None:
    asked = suites.Asked(TABLE, frame(), suites.contract_rules(TABLE), contract(TABLE).key)
    results = suites.validate([asked])
    assert len(results) == len(asked.rules) and all(result.is_held for result in results)
    assert suites.validate([]) == []


def test_operators_whose_rows_break_a_rule_are_held_back_and_no_others() -> None:
    rows = [{}, {"operator_id": "b", "spam_certain": 7}, {"operator_id": "c"}, {"operator_id": "c"}]
    asked = [
        suites.Asked(TABLE, frame(*each), suites.contract_rules(TABLE), contract(TABLE).key)
        for each in (rows, [{"operator_id": "d"}])
    ]
    results = suites.validate(asked)
    assert {result.rule for result in results if not result.is_held} == {
        "key_unique",
        "certain_within_possible",
    }
    assert suites.holders(results) == {"b", "c"}
    assert suites.holders(suites.validate(asked[1:])) == set()


@pytest.mark.long
def test_great_expectations_is_imported_without_what_no_rule_uses() -> None:
    """And what stood for it meanwhile is gone."""
    code = (
        "import sys; from expectations import suites; assert 'great_expectations' not in sys.modules;"
        "suites.warm(); assert 'great_expectations' in sys.modules;"
        "assert not {'altair', 'scipy', 'scipy.stats', 'pyspark', 'IPython'} & set(sys.modules);"
        "import scipy.stats; assert scipy.stats.norm.cdf(0) == 0.5"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_results_are_kept_as_json(tmp_path: Path, broken: dict[str, Result]) -> None:
    file = suites.keep(list(broken.values()), tmp_path / "_validation", "run-1", ["b", "a"])
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert (kept["run_id"], kept["operators"]) == ("run-1", ["a", "b"])
    assert {result["rule"]: result["violations"] for result in kept["results"]} == {
        name: result.violations for name, result in broken.items()
    }


# --- rules between tables -------------------------------------------------------------------------------


def told(rule: domain.CrossRule, *frames: pl.DataFrame) -> dict[str, tuple[int, list[dict[str, str]]]]:
    """The broken rules, with how many rows break them and examples."""
    beside = rule.frame(*frames)
    results = suites.validate([suites.Asked(rule.table, beside, rule.rules, rule.key)])
    assert {result.table for result in results} == {rule.table}
    return {result.rule: (result.violations, result.examples) for result in results if not result.is_held}


def test_details_add_up_to_volume() -> None:
    (rule,) = [each for each in domain.GOLD if each.table == "gold.spam_type_daily"]
    volume = frame(ROW, {"unit_code": "message"}, {"unit_code": "attempt"})

    def types(*rows: dict[str, Any]) -> pl.DataFrame:
        return frame(*(ROW | {"spam_type_code": "UNK"} | row for row in rows), table=rule.table)

    halves: dict[str, Any] = {"units": 5, "spam_certain": 2, "spam_possible": 3}
    right = [halves, halves | {"spam_type_code": "AD.pharma"}, {"unit_code": "message"}]
    assert told(rule, types(*right, {"unit_code": "attempt"}), volume) == {}
    # One total is off, one is missing here, one is missing there.
    wrong = [halves, {"unit_code": "message", "spam_possible": 7}, {"unit_code": "segment"}]
    found = told(rule, types(*wrong), volume)
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
    """Whatever counts units and spam by day is volume in other parts, and must add up to it."""
    details = {
        table for table in GOLD_DAILY if table != TABLE and {*domain.MEASURES} <= {*contract(table).columns}
    }
    assert "gold.spam_type_daily" in details
    # The coverage of types counts in its own way, and is held to the types; hours have no definition.
    others = {"gold.type_coverage_daily", "gold.traffic_hourly_daily"}
    assert {rule.table for rule in domain.GOLD} == details | others
    for rule in domain.GOLD:
        assert set(rule.key) <= set(contract(rule.table).columns) & set(contract(TABLE).columns)


def test_what_was_marked_is_what_operators_call_spam() -> None:
    (rule,) = [each for each in domain.GOLD if each.table == "gold.type_coverage_daily"]
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
    assert told(rule, coverage(("rspamd", 1, 0, 4), ("amavis", 0, 1, 3), ("_T", 1, 1, 4)), volume) == {}
    for wrong in ([("_T", 2, 1, 4)], [("_T", 1, 2, 3)], [("rspamd", 1, 1, 4)]):
        assert {name: count for name, (count, _) in told(rule, coverage(*wrong), volume).items()} == {
            "marked_equal_certain": 1
        }


def test_the_hours_of_a_day_are_its_volume() -> None:
    (rule,) = [each for each in domain.GOLD if each.table == "gold.traffic_hourly_daily"]
    cells = [ROW | {"definition_code": code, "units": 9} for code in ("OPERATOR", "CASL")]
    volume = frame(*cells, {**cells[0], "unit_code": "segment"})

    def hours(*units: int) -> pl.DataFrame:
        rows = [ROW | {"hour_of_day": hour, "units": each} for hour, each in enumerate(units)]
        return frame(*rows, table=rule.table)

    assert told(rule, hours(4, 5), volume) == {}
    for wrong in (hours(4), hours(4, 5, 1), hours()):
        found = told(rule, wrong, volume)
        assert {name: count for name, (count, _) in found.items()} == {"units_equal_volume": 1}


def test_the_ledger_conserves_lines_and_limits_quarantine() -> None:
    def file(source: str, lines: int, records: int, ignored: int, quarantined: int) -> dict[str, Any]:
        counts = {"line_count": lines, "record_count": records, "ignored_count": ignored}
        names = {"operator_id": "a", "source_id": source, "format_code": "postfix"}
        return names | counts | {"quarantined_count": quarantined}

    rule = domain.ledger_rules(5.0, 6)
    files = [
        file("right", 100, 60, 35, 5),
        file("lost", 100, 60, 34, 5),
        file("lost", 10, 10, 0, 0),
        file("mangled", 100, 60, 34, 6),
        # One report of a stranger is no share.
        file("few", 7, 2, 0, 5),
        # The limit is on a source, not on a file.
        file("mostly", 10, 5, 0, 5),
        file("mostly", 990, 990, 0, 0),
    ]
    found = told(rule, frame(*files, table="bronze.file"))
    assert {name: [row["source_id"] for row in rows] for name, (_, rows) in found.items()} == {
        "lines_conserved": ["lost"],
        "quarantine_within_limit": ["mangled"],
    }
    # A file without a line has no share, and is no violation.
    assert told(rule, frame(file("empty", 0, 0, 0, 0), table="bronze.file")) == {}


def test_who_is_held_back_reads_what_the_rule_says_and_what_to_do() -> None:
    *_, rule = domain.ledger_rules(5, 10).rules
    examples = [{"operator_id": "lab", "source_id": "mx1"}]
    told = checks.message("bronze.file", rule.name, 1, examples, rule.says)
    assert told.splitlines() == [
        "bronze.file: rule quarantine_within_limit is broken on 1 row; the table stays as it was.",
        "  It says: at most 5% of a source's lines are quarantined (limits.quarantined_pct), or fewer than 10"
        " (limits.quarantined_lines); `observatory quarantine` shows what those look like; after a correction"
        " `observatory run --requarantine` reads them again.",
        "  operator_id=lab, source_id=mx1",
    ]


def test_components_and_strategies_of_spending_add_up() -> None:
    """But for the rounding of each row, and where nothing is estimated."""
    rules = [each for each in domain.STUDY if each.table == "study.investment"]

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
        return {name for rule in rules for name in told(rule, spending)}

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
