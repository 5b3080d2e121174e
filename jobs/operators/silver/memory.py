"""An exchange between the steps of silver whose frames stay in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from jobs.base.tables.buckets import Bucket, ByBucket
from jobs.base.tables.contracts import polars_schema
from jobs.operators.silver.exchange import Exchange, Halving, Place, Shelf, Step, StepParameters, Stored


@dataclass(frozen=True)
class Held:
    """A frame in memory.

    Attributes:
        bucket: of `count` buckets or cuts the one that all its rows belong to.
    """

    name: str
    frame: pl.DataFrame
    bucket: int
    count: int

    def read_rows(self) -> pl.DataFrame:
        return self.frame


class Memory(Exchange, Shelf):
    """Frames and rows by their names, bucket by bucket."""

    def __init__(self, parameters: StepParameters) -> None:
        self.parameters = parameters
        self._left: dict[str, ByBucket[Held]] = {}
        self._kept: dict[tuple[str, int], list[pl.DataFrame]] = {}

    def leave_parts(self, name: str, parts: Iterable[tuple[int, pl.DataFrame]], count: int) -> None:
        found = [Held(name, frame, int(number), count) for number, frame in parts if frame.height]
        if found:
            self._left.setdefault(name, ByBucket()).add_frames(found)

    def keep_rows(self, table: str, rows: pl.DataFrame, number: int = 0) -> None:
        """Keep rows of a table in a bucket."""
        if rows.height:
            self._kept.setdefault((table, number), []).append(rows)

    def kept_rows(self, table: str, number: int) -> pl.DataFrame:
        """The rows of a table that were kept in a bucket."""
        frames = self._kept.get((table, number))
        return pl.concat(frames) if frames else pl.DataFrame(schema=polars_schema(table))

    def table_rows(self, table: str) -> pl.DataFrame:
        """All rows of a table that were kept."""
        frames = [frame for (name, _), of in sorted(self._kept.items()) if name == table for frame in of]
        return pl.concat(frames) if frames else pl.DataFrame(schema=polars_schema(table))

    def left_rows(self, name: str) -> pl.DataFrame | None:
        """All rows that were left under a name; None where none were."""
        frames = [each.frame for each in self._left[name].list_frames()] if name in self._left else []
        return pl.concat(frames) if frames else None

    def replace_rows(self, table: str, rows: Sequence[pl.DataFrame]) -> None:
        """Put other rows in place of those of a table, kept or left: those of each bucket."""
        self._left.pop(table, None)
        self._kept = {key: of for key, of in self._kept.items() if key[0] != table}
        for number, of_bucket in enumerate(rows):
            self.keep_rows(table, of_bucket, number)

    def make_place(self, number: int, count: int | None = None, takes: Iterable[str] | None = None) -> Place:
        """A bucket, or one of so many cuts, with the frames of these names, or all."""
        bucket = Bucket(number, self.parameters.buckets if count is None else count)
        names = self._left if takes is None else takes
        frames = [each for name in names if name in self._left for each in self._left[name].frames_of(bucket)]
        return InMemory(self, bucket, frames)

    def has_frame(self, name: str) -> bool:
        return name in self._left

    def call_once(self, step: Step, takes: Sequence[str], what: str) -> None:
        step(self.make_place(0, 1, takes))

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
        for number in range(self.parameters.buckets):
            place = self.make_place(number, None, takes)
            if any(place.frames_named(name) or (name, number) in self._kept for name in needs):
                step(place)

    def call_cuts(self, step: Step, takes: Sequence[str], *, needs: Sequence[str], until: float) -> None:
        for number in range(self.parameters.cuts):
            place = self.make_place(number, self.parameters.cuts, takes)
            if any(place.frames_named(name) for name in needs):
                step(place)

    def call_groups(self, step: Step, name: str, takes: Sequence[str], *, until: float, what: str) -> None:
        if self.has_frame(name):
            self.call_once(step, [name, *takes], what)


class InMemory(Place):
    """A bucket or cut of an exchange in memory."""

    def __init__(self, memory: Memory, bucket: Bucket, frames: Sequence[Stored]) -> None:
        self.memory, self.bucket, self.frames = memory, bucket, frames
        self.parameters = memory.parameters

    def leave_parts(self, name: str, parts: Iterable[tuple[int, pl.DataFrame]], count: int) -> None:
        self.memory.leave_parts(name, parts, count)

    def keep_rows(self, table: str, rows: pl.DataFrame) -> None:
        self.memory.keep_rows(table, rows, self.home)

    def kept_rows(self, table: str) -> pl.DataFrame:
        return self.memory.kept_rows(table, self.home)
