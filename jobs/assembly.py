"""bronze → silver, the first step: a format's kernel puts together what several pieces of logs told.

Records that may belong together share (operator_id, assembly_key). Spark brings them to one task by a
single shuffle; there the same kernel that assembled each piece assembles the pieces, and protect()
turns raw identifiers into pseudonyms before a row leaves the task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from jobs import protect
from jobs.contracts import contract, struct_type

# For each silver table what its rows are called: a kernel's function gives them raw, protect's takes them on.
ROWS = {
    "silver.transmission": "transmissions",
    "silver.verdict": "verdicts",
    "silver.complaint": "complaints",
    "silver.authentication_report": "authentication_reports",
    "silver.operator_knowledge": "facts",
}


# Formats that have rows whose key is known only when several pieces are there; the row_code of such rows.
SETTLED = {"postfix": "held"}
# Formats whose transmissions another format's records complete or tell already, and its function that knows.
# Both have the same keys.
COMPLETED = {"kannel": ("kannel_smsbox", "submitters"), "kamailio_flat": ("kamailio", "untold")}


def assembled(formats: dict[str, DataFrame], table: str, operator: DataFrame) -> DataFrame:
    """Rows of a silver table from the bronze rows of each format, but for the key that tells them apart.

    A format that no log was of costs nothing: its table is an empty frame that the driver holds.
    """
    key = contract(table).key
    schema = StructType([field for field in struct_type(table).fields if field.name not in key[1:]])
    door = protect.Door.of(operator.collect())
    arrow = to_arrow_schema(schema, timezone="UTC")
    parts = []
    for name, bronze in formats.items():
        if bronze.isLocal():
            continue
        records = settled(name, bronze.drop("ingest_id", "event_date"))
        other, _ = COMPLETED.get(name, (None, None))
        if table == "silver.transmission" and other in formats and not formats[other].isLocal():
            beside = formats[other].drop("ingest_id", "event_date").withColumn("format_code", F.lit(other))
            records = records.withColumn("format_code", F.lit(name))
            records = records.unionByName(beside, allowMissingColumns=True)
        together = records.repartition("operator_id", "assembly_key")
        parts.append(together.mapInArrow(assembly_kernel(name, table, door, arrow), schema))
    if not parts:
        return operator.sparkSession.createDataFrame(arrow.empty_table(), schema)
    return reduce(DataFrame.unionByName, parts)


def settled(name: str, records: DataFrame) -> DataFrame:
    """The records, with those that name no key of their own yet given to the keys they belong to.

    Such rows are few, and are told by `row_code`; all others pass as they are.
    """
    if name not in SETTLED:
        return records
    is_held = F.col("row_code") == SETTLED[name]
    held = records.filter(is_held).repartition("operator_id", "assembly_key")
    held = held.mapInArrow(
        settling_kernel(name, to_arrow_schema(records.schema, timezone="UTC")), records.schema
    )
    return records.filter(~is_held).unionByName(held)


def settling_kernel(
    name: str, schema: pa.Schema
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What a Spark task runs on rows that may belong to another key."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from jobs.formats.registry import KERNELS

        have = list(batches)
        if not have:
            return
        records = pl.from_arrow(pa.Table.from_batches(have))
        assert isinstance(records, pl.DataFrame)
        rows = KERNELS[name].settle(records.lazy()).collect().select(schema.names)
        yield from rows.to_arrow().cast(schema).to_batches(100_000)

    return run


def assembly_kernel(
    name: str, table: str, door: protect.Door, schema: pa.Schema
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What a Spark task runs on the records of its keys."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from jobs.formats.registry import KERNELS

        kernel = KERNELS[name]
        have = list(batches)
        if not have:
            return
        records = pl.from_arrow(pa.Table.from_batches(have))
        assert isinstance(records, pl.DataFrame)
        if "format_code" not in records.columns:
            found = getattr(kernel, ROWS[table])(kernel.assemble(records.lazy()))
        else:
            other, complete = COMPLETED[name]
            mine, beside = (
                KERNELS[each].assemble(
                    records.filter(pl.col("format_code") == each).select(list(KERNELS[each].BRONZE)).lazy()
                )
                for each in (name, other)
            )
            found = getattr(KERNELS[other], complete)(kernel.transmissions(mine), beside)
        raw = found.collect()
        rows = getattr(protect, ROWS[table])(raw, door)
        yield from rows.to_arrow().cast(schema).to_batches(100_000)

    return run
