"""The DAG of a release with the real Airflow: a run waits for a human, whose answer comes by Airflow's own
REST API or never. Only one that is approved, signed and cleared publishes."""

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pytest

from jobs.study.release import clearance
from tests.support.airflow import new_airflow
from tests.support.commands import BIN, ROOT, run
from tests.support.release import signing_keys
from tests.support.release_study import ASKED, P_PCT, TODAY, Node, copied, filled_unasked, write_node

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1800)]

NAME = "2026-Q4/v1.0.0"
# Seconds that `make` and `clear` may take.
LONGEST = 300
# What a browser does in "Required Actions".
ANSWER = """
import sys
from fastapi.testclient import TestClient
from airflow.api_fastapi.app import create_app

run_id, chosen = sys.argv[1:]
with TestClient(create_app(apps="core")) as client:
    token = client.get("/auth/token").json()["access_token"]
    task = f"/api/v2/dags/study_release/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    done = client.patch(
        task, json={"chosen_options": [chosen]}, headers={"Authorization": f"Bearer {token}"}
    )
    print(done.status_code, done.text)
    done.raise_for_status()
"""
# What the scheduler does again and again, with the time to answer over.
SWEEP = """
import datetime as dt
from sqlalchemy import update
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session

past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
with create_session() as session:
    session.execute(
        update(TaskInstance).where(TaskInstance.state == "awaiting_input").values(trigger_timeout=past)
    )
with create_session() as session:
    SchedulerJobRunner(Job()).check_awaiting_input_timeouts(session=session)
"""


