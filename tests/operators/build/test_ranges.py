"""Ranges of logs as tasks: few and large frames in staging, and work for every worker."""

import pytest

from jobs.base.engine.embedded import Inline
from jobs.operators.build.batches import Ingest
from jobs.operators.build.ranges import LARGEST_RANGE, RANGES_OF_A_TASK, SMALLEST_FRAME, bytes_of_a_task


def of(workers: int, buckets: int, staging: str | None, ranges: int, size: int = LARGEST_RANGE) -> int:
    engine = Inline()
    engine.workers = workers
    work = Ingest(None, None, [], engine, staging, buckets)  # type: ignore[arg-type]
    return bytes_of_a_task(work, [size] * ranges)


@pytest.mark.parametrize("staging", ["staging", None])
def test_a_task_parses_one_long_range_where_a_bucket_gets_enough_of_it(staging: str | None) -> None:
    assert of(2, 32, staging, 50) == LARGEST_RANGE
    assert of(2, 1, staging, 0) == 0


def test_a_task_parses_more_where_its_frames_would_be_small() -> None:
    assert of(2, 256, "staging", 600) == RANGES_OF_A_TASK * LARGEST_RANGE == 256 * SMALLEST_FRAME
    assert of(2, 128, "staging", 600) == 128 * SMALLEST_FRAME
    # What a task holds has its bound, and nothing is gathered for nobody.
    assert of(2, 4096, "staging", 6000) == RANGES_OF_A_TASK * LARGEST_RANGE
    assert of(2, 256, None, 600) == LARGEST_RANGE


def test_every_worker_has_tasks() -> None:
    assert of(64, 256, "staging", 600) < 3 * LARGEST_RANGE
    assert of(300, 256, "staging", 600) == LARGEST_RANGE


@pytest.mark.parametrize("staging", ["staging", None])
def test_small_files_share_a_task(staging: str | None) -> None:
    """Thousands of reports of 2 kB each were as many tasks, and as many files of a table."""
    size = 2_000
    for buckets in (1, 4):
        bytes_of_a_task = of(2, buckets, staging, 10_000, size)
        assert SMALLEST_FRAME >= bytes_of_a_task >= 100 * size
