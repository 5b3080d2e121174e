"""Delta tables that delta-rs writes: delta-spark, DuckDB, Polars and pyarrow read the same rows from each.

Every table gets rows with the edges of its types, half of them as a whole frame and half as files that tasks
write, which the lake then commits.
"""

import datetime as dt
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from jobs.base.store import compaction
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import plain_type, write_files
from jobs.base.tables.contracts import Contract, arrow_schema, list_tables, polars_schema, read_contract
from jobs.operators.keep.retention import COMPACTED

TABLES = [table for table in list_tables() if not table.startswith("ref.")]
ZONE = dt.UTC
EDGES: dict[Any, list[Any]] = {
    pl.String: ["", "Zürich 'ab' \"c\" \\ \n\t☃ 🐟", "NULL"],
    pl.Boolean: [False, True, False],
    pl.Int32: [-(2**31), 2**31 - 1, 0],
    pl.Int64: [-(2**63), 2**63 - 1, 0],
    pl.Float64: [-1e300, 5e-324, 0.1],
    pl.Date: [dt.date(1970, 1, 1), dt.date(2024, 2, 29), dt.date(2026, 12, 31)],
    pl.Datetime: [
        dt.datetime(1970, 1, 1, tzinfo=ZONE),
        # The hour that summer time skips in most of Europe, to the microsecond.
        dt.datetime(2026, 3, 29, 2, 30, 0, 999_999, tzinfo=ZONE),
        dt.datetime(2026, 12, 31, 23, 59, 59, tzinfo=ZONE),
    ],
    pl.Binary: [b"", b"\x00\xff", bytes(range(256))],
}


def value(kind: Any, row: int) -> Any:
    """The edge of a type for a row; rows without one are null."""
    if row == 0:
        return None
    if isinstance(kind, pl.List):
        return [[], [value(kind.inner, 1), None], [value(kind.inner, 2), value(kind.inner, 3)]][row - 1]
    if isinstance(kind, pl.Struct):
        return {field.name: value(field.dtype, row) for field in kind.fields}
    if isinstance(kind, pl.Decimal):
        # By digits: arithmetic would round to the 28 that Python's context keeps.
        least, most = (Decimal((sign, (9,) * kind.precision, -kind.scale)) for sign in (1, 0))
        return [least, most, Decimal(0)][row - 1]
    return EDGES[kind.base_type()][row - 1]


def partition_value(kind: Any, name: str) -> Any:
    """One value of a partition column: of the types that contracts partition by."""
    return {pl.String: f"{name}-1", pl.Date: dt.date(2026, 3, 29)}[kind.base_type()]


