"""landing → bronze: pieces of logs, parsed by their format's kernel, each line accounted for.

One batch takes all pieces that the ledger does not have. A batch is written per format, never per file:
its intent is put down first, then each table replaces what this batch wrote (so a batch that was killed
is written again, not twice), the ledger last. Spark hands out ranges of bytes (jobs/reading.py); what its
tasks leave under _staging, lines of filters in the logs of mail servers and the quarantine, is written
after the formats' own rows.

A batch whose parser or settings were mended is read again in the same way, under its own id.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from types import MappingProxyType
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.config import Observatory, Operator
from jobs.contracts import conform, struct_type
from jobs.errors import ObservatoryError
from jobs.formats import Source
from jobs.formats.registry import COMPANIONS, DOCUMENTS, FORMATS, KERNELS
from jobs.lake import WRITERS, Lake, any_of
from jobs.pull import landing, read_manifest, write_manifest
from jobs.reading import Range, range_kernel

RANGE = 32 << 20
# So many tasks share small files; a file alone is worth a task only when it is a range long.
TASKS = 16


def ingest(lake: Lake, settings: Observatory, operators: list[Operator], ingest_id: str) -> list[str]:
    """Bring all pieces that the ledger lacks into bronze; the ids of the batches written.

    A batch that an earlier run left unfinished is finished first.
    """
    fs, area = landing(lake.root)
    written = finish(lake, settings)
    done = ledgered(lake)
    pending = {key for key, *_ in landed(fs, area, settings, operators) if key not in done}
    if pending:
        intend(fs, area, ingest_id, pending)
        written += finish(lake, settings)
    return written


def requarantine(lake: Lake, settings: Observatory, operators: list[Operator]) -> list[str]:
    """Read again what has quarantined lines, by the present parsers, formats and options; the ids of the
    batches written.

    Of each batch, every source with such lines is read again as a whole, under the batch's id, and replaces
    its rows in all tables. A source that the settings no longer have is left as it is. Raises
    ObservatoryError, before anything is written, where pieces are no longer there to be read.
    """
    fs, area = landing(lake.root)
    written = finish(lake, settings)
    if not lake.exists("bronze.file"):
        return written
    configured = {(operator.id, source.id) for operator in operators for source in operator.source}
    columns = ("ingest_id", "operator_id", "source_id", "piece_id", "quarantined_count")
    rows = lake.kept("bronze.file").select(*columns).collect()
    batches: dict[str, set[str]] = {}
    spoilt = {row[:3] for row in rows if row.quarantined_count and (row[1], row[2]) in configured}
    for row in rows:
        if row[:3] in spoilt:
            batches.setdefault(row.ingest_id, set()).add("/".join(row[1:4]))
    there = {key for key, *_ in landed(fs, area, settings, operators)}
    for ingest_id, keys in sorted(batches.items()):
        refuse_missing(ingest_id, keys - there)
    for ingest_id, keys in sorted(batches.items()):
        intend(fs, area, ingest_id, keys, again=True)
    return list(dict.fromkeys(written + finish(lake, settings)))


def refuse_missing(ingest_id: str, keys: set[str]) -> None:
    if keys:
        raise ObservatoryError(
            f"batch {ingest_id} cannot be read again: {len(keys)} of its pieces, such as {min(keys)}, are no "
            "longer in landing, or their source no longer in the settings. Put them back."
        )


def intend(fs: Any, area: str, ingest_id: str, keys: set[str], again: bool = False) -> None:
    """Put down what a batch is to be made of, so that the next run can finish it.

    again: the ledger has these pieces, and they are to be read once more.
    """
    folder = intents_of(area)
    fs.makedirs(folder, exist_ok=True)
    name = f"{folder}/{ingest_id}.json"
    with fs.open(f"{name}.new", "w", encoding="utf-8") as file:
        json.dump({"ingest_id": ingest_id, "pieces": sorted(keys), "again": again}, file)
    fs.mv(f"{name}.new", name)


def finish(lake: Lake, settings: Observatory) -> list[str]:
    """Write every batch that was intended and is not written; their ids."""
    fs, area = landing(lake.root)
    fs.invalidate_cache()
    written = []
    for name in sorted(fs.glob(f"{intents_of(area)}/*.json")):
        with fs.open(name, "r", encoding="utf-8") as file:
            intent = json.load(file)
        ingest_id, keys, again = intent["ingest_id"], set(intent["pieces"]), intent.get("again", False)
        if again or not keys <= ledgered(lake):
            write_batch(lake, settings, ingest_id, keys, again)
            written.append(ingest_id)
        clear(fs, staging_of(area, ingest_id))
        fs.rm(name)
    return written


def intents_of(area: str) -> str:
    """Where batches that are not finished are named."""
    return f"{area.removesuffix('/landing')}/_intent"


def staging_of(area: str, ingest_id: str) -> str:
    """Where a batch's tasks leave quarantined lines and counts."""
    return f"{area.removesuffix('/landing')}/_staging/{ingest_id}"


