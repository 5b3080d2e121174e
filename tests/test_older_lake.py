"""Lakes of earlier versions: a table that lacks a column of its contract is read, and gets it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.contracts import contract, struct_type
from jobs.lake import Lake

TABLE = "bronze.rspamd"


def test_a_column_that_came_later_is_null_in_older_rows(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, str(tmp_path))
    row = {
        "operator_id": "a",
        "stream_id": "s",
        "offset": 0,
        "assembly_key": "k",
        "first_at": dt.datetime(2026, 11, 24, tzinfo=dt.UTC),
        "event_date": dt.date(2026, 11, 24),
    }
    lake.append(lake.local([row], TABLE).drop("fuzzy"), TABLE)
    before = lake.read(TABLE)
    assert before.columns == contract(TABLE).columns
    assert [each.fuzzy for each in before.collect()] == [None]
    lake.append(lake.local([row | {"offset": 9, "fuzzy": "00ff"}], TABLE), TABLE)
    assert [each.fuzzy for each in lake.read(TABLE).orderBy("offset").collect()] == [None, "00ff"]
    # The version before is still read as it was, and a day is replaced as before.
    assert lake.read(TABLE, 0).columns == contract(TABLE).columns
    day = "operator_id = 'a' AND event_date = DATE '2026-11-24'"
    lake.replace(lake.local([row | {"fuzzy": "11ee"}], TABLE), TABLE, day, {})
    after = lake.read(TABLE)
    assert after.columns == contract(TABLE).columns
    assert [each.fuzzy for each in after.collect()] == ["11ee"]


def test_a_table_that_is_replaced_gets_its_later_column(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake(spark, str(tmp_path))
    row = {
        "operator_id": "a",
        "period_date": dt.date(2026, 11, 24),
        "verdict_hash": "v",
        "engine_code": "rspamd",
    }
    row |= {"verdict_at": dt.datetime(2026, 11, 24, tzinfo=dt.UTC), "key_id": "k"}
    day = "operator_id = 'a' AND period_date = DATE '2026-11-24'"
    table = "silver.verdict"
    lake.replace(lake.local([row], table).drop("fuzzy_hash", "subject_hash"), table, day, {})
    lake.replace(lake.local([row | {"subject_hash": "s"}], table), table, day, {})
    assert [(each.fuzzy_hash, each.subject_hash) for each in lake.read(table).collect()] == [(None, "s")]


def test_a_table_that_is_computed_as_a_whole_is_written_anew(spark: SparkSession, tmp_path: Path) -> None:
    """As study tables are: other columns, other types and periods of an earlier version are gone."""
    lake = Lake(spark, str(tmp_path))
    table = "study.investment_gap"
    row = {"period_code": "2026", "area_code": "WORLD", "channel_code": "EMAIL", "target_code": "norm"}
    earlier = lake.local([row, row | {"period_code": "2025"}], table).drop("gap", "spend")
    earlier = earlier.withColumn("gone", F.lit(1)).withColumn("necessary", F.lit(1).cast("decimal(9,1)"))
    earlier.write.format("delta").partitionBy("period_code").save(lake.path(table))
    lake.rewrite(lake.local([row | {"gap": Decimal("1.25")}], table), table, {"run_id": "r2"})
    after = spark.read.format("delta").load(lake.path(table))
    assert [(each.name, each.dataType) for each in after.schema] == [
        (each.name, each.dataType) for each in struct_type(table)
    ]
    assert [(each.period_code, each.gap) for each in after.collect()] == [("2026", Decimal("1.25"))]
    assert lake.version(table) == 1
    lake.rewrite(lake.local([], table), table, {"run_id": "r3"})
    assert lake.read(table).count() == 0
