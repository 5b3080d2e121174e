"""Blocks of a file, in an order that makes a fair sample of it whenever the reading stops.

Of a plain file: the beginning, the end, then the block in the middle of what is widest open (van der
Corput's order). A block owns the lines that start in it, as a range of ingest does, so that all blocks
together are the file, each line once. A compressed file can be read from its start alone: blocks are
passed over, undecoded, while the reading is behind its time.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jobs.base.core.errors import SourceLost
from jobs.operators.formats.shared.lines import (
    LINE_END,
    LONGEST_LINE,
    last_line_start,
    line_count,
    rest_of_line,
)
from jobs.operators.ingest.chunks import CHUNK, Chunks, is_json
from jobs.operators.sniff.files import LogFile, compression_kind

BLOCK = 2 << 20
# The first answer comes from this much.
FIRST = 512 << 10
# Behind its time, one block in so many of a compressed file is still looked at.
LEAST = 16
HEAD = 64 << 10
# Files as they lie that are compared whole, to see whether one is a copy of the other.
COMPARED = 32 << 20


@dataclass(frozen=True)
class LineBlock:
    """Whole lines, and where they stand in the decompressed file; `first_line` counts from 1, if known."""

    data: bytes
    offset: int
    first_line: int | None


@dataclass
class Progress:
    """The progress of reading a file. Bytes are decompressed ones.

    Attributes:
        total: all bytes of the file, an estimate while is_estimated; ends: whether the end was seen.
        waiting: bytes after the last line end, which a pull leaves until the line is whole.
    """

    read: int = 0
    total: int = 0
    is_estimated: bool = False
    is_whole: bool = False
    sees_end: bool = False
    waiting: int = 0
    damage: str | None = None
    compression: str | None = None

    @property
    def scale(self) -> float:
        """The factor from counts of the sample to those of the file."""
        return 1.0 if self.is_whole or not self.read else max(self.total / self.read, 1.0)


def head_and_tail(file: LogFile) -> tuple[bytes, bytes, str | None]:
    """The first bytes, decompressed; the last, where they can be reached at once; and the compression."""
    with file.open_file() as raw:
        kind = compression_kind(raw.read(6))
        head = Chunks(raw).peek_bytes(HEAD)
        if kind:
            return head, b"", kind
        size = raw.seek(0, os.SEEK_END)
        raw.seek(max(size - HEAD, 0))
        return head, raw.read(HEAD), None


def begins_with(whole: LogFile, part: LogFile) -> bool:
    """Return whether a file begins with all of another, both decompressed. Very large ones are not
    compared."""
    if max(whole.size or 0, part.size or 0) > COMPARED:
        return False
    with whole.open_file() as one, part.open_file() as other:
        left, right = Chunks(one), Chunks(other)
        while True:
            data = _read_exactly(right, CHUNK)
            if data != _read_exactly(left, len(data)):
                return False
            if len(data) < CHUNK:
                return not right.damage


def _read_exactly(chunks: Chunks, size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0 and (part := chunks.read_bytes(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_blocks(
    file: LogFile, progress: Progress, until: Callable[[], float], longest: int = LONGEST_LINE
) -> Iterator[LineBlock]:
    """Blocks of a file until the time is over, or the file is; at least one, if it has a line.

    Args:
        until: the time (monotonic) at which reading should end. It may change while the reading goes on.
        longest: bytes that a line of the format may have.
    """
    with file.open_file() as raw:
        progress.compression = compression_kind(raw.read(6))
        try:
            if progress.compression:
                yield from _read_compressed(file, raw, progress, until)
            else:
                yield from _read_plain(file, raw, progress, until, longest)
        except SourceLost as error:
            progress.damage = f"for its host was lost, {error}"


# --- plain files ---------------------------------------------------------------------------------------


def _read_plain(
    file: LogFile, raw, progress: Progress, until: Callable[[], float], longest: int
) -> Iterator[LineBlock]:
    """Yield the blocks of a file that is not compressed, spread over it from coarse to fine."""
    size = raw.seek(0, os.SEEK_END)
    end = size if file.is_closed else _last_line_end(raw, size)
    if 0 < size - end <= LONGEST_LINE:
        raw.seek(end)
        # As pull does.
        end = size if is_json(raw.read(size - end)) else end
    progress.waiting = size - end
    progress.total = end
    starts = [0, *range(FIRST, end, BLOCK)] if end > FIRST else [0]
    bounds = [*starts, end]
    order = spread_order(len(starts))
    lines_before = 1  # lines in the blocks from the start on that were read without a gap
    reached = 0
    for count, place in enumerate(order):
        if count and time.monotonic() >= until():
            break
        data, offset = owned_lines(raw, bounds[place], bounds[place + 1], end, longest)
        progress.read += bounds[place + 1] - bounds[place]
        first_line = lines_before if place == reached else None
        if place == reached:
            reached += 1
            lines_before += line_count(data)
        progress.is_whole = count + 1 == len(starts)
        progress.sees_end = progress.sees_end or place == len(starts) - 1
        if data:
            yield LineBlock(data, offset, first_line)


def spread_order(count: int) -> list[int]:
    """0 … count-1: the first, the last, then each where the gap is wide (van der Corput's sequence)."""
    order = [0, count - 1][:count]
    seen = set(order)
    for number in range(1, 4 * count):
        fraction, part = 0.0, 0.5
        while number:
            number, bit = divmod(number, 2)
            fraction, part = fraction + bit * part, part / 2
        place = round(fraction * (count - 1))
        if place not in seen:
            seen.add(place)
            order.append(place)
    return order + [place for place in range(count) if place not in seen]


def owned_lines(raw, start: int, stop: int, end: int, longest: int) -> tuple[bytes, int]:
    """The lines that start in [start, stop), and the offset of the first. Too long a line is cut."""
    if start:
        # A line that starts exactly here is found by looking at the byte before.
        raw.seek(start - 1)
        data = raw.read(stop - start + 1)
        found = LINE_END.search(data)
        first = found.end() if found else 0
        if first == 0 or start - 1 + first >= stop:
            return b"", stop
        offset, data = start - 1 + first, data[first:]
    else:
        raw.seek(0)
        data, offset = raw.read(stop), 0
    if not data.endswith(b"\n"):
        # One byte more than a line may have shows that it is too long.
        data += rest_of_line(raw, data[-1:], longest + 1)
    return data[: end - offset], offset


def _last_line_end(raw, size: int) -> int:
    """The offset at which the last whole line ends: what comes after it is still being written."""
    position = size
    while position > 0 and size - position < 64 << 20:
        start = max(position - (1 << 20), 0)
        raw.seek(start)
        # One byte more, which shows whether a CR ends a line.
        found = last_line_start(raw.read(position - start + 1))
        if found:
            return start + found
        position = start
    # Bytes without a line end: pull lands what is longer than a line can be.
    return size if size > 64 << 20 else 0


# --- compressed files ----------------------------------------------------------------------------------


def _read_compressed(
    file: LogFile, raw, progress: Progress, until: Callable[[], float]
) -> Iterator[LineBlock]:
    """Yield the blocks of a compressed file from its start, without some where time is short."""
    size = file.size if file.size is not None else len(file.content or b"")
    chunks = Chunks(raw)
    begun = time.monotonic()
    offset, line, passed = 0, 1, 0
    progress.is_estimated = True
    is_over = False
    for data in gather_blocks(chunks, progress.compression != "journal" or file.is_closed):
        now = time.monotonic()
        share = min(raw.tell() / max(size, 1), 1.0)
        # Behind: less of the file is read than of the time is used.
        left = until() - begun
        is_behind = offset > 0 and left > 0 and share < (now - begun) / left and passed < LEAST
        lines = line_count(data)
        if is_behind:
            passed += 1
        else:
            passed = 0
            progress.read += len(data)
        offset += len(data)
        progress.total = max(int(offset / max(share, 1e-9)), offset)
        if not is_behind:
            yield LineBlock(data, offset - len(data), line)
        line += lines
        if time.monotonic() >= until():
            is_over = True
            break
    if not is_over:
        progress.total, progress.is_estimated = offset, False
        progress.sees_end = True
        progress.is_whole = progress.read == offset
        progress.waiting = chunks.waiting
    progress.damage = chunks.damage


def gather_blocks(chunks: Chunks, is_closed: bool) -> Iterator[bytes]:
    """Blocks of whole lines: a first small one, then larger ones.

    Args:
        is_closed: nothing more will be written.
    """
    wanted = FIRST
    have: list[bytes] = []
    size = 0
    for block in chunks.read_whole_lines(closed=is_closed):
        have.append(block)
        size += len(block)
        if size >= wanted:
            yield b"".join(have)
            have, size, wanted = [], 0, BLOCK
    if have:
        yield b"".join(have)
