"""Formulas of costs: what one may hold, and its value over numbers and arrays.

A formula is numbers, names, + - * / ** and brackets, min() and max() of two or more, and
crf(rate, years), the yearly share of a purchase. It is parsed by Python's own parser, held against that
list, and evaluated here; nothing of it is ever run as Python. Numbers are doubles, so a power cannot
grow without end. An error names the formula and the character at fault.
"""

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from functools import cache, reduce
from typing import Any

import numpy as np

from jobs.base.core.errors import ObservatoryError

Value = float | np.ndarray

# No model of the literature comes near; a hostile text stops here before anything walks through it.
LONGEST = 1000
DEEPEST = 50

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: np.power,
}


def recovery_factor(rate: Value, years: Value) -> Value:
    """Capital recovery factor: the yearly share of a purchase paid back over `years` at `rate`."""
    rate, years = np.broadcast_arrays(rate, years)
    free = rate == 0
    usual = np.where(free, 1.0, rate)
    share: np.ndarray = np.where(free, 1.0 / years, usual / (1.0 - (1.0 + usual) ** -years))
    return share


# By name: how many arguments at least and at most, and what is done to them.
FUNCTIONS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "min": (2, 20, lambda *values: reduce(np.minimum, values)),
    "max": (2, 20, lambda *values: reduce(np.maximum, values)),
    "crf": (2, 2, recovery_factor),
}


def evaluate_formula(formula: str, values: Mapping[str, Any]) -> Any:
    """The formula's value, a float, or an array where a value is one.

    Raises ObservatoryError where the formula is not allowed, a name has no value, or a step gives no finite
    number, as a division by zero does.
    """
    with np.errstate(all="ignore"):
        value = evaluate_node(parse_formula(formula), values, formula)
    return value if np.ndim(value) else float(value)


def names_in(formula: str) -> set[str]:
    """The parameters that a formula needs."""
    return {node.id for node in list_names(formula)}


def list_names(formula: str) -> list[ast.Name]:
    """The places of parameters in a formula, from left to right."""
    names = (node for node in ast.walk(parse_formula(formula)) if isinstance(node, ast.Name))
    return sorted((node for node in names if node.id not in FUNCTIONS), key=lambda node: node.col_offset)


def check_names(formula: str, names: Mapping[str, Any] | set[str]) -> None:
    """Raise ObservatoryError for the first name in the formula that is none of these."""
    for node in list_names(formula):
        if node.id not in names:
            raise formula_error(formula, node, f"'{node.id}' is not declared")


def money_degree(formula: str, degrees: Mapping[str, int]) -> int:
    """Return the power of money of the formula's value, given that of its names: 1 an amount, 0 none.

    Raises ObservatoryError where an amount is added to what is none, or stands where none may.
    """
    return degree_of(parse_formula(formula), degrees, formula)


def fill_in_values(formula: str, text: Mapping[str, str]) -> str:
    """The formula with these texts in place of its names."""
    shown = formula
    for node in reversed(list_names(formula)):
        shown = shown[: node.col_offset] + text[node.id] + shown[node.col_offset + len(node.id) :]
    return shown


# --- what a formula may hold ----------------------------------------------------------------------------


