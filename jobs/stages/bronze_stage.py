"""landing → bronze: pieces of logs, parsed by their format's kernel, each line accounted for.

One batch takes all pieces that the ledger does not have. A batch is written per format, never per file: its
intent is recorded first, tasks parse ranges of bytes (jobs/stages/bronze_tasks.py) and write files, then one
transaction a table adds them, the ledger's last. A batch that was killed is written again: what it had added
to a table is taken out first, so that nothing counts twice.

A batch whose parser or settings were mended is read again in the same way, under its own id.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import polars as pl

from jobs.core.contracts import conform, contract, rows_frame, tables
from jobs.core.disk import replace_file
from jobs.core.errors import ObservatoryError
from jobs.engine.lake import Lake, NewFile, any_of
from jobs.engine.tasks import Engine, Left, Task
from jobs.formats import AHEAD, Source
from jobs.formats.registry import DOCUMENTS, FORMATS
from jobs.ingest.manifest import Piece, landing, read_manifest, write_manifest
from jobs.ingest.reading import Range
from jobs.settings.config import Observatory
from jobs.settings.operator import Operator
from jobs.stages.bronze_tasks import Parsed
from jobs.stages.windows import is_plausible

# A task parses a range of so many bytes, or as many small files; less where memory or work is little.
LARGEST_RANGE = 16 << 20
SMALLEST_RANGE = 256 << 10
# How many times the bytes of a range its rows take while they are parsed and written.
RANGE_EXPANSION = 14
FILES_OF_A_TASK = 400
# So many tasks for each worker, that the last ones to finish are short.
TASKS_OF_A_WORKER = 4
COUNTS = ("line_count", "record_count", "ignored_count", "quarantined_count", "late_count")


@dataclass
class Ingested:
    """The batches that were written, and what of their rows lies in staging for silver: frames by bucket, and
    the files of bronze tables that hold the same rows.

    unreadable: what cannot be read again, for a person.
    """

    batches: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    files: list[NewFile] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


@dataclass
class Ingest:
    """One bronze stage. staging: where tasks leave rows for silver, by one of so many buckets; None where no
    silver stage follows."""

    lake: Lake
    settings: Observatory
    operators: list[Operator]
    engine: Engine
    staging: str | None = None
    buckets: int = 1
    done: Any = lambda count, of: None
    made: Ingested = field(default_factory=Ingested)


def ingest(work: Ingest, ingest_id: str) -> Ingested:
    """Bring all pieces that the ledger lacks into bronze.

    A batch that an earlier run left unfinished is finished first.
    """
    fs, area = landing(work.lake.root)
    finish(work)
    pending = set(pending_pieces(work.lake, work.settings, work.operators))
    if pending:
        intend(fs, area, ingest_id, pending)
        finish(work)
    return work.made


def pending_pieces(lake: Lake, settings: Observatory, operators: list[Operator]) -> dict[str, int]:
    """The landed pieces that the ledger lacks, by their key, with their bytes."""
    fs, area = landing(lake.root)
    done = ledgered(lake)
    there = {key: piece.bytes for key, *_, piece in landed(fs, area, settings, operators)}
    for key, size in there.items():
        if done.get(key, size) != size:
            operator, source, piece_id = key.split("/", 2)
            raise ObservatoryError(
                f"operator '{operator}', source '{source}': piece {piece_id} of landing has {size:,} bytes,"
                f" and {done[key]:,} of them were read: landing was changed, or its manifest was lost once."
                " Put the folder back from a copy. Without one, `observatory renew --anew` lets the next run"
                " count anew what is landed"
            )
    return {key: size for key, size in there.items() if key not in done}


def requarantine(work: Ingest) -> Ingested:
    """Read again what has quarantined lines, by the present parsers, formats and options.

    Of each batch, every source with such lines is read again as a whole, under the batch's id, and replaces
    its rows in all tables. A source that the settings no longer have is left as it is, and so is one of which
    retention removed pieces. Raises ObservatoryError, before anything is written, where others are no longer
    there to be read.
    """
    fs, area = landing(work.lake.root)
    finish(work)
    configured = {(operator.id, source.id) for operator in work.operators for source in operator.source}
    columns = ["ingest_id", "operator_id", "source_id", "piece_id", "quarantined_count"]
    rows = work.lake.read("bronze.file", columns=columns).rows()
    batches: dict[str, set[str]] = {}
    spoilt = {row[:3] for row in rows if row[4] and (row[1], row[2]) in configured}
    removed = removed_pieces(fs, area, work.lake)
    gone = spoilt & {row[:3] for row in rows if row[:4] in removed}
    spoilt -= gone
    for (operator, source), count in sorted(Counter(each[1:] for each in gone).items()):
        work.made.unreadable.append(
            f"operator '{operator}', source '{source}': quarantined lines of {count:,} batch"
            f"{'es' if count > 1 else ''} cannot be read again: landing no longer holds their logs"
            f" ([retention] landing = {work.settings.retention.landing}). They stay as they were read."
        )
    for row in rows:
        if row[:3] in spoilt:
            batches.setdefault(row[0], set()).add("/".join(row[1:4]))
    there = {key for key, *_ in landed(fs, area, work.settings, work.operators)}
    for ingest_id, keys in sorted(batches.items()):
        refuse_missing(ingest_id, keys - there)
    for ingest_id, keys in sorted(batches.items()):
        intend(fs, area, ingest_id, keys, again=True)
    finish(work)
    work.made.batches = list(dict.fromkeys(work.made.batches))
    return work.made


def removed_pieces(fs: Any, area: str, lake: Lake) -> set[tuple[str, str, str, str]]:
    """Batch, operator, source and piece of all that the ledger has and retention removed from landing."""
    columns = ["ingest_id", "operator_id", "source_id", "piece_id", "stream_id", "offset"]
    rows = lake.read("bronze.file", columns=columns).rows()
    begun = {
        (operator, source): {
            stream.stream_id: stream.removed_bytes
            for stream in read_manifest(fs, f"{area}/{operator}/{source}")
        }
        for operator, source in {row[1:3] for row in rows}
    }
    return {row[:4] for row in rows if row[5] < begun[row[1], row[2]].get(row[4], 0)}


@dataclass
class Mending:
    """What an earlier version read stamps from the future in, and believed them.

    batches: by id, the pieces to read again. retaken: the ids of these batches and of all after them, which
    silver may have left out, for their days were closed. lost: sources whose pieces are no longer there.
    """

    batches: dict[str, set[str]] = field(default_factory=dict)
    retaken: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def believed(lake: Lake, settings: Observatory, operators: list[Operator]) -> Mending:
    """The batches to read again because days from the future stand in their ledger."""
    rows = lake.read("bronze.file")
    wrong = rows.filter(~is_plausible())
    found = Mending()
    if wrong.is_empty():
        return found
    fs, area = landing(lake.root)
    there = {key for key, *_ in landed(fs, area, settings, operators)}
    mine = {(operator.id, source.id) for operator in operators for source in operator.source}
    for ingest_id, operator, source in sorted(
        wrong.select("ingest_id", "operator_id", "source_id").unique().rows()
    ):
        if (operator, source) not in mine:
            continue
        of_source = rows.filter(ingest_id=ingest_id, operator_id=operator, source_id=source)["piece_id"]
        keys = {f"{operator}/{source}/{piece}" for piece in of_source}
        if keys <= there:
            found.batches.setdefault(ingest_id, set()).update(keys)
        else:
            found.lost.append(f"{operator}/{source}")
    if found.batches:
        found.retaken = sorted(rows["ingest_id"].filter(rows["ingest_id"] >= min(found.batches)).unique())
    return found


def mend(work: Ingest, found: Mending) -> None:
    """Read these batches again: stamps from the future go to quarantine, and out of the ledger."""
    fs, area = landing(work.lake.root)
    finish(work)
    for ingest_id, keys in sorted(found.batches.items()):
        intend(fs, area, ingest_id, keys, again=True)
    finish(work)


def refuse_missing(ingest_id: str, keys: set[str]) -> None:
    if keys:
        raise ObservatoryError(
            f"batch {ingest_id} cannot be read again: {len(keys)} of its pieces, such as {min(keys)}, are no "
            "longer in landing, or their source no longer in the settings. Put them back."
        )


def intend(fs: Any, area: str, ingest_id: str, keys: set[str], again: bool = False) -> None:
    """Record what a batch is to be made of, so that the next run can finish it.

    again: the ledger has these pieces, and they are to be read once more.
    """
    intent = {"ingest_id": ingest_id, "pieces": sorted(keys), "again": again}
    replace_file(fs, f"{intents_of(area)}/{ingest_id}.json", json.dumps(intent).encode())


def finish(work: Ingest) -> None:
    """Write every batch that was intended and is not written."""
    fs, area = landing(work.lake.root)
    fs.invalidate_cache()
    for name in sorted(fs.glob(f"{intents_of(area)}/*.json")):
        with fs.open(name, "r", encoding="utf-8") as file:
            intent = json.load(file)
        ingest_id, keys, again = intent["ingest_id"], set(intent["pieces"]), intent.get("again", False)
        if again or not keys <= ledgered(work.lake).keys():
            write_batch(work, ingest_id, keys, again)
            work.made.batches.append(ingest_id)
        fs.rm(name)


def intended(lake: Lake) -> bool:
    """Whether a batch was begun and is not finished."""
    fs, area = landing(lake.root)
    fs.invalidate_cache()
    return bool(fs.glob(f"{intents_of(area)}/*.json"))


def intents_of(area: str) -> str:
    """Where batches that are not finished are named."""
    return f"{area.removesuffix('/landing')}/_intent"


def ledgered(lake: Lake) -> dict[str, int]:
    """Operator, source and piece of all that the ledger has, as one key each, with the piece's bytes."""
    rows = lake.read("bronze.file", columns=["operator_id", "source_id", "piece_id", "piece_bytes"]).rows()
    return {"/".join(row[:3]): row[3] for row in rows}


