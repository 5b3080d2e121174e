"""The frames that steps of silver leave for each other, in memory or in files.

jobs/operators/silver/pipeline.py has the steps' order, jobs/operators/silver/steps.py the steps. An Exchange
calls a step for each bucket or cut; a Place is what the step sees of it. jobs/operators/silver/memory.py
keeps all frames in memory; jobs/operators/build/staged_exchange.py keeps them in files, and gives steps to
workers.
"""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import polars as pl

from jobs.base.core.column_types import ColumnTypes
from jobs.base.tables.buckets import Bucket, InBucket, select_rows, split_by_value
from jobs.operators.protect.operators import Protection
from jobs.operators.silver.frames import ASSEMBLED

# For each operator the first and last day that a stage reads or computes.
Days = dict[str, tuple[dt.date, dt.date]]


@dataclass(frozen=True)
class StepParameters:
    """Parameters that all steps share.

    Attributes:
        protection: what protects identifiers.
        buckets, cuts: how many there are.
        read: the days whose bronze rows are read, computed: the days whose rows silver is to have, by
            operator; None where all.
        tables: what is assembled.
        message_columns: what is kept of messages; None where all.
        attribute_rule: rows of ref.attribute_rule, where others than the project's.
        is_narrowed: whether assembling a bucket leaves its narrow rows at once, while the wide ones are at
            hand.
    """

    protection: Protection
    buckets: int = 1
    cuts: int = 1
    read: Days | None = None
    computed: Days | None = None
    tables: tuple[str, ...] = ASSEMBLED
    message_columns: tuple[str, ...] | None = None
    attribute_rule: pl.DataFrame | None = None
    is_narrowed: bool = False

    def is_read(self, rows: pl.DataFrame, day: pl.Expr) -> pl.Series:
        return mask_days(rows, self.read, day)

    def is_computed(self, rows: pl.DataFrame, day: pl.Expr) -> pl.Series:
        return mask_days(rows, self.computed, day)


def mask_days(rows: pl.DataFrame, days: Days | None, day: pl.Expr) -> pl.Series:
    """Return whether each row belongs to one of the operators' days.

    Args:
        day: the row's day.
    """
    if not days:
        return pl.Series("is_inside", [days is None]).new_from_index(0, rows.height)
    parts = [
        (pl.col("operator_id") == operator) & day.is_between(first, last)
        for operator, (first, last) in sorted(days.items())
    ]
    return rows.select(is_inside=pl.any_horizontal(parts)).to_series()


class Stored(InBucket, Protocol):
    """A frame that a step left, of a bucket or cut."""

    @property
    def name(self) -> str: ...

    def read_rows(self) -> pl.DataFrame: ...


class Shelf(ABC):
    """The place where rows are left for later steps."""

    @abstractmethod
    def leave_parts(self, name: str, parts: Iterable[tuple[int, pl.DataFrame]], count: int) -> None:
        """Leave rows of some of `count` buckets or cuts."""

    def leave_rows(self, name: str, rows: pl.DataFrame) -> None:
        """Leave rows for every bucket."""
        self.leave_parts(name, [(0, rows)], 1)

    def leave_by(self, name: str, rows: pl.DataFrame, numbers: pl.Series, count: int) -> None:
        """Leave rows by the one of `count` buckets that each belongs to."""
        self.leave_parts(name, split_by_value(rows, numbers), count)

    def leave_modulo(self, name: str, rows: pl.DataFrame, column: str, count: int) -> None:
        """Leave rows by the one of `count` cuts, or buckets, that the number in a column belongs to."""
        numbers = rows.select((pl.col(column) % count).cast(pl.Int32)).to_series()
        self.leave_by(name, rows, numbers, count)


class Place(Shelf):
    """One bucket or cut: what was left for it, and what a step makes of it.

    Attributes:
        part, parts: which part of the bucket's queue files a step takes.
    """

    bucket: Bucket
    parameters: StepParameters
    frames: Sequence[Stored]
    part: int = 0
    parts: int = 1

    @abstractmethod
    def keep_rows(self, table: str, rows: pl.DataFrame) -> None:
        """Keep rows of a silver table."""

    @abstractmethod
    def kept_rows(self, table: str) -> pl.DataFrame:
        """The rows of a table that the bucket's steps before this one kept."""

    @property
    def home(self) -> int:
        """The bucket, of those that rows move between."""
        return self.bucket.number % self.parameters.buckets

    def frames_named(self, name: str) -> list[Stored]:
        return [each for each in self.frames if each.name == name]

    def take_rows(self, name: str) -> pl.DataFrame | None:
        """The rows that were left under a name; None where none were."""
        frames = [each.read_rows() for each in self.frames_named(name)]
        # One chunk: some functions of Polars 2.1 fail where an empty chunk stands before another.
        return pl.concat(frames, rechunk=True) if frames else None

    def take_or(self, name: str, schema: ColumnTypes) -> pl.DataFrame:
        """The rows of a frame, as take_rows() returns them; a frame without rows where none were left."""
        found = self.take_rows(name)
        return pl.DataFrame(schema=schema) if found is None else found

    def take_all(self, name: str) -> pl.DataFrame:
        """The rows of a frame that is there: the step is called because there are some."""
        found = self.take_rows(name)
        assert found is not None, f"{name} of {self.bucket}"
        return found

    def take_kept(self, table: str, home: Callable[[pl.DataFrame], pl.Series]) -> pl.DataFrame:
        """The rows of a table that belong here: those kept here and those that moved here.

        Args:
            home: the bucket that each belongs to, null where to any.
        """
        own, moved = self.kept_rows(table), self.take_rows(table)
        rows = own if moved is None else pl.concat([own, moved.select(own.columns)])
        return select_rows(rows, (home(rows) == self.bucket.number).fill_null(True))


Step = Callable[[Place], None]


class Halving(Enum):
    """The way in which a bucket is done in halves after its step died for want of memory."""

    NONE = "done again whole"
    BUCKETS = "two buckets of half the size"
    FILES = "two parts of the bucket's queue files"


class Exchange(ABC):
    """Calls steps, and hands each what others left for its bucket or cut."""

    parameters: StepParameters

    @abstractmethod
    def has_frame(self, name: str) -> bool:
        """Return whether some step left a frame of this name."""

    @abstractmethod
    def call_once(self, step: Step, takes: Sequence[str], what: str) -> None:
        """Call a step once, with all frames of these names.

        Args:
            what: names it in messages.
        """

    @abstractmethod
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
        """Call a step for each bucket that has frames, or kept rows, of one of the names in `needs`.

        Args:
            takes: the frames that it gets.
            until: the share of silver's time that is over when all are done.
        """

    @abstractmethod
    def call_cuts(self, step: Step, takes: Sequence[str], *, needs: Sequence[str], until: float) -> None:
        """Call a step for each cut that has frames of one of the names in `needs`."""

    @abstractmethod
    def call_groups(self, step: Step, name: str, takes: Sequence[str], *, until: float, what: str) -> None:
        """Call a step for groups of buckets that have frames of a name; it takes these, and others."""
