"""dags/observatory_health.py as Airflow parses it, and the texts that it fails with. No database."""

import json
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization

from jobs.base.orchestration.scheduling import UnlessLasting, send_alert
from jobs.operators.state import health

DAGS = Path(__file__).resolve().parents[2] / "dags"
SETTINGS = """
[lake]
root = "lake"
[[operator]]
id = "north-mail"
"""
WELL: dict[str, Any] = {
    "operator": "north-mail",
    "source": "mx1",
    "last_record": "2026-11-24T23:30:00+00:00",
    "stale_days": 2.0,
    "is_stale": False,
    "missing_days": [],
    "held_rules": [],
    "jumps": [],
    "package_problems": [],
    "next_step": None,
}
RULE = {
    "table": "gold.spam_volume_daily",
    "rule": "spam_within_units",
    "text": "spam is in all",
    "rows": 3,
    "is_of_source": False,
}


@pytest.fixture
def dag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    return parse(monkeypatch, tmp_path, SETTINGS).dags["observatory_health"]


def parse(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> DagBag:
    file = folder / "observatory.toml"
    file.write_text(text)
    monkeypatch.setenv("OBSERVATORY_CONFIG", str(file))
    bag = DagBag(str(DAGS / "observatory_health.py"))
    assert bag.import_errors == {}
    return bag


def failure(dag: Any, check: str, rows: list[dict[str, Any]]) -> str:
    """The text that a task fails with, having seen these rows; empty if it does not."""
    try:
        dag.get_task(check).python_callable(check, rows)
    except AirflowFailException as error:
        return str(error)
    return ""


def test_each_check_follows_the_status(dag: Any) -> None:
    edges = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    assert edges == {"status": set(health.CHECKS)} | {check: set() for check in health.CHECKS}
    assert DagSerialization.from_dict(DagSerialization.to_dict(dag)).task_dict.keys() == edges.keys()
    assert dag.catchup is False and dag.max_active_runs == 1
    assert all(task.on_failure_callback == [send_alert] for task in dag.tasks)


def test_a_study_node_has_no_such_dag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert parse(monkeypatch, tmp_path, '[lake]\nroot = "lake"\n').dags == {}


def test_nothing_fails_where_all_is_well(dag: Any) -> None:
    assert {failure(dag, check, [WELL, WELL]) for check in health.CHECKS} == {""}


def test_stale_sources_are_named_with_what_to_do(dag: Any) -> None:
    stale = WELL | {"is_stale": True, "next_step": "Check that mail.log still grows"}
    never = stale | {"source": "mx2", "last_record": None, "stale_days": 1.0, "next_step": None}
    assert failure(dag, "stale_sources", [WELL, stale, never]).replace(
        "\N{NO-BREAK SPACE}", " "
    ).splitlines() == [
        "Sources that send nothing new: 2",
        "- north-mail/mx1: the last record is of 2026-11-24 23:30 UTC, and 2 days is the most that it may be"
        " old. Check that mail.log still grows.",
        "- north-mail/mx2: there is no record, and 1 day is the most that it may be old.",
    ]


def test_missing_days_are_named(dag: Any) -> None:
    row = WELL | {"missing_days": ["2026-11-20", "2026-11-22"]}
    assert failure(dag, "missing_days", [row, WELL]).splitlines() == [
        "Days without records: 1",
        "- north-mail/mx1: no record of 2026-11-20, 2026-11-22. Bring the logs of these days to the source's"
        " folder, then `observatory run --operator north-mail`.",
    ]


def test_a_held_rule_is_named_once_for_all_sources_of_an_operator(dag: Any) -> None:
    rows = [WELL | {"source": source, "held_rules": [RULE]} for source in ("mx1", "mx2")]
    other = WELL | {"operator": "south-sms", "held_rules": [RULE | {"rows": 1}], "next_step": "Mend it"}
    assert failure(dag, "held_validations", [*rows, other]).splitlines() == [
        "Validations that hold tables back: 2",
        "- north-mail: gold.spam_volume_daily stays as it was: rule spam_within_units is broken on 3 rows."
        " It says: spam is in all.",
        "- south-sms: gold.spam_volume_daily stays as it was: rule spam_within_units is broken on 1 row."
        " It says: spam is in all. Mend it.",
    ]


def test_what_is_wrong_with_packages_is_named_once_for_all_sources_of_an_operator(dag: Any) -> None:
    text = "operator 'north-mail': the package of 2026-11 was due on 2026-12-04, 3 days ago"
    problem = {"operator_id": "north-mail", "text": text, "step": "`observatory submit` sends it"}
    rows = [WELL | {"source": source, "package_problems": [problem]} for source in ("mx1", "mx2")]
    assert failure(dag, "packages", [*rows, WELL]).splitlines() == [
        "Packages that the study lacks: 1",
        f"- {text}. `observatory submit` sends it.",
    ]


def command_that(
    folder: Path, monkeypatch: pytest.MonkeyPatch, code: int, out: str = "", err: str = ""
) -> None:
    """Let the pipeline's Python be a command that prints this and ends so."""
    made = folder / "python"
    prints = f"printf %s {shlex.quote(out)}\nprintf %s {shlex.quote(err)} >&2"
    made.write_text(f"#!/bin/sh\n{prints}\nexit {code}\n")
    made.chmod(0o755)
    monkeypatch.setenv("OBSERVATORY_PYTHON", str(made))


@pytest.mark.parametrize("code", [0, 3])
def test_a_stale_source_is_a_result_of_the_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dag: Any, code: int
) -> None:
    command_that(tmp_path, monkeypatch, code, json.dumps([WELL]))
    assert dag.get_task("status").python_callable() == [WELL]


@pytest.mark.parametrize(("code", "action"), [(2, RetryAction.FAIL), (4, RetryAction.DEFAULT)])
def test_what_the_status_says_is_the_text_of_its_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dag: Any, code: int, action: RetryAction
) -> None:
    command_that(tmp_path, monkeypatch, code, err="Error: unknown setting\n")
    with pytest.raises(Exception, match="Error: unknown setting") as failed:
        dag.get_task("status").python_callable()
    assert f"`observatory status` ended with exit code {code}" in str(failed.value)
    assert UnlessLasting().evaluate(failed.value, 1, 2).action is action


def test_the_callback_gives_the_text_to_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = tmp_path / "told"
    monkeypatch.setenv("OBSERVATORY_ALERT", f"cat > '{told}'")
    task = SimpleNamespace(dag_id="observatory_health", task_id="stale_sources")
    send_alert({"task_instance": task, "exception": AirflowFailException("Sources that send nothing new: 1")})
    assert told.read_text() == (
        "Spam Observatory, observatory_health.stale_sources\n\nSources that send nothing new: 1\n"
    )
