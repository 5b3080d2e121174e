"""jobs.base.stats.formula: what a formula may hold, its value, its money, and what it says of mistakes."""

import math
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.base.stats.formula import (
    DEEPEST,
    LONGEST,
    check_names,
    evaluate_formula,
    fill_in_values,
    money_degree,
    names_in,
)
from tests.support.examples import examples

NAMES = {"a": 2.0, "b": 5.0, "c_1": -0.75, "rate": 0.05}


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("1+2*3", 7),
        ("(1+2)*3", 9),
        ("2**-1", 0.5),
        ("-2**2", -4),
        ("2**3**2", 512),
        ("-a/1e3", -0.002),
        ("+a", 2),
        ("a*b", 10),
        ("8/4/2", 1),
        ("min(a, b)", 2),
        ("max(a, b, 7)", 7),
        ("crf(0.05, 10)", 0.1295045749654567),
        ("crf(0, 10)", 0.1),
        ("a*crf(rate,years)", 2 * 0.1295045749654567),
    ],
)
def test_formulas(formula, value):
    assert evaluate_formula(formula, NAMES | {"years": 10}) == pytest.approx(value)


def test_a_formula_over_arrays_is_the_formula_over_their_elements():
    a = np.array([1.0, 2.0, 4.0])
    found = evaluate_formula("max(a, 2)**2 / b", {"a": a, "b": 8.0})
    assert found.tolist() == [0.5, 0.5, 2.0]
    assert isinstance(evaluate_formula("a*2", {"a": 3}), float)
    assert evaluate_formula("crf(r, n)", {"r": np.array([0.0, 0.1]), "n": 2}) == pytest.approx(
        [0.5, 0.1 / (1 - 1.1**-2)]
    )


def expressions() -> st.SearchStrategy[str]:
    """Texts of allowed formulas, with brackets where they are and are not needed."""
    numbers = st.one_of(
        st.integers(0, 1000).map(str),
        st.floats(0, 1e6, allow_nan=False).map(repr),
        st.sampled_from(list(NAMES)),
    )

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        two = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", " ** ", " - "]), inner).map("".join)
        return st.one_of(
            two,
            inner.map(lambda text: f"({text})"),
            inner.map(lambda text: f"-{text}"),
            st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda p: f"{p[0]}({p[1]},{p[2]})"),
        )

    return st.recursive(numbers, larger, max_leaves=12)


class Double(float):
    """Python's own number, which takes no step to what is no finite number."""


def finite(step: Callable[..., Any]) -> Callable[..., Double]:
    def stepped(*numbers: float) -> Double:
        value = step(*map(float, numbers))
        if isinstance(value, complex) or not math.isfinite(value):
            raise ArithmeticError
        return Double(value)

    return stepped


for name in ("add", "sub", "mul", "truediv", "pow", "neg"):
    setattr(Double, f"__{name}__", finite(getattr(float, f"__{name}__")))


@examples(400)
@given(expressions())
def test_the_value_is_that_of_pythons_own_arithmetic(formula):
    doubled = re.sub(r"(?<![\w.])(\d[\d.]*(?:e[+-]?\d+)?)", r"D(\1)", formula)
    known = {"__builtins__": {}, "min": min, "max": max, "D": Double}
    try:
        expected = eval(doubled, known, {name: Double(value) for name, value in NAMES.items()})
    except ArithmeticError:
        with pytest.raises(ObservatoryError, match="no finite number"):
            evaluate_formula(formula, NAMES)
    else:
        assert evaluate_formula(formula, NAMES) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').system('true')",
        "a.real",
        "a.__class__",
        "a[0]",
        "print(a)",
        "a(2)",
        "(min)(a, b).real",
        "min(*a)",
        "min(a)",
        "min(a, key=b)",
        "min",
        "crf(a)",
        "crf(rate=a, years=a)",
        "crf",
        "a if a else a",
        "[a for a in a]",
        "lambda: a",
        "a < 1",
        "a and a",
        "not a",
        "~a",
        "a // 2",
        "a % 2",
        "a @ b",
        "a << 9",
        "'a' * 2",
        "True + 1",
        "None",
        "...",
        "1j",
        "(a := 3)",
        "a; a",
        "a = 2",
        "(a, b)",
        "{a}",
        "",
        " ",
        "(",
        "f'{a}'",
        "\0",
        "a\n+b",
        "a # b",
        "ａ + 1",  # a fullwidth letter, which Python would read as a
        "1e999",
        "9" * 400,
    ],
)
def test_a_formula_holds_arithmetic_only(formula):
    with pytest.raises(ObservatoryError, match="formula"):
        evaluate_formula(formula, NAMES)


