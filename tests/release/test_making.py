"""What the officer reads where areas alone reveal a contribution: the file that names the figures, and her
choices."""

from pathlib import Path

import polars as pl
import pytest

from jobs.public.cells import Basis
from jobs.public.gate import Unprotectable
from jobs.release.making import keep_refusal
from jobs.release.recipe import Recipe
from tests.support.release import ABOUT


@pytest.mark.parametrize("is_left_out", [False, True])
def test_each_choice_is_named_with_its_command(is_left_out: bool, tmp_path: Path) -> None:
    recipe = Recipe(ABOUT, Basis(ABOUT.name, {}), (), (), is_left_out)
    found = pl.DataFrame({"attacker": ["outsider"]})
    told = keep_refusal(tmp_path, recipe, Unprotectable(held_rows=found, findings=found))
    name = f"{ABOUT.period}-{ABOUT.version}-attack.csv"
    assert (tmp_path / "refused" / name).is_file() and str(tmp_path / "refused" / name) in told
    _, *choices = told.split("\n- ")
    assert "load more answers and packages, and run `observatory study estimate`" in choices[0]
    smaller = choices[-1]
    assert "a smaller p" in smaller and "keep it for later releases" in smaller and "docs/tsb.md" in smaller
    again = f"`observatory release make --period {ABOUT.period} --leave-out-areas`"
    assert (again in told) != is_left_out
    assert len(choices) == (2 if is_left_out else 3)
