"""Windows of days that a silver run computes: those that new batches may touch, operator by operator."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

import polars as pl

from jobs.base.core.key_names import KeyPeriod
from jobs.base.store.lake import Lake, Partition
from jobs.base.tables.contracts import Row
from jobs.operators.build import removed_days
from jobs.operators.silver.exchange import Days

# What one batch holds of one source.
PART = ["operator_id", "source_id", "ingest_id"]


@dataclass(frozen=True)
class Window:
    """The days [first, last] of an operator's new records. Days before `closed` are never rewritten.

    Attributes:
        lookback: the longest life of a message in any of the operator's formats.
    """

    first: dt.date
    last: dt.date
    closed: dt.date
    lookback: dt.timedelta

    def join_window(self, other: Window | None) -> Window:
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
        """The days whose messages a record in the window may belong to: it may show that one began earlier,
        or that one thought to begin later did not."""
        return max(self.first - self.lookback, self.closed), self.last + self.lookback

    @property
    def read(self) -> tuple[dt.date, dt.date]:
        """The days whose records the computed days need: a message that began the day before the first of
        them must be seen to have done so."""
        return self.first - 2 * self.lookback - dt.timedelta(days=1), self.last + self.lookback


@dataclass(frozen=True)
class KeyedDays:
    """The days that windows compute under one key, and those whose records they need, by operator."""

    period: KeyPeriod
    read: Days
    computed: Days


def split_by_key(windows: dict[str, Window], periods: Iterable[KeyPeriod]) -> list[KeyedDays]:
    """The windows' days by their key. A day is computed under its own key, and so is what its messages need
    of other days: a message that goes on past a change of keys is one message. See decision 153."""
    found = []
    for period in periods:
        read: Days = {}
        computed: Days = {}
        for operator, window in windows.items():
            days = period.cut_days(*window.computed)
            if days is None:
                continue
            computed[operator] = days
            life = 2 * window.lookback + dt.timedelta(days=1)
            first, last = window.read
            read[operator] = max(first, days[0] - life), min(last, days[1] + life)
        if computed:
            found.append(KeyedDays(period, read, computed))
    return found


def plan_windows(
    lake: Lake,
    operators: Iterable[str],
    open_days: int,
    since: dt.date | None,
    until: dt.date | None,
    again: Collection[str] = (),
    waiting: pl.DataFrame | None = None,
) -> tuple[list[str], dict[str, Window]]:
    """The parts to take, as operator/batch/source, and each operator's window.

    A part is what a batch holds of a source. It is pending until a finished silver run has taken it. With
    `since` or `until` the window is that range, whatever was taken; a new part counts as taken only if the
    range holds all of its days. Days whose records retention removed are closed.

    Args:
        again: operators all of whose open days are computed again.
        waiting: parts that are left out for now.
    """
    done = taken_parts(lake)
    rows = (
        lake.read("bronze.file", lake.versions().get("bronze.file"))
        .group_by(PART)
        .agg(
            pl.col("first_event_date").min().alias("first"),
            pl.col("last_event_date").max().alias("last"),
            pl.col("format_code").unique().alias("formats"),
        )
        .sort("ingest_id", "operator_id", "source_id")
        .with_columns(is_done=pl.struct(PART).pipe(done.is_latest))
        .rows(named=True)
    )
    longest = longest_lives((row["operator_id"], name) for row in rows for name in row["formats"])
    settled = removed_days.settled_silver_days(lake, longest)
    left_out = set(waiting.select(PART).rows()) if waiting is not None else set()
    windows: dict[str, Window] = {}
    parts = []
    chosen = [row for row in rows if row["operator_id"] in operators]
    for row, closed in find_closed_days(chosen, open_days, settled):
        operator, is_done, begin, end = row["operator_id"], row["is_done"], row["first"], row["last"]
        if (operator, row["source_id"], row["ingest_id"]) in left_out:
            continue
        name = f"{operator}/{row['ingest_id']}/{row['source_id']}"
        if begin is None:
            parts += [] if is_done else [name]
            continue
        first, last = max(begin, closed), end
        if since or until:
            first, last = max(first, since or first), min(last, until or last)
        elif is_done and operator not in again:
            continue
        if not is_done and (first, last) == (max(begin, closed), end):
            parts.append(name)
        if first <= last:
            lookback = dt.timedelta(days=longest[operator])
            windows[operator] = Window(first, last, closed, lookback).join_window(windows.get(operator))
    return parts, windows


def find_closed_days(
    rows: Iterable[Row], open_days: int, settled: Mapping[str, dt.date]
) -> Iterator[tuple[Row, dt.date]]:
    """Parts of batches in order, each with the first day that is not closed for it: what closes days for a
    part is in the batches before its own, and what retention has settled."""
    newest: dict[str, dt.date] = {}
    for (_, operator), found in groupby(rows, lambda row: (row["ingest_id"], row["operator_id"])):
        batch = list(found)
        begin = min((row["first"] for row in batch if row["first"] is not None), default=dt.date.max)
        closed = newest.get(operator, begin) - dt.timedelta(days=open_days)
        closed = max(closed, settled.get(operator, closed))
        lasts = [row["last"] for row in batch if row["last"] is not None]
        if lasts:
            newest[operator] = max(newest.get(operator, lasts[0]), *lasts)
        yield from ((row, closed) for row in batch)


def longest_lives(formats: Iterable[tuple[str, str]]) -> dict[str, int]:
    """The longest life of a message in any of an operator's formats, in days, by operator.

    Args:
        formats: operators, each with one of its formats.
    """
    from jobs.operators.formats.registry import KERNELS

    longest: dict[str, int] = {}
    for operator, name in formats:
        longest[operator] = max(KERNELS[name].lookback_days, longest.get(operator, 0))
    return longest


def newest_days(lake: Lake) -> dict[str, dt.date]:
    """The newest day of an operator's records, by operator."""
    ledger = lake.read("bronze.file", columns=["operator_id", "last_event_date"]).group_by("operator_id")
    return dict(ledger.agg(pl.col("last_event_date").max()).drop_nulls().rows())


