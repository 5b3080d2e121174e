"""Rules checked by Polars: each kind of rule fails when it is broken."""

import json

import polars as pl
import pytest

from expectations import native
from expectations.native import Result
from expectations.rules import rules_of
from jobs.base.tables.contracts import list_tables, polars_schema, read_contract
from tests.support.volume_rows import ROW, TABLE, frame


def test_every_table_has_rules_that_polars_reads() -> None:
    for table in list_tables():
        nothing = pl.DataFrame(schema=polars_schema(table))
        assert all(result.is_held for result in native.check_table(table, nothing)), table


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
    results = native.check_table(TABLE, rows)
    return {result.rule: result for result in results}


@pytest.mark.parametrize(
    ("rule", "count", "example"),
    [
        ("outcome_code_known", 1, {"outcome_code": "rejectd"}),
        ("direction_code_not_null", 1, {"direction_code": "None"}),
        ("spam_possible_not_null", 1, {"unit_code": "attempt"}),
        ("certain_within_possible", 2, {"spam_certain": None}),
        ("possible_within_units", 2, {}),
        ("certain_not_negative", 1, {"unit_code": "call"}),
        ("key_unique", 2, {"channel_code": "SMS"}),
    ],
)
def test_each_kind_of_rule_fails_with_count_and_examples(
    broken: dict[str, Result], rule: str, count: int, example: dict[str, str]
) -> None:
    result = broken[rule]
    assert not result.is_held
    assert result.table == TABLE
    assert result.violations == count
    assert result.says
    assert len(result.examples) == count
    wanted = {name: value for name, value in example.items() if value is not None}
    assert all(tuple(found) == read_contract(TABLE).key for found in result.examples)
    assert all(wanted.items() <= found.items() for found in result.examples)


def test_other_rules_hold(broken: dict[str, Result]) -> None:
    failed = {name for name, result in broken.items() if not result.is_held}
    assert failed == {
        *(
            "outcome_code_known",
            "direction_code_not_null",
            "spam_possible_not_null",
            "certain_within_possible",
        ),
        *("possible_within_units", "certain_not_negative", "key_unique"),
    }
    assert {name for name, result in broken.items() if result.is_held and result.violations} == set()


def test_a_clean_frame_breaks_nothing_and_every_rule_is_asked() -> None:
    rows = frame(ROW, {"unit_code": "message"})
    results = native.check_table(TABLE, rows)
    assert all(result.is_held for result in results)
    assert {result.rule for result in results} == {rule.name for rule in rules_of(TABLE)}


def test_a_frame_without_rows_breaks_nothing() -> None:
    results = native.check_table(TABLE, frame())
    assert len(results) == len(rules_of(TABLE)) and all(result.is_held for result in results)


def test_operators_whose_rows_break_a_rule_are_held_back_and_no_others() -> None:
    rows = [{}, {"operator_id": "b", "spam_certain": 7}, {"operator_id": "c"}, {"operator_id": "c"}]
    results = native.check_table(TABLE, frame(*rows))
    assert {result.rule for result in results if not result.is_held} == {
        "key_unique",
        "certain_within_possible",
    }
    assert native.holders(results) == {"b", "c"}
    assert native.holders(native.check_table(TABLE, frame({"operator_id": "d"}))) == set()


def test_results_are_kept_as_json(broken: dict[str, Result]) -> None:
    kept = json.loads(native.format_results(list(broken.values()), "run-1", ["b", "a"]))
    assert (kept["run_id"], kept["operators"]) == ("run-1", ["a", "b"])
    assert {result["rule"]: result["violations"] for result in kept["results"]} == {
        name: result.violations for name, result in broken.items()
    }
