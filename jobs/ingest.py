"""landing → bronze: pieces of logs, parsed by their format's kernel, each line accounted for.

One batch takes all pieces that the ledger does not have. A batch is written per format, never per file:
its intent is put down first, then each table replaces what this batch wrote (so a batch that was killed
is written again, not twice), the ledger last. Spark hands out ranges of bytes; a task opens its range,
cuts it at line ends, runs the kernel on pieces of some megabytes and returns Arrow batches. Beside
them it leaves, under _staging, the lines that it quarantined and its counts, in files named by batch and
range, so that a task that runs twice writes the same file twice.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.config import Observatory, Operator
from jobs.contracts import arrow_schema, conform, polars_schema, struct_type
from jobs.formats import Source
from jobs.lake import WRITERS, Lake, any_of
from jobs.pull import landing, read_manifest

RANGE = 32 << 20
PART = 16 << 20
# A longer line is no log line; it is quarantined without being looked at.
LONGEST_LINE = 1 << 20
KEPT_OF_LINE = 4096


@dataclass(frozen=True)
class Range:
    """The bytes [start, end) of a landed piece. It owns the lines that start in it.

    closed: the first UTC day that is still open; records before it are late.
    """

    number: int
    path: str
    start: int
    end: int
    piece_id: str
    stream_offset: int
    source: Source
    closed: dt.date | None = None


def ingest(lake: Lake, settings: Observatory, operators: list[Operator], ingest_id: str) -> list[str]:
    """Bring all pieces that the ledger lacks into bronze; the ids of the batches written.

    A batch that an earlier run left unfinished is finished first.
    """
    fs, area = landing(lake.root)
    intents = f"{area.removesuffix('/landing')}/_intent"
    done = ledgered(lake)
    written = []
    for name in sorted(fs.glob(f"{intents}/*.json")):
        with fs.open(name, "r", encoding="utf-8") as file:
            intent = json.load(file)
        if not set(intent["pieces"]) <= done:
            write_batch(lake, settings, intent["ingest_id"], set(intent["pieces"]))
            written.append(intent["ingest_id"])
        clear(fs, staging_of(area, intent["ingest_id"]))
        fs.rm(name)
        done |= set(intent["pieces"])
    pending = {key for key, *_ in landed(fs, area, settings, operators) if key not in done}
    if pending:
        fs.makedirs(intents, exist_ok=True)
        name = f"{intents}/{ingest_id}.json"
        with fs.open(f"{name}.new", "w", encoding="utf-8") as file:
            json.dump({"ingest_id": ingest_id, "pieces": sorted(pending)}, file)
        fs.mv(f"{name}.new", name)
        write_batch(lake, settings, ingest_id, pending)
        clear(fs, staging_of(area, ingest_id))
        fs.rm(name)
        written.append(ingest_id)
    return written


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


def write_batch(lake: Lake, settings: Observatory, ingest_id: str, keys: set[str]) -> None:
    """Write one batch: the formats' tables, the quarantine, and last the ledger."""
    fs, area = landing(lake.root)
    staging = staging_of(area, ingest_id)
    pieces = [row for row in landed(fs, area, settings, list(settings.operator)) if row[0] in keys]
    # What a killed run left may be of sources that the settings no longer have.
    clear(fs, staging)
    if not pieces:
        return
    where = any_of("ingest_id", [ingest_id])
    note = {"ingest_id": ingest_id}
    names = sorted({stream.format for _, _, _, stream, _ in pieces})

    closed = open_since(lake, settings)

    def write(name: str) -> None:
        ranges = ranges_of([row for row in pieces if row[3].format == name], closed)
        frame = parsed(lake, ranges, name, f"{staging}/{name}", ingest_id, settings.lake.root)
        lake.replace(conform(frame, f"bronze.{name}"), f"bronze.{name}", where, note)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, names))
    spark_staging = f"{lake.root.rstrip('/')}/_staging/{ingest_id}"
    if fs.glob(f"{staging}/*/quarantine/*.parquet"):
        lines = lake.spark.read.schema(struct_type("bronze.quarantine")).parquet(
            f"{spark_staging}/*/quarantine"
        )
        lake.replace(conform(lines, "bronze.quarantine"), "bronze.quarantine", where, note)
    lake.replace(ledger(lake, pieces, spark_staging, ingest_id), "bronze.file", where, note)


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


