"""jobs.delta_log: a table read by its log is the table that Spark reads."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.contracts import struct_type
from jobs.delta_log import data_files, read_table, versions
from jobs.errors import ObservatoryError
from jobs.lake import Lake, properties
from tests.delta import write_delta

TABLE = "gold.spam_volume_daily"


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A table of four commits with a checkpoint after every second one; days are replaced on the way."""
    lake = Lake(spark, str(tmp_path_factory.mktemp("delta_log")))

    def rows(day: int, units: int) -> Any:
        names = struct_type(TABLE).names
        row = {
            "operator_id": "a b+c",
            "period_date": dt.date(2026, 11, day),
            "unit_code": "recipient",
            "units": units,
        }
        return spark.createDataFrame([tuple(row.get(name) for name in names)], struct_type(TABLE))

    frame = rows(1, 1).write.format("delta").partitionBy("operator_id", "period_date")
    frame.options(**properties(TABLE), **{"delta.checkpointInterval": "2"}).save(lake.path(TABLE))
    for number, (day, units) in enumerate([(2, 20), (1, 3), (3, 30)]):
        lake.replace(rows(day, units), TABLE, f"period_date = DATE '2026-11-{day:02}'", {"number": number})
    return lake


def units_of(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return sorted(frame.select("operator_id", "period_date", "units").rows())


def test_each_version_is_what_spark_reads(lake: Lake) -> None:
    log = Path(lake.path(TABLE)) / "_delta_log"
    assert list(log.glob("*.checkpoint*.parquet"))
    for version in (1, 2, None):
        spark = lake.read(TABLE, version).select("operator_id", "period_date", "units").collect()
        assert units_of(read_table(lake.root, TABLE, version)) == sorted(tuple(row) for row in spark)
    assert len(data_files(lake.root, TABLE)) == 3


def test_a_log_whose_old_commits_were_cleaned_up_is_read_from_its_checkpoint(lake: Lake) -> None:
    expected = units_of(read_table(lake.root, TABLE))
    log = Path(lake.path(TABLE)) / "_delta_log"
    oldest = min(int(each.name[:20]) for each in log.glob("*.checkpoint*.parquet"))
    for commit in log.glob("*.json"):
        if commit.name[:20].isdigit() and int(commit.name[:20]) < oldest:
            commit.unlink()
    assert units_of(read_table(lake.root, TABLE)) == expected
    assert read_table(lake.root, TABLE, oldest).height > 0
    with pytest.raises(ObservatoryError, match="its log has no version 0 any more"):
        read_table(lake.root, TABLE, 0)


def test_a_checkpoint_stands_for_the_commits_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "gold" / "spam_volume_daily"
    for version, units in enumerate((1, 20, 3)):
        day = dt.date(2026, 11, version + 1)
        rows = pl.DataFrame({"operator_id": ["a b+c"], "period_date": [day], "units": [units]})
        write_delta(folder, rows, ["operator_id", "period_date"], version)
    before = read_table(str(tmp_path), TABLE)
    files = [(file.path, list(file.partition.items())) for file in data_files(str(tmp_path), TABLE, 1)]
    added = [{"path": path, "partitionValues": values} for path, values in files]
    kind = pa.struct([("path", pa.string()), ("partitionValues", pa.map_(pa.string(), pa.string()))])
    log = folder / "_delta_log"
    pq.write_table(pa.table({"add": pa.array([None, *added], kind)}), log / f"{1:020}.checkpoint.parquet")
    for version in (0, 1):
        (log / f"{version:020}.json").unlink()
    assert units_of(read_table(str(tmp_path), TABLE)) == units_of(before)
    assert [row[2] for row in units_of(read_table(str(tmp_path), TABLE, 1))] == [1, 20]


def test_a_commit_that_is_missing_is_an_error(tmp_path: Path) -> None:
    rows = pl.DataFrame({"operator_id": ["a"], "period_date": [dt.date(2026, 11, 1)], "units": [1]})
    folder = tmp_path / "gold" / "spam_volume_daily"
    for version in (0, 2):
        write_delta(folder, rows, ["operator_id", "period_date"], version)
    with pytest.raises(ObservatoryError, match="commit 1 is missing from its log"):
        read_table(str(tmp_path), TABLE)


def test_what_was_never_written_is_empty(tmp_path: Path) -> None:
    assert read_table(str(tmp_path), TABLE).is_empty()
    assert versions(str(tmp_path)) == {}
