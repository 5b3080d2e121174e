"""Pieces, days and files that may be removed: older than [retention] says, and no longer needed by any
computation.

A day of bronze stays while an open day, or a batch that silver has not taken, is computed from it. A day of
silver stays while gold may look at it: to count an open day, or one that it has not counted since it changed.
A piece of landing stays until its records have been taken and their days are closed, so that its lines,
should they ever come again, are late. Where a run was broken off, what it wrote to waits for the next one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from jobs.base.checks import validations
from jobs.base.places.file_systems import open_store
from jobs.base.settings.config import Observatory
from jobs.base.store import compaction
from jobs.base.store.lake import Lake, Partition
from jobs.base.store.table_files import query_files
from jobs.base.tables.contracts import list_tables, read_contract
from jobs.operators.build import gold_stage, removed_days, windows
from jobs.operators.build.batches import has_intent
from jobs.operators.build.waiting import find_waiting
from jobs.operators.formats.registry import KERNELS
from jobs.operators.ingest.manifest import Piece, Stream, open_landing, read_manifest
from jobs.operators.ingest.removing import is_known_by_digest
from jobs.operators.silver.frames import SILVER

LEDGER, QUARANTINE = "bronze.file", "bronze.quarantine"
# The layers that runs add to.
COMPACTED = ("bronze", "silver", "gold", "meta")
# Why something is removed.
AGE, HISTORY = "age", "history"
ALL_OPERATORS = "_T"
# Files that no version needs any more stay for so long: somebody may be reading an earlier version.
READERS = dt.timedelta(days=1)


@dataclass(frozen=True)
class Removal:
    """A removal from one operator's rows of a table, or from the landing of one of its sources.

    Attributes:
        before: the day before which nothing is left.
        first, last: the days removed. Of a table's history they are None, and the operator is `_T`.
    """

    operator_id: str
    table_name: str
    reason: str
    before: dt.date | None
    first: dt.date | None
    last: dt.date | None
    files: int
    bytes: int


@dataclass(frozen=True)
class RetentionPlan:
    """The removals that are due.

    Attributes:
        pieces: by operator/source.
        batches: those whose quarantined lines go.
        validations: files of results.
        before: by layer and operator the first day that stays.
        crowded: tables whose small files are put together.
        waiting: what stays for now, with the reason.
    """

    removals: list[Removal] = field(default_factory=list)
    pieces: dict[str, list[str]] = field(default_factory=dict)
    batches: list[str] = field(default_factory=list)
    validations: list[str] = field(default_factory=list)
    before: dict[str, removed_days.Days] = field(default_factory=dict)
    crowded: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def __add__(self, other: RetentionPlan) -> RetentionPlan:
        return RetentionPlan(
            self.removals + other.removals,
            self.pieces | other.pieces,
            self.batches + other.batches,
            self.validations + other.validations,
            {
                layer: self.before.get(layer, {}) | other.before.get(layer, {})
                for layer in {**self.before, **other.before}
            },
            self.crowded + other.crowded,
            self.waiting + other.waiting,
        )

    def tables_of(self, reason: str) -> list[str]:
        """The tables that something goes from."""
        return [
            table
            for table in list_tables()
            if any(each.table_name == table and each.reason == reason for each in self.removals)
        ]


@dataclass(frozen=True)
class Needed:
    """The first days of an operator that something is still computed from.

    Attributes:
        closed: days before it are closed.
    """

    closed: dt.date
    bronze: dt.date
    silver: dt.date


def plan_retention(
    lake: Lake,
    settings: Observatory,
    operators: Iterable[str],
    today: dt.date,
    readers: dt.timedelta = READERS,
) -> RetentionPlan:
    """The removals that are due for these operators, and for all tables' history."""
    names = set(operators)
    found = {operator: each for operator, each in needed_days(lake, settings).items() if operator in names}
    kept, ledger = settings.retention, lake.read(LEDGER, where=pl.col("operator_id").is_in(sorted(names)))
    unnamed = unnamed_tables(lake)
    if has_intent(lake):
        made = RetentionPlan(
            waiting=["landing and bronze: a batch is unfinished, `observatory run` finishes it"]
        )
    else:
        limit = today - dt.timedelta(days=kept.bronze)
        bronze = [
            table for table in list_tables() if table.startswith("bronze.") and read_contract(table).period
        ]
        before = {name: min(limit, each.bronze) for name, each in found.items()}
        made = plan_landing(lake, settings, ledger, found, today)
        made += plan_days(lake, bronze, before, unnamed)
        made += plan_quarantine(lake, ledger, limit, unnamed)
    limit = today - dt.timedelta(days=kept.silver)
    made += plan_days(lake, SILVER, {name: min(limit, each.silver) for name, each in found.items()}, unnamed)
    made += plan_validations(lake, today - dt.timedelta(days=kept.bronze))
    named = lake.versions()
    for table in list_tables():
        if table not in unnamed and lake.exists(table):
            if files := old_files(lake, table, named.get(table), readers):
                size = sum(files.values())
                made += RetentionPlan(
                    [Removal(ALL_OPERATORS, table, HISTORY, None, None, None, len(files), size)]
                )
            if read_contract(table).layer in COMPACTED and compaction.crowded_partitions(lake, table):
                made += RetentionPlan(crowded=[table])
    waiting = [f"{table}: a run was broken off, `observatory run` ends it" for table in sorted(unnamed)]
    return made + RetentionPlan(waiting=waiting)


