"""The steps of one gold stage: tasks over messages, their parts merged, and tables committed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import polars as pl

from jobs.core.checksum import checksums
from jobs.core.contracts import contract, tables
from jobs.engine.lake import Lake
from jobs.engine.record import Periods
from jobs.engine.table_files import DataFile, NewFile, read_files
from jobs.engine.tasks import Left, Task, chunks, leave, named, take
from jobs.gold import bypass_indicator_daily
from jobs.stages import campaigns
from jobs.stages.gold_tasks import BYPASS, CAMPAIGN, CONTACTS, MESSAGE, SIGNATURES, Finished, is_of
from jobs.stages.run import Run, compute

# Counted from parts of the messages; then what reads such tables and nothing of silver.
GOLD_DAILY = tuple(table for table in tables() if table.startswith("gold.") and contract(table).merge)
GOLD_MONTHLY = tuple(
    table
    for table in tables()
    if table.startswith("gold.")
    and table not in GOLD_DAILY
    and all(name in GOLD_DAILY or name.startswith("ref.") for name in contract(table).reads)
)
GOLD = GOLD_DAILY + GOLD_MONTHLY
# The memory that a message takes while it is counted, about.
MESSAGE_BYTES = 4500
# The memory that a signature or a contact takes while those of a bucket are merged, about.
NARROW_BYTES = 600
# How many times the bytes of parts in staging merging them takes.
PART_EXPANSION = 10
# Fewer messages than this are one part; parts of more gain no time.
FEW, MANY = 20_000, 100_000


def bucket_count(rows: int, task_bytes: int) -> int:
    """The number of buckets for so many narrow rows: a power of two."""
    return 1 << (max(-(-rows * NARROW_BYTES // task_bytes), 1) - 1).bit_length()


@runtime_checkable
class TableEngine(Protocol):
    """An engine that merges and commits gold's tables itself. For the others tasks do."""

    def finished(self, staging: str, parts: Mapping[str, Sequence[Left]]) -> list[Finished]: ...

    def replace_periods(
        self, lake: Lake, table: str, periods: Periods, left: Sequence[Left], note: Mapping[str, Any]
    ) -> int: ...


