"""Lines of several small files that a kernel reads in one call, and where each of their rows stands.

A kernel's call takes some milliseconds, however few lines it gets. What comes of the files is what a call for
each of them would give, row by row.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from jobs.operators.formats import Source
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.ingest.piece_ranges import Range

# A block of a range, and the offset of its first line in the stream.
Block = tuple[Range, bytes, int]

# So many bytes of files are read together: much more would not take less time for each.
SMALL = 1 << 20
# Files of one call were written within this time. It is less than what a stamp without a year may lie beyond
# its file's time, so that its year is the same in all of them, unless a clock was wrong.
NEAR = dt.timedelta(days=1)


def small_together(blocks: Iterable[Block], limit: int) -> Iterator[list[Block]]:
    """Blocks that follow each other, as many as have so many bytes together; at least one."""
    found: list[Block] = []
    size = 0
    for part, block, offset in blocks:
        if found and (size + len(block) > limit or not is_near(found[0][0], part)):
            yield found
            found, size = [], 0
        found.append((part, block, offset))
        size += len(block)
        # A long block does not wait while the next one is read.
        if size >= limit:
            yield found
            found, size = [], 0
    if found:
        yield found


def is_near(one: Range, other: Range) -> bool:
    return abs(one.source.newest_at - other.source.newest_at) <= NEAR


@dataclass(frozen=True)
class RowPlace:
    """The place of a block's rows: in one range, or in ranges of several files, one after another.

    Attributes:
        begins: the offset that the first line of each has in the block.
        starts: that which it has in its stream.
    """

    parts: list[Range]
    begins: list[int]
    starts: list[int]

    @property
    def source(self) -> Source:
        """The source that holds for all files of the block."""
        abouts = [part.source for part in self.parts]
        if len(abouts) == 1:
            return abouts[0]
        newest = [each.newest_at for each in abouts]
        latest = [each.latest_at for each in abouts if each.latest_at is not None]
        return replace(
            abouts[0],
            newest_at=max(newest),
            newest_from=min(newest),
            latest_at=min(latest) if latest else None,
        )

    @property
    def columns(self) -> dict[str, Any]:
        """The columns that name the stream of rows of the first range."""
        return {name: pl.lit(value) for name, value in self.parts[0].stream.items()}

    def number_ranges(self, offsets: pl.Series) -> pl.Series:
        """Return the number of the range that each offset in the block lies in."""
        if len(self.parts) == 1:
            return pl.zeros(len(offsets), pl.Int64, eager=True).alias("part")
        return pl.Series("part", np.searchsorted(self.begins, offsets.to_numpy(), side="right") - 1)

    def count_in_ranges(self, offsets: pl.Series) -> np.ndarray:
        """The number of these offsets in each range."""
        return np.bincount(self.number_ranges(offsets).to_numpy(), minlength=len(self.parts))

    def add_streams(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of the block with the columns that name their stream, the offset in it, and `part`, which of
        the ranges they lie in."""
        number = self.number_ranges(rows["offset"])
        if len(self.parts) == 1:
            return rows.with_columns(number, **self.columns)
        moved = pl.Series([start - begin for begin, start in zip(self.begins, self.starts, strict=True)])
        streams = pl.Series([part.source.stream_id for part in self.parts], dtype=pl.String)
        return rows.with_columns(
            number,
            **self.columns
            | {"stream_id": streams.gather(number), "offset": rows["offset"] + moved.gather(number)},
        )


def lines_of(blocks: list[Block]) -> tuple[pl.DataFrame, RowPlace]:
    """The lines of blocks, one after another, and where they stand. Lines of several have `piece`, too: which
    of the blocks each is of."""
    parts, data, starts = (list(each) for each in zip(*blocks, strict=True))
    frames = [frame_lines(block, start) for block, start in zip(data, starts, strict=True)]
    if len(frames) == 1:
        return frames[0], RowPlace(parts, starts, starts)
    begins = [0, *itertools.accumulate(map(len, data))][:-1]
    moved = [
        frame.with_columns(pl.col("offset") + (begin - start), piece=pl.lit(number, pl.Int64))
        for number, (frame, begin, start) in enumerate(zip(frames, begins, starts, strict=True))
    ]
    return pl.concat(moved, rechunk=True), RowPlace(parts, begins, starts)