@pytest.fixture(scope="module")
def estimated(tmp_path_factory: pytest.TempPathFactory) -> Node:
    node = write_node(tmp_path_factory.mktemp("study"))
    words = ("study", "estimate", "--with-answers", "--config", str(node.settings))
    run("observatory", *words, OBSERVATORY_READ_AT=TODAY)
    return node


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The keys of an officer and of a stranger, on the officer's own machine."""
    with signing_keys(tmp_path_factory.mktemp("keys")) as found:
        yield found


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an Airflow of its own, with its database made."""
    return new_airflow(
        tmp_path_factory.mktemp("airflow"),
        PYTHONPATH=str(ROOT),
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS="True",
        AIRFLOW__API_AUTH__JWT_SECRET="for this test alone, and long enough to sign",
        OBSERVATORY_READ_AT=TODAY,
        OBSERVATORY_P_PCT=P_PCT,
    )


@dataclass
class Waiting:
    """A run that waits for a human, on a node of its own."""

    node: Node
    environment: dict[str, str]
    process: subprocess.Popen[str]
    said: Path
    home: Path
    run_id: str

    def sign(self, keys: SimpleNamespace, key: str) -> None:
        words = ("release", "sign", str(self.node.releases / NAME), "--key", key)
        run("observatory", *words, GNUPGHOME=str(keys.home))

    def load_answers(self, **objections: str) -> None:
        """The administrations' answers: objections with their reasons, and agreed from all others; and
        decisions on countries that have none."""
        returned = self.node.folder / "returned"
        returned.mkdir()
        for country in ASKED:
            name, reason = f"{country.lower()}.xlsx", objections.get(country, "")
            book = openpyxl.load_workbook(self.node.restricted / NAME / clearance.SHEETS / name)
            filled = ("objected" if reason else "agreed", reason, "Ms. A", "30 Jan 2027")
            for row, value in enumerate(filled, clearance.FIRST + 1):
                book[clearance.ANSWER].cell(row, 2).value = value
            book.save(returned / name)
        unasked = ("unasked", NAME, str(filled_unasked(self.node, NAME)))
        for words in (("load", NAME, *map(str, sorted(returned.iterdir()))), unasked):
            config = ("--config", str(self.node.settings))
            run("observatory", "release", "clear", *words, *config, OBSERVATORY_READ_AT=TODAY)

    def answer(self, chosen: str) -> None:
        run("python", "-c", ANSWER, self.run_id, chosen, **self.environment)

    def states(self) -> dict[str, str]:
        """The state of the run and of each task, once the run is over."""
        assert self.process.wait(LONGEST) is not None
        with closing(sqlite3.connect(self.home / "airflow.db")) as database:
            tasks = database.execute(
                "select task_id, state from task_instance where run_id = ?", [self.run_id]
            ).fetchall()
            (of_run,) = database.execute("select state from dag_run where run_id = ?", [self.run_id])
        return dict(tasks) | {"run": of_run[0]}


Start = Callable[[str], Waiting]


@pytest.fixture
def start(estimated: Node, airflow: dict[str, str], keys: SimpleNamespace, tmp_path: Path) -> Iterator[Start]:
    """Start a run, and wait until it waits."""
    started: list[subprocess.Popen[str]] = []

    def begin(day: str) -> Waiting:
        node = copied(estimated, tmp_path / "node")
        (node.folder / "signers" / "officer.asc").write_bytes((keys.folder / "officer.asc").read_bytes())
        environment = airflow | {"OBSERVATORY_CONFIG": str(node.settings)}
        given = json.dumps({"period": "2026-Q4", "deadline": "2027-03-01", "by": "A. Officer"})
        said = tmp_path / "said"
        with said.open("w") as out:
            process = subprocess.Popen(
                [BIN / "airflow", "dags", "test", "study_release", day, "--conf", given],
                env=os.environ | environment, cwd=ROOT, stdout=out, stderr=out, text=True,
            )  # fmt: skip
        started.append(process)
        home = Path(airflow["AIRFLOW_HOME"])
        until = time.monotonic() + LONGEST
        while not (found := waiting_run(home)):
            assert process.poll() is None, said.read_text()[-5000:]
            assert time.monotonic() < until, said.read_text()[-5000:]
            time.sleep(0.5)
        return Waiting(node, environment, process, said, home, found)

    yield begin
    for each in started:
        if each.poll() is None:
            each.kill()
            each.wait()


def waiting_run(home: Path) -> str | None:
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        found = database.execute("select run_id from task_instance where state = 'awaiting_input'").fetchone()
    return str(found[0]) if found else None


def body_of(waiting: Waiting) -> str:
    """Return the text that the human reads."""
    with closing(sqlite3.connect(waiting.home / "airflow.db")) as database:
        (body,) = database.execute(
            "select body from hitl_detail d join task_instance t"
            " on replace(d.ti_id, '-', '') = replace(t.id, '-', '') where t.run_id = ?",
            [waiting.run_id],
        ).fetchone()
    return str(body)


def test_an_approved_and_signed_release_is_published(start: Start, keys: SimpleNamespace) -> None:
    waiting = start("2027-02-01")
    assert not waiting.node.public.exists()
    assert "Headline figures" in body_of(waiting) and P_PCT not in body_of(waiting)
    waiting.load_answers()
    waiting.sign(keys, keys.officer)
    waiting.answer("Approve")
    states = waiting.states()
    assert set(states.values()) == {"success"}, (states, waiting.said.read_text()[-5000:])
    assert (waiting.node.public / NAME / "manifest.json").is_file()
    assert P_PCT not in waiting.said.read_text()


def test_the_approved_release_is_published_though_a_newer_one_was_made(
    start: Start, keys: SimpleNamespace
) -> None:
    waiting = start("2027-02-06")
    config = ("--config", str(waiting.node.settings))
    run("observatory", "release", "make", "--period", "2026-Q4", *config, **waiting.environment)
    assert (waiting.node.releases / "2026-Q4" / "v1.1.0").is_dir()
    waiting.load_answers()
    waiting.sign(keys, keys.officer)
    waiting.answer("Approve")
    states = waiting.states()
    assert set(states.values()) == {"success"}, (states, waiting.said.read_text()[-5000:])
    assert {each.name for each in (waiting.node.public / "2026-Q4").iterdir()} == {
        "v1.0.0", "v1.0.0.asc", "v1.0.0-site",
    }  # fmt: skip


def test_a_rejected_release_is_red_and_not_published(start: Start, keys: SimpleNamespace) -> None:
    waiting = start("2027-02-02")
    waiting.sign(keys, keys.officer)
    waiting.answer("Reject")
    red(waiting, "approve")


def test_a_release_that_nobody_answers_for_is_red_and_not_published(
    start: Start, keys: SimpleNamespace
) -> None:
    waiting = start("2027-02-03")
    waiting.sign(keys, keys.officer)
    run("python", "-c", SWEEP, **waiting.environment)
    red(waiting, "approve")


def test_a_release_that_a_stranger_signed_is_red_and_not_published(
    start: Start, keys: SimpleNamespace
) -> None:
    waiting = start("2027-02-04")
    waiting.sign(keys, keys.stranger)
    waiting.answer("Approve")
    red(waiting, "publish", "is no signature of this release")


def test_a_release_with_an_open_objection_is_red_and_not_published(
    start: Start, keys: SimpleNamespace
) -> None:
    waiting = start("2027-02-05")
    waiting.load_answers(KEN="figures differ")
    waiting.sign(keys, keys.officer)
    waiting.answer("Approve")
    red(waiting, "publish", "KEN objects: figures differ")


def red(waiting: Waiting, failed: str, text: str = "") -> None:
    """The run failed at this task, and nothing is published."""
    states = waiting.states()
    said = waiting.said.read_text()
    assert states["run"] == "failed" and states[failed] == "failed", (states, said[-5000:])
    assert {states["make"], states["clear"]} == {"success"}
    assert states["publish"] in ("failed", "upstream_failed")
    assert text in said, said[-5000:]
    assert not waiting.node.public.exists()
