"""Definitions of spam that are within others, whatever the logs record of a message.

Attackers are assumed to read this from the predicates of ref.definition. A definition is within another if
every message that is spam under the first is spam under the second, and every one that is none under the
second is none under the first: then certain and possible spam of any traffic are at most the other's. Both
are evaluated on every combination of the values that either distinguishes, unknown ones included.
"""

import itertools
import math
from collections.abc import Iterable
from functools import cache

import polars as pl
import sqlglot
from sqlglot import exp

from jobs.base.tables.contracts import read_contract, reference_table
from jobs.base.tables.sql import parse_expression

# Predicates that distinguish more combinations than this count as not within each other.
MOST = 300_000
# Stands for all texts that no predicate names.
OTHER = "another"
COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
KINDS = {"boolean": pl.Boolean, "string": pl.String}


@cache
def find_nested(codes: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The pairs of these definitions of which the first is within the second."""
    predicates: dict[str, set[str]] = {}
    for code, text in reference_table("ref.definition").select("definition_code", "predicate").rows():
        if code in codes:
            predicates.setdefault(code, set()).add(text)
    return tuple(
        (narrow, wide)
        for narrow, wide in itertools.permutations(sorted(predicates), 2)
        if all(is_within(*texts) for texts in itertools.product(predicates[narrow], predicates[wide]))
    )


def is_within(narrow: str, wide: str) -> bool:
    """Return whether a predicate is within another. One that compares columns or numbers counts as within
    none."""
    values = list_values([narrow, wide])
    if values is None or math.prod(map(len, values.values())) > MOST:
        return False
    rows = pl.DataFrame({"": [None]})
    for name, of in values.items():
        rows = rows.join(of.to_frame(name), how="cross")
    found = rows.select(narrow=parse_expression(narrow), wide=parse_expression(wide))
    # Ordered as false, unknown, true.
    narrow_rank, wide_rank = (pl.col(name).cast(pl.Float64).fill_null(0.5) for name in ("narrow", "wide"))
    return found.filter(narrow_rank > wide_rank).is_empty()


def list_values(predicates: Iterable[str]) -> dict[str, pl.Series] | None:
    """List, by column, the values that predicates distinguish; None where that is not a list of texts."""
    fields = {field.name: field for field in read_contract("silver.message").fields}
    texts: dict[str, set[str]] = {}
    for predicate in predicates:
        tree = sqlglot.parse_one(predicate, dialect="spark")
        for column in tree.find_all(exp.Column):
            texts.setdefault(column.name, {OTHER})
        for comparison in tree.find_all(exp.In, *COMPARISONS):
            columns = [column.name for column in comparison.find_all(exp.Column)]
            if len(columns) > 1 or not isinstance(comparison, exp.In | exp.EQ | exp.NEQ):
                return None
            texts[columns[0]] |= {literal.name for literal in comparison.find_all(exp.Literal)}
    kinds = {name: fields[name].type for name in texts}
    if not set(kinds.values()) <= set(KINDS):
        return None
    return {
        name: pl.Series(
            [*((True, False) if kinds[name] == "boolean" else sorted(of)), None], dtype=KINDS[kinds[name]]
        )
        for name, of in texts.items()
    }
