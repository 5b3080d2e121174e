"""Rules that count as caught by a test; python -m benchmarks.broken_rules breaks the rules themselves."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.broken_rules import ListError, Rule, break_rule, check_unbroken, is_caught, try_rule

TEST = """
import pytest
from rule import LEAST

@pytest.fixture
def least():
    assert LEAST > 1
    return LEAST

def test_least():
    assert LEAST == 3

def test_least_of_a_fixture(least):
    assert LEAST < 5
"""
RULE = Rule("least", "Two are enough.", "rule.py", "LEAST = 3", "LEAST = 2", ("test_rule.py",))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "rule.py").write_text("LEAST = 3\n")
    (folder / "test_rule.py").write_text(TEST)
    return folder


@pytest.mark.long
@pytest.mark.parametrize(
    ("now", "test", "failed"),
    [
        ("LEAST = 2", "test_rule.py", "test_rule.py::test_least"),
        ("LEAST = 1 + 2", "test_rule.py", None),
        ("LEAST =", "test_rule.py", None),
        ("OTHER = 3", "test_rule.py", None),
        ("LEAST = '3'", "test_rule.py::test_least_of_a_fixture", None),
        ("LEAST = 0", "test_rule.py::test_least_of_a_fixture", None),
    ],
    ids=["assertion", "none", "syntax", "import", "another exception", "fixture"],
)
def test_a_rule_is_caught_by_an_assertion_of_a_test_alone(
    tree: Path, now: str, test: str, failed: str | None
) -> None:
    ended = try_rule(tree, replace(RULE, now=now, tests=(test,)))
    assert (ended.failed, is_caught(ended)) == (failed, failed is not None)
    assert (tree / "rule.py").read_text() == "LEAST = 3\n"


@pytest.mark.long
def test_a_list_that_does_not_fit_is_an_error(tree: Path) -> None:
    check_unbroken(tree, RULE)
    for was, times in (("LEAST = 4", 0), ("E", 2)):
        (tree / "rule.py").write_text("LEAST = 3  # E\n")
        with pytest.raises(ListError, match=f"rule.py: the text of the rule 'least' is in it {times} times"):
            break_rule(tree, replace(RULE, was=was))
    (tree / "rule.py").write_text("LEAST = 2\n")
    with pytest.raises(ListError, match="do not pass with no rule broken: 1 failed"):
        check_unbroken(tree, RULE)
