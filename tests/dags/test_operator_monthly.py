"""dags/operator_monthly.py as Airflow parses it: edges, arguments, and what its sensor makes of an answer. No
database."""

import datetime as dt
import json
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization

from jobs.base.orchestration import connecting, scheduling
from jobs.base.orchestration.connecting import connection_variables
from jobs.base.orchestration.exit_codes import CommandFailed
from jobs.base.orchestration.scheduling import UnlessLasting
from jobs.base.settings import config
from jobs.cli.main import app
from tests.support.submission_lake import NORTH

DAGS = Path(__file__).resolve().parents[2] / "dags"
DAG = "operator_monthly__north-mail"
SETTINGS = f"""
[lake]
root = "somewhere/lake"
{NORTH}
[[operator.source]]
id = "mx1"
url = "sftp:///var/log/mail.log*"
access = {{ connection = "mail_host" }}
"""
INBOX = """
[submission]
inbox = "sftp:///inbox"
access = { connection = "study_sftp" }
answer_days = 5
"""
SECRET = "a-secret-of-tests"


def parse(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str, name: str = "operator_monthly") -> DagBag:
    file = folder / "observatory.toml"
    file.write_text(text)
    config.load_settings(file)
    monkeypatch.setenv("OBSERVATORY_CONFIG", str(file))
    monkeypatch.delenv("OBSERVATORY_LAKE_ROOT", raising=False)
    bag = DagBag(str(DAGS / f"{name}.py"))
    assert bag.import_errors == {}
    return bag


@pytest.fixture
def dag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    return parse(monkeypatch, tmp_path, SETTINGS + INBOX).dags[DAG]


def context_of(period: str | None = None, start: dt.datetime | None = None) -> dict[str, Any]:
    run = SimpleNamespace(data_interval_start=start, run_after=dt.datetime(2026, 12, 9, tzinfo=dt.UTC))
    return {"params": {"period": period}, "dag_run": run}


def rendered(dag: Any, context: dict[str, Any]) -> list[str]:
    task = dag.get_task("submit").prepare_for_execution()
    task.render_template_fields(context)
    python, option, module, *words = shlex.split(task.bash_command)
    assert (python, option, module) == (sys.executable, "-m", "jobs")
    return words


