"""Which batches a silver run takes: none is lost to a range of days or to another operator's run."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from jobs.windows import pending

RUN = "stage_name string, finished_at timestamp, ingest_ids array<string>"
FILE = "operator_id string, ingest_id string, format_code string, first_event_date date, last_event_date date"


@dataclass
class Tables:
    """A lake that holds a ledger and, maybe, what stages finished; nothing else."""

    ledger: DataFrame
    runs: DataFrame | None = None

    def exists(self, table: str) -> bool:
        return table == "bronze.file" or (table == "meta.run" and self.runs is not None)

    def kept(self, table: str) -> DataFrame:
        frame = {"bronze.file": self.ledger, "meta.run": self.runs}[table]
        assert frame is not None
        return frame


def test_a_batch_is_taken_per_operator_and_only_as_a_whole(spark: SparkSession) -> None:
    def day(number: int) -> dt.date:
        return dt.date(2026, 11, number)

    rows = [
        ("a", "1", "postfix", day(1), day(2)),
        ("a", "2", "rspamd", day(8), day(9)),
        ("b", "2", "exim", day(8), day(9)),
    ]
    lake: Any = Tables(spark.createDataFrame(rows, FILE).persist())
    batches, windows = pending(lake, ["a"], 35, None, None)
    assert batches == ["a/1", "a/2"]
    assert (windows["a"].first, windows["a"].last) == (day(1), day(9))
    assert "b" not in windows
    # A message lives as long as the longest-lived of the operator's formats lets it.
    assert windows["a"].computed == (dt.date(2026, 10, 26), day(15))
    assert pending(lake, ["b"], 35, None, None)[1]["b"].computed == (dt.date(2026, 10, 31), day(17))
    # A range that cuts through a new batch computes its days, but leaves the batch to a later run.
    batches, windows = pending(lake, ["a"], 35, day(1), day(8))
    assert batches == ["a/1"]
    assert (windows["a"].first, windows["a"].last) == (day(1), day(8))
    # Closed days are counted from what came before, so history that comes in order stays open.
    batches, windows = pending(lake, ["a"], 1, None, None)
    assert batches == ["a/1", "a/2"]


def test_a_batch_that_was_written_again_is_taken_again(spark: SparkSession) -> None:
    """`run --requarantine` writes batches again, under their own ids, after silver took them."""

    def at(hour: int) -> dt.datetime:
        return dt.datetime(2026, 11, 24, hour, tzinfo=dt.UTC)

    day = dt.date(2026, 11, 1)
    ledger = spark.createDataFrame([("a", "1", "kannel", day, day), ("a", "2", "kannel", day, day)], FILE)
    runs: list[tuple[str, dt.datetime, list[str]]] = [
        ("bronze", at(1), ["1"]),
        ("silver", at(2), ["a/1"]),
        ("bronze", at(3), ["2"]),
        ("silver", at(4), ["a/2"]),
    ]

    def waiting() -> list[str]:
        lake: Any = Tables(ledger, spark.createDataFrame(runs, RUN))
        return pending(lake, ["a"], 35, None, None)[0]

    assert waiting() == []
    runs.append(("bronze", at(5), ["1"]))
    assert waiting() == ["a/1"]
    runs.append(("silver", at(6), ["a/1"]))
    assert waiting() == []
