"""Whole runs over a mix of formats against kills, a full disk and any order of what arrives: the same tables.

The mix is that of tests/mixed.py: mail servers, filters, reports, calls, SMS and a user's own profile.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.ingest import ingest
from jobs.lake import Lake
from jobs.runner import GOLD, SILVER, Run, run
from jobs.space import is_full
from tests.mixed import mixed_logs, mixed_settings, pull_mixed, run_mixed
from tests.whole_runs import killed_when, rows_in

TABLES = (*SILVER, *GOLD)
# What bronze says of a line; its batch's own name is another each time.
BRONZE = [
    f"bronze.{name}"
    for name in ("exim", "postfix", "amavis", "kannel", "kamailio", "delimited", "dmarc", "quarantine")
]


@pytest.fixture(scope="module")
def whole(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    mixed_logs(folder)
    return run_mixed(spark, mixed_settings(folder))


def lines_of(lake: Lake) -> int:
    row = lake.read("bronze.file").agg(F.sum("line_count").alias("lines")).first()
    assert row is not None
    return int(row.lines)


@contextmanager
def files_no_longer_than(size: int, spark: SparkSession) -> Iterator[None]:
    """While this lasts, Spark's Java and its Python tasks can write no file beyond this size."""
    java = int(spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())
    soft, hard = resource.prlimit(java, resource.RLIMIT_FSIZE)
    limit_all(java, (size, hard))
    try:
        yield
    finally:
        # Tasks' processes that began meanwhile have the limit, too.
        limit_all(java, (soft, hard))


def limit_all(java: int, limits: tuple[int, int]) -> None:
    for pid in [java, *(int(name) for name in os.listdir("/proc") if name.isdigit())]:
        if pid == java or is_below(pid, java):
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def is_below(pid: int, above: int) -> bool:
    """Whether a process was started by another, or by one that it started."""
    while pid > 1:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        pid = int(stat.rpartition(")")[2].split()[1])
        if pid == above:
            return True
    return False


@pytest.mark.long
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process are Linux's own")
def test_a_disk_that_fills_in_bronze(spark: SparkSession, whole: Run, tmp_path: Path) -> None:
    """First no file of a task fits, then small ones do, then a large one of Java's does not."""
    folder = tmp_path / "mix"
    settings = mixed_settings(folder)
    mixed_logs(folder)
    pull_mixed(settings)
    lake = Lake(spark, settings.lake.root)
    for number, size in enumerate((300, 8_000, 30_000)):
        with files_no_longer_than(size, spark), pytest.raises(Exception) as failed:  # noqa: PT011
            ingest(lake, settings, list(settings.operator), f"batch{number}")
        assert is_full(failed.value), failed.value
        assert not lake.exists("bronze.file")
        # The batch is the first one's until it is written whole.
        assert [path.name for path in (folder / "lake" / "_intent").glob("*.json")] == ["batch0.json"]
    work = run_mixed(spark, settings)
    assert lines_of(work.lake) == lines_of(whole.lake)
    assert rows_in(work.lake, BRONZE, ["ingest_id"]) == rows_in(whole.lake, BRONZE, ["ingest_id"])
    assert rows_in(work.lake, TABLES) == rows_in(whole.lake, TABLES)


@pytest.mark.long
def test_killed_and_run_again_gives_the_same_tables(spark: SparkSession, whole: Run, tmp_path: Path) -> None:
    """kill -9 in pull, in bronze and in silver, each at another moment every time."""
    folder = tmp_path / "mix"
    settings = mixed_settings(folder)
    mixed_logs(folder)
    lake = folder / "lake"
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    killed_when(folder / "observatory.toml", "landing/*/*/*", chance.uniform(0, 0.1))
    assert not (lake / "bronze").exists()
    killed_when(folder / "observatory.toml", "_intent/*.json", chance.uniform(0, 5))
    assert list(lake.glob("_intent/*.json"))
    assert not (lake / "silver").exists()
    killed_when(folder / "observatory.toml", "silver/*/_delta_log/*0.json", chance.uniform(0, 0.5))
    assert not (lake / "gold").exists()
    work = run_mixed(spark, settings)
    assert rows_in(work.lake, TABLES) == rows_in(whole.lake, TABLES)
    assert not list(lake.glob("_intent/*")) and not list(lake.glob("_staging/*"))
    assert lines_of(work.lake) == lines_of(whole.lake)


@pytest.mark.long
def test_any_interleaving_of_the_files_over_runs_gives_the_same_tables(
    spark: SparkSession, whole: Run, tmp_path: Path
) -> None:
    """Logs arrive file by file over four runs, in an order by lot; some come cut and grow in the
    next run; reports come a second time under another name."""
    source, folder = tmp_path / "all", tmp_path / "mix"
    settings = mixed_settings(folder)
    # Of the reports those that are none may come first, and be all that there is.
    limits = settings.limits.model_copy(update={"quarantined_pct": 100})
    settings = settings.model_copy(update={"limits": limits})
    source.mkdir()
    mixed_logs(source)
    files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    runs = 4
    arrives = {file: chance.randrange(runs) for file in files}
    cut = {file for file in files if file.suffix not in (".xml", ".eml") and chance.random() < 0.6}
    for number in range(runs):
        for file in files:
            data = (source / file).read_bytes()
            if arrives[file] == number and file in cut and number < runs - 1:
                # In the middle of a line too, but not before the format can be told.
                (folder / file).write_bytes(data[: chance.randrange(len(data) // 2, len(data))])
            elif arrives[file] == number or (arrives[file] == number - 1 and file in cut):
                (folder / file).write_bytes(data)
                shutil.copystat(source / file, folder / file)
                if file.suffix in (".xml", ".eml"):
                    shutil.copy(folder / file, folder / file.with_stem(f"{file.stem}-again"))
        pull_mixed(settings, may_miss=True)
        work = Run(
            Lake(spark, settings.lake.root),
            settings,
            list(settings.operator),
            f"run{number}",
            say=lambda _: None,
        )
        run(work)
    assert rows_in(work.lake, TABLES) == rows_in(whole.lake, TABLES)
