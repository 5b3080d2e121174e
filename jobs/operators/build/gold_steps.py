"""The steps of one gold stage: tasks over messages, their parts merged, and tables committed."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import polars as pl

from expectations import native
from jobs.base.engine.tasks import (
    StagedFrame,
    StagedTable,
    Task,
    group_by_bytes,
    is_in_periods,
    leave_frame,
    select_named,
    take_frames,
)
from jobs.base.store.lake import Lake
from jobs.base.store.record import Periods
from jobs.base.store.table_files import DataFile, read_files
from jobs.base.tables.checksum import fingerprint_periods
from jobs.base.tables.contracts import list_tables, read_contract
from jobs.operators.build import bulk_days, gold_tasks
from jobs.operators.build.gold_tasks import BYPASS, CAMPAIGN, MESSAGE
from jobs.operators.build.run import Run, compute_table
from jobs.operators.gold import bypass_indicator_daily, kernels

# Counted from parts of the messages; then what reads such tables and nothing of silver.
GOLD_DAILY = tuple(
    table for table in list_tables() if table.startswith("gold.") and read_contract(table).merge
)
GOLD_MONTHLY = tuple(
    table
    for table in list_tables()
    if table.startswith("gold.")
    and table not in GOLD_DAILY
    and all(name in GOLD_DAILY or name.startswith("ref.") for name in read_contract(table).reads)
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


def narrow_bucket_count(rows: int, task_bytes: int) -> int:
    """The number of buckets for so many narrow rows: a power of two."""
    return 1 << (max(-(-rows * NARROW_BYTES // task_bytes), 1) - 1).bit_length()


@runtime_checkable
class TableEngine(Protocol):
    """An engine that merges and commits gold's tables itself. For the others tasks do."""

    def merge_tables(
        self, staging: str, parts: Mapping[str, Sequence[StagedFrame]], finish: Callable[..., pl.DataFrame]
    ) -> list[StagedTable]: ...

    def replace_periods(
        self, lake: Lake, table: str, periods: Periods, left: Sequence[StagedFrame], note: Mapping[str, Any]
    ) -> int: ...


