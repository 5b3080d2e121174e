"""Batches that a silver run takes: none is lost to a range of days or to another operator's run."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from jobs.base.tables.contracts import polars_schema
from jobs.operators.build.windows import plan_windows

RUN = ["stage_name", "finished_at", "ingest_ids"]
FILE = ["operator_id", "ingest_id", "format_code", "first_event_date", "last_event_date"]


@dataclass
class Tables:
    """A lake that holds a ledger and, maybe, finished stages; nothing else."""

    ledger: list[tuple[Any, ...]]
    runs: list[tuple[Any, ...]] = field(default_factory=list)

    def versions(self) -> dict[str, int]:
        return {"bronze.file": 0}

    def read_notes(self) -> dict[str, Any]:
        return {}

    def read(self, table: str, version: int | None = None, columns: Any = None) -> pl.DataFrame:
        rows, names = (self.ledger, FILE) if table == "bronze.file" else (self.runs, RUN)
        frame = pl.DataFrame(rows, {name: polars_schema(table)[name] for name in names}, orient="row")
        # The source is named as its format.
        return frame.with_columns(source_id="format_code") if table == "bronze.file" else frame


def test_a_batch_is_taken_per_operator_and_only_as_a_whole() -> None:
    def day(number: int) -> dt.date:
        return dt.date(2026, 11, number)

    rows = [
        ("a", "1", "postfix", day(1), day(2)),
        ("a", "2", "rspamd", day(8), day(9)),
        ("b", "2", "exim", day(8), day(9)),
    ]
    lake: Any = Tables(rows)
    batches, windows = plan_windows(lake, ["a"], 35, None, None)
    assert batches == ["a/1/postfix", "a/2/rspamd"]
    assert (windows["a"].first, windows["a"].last) == (day(1), day(9))
    assert "b" not in windows
    # A message lives as long as the longest-lived of the operator's formats lets it.
    assert windows["a"].computed == (dt.date(2026, 10, 26), day(15))
    assert plan_windows(lake, ["b"], 35, None, None)[1]["b"].computed == (dt.date(2026, 10, 31), day(17))
    # A range that cuts through a new batch computes its days, but leaves the batch to a later run.
    batches, windows = plan_windows(lake, ["a"], 35, day(1), day(8))
    assert batches == ["a/1/postfix"]
    assert (windows["a"].first, windows["a"].last) == (day(1), day(8))
    # Closed days are counted from what came before, so history that comes in order stays open.
    batches, windows = plan_windows(lake, ["a"], 1, None, None)
    assert batches == ["a/1/postfix", "a/2/rspamd"]


def test_a_batch_that_was_written_again_is_taken_again() -> None:
    """`run --requarantine` writes batches again, under their own ids, after silver took them."""

    def at(hour: int) -> dt.datetime:
        return dt.datetime(2026, 11, 24, hour, tzinfo=dt.UTC)

    day = dt.date(2026, 11, 1)
    ledger = [("a", "1", "kannel", day, day), ("a", "2", "kannel", day, day)]
    runs: list[tuple[str, dt.datetime, list[str]]] = [
        ("bronze", at(1), ["1"]),
        ("silver", at(2), ["a/1/kannel"]),
        ("bronze", at(3), ["2"]),
        ("silver", at(4), ["a/2/kannel"]),
    ]

    def waiting() -> list[str]:
        lake: Any = Tables(ledger, runs)
        return plan_windows(lake, ["a"], 35, None, None)[0]

    assert waiting() == []
    runs.append(("bronze", at(5), ["1"]))
    assert waiting() == ["a/1/kannel"]
    runs.append(("silver", at(6), ["a/1/kannel"]))
    assert waiting() == []
