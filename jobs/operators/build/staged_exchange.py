"""The exchange of a run: silver's steps as tasks, whose frames lie in staging.

A step that keeps rows of a silver table checks them, adds up their checksums, and writes them as files that
no transaction names yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from jobs.base.engine import silver_buckets
from jobs.base.engine.tasks import Engine, StagedFrame, Task, group_by_bytes, leave_buckets
from jobs.base.store.table_files import DataFile, NewFile, folder_of, read_files, write_files
from jobs.base.tables.buckets import Bucket, ByBucket
from jobs.base.tables.checksum import Fingerprints, fingerprint_periods
from jobs.operators.build.checks import Broken, check_rows
from jobs.operators.silver.exchange import Exchange, Halving, Place, Shelf, Step, StepParameters
from jobs.operators.silver.frames import TRANSMISSION, VERDICT


@dataclass
class StepOutput:
    """The output of a step for tables: files, the fingerprints of their rows, the rules that rows break; and
    frames in staging for later steps.

    Attributes:
        bucket: the one that it was called for.
    """

    files: list[NewFile] = field(default_factory=list)
    frames: list[StagedFrame] = field(default_factory=list)
    fingerprints: dict[str, list[Fingerprints]] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    bucket: Bucket = Bucket(0, 1)

    def add_rows(self, rows: pl.DataFrame, table: str, root: str) -> None:
        """Check rows of a table, add up their checksums, and write them as files."""
        if rows.is_empty():
            return
        self.broken += check_rows(rows, table)
        self.fingerprints.setdefault(table, []).append(fingerprint_periods(rows, table))
        self.files += write_files(rows, table, root)

    def add_part(self, part: StepOutput) -> None:
        """Add what another step made for tables."""
        self.files += part.files
        self.broken += part.broken
        for table, prints in part.fingerprints.items():
            self.fingerprints.setdefault(table, []).extend(prints)


class StagedShelf(Shelf):
    """A staging folder.

    Attributes:
        left: the frames that were left in it.
    """

    def __init__(self, staging: str) -> None:
        self.staging = staging
        self.left: list[StagedFrame] = []

    def leave_parts(self, name: str, parts: Iterable[tuple[int, pl.DataFrame]], count: int) -> None:
        self.left += leave_buckets(parts, name, self.staging, count)


@dataclass
class StagedPlace(Place):
    """A bucket or cut whose frames lie in staging, and what a step makes of it.

    Attributes:
        files: those of tables that steps before this one wrote for the bucket.
    """

    root: str
    staging: str
    parameters: StepParameters
    bucket: Bucket
    frames: Sequence[StagedFrame]
    files: Sequence[DataFile] = ()
    part: int = 0
    parts: int = 1
    made: StepOutput = field(default_factory=StepOutput)

    def leave_parts(self, name: str, parts: Iterable[tuple[int, pl.DataFrame]], count: int) -> None:
        self.made.frames += leave_buckets(parts, name, self.staging, count)

    def keep_rows(self, table: str, rows: pl.DataFrame) -> None:
        self.made.add_rows(rows, table, self.root)

    def kept_rows(self, table: str) -> pl.DataFrame:
        folder = f"{folder_of(self.root, table)}/"
        return read_files(table, [file for file in self.files if file.path.startswith(folder)])

    @property
    def halves(self) -> list[StagedPlace]:
        """The bucket cut in two by its queue files."""
        return [
            replace(self, part=part, parts=self.parts * 2) for part in (self.part, self.part + self.parts)
        ]


def run_step(*, step: Step, place: StagedPlace) -> StepOutput:
    """A step as a task."""
    place.made.bucket = place.bucket
    step(place)
    return place.made


class StagedExchange(Exchange):
    """Calls steps as tasks of an engine.

    Attributes:
        made: what they made for tables.
        reach: takes the share of silver's time that is over.
    """

    def __init__(
        self,
        root: str,
        staging: str,
        engine: Engine,
        parameters: StepParameters,
        reach: Callable[[float], None],
    ) -> None:
        self.root, self.staging, self.engine = root, staging, engine
        self.parameters, self.reach = parameters, reach
        self.made = StepOutput()
        self._left: dict[str, ByBucket[StagedFrame]] = {}
        self._buckets = [Bucket(number, parameters.buckets) for number in range(parameters.buckets)]
        self._files: dict[Bucket, list[DataFile]] = {}
        self._reached = 0.0

    def add_frames(self, left: Iterable[StagedFrame]) -> None:
        """Add frames that lie in staging."""
        for each in left:
            self._left.setdefault(each.name, ByBucket()).add_frames([each])

    def has_frame(self, name: str) -> bool:
        return name in self._left

    def call_once(self, step: Step, takes: Sequence[str], what: str) -> None:
        place = self._make_place(Bucket(0, 1), takes)
        self._run_tasks([Task(f"silver, {what}", run_step, step=step, place=place)], self._reached)

    def call_buckets(
        self,
        step: Step,
        takes: Sequence[str],
        *,
        needs: Sequence[str],
        until: float,
        what: str = "",
        halving: Halving = Halving.NONE,
    ) -> None:
        def make_task(place: StagedPlace) -> Task[StepOutput]:
            title = f"silver, {what} of {place.bucket}" if what else f"silver, {place.bucket}"
            whole = Task(title, run_step, step=step, place=place)
            if halving is Halving.BUCKETS:
                return whole.cut_by(
                    lambda: [make_task(self._make_place(half, takes)) for half in place.bucket.halves]
                )
            if halving is Halving.FILES:
                return whole.cut_by(lambda: [make_task(half) for half in place.halves])
            return whole

        places = [
            self._make_place(bucket, takes)
            for bucket in self._buckets
            if any(self._frames_named(name, bucket) or self._files_of(bucket, name) for name in needs)
        ]
        made = self._run_tasks([make_task(place) for place in places], until)
        if halving is Halving.BUCKETS:
            done = {place.bucket for place in places}
            # What a bucket has none of may still move there.
            rest = [bucket for bucket in self._buckets if bucket not in done]
            self._buckets = [*(each.bucket for each in made), *rest]

    def call_cuts(self, step: Step, takes: Sequence[str], *, needs: Sequence[str], until: float) -> None:
        cuts = [Bucket(number, self.parameters.cuts) for number in range(self.parameters.cuts)]
        tasks = [
            Task(
                f"silver, {getattr(step, '__name__', step)}, cut {cut.number + 1} of {cut.count}",
                run_step,
                step=step,
                place=self._make_place(cut, takes),
            )
            for cut in cuts
            if any(self._frames_named(name, cut) for name in needs)
        ]
        self._run_tasks(tasks, until)

    def call_groups(self, step: Step, name: str, takes: Sequence[str], *, until: float, what: str) -> None:
        frames = (
            sorted(self._left[name].list_frames(), key=lambda each: each.bucket)
            if self.has_frame(name)
            else []
        )
        tasks = []
        for group in group_by_bytes(frames, silver_buckets.largest_bucket(self.engine.task_bytes)):
            numbers = dict.fromkeys(each.bucket for each in group)
            others = [
                each
                for number in numbers
                for other in takes
                for each in self._frames_named(other, Bucket(number, self.parameters.buckets))
            ]
            place = StagedPlace(self.root, self.staging, self.parameters, Bucket(0, 1), [*group, *others])
            tasks.append(Task(f"silver, {what}", run_step, step=step, place=place))
        self._run_tasks(tasks, until)

    def _frames_named(self, name: str, bucket: Bucket) -> list[StagedFrame]:
        return self._left[name].frames_of(bucket) if name in self._left else []

    def _make_place(self, bucket: Bucket, takes: Sequence[str]) -> StagedPlace:
        frames = [each for name in takes for each in self._frames_named(name, bucket)]
        files = [file for table in takes for file in self._files_of(bucket, table)]
        return StagedPlace(self.root, self.staging, self.parameters, bucket, frames, files)

    def _files_of(self, bucket: Bucket, table: str) -> list[DataFile]:
        folder = f"{folder_of(self.root, table)}/"
        return [file for file in self._files.get(bucket, ()) if file.path.startswith(folder)]

    def _run_tasks(self, tasks: Sequence[Task[StepOutput]], until: float) -> list[StepOutput]:
        """Run tasks that take the stage to a share of its time, and add what they made."""
        begin, step = self._reached, (until - self._reached) / max(len(tasks), 1)
        found = self.engine.run_tasks(tasks, lambda count: self.reach(min(begin + count * step, until)))
        self._reached = until
        for each in found:
            self.made.add_part(each)
            self.add_frames(each.frames)
            of_bucket = self._files.setdefault(each.bucket, [])
            of_bucket += [data_file(self.root, file) for file in each.files if file.table in LATER_READ]
        return found


# The tables whose files later steps read, bucket by bucket.
LATER_READ = (TRANSMISSION, VERDICT)


def data_file(root: str, file: NewFile) -> DataFile:
    return DataFile(f"{folder_of(root, file.table)}/{file.path}", file.partition, file.bytes, file.rows)
