"""dags/study_release.py as Airflow parses it: edges, arguments, parameters. No database."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from jobs.cli.main import app
from jobs.settings import config

DAGS = Path(__file__).resolve().parents[2] / "dags"
LAKE = '[lake]\nroot = "lake"\n'
RELEASE = '[release]\nagency = "SPAMSTAT"\npublic_root = "public"\nsigners = "signers"\n'
STEPS = ["make", "clear", "approve", "publish"]
NAME = "2026-Q4/v1.0.0"
GIVEN = {"period": "2026-Q4", "deadline": "2027-03-01", "by": "A. Officer; rm -r {{ ds }}"}


def parse(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> DagBag:
    file = folder / "observatory.toml"
    file.write_text(text)
    config.load(file)
    monkeypatch.setenv("OBSERVATORY_CONFIG", str(file))
    bag = DagBag(str(DAGS / "study_release.py"))
    assert bag.import_errors == {}
    return bag


@pytest.fixture
def dag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    return parse(monkeypatch, tmp_path, LAKE + RELEASE).dags["study_release"]


@pytest.fixture
def asked(dag: Any, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands whose output the DAG asks for; the answer is a release."""
    found: list[list[str]] = []

    def output(words: list[str]) -> dict[str, str]:
        found.append(list(words))
        return {"name": NAME, "digest": "00", "text": "# Figures"}

    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(DAGS / "study_release.py"):
            monkeypatch.setattr(module, "output", output)
    return found


@pytest.mark.parametrize("lacking", ["public_root", "signers"])
def test_a_node_that_publishes_nothing_has_no_such_dag(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacking: str
) -> None:
    assert parse(monkeypatch, tmp_path, LAKE).dags == {}
    text = "".join(line for line in RELEASE.splitlines(keepends=True) if not line.startswith(lacking))
    assert parse(monkeypatch, tmp_path, LAKE + text).dags == {}


def test_tasks_stand_in_a_row(dag: Any) -> None:
    edges = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    assert edges == {"make": {"clear"}, "clear": {"approve"}, "approve": {"publish"}, "publish": set()}
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert list(stored.task_dict) == STEPS


def test_it_runs_by_trigger_alone_and_once_at_a_time(dag: Any) -> None:
    assert dag.timetable.can_be_scheduled is False
    assert dag.max_active_runs == 1 and dag.catchup is False
    assert dag.get_task("make").pool == "lake"


def test_a_rejection_fails_the_run_and_silence_approves_nothing(dag: Any) -> None:
    task = dag.get_task("approve")
    assert task.fail_on_reject is True
    assert task.defaults is None, "a default would be taken when the time is over"
    assert task.response_timeout.days == 90 and task.retries == 0
    assert dag.get_task("publish").trigger_rule == "all_success"


@pytest.mark.parametrize(
    ("step", "names"), [("make", ["make"]), ("clear", ["clear", "make"]), ("publish", ["publish"])]
)
def test_a_step_is_a_command_that_the_command_line_accepts(
    dag: Any, asked: list[list[str]], tmp_path: Path, step: str, names: list[str]
) -> None:
    task = dag.get_task(step).prepare_for_execution()
    task.render_template_fields({"params": GIVEN})
    python, option, module, group, *words = shlex.split(task.bash_command)
    assert (python, option, module, group) == (sys.executable, "-m", "jobs", "release")
    accepted = accept([group, *words])
    assert words[: len(names)] == names
    assert accepted["config_file"] == tmp_path / "observatory.toml"
    wanted = {"make": {"period": GIVEN["period"]}, "clear": {"name": NAME, "deadline": GIVEN["deadline"]},
              "publish": {"name": NAME, "by": GIVEN["by"]}}[step]  # fmt: skip
    assert {name: accepted[name] for name in wanted} == wanted
    for question in asked:
        assert accept(question)["as_json"] is True


def accept(words: list[str]) -> dict[str, Any]:
    """The parameters of a command, as the command line takes them."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    return dict(command.make_context("observatory", words).params)


def test_a_human_decides_on_the_releases_own_text(dag: Any, asked: list[list[str]]) -> None:
    task = dag.get_task("approve").prepare_for_execution()
    task.render_template_fields({"params": GIVEN})
    assert task.body == "# Figures"
    assert asked[0][:3] == ["release", "show", "2026-Q4"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("period", "2026"), ("period", "2026-Q5"), ("period", "2026-Q4; ls"), ("period", None),
        ("deadline", "soon"), ("by", ""),
    ],
)  # fmt: skip
def test_a_trigger_with_a_wrong_parameter_is_refused(dag: Any, name: str, value: str | None) -> None:
    for given, text in GIVEN.items():
        dag.params[given] = text
    dag.params.validate()
    with pytest.raises(ParamValidationError):
        dag.params[name] = value
        dag.params.validate()