def landed(
    fs: Any, area: str, settings: Observatory, operators: list[Operator]
) -> Iterator[tuple[str, Any, Any, Any, Any]]:
    """Every landed piece: its key, operator, source, stream and the piece itself."""
    for operator in operators:
        for source in operator.source:
            for stream in read_manifest(fs, f"{area}/{operator.id}/{source.id}"):
                for piece in stream.pieces:
                    yield f"{operator.id}/{source.id}/{piece.piece_id}", operator, source, stream, piece


def write_batch(work: Ingest, ingest_id: str, keys: set[str], again: bool = False) -> None:
    """Write one batch: the formats' tables, the quarantine, and last the ledger.

    again: in place of what the batch wrote of these sources before, whatever table it is in.
    """
    lake, settings = work.lake, work.settings
    fs, area = landing(lake.root)
    if again:
        correct_formats(fs, area, settings, keys)
    pieces = [row for row in landed(fs, area, settings, list(settings.operator)) if row[0] in keys]
    if again:
        refuse_missing(ingest_id, keys - {key for key, *_ in pieces})
    if not pieces:
        return
    where = of_sources(ingest_id, keys) if again else any_of("ingest_id", [ingest_id])
    closed = open_since(lake, settings, ingest_id)
    ranges = ranges_of(
        pieces,
        closed,
        settings.limits.document_mb << 20,
        range_bytes(work, pieces),
        read_at=settings.lake.read_at,
    )
    grouped = tasks_of(work, ranges, ingest_id)
    total = len(grouped)
    parsed: list[Parsed] = work.engine.run(grouped, lambda count: work.done(count, total))
    note = {"ingest_id": ingest_id}
    files: dict[str, list[NewFile]] = {}
    for each in parsed:
        work.made.left += each.left
        work.made.files += each.files
        for file in each.files:
            files.setdefault(file.table, []).append(file)
    bronze = [name for name in tables() if contract(name).layer == "bronze" and name != "bronze.file"]
    for table in bronze:
        if again or is_written(lake, table, ingest_id):
            lake.delete(table, where)
        if table in files:
            lake.add_files(table, files[table], note)
    counted = [frame for each in parsed for frame in each.counts]
    lake.replace(ledger(pieces, counted, ingest_id, settings.lake.read_at), "bronze.file", where, note)


