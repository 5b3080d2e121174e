"""The steps of one silver stage: tasks over buckets of bronze rows, and what they hand to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from jobs.core.contracts import contract, tables
from jobs.engine.table_files import DataFile
from jobs.engine.tasks import Bucket, ByBucket, Left, Task, chunks, named
from jobs.protect.operators import Door
from jobs.silver import assembling, copies
from jobs.stages import windows
from jobs.stages.cuts import cut_count
from jobs.stages.run import Run
from jobs.stages.settings_tables import read_reference
from jobs.stages.silver_tasks import (
    ASSEMBLED,
    COPIES,
    EXTENT,
    KNOWLEDGE,
    MESSAGE,
    ORDER,
    TRANSMISSION,
    VERDICT,
    Inputs,
    Made,
    OfBucket,
    bronze,
    held,
)

SILVER = (*ASSEMBLED, copies.TABLE, MESSAGE)
# How many times the bytes of its logs a bucket takes in memory, and the most bytes that pay.
EXPANSION = 14
LARGEST_BUCKET = 48 << 20
# Fewer bytes of logs than this are one bucket.
SMALLEST_BUCKET = 1 << 20


def bucket_count(log_bytes: int, task_bytes: int, workers: int) -> int:
    """The number of buckets for so many bytes of logs: a power of two."""
    fits = largest_bucket(task_bytes)
    wanted = max(-(-log_bytes // fits), min(workers, log_bytes // SMALLEST_BUCKET), 1)
    return 1 << (wanted - 1).bit_length()


def largest_bucket(task_bytes: int) -> int:
    """The most bytes of logs, or of frames in staging, that one task takes."""
    return max(min(task_bytes // EXPANSION, LARGEST_BUCKET), 1 << 20)


class Steps:
    """The steps of one silver stage, over the bronze rows of the windows. waiting: parts of batches whose
    rows are left out."""

    def __init__(self, work: Run, found: dict[str, windows.Window], waiting: pl.DataFrame) -> None:
        self.work, self.waiting = work, waiting
        self.read, self.computed = windows.reads(found), windows.computes(found)
        self.door = Door.of(read_reference(work.settings, "ref.operator"))
        log_bytes = windows.log_bytes(work.lake, found)
        self.count = bucket_count(log_bytes, work.engine.task_bytes, work.engine.workers)
        self.cuts = cut_count(self.count)

    def run(self) -> Made:
        rows = self.rows()
        assembled = self.assemble(rows)
        whole = Made()
        for each in assembled:
            add(whole, each)
        for part in self.copies(whole.left):
            add(whole, part)
        links = ByBucket([*self.link(whole.left), *self.route(whole.left)])
        shared = named(whole.left, KNOWLEDGE)
        by_bucket = ByBucket(left for table in (TRANSMISSION, VERDICT) for left in named(whole.left, table))
        inputs = [self.inputs(each, by_bucket, links) for each in assembled]
        later = ByBucket(self.forward(inputs))
        made = self.messages(
            [replace(each, left=(*each.left, *shared, *later.of(each.bucket))) for each in inputs]
        )
        for part in made:
            add(whole, part)
        # Not in one loop: what is refused depends on what the messages left.
        for part in self.refused(whole.left):
            add(whole, part)
        return whole

    def rows(self) -> list[Left]:
        """The bronze rows of the windows, by bucket: those just parsed from staging, others from files."""
        work = self.work
        versions = work.lake.versions()
        ingested = work.ingested
        staged = {f"{work.lake.path(file.table)}/{file.path}" for file in ingested.files}
        is_staged = bool(ingested.left)
        found = list(ingested.left)
        tasks = []
        for table in bronze_tables():
            if table not in versions:
                continue
            files = [
                file
                for file in work.lake.files(
                    table, versions[table], lambda partition: windows.holds(self.read, partition)
                )
                if not (is_staged and file.path in staged)
            ]
            name = table.split(".")[1]
            for part in chunks(files, LARGEST_BUCKET // 8):
                arguments = (work.staging, part, name, self.count, self.waiting)
                tasks.append(Task("jobs.stages.silver_tasks:split", arguments, f"silver, files of {table}"))
        found += [each for of_task in work.engine.run(tasks) for each in of_task]
        left = [each for each in found if each.name.startswith("bronze.")]
        waiting = [each for each in found if each.name.startswith("held.")]
        if times := named(found, EXTENT):
            task = Task("jobs.stages.silver_tasks:compare", (work.staging, times), "silver, files' times")
            left += [each for of_task in work.engine.run([task]) for each in of_task]
        for format_name in assembling.settled_formats():
            parts = named(waiting, held(format_name))
            if parts:
                task = Task(
                    "jobs.stages.silver_tasks:settle",
                    (work.staging, parts, named(left, ORDER), format_name, self.read, self.count),
                    f"silver, held rows of {bronze(format_name)}",
                )
                left += [each for of_task in work.engine.run([task]) for each in of_task]
        return left

    def through(self, tasks: list[Task], first: float, last: float) -> list[Any]:
        """Run tasks that take the stage from one share of its work to another."""
        step = (last - first) / max(len(tasks), 1)
        return self.work.engine.run(
            tasks, lambda count: self.work.reach("silver", min(first + count * step, last))
        )

    def assemble(self, rows: Sequence[Left]) -> list[OfBucket]:
        parts = ByBucket(rows)
        tasks = [self.assembly(Bucket(number, self.count), parts) for number in range(self.count)]
        made: list[OfBucket] = self.through([task for task in tasks if task.arguments[3]], 0.0, 0.55)
        return made

    def assembly(self, bucket: Bucket, rows: ByBucket) -> Task:
        def halves(task: Task) -> list[Task]:
            return [self.assembly(half, rows) for half in bucket.halves]

        arguments = (
            self.work.lake.root,
            self.work.staging,
            bucket,
            rows.of(bucket),
            self.read,
            self.computed,
            self.door,
            self.count,
            self.cuts,
        )
        return Task("jobs.stages.silver_tasks:assemble", arguments, f"silver, {bucket}", halves)

    def copies(self, left: Sequence[Left]) -> list[Made]:
        """What was found of copies, as rows of silver.copy_daily."""
        if not (found := named(left, COPIES)):
            return []
        arguments = (self.work.lake.root, found)
        made: list[Made] = self.work.engine.run(
            [Task("jobs.stages.silver_tasks:sum_copies", arguments, "silver, copies")]
        )
        return made

    def link(self, left: Sequence[Left]) -> list[Left]:
        """Later hops, by the bucket of each."""
        found = self.of_cuts("link", [named(left, "ends")], 0.55, 0.57, self.cuts)
        chosen = self.of_cuts("choose", [named(found, "candidates")], 0.57, 0.58, self.cuts)
        both = [named(chosen, "children"), named(chosen, "parents")]
        return self.of_cuts("root", both, 0.58, 0.59, self.count)

    def route(self, left: Sequence[Left]) -> list[Left]:
        """The buckets that verdicts without a queue id go to, by the bucket of each."""
        return self.of_cuts("route", [named(left, "asked"), named(left, "ids")], 0.59, 0.6, self.count)

    def of_cuts(
        self, function: str, inputs: Sequence[Sequence[Left]], first: float, last: float, count: int
    ) -> list[Left]:
        """Run a task for each cut that has frames of the first input. count: of the parts that it leaves."""
        by_cut = [ByBucket(each) for each in inputs]
        frames = [[each.of(Bucket(cut, self.cuts)) for each in by_cut] for cut in range(self.cuts)]
        tasks = [
            Task(
                f"jobs.stages.cuts:{function}",
                (self.work.staging, *of_cut, count),
                f"silver, {function}, cut {cut + 1} of {self.cuts}",
            )
            for cut, of_cut in enumerate(frames)
            if of_cut[0]
        ]
        return [left for found in self.through(tasks, first, last) for left in found]

    def inputs(self, made: OfBucket, moved: ByBucket, links: ByBucket) -> Inputs:
        files = tuple(
            DataFile(
                f"{self.work.lake.path(file.table)}/{file.path}", tuple(file.partition), file.bytes, file.rows
            )
            for file in made.files
            if file.table in (TRANSMISSION, VERDICT)
        )
        return Inputs(made.bucket, files, (*moved.of(made.bucket), *links.of(made.bucket)))

    def forward(self, inputs: Sequence[Inputs]) -> list[Left]:
        """The rows that another bucket needs."""
        tasks = [
            Task(
                "jobs.stages.silver_tasks:forward",
                (self.work.staging, each, self.cuts),
                f"silver, {each.bucket}",
            )
            for each in inputs
            if named(each.left, "links") or named(each.left, "routes")
        ]
        moving = [left for found in self.through(tasks, 0.6, 0.64) for left in found]
        return [
            *self.of_cuts("spread", [named(moving, "later")], 0.64, 0.65, self.count),
            *self.of_cuts("spread", [named(moving, "by_id")], 0.65, 0.65, self.count),
        ]

    def messages(self, inputs: Sequence[Inputs]) -> list[Made]:
        made: list[Made] = self.through([self.message(each) for each in inputs], 0.65, 0.95)
        return made

    def message(self, inputs: Inputs) -> Task:
        def halves(task: Task) -> list[Task]:
            parts = inputs.parts * 2
            return [
                self.message(replace(inputs, part=part, parts=parts))
                for part in (inputs.part, inputs.part + inputs.parts)
            ]

        arguments = (self.work.lake.root, self.work.staging, inputs, self.computed, self.count, self.cuts)
        return Task(
            "jobs.stages.silver_tasks:messages", arguments, f"silver, messages of {inputs.bucket}", halves
        )

    def refused(self, left: Sequence[Left]) -> list[Made]:
        """The temporary refusals that nothing followed up."""
        temporary = sorted(named(left, "temporary"), key=lambda each: each.bucket)
        if not temporary:
            return []
        followed = ByBucket(self.of_cuts("follow", [named(left, "triples")], 0.95, 0.97, self.count))
        tasks = []
        for part in chunks(temporary, largest_bucket(self.work.engine.task_bytes)):
            buckets = {each.bucket: None for each in part}
            dropped = [each for number in buckets for each in followed.of(Bucket(number, self.count))]
            arguments = (self.work.lake.root, part, dropped)
            tasks.append(Task("jobs.stages.silver_tasks:refused", arguments, "silver, refusals"))
        made: list[Made] = self.through(tasks, 0.97, 0.98)
        return made


def bronze_tables() -> list[str]:
    """The bronze tables that silver reads."""
    read = {name for table in SILVER for name in contract(table).reads}
    return [table for table in tables() if table in read and table.startswith("bronze.")]


def add(whole: Made, part: Made) -> None:
    whole.files += part.files
    whole.left += part.left
    whole.broken += part.broken
    for table, prints in part.fingerprints.items():
        whole.fingerprints.setdefault(table, []).extend(prints)
