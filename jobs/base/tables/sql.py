"""SQL conditions as Polars expressions, with SQL's three-valued logic.

Contracts' checks, validation rules and `show --where` are written in SQL (Spark's dialect). sqlglot parses
them; each node becomes a Polars expression:

- A comparison with NULL is NULL. NULL AND FALSE is FALSE, NULL OR TRUE is TRUE, else NULL. IF and CASE take
  NULL as FALSE.
- Division and remainder by zero are NULL. `/` always divides as double.
- greatest and least skip NULL, an array's element beyond its end is NULL.
- Anything that this module does not list raises ObservatoryError and names it.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from functools import cache, reduce
from typing import Any

import polars as pl
import sqlglot
from sqlglot import exp

from jobs.base.core.column_types import ColumnTypes
from jobs.base.core.errors import ObservatoryError

# The types of columns by name, or None where they are not known.
Types = Mapping[str, Any] | None

COMPARISONS: dict[type[exp.Expr], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    exp.EQ: pl.Expr.eq,
    exp.NEQ: pl.Expr.ne,
    exp.LT: pl.Expr.lt,
    exp.LTE: pl.Expr.le,
    exp.GT: pl.Expr.gt,
    exp.GTE: pl.Expr.ge,
    exp.NullSafeEQ: pl.Expr.eq_missing,
    exp.NullSafeNEQ: pl.Expr.ne_missing,
}
MIRRORED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
}
CASTS: ColumnTypes = {
    "BOOLEAN": pl.Boolean,
    "INT": pl.Int32,
    "BIGINT": pl.Int64,
    "DOUBLE": pl.Float64,
    "TEXT": pl.String,
    "VARCHAR": pl.String,
    "DATE": pl.Date,
    "TIMESTAMPTZ": pl.Datetime("us", "UTC"),
    "TIMESTAMP": pl.Datetime("us", "UTC"),
}


@cache
def parse_expression(text: str) -> pl.Expr:
    """SQL text as a Polars expression. Raises ObservatoryError for what it cannot read, naming it."""
    return read_node(parse_sql(text), None)


def parse_condition(text: str, table: str, types: Mapping[str, Any]) -> pl.Expr:
    """A condition on a table's rows, checked against their columns and types.

    A string literal beside a column of dates, times or numbers is read as a value of that type.
    Raises ObservatoryError, which lists the columns, for text that is not a condition on them.
    """
    try:
        tree = parse_sql(text)
        for column in tree.find_all(exp.Column):
            if column.parts[0].name not in types:
                raise ObservatoryError(f"{table} has no column '{column.parts[0].name}'.")
        made = read_node(tree, types)
        kind = pl.DataFrame(schema=types).select(made.alias("condition")).schema["condition"]
        if kind not in (pl.Boolean, pl.Null):
            raise ObservatoryError(f"'{text}' is not a condition: its type is {kind}.")
    except (ObservatoryError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ObservatoryError(f"{reason}. Columns: {', '.join(types)}") from None
    return made.cast(pl.Boolean)


def parse_sql(text: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(text, dialect="spark")
    except sqlglot.errors.SqlglotError as error:
        reason = re.sub(r"\x1b\[\d*m", "", str(error)).splitlines()[0]
        raise ObservatoryError(f"cannot parse '{text}': {reason}") from None


def read_node(node: exp.Expr, types: Types) -> pl.Expr:
    """The expression of one node and all below it."""
    if type(node) in COMPARISONS:
        left, right = read_operands([node.this, node.expression], types)
        return compare_values(type(node), left, right)
    reader = READERS.get(type(node))
    if reader is None:
        raise unsupported_error(node)
    return reader(node, types)


def compare_values(sign: type[exp.Expr], left: pl.Expr, right: pl.Expr) -> pl.Expr:
    # Polars 2.1 fails on a text literal before an expression whose values are all the same.
    if not left.meta.root_names():
        left, right, sign = right, left, MIRRORED.get(sign, sign)
    return COMPARISONS[sign](left, right)


def unsupported_error(node: exp.Expr) -> ObservatoryError:
    return ObservatoryError(
        f"'{node.sql(dialect='spark')}': {type(node).__name__} is not supported in a condition"
    )


def read_column(node: Any, types: Types) -> pl.Expr:
    """A column, or a field of a struct."""
    if not all(isinstance(part, exp.Identifier) for part in node.parts):
        raise unsupported_error(node)
    first, *rest = (part.name for part in node.parts)
    return reduce(lambda struct, name: struct.struct.field(name), rest, pl.col(first))


def read_literal(node: exp.Expr, types: Types) -> pl.Expr:
    return pl.lit(value_of(node))


def value_of(node: exp.Expr) -> Any:
    if node.is_string:
        return node.name
    return int(node.name) if node.name.isdigit() else float(node.name)


def read_operands(nodes: list[exp.Expr], types: Types) -> list[pl.Expr]:
    """Nodes that are compared with each other; string literals take the type of the column beside them."""
    kinds = [kind for node in nodes if (kind := type_of(node, types)) not in (None, pl.String)]
    numbers = [node for node in nodes if isinstance(node.unnest(), exp.Literal) and not is_text(node)]
    if numbers and any(kind.is_temporal() for kind in kinds):
        raise ObservatoryError(f"'{numbers[0].sql()}' is not a value of type {kinds[0]}")
    return [
        typed_literal(node, kinds[0]) if kinds and is_text(node) else read_node(node, types)
        for node in nodes
    ]  # fmt: skip


def type_of(node: exp.Expr, types: Types) -> Any:
    """The type of a column; None of anything else."""
    node = node.unnest()
    if types is None or not isinstance(node, exp.Column) or len(node.parts) > 1:
        return None
    return types[node.name]


def is_text(node: exp.Expr) -> bool:
    return isinstance(node.unnest(), exp.Literal) and node.unnest().is_string


def typed_literal(node: exp.Expr, kind: Any) -> pl.Expr:
    """A string literal as a value of the type. Raises ObservatoryError if it is none."""
    text = node.unnest().name
    try:
        if kind == pl.Date:
            return pl.lit(dt.date.fromisoformat(text))
        if isinstance(kind, pl.Datetime):
            at = dt.datetime.fromisoformat(text)
            at = at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
            return pl.lit(at, dtype=pl.Datetime("us", "UTC"))
        if kind.is_numeric():
            return pl.lit(float(text) if re.search(r"[.eE]", text) else int(text))
    except ValueError:
        pass
    raise ObservatoryError(f"'{text}' is not a value of type {kind}")


def read_in(node: exp.Expr, types: Types) -> pl.Expr:
    if node.args.get("query") or node.args.get("unnest") or node.args.get("field"):
        raise unsupported_error(node)
    if all(is_text(value) for value in node.expressions) and type_of(node.this, types) in (None, pl.String):
        return read_node(node.this, types).is_in([value.unnest().name for value in node.expressions])
    left, *values = read_operands([node.this, *node.expressions], types)
    return reduce(pl.Expr.or_, (compare_values(exp.EQ, left, value) for value in values))


def read_between(node: exp.Expr, types: Types) -> pl.Expr:
    value, low, high = read_operands([node.this, node.args["low"], node.args["high"]], types)
    return compare_values(exp.GTE, value, low) & compare_values(exp.LTE, value, high)


def read_is(node: exp.Expr, types: Types) -> pl.Expr:
    """IS NULL, IS TRUE, IS FALSE: never NULL themselves."""
    value = read_node(node.this, types)
    if isinstance(node.expression, exp.Null):
        return value.is_null()
    if isinstance(node.expression, exp.Boolean):
        return value.eq_missing(pl.lit(bool(node.expression.this)))
    raise unsupported_error(node)


def read_like(node: exp.Expr, types: Types, escape: str = "\\") -> pl.Expr:
    if not is_text(node.expression):
        raise unsupported_error(node)
    flags = "(?is)" if isinstance(node, exp.ILike) else "(?s)"
    pattern = rf"{flags}\A{like_regex(node.expression.unnest().name, escape)}\z"
    found = read_node(node.this, types).str.contains(pattern)
    return ~found if node.args.get("negate") else found


def like_regex(pattern: str, escape: str) -> str:
    """LIKE's pattern as a regular expression: % is any text, _ any character."""
    parts = []
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            following = next(characters, "")
            if following not in ("%", "_", escape):
                raise ObservatoryError(f"LIKE '{pattern}': {escape} stands before %, _ or {escape} only")
            parts.append(re.escape(following))
        else:
            parts.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
    return "".join(parts)


