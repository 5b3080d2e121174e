"""The registry of formats, and what a format must state."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jobs
from jobs import formats
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


JOBS = Path(jobs.__file__).parent
FAMILIES = [
    each.name for each in pkgutil.iter_modules(formats.__path__) if each.ispkg and each.name != "shared"
]
# This room compares counts with those of pflogsumm and eximstats, each of which reads one server's log.
OF_SERVERS = "reconcile"
# Formats whose names are English words, too.
WORDS = {"delimited", "feedback", "knowledge"}


def texts_of(tree: ast.Module) -> Iterator[str]:
    """The texts of a module that are no docstrings, and the modules that it imports."""
    described = (ast.Module, ast.ClassDef, ast.FunctionDef)
    first = [each.body[0] for each in ast.walk(tree) if isinstance(each, described) and each.body]
    docstrings = {id(each.value) for each in first if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jobs.formats"):
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def test_every_folder_of_formats_has_one() -> None:
    """`shared` has what families share."""
    modules = [each.name for each in pkgutil.walk_packages(formats.__path__, "jobs.formats.")]
    found = {name.split(".")[2] for name in modules if hasattr(importlib.import_module(name), "FORMAT")}
    folders = {each.name for each in pkgutil.iter_modules(formats.__path__) if each.ispkg}
    assert folders - {"shared"} == found


def test_no_other_room_names_a_format() -> None:
    """What is special of a format its FORMAT states: a new one touches no other room."""
    names, families, odd = ("|".join(some) for some in (KERNELS, FAMILIES, set(KERNELS) - WORDS))
    named = re.compile(
        rf"^(?:{names})$|\bbronze\.(?:{names})\b|\bjobs\.formats\.(?:{families})\b|\b(?:{odd})\b"
    )
    found = [
        f"{file.relative_to(JOBS)}: {text}"
        for file in sorted(JOBS.rglob("*.py"))
        if file.relative_to(JOBS).parts[0] not in ("formats", OF_SERVERS)
        for text in texts_of(ast.parse(file.read_text(encoding="utf-8")))
        if named.search(text)
    ]
    assert found == []
