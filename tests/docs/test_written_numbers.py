"""Numbers are written by the formats of jobs/base/core alone: over all modules, by their syntax."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

# The formats; coordinates of SVG; and a figure rounded before it is computed with.
OWN = {"base/core/numbers.py", "base/core/languages.py", "study/disclosure/coarse.py"}
DRAWN = "base/page/"
# A unit behind a number, and no code of a time or a pattern.
PERCENT = re.compile(r"\s?%(?!\w)")
# Digits, an exponent or percent, and no code of a time.
DIGITS = re.compile(r"[^%A-Za-z]*[eEfFgGn%]")


def find_own_formats(text: str) -> Iterator[str]:
    """Yield each place that rounds or converts a number before it is formatted, writes its digits, or puts a
    percent sign behind it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and name_called(node).startswith("format_"):
            inner = [each for given in node.args for each in ast.walk(given) if isinstance(each, ast.Call)]
            if {"float", "round"} & {name_called(each) for each in inner}:
                yield ast.unparse(node)
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            parts = [node.left, node.right]
        for part, behind in zip(parts, [*parts[1:], None], strict=False):
            if isinstance(part, ast.FormattedValue) and part.format_spec is not None:
                spec = ast.unparse(part.format_spec).removeprefix("f").strip("'\"")
                if DIGITS.fullmatch(re.sub(r"\{.*\}", "", spec)):
                    yield ast.unparse(part)
            unit = behind.value if isinstance(behind, ast.Constant) else None
            if not isinstance(part, ast.Constant) and isinstance(unit, str) and PERCENT.match(unit):
                yield ast.unparse(node)


def name_called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


@pytest.mark.parametrize(
    ("line", "is_own"),
    [
        ("format_range(float(low), high)", True),
        ("numbers.format_significant(round(count))", True),
        ("format_share(part / whole)", False),
        ("float(format_number(x))", False),
        ("f'{x}%'", True),
        ("f'under {format_number(x)} % of it'", True),
        ("f'{x}' f'% of it'", True),
        ("write(x) + '%'", True),
        ("f'{format_pct(x)} of it'", False),
        ("f'{x:,}'", False),
        ("f'{x:.1f}'", True),
        ("f'{x:,.{digits}g}'", True),
        ("f'{x:.0%}'", True),
        ("f'{x:>9}{day:%Y-%m-%dT%H:%M:%S.%fZ}'", False),
    ],
)
def test_own_formats_are_found(line: str, is_own: bool) -> None:
    assert bool(list(find_own_formats(line))) is is_own


def test_numbers_are_written_by_the_house_formats_alone() -> None:
    found = []
    for file in sorted((ROOT / "jobs").rglob("*.py")):
        name, text = file.relative_to(ROOT / "jobs").as_posix(), file.read_text(encoding="utf-8")
        # Most modules write no number, and parsing takes longest.
        if name in OWN or name.startswith(DRAWN) or not re.search(r"format_\w+\(|%|:[^}\n]*[efgn]\}", text):
            continue
        found += [f"{name}: {each}" for each in find_own_formats(text)]
    assert found == []