def operators_of(lake: Lake) -> list[str]:
    """The operators that the lake has read logs of, whether the settings still have them or not."""
    return sorted(lake.read(LEDGER, columns=["operator_id"])["operator_id"].unique())


def needed_days(lake: Lake, settings: Observatory) -> dict[str, Needed]:
    """The first days that are still needed, by operator, of those with records."""
    columns = ["operator_id", "format_code", "last_event_date"]
    ledger = lake.read(LEDGER, columns=columns)
    configured = ((each.id, source.format) for each in settings.operator for source in each.source)
    formats = [*ledger.select("operator_id", "format_code").unique().rows(), *configured]
    lives = windows.longest_lives((operator, name) for operator, name in formats if name in KERNELS)
    dated = ledger.drop_nulls("last_event_date")
    newest = dict(dated.group_by("operator_id").agg(pl.col("last_event_date").max()).rows())
    open_days = dt.timedelta(days=settings.lake.open_days)
    # A source that is held back for good keeps no older days than others do.
    waiting = find_waiting(lake, settings.limits, set(newest)).parts
    _, pending = windows.plan_windows(lake, newest, settings.lake.open_days, None, None, waiting=waiting)
    uncounted = gold_stage.first_uncounted_days(lake, settings)
    found = {}
    for operator, last in newest.items():
        closed = last - open_days
        life = dt.timedelta(days=lives[operator])
        # A batch that comes next may have lines of all open days.
        next_one = windows.Window(closed, last, closed, life)
        both = [next_one, *([pending[operator]] if operator in pending else [])]
        counted = min(each.computed[0] for each in both)
        if operator in uncounted:
            counted = min(counted, dt.date.fromisoformat(uncounted[operator]))
        found[operator] = Needed(
            closed, min(each.read[0] for each in both), counted - removed_days.gold_lookback()
        )
    return found


def unnamed_tables(lake: Lake) -> set[str]:
    """The tables of stages that have a version after the one that meta.run names: of a run that was broken
    off. What is loaded for the study may wait for its name."""
    named = lake.versions()
    computed = (
        table for table in list_tables() if read_contract(table).layer in ("bronze", "silver", "gold")
    )
    return {table for table in computed if lake.exists(table) and lake.version(table) != named.get(table)}


# --- what goes by its age -------------------------------------------------------------------------------


def plan_landing(
    lake: Lake,
    settings: Observatory,
    ledger: pl.DataFrame,
    needed: Mapping[str, Needed],
    today: dt.date,
) -> RetentionPlan:
    """Pieces that were pulled before a day."""
    plan = RetentionPlan()
    fs, area = open_landing(lake.root)
    limit = today - dt.timedelta(days=settings.retention.landing)
    closed = pl.DataFrame(
        [(operator, each.closed) for operator, each in needed.items()],
        {"operator_id": pl.String, "closed_date": pl.Date},
        orient="row",
    )
    names = set(ledger["operator_id"])
    waiting = find_waiting(lake, settings.limits, names).parts.with_columns(waits=True)
    ledger = ledger.join(waiting, on=windows.PART, how="left")
    may_go = ledger.join(closed, on="operator_id", how="left").filter(
        windows.taken_parts(lake).is_latest(pl.struct(windows.PART)) | pl.col("waits").is_not_null(),
        (pl.col("last_event_date") < pl.col("closed_date")) | pl.col("last_event_date").is_null(),
        pl.col("landed_at").dt.date() < limit,
    )
    of_source: dict[tuple[str, str], set[str]] = {}
    for operator, source, piece in may_go.select("operator_id", "source_id", "piece_id").rows():
        of_source.setdefault((operator, source), set()).add(piece)
    for (operator, source), pieces in sorted(of_source.items()):
        folder = f"{area}/{operator}/{source}"
        streams = read_manifest(fs, folder)
        going = [piece for stream in streams for piece in first_pieces(stream, pieces)]
        if not going:
            continue
        days = [dt.datetime.fromisoformat(piece.landed_at).date() for piece in going]
        # Packed, as they lie there.
        sizes = {each["name"].rsplit("/", 1)[-1]: each["size"] for each in fs.ls(folder, detail=True)}
        size = sum(sizes.get(piece.path.rsplit("/", 1)[-1], 0) for piece in going)
        removal = Removal(operator, f"landing/{source}", AGE, limit, min(days), max(days), len(going), size)
        plan += RetentionPlan(
            [removal],
            {f"{operator}/{source}": [piece.piece_id for piece in going]},
            before={removed_days.LANDING: {operator: limit}},
        )
    return plan


