"""Codes by conditions, such as a line's fate or a message's outcome."""

from __future__ import annotations

from typing import Any

import polars as pl


def choose_code(
    *, otherwise: str | pl.Expr | None = None, **conditions: pl.Expr | pl.Series | str
) -> pl.Expr:
    """The name of the first condition that holds in a row, in the order given; where none does, `otherwise`.

    A condition is an expression or the name of a column. Where it is null, it does not hold.
    """
    chain: Any = pl
    for code, condition in conditions.items():
        chain = chain.when(condition).then(pl.lit(code))
    return chain.otherwise(pl.lit(otherwise) if isinstance(otherwise, str) else otherwise)
