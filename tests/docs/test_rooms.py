"""Docstrings of jobs/ and its rooms are true: the files that they name, and the rooms that import them."""

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

JOBS = ROOT / "jobs"
ROOMS = sorted(path.parent for path in JOBS.glob("*/__init__.py"))
MODULES = sorted(JOBS.rglob("*.py"))
# Files of other projects, and of users.
ELSEWHERE = {"jasmin/managers/listeners.py", "dlr.py"}
NAMES = {"commands": "cli", "DAGs": "dags"}


def docstrings(file: Path) -> list[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = [each for each in ast.walk(tree) if isinstance(each, ast.Module | ast.ClassDef | ast.FunctionDef)]
    return [text for node in nodes if (text := ast.get_docstring(node))]


def importers(room: str) -> set[str]:
    """The other rooms that import a room, and dags/."""
    found = set()
    for folder in ("jobs", "dags"):
        for file in (ROOT / folder).rglob("*.py"):
            path = file.relative_to(ROOT).parts
            place = path[1] if path[0] == "jobs" else path[0]
            if place == room or path == ("jobs", "__main__.py"):
                continue
            if re.search(rf"^\s*(from|import) jobs\.{room}\b|^\s*from jobs import .*\b{room}\b",
                         file.read_text(encoding="utf-8"), re.MULTILINE):  # fmt: skip
                found.add(place)
    return found


def test_docstrings_name_modules_that_are_there() -> None:
    lost = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in MODULES
        for text in docstrings(file)
        for name in re.findall(r"(?<![\w/<*.-])((?:[\w-]+/)*[\w-]+\.py)\b", text)
        if name not in ELSEWHERE and not (ROOT / name).exists() and not (file.parent / name).exists()
    ]
    assert lost == []


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_says_what_lives_there_and_who_imports_it(room: Path) -> None:
    text = " ".join(docstrings(room / "__init__.py")[0].split())
    if "Any room above may import it." in text:
        return
    if "No room imports it." in text:
        whose = set()
    else:
        (said,) = re.findall(r"Only ([\w, ]+) imports? it\.", text)
        whose = {NAMES.get(each, each) for each in re.split(r", | and ", said)}
    assert whose == importers(room.name)


def test_no_two_classes_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
