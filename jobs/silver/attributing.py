"""The attributes of a message that ref.attribute_rule gives: from its type, symbols or acting measure."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from jobs.attributes import ATTRIBUTES

# The only type of advertising that sells nothing.
NOT_SELLING = "AD.political"
# The start of rows of a reference table that have no start of their own (schemas/reference/NOTES.md).
NO_START = dt.date(1990, 1, 1)
KINDS: dict[str, Any] = {"boolean": pl.Boolean, "string": pl.String}


def attributes(attribute_rule: pl.DataFrame) -> list[pl.Expr]:
    """Each attribute of a message on its day; null where no rule matches."""
    rules = attribute_rule.sort(pl.col("priority").cast(pl.Int64), "pattern").to_dicts()
    return [
        attribute(name, KINDS[kind], [rule for rule in rules if rule["attribute"] == name])
        for name, kind in ATTRIBUTES.items()
    ]


def attribute(name: str, kind: Any, rules: list[dict[str, Any]]) -> pl.Expr:
    """The value of the first rule that matches."""
    found = pl.lit(None, dtype=kind)
    for rule in reversed(rules):
        value = rule["value"].upper() == "TRUE" if kind == pl.Boolean else rule["value"]
        found = pl.when(matches(rule)).then(pl.lit(value, dtype=kind)).otherwise(found)
    return found.alias(name)


def matches(rule: dict[str, Any]) -> pl.Expr:
    """Whether the rule holds on a row's day and the row has its symbol, its type by a strong rule, or its
    measure. A pattern that ends in * matches every value with that beginning."""
    found = fits(rule["match_on"], rule["pattern"])
    # Most rules have no start and no end: they cost no comparison.
    if rule["valid_from"] is not None and rule["valid_from"] > NO_START:
        found &= pl.col("period_date") >= rule["valid_from"]
    if rule["valid_to"] is not None:
        found &= pl.col("period_date") < rule["valid_to"]
    # `cause` means that nothing is sold: no rule, weak or strong, may have found a type that sells.
    return found & ~sells() if rule["value"] == "cause" else found


def sells() -> pl.Expr:
    """Whether any type found is advertising for money, or a fraud that looks like it."""
    code = pl.element()
    is_sold = (code.str.starts_with("AD.") | code.str.starts_with("FRAUD.")) & (code != NOT_SELLING)
    return pl.col("spam_type_codes").list.eval(is_sold).list.any()


def fits(match_on: str, pattern: str) -> pl.Expr:
    if match_on == "symbol":
        return pl.col("symbols").list.contains(pattern)
    column = pl.col({"type": "spam_type_code", "countermeasure": "countermeasure_code"}[match_on])
    found = column.str.starts_with(pattern[:-1]) if pattern.endswith("*") else column == pattern
    # A weak keyword may name a type, but not decide that something is spam.
    return found & pl.col("is_type_strong") if match_on == "type" else found