def is_written(lake: Lake, table: str, ingest_id: str) -> bool:
    """Whether a table has rows of a batch; no batch newer than it can have been written since it began."""
    if not lake.exists(table):
        return False
    found = lake.scan(table).select((pl.col("ingest_id") == ingest_id).any()).collect().item()
    return bool(found)


def tasks_of(work: Ingest, ranges: list[Range], ingest_id: str) -> list[Task]:
    """The ranges as tasks: a long range alone, short ones together."""
    limit = max((part.end - part.start for part in ranges), default=0)
    tasks: list[Task] = []
    group: list[Range] = []
    size = 0
    for part in ranges:
        if group and (size + part.end - part.start > limit or len(group) == FILES_OF_A_TASK):
            tasks.append(task(work, group, ingest_id))
            group, size = [], 0
        group.append(part)
        size += part.end - part.start
    return [*tasks, task(work, group, ingest_id)]


def task(work: Ingest, group: list[Range], ingest_id: str) -> Task:
    arguments = (work.lake.root, work.staging, group, ingest_id, work.buckets)
    first = group[0]
    about = f"{first.source.operator_id}/{first.source.source_id}, {first.file_name}"
    about += f" from byte {first.start:,}" if len(group) == 1 else f" and {len(group) - 1} more"
    return Task("jobs.stages.bronze_tasks:parse", arguments, about, smaller)


def smaller(whole: Task) -> list[Task]:
    """A task of several ranges as one for each; one of a single range of lines as two of its halves."""
    root, staging, group, ingest_id, buckets = whole.arguments
    if len(group) > 1:
        groups = [[each] for each in group]
    else:
        part = group[0]
        middle = (part.start + part.end) // 2
        if part.format in DOCUMENTS or middle == part.start:
            return [whole]
        groups = [[part.between(part.start, middle)], [part.between(middle, part.end)]]
    return [
        Task(whole.function, (root, staging, each, ingest_id, buckets), whole.about, smaller)
        for each in groups
    ]


