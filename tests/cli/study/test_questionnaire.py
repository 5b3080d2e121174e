"""`observatory questionnaire`: what `make` refuses, and what `load` shows of names of files."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.base.core.errors import ObservatoryError
from jobs.cli.main import app
from tests.cli.conftest import Observatory
from tests.conftest import ROOT
from tests.support.questionnaire import SAVANNA

FOLDER = ROOT / "sample_data" / "study_node"


@pytest.mark.parametrize("period", ["2030", "2030-Q1", "2099-12"])
def test_no_form_is_made_of_a_period_that_has_not_begun(tmp_path: Path, period: str) -> None:
    settings = tmp_path / "observatory.toml"
    settings.write_text(
        f'[lake]\nroot = "{tmp_path}/lake"\n[study]\nrespondents = "{FOLDER}/respondents.csv"\n'
    )
    made = CliRunner().invoke(
        app,
        ["questionnaire", "make", "--config", str(settings), "--period", period, "--respondent", SAVANNA.id,
         "--output", str(tmp_path / "forms")],
    )  # fmt: skip
    assert isinstance(made.exception, ObservatoryError)
    assert f"--period: {period} has not begun" in str(made.exception)
    assert not (tmp_path / "forms").exists()


# What a terminal would obey in the name of a file that somebody sent.
HOSTILE = "north\x1b[2J\x1b]0;title\x07\u202e.zip"
SHOWN = r"north\x1b[2J\x1b]0;title\x07\u202e.zip"


@pytest.mark.parametrize(
    "words", [["study", "load"], ["study", "load", "--check"], ["questionnaire", "load"]]
)
def test_names_of_received_files_are_escaped(
    words: list[str], observatory: Observatory, tmp_path: Path
) -> None:
    settings, file = tmp_path / "observatory.toml", tmp_path / HOSTILE
    settings.write_text('[lake]\nroot = "lake"\n[study]\nrespondents = "respondents.csv"\n')
    head = "respondent_id,name,role,country,holding,operator_ids,language,size_class"
    (tmp_path / "respondents.csv").write_text(f"{head}\nnorth,North,O,FJI,north,north-mail,en,S1\n")
    file.write_bytes(b"no package")
    told = observatory(*words, "--config", settings, file)
    assert told.code == 2
    text = told.out + told.err
    assert SHOWN in "".join(text.split("\n")), text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
