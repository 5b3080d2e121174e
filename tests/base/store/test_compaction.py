"""A lake that is written every few minutes: files do not grow with the number of runs, and no row changes."""

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.store import compaction, record
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import read_contract
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.keep import retention, vacuum
from jobs.operators.keep.retention import QUARANTINE
from jobs.operators.silver.frames import SILVER
from tests.operators.ingest.test_clock import message
from tests.operators.keep.test_retention import BRONZE, NO_TIME, Site, day, midnight

TABLES = (BRONZE, "bronze.file", "bronze.quarantine", *SILVER, *GOLD)


@pytest.fixture(scope="module", autouse=True)
def clock() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OBSERVATORY_READ_AT", raising=False)
        # Six runs are as many here as a hundred.
        patch.setattr(compaction, "MOST_SMALL", 4)
        patch.setattr(compaction, "MOST_COMMITS", 3)
        yield


class Often(Site):
    """A site whose log grows by a message, and is pulled and computed, every five minutes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "")
        self.visits = 0

    def visit(self, count: int) -> None:
        for _ in range(count):
            log, at = self.logs / "mail.log", midnight(0) + dt.timedelta(minutes=5 * self.visits)
            with log.open("a") as file:
                file.write(message(10 + self.visits, str(day(0))) + "no line\n")
            os.utime(log, (at.timestamp(),) * 2)
            assert pull_operator(self.settings.operator[0], self.lake.root, at).problems == []
            self.run()
            self.visits += 1

    def files(self) -> int:
        """Files of tables and their logs."""
        layers = ("bronze", "silver", "gold", "meta")
        return sum(path.is_file() for layer in layers for path in Path(self.lake.root, layer).rglob("*"))

    def rows(self) -> dict[str, list[str]]:
        """Return the rows that readers see: of the versions that meta.run names."""
        named = self.lake.versions()
        return {table: sorted(map(str, self.lake.read(table, named.get(table)).rows())) for table in TABLES}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Often:
    """A lake that was written six times and never vacuumed."""
    site = Often(tmp_path_factory.mktemp("often"))
    site.visit(6)
    return site


@pytest.fixture
def site(written: Often, tmp_path: Path) -> Iterator[Often]:
    """Yield the lake that was written once, and put it back afterwards."""
    kept, visits = tmp_path / "kept", written.visits
    shutil.copytree(written.file.parent, kept)
    yield written
    shutil.rmtree(written.file.parent)
    shutil.move(kept, written.file.parent)
    written.visits = visits


def is_named(lake: Lake) -> bool:
    named = lake.versions()
    return all(named[table] == lake.version(table) for table in TABLES if lake.exists(table))


@pytest.mark.long
def test_files_do_not_grow_with_the_number_of_runs(site: Often) -> None:
    rows, before = site.rows(), site.files()
    site.vacuum(1)
    assert site.rows() == rows
    assert is_named(site.lake)
    first = site.files()
    assert first < before / 2
    site.visit(6)
    rows = site.rows()
    site.vacuum(1)
    assert site.rows() == rows
    # Each run without vacuum leaves more than twenty.
    assert site.files() <= first
    assert site.run().changed == {}
    assert site.vacuum(1).crowded == []


@pytest.mark.long
def test_closed_days_have_one_file_and_open_ones_a_few(site: Often) -> None:
    site.vacuum(1)
    assert len(site.lake.files(BRONZE)) == 1
    site.visit(3)
    # Few enough: they are written again soon.
    site.vacuum(1)
    assert len(site.lake.files(BRONZE)) == 4
    for number in (1, 2, 3):
        site.live(number, message(40 + number, str(day(number))))
    site.vacuum(3)
    of_day = [file for file in site.lake.files(BRONZE) if file.partition_value("event_date") == str(day(0))]
    assert len(of_day) == 1


STEPS: dict[str, tuple[Any, str]] = {
    "plan": (vacuum, "remove_landed"),
    "together": (compaction, "compact_table"),
    "name": (record, "add_stage"),
    "history": (vacuum, "remove_old_files"),
    "log": (compaction, "shorten_log"),
}


@pytest.mark.long
@pytest.mark.parametrize("by", ["run", "vacuum"])
@pytest.mark.parametrize(
    ("step", "when"),
    [
        *(("plan", 1), ("together", 1), ("together", 2), ("name", 1), ("name", "after")),
        *(("history", 1), ("log", 1), ("log", 2)),
    ],
)
def test_killed_while_files_are_put_together(
    site: Often, monkeypatch: pytest.MonkeyPatch, step: str, when: int | str, by: str
) -> None:
    """Kills come before the first or second call of a step, or after it."""
    rows = site.rows()
    module, name = STEPS[step]
    whole, calls = getattr(module, name), 0

    def dying(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == when:
            raise KeyboardInterrupt
        found = whole(*given, **named)
        if when == "after":
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as killed:
        killed.setattr(module, name, dying)
        with pytest.raises(KeyboardInterrupt):
            site.vacuum(1)
    assert site.rows() == rows
    if by == "run":
        assert site.run().changed == {}
        # A log is shortened by the next vacuum.
        site.vacuum(1)
    else:
        site.vacuum(1, retention.READERS)
    assert site.rows() == rows
    assert is_named(site.lake)
    assert not (Path(site.lake.root) / vacuum.PLAN).exists()


@pytest.mark.long
def test_quarantined_lines_of_several_runs_go_at_once(site: Often) -> None:
    """Put together, they are in one file."""
    site.vacuum(1)
    assert len(site.lake.files(QUARANTINE)) == 1
    batches = set(site.lake.read(QUARANTINE)["ingest_id"])
    assert len(batches) == 6
    for number in (60, 61):
        site.live(number, message(10, str(day(number))))
    made = site.vacuum(61)
    assert {each.partition("/")[2] for each in made.batches} == batches
    assert site.lake.read(QUARANTINE).is_empty()


@pytest.mark.long
def test_a_table_that_a_dead_run_wrote_is_left_alone(site: Often) -> None:
    named = site.lake.version("silver.message")
    site.lake.delete("silver.message", "operator_id = 'nobody'")
    site.lake.append(site.lake.read("silver.message").head(0), "silver.message")
    assert site.lake.version("silver.message") > named
    made = site.vacuum(1)
    assert "silver.message" not in made.crowded
    # Its log still has the version that the next run goes back to.
    assert site.lake.read("silver.message", named).height == 6


@pytest.mark.long
def test_the_records_of_many_runs_are_read_from_few_files(site: Often) -> None:
    runs = site.lake.read("meta.run").sort("finished_at")
    state = record.read_state(site.lake, (*SILVER, *GOLD))
    site.vacuum(1)
    assert len(site.lake.files("meta.run")) <= 2
    again = site.lake.read("meta.run").sort("finished_at")
    assert again.filter(pl.col("stage_name") != "vacuum").equals(runs)
    assert record.read_state(site.lake, (*SILVER, *GOLD)) == state
    assert read_contract("meta.run").partition_by == ()


def recorded(root: Path, count: int) -> Lake:
    lake = Lake(str(root))
    for number in range(count):
        record.add_stage(lake, f"r{number:03d}", "bronze", record.utc_now(), (), [])
    return lake


def test_small_files_become_one_and_a_log_begins_anew(tmp_path: Path) -> None:
    lake = recorded(tmp_path / "lake", 8)
    runs, log = lake.read("meta.run").sort("run_id"), Path(lake.path("meta.run"), "_delta_log")
    assert compaction.crowded_partitions(lake, "meta.run") == [{}]
    compaction.compact_table(lake, "meta.run")
    assert compaction.crowded_partitions(lake, "meta.run") == []
    [whole] = lake.files("meta.run")
    assert whole.rows == runs.height
    assert oct(os.stat(whole.path).st_mode & 0o777) == oct(0o600)
    assert lake.read("meta.run").sort("run_id").equals(runs)
    version = lake.version("meta.run")
    # A version that was the latest an hour ago can still be read.
    compaction.shorten_log(lake, "meta.run", None, dt.timedelta(hours=1))
    assert lake.read("meta.run", 3).height == 3
    compaction.shorten_log(lake, "meta.run", version - 1, NO_TIME)
    assert lake.read("meta.run", 3).height == 3
    compaction.shorten_log(lake, "meta.run", version, NO_TIME)
    assert sorted(path.name for path in log.glob("*.json")) == [f"{version:020d}.json"]
    assert lake.read("meta.run").sort("run_id").equals(runs)
    record.add_stage(lake, "last", "bronze", record.utc_now(), (), [])
    assert (lake.version("meta.run"), lake.read("meta.run").height) == (version + 1, 9)