def read_escape(node: exp.Expr, types: Types) -> pl.Expr:
    if not isinstance(node.this, exp.Like | exp.ILike) or len(node.expression.name) != 1:
        raise unsupported_error(node)
    return read_like(node.this, types, node.expression.name)


def divide_double(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    return pl.when(right != 0).then(left.cast(pl.Float64) / right.cast(pl.Float64))


def divide_whole(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Towards zero."""
    return pl.when(right != 0).then(left.sign() * right.sign() * (left.abs() // right.abs()))


def take_remainder(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Return the remainder, with the sign of the dividend."""
    return pl.when(right != 0).then(left.sign() * (left.abs() % right.abs()))


def binary_reader(build: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Callable[[exp.Expr, Types], pl.Expr]:
    return lambda node, types: build(read_node(node.this, types), read_node(node.expression, types))


def unary_reader(build: Callable[[pl.Expr], pl.Expr]) -> Callable[[exp.Expr, Types], pl.Expr]:
    return lambda node, types: build(read_node(node.this, types))


def variadic_reader(build: Callable[[list[pl.Expr]], pl.Expr]) -> Callable[[exp.Expr, Types], pl.Expr]:
    return lambda node, types: build([read_node(each, types) for each in (node.this, *node.expressions)])


def read_element(node: exp.Expr, types: Types) -> pl.Expr:
    """An array's element; the first is 0."""
    (place,) = node.expressions
    if not isinstance(place, exp.Literal) or place.is_string:
        raise unsupported_error(node)
    return read_node(node.this, types).list.get(value_of(place), null_on_oob=True)


def read_field(node: exp.Expr, types: Types) -> pl.Expr:
    """A struct's field behind something other than a column, such as an array's element."""
    if not isinstance(node.expression, exp.Identifier):
        raise unsupported_error(node)
    return read_node(node.this, types).struct.field(node.expression.name)


def read_if(node: exp.Expr, types: Types) -> pl.Expr:
    otherwise = node.args.get("false")
    chosen = pl.when(read_node(node.this, types)).then(read_node(node.args["true"], types))
    return chosen if otherwise is None else chosen.otherwise(read_node(otherwise, types))


def read_case(node: exp.Expr, types: Types) -> pl.Expr:
    chosen: Any = pl
    for each in node.args["ifs"]:
        if node.this is None:
            holds = read_node(each.this, types)
        else:
            left, right = read_operands([node.this, each.this], types)
            holds = compare_values(exp.EQ, left, right)
        chosen = chosen.when(holds).then(read_node(each.args["true"], types))
    default = node.args.get("default")
    made: pl.Expr = chosen if default is None else chosen.otherwise(read_node(default, types))
    return made


def read_cast(node: Any, types: Types) -> pl.Expr:
    kind = CASTS.get(node.to.this.value)
    if kind is None or node.to.expressions:
        raise unsupported_error(node)
    if is_text(node.this) and kind.is_temporal():
        return typed_literal(node.this, kind)
    return read_node(node.this, types).cast(kind)


READERS: dict[type[exp.Expr], Callable[[exp.Expr, Types], pl.Expr]] = {
    exp.Column: read_column,
    exp.Dot: read_field,
    exp.Bracket: read_element,
    exp.Literal: read_literal,
    exp.Boolean: lambda node, types: pl.lit(bool(node.this)),
    exp.Null: lambda node, types: pl.lit(None),
    exp.Paren: unary_reader(lambda value: value),
    exp.And: binary_reader(pl.Expr.and_),
    exp.Or: binary_reader(pl.Expr.or_),
    exp.Not: unary_reader(pl.Expr.not_),
    exp.In: read_in,
    exp.Between: read_between,
    exp.Is: read_is,
    exp.Like: read_like,
    exp.ILike: read_like,
    exp.Escape: read_escape,
    exp.Add: binary_reader(pl.Expr.add),
    exp.Sub: binary_reader(pl.Expr.sub),
    exp.Mul: binary_reader(pl.Expr.mul),
    exp.Div: binary_reader(divide_double),
    exp.IntDiv: binary_reader(divide_whole),
    exp.Mod: binary_reader(take_remainder),
    exp.Neg: unary_reader(pl.Expr.neg),
    exp.Abs: unary_reader(pl.Expr.abs),
    exp.Length: unary_reader(lambda value: value.str.len_chars().cast(pl.Int32)),
    exp.ArraySize: unary_reader(lambda value: value.list.len().cast(pl.Int32)),
    exp.Coalesce: variadic_reader(pl.coalesce),
    exp.Least: variadic_reader(pl.min_horizontal),
    exp.Greatest: variadic_reader(pl.max_horizontal),
    exp.If: read_if,
    exp.Case: read_case,
    exp.Cast: read_cast,
    exp.TryCast: read_cast,
}
