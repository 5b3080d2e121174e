"""Which days a silver run computes: those that new batches may touch, operator by operator."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Row
from pyspark.sql import functions as F

from jobs.formats.registry import KERNELS
from jobs.lake import Lake


@dataclass(frozen=True)
class Window:
    """The days [first, last] of an operator's new records. Days before `closed` are never rewritten.

    lookback: the longest life of a message in any of the operator's formats.
    """

    first: dt.date
    last: dt.date
    closed: dt.date
    lookback: dt.timedelta

    def joined(self, other: Window | None) -> Window:
        if other is None:
            return self
        return Window(
            min(self.first, other.first),
            max(self.last, other.last),
            max(self.closed, other.closed),
            max(self.lookback, other.lookback),
        )

    @property
    def computed(self) -> tuple[dt.date, dt.date]:
        """The days whose messages a record in the window may belong to: it may tell that one began earlier,
        or that one thought to begin later did not."""
        return max(self.first - self.lookback, self.closed), self.last + self.lookback

    @property
    def read(self) -> tuple[dt.date, dt.date]:
        """The days whose records the computed days need: a message that began the day before the first of
        them must be seen to have done so."""
        return self.first - 2 * self.lookback - dt.timedelta(days=1), self.last + self.lookback


def pending(
    lake: Lake, operators: Iterable[str], open_days: int, since: dt.date | None, until: dt.date | None
) -> tuple[list[str], dict[str, Window]]:
    """The batches to take, as operator/batch, and each operator's window.

    A batch is pending until a finished silver run has taken it. With `since` or `until` the window is that
    range, whatever was taken; a new batch counts as taken only if the range holds all of its days.
    """
    if not lake.exists("bronze.file"):
        return [], {}
    done = taken(lake)
    rows = (
        lake.kept("bronze.file")
        .groupBy("operator_id", "ingest_id")
        .agg(
            F.min("first_event_date").alias("first"),
            F.max("last_event_date").alias("last"),
            F.collect_set("format_code").alias("formats"),
        )
        .collect()
    )
    lookback = {
        operator: dt.timedelta(
            days=max(KERNELS[name].LOOKBACK_DAYS for row in of_operator for name in row.formats)
        )
        for operator, of_operator in by_operator(rows).items()
    }
    newest: dict[str, dt.date] = {}
    windows: dict[str, Window] = {}
    batches = []
    for row in sorted(rows, key=lambda row: row.ingest_id):
        key, operator = f"{row.operator_id}/{row.ingest_id}", row.operator_id
        if operator not in operators:
            continue
        if row.first is None:
            batches += [key] if key not in done else []
            continue
        closed = newest.get(operator, row.first) - dt.timedelta(days=open_days)
        newest[operator] = max(newest.get(operator, row.last), row.last)
        first, last = max(row.first, closed), row.last
        if since or until:
            first, last = max(first, since or first), min(last, until or last)
        elif key in done:
            continue
        if key not in done and (first, last) == (max(row.first, closed), row.last):
            batches.append(key)
        if first <= last:
            windows[operator] = Window(first, last, closed, lookback[operator]).joined(windows.get(operator))
    return batches, windows


def by_operator(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The ledger's batches, operator by operator."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.operator_id, []).append(row)
    return found


def log_bytes(lake: Lake, found: dict[str, Window]) -> int:
    """How many bytes of logs stand in the windows' days, about."""
    read = predicate({operator: window.read for operator, window in found.items()}, "last_event_date")
    row = lake.kept("bronze.file").filter(read).agg(F.sum("piece_bytes").alias("size")).first()
    return int(row.size or 0) if row else 0


def taken(lake: Lake) -> set[str]:
    """The batches that finished silver runs have taken, as operator/batch.

    A batch that was written again after that is to be taken again.
    """
    if not lake.exists("meta.run"):
        return set()
    named = lake.kept("meta.run").select("stage_name", "finished_at", F.explode("ingest_ids").alias("id"))
    latest = named.groupBy("stage_name", "id").agg(F.max("finished_at").alias("at")).collect()
    written = {row.id: row.at for row in latest if row.stage_name == "bronze"}
    silver = [row for row in latest if row.stage_name == "silver"]
    return {row.id for row in silver if row.at >= written.get(row.id.split("/", 1)[1], row.at)}


def predicate(days: dict[str, tuple[dt.date, dt.date]], column: str) -> str:
    """A SQL condition: each operator's days."""
    parts = [
        f"(operator_id = '{operator}' AND {column} BETWEEN DATE '{first}' AND DATE '{last}')"
        for operator, (first, last) in sorted(days.items())
    ]
    return " OR ".join(parts)


def within(days: dict[str, tuple[dt.date, dt.date]], operator: str, day: str) -> bool:
    """Whether a day is one of the operator's."""
    if operator not in days:
        return False
    first, last = days[operator]
    return first <= dt.date.fromisoformat(day) <= last
