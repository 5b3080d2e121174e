"""A stage's shuffles follow the bytes that go into it, unless the settings say otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from jobs import session
from jobs.config import Spark

ADAPTIVE, SHUFFLES = "spark.sql.adaptive.enabled", "spark.sql.shuffle.partitions"


@pytest.fixture
def tuned(spark: SparkSession) -> Iterator[SparkSession]:
    before = {key: spark.conf.get(key) for key in (ADAPTIVE, SHUFFLES)}
    yield spark
    for key, value in before.items():
        spark.conf.set(key, value)


def shown(spark: SparkSession) -> tuple[str | None, str | None]:
    return spark.conf.get(ADAPTIVE), spark.conf.get(SHUFFLES)


def test_little_data_is_planned_once_and_much_is_adapted(tuned: SparkSession) -> None:
    session.tune(tuned, 0, Spark())
    assert shown(tuned) == ("false", str(tuned.sparkContext.defaultParallelism))
    session.tune(tuned, session.SMALL, Spark())
    assert tuned.conf.get(ADAPTIVE) == "false"
    session.tune(tuned, 1 << 34, Spark())
    assert shown(tuned) == ("true", str((1 << 34) // session.PARTITION))


def test_what_the_settings_say_stays(tuned: SparkSession) -> None:
    for key, value in ((ADAPTIVE, "true"), (SHUFFLES, "37")):
        tuned.conf.set(key, value)
    session.tune(tuned, 0, Spark(conf={ADAPTIVE: True, SHUFFLES: 37}))
    assert shown(tuned) == ("true", "37")
