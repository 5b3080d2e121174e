"""meta.run: whether tables have changed since a time."""

import datetime as dt
import re
from pathlib import Path

import pytest

from jobs.base.core import program
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame, stage_tables

FIRST = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
VOLUME, MESSAGE = "gold.spam_volume_daily", "silver.message"
# By hour, the stage that finished and the versions that its row names.
HISTORY = [
    ("bronze", {}),
    ("silver", {MESSAGE: 3}),
    ("gold", {VOLUME: 1}),
    # Computed again, with the same rows.
    ("gold", {VOLUME: 1}),
    ("vacuum", {MESSAGE: 4}),
    ("silver", {MESSAGE: 4}),
    ("gold", {VOLUME: 2}),
]


def hour(number: int) -> dt.datetime:
    return FIRST + dt.timedelta(hours=number)


@pytest.mark.parametrize(
    ("since", "changed"),
    [(0, {MESSAGE, VOLUME}), (1, {VOLUME}), (2, {VOLUME}), (5, {VOLUME}), (6, set()), (7, set())],
)
def test_a_table_has_changed_where_a_stage_names_another_version(
    tmp_path: Path, since: int, changed: set[str]
) -> None:
    """Retention changes no table, nor does a stage that finds the rows that there are."""
    lake = Lake(str(tmp_path))
    rows = [
        {
            "run_id": f"r{number}",
            "stage_name": stage,
            "finished_at": hour(number),
            "table_versions": [{"table_name": table, "version": of} for table, of in versions.items()],
        }
        for number, (stage, versions) in enumerate(HISTORY)
    ]
    for row in rows:
        lake.append(rows_frame([row], "meta.run"), "meta.run")
    found = {table for table in (MESSAGE, VOLUME) if record.has_changed(lake, [table], hour(since))}
    assert found == changed
    assert record.has_changed(lake, [MESSAGE, VOLUME], hour(since)) == bool(changed)


def test_what_a_stage_writes_is_what_its_layer_has_but_for_audits() -> None:
    assert {"bronze.file", "bronze.quarantine"} <= set(stage_tables("bronze"))
    assert {"silver.audit_label", "silver.audit_sample"}.isdisjoint(stage_tables("silver"))
    assert {MESSAGE, "silver.complaint"} <= set(stage_tables("silver"))
    assert {VOLUME, "gold.spam_corrected_monthly"} <= set(stage_tables("gold"))


def test_without_git_the_code_is_named_by_a_digest_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image has neither git nor a clone."""
    revision = record.code_revision.__wrapped__
    of_clone = revision()
    monkeypatch.setenv("PATH", str(tmp_path))
    of_files = revision()
    assert of_files == revision() != of_clone
    assert re.fullmatch("files-[0-9a-f]{12}", of_files)
    monkeypatch.setattr(program, "HOME", tmp_path)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "one.py").write_text("a = 1")
    assert revision() != of_files
