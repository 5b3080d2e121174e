"""The steps of one silver stage: tasks over buckets of bronze rows, and what they hand to each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from jobs.core.contracts import contract, tables
from jobs.engine.table_files import DataFile
from jobs.engine.tasks import Bucket, ByBucket, Left, R, Task, chunks, named
from jobs.protect.operators import Door
from jobs.silver import assembling, copies
from jobs.silver.frames import Frame
from jobs.stages import cuts, silver_tasks, windows
from jobs.stages.run import Run
from jobs.stages.settings_tables import read_reference
from jobs.stages.silver_tasks import (
    ASSEMBLED,
    KNOWLEDGE,
    MESSAGE,
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
        self.cuts = cuts.cut_count(self.count)

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
                tasks.append(
                    Task(
                        f"silver, files of {table}",
                        silver_tasks.split,
                        staging=work.staging,
                        files=part,
                        format_name=name,
                        count=self.count,
                        waiting=self.waiting,
                    )
                )
        found += [each for of_task in work.engine.run(tasks) for each in of_task]
        left = [each for each in found if each.name.startswith("bronze.")]
        waiting = [each for each in found if each.name.startswith("held.")]
        if times := named(found, Frame.EXTENT):
            task = Task("silver, files' times", silver_tasks.compare, staging=work.staging, parts=times)
            left += [each for of_task in work.engine.run([task]) for each in of_task]
        for format_name in assembling.settled_formats():
            parts = named(waiting, held(format_name))
            if parts:
                task = Task(
                    f"silver, held rows of {bronze(format_name)}",
                    silver_tasks.settle,
                    staging=work.staging,
                    parts=parts,
                    order=named(left, Frame.ORDER),
                    format_name=format_name,
                    days=self.read,
                    count=self.count,
                )
                left += [each for of_task in work.engine.run([task]) for each in of_task]
        return left

    def through(self, tasks: Sequence[Task[R]], first: float, last: float) -> list[R]:
        """Run tasks that take the stage from one share of its work to another."""
        step = (last - first) / max(len(tasks), 1)
        return self.work.engine.run(
            tasks, lambda count: self.work.reach("silver", min(first + count * step, last))
        )

    def assemble(self, rows: Sequence[Left]) -> list[OfBucket]:
        parts = ByBucket(rows)
        buckets = [Bucket(number, self.count) for number in range(self.count)]
        return self.through([self.assembly(each, parts) for each in buckets if parts.of(each)], 0.0, 0.55)

    def assembly(self, bucket: Bucket, rows: ByBucket) -> Task[OfBucket]:
        whole = Task(
            f"silver, {bucket}",
            silver_tasks.assemble,
            root=self.work.lake.root,
            staging=self.work.staging,
            bucket=bucket,
            parts=rows.of(bucket),
            read=self.read,
            computed=self.computed,
            door=self.door,
            count=self.count,
            of_cuts=self.cuts,
        )
        return whole.cut_by(lambda: [self.assembly(half, rows) for half in bucket.halves])

    def copies(self, left: Sequence[Left]) -> list[Made]:
        """What was found of copies, as rows of silver.copy_daily."""
        if not (found := named(left, Frame.COPIES)):
            return []
        task = Task("silver, copies", silver_tasks.sum_copies, root=self.work.lake.root, parts=found)
        return self.work.engine.run([task])

    def link(self, left: Sequence[Left]) -> list[Left]:
        """Later hops, by the bucket of each."""
        staging = self.work.staging
        ends = ByBucket(named(left, Frame.ENDS))
        found = self.of_cuts(
            *(ends, 0.55, 0.57, "link"),
            lambda about, cut: Task(about, cuts.link, staging=staging, ends=ends.of(cut), count=self.cuts),
        )
        candidates = ByBucket(named(found, Frame.CANDIDATES))
        chosen = self.of_cuts(
            *(candidates, 0.57, 0.58, "choose"),
            lambda about, cut: Task(
                about, cuts.choose, staging=staging, candidates=candidates.of(cut), count=self.cuts
            ),
        )
        children, parents = (ByBucket(named(chosen, name)) for name in (Frame.CHILDREN, Frame.PARENTS))
        return self.of_cuts(
            *(children, 0.58, 0.59, "root"),
            lambda about, cut: Task(
                about,
                cuts.root,
                staging=staging,
                children=children.of(cut),
                parents=parents.of(cut),
                count=self.count,
            ),
        )

    def route(self, left: Sequence[Left]) -> list[Left]:
        """The buckets that verdicts without a queue id go to, by the bucket of each."""
        asked, ids = (ByBucket(named(left, name)) for name in (Frame.ASKED, Frame.IDS))
        return self.of_cuts(
            *(asked, 0.59, 0.6, "route"),
            lambda about, cut: Task(
                about,
                cuts.route,
                staging=self.work.staging,
                asked=asked.of(cut),
                ids=ids.of(cut),
                count=self.count,
            ),
        )

    def of_cuts(
        self,
        frames: ByBucket,
        first: float,
        last: float,
        step: str,
        task: Callable[[str, Bucket], Task[list[Left]]],
    ) -> list[Left]:
        """Run a task for each cut that has some of the frames. task: makes it, of its name for messages."""
        every = [Bucket(number, self.cuts) for number in range(self.cuts)]
        tasks = [
            task(f"silver, {step}, cut {cut.number + 1} of {self.cuts}", cut)
            for cut in every
            if frames.of(cut)
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
                f"silver, {each.bucket}",
                silver_tasks.forward,
                staging=self.work.staging,
                of_bucket=each,
                of_cuts=self.cuts,
            )
            for each in inputs
            if named(each.left, Frame.LINKS) or named(each.left, Frame.ROUTES)
        ]
        moving = [left for found in self.through(tasks, 0.6, 0.64) for left in found]
        return [
            *self.spread(named(moving, Frame.LATER), 0.64, 0.65),
            *self.spread(named(moving, Frame.BY_ID), 0.65, 0.65),
        ]

    def spread(self, left: Sequence[Left], first: float, last: float) -> list[Left]:
        """Rows on their way, by the bucket that each goes to."""
        moving = ByBucket(left)
        return self.of_cuts(
            *(moving, first, last, "spread"),
            lambda about, cut: Task(
                about, cuts.spread, staging=self.work.staging, moving=moving.of(cut), count=self.count
            ),
        )

    def messages(self, inputs: Sequence[Inputs]) -> list[Made]:
        return self.through([self.message(each) for each in inputs], 0.65, 0.95)

    def message(self, inputs: Inputs) -> Task[Made]:
        whole = Task(
            f"silver, messages of {inputs.bucket}",
            silver_tasks.messages,
            root=self.work.lake.root,
            staging=self.work.staging,
            of_bucket=inputs,
            computed=self.computed,
            count=self.count,
            of_cuts=self.cuts,
        )
        return whole.cut_by(lambda: [self.message(half) for half in inputs.halves])

    def refused(self, left: Sequence[Left]) -> list[Made]:
        """The temporary refusals that nothing followed up."""
        temporary = sorted(named(left, Frame.TEMPORARY), key=lambda each: each.bucket)
        if not temporary:
            return []
        triples = ByBucket(named(left, Frame.TRIPLES))
        followed = ByBucket(
            self.of_cuts(
                *(triples, 0.95, 0.97, "follow"),
                lambda about, cut: Task(
                    about, cuts.follow, staging=self.work.staging, triples=triples.of(cut), count=self.count
                ),
            )
        )
        tasks = []
        for part in chunks(temporary, largest_bucket(self.work.engine.task_bytes)):
            buckets = {each.bucket: None for each in part}
            dropped = [each for number in buckets for each in followed.of(Bucket(number, self.count))]
            tasks.append(
                Task(
                    "silver, refusals",
                    silver_tasks.refused,
                    root=self.work.lake.root,
                    parts=part,
                    followed=dropped,
                )
            )
        return self.through(tasks, 0.97, 0.98)


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
