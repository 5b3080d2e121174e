"""Engines compared: both write the same rows from a log of every format."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from jobs.base.settings.config import Observatory
from jobs.base.settings.node import EngineSettings
from jobs.base.store.lake import Lake
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.build.run import Run
from jobs.operators.formats.registry import KERNELS
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.runs.runner import run_stages
from jobs.operators.silver.frames import SILVER
from tests.support.canary_logs import canary_settings
from tests.support.samples import CANARIES
from tests.support.whole_runs import rows_in

BRONZE = tuple(f"bronze.{name}" for name in sorted(KERNELS))


def computed(settings: Observatory, landing: Path, engine: EngineSettings) -> Lake:
    """A lake of the landed logs, computed by an engine."""
    root = landing.parent.parent / engine.name
    shutil.copytree(landing.parent, root)
    there = settings.lake.model_copy(update={"root": str(root)})
    work = settings.model_copy(update={"engine": engine, "lake": there})
    lake = Lake(str(root))
    run_stages(Run(lake, work, list(work.operator), "every-format", report_step=lambda text: None))
    return lake


@pytest.mark.long
def test_both_engines_write_the_same_rows_of_every_format(tmp_path: Path) -> None:
    settings = canary_settings(tmp_path)
    assert {log.kernel for log in CANARIES} == set(KERNELS)
    (operator,) = settings.operator
    assert pull_operator(operator, settings.lake.root, dt.datetime.now(dt.UTC)).problems == []
    landing = Path(settings.lake.root) / "landing"
    lakes = [
        computed(settings, landing, engine)
        for engine in (settings.engine, EngineSettings(name="spark", master="local[2]"))
    ]
    # A batch of bronze has an id of its own in each lake.
    embedded, spark = (
        rows_in(lake, BRONZE, but=["ingest_id"]) | rows_in(lake, (*SILVER, *GOLD)) for lake in lakes
    )
    assert [table for table in BRONZE if not embedded[table]] == []
    assert [table for table in embedded if embedded[table] != spark[table]] == []
