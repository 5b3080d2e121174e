"""Rules broken one after another, and the tests that notice: `python -m benchmarks.broken_rules [NAME ...]`.

A rule is an entry of broken_rules.yaml: its name, what breaks in one sentence (`breaks`), one exact text of
one file (`file`, `was`) and the text that takes its place (`now`), and the narrow tests that must notice. The
tracked files are copied to a temporary folder, and tests run there on the copy's code alone: they must
pass before the rule is broken, and then it is put back. It is caught if a test fails by an assertion: a
break that keeps code from being imported, or a test from being set up, shows nothing.

Names choose rules; a word chooses all rules with it in their name. The exit code is 1 if a rule is not
caught, 2 if the list does not fit the code.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.tools import ROOT

RULES = Path(__file__).with_suffix(".yaml")
# What a failed assertion begins with in a report, one of assert_frame_equal() or pytest.raises() too.
ASSERTION = re.compile(r"AssertionError|assert |Failed: DID NOT ")
WIDTH = 80


class ListError(Exception):
    """The list of rules does not fit the code or its tests."""


@dataclass(frozen=True)
class Rule:
    """One line of code that can be broken, and the tests that must notice."""

    name: str
    breaks: str
    file: str
    was: str
    now: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """A run of pytest: its exit code, how many tests passed, the first that failed by an assertion.

    Attributes:
        why: the last line of its output.
    """

    code: int
    passed: int
    failed: str | None
    why: str


def read_rules(path: Path = RULES) -> list[Rule]:
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    rules = [Rule(**{**row, "tests": tuple(row["tests"])}) for row in rows]
    names = [rule.name for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ListError(f"{path.name}: more than one rule is named {', '.join(twice)}")
    return rules


def choose_rules(rules: Sequence[Rule], names: Sequence[str]) -> list[Rule]:
    """The rules of these names, or with these words in their names; all without names."""
    chosen: list[Rule] = []
    for name in names:
        found = [each for each in rules if each.name == name] or [each for each in rules if name in each.name]
        if not found:
            raise ListError(f"no rule has {name!r} in its name")
        chosen += [each for each in found if each not in chosen]
    return chosen if names else list(rules)


def copy_tree(to: Path) -> None:
    """The tracked files as they are in the working tree, compiled, so that each run begins sooner.

    Compiled files are held to their source's content: a broken file often has the old one's size and second.
    """
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    folders = ("jobs", "schemas", "expectations", "sample_data", "benchmarks", "tests")
    compiled = ["compileall", "-q", "--invalidation-mode", "checked-hash", *folders]
    subprocess.run([sys.executable, "-m", *compiled], cwd=to, env=environment(to), check=True)


def environment(tree: Path) -> dict[str, str]:
    """The tests' environment: the copy's code, and nothing written beside it."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    return kept | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}


def check_imports(tree: Path) -> None:
    """Raises ListError unless the copy's modules are those that its tests import."""
    code = "import jobs, schemas, expectations, tests; print(jobs, schemas, expectations, tests, sep='\\n')"
    command = [sys.executable, "-c", code]
    told = subprocess.run(
        command, cwd=tree, env=environment(tree), capture_output=True, text=True, check=True
    )
    if outside := [line for line in told.stdout.splitlines() if f"'{tree}/" not in line]:
        raise ListError(f"modules are not imported from the copy: {outside[0]}")


def short_tests() -> str:
    """The marker expression of `make test`."""
    found = re.search(r"^SHORT := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ListError("Makefile: no SHORT")
    return found[1]


def run_tests(tree: Path, tests: Sequence[str]) -> Ended:
    """Run tests of the copy, up to the first that fails."""
    report = tree.parent / "report.xml"
    report.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", short_tests()),
        *(f"--junitxml={report}", f"--basetemp={tree.parent / 'pytest'}", *tests),
    ]
    done = subprocess.run(command, cwd=tree, env=environment(tree), capture_output=True, text=True)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    cases = list(ET.parse(report).iter("testcase")) if report.exists() else []
    passed = sum(all(case.find(what) is None for what in ("failure", "error", "skipped")) for case in cases)
    return Ended(done.returncode, passed, first_failed(cases), lines[-1] if lines else "no output")


def first_failed(cases: Iterable[ET.Element]) -> str | None:
    """The test that failed by an assertion, as pytest names it; not one that could not be set up."""
    for case in cases:
        failure = case.find("failure")
        if failure is not None and ASSERTION.match(failure.get("message", "")):
            file = case.get("classname", "").replace(".", "/") + ".py"
            return f"{file}::{case.get('name')}"
    return None


def break_rule(tree: Path, rule: Rule) -> str:
    """Put the rule's other text into its file. Returns the file's text before."""
    path = tree / rule.file
    if not path.is_file():
        raise ListError(f"{rule.file}: no such file, of the rule {rule.name!r}")
    text = path.read_text(encoding="utf-8")
    if (times := text.count(rule.was)) != 1:
        raise ListError(f"{rule.file}: the text of the rule {rule.name!r} is in it {times} times, not once")
    path.write_text(text.replace(rule.was, rule.now), encoding="utf-8")
    return text


def try_rule(tree: Path, rule: Rule) -> Ended:
    """Run the rule's tests while it is broken."""
    text = break_rule(tree, rule)
    try:
        return run_tests(tree, rule.tests)
    finally:
        (tree / rule.file).write_text(text, encoding="utf-8")


def check_unbroken(tree: Path, rule: Rule) -> None:
    """Raises ListError unless the rule's tests pass while no rule is broken."""
    ended = run_tests(tree, rule.tests)
    if ended.code or not ended.passed:
        raise ListError(f"the tests of {rule.name!r} do not pass with no rule broken: {ended.why}")


def is_caught(ended: Ended) -> bool:
    return ended.code == 1 and ended.failed is not None


def describe(rule: Rule, ended: Ended) -> str:
    """Rule and outcome in lines that are not too wide for a terminal."""
    if is_caught(ended):
        file, _, test = str(ended.failed).partition("::")
        return "\n".join([cut(rule.name), cut(f"    caught by {file}"), cut(f"      ::{test}")])
    return "\n".join([cut(rule.name), cut(f"    NOT CAUGHT: {ended.why}")])


def cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."


def main(names: Sequence[str]) -> int:
    rules = choose_rules(read_rules(), names)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="broken-rules-") as folder:
        tree = Path(folder).resolve() / "tree"
        copy_tree(tree)
        check_imports(tree)
        # All texts are looked for before the first test runs.
        for rule in rules:
            (tree / rule.file).write_text(break_rule(tree, rule), encoding="utf-8")
        caught, passing = 0, set[tuple[str, ...]]()
        for rule in rules:
            if rule.tests not in passing:
                check_unbroken(tree, rule)
                passing.add(rule.tests)
            ended = try_rule(tree, rule)
            caught += is_caught(ended)
            print(describe(rule, ended), flush=True)
    print(f"{time.monotonic() - started:,.0f} s")
    print(f"{len(rules)} rules, {caught} caught")
    return int(caught < len(rules))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ListError as error:
        print(f"benchmarks.broken_rules: {error}", file=sys.stderr)
        sys.exit(2)