def settled_days(lake: Lake) -> dict[str, dt.date]:
    """The day before which silver stays as it is, by operator: retention removed what it comes from."""
    formats = lake.read("bronze.file", columns=["operator_id", "format_code"]).unique().rows()
    return removed_days.settled_silver_days(lake, longest_lives(formats))


def log_bytes(lake: Lake, days: Days) -> int:
    """The approximate bytes of logs in these days of operators."""
    ledger = lake.read("bronze.file", columns=["operator_id", "last_event_date", "piece_bytes"])
    inside = [is_within(days, operator, str(day)) for operator, day, _ in ledger.rows()]
    return int(ledger["piece_bytes"].filter(pl.Series(inside, dtype=pl.Boolean)).sum())


@dataclass(frozen=True)
class TakenParts:
    """The parts that finished silver runs have taken, as operator/batch/source.

    Attributes:
        latest: in the version that bronze has.
        ever: also those that were written again since.
    """

    latest: frozenset[str]
    ever: frozenset[str]

    def is_latest(self, part: pl.Expr) -> pl.Expr:
        """Return whether a part, a struct of PART, was taken as it is."""
        return is_named(part, self.latest)

    def is_ever(self, part: pl.Expr) -> pl.Expr:
        """Return whether a part was taken, as it is or as it was."""
        return is_named(part, self.ever)


def is_named(part: pl.Expr, names: Collection[str]) -> pl.Expr:
    fields = (part.struct.field(name) for name in ("operator_id", "ingest_id", "source_id"))
    known = pl.Series(sorted(names), dtype=pl.String).implode()
    return pl.concat_str(*fields, separator="/").is_in(known)


def empty_parts() -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(PART, pl.String))


def taken_parts(lake: Lake) -> TakenParts:
    """The parts that finished silver runs have taken. A batch that was written again is to be taken again."""
    latest = (
        lake.read("meta.run", columns=["stage_name", "finished_at", "ingest_ids"])
        .explode("ingest_ids", empty_as_null=False)
        .group_by("stage_name", "ingest_ids")
        .agg(pl.col("finished_at").max())
        .rows()
    )
    written = {name: at for stage, name, at in latest if stage == "bronze"}
    silver = [(name, at) for stage, name, at in latest if stage == "silver" and name is not None]
    return TakenParts(
        frozenset(name for name, at in silver if at >= written.get(name.split("/", 2)[1], at)),
        frozenset(name for name, _ in silver),
    )


def holds_partition(days: Days, partition: Partition) -> bool:
    """Return whether the rows of a partition by operator and day are of one of the operators' days."""
    operator, day = partition.values()
    return operator is not None and day is not None and is_within(days, operator, day)


def is_within(days: Days, operator: str, day: str) -> bool:
    """Return whether a day is one of the operator's."""
    if operator not in days or day == "None":
        return False
    first, last = days[operator]
    return first <= dt.date.fromisoformat(day) <= last
