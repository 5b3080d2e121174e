"""Lakes of earlier versions: a table that lacks a column of its contract is read, and gets it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from pyspark.sql import SparkSession

from jobs.contracts import contract
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