def test_an_operator_without_an_inbox_has_no_such_dag(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert parse(monkeypatch, tmp_path, SETTINGS).dags == {}


def test_tasks_stand_in_a_row_and_wait_for_so_long(dag: Any) -> None:
    edges = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    assert edges == {"audit_reminder": {"submit"}, "submit": {"receipt"}, "receipt": set()}
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert stored.task_dict.keys() == edges.keys()
    receipt = dag.get_task("receipt")
    assert (receipt.mode, receipt.timeout, receipt.soft_fail) == ("reschedule", 5 * 86_400, False)
    assert dag.get_task("submit").pool == "lake"
    assert all(isinstance(task.retry_policy, UnlessLasting) for task in dag.tasks)


@pytest.mark.parametrize(
    ("given", "start", "period"),
    [
        (None, dt.datetime(2026, 11, 3, 6, tzinfo=dt.UTC), "2026-11"),
        ("2026-Q4", dt.datetime(2026, 11, 3, 6, tzinfo=dt.UTC), "2026-Q4"),
        # Where a run has no interval.
        (None, None, "2026-11"),
    ],
)
def test_submit_is_a_command_that_the_command_line_accepts(
    dag: Any, tmp_path: Path, given: str | None, start: dt.datetime | None, period: str
) -> None:
    name, *words = rendered(dag, context_of(given, start))
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    accepted = command.make_context(name, words).params
    folder = tmp_path / "somewhere" / "submission"
    expected = {"period": period, "operator": "north-mail", "output": folder, "no_send": False}
    assert accepted | expected == accepted


def read_answer(monkeypatch: pytest.MonkeyPatch, dag: Any, answer: Any) -> bool:
    """Return the sensor's result where `observatory receipts` gives this answer."""
    task = dag.get_task("receipt")
    asked = []

    def command_output(words: list[str], **options: Any) -> Any:
        asked.append((words, options))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setitem(task.python_callable.__globals__, "command_output", command_output)
    found: bool = task.python_callable("north-mail", ["study_sftp"], **context_of("2026-11"))
    ((words, options),) = asked
    command = typer.main.get_command(app).commands["receipts"]  # type: ignore[attr-defined]
    accepted = command.make_context("receipts", words[1:]).params
    assert (accepted["period"], accepted["operator"], accepted["json"]) == ("2026-11", "north-mail", True)
    assert options == {"may_end_with": {1}, "connections": ["study_sftp"]}
    return found


def test_the_sensor_waits_ends_and_fails_as_the_study_answers(
    monkeypatch: pytest.MonkeyPatch, dag: Any
) -> None:
    row = {"file_name": "north-mail_2026-11.zip", "delivery_code": "received", "answer_reasons": []}
    assert read_answer(monkeypatch, dag, [row]) is True
    # Exit code 5: no answer yet, the study's host is away, or a run writes to the lake.
    assert read_answer(monkeypatch, dag, CommandFailed(5, "observatory receipts", "later")) is False
    with pytest.raises(CommandFailed, match="does not count"):
        read_answer(monkeypatch, dag, CommandFailed(2, "observatory receipts", "it does not count"))
    refused = row | {"delivery_code": "refused", "answer_reasons": ["it is not signed", "its days differ"]}
    with pytest.raises(AirflowFailException) as told:
        read_answer(monkeypatch, dag, [refused])
    assert str(told.value).splitlines()[:2] == [
        "the study refused north-mail_2026-11.zip: it is not signed",
        "the study refused north-mail_2026-11.zip: its days differ",
    ]


def test_who_is_to_audit_is_reminded(monkeypatch: pytest.MonkeyPatch, dag: Any) -> None:
    task = dag.get_task("audit_reminder")
    passed: list[str] = []
    rows = [
        {"period_code": "2026-11", "channel_code": "EMAIL", "step": "`observatory audit sample` draws"},
        {"period_code": "2026-11", "channel_code": "SMS", "step": None},
    ]
    monkeypatch.setitem(task.python_callable.__globals__, "pass_on", passed.append)
    for found in (rows, rows[1:]):
        monkeypatch.setitem(
            task.python_callable.__globals__, "command_output", lambda words, found=found: found
        )
        task.python_callable("north-mail", **context_of("2026-11"))
    (text,) = passed
    assert text.splitlines() == [
        "Spam Observatory, audits of operator 'north-mail' are due",
        "",
        "2026-11 EMAIL: `observatory audit sample` draws",
    ]


def test_connections_are_in_a_commands_environment_alone(
    monkeypatch: pytest.MonkeyPatch, dag: Any, tmp_path: Path
) -> None:
    """Airflow stores and shows a task's fields, and logs a command line."""
    made = Connection(conn_id="study_sftp", conn_type="sftp", host="tsb.example.org", password=SECRET)
    monkeypatch.setattr(connecting.Connection, "get", lambda name: made)
    bag = parse(monkeypatch, tmp_path, SETTINGS + INBOX, "operator_daily")
    daily = bag.dags["operator_daily__north-mail"].tasks
    named = {task.task_id: getattr(task, "connections", None) for task in daily}
    assert named["pull"] == ["mail_host"] and not named["validate"] and not named["vacuum"]
    task = dag.get_task("submit").prepare_for_execution()
    task.render_template_fields(context_of("2026-11"))
    env = task.get_env({})
    assert json.loads(env["AIRFLOW_CONN_STUDY_SFTP"]) == {
        "conn_type": "sftp", "host": "tsb.example.org", "password": SECRET,
    }  # fmt: skip
    fields = {name: getattr(task, name) for name in (*task.template_fields, "connections")}
    assert SECRET not in repr(fields) and SECRET not in json.dumps(DagSerialization.to_dict(dag))
    monkeypatch.setenv("PYTHONPATH", "")
    assert connection_variables([]) == {}


ON_S3 = """
[lake]
root = "s3://spam/lake"
access = { connection = "lake_store" }
"""
STUDY = """
[study]
inbox = "inbox"
files = "frame"
[release]
agency = "SPAMSTAT"
public_root = "public"
signers = "signers"
"""


@pytest.mark.parametrize(
    "name", ["operator_daily", "operator_monthly", "observatory_health", "study_monthly", "study_release"]
)
def test_each_command_has_the_connection_of_the_lake(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    text = SETTINGS.replace('[lake]\nroot = "somewhere/lake"\n', ON_S3) + INBOX + STUDY
    bag = parse(monkeypatch, tmp_path, text, name)
    tasks = [task for dag in bag.dags.values() for task in dag.tasks]
    assert tasks
    commands = [task for task in tasks if isinstance(task, connecting.PipelineCommand)]
    assert all("lake_store" in task.connections for task in commands)
    # What runs a command within a task of Python.
    made = Connection(conn_id="lake_store", conn_type="aws", login="id", password=SECRET)
    monkeypatch.setattr(connecting.Connection, "get", lambda name: made)
    given: dict[str, str] = {}

    def run(words: list[str], env: dict[str, str], **_: Any) -> SimpleNamespace:
        given.update(env)
        return SimpleNamespace(returncode=0, stdout="[]", stderr="")

    monkeypatch.setattr(scheduling.subprocess, "run", run)
    assert scheduling.command_output(["status", "--json"]) == []
    assert json.loads(given["AIRFLOW_CONN_LAKE_STORE"])["password"] == SECRET