def open_since(lake: Lake, settings: Observatory) -> dict[str, dt.date]:
    """For each operator that the ledger knows, the first day that late lines may still change."""
    if not lake.exists("bronze.file"):
        return {}
    newest = lake.kept("bronze.file").groupBy("operator_id").agg(F.max("last_event_date").alias("newest"))
    days = dt.timedelta(days=settings.lake.open_days)
    return {row.operator_id: row.newest - days for row in newest.filter("newest IS NOT NULL").collect()}


def ranges_of(pieces: list[Any], closed: Mapping[str, dt.date] = MappingProxyType({})) -> list[Range]:
    """The pieces cut into ranges of some megabytes, numbered."""
    ranges: list[Range] = []
    for _, operator, source, stream, piece in pieces:
        about = Source(
            operator_id=operator.id,
            source_id=source.id,
            stream_id=stream.stream_id,
            newest_at=dt.datetime.fromisoformat(piece.newest_at),
            time_zone=source.time_zone,
            options=dict(source.options),
        )
        for start in range(0, piece.bytes, RANGE):
            end = min(start + RANGE, piece.bytes)
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
                )
            )
    return ranges


def parsed(lake: Lake, ranges: list[Range], name: str, staging: str, ingest_id: str, root: str) -> DataFrame:
    """Bronze rows of the ranges, one Spark task a range."""
    protocol = root.split("://", 1)[0].replace("s3a", "s3") if "://" in root else "file"
    kernel = range_kernel(ranges, name, staging, ingest_id, protocol)
    numbers = lake.spark.range(0, len(ranges), 1, len(ranges))
    return numbers.mapInArrow(kernel, struct_type(f"bronze.{name}"))


def range_kernel(
    ranges: list[Range], name: str, staging: str, ingest_id: str, protocol: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What a Spark task runs: numbers of ranges in, bronze rows out."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        fs = fsspec.filesystem(protocol)
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from read_range(fs, ranges[number], name, staging, ingest_id)

    return run


def read_range(fs: Any, part: Range, name: str, staging: str, ingest_id: str) -> Iterator[pa.RecordBatch]:
    """Parse one range; leave its quarantined lines and counts in staging."""
    table = f"bronze.{name}"
    quarantined: list[pl.DataFrame] = []
    counts: list[pl.DataFrame] = []
    for block, offset in blocks(fs, part):
        lines = frame_of(block, offset)
        rows, refused, count = parse_block(lines, part, name, ingest_id)
        if refused.height:
            quarantined.append(refused)
        counts.append(count)
        if rows.height:
            yield from rows.to_arrow().cast(arrow_schema(table)).to_batches(100_000)
    write_parquet(
        fs, f"{staging}/counts/{part.number}.parquet", pl.concat(counts).to_arrow() if counts else None
    )
    if quarantined:
        kept = pl.concat(quarantined).to_arrow().cast(arrow_schema("bronze.quarantine"))
        write_parquet(fs, f"{staging}/quarantine/{part.number}.parquet", kept)


def write_parquet(fs: Any, path: str, rows: pa.Table | None) -> None:
    if rows is None:
        return
    fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    with fs.open(path, "wb") as file:
        pq.write_table(rows, file)


def blocks(fs: Any, part: Range) -> Iterator[tuple[bytes, int]]:
    """The lines that start in the range, in blocks of some megabytes, each with its offset in the stream."""
    with fs.open(part.path, "rb") as file:
        position = part.start
        if part.start:
            # The line that the range starts in belongs to the range before; a line that starts exactly
            # here is found by looking at the byte before.
            file.seek(part.start - 1)
            position = part.start - 1 + len(file.readline())
        file.seek(position)
        while position < part.end:
            block = file.read(min(PART, part.end - position))
            if not block:
                return
            block += file.readline() if not block.endswith(b"\n") else b""
            yield block, part.stream_offset + position
            position += len(block)


def frame_of(block: bytes, offset: int) -> pl.DataFrame:
    """One row per line of the block: `offset` in the stream, `line` without its end, `line_bytes`.

    Lines that are not UTF-8 are read as Latin-1, so that nothing is lost.
    """
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == 10) + 1
    if len(block) and (len(ends) == 0 or ends[-1] != len(block)):
        ends = np.append(ends, len(block))
    starts = np.concatenate(([0], ends[:-1])).astype(np.int64)
    try:
        block.decode("utf-8")
        bounds = np.concatenate(([0], ends)).astype(np.int64)
        text = pa.LargeStringArray.from_buffers(
            len(ends), pa.py_buffer(bounds.tobytes()), pa.py_buffer(block)
        )
        lines = pl.Series("line", text)
    except UnicodeDecodeError:
        lines = pl.Series(
            "line", [decoded(block[s:e]) for s, e in zip(starts, ends, strict=True)], dtype=pl.String
        )
    return pl.DataFrame(
        {"offset": starts + offset, "line": lines.str.strip_chars_end("\r\n"), "line_bytes": ends - starts}
    )


def decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def parse_block(
    lines: pl.DataFrame, part: Range, name: str, ingest_id: str
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Bronze rows, quarantined lines and counts of one block of lines."""
    from jobs.formats.registry import FORMATS

    kernel = FORMATS[name]
    source = part.source
    whose = {"operator_id": source.operator_id, "source_id": source.source_id, "stream_id": source.stream_id}
    named = [pl.lit(value).alias(column) for column, value in whose.items()]
    fits = lines["line_bytes"] <= LONGEST_LINE
    parse = kernel.parse(lines.filter(fits).select("offset", "line").lazy(), source).collect()
    records = parse.filter(pl.col("line_code") == "record")
    rows = kernel.assemble(records.with_columns(named).lazy()).with_columns(
        pl.lit(ingest_id).alias("ingest_id"), pl.col("first_at").dt.date().alias("event_date")
    )
    rows = rows.select(list(polars_schema(f"bronze.{name}"))).collect()
    refused = pl.concat(
        [
            parse.filter(pl.col("line_code") == "quarantined").select("offset", "reason_code"),
            lines.filter(~fits).select("offset", pl.lit("too_long").alias("reason_code")),
        ]
    ).join(lines, on="offset", how="left")
    quarantined = refused.select(
        *named,
        pl.lit(part.piece_id).alias("piece_id"),
        "offset",
        pl.lit(name).alias("format_code"),
        "reason_code",
        "line_bytes",
        pl.col("line").str.slice(0, KEPT_OF_LINE).alias("line_text"),
        pl.lit(ingest_id).alias("ingest_id"),
    )
    count = pl.DataFrame(
        {
            "piece_key": [f"{source.operator_id}/{source.source_id}/{part.piece_id}"],
            "line_count": [lines.height],
            "record_count": [records.height],
            "ignored_count": [parse.height - records.height - refused.height + int((~fits).sum())],
            "quarantined_count": [refused.height],
            "late_count": [rows.filter(pl.col("event_date") < part.closed).height if part.closed else 0],
            "first_event_date": [rows["event_date"].min()],
            "last_event_date": [rows["event_date"].max()],
        },
        schema_overrides={"first_event_date": pl.Date, "last_event_date": pl.Date},
    )
    return rows, quarantined, count


def batch_id(now: dt.datetime, pieces: int = 0) -> str:
    """A batch's id: its time, so that ids sort in the order of their batches."""
    return now.strftime("%Y%m%dT%H%M%S.%fZ") + hashlib.sha256(str(pieces).encode()).hexdigest()[:4]
