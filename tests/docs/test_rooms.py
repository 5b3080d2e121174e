"""Docstrings of jobs/ and its rooms are true: the files that they name, and the rooms that import them. Tests
bear the names of modules."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path
from textwrap import wrap

import pytest

from tests.conftest import ROOT

JOBS = ROOT / "jobs"
# The rooms of base and wings, and the commands.
ROOMS = sorted([JOBS / "cli", *(path.parent for path in JOBS.glob("[!c]*/*/__init__.py"))])
MODULES = sorted(JOBS.rglob("*.py"))
# Files of other projects, and of users.
ELSEWHERE = {"jasmin/managers/listeners.py", "dlr.py"}
# Pages of the wings and the base, and the most lines of 100 columns that one screen shows.
WINGS = [f"jobs/{name}/README.md" for name in ("base", "operators", "study")]
MOST_LINES = 45
NAMES = {"commands": "cli", "DAGs": "dags"}
# Folders of tests whose point is several modules at once, or none. CONTRIBUTING.md says of each why.
OF_SEVERAL = {"dags", "docker", "docs", "golden", "independent", "remote", "site", "whole"}
TESTS = sorted(
    file for file in (ROOT / "tests").rglob("test_*.py") if file.relative_to(ROOT).parts[1] not in OF_SEVERAL
)


Documented = ast.Module | ast.ClassDef | ast.FunctionDef


@cache
def list_documented(file: Path) -> list[Documented]:
    """List the parts of a file that may have a docstring. Each file is parsed once for all tests."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [each for each in ast.walk(tree) if isinstance(each, Documented)]


def docstrings(file: Path) -> list[str]:
    return [text for node in list_documented(file) if (text := ast.get_docstring(node))]


@cache
def read_text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def importers(room: Path) -> set[str]:
    """The other rooms that import a room, and dags/."""
    found = set()
    parent, name = ".".join(room.parent.relative_to(ROOT).parts), room.name
    for folder in ("jobs", "dags"):
        for file in (ROOT / folder).rglob("*.py"):
            if file.is_relative_to(room) or file.name == "__main__.py":
                continue
            path = file.relative_to(ROOT).parts
            place = path[2] if path[1] in ("base", "operators", "study") else path[path[0] == "jobs"]
            if re.search(rf"^\s*(from|import) {parent}\.{name}\b|^\s*from {parent} import .*\b{name}\b",
                         read_text(file), re.MULTILINE):  # fmt: skip
                found.add(place)
    return found


@pytest.mark.long
def test_docstrings_name_modules_that_are_there() -> None:
    lost = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in MODULES
        for text in docstrings(file)
        for name in re.findall(r"(?<![\w/<*.-])((?:[\w-]+/)*[\w-]+\.py)\b", text)
        if name not in ELSEWHERE and not (ROOT / name).exists() and not (file.parent / name).exists()
    ]
    assert lost == []


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: "/".join(room.parts[-2:]))
def test_a_room_says_what_lives_there_and_who_imports_it(room: Path) -> None:
    text = " ".join(docstrings(room / "__init__.py")[0].split())
    if "Any room above may import it." in text:
        return
    if "No room imports it." in text:
        whose = set()
    else:
        (said,) = re.findall(r"Only ([\w, ]+) imports? it\.", text)
        whose = {NAMES.get(each, each) for each in re.split(r", | and ", said)}
    assert whose == importers(room)


@pytest.mark.parametrize(
    ("wing", "others"),
    [("base", "operators|study|cli"), ("operators", "study|cli"), ("study", "operators|cli")],
    ids=["base", "operators", "study"],
)
def test_no_text_of_a_wing_names_modules_that_it_may_not_import(wing: str, others: str) -> None:
    """A module that is named in a text and imported later is no import that contracts of imports see."""
    named = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {node.value}"
        for file in sorted((JOBS / wing).rglob("*.py"))
        for node in ast.walk(ast.parse(read_text(file)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.match(rf"jobs[./]({others})\b", node.value)
    ]
    assert named == []


def test_no_two_classes_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for file in MODULES:
        for node in list_documented(file):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def names_in(folder: Path) -> set[str]:
    """Return the names that tests of a room may have: the room, or a folder or module of it; where two have
    one name, with the folder before it."""
    paths = [each.relative_to(folder).with_suffix("") for each in folder.rglob("*")
             if each.suffix in ("", ".py") and not each.name.startswith((".", "__"))]  # fmt: skip
    ends = Counter(path.name for path in paths)
    named = {"_".join(path.parts) for path in paths}
    return {folder.name, *named, *(name for name in ends if ends[name] == 1)}


def test_a_test_bears_the_name_of_its_module() -> None:
    others = [ROOT / name for name in ("benchmarks", "expectations", "sample_data", "schemas")]
    rooms = {ROOT / "tests" / room.relative_to(JOBS): room for room in (*ROOMS, *JOBS.glob("cli/*/"))}
    rooms |= {ROOT / "tests" / each.name: each for each in others}
    names = {(place, f"test_{name}") for place, room in rooms.items() for name in names_in(room)}
    others = [file for file in TESTS if (file.parent, file.stem) not in names]
    assert [str(file.relative_to(ROOT)) for file in others] == []


def test_contributing_says_why_folders_test_several_modules() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"Other folders.*", text)
    assert set(re.findall(r"`tests/(\w+)/`", said)) == OF_SEVERAL


@pytest.mark.parametrize("name", [*WINGS, "docs/dev/walks.md"])
def test_a_wings_page_and_the_walks_name_what_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    files: set[str] = set()
    # A path is below the folder of its page, or of the wing that its section of the walks names.
    for part in re.split(r"^## ", text, flags=re.MULTILINE):
        below = re.search(r"Paths are below `([\w/]+)/`", part)
        folder = ROOT / below[1] if below else (ROOT / name).parent
        paths = re.findall(r"`([\w/]+/[\w/]+\.py|[\w/]+/)`", part)
        files |= {each for each in paths if not (folder / each).exists() and not (ROOT / each).exists()}
        assert not below or len(paths) > 10
    assert sorted(files) == []
    assert re.search(r"`[\w/]+\.py`", text)
    defined = {
        node.name for file in MODULES for node in list_documented(file) if isinstance(node, ast.FunctionDef)
    }
    assert sorted(set(re.findall(r"`(\w+)\(\)`", text)) - defined) == []


@pytest.mark.parametrize("name", WINGS)
def test_a_wings_page_fits_one_screen(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    # A row of a table is as many lines as its length fills, since it has no place to wrap at.
    heights = [-(-len(line) // 100) if line.startswith("|") else len(wrap(line, 100)) for line in lines]
    assert sum(max(1, height) for height in heights) <= MOST_LINES