def clear(fs: Any, folder: str) -> None:
    if fs.exists(folder):
        fs.rm(folder, recursive=True)


def ledgered(lake: Lake) -> set[str]:
    """Operator, source and piece of all that the ledger has, as one key each."""
    if not lake.exists("bronze.file"):
        return set()
    rows = lake.kept("bronze.file").select("operator_id", "source_id", "piece_id").collect()
    return {f"{row.operator_id}/{row.source_id}/{row.piece_id}" for row in rows}


def landed(
    fs: Any, area: str, settings: Observatory, operators: list[Operator]
) -> Iterator[tuple[str, Any, Any, Any, Any]]:
    """Every landed piece: its key, operator, source, stream and the piece itself."""
    for operator in operators:
        for source in operator.source:
            for stream in read_manifest(fs, f"{area}/{operator.id}/{source.id}"):
                for piece in stream.pieces:
                    yield f"{operator.id}/{source.id}/{piece.piece_id}", operator, source, stream, piece


def write_batch(
    lake: Lake, settings: Observatory, ingest_id: str, keys: set[str], again: bool = False
) -> None:
    """Write one batch: the formats' tables, their companions', the quarantine, and last the ledger.

    again: in place of what the batch wrote of these sources before, whatever table it is in.
    """
    fs, area = landing(lake.root)
    staging = staging_of(area, ingest_id)
    if again:
        correct_formats(fs, area, settings, keys)
    pieces = [row for row in landed(fs, area, settings, list(settings.operator)) if row[0] in keys]
    if again:
        refuse_missing(ingest_id, keys - {key for key, *_ in pieces})
    # What a killed run left may be of sources that the settings no longer have.
    clear(fs, staging)
    if not pieces:
        return
    where = of_sources(ingest_id, keys) if again else any_of("ingest_id", [ingest_id])
    note = {"ingest_id": ingest_id}
    names = {stream.format for _, _, _, stream, _ in pieces}
    closed = open_since(lake, settings, ingest_id)
    spark_staging = f"{lake.root.rstrip('/')}/_staging/{ingest_id}"

    def own(name: str) -> list[DataFrame]:
        of_format = [row for row in pieces if row[3].format == name]
        if not of_format:
            return []
        ranges = ranges_of(of_format, closed, settings.limits.document_mb << 20)
        return [parsed(lake, ranges, name, f"{staging}/{name}", ingest_id, settings.lake.root)]

    def left(table: str, folder: str) -> list[DataFrame]:
        """What the tasks left in folders of this name for a table."""
        if not fs.glob(f"{staging}/{folder}/*.parquet"):
            return []
        return [lake.spark.read.schema(struct_type(table)).parquet(f"{spark_staging}/{folder}")]

    def write(name: str) -> None:
        table = f"bronze.{name}"
        frames = [conform(frame, table) for frame in own(name) + left(table, f"*/companion/{name}")]
        if frames:
            lake.replace(reduce(DataFrame.unionByName, frames), table, where, note)
        elif again:
            vacate(lake, table, where, note)

    companions = [module.FORMAT for module in COMPANIONS]
    with ThreadPoolExecutor(WRITERS) as pool:
        # A companion's own files and its lines in other logs are one write: hosts leave the lines first.
        list(pool.map(write, sorted(set(KERNELS if again else names) - set(companions))))
        fs.invalidate_cache()
        list(pool.map(write, companions))
    fs.invalidate_cache()
    refused = left("bronze.quarantine", "*/quarantine")
    if refused:
        lake.replace(conform(refused[0], "bronze.quarantine"), "bronze.quarantine", where, note)
    elif again:
        vacate(lake, "bronze.quarantine", where, note)
    lake.replace(ledger(lake, pieces, spark_staging, ingest_id), "bronze.file", where, note)


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


