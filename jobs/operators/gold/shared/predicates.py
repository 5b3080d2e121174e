"""Predicates of ref.definition: three-valued SQL over silver.message, and nothing that could do harm.

A predicate holds columns, literals, comparisons, IN, AND, OR and NOT. Anything else could see a NULL as a
value (IS NULL, <=>, COALESCE, CASE), so that learning an attribute might widen an interval, or call a
function. The expression is read from a text that is written anew from the checked tree, never from the
row's own text.
"""

import datetime as dt
import re
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

import polars as pl
import sqlglot
from sqlglot import exp

from jobs.base.core.errors import ObservatoryError
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.tables.contracts import Field, list_codes, read_contract
from jobs.base.tables.sql import parse_expression
from jobs.base.tables.validity import is_valid_on

COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
ALLOWED = (
    *(exp.Column, exp.Identifier, exp.Literal, exp.Boolean),
    *COMPARISONS,
    *(exp.In, exp.And, exp.Or, exp.Not, exp.Paren),
)
SIGNS = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
NUMBERS = ("int", "bigint", "double")
# A name of SQL's own, which needs no quotes; text of a literal that every parser reads alike.
NAME = re.compile(r"[a-z][a-z0-9_]*")
TEXT = re.compile(r"[^'\"\\`\x00-\x1f]*")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
EVERYTHING = ("*", "_T")


@dataclass(frozen=True)
class Definition:
    """A row of ref.definition.

    Attributes:
        channels: the codes that it covers; None where it covers all.
        predicate, spam: whether a message is spam, as SQL and as a Polars expression.
    """

    code: str
    predicate: str
    channels: tuple[str, ...] | None
    valid_from: dt.date
    valid_to: dt.date | None
    spam: pl.Expr = field(compare=False, repr=False)


def read_definitions(definition: pl.DataFrame) -> dict[str, list[Definition]]:
    """The rows of ref.definition by their code, each with its predicate checked, oldest first.

    Raises ObservatoryError, naming the row, for a predicate that is refused, an unknown channel, or two
    rows of one code that hold on the same day.
    """
    found: dict[str, list[Definition]] = {}
    for row in definition.to_dicts():
        channels = parse_channels(row["channels"])
        code, valid_from = row["definition_code"], row["valid_from"]
        where = f"ref.definition, row {code} from {valid_from}"
        for channel in channels or ():
            if channel not in list_codes("channel"):
                raise ObservatoryError(f"{where}: unknown channel '{channel}'")
        sql = rewrite_predicate(row["predicate"], where)
        version = Definition(code, sql, channels, valid_from, row["valid_to"], parse_expression(sql))
        found.setdefault(code, []).append(version)
    for code, of_code in found.items():
        of_code.sort(key=lambda each: each.valid_from)
        for one, other in pairwise(of_code):
            if one.valid_to is None or one.valid_to > other.valid_from:
                raise ObservatoryError(
                    f"ref.definition, row {code} from {other.valid_from}: the row from {one.valid_from} still"
                    " holds then; give that one a valid_to"
                )
    return dict(sorted(found.items()))


def operator_definitions(definition: pl.DataFrame, day: dt.date | None = None) -> list[Definition]:
    """The rows of ref.definition for what the operator blocked or marked; with a day, the one that holds.

    Raises ObservatoryError if there is none.
    """
    rows = read_definitions(definition.filter(pl.col("definition_code") == OPERATOR)).get(OPERATOR, [])
    if day is not None:
        rows = [row for row in rows if is_valid_on(day, row.valid_from, row.valid_to)]
    if not rows:
        when = "" if day is None else f" that holds on {day}"
        raise ObservatoryError(
            f"definition.csv has no row {OPERATOR}{when}, which says what measures against spam stopped or"
            " marked: add it again"
        )
    return rows


def parse_channels(text: str) -> tuple[str, ...] | None:
    """The codes of a list such as EMAIL|SMS; None where it holds for all channels."""
    return None if text in EVERYTHING else tuple(text.split("|"))


@cache
def rewrite_predicate(text: str, where: str) -> str:
    """The predicate as SQL, written anew from what it was read as.

    Raises ObservatoryError, starting with `where`, if it does not parse, names an unknown column, or uses
    more than columns, literals, comparisons, IN, AND, OR and NOT.
    """
    try:
        tree = sqlglot.parse_one(text, dialect="spark")
    except sqlglot.errors.SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise ObservatoryError(f"{where}: the predicate does not parse: {reason}") from None
    for node in tree.walk():
        if type(node) not in ALLOWED:
            raise ObservatoryError(
                f"{where}: '{node.sql()}' is a {type(node).__name__}; a predicate may hold columns, literals,"
                " comparisons, IN, AND, OR and NOT only"
            )
    return write_condition(tree, where)


