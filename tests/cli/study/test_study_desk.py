"""`observatory study init`."""

from pathlib import Path

from tests.cli.conftest import Observatory


def test_a_study_begins_and_says_what_comes_next(observatory: Observatory, tmp_path: Path) -> None:
    begun = observatory("study", "init", tmp_path, "--countries", "KEN,NPL")
    assert begun.code == 0 and "12 files in" in begun.out
    assert "Next: fill in observatory.toml" in begun.out
    checked = observatory("study", "init", tmp_path, "--check")
    assert checked.code == 0 and checked.out in begun.out
    again = observatory("study", "init", tmp_path, "--countries", "KEN")
    assert again.code == 2 and "nothing was written" in again.err


def test_what_is_to_be_given(observatory: Observatory, tmp_path: Path) -> None:
    assert "--check alone" in observatory("study", "init", tmp_path).err
    none = observatory("study", "init", tmp_path, "--check")
    assert none.code == 2 and "begin a study there with" in none.err
