"""Rows that the buckets of silver need of each other are read and joined once, with any number of buckets."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.engine import silver_buckets
from jobs.base.engine.embedded import Inline
from jobs.base.engine.tasks import R, StagedFrame, Task
from jobs.base.settings import config
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs import runner
from jobs.operators.silver import hops, refusals, steps
from jobs.operators.silver.frames import SILVER
from sample_data.generate import generate
from sample_data.generator.profiles import PROFILES
from tests.operators.build.test_build import elsewhere, run_on
from tests.support.whole_runs import rows_in


@pytest.fixture(scope="module")
def amavis(tmp_path_factory: pytest.TempPathFactory) -> config.Observatory:
    """Settings of an operator whose mail passes Amavis."""
    folder = tmp_path_factory.mktemp("amavis")
    generate(folder, seed=11, days=1, megabytes=0.3, operators=PROFILES["amavis"])
    return load_with_options(folder / "observatory.toml")


def counted(monkeypatch: pytest.MonkeyPatch, rows: Counter[str], module: Any, name: str, place: int) -> None:
    """Add up the rows that a function gets in one of its arguments."""
    function = getattr(module, name)

    def adding(*arguments: Any) -> Any:
        frame: pl.DataFrame = arguments[place]
        rows[name] += frame.height
        return function(*arguments)

    monkeypatch.setattr(module, name, adding)


class Noting(Inline):
    """An engine that notes the frames of rows that move to another bucket."""

    def __init__(self) -> None:
        self.moving: list[StagedFrame] = []

    def run_tasks(
        self, tasks: Iterable[Task[R]], done: Callable[[int], None] = lambda count: None
    ) -> list[R]:
        tasks = list(tasks)
        found = super().run_tasks(tasks, done)
        for task, left in zip(tasks, found, strict=True):
            if task.about.startswith("silver, rows that move"):
                self.moving += left.frames
        return found


@pytest.mark.long
def test_narrow_rows_are_joined_once_however_many_buckets_there_are(
    amavis: config.Observatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parents of all later hops were joined for each part of the children: 3,955 parts times 437,000."""
    monkeypatch.setattr(silver_buckets, "BUCKETS_OF_A_CUT", 4)
    found: dict[int, dict[str, int]] = {}
    tables: dict[int, dict[str, list[str]]] = {}
    for count in (1, 16):
        settings = elsewhere(amavis, tmp_path / str(count))
        [operator] = settings.operator
        assert settings.lake.read_at is not None
        pull_operator(operator, settings.lake.root, settings.lake.read_at)
        rows: Counter[str] = Counter()
        with monkeypatch.context() as patch:
            patch.setattr(silver_buckets, "bucket_count", lambda *arguments, count=count: count)
            counted(patch, rows, hops, "find_parents", 0)
            counted(patch, rows, steps, "open_rows", 2)
            counted(patch, rows, refusals, "find_followed", 0)
            counted(patch, rows, refusals, "drop_followed", 1)
            shares: list[float] = []
            engine = Noting()
            move = lambda stage, share, size, to=shares: to.append(share)  # noqa: E731
            work = run_on(engine, settings, runner.STAGES[:2], report_progress=move)
        # Each bucket leaves a frame for each cut, not for each bucket.
        assert {left.count for left in engine.moving} == {silver_buckets.cut_count(count)}
        # The line of a long stage moves with each cut, and never back.
        silver = shares[shares.index(1.0) + 1 :]
        assert silver == sorted(silver)
        assert len([share for share in silver if 0.55 < share <= 0.6]) >= 3 * silver_buckets.cut_count(count)
        found[count], tables[count] = dict(rows), rows_in(work.lake, SILVER)
    assert tables[16] == tables[1]
    assert min(found[1].values()) > 0
    assert found[16] == found[1]
