"""dags/study_monthly.py as Airflow parses it: edges, arguments, outlets. No database."""

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from jobs.base.settings import config
from jobs.base.tables import contracts
from jobs.cli.main import app

DAGS = Path(__file__).resolve().parents[2] / "dags"
LAKE = """
[lake]
root = "somewhere/lake"
"""
STUDY = """
[study]
respondents = "respondents.csv"
inbox = "inbox"
files = "frame"
"""


def parse(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> DagBag:
    file = folder / "observatory.toml"
    file.write_text(text)
    config.load_settings(file)
    monkeypatch.setenv("OBSERVATORY_CONFIG", str(file))
    monkeypatch.delenv("OBSERVATORY_LAKE_ROOT", raising=False)
    bag = DagBag(str(DAGS / "study_monthly.py"))
    assert bag.import_errors == {}
    return bag


@pytest.fixture
def dag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    return parse(monkeypatch, tmp_path, LAKE + STUDY).dags["study_monthly"]


def test_a_node_without_a_study_has_no_such_dag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert parse(monkeypatch, tmp_path, LAKE).dags == {}
    assert parse(monkeypatch, tmp_path, LAKE + STUDY.replace('inbox = "inbox"', "")).dags == {}


def test_tasks_stand_in_a_row(dag: Any) -> None:
    edges = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    assert edges == {"load": {"estimate"}, "estimate": set()}
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert stored.task_dict.keys() == {"load", "estimate"}


@pytest.mark.parametrize("step", ["load", "estimate"])
def test_a_step_is_a_command_that_the_command_line_accepts(dag: Any, tmp_path: Path, step: str) -> None:
    task = dag.get_task(step).prepare_for_execution()
    task.render_template_fields({})
    python, option, module, group, name, *words = shlex.split(task.bash_command)
    assert (python, option, module, group, name) == (sys.executable, "-m", "jobs", "study", step)
    commands = typer.main.get_command(app).commands["study"].commands  # type: ignore[attr-defined]
    accepted = commands[name].make_context(name, words).params
    assert accepted["config_file"] == tmp_path / "observatory.toml"
    assert not accepted["files"]


def test_outlets_are_the_unprotected_tables_of_the_study(dag: Any, tmp_path: Path) -> None:
    """Every table of the study but answers, forms and decisions on findings, which come by other doors."""
    named = {asset.name: asset.uri for step in ("load", "estimate") for asset in dag.get_task(step).outlets}
    of_study = {table for table in contracts.list_tables() if table.startswith("study.")}
    others = {"study.questionnaire_answer", "study.returned_form", "study.finding_decision"}
    assert set(named) == of_study - others
    folder = tmp_path / "somewhere" / "lake" / "study"
    assert all(uri == (folder / name.split(".")[1]).as_uri() for name, uri in named.items())


def test_it_runs_monthly_as_the_only_writer(dag: Any) -> None:
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    for task in dag.tasks:
        assert task.pool == "lake"
        assert task.retries > 0
        assert task.retry_exponential_backoff > 1


def test_what_is_estimated_is_what_the_run_writes(dag: Any) -> None:
    from jobs.study.estimates.steps.study_stage import TABLES

    assert {asset.name for asset in dag.get_task("estimate").outlets} == set(TABLES)
