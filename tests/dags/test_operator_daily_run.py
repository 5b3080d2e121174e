"""The whole DAG with the real Airflow: its tables are those of the command line."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from jobs import contracts
from jobs.engine.lake import Lake
from tests.commands import BIN, ROOT, call, run

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1200)]

CONFIG = ROOT / "sample_data" / "observatory.toml"
OPERATOR = "lab-sms"
DAG = f"operator_daily__{OPERATOR}"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an Airflow of its own, with its database made."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "OBSERVATORY_CONFIG": str(CONFIG),
        "OBSERVATORY_PSEUDONYM_KEY": "0123456789abcdef" * 4,
        "OBSERVATORY_LAKE_ROOT": str(home / "lake"),
    }
    run("airflow", "db", "migrate", **environment)
    yield environment


def test_a_run_gives_the_tables_of_the_command_line(airflow: dict[str, str], tmp_path: Path) -> None:
    run("airflow", "dags", "test", DAG, "2026-11-20", **airflow)
    own = airflow | {"OBSERVATORY_LAKE_ROOT": str(tmp_path / "lake")}
    run("observatory", "run", "--config", str(CONFIG), "--operator", OPERATOR, **own)

    filled = []
    for table in contracts.tables():
        about = contracts.contract(table)
        if about.layer not in ("silver", "gold"):
            continue
        by_command, by_airflow = Lake(str(tmp_path / "lake")), Lake(airflow["OBSERVATORY_LAKE_ROOT"])
        assert by_command.exists(table) == by_airflow.exists(table), table
        expected, found = by_command.read(table), by_airflow.read(table)
        assert_frame_equal(found, expected, check_row_order=False, check_column_order=False, check_exact=True)
        filled += [table] if expected.height else []
    assert {"silver.message", "gold.spam_volume_daily", "gold.spam_type_daily"} <= set(filled)


def test_a_backfill_is_a_run_for_each_day(airflow: dict[str, str]) -> None:
    run("airflow", "dags", "reserialize", **airflow)
    days = ["--from-date", "2026-10-30", "--to-date", "2026-11-01"]
    told = run("airflow", "backfill", "create", "--dag-id", DAG, *days, "--dry-run", **airflow)
    planned = re.findall(r"^\| (\d{4}-\d\d-\d\d) ", told, re.MULTILINE)
    assert planned == ["2026-10-30", "2026-10-31", "2026-11-01"]


def test_a_failed_task_fails_the_run_at_once(airflow: dict[str, str]) -> None:
    """A wrong setting is not tried again: silver and gold do not start."""
    # The lake stays: its assets are registered by where they are.
    finished = Path(airflow["OBSERVATORY_LAKE_ROOT"]) / "meta" / "run" / "_delta_log"
    before = sorted(finished.glob("*.json"))
    done = call(
        "airflow", "dags", "test", DAG, "2026-11-20", **airflow | {"OBSERVATORY_PSEUDONYM_KEY": "short"}
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Error: the pseudonym key has 5 characters" in said, said
    assert "Retry policy decision" in said, said
    assert sorted(finished.glob("*.json")) == before