def first_pieces(stream: Stream, may_go: set[str]) -> Iterator[Piece]:
    """The pieces of a stream from its start that may go: a piece goes after those before it."""
    for piece in stream.pieces:
        if piece.piece_id not in may_go or not is_known_by_digest(stream, piece):
            return
        yield piece


def plan_days(
    lake: Lake, names: Iterable[str], before: removed_days.Days, unnamed: set[str]
) -> RetentionPlan:
    """Rows of days before each operator's first that stays."""
    plan = RetentionPlan()
    for table in names:
        if table in unnamed:
            continue
        days: dict[str, list[tuple[dt.date, int]]] = {}
        for file in lake.files(table, is_wanted=lambda partition: is_old(before, partition)):
            operator, day = (str(value) for _, value in file.partition)
            days.setdefault(operator, []).append((dt.date.fromisoformat(day), file.bytes))
        for operator, files in sorted(days.items()):
            dates, sizes = zip(*files, strict=True)
            first = before[operator]
            removal = Removal(operator, table, AGE, first, min(dates), max(dates), len(files), sum(sizes))
            plan += RetentionPlan([removal], before={read_contract(table).layer: {operator: first}})
    return plan


def is_old(before: removed_days.Days, partition: Partition) -> bool:
    operator, day = partition.values()
    is_dated = operator in before and day is not None
    return is_dated and dt.date.fromisoformat(str(day)) < before[str(operator)]


def plan_quarantine(lake: Lake, ledger: pl.DataFrame, limit: dt.date, unnamed: set[str]) -> RetentionPlan:
    """Quarantined lines of batches that were pulled before a day: lines themselves have no day."""
    if QUARANTINE in unnamed or not lake.exists(QUARANTINE):
        return RetentionPlan()
    pulled = pl.col("landed_at").dt.date()
    batches = ledger.group_by("operator_id", "ingest_id").agg(first=pulled.min(), last=pulled.max())
    old = {(row[0], row[1]): row[2:] for row in batches.filter(pl.col("last") < limit).rows()}
    going: set[str] = set()
    days: dict[str, list[tuple[dt.date, dt.date, int]]] = {}
    for file in lake.files(QUARANTINE):
        operator = str(file.partition_value("operator_id"))
        lines = query_files(
            QUARANTINE, [file], lambda rows: rows.group_by("ingest_id").len().sort("ingest_id")
        )
        for ingest_id, count in lines.rows():
            if (operator, ingest_id) in old:
                share = file.bytes * count // max(file.rows, count)
                days.setdefault(operator, []).append((*old[operator, ingest_id], share))
                going.add(f"{operator}/{ingest_id}")
    removals = []
    for operator, batches_of_files in sorted(days.items()):
        first, last, sizes = zip(*batches_of_files, strict=True)
        removals.append(
            Removal(operator, QUARANTINE, AGE, limit, min(first), max(last), len(sizes), sum(sizes))
        )
    return RetentionPlan(removals, batches=sorted(going))


def plan_validations(lake: Lake, limit: dt.date) -> RetentionPlan:
    """Results of runs before a day, once all that they say was checked again."""
    found = []
    fs, own = lake.own_file(validations.FOLDER)
    for file in (*validations.superseded_files(lake), *validations.superseded_evaluations(lake)):
        day = fs.modified(file).date()
        found += [(day, file.removeprefix(f"{own}/"), fs.size(file))] if day < limit else []
    if not found:
        return RetentionPlan()
    days, names, sizes = zip(*found, strict=True)
    removal = Removal(
        ALL_OPERATORS, validations.FOLDER, AGE, limit, min(days), max(days), len(found), sum(sizes)
    )
    return RetentionPlan([removal], validations=sorted(names))


# --- history --------------------------------------------------------------------------------------------


def old_files(lake: Lake, table: str, named_version: int | None, readers: dt.timedelta) -> dict[str, int]:
    """The files of a table, by path with their bytes, that neither its present version has nor the one that
    meta.run names, and that no version of the last hours had.

    delta-rs lists them; its own removal would write two versions more.
    """
    names = lake.open_table(table).vacuum(
        int(readers / dt.timedelta(hours=1)),
        dry_run=True,
        enforce_retention_duration=False,
        full=True,
        keep_versions=None if named_version is None else [named_version],
    )
    fs, folder = open_store(lake.path(table))
    # It names those, too, that were removed before.
    there = fs.find(folder, detail=True) if names else {}
    paths = (f"{folder}/{name}" for name in names)
    return {path: there[path]["size"] for path in paths if path in there}
