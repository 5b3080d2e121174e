"""Text of SQL (Spark's dialect) as a tree, without Polars: contracts parse their conditions when they are
loaded."""

import re
from functools import cache

import sqlglot
from sqlglot import exp

from jobs.base.core.errors import ObservatoryError


@cache
def parse_sql(text: str) -> exp.Expr:
    """The tree of an expression. Raises ObservatoryError for text that is none."""
    try:
        return sqlglot.parse_one(text, dialect="spark")
    except sqlglot.errors.SqlglotError as error:
        reason = re.sub(r"\x1b\[\d*m", "", str(error)).splitlines()[0]
        raise ObservatoryError(f"cannot parse '{text}': {reason}") from None


def list_columns(tree: exp.Expr) -> list[str]:
    """The columns that an expression names; of a struct's field, the struct's."""
    return [column.parts[0].name for column in tree.find_all(exp.Column)]