def sample(contract: Contract) -> pl.DataFrame:
    """Four rows of a table: one of nulls and three of the edges of its types, in one partition."""
    return pl.DataFrame(
        {
            name: pl.Series(
                [
                    partition_value(kind, name)
                    if name in contract.partition_by
                    else (value(kind, row) if row else None)
                    for row in range(4)
                ],
                dtype=kind,
            )
            for name, kind in polars_schema(contract.table).items()
        }
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake in which each table has its sample twice."""
    made = Lake(str(tmp_path_factory.mktemp("lake")))
    for table in TABLES:
        rows = sample(read_contract(table))
        made.append(rows, table)
        made.add_files(table, write_files(rows, table, made.root))
    return made


def expected(table: str) -> pl.DataFrame:
    return in_order(pl.concat([sample(read_contract(table))] * 2))


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in an order that depends on its rows alone."""
    keys = [repr(row) for row in frame.rows()]
    return frame[sorted(range(frame.height), key=keys.__getitem__)]


def same(found: pl.DataFrame, table: str) -> None:
    """The rows are those that were written, in the contract's types."""
    assert_frame_equal(in_order(found.cast(polars_schema(table))), expected(table), check_exact=True)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_needs_no_feature_that_a_reader_may_lack(lake: Lake, table: str) -> None:
    about = DeltaTable(lake.path(table))
    protocol = about.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert not protocol.reader_features and not protocol.writer_features
    assert about.metadata().partition_columns == list(read_contract(table).partition_by)


@pytest.mark.parametrize("table", TABLES)
def test_polars_reads_every_table(lake: Lake, table: str) -> None:
    found = pl.read_delta(lake.path(table))
    assert found.schema == pl.Schema(polars_schema(table))
    same(found, table)
    same(lake.read(table), table)


@pytest.mark.parametrize("table", TABLES)
def test_pyarrow_reads_every_table(lake: Lake, table: str) -> None:
    found = DeltaTable(lake.path(table)).to_pyarrow_table()
    types = {field.name: plain_type(field.type) for field in found.schema}
    assert types == {field.name: field.type for field in arrow_schema(table)}
    same(pl.DataFrame(found), table)


@pytest.mark.parametrize("table", TABLES)
def test_duckdb_reads_every_table(lake: Lake, table: str) -> None:
    """DuckDB reads the files that the log names: its own reader of Delta is an extension that it
    downloads."""
    files = DeltaTable(lake.path(table)).file_uris()
    types = {pl.String: "VARCHAR", pl.Date: "DATE"}
    by = {name: types[polars_schema(table)[name].base_type()] for name in read_contract(table).partition_by}
    hive = f", hive_partitioning = true, hive_types = {by}" if by else ""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = f"SELECT * FROM read_parquet($1{hive})"
        found = connection.sql(query, params=[files]).to_arrow_table()
    same(pl.DataFrame(found).select(list(polars_schema(table))), table)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Spark with Delta, for one test: `make test-long` installs both."""
    pytest.importorskip("pyspark", reason="the extra `spark` is not installed")
    from pyspark.sql import SparkSession

    from jobs.base.engine import java

    conf = {
        "spark.master": "local[1]",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraClassPath": ":".join(str(jar) for jar in java.find_jars()),
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # Not UTC: a time without a zone would show.
        "spark.sql.session.timeZone": "Asia/Kathmandu",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.shuffle.partitions": "1",
        "spark.ui.enabled": "false",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(java.java_home()))
        builder = SparkSession.builder.appName("interoperability")
        for key, setting in conf.items():
            builder = builder.config(key, setting)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        yield session
        session.stop()


@pytest.mark.long
def test_delta_spark_reads_every_table(spark: Any, lake: Lake) -> None:
    for table in TABLES:
        frame = spark.read.format("delta").load(lake.path(table))
        types = {field.name: field.dataType.simpleString() for field in frame.schema}
        assert types == {field.name: field.type.replace(" ", "") for field in read_contract(table).fields}, (
            table
        )
        found = frame.toArrow()
        assert all(kind.tz for kind in found.schema.types if pa.types.is_timestamp(kind)), table
        same(pl.DataFrame(found), table)


@pytest.mark.long
def test_both_engines_go_on_with_tables_that_vacuum_put_together(
    spark: Any, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MOST_SMALL", 1)
    monkeypatch.setattr(compaction, "MOST_COMMITS", 0)
    whole = Lake(str(tmp_path / "lake"))
    shutil.copytree(lake.root, whole.root)
    for table in [table for table in TABLES if read_contract(table).layer in COMPACTED]:
        compaction.compact_table(whole, table)
        compaction.shorten_log(whole, table, whole.version(table), dt.timedelta(0))
        assert len(whole.files(table)) == 1, table
        assert [file.rows for file in whole.files(table)] == [8], table
        same(whole.read(table), table)
        path = whole.path(table)
        same(pl.DataFrame(spark.read.format("delta").load(path).toArrow()), table)
    # What delta-spark adds to such a table, and then delta-rs, follows its checkpoint.
    spark.read.format("delta").load(path).write.format("delta").mode("append").save(path)
    assert whole.read(table).height == 16
    whole.append(sample(read_contract(table)), table)
    assert spark.read.format("delta").load(path).count() == 20
