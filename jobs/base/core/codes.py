"""Codes by conditions, such as a line's fate or a message's outcome."""

from typing import Any

import polars as pl

# An expression, or the name of a column; null does not hold.
Condition = pl.Expr | pl.Series | str
# A code as text, an expression, or null.
Code = pl.Expr | str | None


def choose_code(*, otherwise: Code = None, **conditions: Condition) -> pl.Expr:
    """The name of the first condition that holds in a row, in the order given; else `otherwise`."""
    return choose_case(*((condition, code) for code, condition in conditions.items()), otherwise=otherwise)


def choose_case(*cases: tuple[Condition, Code], otherwise: Code = None) -> pl.Expr:
    """The code of the first case whose condition holds in a row; where none does, `otherwise`."""
    chain: Any = pl
    for condition, code in cases:
        chain = chain.when(condition).then(pl.lit(code) if isinstance(code, str) else code)
    return chain.otherwise(pl.lit(otherwise) if isinstance(otherwise, str) else otherwise)
