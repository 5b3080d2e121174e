"""The Spark engine: both engines write the same rows, in turn into the same lake, too; and a real cluster.

The cluster is Spark's standalone master with two workers on this machine's loopback. Its workers see the
project's wheel and the packages of this environment, and no clone. Nothing is skipped: without the extra
`spark` these tests fail.
"""

import gc
import math
import os
import re
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from benchmarks.tools import generate
from jobs.base.core import program
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.key_names import KEY_FILE
from jobs.base.engine import executor, java
from jobs.base.engine.spark import Spark
from jobs.base.engine.spark_session import java_bytes
from jobs.base.engine.tasks import Task, TaskDied, TaskFailed
from jobs.base.settings import config
from jobs.base.settings.node import EngineSettings
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import read_contract
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.build.run import Run
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs import PRELOAD
from jobs.operators.runs.runner import run_stages
from jobs.operators.silver.frames import SILVER
from tests.conftest import KEY, ROOT
from tests.support.cluster import Cluster, end, standalone
from tests.support.mixed import mixed_logs, mixed_settings, pull_mixed
from tests.support.study import run_again
from tests.support.wheels import built_wheel
from tests.support.whole_runs import rows_in

TABLES = (*SILVER, *GOLD)
HERE = EngineSettings(name="spark", master="local[2]")
# Enough for several ranges and buckets.
BENCHMARK_MB = 10


def with_engine(settings: config.Observatory, engine: EngineSettings) -> config.Observatory:
    return settings.model_copy(update={"engine": engine})


def mixed_run(settings: config.Observatory, run_id: str) -> Run:
    pull_mixed(settings, may_miss=True)
    work = Run(
        Lake(settings.lake.root), settings, list(settings.operator), run_id, report_step=lambda text: None
    )
    run_stages(work)
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


def test_another_project_is_refused_by_its_version() -> None:
    expected = executor.Expected("0.0.1 (abc)", b"", "", "")
    with pytest.raises(
        ObservatoryError, match=r"spam-observatory is 0\.0\.1 \(abc\) on the driver and .* on w"
    ):
        executor.refuse_unlike(expected)


def test_sizes_are_those_of_spark() -> None:
    assert [java_bytes(size) for size in ("1g", "512m", "2gb", "300")] == [
        1 << 30,
        512 << 20,
        2 << 30,
        300 << 20,
    ]
    with pytest.raises(ObservatoryError, match="no size"):
        java_bytes("much")


@pytest.mark.long
def test_tasks_run_fail_and_die_as_with_the_embedded_engine(tmp_path: Path) -> None:
    def root(number: float) -> Task[float]:
        return Task(f"root of {number}", math.sqrt, number)

    def dies() -> Task[Any]:
        return Task("what dies", os._exit, 1)

    counts: list[int] = []
    with Spark(HERE, str(tmp_path), PRELOAD) as engine:
        assert engine.run_tasks([]) == []
        assert engine.run_tasks([root(4.0), root(16.0), root(25.0)], counts.append) == [2, 4, 5]
        assert counts[-1] == 3 and counts == sorted(counts)
        with pytest.raises(TaskFailed, match=r"root of -1.0: ValueError: math domain error"):
            engine.run_tasks([root(4.0), root(-1.0)])
        with pytest.raises(ObservatoryError, match="unknown table 'nope'"):
            engine.run_tasks([Task("a contract", read_contract, "nope")])
        killed = dies().cut_by(lambda: [root(1.0), root(9.0)])
        assert engine.run_tasks([root(4.0), killed, root(16.0)]) == [2, 1, 3, 4]
        with pytest.raises(TaskDied, match="what dies: its process ended twice"):
            engine.run_tasks([root(4.0), dies()])
        threads = engine.run_tasks([Task("threads", os.getenv, "POLARS_MAX_THREADS")])
        assert threads == ["1"]
        # Spark collects garbage after each task; the objects of modules must not be looked through.
        assert engine.run_tasks([Task("objects left out", gc.get_freeze_count)])[0] > 100_000
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
            by_both = (DeltaTable(lake.path(table)).schema().fields for lake in (work.lake, embedded_lake))
            assert len({tuple(field.name for field in fields) for fields in by_both}) == 1, table


