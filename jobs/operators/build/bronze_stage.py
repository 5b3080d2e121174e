"""landing → bronze: pieces of logs, parsed by their format's kernel, each line accounted for.

One batch takes all pieces that the ledger does not have. A batch is written per format, never per file: its
intent is recorded first, tasks parse ranges of bytes (jobs/operators/build/bronze_tasks.py) and write files,
then one transaction a table adds them, the ledger's last. A batch that was killed is written again: what it
had added to a table is taken out first, so that nothing counts twice.

A batch whose parser or settings were mended is read again in the same way, under its own id.
"""

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

import polars as pl

from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake, select_any
from jobs.base.store.table_files import NewFile
from jobs.base.tables.contracts import conform_frame, list_tables, read_contract, rows_frame
from jobs.operators.build.batches import (
    Ingest,
    Ingested,
    intents_of,
    landed_pieces,
    ledgered_pieces,
    pending_pieces,
    record_intent,
    refuse_missing_pieces,
)
from jobs.operators.build.bronze_tasks import ParsedRanges
from jobs.operators.build.ranges import latest_of, range_bytes, ranges_of, tasks_of
from jobs.operators.formats.registry import DOCUMENTS, FORMATS
from jobs.operators.ingest.manifest import open_landing, read_manifest, write_manifest

COUNTS = ("line_count", "record_count", "ignored_count", "quarantined_count", "late_count")


def ingest_pending(work: Ingest, ingest_id: str) -> Ingested:
    """Bring all pieces that the ledger lacks into bronze.

    A batch that an earlier run left unfinished is finished first.
    """
    fs, area = open_landing(work.lake.root)
    found = finish_batches(work)
    pending = set(pending_pieces(work.lake, work.operators))
    if pending:
        record_intent(fs, area, ingest_id, pending)
        found += finish_batches(work)
    return found


def finish_batches(work: Ingest) -> Ingested:
    """Write every batch that was intended and is not written."""
    found = Ingested()
    fs, area = open_landing(work.lake.root)
    fs.invalidate_cache()
    for name in sorted(fs.glob(f"{intents_of(area)}/*.json")):
        with fs.open(name, "r", encoding="utf-8") as file:
            intent = json.load(file)
        ingest_id, keys, again = intent["ingest_id"], set(intent["pieces"]), intent.get("again", False)
        if again or not keys <= ledgered_pieces(work.lake).keys():
            found += write_batch(work, ingest_id, keys, again)
        fs.rm(name)
    return found


def write_batch(work: Ingest, ingest_id: str, keys: set[str], again: bool = False) -> Ingested:
    """Write one batch: the formats' tables, the quarantine, and last the ledger.

    Args:
        again: in place of what the batch wrote of these sources before, whatever table it is in.
    """
    lake, settings = work.lake, work.settings
    fs, area = open_landing(lake.root)
    if again:
        correct_formats(fs, area, settings, keys)
    pieces = [row for row in landed_pieces(fs, area, settings.operator) if row[0] in keys]
    if again:
        refuse_missing_pieces(ingest_id, keys - {key for key, *_ in pieces})
    if not pieces:
        return Ingested((ingest_id,))
    where = sources_predicate(ingest_id, keys) if again else select_any("ingest_id", [ingest_id])
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
    parsed: list[ParsedRanges] = work.engine.run_tasks(grouped, lambda count: work.done(count, total))
    written = [file for each in parsed for file in each.files]
    replace_files(lake, written, ingest_id, where, again)
    counted = [frame for each in parsed for frame in each.counts]
    rows = ledger_rows(pieces, counted, ingest_id, settings.lake.read_at)
    lake.replace(rows, "bronze.file", where, {"ingest_id": ingest_id})
    return Ingested((ingest_id,), tuple(left for each in parsed for left in each.frames), tuple(written))


def replace_files(lake: Lake, written: list[NewFile], ingest_id: str, where: str, again: bool) -> None:
    """Put files of bronze in place of what a batch wrote before, if it wrote any."""
    files: dict[str, list[NewFile]] = {}
    for file in written:
        files.setdefault(file.table, []).append(file)
    bronze = [
        name for name in list_tables() if read_contract(name).layer == "bronze" and name != "bronze.file"
    ]
    for table in bronze:
        if again or is_written(lake, table, ingest_id):
            lake.delete(table, where)
        if table in files:
            lake.add_files(table, files[table], {"ingest_id": ingest_id})


def is_written(lake: Lake, table: str, ingest_id: str) -> bool:
    """Return whether a table has rows of a batch; no batch newer than it can have been written since it
    began."""
    if not lake.exists(table):
        return False
    is_of_batch = (pl.col("ingest_id") == ingest_id).any()
    return bool(lake.query_table(table, None, lambda rows: rows.select(is_of_batch)).item())


def sources_predicate(ingest_id: str, keys: Iterable[str]) -> str:
    """A predicate: what a batch wrote of the sources of these pieces."""
    sources: dict[str, set[str]] = {}
    for key in keys:
        operator, source, _ = key.split("/", 2)
        sources.setdefault(operator, set()).add(source)
    parts = [
        f"({select_any('operator_id', [operator])} AND {select_any('source_id', sorted(names))})"
        for operator, names in sorted(sources.items())
    ]
    return f"{select_any('ingest_id', [ingest_id])} AND ({' OR '.join(parts)})"


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


def ledger_rows(
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
    return conform_frame(joined, "bronze.file")


def open_since(lake: Lake, settings: Observatory, ingest_id: str) -> dict[str, dt.date]:
    """Return each operator's first day that late lines of a batch may still change, by earlier batches."""
    before = lake.read("bronze.file", where=pl.col("ingest_id") < ingest_id)
    newest = before.group_by("operator_id").agg(pl.col("last_event_date").max()).drop_nulls()
    days = dt.timedelta(days=settings.lake.open_days)
    return {operator: date - days for operator, date in newest.rows()}
