"""The quarantine by pattern: what tasks count from batches of lines, and what Spark makes of it."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.contracts import struct_type
from jobs.quarantine import ARROW, GROUP, count_batches, grouped, top, with_file_names

NAMES = [*GROUP[:-1], "line_text", "piece_id", "offset"]


def batch(*rows: tuple[object, ...]) -> pa.RecordBatch:
    table = pa.Table.from_pylist([dict(zip(NAMES, row, strict=True)) for row in rows], schema=LINES)
    (found,) = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=LINES)]
    return found


LINES = pa.schema([*((name, pa.string()) for name in NAMES[:-1]), ("offset", pa.int64())])


def row(
    text: str | None, offset: int, reason: str = "unknown_shape", piece: str = "p-0"
) -> tuple[object, ...]:
    return ("a", "mx1", "postfix", reason, text, piece, offset)


def test_a_task_counts_its_lines_by_pattern_and_piece() -> None:
    rows = [
        row("odd 1", 30),
        row("odd 22", 20),
        row("odd 3", 5, piece="p-1"),
        row(None, 7),
        row("odd 1", 9, "bad_field"),
    ]
    (found,) = count_batches(iter([batch(*rows)]))
    assert found.schema.equals(ARROW)
    assert sorted(tuple(each.values())[3:] for each in found.to_pylist()) == [
        ("bad_field", "odd <n>", 1, "p-0", 9),
        ("unknown_shape", "", 1, "p-0", 7),
        ("unknown_shape", "odd <n>", 1, "p-1", 5),
        ("unknown_shape", "odd <n>", 2, "p-0", 20),
    ]
    assert list(count_batches(iter([batch()]))) == []


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=30), st.sampled_from(["x", "y"])), max_size=20), st.integers(0, 20)
)
def test_any_cut_into_batches_counts_the_same(rows: list[tuple[str, str]], cut: int) -> None:
    lines = [row(text, place, reason) for place, (text, reason) in enumerate(rows)]

    def summed(*batches: pa.RecordBatch) -> list[tuple[object, ...]]:
        parts = [pl.from_arrow(pa.Table.from_batches([each])) for each in count_batches(iter(batches))]
        if not parts:
            return []
        whole = pl.concat([part for part in parts if isinstance(part, pl.DataFrame)])
        sums = whole.group_by(GROUP).agg(pl.col("line_count").sum(), pl.col("offset").min())
        return sorted(sums.rows())

    assert summed(batch(*lines)) == summed(batch(*lines[:cut]), batch(*lines[cut:]))
    assert sum(int(str(each[-2])) for each in summed(batch(*lines))) == len(lines)


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> object:
    kinds = struct_type("bronze.quarantine")
    rows = [
        ("a", "mx1", "s", f"p-{number % 2}", number, "postfix", "unknown_shape", 9, f"odd {number}", "i")
        for number in range(10)
    ]
    rows += [
        ("a", "mx1", "s", "p-0", 50, "postfix", "truncated", 3, "cut", "i"),
        # The same line of another operator is another row, and its piece has the same id.
        ("b", "mx1", "s", "p-0", 5, "postfix", "unknown_shape", 9, "odd 1", "i"),
    ]
    names = ["operator_id", "piece_id", "file_name"]
    ledger = spark.createDataFrame(
        [("a", "p-0", "mail.log.1"), ("a", "p-1", "mail.log"), ("b", "p-0", "other.log")], names
    )
    return with_file_names(grouped(spark.createDataFrame(rows, kinds).repartition(3)), ledger)


def test_groups_of_all_tasks_come_together_with_an_example(found: object) -> None:
    rows, kinds, lines = top(found, 2)  # type: ignore[arg-type]
    assert (kinds, lines) == (3, 12)
    assert [tuple(each) for each in rows] == [
        ("a", "mx1", "postfix", "unknown_shape", "odd <n>", 10, "mail.log.1", 0),
        ("a", "mx1", "postfix", "truncated", "cut", 1, "mail.log.1", 50),
    ]
    rows, _, _ = top(found, 20)  # type: ignore[arg-type]
    assert tuple(rows[2])[-2:] == ("other.log", 5)