def of_sources(ingest_id: str, keys: Iterable[str]) -> str:
    """A predicate: what a batch wrote of the sources of these pieces."""
    sources: dict[str, set[str]] = {}
    for key in keys:
        operator, source, _ = key.split("/", 2)
        sources.setdefault(operator, set()).add(source)
    parts = [
        f"({any_of('operator_id', [operator])} AND {any_of('source_id', sorted(names))})"
        for operator, names in sorted(sources.items())
    ]
    return f"{any_of('ingest_id', [ingest_id])} AND ({' OR '.join(parts)})"


def correct_formats(fs: Any, area: str, settings: Observatory, keys: set[str]) -> None:
    """Give the streams of these pieces the format that their source names now.

    Lines are landed otherwise than documents: a stream of one kind never becomes one of the other.
    """
    for operator in settings.operator:
        for source in operator.source:
            folder = f"{area}/{operator.id}/{source.id}"
            streams = read_manifest(fs, folder)
            kinds = next((kinds for kinds in (FORMATS, DOCUMENTS) if source.format in kinds), {})
            wrong = [
                stream
                for stream in streams
                if stream.format != source.format
                and stream.format in kinds
                and any(f"{operator.id}/{source.id}/{piece.piece_id}" in keys for piece in stream.pieces)
            ]
            for stream in wrong:
                stream.format = source.format
            if wrong:
                write_manifest(fs, folder, streams)


def ledger(
    pieces: list[Any], counted: list[pl.DataFrame], ingest_id: str, read_at: dt.datetime | None = None
) -> pl.DataFrame:
    """One row per piece of the batch: what was landed, beside what the kernel counted."""
    rows = [
        {
            "operator_id": operator.id,
            "source_id": source.id,
            "stream_id": stream.stream_id,
            "piece_id": piece.piece_id,
            "offset": piece.offset,
            "file_name": piece.file_name,
            "format_code": stream.format,
            "piece_bytes": piece.bytes,
            "damage_text": piece.damage,
            "landed_at": dt.datetime.fromisoformat(piece.landed_at),
            "latest_at": latest_of(piece, read_at),
            "ingest_id": ingest_id,
        }
        for _, operator, source, stream, piece in pieces
    ]
    known = rows_frame(rows, "bronze.file").select(list(rows[0]))
    counts = (
        pl.concat(counted)
        .group_by("piece_key")
        .agg(pl.col(COUNTS).sum(), pl.col("first_event_date").min(), pl.col("last_event_date").max())
    )
    key = pl.concat_str("operator_id", "source_id", "piece_id", separator="/").alias("piece_key")
    joined = known.with_columns(key).join(counts, on="piece_key", how="left").drop("piece_key")
    return conform(joined, "bronze.file")


def open_since(lake: Lake, settings: Observatory, ingest_id: str) -> dict[str, dt.date]:
    """For each operator, the first day that late lines of a batch may still change: by the batches before."""
    before = lake.read("bronze.file", where=pl.col("ingest_id") < ingest_id)
    newest = (
        before.filter(is_plausible())
        .group_by("operator_id")
        .agg(pl.col("last_event_date").max())
        .drop_nulls()
    )
    days = dt.timedelta(days=settings.lake.open_days)
    return {operator: date - days for operator, date in newest.rows()}


def latest_of(piece: Piece, read_at: dt.datetime | None) -> dt.datetime:
    """The latest time that a stamp of a piece may have: later ones are from the future."""
    if read_at is not None:
        return read_at + AHEAD
    times = [piece.landed_at, *([piece.written_at] if piece.written_at else [])]
    return max(map(dt.datetime.fromisoformat, times)) + AHEAD


def range_bytes(work: Ingest, pieces: list[Any]) -> int:
    """How many bytes of a piece one task parses."""
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

    read_at: the time at which the settings say that logs are read.
    """
    ranges: list[Range] = []
    for _, operator, source, stream, piece in pieces:
        newest_at = dt.datetime.fromisoformat(piece.newest_at)
        about = Source(
            operator_id=operator.id,
            source_id=source.id,
            stream_id=stream.stream_id,
            newest_at=min(newest_at, read_at) if read_at else newest_at,
            latest_at=latest_of(piece, read_at),
            time_zone=source.time_zone,
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
                    source=about,
                    closed=closed.get(operator.id),
                    file_name=piece.file_name,
                    limit_bytes=limit_bytes,
                    before=tuple((each.path, each.bytes) for each in before),
                )
            )
    return ranges
