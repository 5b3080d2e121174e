"""bronze → silver, the first step: a format's kernel puts together what several pieces of logs told.

Records that may belong together share (operator_id, assembly_key). Spark brings them to one task by a
single shuffle; there the same kernel that assembled each piece assembles the pieces, and protect()
turns raw identifiers into pseudonyms before a row leaves the task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from jobs import protect
from jobs.contracts import contract, struct_type


def assembled(bronze: DataFrame, name: str, table: str, door: protect.Door) -> DataFrame:
    """Rows of a silver table from a format's bronze rows, but for the key that tells them apart."""
    key = contract(table).key
    schema = StructType([field for field in struct_type(table).fields if field.name not in key[1:]])
    together = bronze.drop("ingest_id", "event_date").repartition("operator_id", "assembly_key")
    return together.mapInArrow(assembly_kernel(name, door, to_arrow_schema(schema, timezone="UTC")), schema)


def assembly_kernel(
    name: str, door: protect.Door, schema: pa.Schema
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What a Spark task runs on the records of its keys."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from jobs.formats.registry import FORMATS

        kernel = FORMATS[name]
        have = list(batches)
        if not have:
            return
        records = pl.from_arrow(pa.Table.from_batches(have))
        assert isinstance(records, pl.DataFrame)
        together = kernel.assemble(records.lazy())
        if hasattr(kernel, "verdicts"):
            rows = protect.verdicts(kernel.verdicts(together).collect(), door)
        else:
            rows = protect.transmissions(kernel.transmissions(together).collect(), door)
        yield from rows.to_arrow().cast(schema).to_batches(100_000)

    return run
