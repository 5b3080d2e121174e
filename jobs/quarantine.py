"""What `observatory quarantine` shows: lines that no rule understood, as patterns, the commonest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.lake import Lake
from jobs.patterns import counted

GROUP = ["operator_id", "source_id", "format_code", "reason_code", "pattern"]
# One row per pattern in a batch of lines; `place` is the first line's piece and offset.
PARTIAL = (
    "operator_id string, source_id string, format_code string, reason_code string, pattern string, "
    "line_count long, piece_id string, offset long"
)


def patterns(
    lake: Lake,
    operators: list[str],
    source: str | None = None,
    reason: str | None = None,
) -> DataFrame:
    """One row per operator, source, format, reason and pattern, the commonest first.

    line_count lines look so; the first of them stands in file_name (as it was called when it was landed)
    at offset, the byte in its stream where it starts.
    """
    lines = lake.read("bronze.quarantine").filter(F.col("operator_id").isin(operators))
    if source is not None:
        lines = lines.filter(F.col("source_id") == source)
    if reason is not None:
        lines = lines.filter(F.col("reason_code") == reason)
    return with_file_names(grouped(lines), lake.read("bronze.file"))


def grouped(lines: DataFrame) -> DataFrame:
    """Lines as patterns: masked and counted by batch in Polars, then summed by Spark."""
    partial = lines.select(*GROUP[:-1], "line_text", "piece_id", "offset").mapInArrow(count_batches, PARTIAL)
    return partial.groupBy(GROUP).agg(
        F.sum("line_count").alias("line_count"), F.min(F.struct("piece_id", "offset")).alias("first")
    )


def count_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """What a Spark task runs: quarantined lines in, counted patterns out."""
    for batch in batches:
        frame = pl.from_arrow(pa.Table.from_batches([batch]))
        assert isinstance(frame, pl.DataFrame)
        if frame.is_empty():
            continue
        lines = frame.rename({"line_text": "line"}).with_columns(pl.col("line").fill_null(""))
        found = counted(lines, [*GROUP[:-1], "piece_id"], "offset")
        rows = found.select(*GROUP, pl.col("count").cast(pl.Int64).alias("line_count"), "piece_id", "offset")
        yield from rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(ARROW).to_batches()


ARROW = pa.schema(
    [
        *((name, pa.string()) for name in GROUP),
        ("line_count", pa.int64()),
        ("piece_id", pa.string()),
        ("offset", pa.int64()),
    ]
)


def with_file_names(groups: DataFrame, ledger: DataFrame) -> DataFrame:
    """The groups in order, each with the file that its first line was landed from."""
    names = ledger.select("operator_id", F.col("piece_id").alias("named_piece"), "file_name")
    is_same: Column = (F.col("first.piece_id") == F.col("named_piece")) & (
        groups["operator_id"] == names["operator_id"]
    )
    return (
        groups.join(names, on=is_same, how="left")
        .select(
            *(groups[name] for name in GROUP),
            "line_count",
            "file_name",
            F.col("first.offset").alias("offset"),
        )
        .orderBy(F.col("line_count").desc(), *GROUP)
    )


def top(found: DataFrame, limit: int) -> tuple[list[Any], int, int]:
    """The first rows, and how many patterns and lines there are in all."""
    found = found.persist()
    try:
        rows = found.limit(limit).collect()
        whole = found.agg(F.count("*").alias("kinds"), F.sum("line_count").alias("lines")).first()
        assert whole is not None
        return rows, whole.kinds, whole.lines or 0
    finally:
        found.unpersist()
