"""How a stage is planned follows the bytes that go into it, unless the settings say otherwise."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from jobs import session
from jobs.config import Spark
from tests.conftest import ADAPTIVE, CODE, SHUFFLES


def shown(spark: SparkSession) -> tuple[str | None, str | None, str | None]:
    return spark.conf.get(ADAPTIVE), spark.conf.get(CODE), spark.conf.get(SHUFFLES)


def test_little_data_is_planned_once_and_much_is_adapted_and_compiled(tuned: SparkSession) -> None:
    assert session.tune(tuned, 0, Spark())
    assert shown(tuned) == ("false", "NO_CODEGEN", str(tuned.sparkContext.defaultParallelism))
    assert session.tune(tuned, session.SMALL, Spark())
    assert tuned.conf.get(ADAPTIVE) == "false"
    assert not session.tune(tuned, 1 << 34, Spark())
    assert shown(tuned) == ("true", "FALLBACK", str((1 << 34) // session.PARTITION))


def test_what_the_settings_say_stays(tuned: SparkSession) -> None:
    for key, value in ((ADAPTIVE, "true"), (CODE, "CODEGEN_ONLY"), (SHUFFLES, "37")):
        tuned.conf.set(key, value)
    session.tune(tuned, 0, Spark(conf={ADAPTIVE: True, CODE: "CODEGEN_ONLY", SHUFFLES: 37}))
    assert shown(tuned) == ("true", "CODEGEN_ONLY", "37")


@pytest.mark.parametrize("is_small", [True, False])
def test_a_held_frame_is_computed_once_and_ends_the_plan_if_it_is_small(
    spark: SparkSession, is_small: bool
) -> None:
    counted = spark.sparkContext.accumulator(0)

    def count(batches):  # type: ignore[no-untyped-def]
        for batch in batches:
            counted.add(batch.num_rows)
            yield batch

    frame = session.held(spark.range(10, numPartitions=1).mapInArrow(count, "id long"), is_small)
    assert counted.value == 0
    assert frame.count() == 10 and frame.filter("id > 3").count() == 6
    assert counted.value == 10
    plan = frame.selectExpr("id + 1")._jdf.queryExecution().analyzed().toString()
    assert ("MapInArrow" in plan) is not is_small
    frame.unpersist()
