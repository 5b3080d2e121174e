"""Whole runs over a mix of formats against kills, a full disk and any order of what arrives: the same tables.

The mix is that of tests/support/mixed.py: mail servers, filters, reports, calls, SMS and a profile.
"""

import random
import shutil
from pathlib import Path

import pytest

from jobs.base.core.disk import DiskFull, is_full
from jobs.base.engine.embedded import Inline
from jobs.base.store.lake import Lake
from jobs.operators.build.batches import Ingest
from jobs.operators.build.bronze_stage import ingest_pending
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.build.run import Run
from jobs.operators.runs.runner import run_stages
from jobs.operators.silver.frames import SILVER
from tests.support.file_limits import files_no_longer_than
from tests.support.mixed import mixed_logs, mixed_settings, pull_mixed, run_mixed
from tests.support.whole_runs import killed_when, rows_in

TABLES = (*SILVER, *GOLD)
# What bronze says of a line; its batch's own name is another each time.
BRONZE = [
    f"bronze.{name}"
    for name in ("exim", "postfix", "amavis", "kannel", "kamailio", "delimited", "dmarc", "quarantine")
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    mixed_logs(folder)
    return run_mixed(mixed_settings(folder))


def lines_of(lake: Lake) -> int:
    return int(lake.read("bronze.file")["line_count"].sum())


@pytest.mark.long
def test_a_disk_that_fills_in_bronze(whole: Run, tmp_path: Path) -> None:
    """First no file of a task fits, then small ones do, then a large one does not."""
    folder = tmp_path / "mix"
    settings = mixed_settings(folder)
    mixed_logs(folder)
    pull_mixed(settings)
    lake = Lake(settings.lake.root)
    work = Ingest(lake, settings, list(settings.operator), Inline())
    for number, size in enumerate((4_000, 8_000, 30_000)):
        with files_no_longer_than(size), pytest.raises(Exception) as failed:  # noqa: PT011
            ingest_pending(work, f"batch{number}")
        assert isinstance(failed.value, DiskFull) or is_full(failed.value), failed.value
        assert not lake.exists("bronze.file")
        # The batch is the first one's until it is written whole.
        assert [path.name for path in (folder / "lake" / "_intent").glob("*.json")] == ["batch0.json"]
    again = run_mixed(settings)
    assert lines_of(again.lake) == lines_of(whole.lake)
    assert rows_in(again.lake, BRONZE, ["ingest_id"]) == rows_in(whole.lake, BRONZE, ["ingest_id"])
    assert rows_in(again.lake, TABLES) == rows_in(whole.lake, TABLES)


@pytest.mark.long
def test_killed_and_run_again_gives_the_same_tables(whole: Run, tmp_path: Path) -> None:
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
    killed_when(folder / "observatory.toml", "_intent/*.json", chance.uniform(0, 0.5))
    assert list(lake.glob("_intent/*.json"))
    assert not (lake / "silver").exists()
    killed_when(folder / "observatory.toml", "silver/*/_delta_log/*0.json", chance.uniform(0, 0.1))
    assert not (lake / "gold").exists()
    work = run_mixed(settings)
    assert rows_in(work.lake, TABLES) == rows_in(whole.lake, TABLES)
    assert not list(lake.glob("_intent/*")) and not list(lake.glob("_staging/*"))
    assert lines_of(work.lake) == lines_of(whole.lake)


@pytest.mark.long
def test_any_interleaving_of_the_files_over_runs_gives_the_same_tables(whole: Run, tmp_path: Path) -> None:
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
            Lake(settings.lake.root),
            settings,
            list(settings.operator),
            f"run{number}",
            report_step=lambda _: None,
        )
        run_stages(work)
    assert rows_in(work.lake, TABLES) == rows_in(whole.lake, TABLES)
