"""Landed pieces cut into ranges of bytes, and ranges into tasks that fit the memory."""

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jobs.base.engine.tasks import Task
from jobs.operators.build.batches import Ingest
from jobs.operators.build.bronze_tasks import ParsedRanges, parse_ranges
from jobs.operators.formats import AHEAD, Source
from jobs.operators.formats.registry import DOCUMENTS
from jobs.operators.ingest.manifest import Piece
from jobs.operators.ingest.piece_ranges import Range

# A task parses a range of so many bytes, or as many small files; less where memory or work is little.
LARGEST_RANGE = 16 << 20
SMALLEST_RANGE = 256 << 10
# How many times the bytes of a range its rows take while they are parsed and written.
RANGE_EXPANSION = 14
FILES_OF_A_TASK = 400
# So many tasks for each worker, that the last ones to finish are short.
TASKS_OF_A_WORKER = 4
# The bytes of logs that a frame in staging should hold: to write and read a smaller one takes as long.
SMALLEST_FRAME = 256 << 10
# How many long ranges a task parses one after another. Their rows take less memory than one that is parsed.
RANGES_OF_A_TASK = 4


def tasks_of(work: Ingest, ranges: list[Range], ingest_id: str) -> list[Task[ParsedRanges]]:
    """The ranges as tasks: short ones together, and long ones where there are many buckets."""
    limit = bytes_of_a_task(work, [part.end - part.start for part in ranges])
    tasks: list[Task[ParsedRanges]] = []
    group: list[Range] = []
    size = 0
    for part in ranges:
        if group and (size + part.end - part.start > limit or len(group) == FILES_OF_A_TASK):
            tasks.append(parse_task(work, group, ingest_id))
            group, size = [], 0
        group.append(part)
        size += part.end - part.start
    return [*tasks, parse_task(work, group, ingest_id)]


def bytes_of_a_task(work: Ingest, sizes: list[int]) -> int:
    """The bytes of ranges that one task parses: the longest range, or as many small files as are no more than
    a small frame; and more of them where each bucket would otherwise get little from a task. There are enough
    tasks for all workers."""
    longest = max(sizes, default=0)
    shared = sum(sizes) // (work.engine.workers * TASKS_OF_A_WORKER)
    if work.staging is None:
        return max(longest, min(SMALLEST_FRAME, shared))
    several = max(RANGES_OF_A_TASK * longest, SMALLEST_FRAME)
    return max(longest, min(work.buckets * SMALLEST_FRAME, several, shared))


def parse_task(work: Ingest, group: list[Range], ingest_id: str) -> Task[ParsedRanges]:
    first = group[0]
    title = f"{first.source.operator_id}/{first.source.source_id}, {first.file_name}"
    title += f" from byte {first.start:,}" if len(group) == 1 else f" and {len(group) - 1} more"
    whole = Task(
        title,
        parse_ranges,
        root=work.lake.root,
        staging=work.staging,
        ranges=group,
        ingest_id=ingest_id,
        buckets=work.buckets,
    )
    return whole.cut_by(lambda: [parse_task(work, each, ingest_id) for each in cut_group(group)])


def cut_group(group: list[Range]) -> list[list[Range]]:
    """Several ranges as one for each; a single range of lines as its two halves."""
    if len(group) > 1:
        return [[each] for each in group]
    part = group[0]
    middle = (part.start + part.end) // 2
    if part.format in DOCUMENTS or middle == part.start:
        return [group]
    return [[part.cut_range(part.start, middle)], [part.cut_range(middle, part.end)]]


def latest_of(piece: Piece, read_at: dt.datetime | None) -> dt.datetime:
    """The latest time that a stamp of a piece may have: later ones are from the future."""
    if read_at is not None:
        return read_at + AHEAD
    times = [piece.landed_at, *([piece.written_at] if piece.written_at else [])]
    return max(map(dt.datetime.fromisoformat, times)) + AHEAD


def range_bytes(work: Ingest, pieces: list[Any]) -> int:
    """The bytes of a piece that one task parses."""
    total = sum(piece.bytes for *_, piece in pieces)
    shared = -(-total // (work.engine.workers * TASKS_OF_A_WORKER))
    fits = work.engine.task_bytes // RANGE_EXPANSION
    return max(min(shared, fits, LARGEST_RANGE), SMALLEST_RANGE)


def ranges_of(
    pieces: list[Any],
    closed: Mapping[str, dt.date] = MappingProxyType({}),
    limit_bytes: int = 0,
    range_bytes: int = LARGEST_RANGE,
    read_at: dt.datetime | None = None,
) -> list[Range]:
    """The pieces cut into ranges, numbered; a file of documents is one.

    Args:
        read_at: the time at which the settings say that logs are read.
    """
    ranges: list[Range] = []
    for _, operator, source, stream, piece in pieces:
        newest_at = dt.datetime.fromisoformat(piece.newest_at)
        facts = Source(
            operator_id=operator.id,
            source_id=source.id,
            stream_id=stream.stream_id,
            newest_at=min(newest_at, read_at) if read_at else newest_at,
            latest_at=latest_of(piece, read_at),
            time_zone=source.time_zone,
            clock_offset=source.clock_offset,
            numbers_of=operator.country if source.numbers == "national" else None,
            options=dict(source.options),
            head=stream.heading,
        )
        before = sorted(
            (each for each in stream.pieces if each.offset < piece.offset), key=lambda each: -each.offset
        )
        step = piece.bytes if stream.format in DOCUMENTS else range_bytes
        for start in range(0, piece.bytes, step):
            ranges.append(
                Range(
                    format=stream.format,
                    path=piece.path,
                    start=start,
                    end=min(start + step, piece.bytes),
                    piece_id=piece.piece_id,
                    stream_offset=piece.offset,
                    source=facts,
                    closed=closed.get(operator.id),
                    file_name=piece.file_name,
                    limit_bytes=limit_bytes,
                    before=tuple((each.path, each.bytes) for each in before),
                )
            )
    return ranges
