"""Suites as JSON: each table that leaves has one, Great Expectations reads it, and it is as derived."""

import json

import pytest

from expectations import suite_files
from expectations.between import cross_rules
from expectations.rules import CONDITION, Rule, condition, rules_of

TABLES = suite_files.suite_tables()


@pytest.mark.parametrize("table", TABLES)
def test_each_rule_has_an_expectation_and_each_expectation_a_rule(table: str) -> None:
    suite = json.loads(suite_files.file_of(table).read_text(encoding="utf-8"))
    names = [rule.name for rule in rules_of(table)]
    names += [rule.name for cross in cross_rules() if cross.table == table for rule in cross.rules]
    assert [each["meta"]["rule"] for each in suite["expectations"]] == names
    assert len(set(names)) == len(names)


def test_suites_are_as_derived_and_of_tables_that_there_are() -> None:
    for table in TABLES:
        assert suite_files.file_of(table).read_text(encoding="utf-8") == suite_files.suite_text(table)
    assert suite_files.surplus_files() == []


@pytest.mark.parametrize("table", TABLES)
def test_great_expectations_reads_a_suite_and_writes_it_alike(table: str) -> None:
    import great_expectations as gx

    assert gx.__version__ == suite_files.VERSION
    kept = json.loads(suite_files.file_of(table).read_text(encoding="utf-8"))
    written = gx.ExpectationSuite(**kept).to_json_dict()
    for each, own in zip(written["expectations"], kept["expectations"], strict=True):
        assert {name: each[name] for name in own} == own


@pytest.mark.parametrize(
    ("text", "kind", "arguments"),
    [
        ("a <= b", "pair", {"column_A": "b", "column_B": "a", "or_equal": True}),
        ("a > b", "pair", {"column_A": "a", "column_B": "b"}),
        ("a >= 0", "between", {"column": "a", "min_value": 0}),
        ("0 < a", "between", {"column": "a", "min_value": 0, "strict_min": True}),
        ("a < 1.5", "between", {"column": "a", "max_value": 1.5, "strict_max": True}),
        ("-1 >= a", "between", {"column": "a", "max_value": -1}),
        ("a BETWEEN 0 AND 23", "between", {"column": "a", "min_value": 0, "max_value": 23}),
        ("a <= b AND b <= 9", "rows", None),
        # One that may be null is broken where it is: a comparison alone would pass it.
        ("a <= may_be_null", "rows", None),
        ("may_be_null BETWEEN 0 AND 1", "rows", None),
        ("a <= s.b", "rows", None),
    ],
)
def test_a_condition_becomes_the_expectation_that_says_it(
    text: str, kind: str, arguments: dict[str, object] | None
) -> None:
    kinds = {
        "pair": "expect_column_pair_values_a_to_be_greater_than_b",
        "between": "expect_column_values_to_be_between",
        "rows": "unexpected_rows_expectation",
    }
    found = suite_files.expectation_of(rule_of(text), {"a", "b"})
    assert found["type"] == kinds[kind]
    assert arguments is None or found["kwargs"] == arguments


def rule_of(text: str) -> Rule:
    rule = condition("rule", text, text)
    assert rule.kind == CONDITION
    return rule
