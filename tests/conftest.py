"""One Spark session for all tests of a process, started when the first test needs it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parent.parent
# A key of the tests' own; nothing that it protects is real.
KEY = "0123456789abcdef0123456789abcdef"
os.environ["OBSERVATORY_PSEUDONYM_KEY"] = KEY
# A worker of pytest-xdist is told the width of a terminal that is not its own.
os.environ.pop("COLUMNS", None)
# At its end py4j tells that connections close, to an output that is closed by then.
logging.getLogger("py4j").setLevel(logging.WARNING)
# How long an example takes says something about the machine alone.
hypothesis.settings.register_profile("observatory", deadline=None)
hypothesis.settings.load_profile("observatory")


# What a stage is planned by: jobs/session.py changes it, and so do tests of that.
ADAPTIVE, CODE = "spark.sql.adaptive.enabled", "spark.sql.codegen.factoryMode"
SHUFFLES = "spark.sql.shuffle.partitions"


@contextmanager
def same_plans(spark: SparkSession) -> Iterator[SparkSession]:
    """How stages are planned is afterwards what it was, for the tests that share the session."""
    before = {key: spark.conf.get(key) for key in (ADAPTIVE, CODE, SHUFFLES)}
    try:
        yield spark
    finally:
        for key, value in before.items():
            spark.conf.set(key, value)


@pytest.fixture
def tuned(spark: SparkSession) -> Iterator[SparkSession]:
    """The session, for a test that plans otherwise."""
    with same_plans(spark):
        yield spark


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    from jobs.config import Spark
    from jobs.session import open_session

    conf: dict[str, str | int | bool] = {
        # Frames are small: more partitions only cost start-up time.
        "spark.sql.shuffle.partitions": 2,
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
    }
    # The tests are done before a better compiler or a parallel collector would pay; so many generated
    # classes need more room for their code than that compiler reserves.
    java = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m"
    session = open_session(Spark(conf=conf, java_options=java), "tests")
    yield session
    session.stop()
