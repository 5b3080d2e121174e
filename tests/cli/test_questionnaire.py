"""`observatory questionnaire make`: what it refuses."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli.main import app
from jobs.core.errors import ObservatoryError
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
