"""`observatory show --release`: a release's rows, verified first, with names on a terminal."""

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.base.core.errors import ObservatoryError
from jobs.cli.main import app
from tests.support.release import write


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of one table."""
    return write(tmp_path_factory.mktemp("show") / "releases")


def shown(release: Path, *words: str) -> str:
    command = ["show", "--release", str(release), *words]
    done = CliRunner().invoke(app, command, env={"COLUMNS": "80"}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_table_has_names_in_80_columns(release: Path) -> None:
    said = shown(release, "spam_volume")
    assert max(map(len, said.splitlines())) <= 80
    for text in ("World", "Nepal", "Africa (ITU region)", "17,200,000,000", "channel_code E-mail"):
        assert text in said
    assert "524" not in said and "EMAIL" not in said
    assert said == shown(release, "public.spam_volume").replace("public.spam_volume", "spam_volume")


def test_conditions_are_on_codes_and_files_have_them(release: Path) -> None:
    said = shown(release, "spam_volume", "--where", "area_code = '524'", "--format", "csv",
                 "--columns", "area_code,area_name,channel_code,estimate")  # fmt: skip
    assert said.splitlines() == ["area_code,area_name,channel_code,estimate", "524,Nepal,EMAIL,2340000.0"]


def test_without_a_table_it_lists_those_that_the_release_has(release: Path) -> None:
    said = shown(release)
    assert "spam_volume" in said and " 4 " in said and "spam_type" not in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["spam_volumes"], "has no table 'spam_volumes'; did you mean 'spam_volume'?"),
        # A table that releases had not, or no longer have.
        (["policy"], "has no table 'policy'; known are: spam_volume"),
        (["spam_volume", "--columns", "estimat"], "no column 'estimat'; did you mean 'estimate'?"),
        (["spam_volume", "--where", "estimat > 3"], "--where: spam_volume has no column 'estimat'"),
        (["--sql", "SELECT 1"], "--sql goes without a table, --columns, --where and --release"),
    ],
)
def test_what_a_release_does_not_have_is_refused(release: Path, words: list[str], told: str) -> None:
    with pytest.raises(ObservatoryError, match=re.escape(told)):
        shown(release, *words)


def test_a_release_that_does_not_verify_is_not_shown(release: Path, tmp_path: Path) -> None:
    other = tmp_path / "2026-Q4" / "v1.0.0"
    shutil.copytree(release, other)
    file = other / "data" / "spam_volume.csv"
    file.chmod(0o644)
    file.write_text(file.read_text(encoding="utf-8").replace("17200000000", "27200000000"), encoding="utf-8")
    with pytest.raises(ObservatoryError, match="data/spam_volume.csv was changed"):
        shown(other, "spam_volume")
    for none in (tmp_path, file):
        with pytest.raises(ObservatoryError, match="is no release"):
            shown(none, "spam_volume")
