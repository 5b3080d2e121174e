"""Suites of Great Expectations as JSON, one for each table that leaves: derived from the rules.

A condition on one or two columns that are never null becomes the expectation that says so; any other becomes
a query for the rows that break it, in the SQL of SQLite, which expectations/evaluation.py puts tables into.
"""

import json
from pathlib import Path
from typing import Any

from sqlglot import exp

from expectations.between import cross_rules
from expectations.rules import IN_SET, NOT_NULL, UNIQUE, Rule, rules_of
from jobs.base.tables.contracts import list_tables, read_contract
from jobs.base.tables.public_contracts import public_tables
from jobs.base.tables.sql import parse_sql

FOLDER = Path(__file__).parent / "suites"
VERSION = "1.24.1"
NUMBERS = ("int", "bigint", "double", "decimal")


def suite_tables() -> list[str]:
    """The tables that have a suite."""
    return [table for table in list_tables() if table.startswith(("gold.", "study."))] + list(public_tables())


def file_of(table: str) -> Path:
    return FOLDER / f"{table}.json"


def suite_text(table: str) -> str:
    """A suite's file."""
    return json.dumps(suite_of(table), indent=2, ensure_ascii=False) + "\n"


def surplus_files() -> list[Path]:
    """The files of suites of tables that are no more."""
    return sorted({*FOLDER.glob("*.json")} - {file_of(table) for table in suite_tables()})


def suite_of(table: str) -> dict[str, Any]:
    """A table's suite, as Great Expectations writes it."""
    numbers = never_null_numbers(table)
    expectations = [expectation_of(rule, numbers) for rule in rules_of(table)]
    for cross in cross_rules():
        if cross.table == table:
            expectations += [
                described(
                    rule,
                    "unexpected_rows_expectation",
                    unexpected_rows_query=rows_that_break(rule, cross.query),
                )
                for rule in cross.rules
            ]
    return {
        "name": table,
        "expectations": expectations,
        "meta": {"great_expectations_version": VERSION},
    }


def never_null_numbers(table: str) -> set[str]:
    """The columns that always hold a number."""
    if table.startswith("public."):
        return set()
    contract = read_contract(table)
    return {
        field.name
        for field in contract.fields
        if field.name in contract.required_columns and field.type.partition("(")[0] in NUMBERS
    }


def described(rule: Rule, kind: str, **arguments: Any) -> dict[str, Any]:
    """An expectation as it stands in a suite. The rule's name and what it says are kept with it."""
    return {
        "type": kind,
        "kwargs": arguments,
        "meta": {"rule": rule.name},
        "description": rule.says,
        "severity": "critical",
    }


def expectation_of(rule: Rule, numbers: set[str]) -> dict[str, Any]:
    """The expectation that asks a rule.

    Args:
        numbers: the columns that always hold a number.
    """
    if rule.kind == NOT_NULL:
        return described(rule, "expect_column_values_to_not_be_null", column=rule.columns[0])
    if rule.kind == IN_SET:
        values = list(rule.values)
        return described(rule, "expect_column_values_to_be_in_set", column=rule.columns[0], value_set=values)
    if rule.kind == UNIQUE and len(rule.columns) == 1:
        return described(rule, "expect_column_values_to_be_unique", column=rule.columns[0])
    if rule.kind == UNIQUE:
        return described(rule, "expect_compound_columns_to_be_unique", column_list=list(rule.columns))
    simple = simple_expectation(parse_sql(rule.condition), numbers)
    if simple is not None:
        return described(rule, simple[0], **simple[1])
    query = rows_that_break(rule, "{batch}")
    return described(rule, "unexpected_rows_expectation", unexpected_rows_query=query)


def simple_expectation(node: exp.Expr, numbers: set[str]) -> tuple[str, dict[str, Any]] | None:
    """The expectation of a condition that bounds one column, or compares two; None for any other."""
    if isinstance(node, exp.Between) and is_column(node.this, numbers):
        low, high = number_of(node.args["low"]), number_of(node.args["high"])
        if low is not None and high is not None:
            return between(node.this.name, min_value=low, max_value=high)
    if not isinstance(node, exp.LT | exp.LTE | exp.GT | exp.GTE):
        return None
    is_or_equal = isinstance(node, exp.LTE | exp.GTE)
    less, more = (
        (node.this, node.expression) if isinstance(node, exp.LT | exp.LTE) else (node.expression, node.this)
    )
    if is_column(less, numbers) and is_column(more, numbers):
        arguments = {"column_A": more.name, "column_B": less.name}
        return "expect_column_pair_values_a_to_be_greater_than_b", arguments | (
            {"or_equal": True} if is_or_equal else {}
        )
    strict = {} if is_or_equal else {"strict_min" if is_column(more, numbers) else "strict_max": True}
    if is_column(more, numbers) and number_of(less) is not None:
        return between(more.name, min_value=number_of(less), **strict)
    if is_column(less, numbers) and number_of(more) is not None:
        return between(less.name, max_value=number_of(more), **strict)
    return None


def between(column: str, **bounds: Any) -> tuple[str, dict[str, Any]]:
    return "expect_column_values_to_be_between", {"column": column, **bounds}


def is_column(node: exp.Expr, numbers: set[str]) -> bool:
    return isinstance(node, exp.Column) and not node.table and node.name in numbers


def number_of(node: exp.Expr) -> int | float | None:
    """A literal's number, if it is one."""
    if isinstance(node, exp.Neg):
        inner = number_of(node.this)
        return None if inner is None else -inner
    if not isinstance(node, exp.Literal) or node.is_string:
        return None
    return int(node.name) if node.name.isdigit() else float(node.name)


def rows_that_break(rule: Rule, source: str) -> str:
    """SQL for the rows of a table or query that break a condition."""
    if source != "{batch}":
        source = f"({source}) AS side_by_side"
    return f"SELECT * FROM {source} WHERE NOT COALESCE({sqlite_condition(rule.condition)}, FALSE)"


def sqlite_condition(condition: str) -> str:
    """A condition as SQLite reads it. Arrays and structs are JSON there."""
    tree = parse_sql(condition).transform(from_json)
    return tree.sql(dialect="sqlite")


def from_json(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Column) and node.table:
        return extract(exp.column(node.table), f"$.{node.name}")
    if isinstance(node, exp.Bracket):
        return extract(node.this, f"$[{node.expressions[0].name}]")
    if isinstance(node, exp.ArraySize):
        return exp.func("json_array_length", node.this)
    return node


def extract(column: exp.Expr, path: str) -> exp.Expr:
    return exp.Anonymous(this="json_extract", expressions=[column, exp.Literal.string(path)])