@pytest.mark.long
def test_the_job_of_the_docs_joins_gold_with_a_table_of_ones_own(tmp_path: Path, embedded_lake: Lake) -> None:
    page = (ROOT / "docs" / "spark.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "job.py").write_text(code)
    (tmp_path / "regions.csv").write_text(
        "operator_id,region\nexim-lab,west\npostfix-lab,west\nsms-lab,east\n"
    )
    command = [
        *(str(java.spark_home() / "bin" / "spark-submit"), "--master", "local[1]"),
        *("--jars", ",".join(str(jar) for jar in java.find_jars()), "job.py"),
        *(embedded_lake.root, "regions.csv", "found"),
    ]
    env = java.spark_env() | {"SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    key = ["region", "period_date", "channel_code"]
    region = pl.read_csv(tmp_path / "regions.csv")
    wanted = (
        embedded_lake.read("gold.spam_volume_daily")
        .filter(definition_code="OPERATOR", unit_code="recipient")
        .join(region, on="operator_id")
        .group_by(key)
        .agg(pl.col("units", "spam_certain").sum())
    )
    found = pl.read_parquet(tmp_path / "found" / "*.parquet")
    assert found.height and found.sort(key).equals(wanted.sort(key))


def writers(lake: Lake, table: str) -> list[str]:
    """List who wrote each version of a table, from the first on."""
    history = DeltaTable(lake.path(table)).history()
    infos = [each.get("engineInfo") or each.get("clientVersion") for each in reversed(history)]
    return ["Apache-Spark" if str(info).startswith("Apache-Spark") else "delta-rs" for info in infos]


# --- a cluster ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_wheel(tmp_path_factory.mktemp("clone"))


@pytest.fixture
def cluster(tmp_path: Path, wheel: Path) -> Iterator[Cluster]:
    with standalone(tmp_path / "cluster", wheel, KEY) as found:
        yield found


def other_wheel(wheel: Path, folder: Path) -> Path:
    """The wheel with one more line in one file."""
    made = folder / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            more = b"# changed\n" if name == "jobs/base/core/patterns.py" else b""
            new.writestr(name, old.read(name) + more)
    return made


@pytest.mark.long
def test_two_workers_run_the_mix_by_wheel_and_one_may_be_killed(
    tmp_path: Path, embedded_lake: Lake, cluster: Cluster
) -> None:
    settings = mixed_settings(tmp_path / "mix")
    mixed_logs(tmp_path / "mix")
    settings = with_engine(settings, cluster.engine())
    pull_mixed(settings)
    seen: list[str] = []
    killers: list[threading.Timer] = []

    def say(text: str) -> None:
        seen.append(text)
        # Once silver has begun: its tasks are with both workers a second later.
        if text.startswith("silver") and not killers:
            killers.append(threading.Timer(1.0, end, (cluster.workers[0],)))
            killers[0].start()

    work = Run(Lake(settings.lake.root), settings, list(settings.operator), "killed", report_step=say)
    run_stages(work)
    killers[0].join()
    assert cluster.workers[0].poll() is not None and cluster.workers[1].poll() is None
    assert differing(work.lake, embedded_lake) == []
    used = sorted(path.name for path in (tmp_path / "cluster" / "work").glob("app-*/*"))
    assert {"0", "1"} <= set(used)


@pytest.mark.long
def test_two_workers_compute_the_sample_study_and_the_benchmark(tmp_path: Path, cluster: Cluster) -> None:
    """Whole lakes, row for row as the embedded engine writes them."""
    study = ROOT / "sample_data" / "observatory.toml"
    benchmark = generate(tmp_path / "benchmark", BENCHMARK_MB) / "observatory.toml"
    for file in (study, benchmark):
        settings = load_with_options(file)
        lakes = []
        for engine in (settings.engine, cluster.engine()):
            lake = settings.lake.model_copy(update={"root": str(tmp_path / file.parent.name / engine.name)})
            lakes.append(run_again(with_engine(settings, engine).model_copy(update={"lake": lake})).lake)
        assert differing(*lakes) == []
        assert set(writers(lakes[1], GOLD[0])[1:]) == {"Apache-Spark"}
    used = {path.name for path in (tmp_path / "cluster" / "work").glob("app-*/*")}
    assert {"0", "1"} <= used


@pytest.mark.long
def test_workers_that_differ_are_refused_before_the_first_task(tmp_path: Path, cluster: Cluster) -> None:
    tasks = [Task("nothing", int)]
    other = other_wheel(cluster.wheel, tmp_path)
    with (
        Spark(cluster.engine(other), str(tmp_path / "lake")) as engine,
        pytest.raises(ObservatoryError, match=r"spam-observatory is .* on the driver and .* on worker"),
    ):
        engine.run_tasks(tasks)
    # Python reads a package's version from the first folder that names it.
    older = tmp_path / "older" / "polars-1.0.0.dist-info"
    older.mkdir(parents=True)
    (older / "METADATA").write_text("Metadata-Version: 2.1\nName: polars\nVersion: 1.0.0\n")
    path = {"spark.executorEnv.PYTHONPATH": str(older.parent)}
    with (
        Spark(cluster.engine(**path), str(tmp_path / "lake")) as engine,
        pytest.raises(ObservatoryError, match=r"polars is \S+ on the driver and 1\.0\.0 on worker"),
    ):
        engine.run_tasks(tasks)
    other_key = tmp_path / "other_key"
    other_key.write_text("another key of this test, 0123456789abcdef")
    other_key.chmod(0o600)
    key = {f"spark.executorEnv.{KEY_FILE}": str(other_key)}
    with (
        Spark(cluster.engine(**key), str(tmp_path / "lake")) as engine,
        pytest.raises(ObservatoryError, match="another pseudonym key"),
    ):
        engine.run_tasks(tasks)
    with Spark(cluster.engine(), str(tmp_path / "lake")) as engine:
        assert engine.run_tasks([Task("where", program.own_project)]) == [program.own_project()]