@pytest.mark.parametrize(
    "formula",
    [
        "9**9**9**9",
        "9**9**9**9**9**9**9**9*0",
        "2**100000",
        "1e308*10",
        "a/0",
        "a/(b-b)",
        "(0-8)**0.5",
        "0**-1",
        "min(1/0, 1)",
        "(" * 300 + "a" + ")" * 300,
        "-" * 900 + "a",
        "+".join(["a"] * (DEEPEST + 2)),
        "a+" * LONGEST + "a",
        "(" * 100_000,
        "-" * 1_000_000 + "a",
    ],
)
def test_what_would_run_away_is_refused_at_once(formula):
    began = time.monotonic()
    with pytest.raises(ObservatoryError, match="formula"):
        evaluate_formula(formula, NAMES)
    assert time.monotonic() - began < 2


def test_the_longest_and_the_deepest_formula_is_read():
    assert evaluate_formula("a".ljust(LONGEST), NAMES) == 2
    assert evaluate_formula("-" * (DEEPEST - 1) + "a", NAMES) == -2
    with pytest.raises(ObservatoryError, match="nested more than"):
        evaluate_formula("-" * DEEPEST + "a", NAMES)
    with pytest.raises(ObservatoryError, match="characters; at most"):
        evaluate_formula("a".ljust(LONGEST + 1), NAMES)


@examples(300)
@given(st.text(alphabet="ab(1)*+-/. ,'[]minx_e9:=", max_size=40))
def test_any_text_gives_a_number_or_a_message(text):
    try:
        assert math.isfinite(evaluate_formula(text, {"a": 2.0, "b": 3.0}))
    except ObservatoryError as error:
        assert "formula" in str(error)


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("a + b.real", "formula 'a + b.real', character 5: 'b.real' is not allowed: a formula holds"),
        ("a*speed", "formula 'a*speed', character 3: 'speed' has no value"),
        ("a + b/(a-2)", "character 5: 'b/(a-2)' is no finite number"),
        ("a + ", "formula 'a + ', character 5: invalid syntax"),
        ("a + min(b)", "character 5: min() takes 2 to 20 values, not 1"),
        ("a + é", "character 5: 'é' is not allowed"),
    ],
)
def test_a_mistake_names_the_formula_and_the_place(formula, told):
    with pytest.raises(ObservatoryError) as found:
        evaluate_formula(formula, NAMES)
    assert told in str(found.value)


def test_names_are_those_of_parameters():
    assert names_in("max(a, b)*crf(rate, 3)") == {"a", "b", "rate"}
    check_names("a*b", {"a", "b"})
    with pytest.raises(ObservatoryError, match="character 3: 'b' is not declared"):
        check_names("a*b", {"a"})


def test_values_are_put_in_for_names():
    assert fill_in_values(
        "min_day/min_week + min(a, b)", {"min_day": "6.5", "min_week": "480", "a": "1", "b": "2"}
    ) == ("6.5/480 + min(1, 2)")


DEGREES = {"price": 1, "other": 1, "count": 0, "share": 0}


@pytest.mark.parametrize(
    ("formula", "degree"),
    [
        ("price*count", 1),
        ("price/other", 0),
        ("price/other-1", 0),
        ("price + other*share", 1),
        ("max(price, other)", 1),
        ("price*crf(share, 10)", 1),
        ("(1+share)**count", 0),
        ("price*other", 2),
    ],
)
def test_the_money_in_a_formula(formula, degree):
    assert money_degree(formula, DEGREES) == degree


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("price + count", "character 1: an amount of money is added to what is none"),
        ("count * (1 - price)", r"character 10: an amount of money is added"),
        ("price**2", "money may not stand in a power"),
        ("min(price, 3)", r"min\(\) mixes money with what is none"),
        ("crf(price, 3)", r"crf\(\) mixes money"),
    ],
)
def test_money_is_not_mixed_with_what_is_none(formula, told):
    with pytest.raises(ObservatoryError, match=told):
        money_degree(formula, DEGREES)