class Steps:
    """The steps of one gold stage, over the messages of the version that silver left."""

    def __init__(self, work: Run, versions: Mapping[str, int]) -> None:
        self.work = work
        self.versions = versions
        self.files = work.lake.files(MESSAGE, versions[MESSAGE]) if MESSAGE in versions else []

    def run(self, name: str, calls: Iterable[tuple[Any, ...]], about: str) -> list[Any]:
        """What tasks of jobs/stages/gold_tasks.py return, called with the staging folder and so on."""
        tasks = [
            Task(f"jobs.stages.gold_tasks:{name}", (self.work.staging, *call), about, smaller)
            for call in calls
        ]
        return self.work.engine.run(tasks) if tasks else []

    def over(
        self, name: str, periods: Periods, *more: Any, columns_before: tuple[Any, ...] = ()
    ) -> list[Left]:
        """What tasks over the messages of the operator-days leave."""
        calls = [(*columns_before, part, *more) for part in self.parts(periods)]
        left: list[list[Left]] = self.run(name, calls, f"gold, {name} of messages")
        return [each for of_task in left for each in of_task]

    def of(self, periods: Periods) -> list[DataFile]:
        """The files of the operator-days."""
        return [
            file
            for file in self.files
            if file.value("period_date") in periods.get(str(file.value("operator_id")), ())
        ]

    def parts(self, periods: Periods) -> list[list[DataFile]]:
        """The files of the operator-days, cut into parts that fit a task."""
        wanted = self.of(periods)
        total = sum(file.rows for file in wanted)
        fits = self.work.engine.task_bytes // MESSAGE_BYTES
        limit = min(max(-(-total // self.work.engine.workers), FEW), MANY, fits)
        parts: list[list[DataFile]] = []
        rows = limit + 1
        for file in wanted:
            if rows + file.rows > limit and rows:
                parts.append([])
                rows = 0
            parts[-1].append(file)
            rows += file.rows
        return parts

    def cuts(self, periods: Periods) -> int:
        """The number of buckets in which narrow rows of all messages of the operator-days fit a task each."""
        rows = sum(file.rows for file in self.of(periods))
        return bucket_count(rows, self.work.engine.task_bytes)

    def of_buckets(self, name: str, left: Sequence[Left], about: str) -> list[Left]:
        """What tasks leave that take the frames of one bucket each."""
        parts: dict[int, list[Left]] = {}
        for each in left:
            parts.setdefault(each.bucket, []).append(each)
        found: list[list[Left]] = self.run(name, [(part,) for _, part in sorted(parts.items())], about)
        return [each for of_task in found for each in of_task]

    def folded(self, table: str, parts: list[Left]) -> list[Left]:
        """Parts of a table that one task can merge: more than that are merged group by group before."""
        limit = max(self.work.engine.task_bytes // PART_EXPANSION, 1)
        while len(parts) > 2 and sum(each.bytes for each in parts) > limit:
            groups = chunks(parts, limit)
            if len(groups) == len(parts):
                # Each alone is large: two by two, or they never become fewer.
                groups = [parts[place : place + 2] for place in range(0, len(parts), 2)]
            found: list[list[Left]] = self.run(
                "merge", [(table, group) for group in groups], f"gold, parts of {table}"
            )
            parts = [each for of_task in found for each in of_task]
        return parts

    def finished(self, parts: Mapping[str, list[Left]]) -> list[Finished]:
        """Whole tables, from parts of them that tasks left."""
        engine = self.work.engine
        if isinstance(engine, TableEngine):
            return engine.finished(self.work.staging, parts)
        calls = [(table, self.folded(table, of_table)) for table, of_table in parts.items()]
        made: list[Finished] = self.run("finish", calls, "gold")
        return made

    def campaigns(self, due: Periods) -> Finished:
        """The campaigns of the operator-days that are due."""
        if not due:
            return Finished(CAMPAIGN, [], {})
        signature = named(self.over("signatures", due, self.cuts(due)), SIGNATURES)
        member = self.of_buckets("members", signature, "gold, members of campaigns")
        if not member:
            return Finished(CAMPAIGN, [], {})
        parts = self.over("campaigns", due, member)
        [found] = self.finished({CAMPAIGN: parts})
        return found

    def stored(self, table: str, periods: Periods) -> list[Left]:
        """The rows of a table on record, of operator-periods, in staging."""
        if table not in self.versions or not any(periods.values()):
            return []
        period = contract(table).period
        files = self.work.lake.files(
            table,
            self.versions[table],
            lambda partition: partition[str(period)] in periods.get(str(partition["operator_id"]), ()),
        )
        return leave(read_files(table, files), table, self.work.staging)

    def proof(
        self, stale: Periods, texts: Mapping[str, int], campaign: Sequence[Left], operator: pl.DataFrame
    ) -> list[Left]:
        """What is proved of bulk on the stale days."""
        text: dict[str, list[Left]] = {}
        for each in self.over("texts", campaigns.with_texts(stale, texts)):
            text.setdefault(each.name, []).append(each)
        days = pl.DataFrame(
            [(of, dt.date.fromisoformat(day)) for of, of_operator in stale.items() for day in of_operator],
            schema={"operator_id": pl.String, "period_date": pl.Date},
            orient="row",
        )
        calls = [(parts, list(campaign), operator, days) for _, parts in sorted(text.items())]
        found: list[list[Left]] = self.run("evidence", calls, "gold, bulk")
        return [left for of_task in found for left in of_task]

    def counted(self, stale: Periods, proved: list[Left], operator: pl.DataFrame) -> list[Finished]:
        """The daily tables of the stale days, but for campaigns."""
        tables = [table for table in GOLD_DAILY if table != CAMPAIGN]
        behaviours: list[Left] = []
        if bypass_indicator_daily.has_links(operator):
            contact = named(self.over("contacts", stale, self.cuts(stale)), CONTACTS)
            behaviours = self.of_buckets("behaviour", contact, "gold, behaviour of numbers")
        else:
            tables.remove(BYPASS)
        parts = self.over("count", stale, proved, behaviours, operator, columns_before=(tables,))
        made = self.finished({table: named(parts, table) for table in tables})
        there = {each.table for each in made}
        return made + [Finished(table, [], {}) for table in GOLD_DAILY if table not in there | {CAMPAIGN}]

    def monthly(
        self, table: str, tables: Mapping[str, Finished], stale: Periods, months: Periods
    ) -> Finished:
        """A table of whole months, from the days just counted and those on record."""
        have = {}
        for name in contract(table).reads:
            if name not in GOLD_DAILY:
                continue
            fresh = take(tables[name].left)
            files = (
                self.work.lake.files(
                    name,
                    self.versions.get(name),
                    lambda partition: (
                        str(partition["period_date"])[:7] in months.get(str(partition["operator_id"]), ())
                    ),
                )
                if name in self.versions
                else []
            )
            kept = read_files(name, files).filter(~is_of(stale, name))
            have[name] = kept if fresh is None else pl.concat([kept, fresh])
        rows = compute(self.work, table, have)
        return Finished(table, leave(rows, table, self.work.staging), checksums(rows, table))

    def commit(self, tables: Mapping[str, Finished], changed: Mapping[str, Periods]) -> None:
        """Replace exactly the operator-periods that changed, table by table."""
        work = self.work
        stored = {table: periods for table, periods in changed.items() if periods}
        work.changed |= changed
        if isinstance(work.engine, TableEngine):
            for table, periods in stored.items():
                note = {"run_id": work.run_id}
                work.engine.replace_periods(work.lake, table, periods, tables[table].left, note)
            return
        tasks = [
            Task(
                "jobs.stages.gold_tasks:store",
                (work.lake.root, table, tables[table].left, periods),
                f"gold, files of {table}",
            )
            for table, periods in stored.items()
        ]
        written: list[list[NewFile]] = work.engine.run(tasks)
        for (table, periods), files in zip(stored.items(), written, strict=True):
            work.lake.replace_periods(table, periods, files, {"run_id": work.run_id})


def smaller(task: Task) -> list[Task]:
    """A task over several files of messages as two over half of them each."""
    place = next((at for at, value in enumerate(task.arguments) if is_files(value)), None)
    if place is None or len(task.arguments[place]) < 2:
        return [task]
    files = task.arguments[place]
    middle = len(files) // 2
    return [
        Task(
            task.function,
            (*task.arguments[:place], half, *task.arguments[place + 1 :]),
            task.about,
            smaller,
        )
        for half in (files[:middle], files[middle:])
    ]


def is_files(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, DataFile) for each in value)