class Steps:
    """The steps of one gold stage, over the messages of the version that silver left."""

    def __init__(self, work: Run, versions: Mapping[str, int]) -> None:
        self.work = work
        self.versions = versions
        self.files = work.lake.files(MESSAGE, versions[MESSAGE]) if MESSAGE in versions else []

    def run_tasks(self, tasks: Sequence[Task[list[StagedFrame]]]) -> list[StagedFrame]:
        """The frames that tasks leave in staging."""
        return [each for of_task in self.work.engine.run_tasks(tasks) for each in of_task] if tasks else []

    def run_over_files(
        self, periods: Periods, task: Callable[[list[DataFile]], Task[list[StagedFrame]]]
    ) -> list[StagedFrame]:
        """The frames that tasks over the messages of operator-days leave.

        Args:
            task: makes one for some files.
        """
        return self.run_tasks([cut_by_files(part, task) for part in self.cut_parts(periods)])

    def files_of(self, periods: Periods) -> list[DataFile]:
        """The files of the operator-days."""
        return [
            file
            for file in self.files
            if file.partition_value("period_date")
            in periods.get(str(file.partition_value("operator_id")), ())
        ]

    def cut_parts(self, periods: Periods) -> list[list[DataFile]]:
        """The files of the operator-days, cut into parts that fit a task."""
        wanted = self.files_of(periods)
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

    def count_cuts(self, periods: Periods) -> int:
        """The number of buckets in which narrow rows of all messages of the operator-days fit a task each."""
        rows = sum(file.rows for file in self.files_of(periods))
        return narrow_bucket_count(rows, self.work.engine.task_bytes)

    def run_over_buckets(
        self, left: Sequence[StagedFrame], task: Callable[[list[StagedFrame]], Task[list[StagedFrame]]]
    ) -> list[StagedFrame]:
        """The frames that tasks leave, each of which takes the frames of one bucket."""
        parts: dict[int, list[StagedFrame]] = {}
        for each in left:
            parts.setdefault(each.bucket, []).append(each)
        return self.run_tasks([task(part) for _, part in sorted(parts.items())])

    def fold_parts(self, table: str, parts: list[StagedFrame]) -> list[StagedFrame]:
        """Parts of a table that one task can merge: more than that are merged group by group before."""
        limit = max(self.work.engine.task_bytes // PART_EXPANSION, 1)
        while len(parts) > 2 and sum(each.bytes for each in parts) > limit:
            groups = group_by_bytes(parts, limit)
            if len(groups) == len(parts):
                # Each alone is large: two by two, or they never become fewer.
                groups = [parts[place : place + 2] for place in range(0, len(parts), 2)]
            parts = self.run_tasks(
                [
                    Task(
                        f"gold, parts of {table}",
                        gold_tasks.fold_parts,
                        staging=self.work.staging,
                        table=table,
                        parts=group,
                    )
                    for group in groups
                ]
            )
        return parts

    def merge_tables(self, parts: Mapping[str, list[StagedFrame]]) -> list[StagedTable]:
        """Whole tables, from parts of them that tasks left."""
        engine = self.work.engine
        if isinstance(engine, TableEngine):
            return engine.merge_tables(self.work.staging, parts, kernels.finish_rows)
        tasks = [
            Task(
                "gold",
                gold_tasks.finish_table,
                staging=self.work.staging,
                table=table,
                parts=self.fold_parts(table, of_table),
            )
            for table, of_table in parts.items()
        ]
        return engine.run_tasks(tasks) if tasks else []

    def compute_campaigns(self, due: Periods) -> StagedTable:
        """The campaigns of the operator-days that are due."""
        if not due:
            return StagedTable(CAMPAIGN, [], {})
        staging, count = self.work.staging, self.count_cuts(due)
        signature = self.run_over_files(
            due,
            lambda files: Task(
                "gold, signatures of messages",
                gold_tasks.leave_signatures,
                staging=staging,
                files=files,
                count=count,
            ),
        )
        member = self.run_over_buckets(
            signature,
            lambda parts: Task(
                "gold, members of campaigns", gold_tasks.leave_members, staging=staging, parts=parts
            ),
        )
        if not member:
            return StagedTable(CAMPAIGN, [], {})
        parts = self.run_over_files(
            due,
            lambda files: Task(
                "gold, campaigns of messages",
                gold_tasks.leave_campaigns,
                staging=staging,
                files=files,
                member=member,
            ),
        )
        [found] = self.merge_tables({CAMPAIGN: parts})
        return found

    def read_stored(self, table: str, periods: Periods) -> list[StagedFrame]:
        """The rows of a table on record, of operator-periods, in staging."""
        if table not in self.versions or not any(periods.values()):
            return []
        period = read_contract(table).period
        files = self.work.lake.files(
            table,
            self.versions[table],
            lambda partition: partition[str(period)] in periods.get(str(partition["operator_id"]), ()),
        )
        return leave_frame(read_files(table, files), table, self.work.staging)

    def prove_bulk(
        self,
        stale: Periods,
        texts: Mapping[str, int],
        campaign: Sequence[StagedFrame],
        operator: pl.DataFrame,
    ) -> list[StagedFrame]:
        """The evidence of bulk on the stale days."""
        staging = self.work.staging
        text: dict[str, list[StagedFrame]] = {}
        for each in self.run_over_files(
            bulk_days.add_earlier_days(stale, texts),
            lambda files: Task(
                "gold, texts of messages", gold_tasks.leave_texts, staging=staging, files=files
            ),
        ):
            text.setdefault(each.name, []).append(each)
        days = pl.DataFrame(
            [(of, dt.date.fromisoformat(day)) for of, of_operator in stale.items() for day in of_operator],
            schema={"operator_id": pl.String, "period_date": pl.Date},
            orient="row",
        )
        return self.run_tasks(
            [
                Task(
                    "gold, bulk",
                    gold_tasks.leave_evidence,
                    staging=staging,
                    parts=parts,
                    campaign=list(campaign),
                    operator=operator,
                    days=days,
                )
                for _, parts in sorted(text.items())
            ]
        )

    def count_daily(
        self, stale: Periods, proved: list[StagedFrame], operator: pl.DataFrame
    ) -> list[StagedTable]:
        """The daily tables of the stale days, without gold.campaign_daily, which compute_campaigns() made."""
        tables = [table for table in GOLD_DAILY if table != CAMPAIGN]
        staging, count = self.work.staging, self.count_cuts(stale)
        behaviours: list[StagedFrame] = []
        if bypass_indicator_daily.has_links(operator):
            contact = self.run_over_files(
                stale,
                lambda files: Task(
                    "gold, contacts of messages",
                    gold_tasks.leave_contacts,
                    staging=staging,
                    files=files,
                    count=count,
                ),
            )
            behaviours = self.run_over_buckets(
                contact,
                lambda parts: Task(
                    "gold, behaviour of numbers", gold_tasks.leave_behaviour, staging=staging, parts=parts
                ),
            )
        else:
            tables.remove(BYPASS)
        parts = self.run_over_files(
            stale,
            lambda files: Task(
                "gold, count of messages",
                gold_tasks.count_messages,
                staging=staging,
                tables=tables,
                files=files,
                proved=proved,
                behaviours=behaviours,
                operator=operator,
            ),
        )
        made = self.merge_tables({table: select_named(parts, table) for table in tables})
        there = {each.table for each in made}
        return made + [StagedTable(table, [], {}) for table in GOLD_DAILY if table not in there | {CAMPAIGN}]

    def compute_monthly(
        self, table: str, tables: Mapping[str, StagedTable], stale: Periods, months: Periods
    ) -> StagedTable:
        """A table of whole months, from the days just counted and those on record."""
        have = {}
        for name in read_contract(table).reads:
            if name not in GOLD_DAILY:
                continue
            fresh = take_frames(tables[name].frames)
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
            kept = read_files(name, files).filter(~is_in_periods(stale, name))
            have[name] = kept if fresh is None else pl.concat([kept, fresh])
        rows = compute_table(self.work, table, have)
        return StagedTable(
            table, leave_frame(rows, table, self.work.staging), fingerprint_periods(rows, table)
        )


def check_rules(work: Run, tables: Mapping[str, StagedTable]) -> list[native.Result]:
    """The results of the rules on the tables, and of those between them."""
    between: dict[str, set[str]] = {table: set() for table in tables}
    for rule in native.cross_rules_of(tables):
        between[rule.table].update(rule.others)
    tasks = [
        Task(
            f"gold, rules on {table}",
            gold_tasks.check_table,
            table=table,
            left={name: tables[name].frames for name in (table, *sorted(others))},
        )
        for table, others in between.items()
    ]
    return [each for of_table in work.engine.run_tasks(tasks) for each in of_table]


def replace_changed(work: Run, tables: Mapping[str, StagedTable], changed: Mapping[str, Periods]) -> None:
    """Replace exactly the operator-periods that changed, table by table."""
    stored = {table: periods for table, periods in changed.items() if periods}
    if isinstance(work.engine, TableEngine):
        for table, periods in stored.items():
            note = {"run_id": work.run_id}
            work.engine.replace_periods(work.lake, table, periods, tables[table].frames, note)
        return
    tasks = [
        Task(
            f"gold, files of {table}",
            gold_tasks.write_periods,
            root=work.lake.root,
            table=table,
            left=tables[table].frames,
            changed=periods,
        )
        for table, periods in stored.items()
    ]
    for (table, periods), files in zip(stored.items(), work.engine.run_tasks(tasks), strict=True):
        work.lake.replace_periods(table, periods, files, {"run_id": work.run_id})


def cut_by_files(
    files: list[DataFile], task: Callable[[list[DataFile]], Task[list[StagedFrame]]]
) -> Task[list[StagedFrame]]:
    """A task over files of messages; in less memory two, over half of them each."""
    middle = len(files) // 2
    halves = [files[:middle], files[middle:]] if middle else [files]
    return task(files).cut_by(lambda: [cut_by_files(half, task) for half in halves])
