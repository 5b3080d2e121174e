"""The lake: the only module that knows Delta.

A table lives at <root>/<layer>/<table>. Writes are one of four: replace whole operator-periods, replace what
one batch wrote, append, rewrite a table that is computed as a whole. Each is one Delta transaction. Readers
that need tables to agree read the versions that the last row of meta.run names.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from jobs.contracts import REFERENCE, arrow_schema, conform, contract, struct_type
from jobs.errors import ObservatoryError

PROPERTIES = {
    # Readers other than Spark (DuckDB, Polars, pyarrow) refuse one or another newer feature.
    "delta.enableDeletionVectors": "false",
    "delta.columnMapping.mode": "none",
    # Readers find files by partition. Statistics of 16 columns, made row by row, were a quarter of a write.
    "delta.dataSkippingNumIndexedCols": "0",
}
# The batch whose rows an unfinished run must replace is found without a look into every file.
OF_BATCHES = {"delta.dataSkippingStatsColumns": "ingest_id"}
# Frames have the columns of their contract: one that an older table lacks is added to it.
LATER_COLUMNS = {"mergeSchema": "true"}

# Small writes wait on the file system more than on the processor.
WRITERS = 4


@dataclass(frozen=True)
class Lake:
    """A lake at `root`, a folder or an s3a: URL, seen through a Spark session."""

    spark: SparkSession
    root: str
    _kept: dict[str, tuple[int, DataFrame]] = field(default_factory=dict, compare=False, repr=False)

    def path(self, table: str) -> str:
        return f"{self.root.rstrip('/')}/{table.replace('.', '/')}"

    def exists(self, table: str) -> bool:
        return DeltaTable.isDeltaTable(self.spark, self.path(table))

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """The table, or its empty frame when nothing was written yet. Reference tables come from CSV.

        A column that its contract got after the table was written is null.
        """
        if contract(table).layer == "ref":
            return self.reference(table)
        if not self.exists(table):
            return self.local([], table)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        frame = reader.load(self.path(table))
        if frame.columns == contract(table).columns:
            return frame
        later = [each for each in struct_type(table) if each.name not in frame.columns]
        nulls = {each.name: F.lit(None).cast(each.dataType) for each in later}
        return frame.withColumns(nulls).select(contract(table).columns)

    def kept(self, table: str) -> DataFrame:
        """The latest version of a small table that a stage reads several times, kept in memory: each read of
        a Delta table costs jobs of its own to find its files."""
        if not self.exists(table):
            return self.read(table)
        version = self.version(table)
        before = self._kept.get(table)
        if before and before[0] == version:
            return before[1]
        if before:
            before[1].unpersist()
        frame = self.read(table, version).persist()
        self._kept[table] = (version, frame)
        return frame

    def local(self, rows: list[dict[str, Any]], table: str) -> DataFrame:
        """A few rows that the driver has, as a frame of the table's columns. By way of Arrow they are
        literals in the plan: to collect or broadcast them takes no job."""
        return self.spark.createDataFrame(pa.Table.from_pylist(rows, arrow_schema(table)), struct_type(table))

    def reference(self, table: str) -> DataFrame:
        """A dated table under schemas/reference/. Read on the driver: executors may not have the folder."""
        about = contract(table)
        with (REFERENCE / f"{about.name}.csv").open(newline="", encoding="utf-8") as file:
            rows = [{name: row[name] or None for name in about.columns} for row in csv.DictReader(file)]
        text = pa.schema([(name, pa.string()) for name in about.columns])
        return conform(self.spark.createDataFrame(pa.Table.from_pylist(rows, text)), table)

    def replace(self, frame: DataFrame, table: str, where: str, note: dict[str, Any]) -> int:
        """Replace the rows that `where` selects, in one transaction; the new version.

        Every row of the frame must satisfy `where`: Delta checks it. The first write makes the table, with
        the partitions and comments of its contract.
        """
        writer = frame.write.format("delta").mode("overwrite")
        writer = writer.option("userMetadata", json.dumps(note, sort_keys=True))
        if self.exists(table):
            writer = writer.options(replaceWhere=where, **LATER_COLUMNS)
        else:
            writer = writer.options(**properties(table)).partitionBy(*contract(table).partition_by)
        writer.save(self.path(table))
        return self.version(table)

    def rewrite(self, frame: DataFrame, table: str, note: dict[str, Any]) -> int:
        """Write a table anew as a whole, in one transaction; the new version.

        It gets the columns of its contract, whatever an earlier version of the contract gave it: for tables
        that hold nothing that cannot be computed again.
        """
        writer = frame.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
        writer = writer.options(**properties(table)).partitionBy(*contract(table).partition_by)
        writer.option("userMetadata", json.dumps(note, sort_keys=True)).save(self.path(table))
        return self.version(table)

    def append(self, frame: DataFrame, table: str) -> int:
        """Add rows, in one transaction; the new version."""
        writer = frame.write.format("delta").mode("append").options(**LATER_COLUMNS)
        if not self.exists(table):
            writer = writer.options(**properties(table)).partitionBy(*contract(table).partition_by)
        writer.save(self.path(table))
        return self.version(table)

    def version(self, table: str) -> int:
        """The table's latest version, from the names in its log: no Spark job."""
        log = self._hadoop_path(f"{self.path(table)}/_delta_log")
        names = (status.getPath().getName() for status in log.getFileSystem(self._conf).listStatus(log))
        return max(int(name[:20]) for name in names if name.endswith(".json") and name[:20].isdigit())

    def versions(self) -> dict[str, int]:
        """For each table the version that the last finished stage named: versions that belong together."""
        if not self.exists("meta.run"):
            return {}
        named = self.kept("meta.run").select(F.explode("table_versions").alias("t"))
        latest = named.groupBy("t.table_name").agg(F.max("t.version").alias("version"))
        return {row.table_name: row.version for row in latest.collect()}

    @property
    def _jvm(self) -> Any:
        return self.spark.sparkContext._jvm

    @cached_property
    def _conf(self) -> Any:
        return self.spark.sparkContext._jsc.hadoopConfiguration()

    def _hadoop_path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(path)


def properties(table: str) -> dict[str, str]:
    """The Delta properties that a table is made with."""
    return PROPERTIES | (OF_BATCHES if "ingest_id" in contract(table).columns else {})


def any_of(column: str, values: Iterable[str]) -> str:
    """A predicate such as `operator_id IN ('a', 'b')`."""
    quoted = []
    for value in values:
        if "'" in value or "\\" in value:
            raise ObservatoryError(f"{column}: '{value}' holds a quote")
        quoted.append(f"'{value}'")
    return f"{column} IN ({', '.join(quoted)})"


def periods_predicate(column: str, kind: Any, periods: dict[str, set[str]]) -> str:
    """A predicate that selects exactly the operator-periods given, operator by operator.

    A predicate on days alone would delete other operators' rows.
    """
    literal = "" if isinstance(kind, StringType) else "DATE "
    by_days: dict[tuple[str, ...], list[str]] = {}
    for operator, days in periods.items():
        by_days.setdefault(tuple(sorted(days)), []).append(operator)
    parts = []
    for together, operators in sorted(by_days.items()):
        listed = ", ".join(f"{literal}'{day}'" for day in together)
        parts.append(f"({any_of('operator_id', sorted(operators))} AND {column} IN ({listed}))")
    return " OR ".join(parts)
