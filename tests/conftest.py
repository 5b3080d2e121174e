"""One Spark session for all tests, started when the first test needs it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# A key of the tests' own; nothing that it protects is real.
KEY = "0123456789abcdef0123456789abcdef"
os.environ["OBSERVATORY_PSEUDONYM_KEY"] = KEY


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    from jobs.config import Spark
    from jobs.session import LOGGING, open_session

    conf: dict[str, str | int | bool] = {
        # The tests are done before a better compiler or a parallel collector would pay.
        # Compiled code of so many generated classes needs more room than that compiler reserves.
        "spark.driver.extraJavaOptions": (
            f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m {LOGGING}"
        ),
        # Frames are small: more partitions only cost start-up time.
        "spark.sql.shuffle.partitions": 2,
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
    }
    session = open_session(Spark(conf=conf), "tests")
    yield session
    session.stop()
