"""The months of gold that a daily validation evaluates: those that changed since they were found to hold."""

import datetime as dt
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

import pytest
from typer.testing import CliRunner

from expectations import suite_files
from expectations.evaluation import Evaluated
from jobs.base.checks import evaluating
from jobs.base.checks.evaluating import changed_months, month_digests, note_held
from jobs.base.core.errors import ObservatoryError
from jobs.base.engine.tasks import open_scratch, open_staging
from jobs.base.store.lake import Lake, open_lake
from jobs.base.tables.contracts import rows_frame
from jobs.cli.main import app
from tests.expectations.test_evaluation import ROW, TABLE
from tests.support.whole_runs import operator_toml

OPERATORS = ("north", "south")


def write_day(lake: Lake, operator_id: str, day: str, units: int = 9) -> None:
    """One row of gold of an operator's day, and the run that names the table's version."""
    row = ROW | {"operator_id": operator_id, "period_date": dt.date.fromisoformat(day), "units": units}
    where = f"operator_id = '{operator_id}' AND period_date = '{day}'"
    version = lake.replace(rows_frame([row], TABLE), TABLE, where)
    run = {
        "run_id": f"{operator_id} {day} {units}", "stage_name": "gold",
        "finished_at": dt.datetime(2026, 12, 1, tzinfo=dt.UTC),
        "table_versions": [{"table_name": TABLE, "version": version}],
    }  # fmt: skip
    lake.append(rows_frame([run], "meta.run"), "meta.run")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = open_lake(str(tmp_path / "lake"))
    for operator in OPERATORS:
        for day in ("2026-10-31", "2026-11-01", "2026-11-02"):
            write_day(found, operator, day)
    return found


def test_a_month_is_evaluated_until_it_held_and_again_once_it_changed(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    both = {"2026-10", "2026-11"}
    now = month_digests(lake, ["north"])
    assert changed_months(lake, now) == both
    note_held(lake, now, ["2026-10"])
    assert changed_months(lake, month_digests(lake, ["north"])) == {"2026-11"}
    note_held(lake, now, both)
    assert changed_months(lake, month_digests(lake, ["north"])) == set()
    # Of the other operator nothing was evaluated.
    assert changed_months(lake, month_digests(lake, OPERATORS)) == both
    write_day(lake, "north", "2026-11-02", units=10)
    write_day(lake, "north", "2026-12-01")
    assert changed_months(lake, month_digests(lake, ["north"])) == {"2026-11", "2026-12"}
    note_held(lake, month_digests(lake, ["north"]), ["2026-11", "2026-12"])
    assert changed_months(lake, month_digests(lake, ["north"])) == set()
    # Rules that changed hold nowhere yet.
    (tmp_path / "suites").mkdir()
    monkeypatch.setattr(suite_files, "FOLDER", tmp_path / "suites")
    assert changed_months(lake, month_digests(lake, ["north"])) == both | {"2026-12"}


def test_a_day_that_went_is_a_change_and_a_damaged_note_is_none(lake: Lake) -> None:
    now = month_digests(lake, ["north"])
    note_held(lake, now, ["2026-10", "2026-11"])
    lake.delete(TABLE, "period_date = '2026-11-01'")
    run = {
        "run_id": "gone", "stage_name": "gold", "finished_at": dt.datetime(2026, 12, 2, tzinfo=dt.UTC),
        "table_versions": [{"table_name": TABLE, "version": lake.version(TABLE)}],
    }  # fmt: skip
    lake.append(rows_frame([run], "meta.run"), "meta.run")
    assert changed_months(lake, month_digests(lake, ["north"])) == {"2026-11"}
    (note,) = Path(lake.root).rglob("held_months.json")
    note.write_text("{")
    assert changed_months(lake, month_digests(lake, ["north"])) == {"2026-10", "2026-11"}


def test_the_command_asks_for_months_that_changed_until_they_hold(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = f'[lake]\nroot = "{lake.root}"\n' + operator_toml("north", "North", "KEN", "north", "KES")
    (tmp_path / "observatory.toml").write_text(settings)
    asked: list[set[str]] = []
    says = {"meta": {"rule": "units_known"}, "description": "units are known"}
    broken = {"success": False, "expectation_config": says, "result": {"unexpected_count": 1}}
    outcomes = iter([[broken], [], [], []])

    def evaluate(lake: Lake, operators: object, run: str, months: Collection[str]) -> list[Evaluated]:
        asked.append(set(months))
        return [Evaluated(TABLE, 1, {"results": next(outcomes)})]

    monkeypatch.setattr(evaluating, "evaluate_lake", evaluate)

    def validate(*words: str) -> int:
        line = ["validate", *words, "--config", str(tmp_path / "observatory.toml")]
        return CliRunner().invoke(app, line).exit_code

    both = {"2026-10", "2026-11"}
    assert (validate("--changed"), asked) == (1, [both])
    assert (validate("--changed"), asked) == (0, [both, both])
    assert (validate("--changed"), asked) == (0, [both, both])
    write_day(lake, "north", "2026-11-02", units=10)
    assert (validate("--changed"), asked[2:]) == (0, [{"2026-11"}])
    # Without the option all of it.
    assert (validate(), asked[3:]) == (0, [set()])


@pytest.mark.long
def test_a_killed_evaluation_leaves_its_rows_in_the_lake_until_the_next_run(
    lake: Lake, tmp_path: Path
) -> None:
    """Gold has figures of a single operator: what is left goes with the next run."""
    program = (
        "import os, signal\n"
        "from expectations import evaluation\n"
        "from jobs.base.store.lake import Lake\n"
        "from jobs.base.checks.evaluating import evaluate_lake\n"
        "evaluation.run_suites = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"evaluate_lake(Lake({lake.root!r}), ['north'], 'run', is_kept=False)\n"
    )
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    own = os.environ | {"TMPDIR": str(elsewhere)}
    done = subprocess.run([sys.executable, "-c", program], env=own, check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(elsewhere.rglob("*")) == []
    (left,) = Path(lake.root, "_staging").rglob("*.sqlite")
    assert Path(lake.root, "_staging").stat().st_mode & 0o077 == 0
    with open_scratch(lake.root) as living, open_staging(lake.root):
        assert not left.exists() and living.exists()


@pytest.mark.long
def test_what_a_killed_command_left_of_a_lake_in_a_bucket_goes_with_the_next_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import os, signal\n"
        "from jobs.base.engine.tasks import open_scratch\n"
        "with open_scratch('s3://logs/lake') as folder:\n"
        "    (folder / 'tables.sqlite').write_text('north')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=own, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.rglob("*.sqlite")
    assert next(tmp_path.iterdir()).stat().st_mode & 0o077 == 0
    with open_staging("s3://logs/other"):
        assert left.exists()
    with open_scratch("s3://logs/lake") as living, open_staging("s3://logs/lake") as staging:
        assert not left.exists() and living.exists()
        # A command that died is no run that died, after which tables are swept.
        assert not staging.others_died
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_a_folder_for_rows_that_is_another_users_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may make a link in a machine's temporary folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_scratch("s3://logs/lake") as folder:
        place = folder.parent
    place.rmdir()
    (tmp_path / "of_others").mkdir()
    place.symlink_to(tmp_path / "of_others")
    with pytest.raises(ObservatoryError, match="TMPDIR"), open_scratch("s3://logs/lake"):
        pass
    assert list((tmp_path / "of_others").iterdir()) == []