@cache
def parse_formula(formula: str) -> ast.expr:
    """The formula's tree, in which nothing is left that is not allowed."""
    if len(formula) > LONGEST:
        raise ObservatoryError(
            f"formula '{formula[:40]}…' has {len(formula):,} characters; at most {LONGEST:,} are allowed"
        )
    odd = next((place for place, each in enumerate(formula) if not " " <= each <= "~" or each == "#"), None)
    if odd is not None:
        raise ObservatoryError(
            f"formula {formula!r}, character {odd + 1}: {formula[odd]!r} is not allowed in a formula"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            body = ast.parse(formula, mode="eval").body
    except SyntaxError as error:
        place = error.offset or len(formula) + 1
        raise ObservatoryError(f"formula '{formula}', character {place}: {error.msg}") from None
    except (RecursionError, MemoryError):
        raise ObservatoryError(f"formula '{formula}' is nested too deeply") from None
    check_depth(body, formula)
    return body


def check_depth(body: ast.expr, formula: str) -> None:
    """Walk level by level, so that depth is known before anything recurs."""
    level, depth = [body], 1
    while level:
        if depth > DEEPEST:
            raise formula_error(formula, level[0], f"nested more than {DEEPEST} deep")
        below: list[ast.expr] = []
        for node in level:
            below += list_operands(node, formula)
        level, depth = below, depth + 1


def list_operands(node: ast.expr, formula: str) -> list[ast.expr]:
    """List the operands of an allowed part; anything else is an error."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            finite_number(number, node, formula)
            return []
        case ast.Name(id=name) if name not in FUNCTIONS:
            return []
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return [operand]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return [left, right]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            least, most, _ = FUNCTIONS[name]
            if not least <= len(arguments) <= most:
                wanted = str(least) if least == most else f"{least} to {most}"
                raise formula_error(formula, node, f"{name}() takes {wanted} values, not {len(arguments)}")
            return arguments
    part = ast.get_source_segment(formula, node) or ""
    raise formula_error(
        formula,
        node,
        f"'{part}' is not allowed: a formula holds numbers, names, + - * / **, brackets, min, max and crf",
    )


def finite_number(number: int | float, node: ast.expr, formula: str) -> float:
    try:
        value = float(number)
    except OverflowError:
        value = float("inf")
    if not np.isfinite(value):
        raise formula_error(formula, node, "the number is too large")
    return value


def formula_error(formula: str, node: ast.expr, reason: str) -> ObservatoryError:
    return ObservatoryError(f"formula '{formula}', character {node.col_offset + 1}: {reason}")


# --- its value ------------------------------------------------------------------------------------------


def evaluate_node(node: ast.expr, values: Mapping[str, Any], formula: str) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return finite_number(number, node, formula)
        case ast.Name(id=name):
            if name not in values:
                raise formula_error(formula, node, f"'{name}' has no value")
            value = np.asarray(values[name], dtype=float)
        case ast.UnaryOp(op=op, operand=operand):
            inner = evaluate_node(operand, values, formula)
            return -inner if isinstance(op, ast.USub) else inner
        case ast.BinOp(left=left, op=op, right=right):
            of_left, of_right = evaluate_node(left, values, formula), evaluate_node(right, values, formula)
            value = BINARY[type(op)](np.asarray(of_left), np.asarray(of_right))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            value = FUNCTIONS[name][2](*(evaluate_node(each, values, formula) for each in arguments))
        case _:
            raise formula_error(formula, node, "not allowed in a formula")
    if not np.all(np.isfinite(value)):
        part = ast.get_source_segment(formula, node)
        raise formula_error(
            formula, node, f"'{part}' is no finite number: it divides by zero or grows too large"
        )
    return value


# --- its money ------------------------------------------------------------------------------------------


def degree_of(node: ast.expr, degrees: Mapping[str, int], formula: str) -> int:
    match node:
        case ast.Constant():
            return 0
        case ast.Name(id=name):
            return degrees[name]
        case ast.UnaryOp(operand=operand):
            return degree_of(operand, degrees, formula)
        case ast.BinOp(left=left, op=op, right=right):
            first, second = degree_of(left, degrees, formula), degree_of(right, degrees, formula)
            if isinstance(op, ast.Mult):
                return first + second
            if isinstance(op, ast.Div):
                return first - second
            if isinstance(op, ast.Pow):
                if first or second:
                    raise formula_error(formula, node, "money may not stand in a power")
                return 0
            if first != second:
                raise formula_error(
                    formula, node, "an amount of money is added to what is none, or taken from it"
                )
            return first
        case ast.Call(func=ast.Name(id=name), args=arguments):
            found = {degree_of(each, degrees, formula) for each in arguments}
            if len(found) > 1 or (name == "crf" and found != {0}):
                raise formula_error(formula, node, f"{name}() mixes money with what is none")
            return found.pop()
    raise formula_error(formula, node, "not allowed in a formula")
