"""The registry of formats, and what a format must state."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
from typing import Any

import pytest

from jobs.formats.format import LineFormat
from jobs.formats.registry import DOCUMENTS, FORMATS, KERNELS

STATED = {each.name: getattr(KERNELS["exim"], each.name) for each in dataclasses.fields(LineFormat)}


def test_a_format_with_a_misspelt_hook_is_refused() -> None:
    misspelt = {("assembel" if name == "assemble" else name): value for name, value in STATED.items()}
    with pytest.raises(TypeError, match="assembel"):
        LineFormat(**misspelt)


def test_a_format_of_lines_without_parse_is_refused() -> None:
    with pytest.raises(TypeError, match="parse"):
        LineFormat(**{name: value for name, value in STATED.items() if name != "parse"})


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_function_with_a_hooks_name_is_the_hook(name: str) -> None:
    """Else a kernel has a function that nobody calls."""
    kernel = KERNELS[name]
    module = sys.modules[inspect.unwrap(kernel.sniff).__module__]
    hooks = {each.name for each in dataclasses.fields(kernel)}
    defined = {
        node.name for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.FunctionDef)
    }
    stated: dict[str, Any] = {each: getattr(kernel, each) for each in sorted(defined & hooks)}
    assert stated == {each: getattr(module, each) for each in stated}


def test_each_format_is_of_lines_or_of_documents() -> None:
    assert {**FORMATS, **DOCUMENTS} == KERNELS
