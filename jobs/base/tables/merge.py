"""Sums of a table's parts: `merge` in its contract names a rule for each column outside the key.

A table that is computed in parts is finish(merge_rows(partial(messages))). The law that makes it true,
whatever the cut: merge_rows(partial(a) + partial(b)) == merge_rows(partial(a + b)), as sets of rows.
"""

from collections.abc import Callable, Iterable, Mapping

import polars as pl

from jobs.base.tables import sketch
from jobs.base.tables.contracts import read_contract


def merge_rows(parts: pl.DataFrame, key: Iterable[str], rules: Mapping[str, str]) -> pl.DataFrame:
    """Rows of the same key made one, each other column by its rule (jobs.base.tables.contracts.MERGES).

    A value that all parts lack stays null. union: a list of values becomes the sorted list of all of them.
    sketch: a list of hashes becomes the smallest of all (jobs/base/tables/sketch.py).
    """
    by = list(key)
    made = [
        pl.when(pl.col(name).is_not_null().any()).then(RULES[rule](pl.col(name))).alias(name)
        for name, rule in rules.items()
    ]
    return parts.group_by(by).agg(made).select([*by, *rules])


def merge_parts(parts: pl.DataFrame, table: str) -> pl.DataFrame:
    """Parts of a table merged by its contract's key and rules."""
    contract = read_contract(table)
    return merge_rows(parts, contract.key, dict(contract.merge))


def explode_lists(lists: pl.Expr) -> pl.Expr:
    """The values of all lists, one below the other."""
    return lists.list.explode(keep_nulls=False, empty_as_null=False)


RULES: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "sum": pl.Expr.sum,
    "min": pl.Expr.min,
    "max": pl.Expr.max,
    "any": pl.Expr.any,
    "all": pl.Expr.all,
    # Of values that do not differ within a key.
    "first": lambda value: value.drop_nulls().first(),
    "union": lambda lists: explode_lists(lists).unique().sort().implode(),
    "sketch": lambda lists: sketch.smallest_hashes(explode_lists(lists)).implode(),
}
