"""Rows in buckets: which bucket a row is in, and which frames may hold rows of a bucket."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import polars as pl


@dataclass(frozen=True)
class Bucket:
    """A bucket by its number, of `count` buckets, a power of two: rows whose hash modulo count is it."""

    number: int
    count: int

    @property
    def halves(self) -> tuple[Bucket, Bucket]:
        """The two buckets of half the size that hold the same rows."""
        return Bucket(self.number, self.count * 2), Bucket(self.number + self.count, self.count * 2)

    def __str__(self) -> str:
        return f"bucket {self.number + 1} of {self.count}"


class InBucket(Protocol):
    """A frame all of whose rows belong to one of `count` buckets; of 1 where they may belong to any."""

    @property
    def bucket(self) -> int: ...

    @property
    def count(self) -> int: ...


F = TypeVar("F", bound=InBucket)


class ByBucket(Generic[F]):
    """Frames by bucket. Buckets and frames both grow with the logs: to look through all frames for each
    bucket would take a hundred times as long for ten times the logs."""

    def __init__(self, frames: Iterable[F] = ()) -> None:
        self._found: dict[int, dict[int, list[F]]] = {}
        self.add_frames(frames)

    def add_frames(self, frames: Iterable[F]) -> None:
        for each in frames:
            self._found.setdefault(each.count, {}).setdefault(each.bucket, []).append(each)

    def frames_of(self, bucket: Bucket) -> list[F]:
        """The frames that may hold rows of a bucket, whether there are more buckets of frames or fewer."""
        return [
            each
            for count, found in self._found.items()
            for number in range(bucket.number % count, count, bucket.count)
            for each in found.get(number, ())
        ]

    def list_frames(self) -> list[F]:
        """All frames, bucket after bucket."""
        return [each for found in self._found.values() for _, of in sorted(found.items()) for each in of]


def select_rows(frame: pl.DataFrame, mask: pl.Series) -> pl.DataFrame:
    """The rows that a mask marks; the frame itself, not a copy, where it marks all."""
    return frame if mask.all() else frame.filter(mask)


def split_by_value(frame: pl.DataFrame, values: pl.Series) -> list[tuple[Any, pl.DataFrame]]:
    """The rows by the value that each has; the frame itself, not a copy, where there is one value."""
    if frame.is_empty():
        return []
    if values.n_unique() == 1:
        return [(values[0], frame)]
    parts = frame.with_columns(values.alias("_value")).partition_by("_value", as_dict=True, include_key=False)
    return [(value, part) for (value,), part in parts.items()]
