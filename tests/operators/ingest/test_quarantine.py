"""The quarantine by pattern: lines counted batch by batch, and the counts added up."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.operators.ingest import quarantine
from jobs.operators.ingest.quarantine import GROUP, add_patterns, group_lines, read_patterns
from tests.support.examples import examples

KINDS = dict.fromkeys([*GROUP[:-1], "line_text", "piece_id"], pl.String) | {"offset": pl.Int64}


def batch(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=KINDS, orient="row")


def row(
    text: str | None, offset: int, reason: str = "unknown_shape", piece: str = "p-0"
) -> tuple[object, ...]:
    return ("a", "mx1", "postfix", reason, text, piece, offset)


def test_lines_are_counted_by_pattern_and_piece() -> None:
    rows = [
        row("odd 1", 30),
        row("odd 22", 20),
        row("odd 3", 5, piece="p-1"),
        row(None, 7),
        row("odd 1", 9, "bad_field"),
    ]
    found = group_lines(batch(*rows)).select("reason_code", "pattern", "line_count", "piece_id", "offset")
    assert sorted(found.rows()) == [
        ("bad_field", "odd <n>", 1, "p-0", 9),
        ("unknown_shape", "", 1, "p-0", 7),
        ("unknown_shape", "odd <n>", 1, "p-1", 5),
        ("unknown_shape", "odd <n>", 2, "p-0", 20),
    ]
    assert group_lines(batch()).is_empty()
    assert add_patterns([]).is_empty()


@examples(30)
@given(
    st.lists(st.tuples(st.text(max_size=30), st.sampled_from(["x", "y"])), max_size=20), st.integers(0, 20)
)
def test_any_cut_into_batches_counts_the_same(rows: list[tuple[str, str]], cut: int) -> None:
    lines = [row(text, place, reason) for place, (text, reason) in enumerate(rows)]

    def summed(*batches: pl.DataFrame) -> list[tuple[Any, ...]]:
        return sorted(add_patterns(map(group_lines, batches)).rows())

    assert summed(batch(*lines)) == summed(batch(*lines[:cut]), batch(*lines[cut:]))
    assert sum(each[-1] for each in summed(batch(*lines))) == len(lines)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with a quarantine that is read in several batches."""
    monkeypatch.setattr(quarantine, "BATCH", 3)
    lake = Lake(str(tmp_path))
    names = ["operator_id", "source_id", "piece_id", "offset", "format_code", "reason_code", "line_text"]
    rows = [
        ("a", "mx1", f"p-{number % 2}", number, "postfix", "unknown_shape", f"odd {number}")
        for number in range(10)
    ]
    rows += [
        ("a", "mx1", "p-0", 50, "postfix", "truncated", "cut"),
        # The same line of another operator is another row, and its piece has the same id.
        ("b", "mx1", "p-0", 5, "postfix", "unknown_shape", "odd 1"),
    ]
    lines = [dict(zip(names, each, strict=True)) for each in rows]
    for part in (lines[:5], lines[5:]):
        lake.append(rows_frame(part, "bronze.quarantine"), "bronze.quarantine")
    pieces = [("a", "p-0", "mail.log.1"), ("a", "p-1", "mail.log"), ("b", "p-0", "other.log")]
    ledger = [
        dict(zip(("operator_id", "piece_id", "file_name"), each, strict=True)) | {"source_id": "mx1"}
        for each in pieces
    ]
    lake.append(rows_frame(ledger, "bronze.file"), "bronze.file")
    return lake


def test_groups_of_all_batches_come_together_with_an_example(lake: Lake) -> None:
    found = read_patterns(lake, ["a", "b"])
    assert found.rows() == [
        ("a", "mx1", "postfix", "unknown_shape", "odd <n>", 10, "mail.log.1", 0),
        ("a", "mx1", "postfix", "truncated", "cut", 1, "mail.log.1", 50),
        ("b", "mx1", "postfix", "unknown_shape", "odd <n>", 1, "other.log", 5),
    ]
    assert read_patterns(lake, ["b"])["line_count"].to_list() == [1]
    assert read_patterns(lake, ["a"], reason="truncated")["pattern"].to_list() == ["cut"]
    assert read_patterns(lake, ["a"], source="mx2").is_empty()
