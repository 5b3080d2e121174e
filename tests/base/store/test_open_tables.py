"""Logs of tables in a folder stay open, and each commit is seen all the same, whoever made it."""

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.base.store import open_tables
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame

TABLE = "meta.run"


def add_run(lake: Lake, *names: str) -> None:
    for name in names:
        named = [{"table_name": TABLE, "version": 0}]
        lake.append(rows_frame([{"run_id": name, "table_versions": named}], TABLE), TABLE)


def runs_of(lake: Lake) -> set[str]:
    return set(lake.read(TABLE)["run_id"])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path / "lake"))
    add_run(made, "a", "b")
    return made


def test_a_log_is_read_once_while_nothing_is_written(lake: Lake) -> None:
    assert lake.open_table(TABLE) is lake.open_table(TABLE) is lake.open_table(TABLE, lake.version(TABLE))
    assert lake.open_table(TABLE, 1).version() == 1


def test_what_other_programs_write_is_seen(lake: Lake) -> None:
    before = lake.version(TABLE)
    write_deltalake(lake.path(TABLE), lake.read(TABLE).head(1).to_arrow(), mode="append")
    assert lake.version(TABLE) == before + 1
    assert len(lake.read(TABLE)) == 3
    with pytest.raises(ZeroDivisionError), lake.open_to_write(TABLE) as log:
        log.delete()
        raise ZeroDivisionError
    assert lake.read(TABLE).is_empty()


def test_a_lake_that_is_made_anew_under_its_path_is_another(lake: Lake) -> None:
    assert (runs_of(lake), lake.versions()) == ({"a", "b"}, {TABLE: 0})
    version = lake.version(TABLE)
    shutil.rmtree(lake.root)
    assert not lake.exists(TABLE) and lake.files(TABLE) == [] and lake.versions() == {}
    other = Lake(lake.root)
    add_run(other, "c", "d")
    assert (runs_of(lake), lake.version(TABLE)) == ({"c", "d"}, version)
    # A copy is put back, as from a backup.
    shutil.copytree(lake.root, f"{lake.root}.kept")
    add_run(lake, "e")
    shutil.rmtree(lake.root)
    shutil.move(f"{lake.root}.kept", lake.root)
    assert (runs_of(lake), lake.version(TABLE)) == ({"c", "d"}, version)


def test_versions_that_belong_together_are_looked_for_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = lake.versions()
    read = Lake._read_named
    asked = []
    monkeypatch.setattr(
        Lake, "_read_named", lambda lake, version: asked.append(version) or read(lake, version)
    )
    assert lake.versions() == found and asked == []
    add_run(lake, "c")
    assert lake.versions() == lake.versions() == found and asked == [lake.version(TABLE)]


def test_few_logs_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_tables.forget_all()
    monkeypatch.setattr(open_tables, "MOST_OPEN", 2)
    lakes = [Lake(str(tmp_path / name)) for name in "abc"]
    for each in lakes:
        add_run(each, each.root[-1])
    first, second, third = (each.open_table(TABLE) for each in lakes)
    assert len(open_tables._of_folders) == 2
    assert lakes[2].open_table(TABLE) is third and lakes[1].open_table(TABLE) is second
    assert lakes[0].open_table(TABLE) is not first
    assert isinstance(first, DeltaTable) and runs_of(lakes[0]) == {"a"}