def write_condition(node: exp.Expr, where: str) -> str:
    """A node that is true, false or unknown, as SQL."""
    if isinstance(node, exp.Paren):
        return write_condition(node.this, where)
    if isinstance(node, exp.Not):
        return f"NOT {write_condition(node.this, where)}"
    if isinstance(node, exp.And | exp.Or):
        sign = "AND" if isinstance(node, exp.And) else "OR"
        return f"({write_condition(node.this, where)} {sign} {write_condition(node.expression, where)})"
    if isinstance(node, exp.Boolean):
        return str(node.this).upper()
    if isinstance(node, exp.Column):
        name, kind = check_column(node, where)
        if kind != "boolean":
            raise ObservatoryError(f"{where}: '{name}' is no condition; compare it with something")
        return name
    if isinstance(node, exp.In):
        beside = {key for key, value in node.args.items() if value and key not in ("this", "expressions")}
        if beside:
            raise ObservatoryError(f"{where}: '{node.sql()}': IN takes a list of literals only")
        return write_comparison(node.this, "IN", node.expressions, where)
    if isinstance(node, COMPARISONS):
        # A literal may stand left or right; the column is written first.
        left, right = node.this, node.expression
        sign = SIGNS[type(node)]
        if isinstance(strip_brackets(right), exp.Column) and not isinstance(strip_brackets(left), exp.Column):
            left, right = right, left
            sign = sign.translate(str.maketrans("<>", "><")) if sign != "<>" else sign
        return write_comparison(left, sign, [right], where)
    raise ObservatoryError(f"{where}: '{node.sql()}' is no condition; compare a column with it")


def write_comparison(left: exp.Expr, sign: str, right: list[exp.Expr], where: str) -> str:
    """A column against literals of its own type, or against another column."""
    left = strip_brackets(left)
    if not isinstance(left, exp.Column):
        raise ObservatoryError(f"{where}: '{left.sql()}' is no column; a comparison needs one")
    name, kind = check_column(left, where)
    if kind == "boolean" and sign not in ("=", "<>", "IN"):
        raise ObservatoryError(f"{where}: '{name}' is TRUE or FALSE and has no order")
    values = [write_operand(strip_brackets(each), name, kind, where) for each in right]
    if sign == "IN":
        return f"{name} IN ({', '.join(values)})"
    return f"{name} {sign} {values[0]}"


def write_operand(node: exp.Expr, name: str, kind: str, where: str) -> str:
    """A literal of the column's type, or a column of the same type. Others would be cast, some to NULL."""
    if isinstance(node, exp.Column):
        other, other_kind = check_column(node, where)
        if other_kind != kind:
            raise ObservatoryError(f"{where}: '{name}' is {kind} and '{other}' {other_kind}")
        return other
    if kind == "boolean" and isinstance(node, exp.Boolean):
        return str(node.this).upper()
    if kind == "string" and isinstance(node, exp.Literal) and node.is_string and TEXT.fullmatch(node.name):
        known = message_columns()[name].codelist
        if known and node.name not in list_codes(known):
            raise ObservatoryError(f"{where}: {name} has no code '{node.name}'; see the list {known}")
        return f"'{node.name}'"
    is_number = isinstance(node, exp.Literal) and not node.is_string
    if kind in NUMBERS and is_number and NUMBER.fullmatch(node.name):
        return str(node.name)
    raise ObservatoryError(f"{where}: {node.sql()} cannot be compared with '{name}', which is {kind}")


def check_column(node: exp.Column, where: str) -> tuple[str, str]:
    """A column's name and type. It stands alone: no table before it, no quotes around it."""
    if len(node.parts) > 1 or node.this.args.get("quoted"):
        raise ObservatoryError(f"{where}: write '{node.name}' alone, without a table's name or quotes")
    if node.name not in message_columns() or not NAME.fullmatch(node.name):
        raise ObservatoryError(f"{where}: silver.message has no column '{node.name}'")
    kind = message_columns()[node.name].type
    if kind not in ("string", "boolean", *NUMBERS):
        raise ObservatoryError(f"{where}: '{node.name}' is {kind}, which a predicate cannot compare")
    return node.name, kind


def message_columns() -> dict[str, Field]:
    return {field.name: field for field in read_contract("silver.message").fields}


def strip_brackets(node: exp.Expr) -> exp.Expr:
    """The expression inside brackets."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node
