"""The Spark engine with the lake in an object store: the same rows as in a folder; and a cluster whose
machines share nothing but the store."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.base.places.store_errors import StoreAway
from jobs.base.settings import config
from jobs.base.store.lake import Lake
from jobs.operators.build.run import Run
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs.runner import run_stages
from tests.base.engine.test_spark import HERE, mixed_run, with_engine
from tests.conftest import KEY
from tests.support.cluster import end, standalone
from tests.support.lakes_on_s3 import ROOT, rows_of_lake, start_store
from tests.support.mixed import mixed_logs, mixed_settings, pull_mixed
from tests.support.servers import S3
from tests.support.wheels import built_wheel

# A cluster on one machine that is at work is slow.
pytestmark = [pytest.mark.remote, pytest.mark.timeout(1800)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    yield from start_store(tmp_path / "s3", monkeypatch)


@pytest.fixture(scope="module")
def rows_in_a_folder(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The mix, as the embedded engine computes it in a folder."""
    folder = tmp_path_factory.mktemp("embedded")
    mixed_logs(folder)
    return rows_of_lake(mixed_run(mixed_settings(folder), "embedded").lake)


def mix_on_s3(folder: Path) -> config.Observatory:
    mixed_settings(folder)
    mixed_logs(folder)
    return load_with_options(folder / "observatory.toml", lake_root=ROOT)


def test_spark_writes_the_same_rows(
    tmp_path: Path, store: S3, rows_in_a_folder: dict[str, list[str]]
) -> None:
    mixed_run(with_engine(mix_on_s3(tmp_path / "mix"), HERE), "spark")
    assert rows_of_lake(Lake(ROOT)) == rows_in_a_folder
    assert not store.files().find("logs/lake/_staging")


# --- a cluster ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_wheel(tmp_path_factory.mktemp("clone"))


def test_a_cluster_goes_on_after_a_worker_is_killed_and_again_after_the_store_was_away(
    tmp_path: Path, store: S3, wheel: Path, rows_in_a_folder: dict[str, list[str]]
) -> None:
    """Workers see the wheel, the packages and the store, and neither the lake nor staging as files."""
    seen: list[str] = []
    timers: list[threading.Timer] = []

    def away() -> None:
        store.kill()
        store.start()

    def run_mix(run_id: str) -> None:
        work = Run(Lake(ROOT), settings, list(settings.operator), run_id, report_step=say)
        run_stages(work)

    with standalone(tmp_path / "cluster", wheel, KEY) as cluster:

        def say(text: str) -> None:
            for stage, what in (("silver", lambda: end(cluster.workers[0])), ("gold", away)):
                if text.startswith(stage) and stage not in seen:
                    seen.append(stage)
                    timers.append(threading.Timer(1.0, what))
                    timers[-1].start()

        settings = with_engine(mix_on_s3(tmp_path / "mix"), cluster.engine())
        pull_mixed(settings, may_miss=True)
        # Requests that were under way when the store ended are tried again, or end the run.
        with contextlib.suppress(StoreAway):
            run_mix("disturbed")
        for each in timers:
            each.join()
        assert seen == ["silver", "gold"] and cluster.workers[0].poll() is not None
        run_mix("again")
        assert rows_of_lake(Lake(ROOT)) == rows_in_a_folder
        assert not store.files().find("logs/lake/_staging")
        assert not list((tmp_path / "mix").rglob("*.arrow"))