def vacate(lake: Lake, table: str, where: str, note: dict[str, Any]) -> None:
    """Take the rows out that a batch wrote before and no longer has."""
    if lake.exists(table) and not lake.read(table).filter(where).isEmpty():
        lake.replace(lake.spark.createDataFrame([], struct_type(table)), table, where, note)


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


def ledger(lake: Lake, pieces: list[Any], staging: str, ingest_id: str) -> DataFrame:
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
            "ingest_id": ingest_id,
        }
        for _, operator, source, stream, piece in pieces
    ]
    known = lake.local(rows, "bronze.file").select(list(rows[0]))
    counts = (
        lake.spark.read.parquet(f"{staging}/*/counts")
        .groupBy("piece_key")
        .agg(
            *(
                F.sum(name).alias(name)
                for name in ("line_count", "record_count", "ignored_count", "quarantined_count", "late_count")
            ),
            F.min("first_event_date").alias("first_event_date"),
            F.max("last_event_date").alias("last_event_date"),
        )
    )
    key = F.concat_ws("/", "operator_id", "source_id", "piece_id")
    return conform(
        known.join(counts, on=key == F.col("piece_key"), how="left").drop("piece_key"), "bronze.file"
    )


def open_since(lake: Lake, settings: Observatory, ingest_id: str) -> dict[str, dt.date]:
    """For each operator, the first day that late lines of a batch may still change: by the batches before."""
    if not lake.exists("bronze.file"):
        return {}
    before = lake.kept("bronze.file").filter(F.col("ingest_id") < ingest_id)
    newest = before.groupBy("operator_id").agg(F.max("last_event_date").alias("newest"))
    days = dt.timedelta(days=settings.lake.open_days)
    return {row.operator_id: row.newest - days for row in newest.filter("newest IS NOT NULL").collect()}


def ranges_of(
    pieces: list[Any], closed: Mapping[str, dt.date] = MappingProxyType({}), limit_bytes: int = 0
) -> list[Range]:
    """The pieces cut into ranges of some megabytes, numbered; a file of documents is one."""
    ranges: list[Range] = []
    for _, operator, source, stream, piece in pieces:
        about = Source(
            operator_id=operator.id,
            source_id=source.id,
            stream_id=stream.stream_id,
            newest_at=dt.datetime.fromisoformat(piece.newest_at),
            time_zone=source.time_zone,
            numbers_of=operator.country if source.numbers == "national" else None,
            options=dict(source.options),
        )
        before = sorted(
            (each for each in stream.pieces if each.offset < piece.offset), key=lambda each: -each.offset
        )
        step = piece.bytes if stream.format in DOCUMENTS else RANGE
        for start in range(0, piece.bytes, step):
            end = min(start + step, piece.bytes)
            ranges.append(
                Range(
                    len(ranges),
                    piece.path,
                    start,
                    end,
                    piece.piece_id,
                    piece.offset,
                    about,
                    closed.get(operator.id),
                    piece.file_name,
                    limit_bytes,
                    tuple((each.path, each.bytes) for each in before),
                )
            )
    return ranges


def parsed(lake: Lake, ranges: list[Range], name: str, staging: str, ingest_id: str, root: str) -> DataFrame:
    """Bronze rows of the ranges: one Spark task a range, or for as many small files as make up a range."""
    protocol = root.split("://", 1)[0].replace("s3a", "s3") if "://" in root else "file"
    kernel = range_kernel(ranges, name, staging, ingest_id, protocol)
    tasks = min(len(ranges), sum(part.end - part.start for part in ranges) // RANGE + TASKS)
    numbers = lake.spark.range(0, len(ranges), 1, tasks)
    return numbers.mapInArrow(kernel, struct_type(f"bronze.{name}"))
