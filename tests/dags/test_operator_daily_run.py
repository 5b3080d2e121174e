"""The whole DAG with the real Airflow, by each engine: its tables are those of the command line."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from jobs.base.store.lake import Lake
from jobs.base.tables import contracts
from jobs.base.tables.contracts import stage_tables
from tests.support.airflow import new_airflow
from tests.support.commands import ROOT, call, run

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1200)]

CONFIG = ROOT / "sample_data" / "observatory.toml"
OPERATOR = "lab-sms"
DAG = f"operator_daily__{OPERATOR}"


@pytest.fixture(scope="module", params=["embedded", "spark"])
def airflow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of an Airflow of its own, with its database made."""
    home = tmp_path_factory.mktemp("airflow")
    return new_airflow(
        home,
        OBSERVATORY_CONFIG=str(CONFIG),
        OBSERVATORY_PSEUDONYM_KEY="0123456789abcdef" * 4,
        OBSERVATORY_LAKE_ROOT=str(home / "lake"),
        OBSERVATORY_ENGINE_NAME=request.param,
        OBSERVATORY_ENGINE_MASTER="local[2]",
    )


def test_a_run_gives_the_tables_of_the_command_line(airflow: dict[str, str], tmp_path: Path) -> None:
    said = run("airflow", "dags", "test", DAG, "2026-11-20", **airflow)
    own = airflow | {"OBSERVATORY_LAKE_ROOT": str(tmp_path / "lake"), "OBSERVATORY_ENGINE_NAME": "embedded"}
    run("observatory", "run", "--config", str(CONFIG), "--operator", OPERATOR, **own)

    filled = []
    for table in contracts.list_tables():
        contract = contracts.read_contract(table)
        if contract.layer not in ("silver", "gold"):
            continue
        by_command, by_airflow = Lake(str(tmp_path / "lake")), Lake(airflow["OBSERVATORY_LAKE_ROOT"])
        assert by_command.exists(table) == by_airflow.exists(table), table
        expected, found = by_command.read(table), by_airflow.read(table)
        assert_frame_equal(found, expected, check_row_order=False, check_column_order=False, check_exact=True)
        filled += [table] if expected.height else []
    assert {"silver.message", "gold.spam_volume_daily", "gold.spam_type_daily"} <= set(filled)
    # One job of Spark for each stage, if it is the engine.
    is_spark = airflow["OBSERVATORY_ENGINE_NAME"] == "spark"
    assert said.count("Spark-Submit cmd") == (3 if is_spark else 0), said
    history = DeltaTable(by_airflow.path("gold.spam_volume_daily")).history()
    assert any(str(each.get("engineInfo")).startswith("Apache-Spark") for each in history) == is_spark
    assert "<h1>" in Path(airflow["AIRFLOW_HOME"], "report", "index.html").read_text()


def asset_events(airflow: dict[str, str]) -> dict[str, int]:
    """Count the updates of each asset, by its name."""
    with closing(sqlite3.connect(Path(airflow["AIRFLOW_HOME"], "airflow.db"))) as database:
        found = database.execute(
            "SELECT asset.name, count(*) FROM asset_event JOIN asset ON asset.id = asset_id GROUP BY 1"
        )
        return dict(found.fetchall())


def states(airflow: dict[str, str], day: str) -> dict[str, str]:
    """Return the final state of each task of a day's run."""
    with closing(sqlite3.connect(Path(airflow["AIRFLOW_HOME"], "airflow.db"))) as database:
        found = database.execute(
            "SELECT task_id, task_instance.state FROM task_instance JOIN dag_run USING (dag_id, run_id)"
            " WHERE dag_id = ? AND logical_date LIKE ?",
            (DAG, f"{day}%"),
        )
        return dict(found.fetchall())


def test_a_run_that_changes_nothing_updates_no_asset(airflow: dict[str, str]) -> None:
    """Stages are skipped after the run above, and the tasks after them run."""
    tasks = ["pull", "bronze", "silver", "gold", "validate", "report", "vacuum", "outcome"]
    first = dict.fromkeys(tasks, "success")
    assert states(airflow, "2026-11-20") == first
    before = asset_events(airflow)
    assert {before[table] for stage in ("bronze", "silver", "gold") for table in stage_tables(stage)} == {1}
    run("airflow", "dags", "test", DAG, "2026-11-21", **airflow)
    assert states(airflow, "2026-11-21") == first | dict.fromkeys(["bronze", "silver", "gold"], "skipped")
    assert asset_events(airflow) == before


def test_what_is_stale_is_told(airflow: dict[str, str], tmp_path: Path) -> None:
    """The sample's logs end in November; tests read them as on the first of January."""
    told = tmp_path / "told"
    own = airflow | {"OBSERVATORY_ALERT": f"cat >> '{told}'"}
    done = call("airflow", "dags", "test", "observatory_health", "2026-12-01", **own)
    assert done.returncode == 1, done.stdout + done.stderr
    text = told.read_text()
    assert text.startswith(
        "Spam Observatory, observatory_health.stale_sources\n\nSources that send nothing new"
    )
    assert f"- {OPERATOR}/bearerbox: the last record is of 2026-11-2" in text
    assert "held_validations" not in text


def test_a_backfill_is_a_run_for_each_day(airflow: dict[str, str]) -> None:
    run("airflow", "dags", "reserialize", **airflow)
    days = ["--from-date", "2026-10-30", "--to-date", "2026-11-01"]
    told = run("airflow", "backfill", "create", "--dag-id", DAG, *days, "--dry-run", **airflow)
    planned = re.findall(r"^\| (\d{4}-\d\d-\d\d) ", told, re.MULTILINE)
    assert planned == ["2026-10-30", "2026-10-31", "2026-11-01"]


def test_a_failed_task_fails_the_run(airflow: dict[str, str]) -> None:
    """A wrong setting is not tried again; the tasks after it run, but the last, and so the run has failed."""
    # The lake stays: its assets are registered by where they are.
    finished = Path(airflow["OBSERVATORY_LAKE_ROOT"]) / "meta" / "run" / "_delta_log"
    before = sorted(finished.glob("*.json"))
    done = call(
        "airflow", "dags", "test", DAG, "2026-11-20", **airflow | {"OBSERVATORY_PSEUDONYM_KEY": "short"}
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Error: OBSERVATORY_PSEUDONYM_KEY: the pseudonym key has 5 characters" in said, said
    assert "Retry policy decision" in said and "wrong input or settings" in said, said
    assert sorted(finished.glob("*.json")) == before
    ended = states(airflow, "2026-11-20")
    assert (ended["bronze"], ended["outcome"]) == ("failed", "upstream_failed")
    assert ended["pull"] == ended["report"] == ended["vacuum"] == "success"
