"""dags/study_release.py as Airflow parses it: edges, arguments, parameters. No database."""

import json
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from jobs.base.settings import config
from jobs.cli.main import app

DAGS = Path(__file__).resolve().parents[2] / "dags"
LAKE = '[lake]\nroot = "lake"\n'
RELEASE = '[release]\nagency = "SPAMSTAT"\npublic_root = "public"\nsigners = "signers"\n'
STEPS = ["make", "clear", "approve", "publish"]
NAME = "2026-Q4/v1.0.0"
MADE = {"name": NAME, "digest": "00"}
GIVEN: dict[str, Any] = {
    "period": "2026-Q4",
    "deadline": "2027-03-01",
    "by": "A. Officer; rm -r {{ ds }}",
    "leave_out_areas": False,
}


def parse(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> DagBag:
    file = folder / "observatory.toml"
    file.write_text(text)
    config.load_settings(file)
    monkeypatch.setenv("OBSERVATORY_CONFIG", str(file))
    bag = DagBag(str(DAGS / "study_release.py"))
    assert bag.import_errors == {}
    return bag


@pytest.fixture
def dag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    return parse(monkeypatch, tmp_path, LAKE + RELEASE).dags["study_release"]


class Exchange:
    """The XComs of a run, as a task pulls and pushes them."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], Any] = {}

    def of(self, task: str) -> Any:
        def pull(task_ids: str, key: str = "return_value") -> Any:
            return self.values[task_ids, key]

        def push(key: str, value: Any) -> None:
            self.values[task, key] = value

        return SimpleNamespace(xcom_pull=pull, xcom_push=push)


@pytest.fixture
def exchange() -> Exchange:
    """Values that tasks exchange after `make`, which printed what it made."""
    found = Exchange()
    found.values["make", "return_value"] = MADE
    return found


@pytest.fixture
def shown(dag: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the output of `release show`; the DAG asks for nothing else, and the command line takes it."""
    found = {**MADE, "text": "# Figures"}

    def output(words: list[str]) -> dict[str, str]:
        accepted = accept(words)
        assert words[:2] == ["release", "show"] and accepted["name"] == NAME and accepted["as_json"] is True
        return found

    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(DAGS / "study_release.py"):
            monkeypatch.setattr(module, "command_output", output)
    # What Airflow's own operator does: ask, and wait.
    monkeypatch.setattr(ApprovalOperator, "execute", lambda self, context: self.body)
    return found


def words_of(dag: Any, step: str, exchange: Exchange, **given: Any) -> list[str]:
    """The command of a step, without Python and its options."""
    task = dag.get_task(step).prepare_for_execution()
    task.render_template_fields({"params": {**GIVEN, **given}, "ti": exchange.of(step)})
    python, option, module, *words = shlex.split(task.bash_command)
    assert (python, option, module) == (sys.executable, "-m", "jobs")
    return words


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
    ("step", "names", "wanted"),
    [
        ("make", ["make"], {"period": GIVEN["period"], "as_json": True}),
        ("clear", ["clear", "make"], {"name": NAME, "deadline": GIVEN["deadline"]}),
        ("publish", ["publish"], {"name": NAME, "digest": MADE["digest"], "by": GIVEN["by"]}),
    ],
)
def test_a_step_is_a_command_that_the_command_line_accepts(
    dag: Any, exchange: Exchange, tmp_path: Path, step: str, names: list[str], wanted: dict[str, Any]
) -> None:
    exchange.values["approve", "approved"] = MADE
    group, *words = words_of(dag, step, exchange)
    accepted = accept([group, *words])
    assert group == "release" and words[: len(names)] == names
    assert accepted["config_file"] == tmp_path / "observatory.toml"
    assert {name: accepted[name] for name in wanted} == wanted


def test_groups_and_regions_are_left_out_on_request_alone(dag: Any, exchange: Exchange) -> None:
    assert dag.params["leave_out_areas"] is False
    for leaves_out in (False, True):
        words = words_of(dag, "make", exchange, leave_out_areas=leaves_out)
        assert accept(words)["leave_out_areas"] is leaves_out


def test_what_make_prints_last_is_handed_on(dag: Any) -> None:
    task = dag.get_task("make")
    assert task.do_xcom_push is True and task.output_processor(json.dumps(MADE)) == MADE
    assert dag.get_task("publish").do_xcom_push is False


def accept(words: list[str]) -> dict[str, Any]:
    """The parameters of a command, as the command line takes them."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    return dict(command.make_context("observatory", words).params)


def test_a_human_decides_on_the_releases_own_text(
    dag: Any, exchange: Exchange, shown: dict[str, str]
) -> None:
    task = dag.get_task("approve").prepare_for_execution()
    assert task.execute({"ti": exchange.of("approve")}) == "# Figures"


def test_what_was_approved_is_published_though_another_was_made_meanwhile(
    dag: Any, exchange: Exchange, shown: dict[str, str]
) -> None:
    dag.get_task("approve").prepare_for_execution().execute({"ti": exchange.of("approve")})
    exchange.values["make", "return_value"] = {"name": "2026-Q4/v1.1.0", "digest": "11"}
    words = words_of(dag, "publish", exchange)
    assert words[2:5] == [NAME, "--digest", MADE["digest"]]


def test_a_human_is_not_asked_about_another_release_than_the_one_made(
    dag: Any, exchange: Exchange, shown: dict[str, str]
) -> None:
    shown["digest"] = "11"
    with pytest.raises(AirflowFailException, match="2026-Q4/v1.0.0 is not the release that this run made"):
        dag.get_task("approve").prepare_for_execution().execute({"ti": exchange.of("approve")})
    assert ("approve", "approved") not in exchange.values


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("period", "2026"), ("period", "2026-Q5"), ("period", "2026-Q4; ls"), ("period", None),
        ("deadline", "soon"), ("by", ""), ("leave_out_areas", "yes"),
    ],
)  # fmt: skip
def test_a_trigger_with_a_wrong_parameter_is_refused(dag: Any, name: str, value: str | None) -> None:
    for given, text in GIVEN.items():
        dag.params[given] = text
    dag.params.validate()
    with pytest.raises(ParamValidationError):
        dag.params[name] = value
        dag.params.validate()
