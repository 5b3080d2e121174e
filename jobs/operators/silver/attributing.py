"""The attributes of a message that ref.attribute_rule gives: from its type, symbols or acting measure."""

import datetime as dt
from typing import Any

import polars as pl

from jobs.base.tables.attributes import ATTRIBUTES
from jobs.operators.silver.type_evidence import tells_strongly

# The start of rows of a reference table that have no start of their own (schemas/reference/NOTES.md).
NO_START = dt.date(1990, 1, 1)
KINDS: dict[str, Any] = {"boolean": pl.Boolean, "string": pl.String}


def attribute_columns(attribute_rule: pl.DataFrame) -> list[pl.Expr]:
    """Each attribute of a message on its day; null where no rule matches."""
    rules = attribute_rule.sort(pl.col("priority").cast(pl.Int64), "pattern").to_dicts()
    return [
        attribute_column(name, KINDS[kind], [rule for rule in rules if rule["attribute"] == name])
        for name, kind in ATTRIBUTES.items()
    ]


def attribute_column(name: str, kind: Any, rules: list[dict[str, Any]]) -> pl.Expr:
    """The value of the first rule that matches."""
    found = pl.lit(None, dtype=kind)
    for rule in reversed(rules):
        value = rule["value"].upper() == "TRUE" if kind == pl.Boolean else rule["value"]
        found = pl.when(rule_matches(rule)).then(pl.lit(value, dtype=kind)).otherwise(found)
    return found.alias(name)


def rule_matches(rule: dict[str, Any]) -> pl.Expr:
    """Whether the rule holds on a row's day and the row has its symbol, a type by a strong rule, or its
    measure. A pattern that ends in * matches every value with that beginning."""
    found = pattern_fits(rule["match_on"], rule["pattern"], rule["value"])
    # Most rules have no start and no end: they cost no comparison.
    if rule["valid_from"] is not None and rule["valid_from"] > NO_START:
        found &= pl.col("period_date") >= rule["valid_from"]
    if rule["valid_to"] is not None:
        found &= pl.col("period_date") < rule["valid_to"]
    return found


def pattern_fits(match_on: str, pattern: str, value: str) -> pl.Expr:
    """Whether a row has the pattern.

    Of types, only those by a strong rule on the server's or a filter's evidence: a weak keyword may name a
    type, but not decide that something is spam, and another's type does not withdraw it. `cause` means that
    nothing is sold: it holds if the same evidence found no type that sells.
    """
    if match_on == "symbol":
        return pl.col("symbols").list.contains(pattern)
    if match_on == "type":
        return tells_strongly("pure_types" if value == "cause" else "strong_types", pattern)
    column = pl.col("countermeasure_code")
    return column.str.starts_with(pattern[:-1]) if pattern.endswith("*") else column == pattern
