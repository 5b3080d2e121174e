"""The Spark engine: both engines write the same rows, in turn into the same lake, too; and a real cluster.

The cluster is Spark's standalone master with two workers on this machine's loopback. Its workers see the
project's wheel and the packages of this environment, and no clone. Nothing is skipped: without the extra
`spark` these tests fail.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from jobs import config
from jobs.engine import executor, spark
from jobs.engine.gold_stage import GOLD
from jobs.engine.lake import Lake
from jobs.engine.silver_stage import SILVER
from jobs.engine.spark import Spark
from jobs.engine.tasks import Task, TaskDied, TaskFailed
from jobs.errors import ObservatoryError
from jobs.runner import Run, run
from tests.conftest import KEY, ROOT
from tests.mixed import mixed_logs, mixed_settings, pull_mixed
from tests.whole_runs import rows_in

TABLES = (*SILVER, *GOLD)
HERE = config.Engine(name="spark", master="local[2]")


def with_engine(settings: config.Observatory, engine: config.Engine) -> config.Observatory:
    return settings.model_copy(update={"engine": engine})


def mixed_run(settings: config.Observatory, run_id: str) -> Run:
    pull_mixed(settings, may_miss=True)
    work = Run(Lake(settings.lake.root), settings, list(settings.operator), run_id, say=lambda text: None)
    run(work)
    return work


def differing(lake: Lake, other: Lake) -> list[str]:
    """The tables whose rows differ between two lakes."""
    one, two = rows_in(lake, TABLES), rows_in(other, TABLES)
    assert any(one.values())
    return [table for table in TABLES if one[table] != two[table]]


@pytest.fixture(scope="module")
def embedded_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The mix, as the embedded engine computes it."""
    folder = tmp_path_factory.mktemp("embedded")
    settings = mixed_settings(folder)
    mixed_logs(folder)
    return mixed_run(settings, "embedded").lake


# --- the engine ---------------------------------------------------------------------------------------------


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ObservatoryError, match=r"pip install 'spam-observatory\[spark\]'.*make setup-spark"):
        Spark(HERE, "lake")


def test_versions_that_differ_are_named() -> None:
    own = executor.versions()
    theirs = tuple((name, "0.0.1" if name == "polars" else version) for name, version in own)
    expected = executor.Expected(theirs, b"", "", "")
    with pytest.raises(ObservatoryError, match=r"polars: 0\.0\.1 on the driver, .* on worker"):
        executor.refuse_unlike(expected)


def test_sizes_are_those_of_spark() -> None:
    assert [spark.java_bytes(size) for size in ("1g", "512m", "2gb", "300")] == [
        1 << 30,
        512 << 20,
        2 << 30,
        300 << 20,
    ]
    with pytest.raises(ObservatoryError, match="no size"):
        spark.java_bytes("much")


@pytest.mark.long
def test_tasks_run_fail_and_die_as_with_the_embedded_engine(tmp_path: Path) -> None:
    def root(number: float) -> Task:
        return Task("math:sqrt", (number,), f"root of {number}")

    def dying(task: Task) -> list[Task]:
        return [root(1.0), root(9.0)]

    counts: list[int] = []
    with Spark(HERE, str(tmp_path)) as engine:
        assert engine.run([]) == []
        assert engine.run([root(4.0), root(16.0), root(25.0)], counts.append) == [2, 4, 5]
        assert counts[-1] == 3 and counts == sorted(counts)
        with pytest.raises(TaskFailed, match=r"root of -1.0: ValueError: math domain error"):
            engine.run([root(4.0), root(-1.0)])
        with pytest.raises(ObservatoryError, match="unknown table 'nope'"):
            engine.run([Task("jobs.contracts:contract", ("nope",), "a contract")])
        killed = Task("os:_exit", (1,), "what dies", dying)
        assert engine.run([root(4.0), killed, root(16.0)]) == [2, 1, 3, 4]
        with pytest.raises(TaskDied, match="what dies: its process ended twice"):
            engine.run([root(4.0), Task("os:_exit", (1,), "what dies")])
        threads = engine.run([Task("os:getenv", ("POLARS_MAX_THREADS",), "threads")])
        assert threads == ["1"]
        assert not [value for _, value in engine.session.sparkContext.getConf().getAll() if KEY in value]


@pytest.mark.long
def test_both_engines_write_the_same_rows_in_turn_and_apart(tmp_path: Path, embedded_lake: Lake) -> None:
    """Half of the logs by Spark, all of them by the embedded engine, all days again by Spark."""
    settings = mixed_settings(tmp_path)
    by_spark = with_engine(settings, HERE)
    mixed_logs(tmp_path)
    later = tmp_path / "later"
    later.mkdir()
    for name in ("kannel", "exim"):
        shutil.move(tmp_path / name, later / name)
    mixed_run(by_spark, "1")
    for name in ("kannel", "exim"):
        shutil.move(later / name, tmp_path / name)
    work = mixed_run(settings, "2")
    assert differing(work.lake, embedded_lake) == []
    written = writers(work.lake, "gold.spam_volume_daily")
    assert {"delta-rs", "Apache-Spark"} <= set(written)
    # From nothing, by Spark alone.
    shutil.rmtree(settings.lake.root)
    work = mixed_run(by_spark, "3")
    assert differing(work.lake, embedded_lake) == []
    for table in GOLD:
        if work.lake.exists(table):
            protocol = DeltaTable(work.lake.path(table)).protocol()
            assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2), table
            assert work.lake.columns(table) == embedded_lake.columns(table)


def writers(lake: Lake, table: str) -> list[str]:
    """Who wrote each version of a table, from the first on."""
    history = DeltaTable(lake.path(table)).history()
    infos = [each.get("engineInfo") or each.get("clientVersion") for each in reversed(history)]
    return ["Apache-Spark" if str(info).startswith("Apache-Spark") else "delta-rs" for info in infos]
