"""Fixtures of all tests: a pseudonym key, and settings of the libraries that run them."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from jobs.operators.build.run import Run

# As in workers: threads of two processes that run tests would wait for each other. Polars reads it when it is
# imported, which is later.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
# A key of the tests' own; nothing that it protects is real.
KEY = "0123456789abcdef0123456789abcdef"
os.environ["OBSERVATORY_PSEUDONYM_KEY"] = KEY
# The time at which logs are read, of tests that do not set their own: none depends on the machine's clock.
os.environ["OBSERVATORY_READ_AT"] = "2027-01-01T00:00:00Z"
# pytest-xdist gives its workers the width of a terminal that is not theirs.
os.environ.pop("COLUMNS", None)
# The same commit gives the same result: property tests try the same examples each time. `make test-random`
# tries others. The time of an example depends on the machine alone. tests/support/examples.py has how many.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=20)
hypothesis.settings.register_profile("thorough", deadline=None, derandomize=True, max_examples=100)
hypothesis.settings.register_profile("random", deadline=None, max_examples=100, print_blob=True)
hypothesis.settings.load_profile("repeatable")
# A fifth of all time went into looking for circles among objects that live until the end.
gc.set_threshold(50_000, 50, 100)


def pytest_collection_finish() -> None:
    """Leave what was collected out of every later search for circles."""
    gc.freeze()


@pytest.fixture(autouse=True)
def keys_of_one_test() -> Iterator[None]:
    """Settings that name a key file, or say how a lake is reached, do it for the whole process: the next test
    begins without it."""
    yield
    os.environ.pop("OBSERVATORY_PSEUDONYM_KEY_FILE", None)
    os.environ.pop("OBSERVATORY_LAKE_ACCESS", None)
    if s3 := sys.modules.get("jobs.base.places.s3"):
        s3.connect_once.cache_clear()
    os.environ["OBSERVATORY_PSEUDONYM_KEY"] = KEY


@pytest.fixture(scope="session")
def mixed_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of every format that the lab has (tests/support/mixed.py), for tests that only read."""
    from tests.support.mixed import mixed_logs, mixed_settings, run_mixed

    folder = tmp_path_factory.mktemp("mixed")
    mixed_logs(folder)
    return run_mixed(mixed_settings(folder))
