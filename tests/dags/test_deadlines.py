"""A run that is late is told to the command of OBSERVATORY_ALERT, whatever it waits for."""

import datetime as dt
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.definitions.deadline import DeadlineReference
from airflow.serialization.serialized_objects import DagSerialization

from jobs.base.orchestration.deadlines import HOURS, send_late
from tests.support.airflow import new_airflow
from tests.support.commands import BIN, ROOT, run

CONFIG = ROOT / "sample_data" / "observatory.toml"
DAG = "operator_daily__lab-sms"
RUN = {"dag_id": DAG, "dag_run_id": "scheduled__2026-11-24", "run_type": "scheduled", "state": "running"}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "observatory.toml"
    file.write_text('[study]\ninbox = "inbox"\nfiles = "frame"\n[[operator]]\nid = "lab-sms"\n')
    monkeypatch.setenv("OBSERVATORY_CONFIG", str(file))


def parse(monkeypatch: pytest.MonkeyPatch, name: str, hours: str | None) -> DagBag:
    if hours is None:
        monkeypatch.delenv(HOURS, raising=False)
    else:
        monkeypatch.setenv(HOURS, hours)
    return DagBag(str(ROOT / "dags" / f"{name}.py"))


@pytest.mark.parametrize(("name", "dag"), [("operator_daily", DAG), ("study_monthly", "study_monthly")])
@pytest.mark.parametrize(("given", "hours"), [(None, None), ("0.5", 0.5), ("0", None)])
@pytest.mark.usefixtures("config")
def test_runs_have_a_deadline(
    monkeypatch: pytest.MonkeyPatch, name: str, dag: str, given: str | None, hours: float | None
) -> None:
    bag = parse(monkeypatch, name, given)
    assert bag.import_errors == {}
    deadline: Any = bag.dags[dag].deadline
    if hours is None:
        assert not deadline
        return
    (alert,) = deadline if isinstance(deadline, list) else [deadline]
    assert alert.reference == DeadlineReference.DAGRUN_QUEUED_AT
    assert alert.interval == dt.timedelta(hours=hours)
    assert alert.callback.path == "jobs.base.orchestration.deadlines.send_late"
    assert alert.callback.kwargs == {"hours": hours}
    DagSerialization.to_dict(bag.dags[dag])


@pytest.mark.parametrize("given", ["soon", "-1", "nan", "99999"])
@pytest.mark.usefixtures("config")
def test_hours_that_are_none_are_named(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    (error,) = parse(monkeypatch, "operator_daily", given).import_errors.values()
    assert f"{HOURS}: '{given}' is no number of hours" in error


def test_the_command_gets_what_is_late_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    monkeypatch.setenv("OBSERVATORY_ALERT", f"cat >> '{told}'")
    send_late({"dag_run": RUN | {"run_type": "backfill"}}, 8.0)
    assert not told.exists()
    send_late({"dag_run": RUN}, 8.0)
    assert told.read_text() == (
        f"Spam Observatory, {DAG}\n\nThe run scheduled__2026-11-24 has not succeeded 8 hours after it was"
        " queued: it is running. Look at its tasks in Airflow: one that waits for the pool `lake` is kept by"
        " another, and one that runs says in its log what it is at.\n"
    )


@pytest.mark.airflow
@pytest.mark.timeout(600)
def test_airflows_scheduler_tells_of_a_run_that_waits(tmp_path: Path) -> None:
    """The pool `lake` is not there, so that no task starts and none fails."""
    told = tmp_path / "told"
    airflow = new_airflow(
        tmp_path,
        OBSERVATORY_CONFIG=str(CONFIG),
        OBSERVATORY_LAKE_ROOT=str(tmp_path / "lake"),
        OBSERVATORY_DEADLINE_HOURS="0.0002",
        OBSERVATORY_ALERT=f"cat >> '{told}'",
    )
    run("airflow", "dags", "reserialize", **airflow)
    run("airflow", "dags", "unpause", DAG, **airflow)
    run("airflow", "dags", "trigger", "--run-id", "mine", DAG, **airflow)
    with (tmp_path / "scheduler.log").open("wb") as log:
        scheduler = subprocess.Popen(
            [str(BIN / "airflow"), "scheduler"],
            env=os.environ | airflow,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 240
        while not (told.exists() and "The run mine " in told.read_text()) and time.monotonic() < end:
            assert scheduler.poll() is None, (tmp_path / "scheduler.log").read_text()
            time.sleep(0.2)
        assert f"Spam Observatory, {DAG}\n\nThe run mine has not succeeded" in told.read_text()
    finally:
        os.killpg(scheduler.pid, signal.SIGTERM)
        scheduler.wait(60)
