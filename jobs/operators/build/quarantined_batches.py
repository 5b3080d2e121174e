"""Read batches with quarantined lines again."""

from collections import Counter
from typing import Any

from jobs.base.store.lake import Lake
from jobs.operators.build.batches import Ingest, Ingested, landed_pieces, record_intent, refuse_missing_pieces
from jobs.operators.build.bronze_stage import finish_batches
from jobs.operators.ingest.manifest import open_landing, read_manifest


def read_quarantined(work: Ingest) -> Ingested:
    """Read again what has quarantined lines, by the present parsers, formats and options.

    Of each batch, every source with such lines is read again as a whole, under the batch's id, and replaces
    its rows in all tables. A source that the settings no longer have is left as it is, and so is one of which
    retention removed pieces. Raises ObservatoryError, before anything is written, where others are no longer
    there to be read.
    """
    fs, area = open_landing(work.lake.root)
    found = finish_batches(work)
    configured = {(operator.id, source.id) for operator in work.operators for source in operator.source}
    columns = ["ingest_id", "operator_id", "source_id", "piece_id", "quarantined_count"]
    rows = work.lake.read("bronze.file", columns=columns).rows()
    batches: dict[str, set[str]] = {}
    spoilt = {row[:3] for row in rows if row[4] and (row[1], row[2]) in configured}
    removed = removed_pieces(fs, area, work.lake)
    gone = spoilt & {row[:3] for row in rows if row[:4] in removed}
    spoilt -= gone
    unreadable = tuple(
        f"operator '{operator}', source '{source}': quarantined lines of {count:,} batch"
        f"{'es' if count > 1 else ''} cannot be read again: landing no longer holds their logs"
        f" ([retention] landing = {work.settings.retention.landing}). They stay as they were read."
        for (operator, source), count in sorted(Counter(each[1:] for each in gone).items())
    )
    for row in rows:
        if row[:3] in spoilt:
            batches.setdefault(row[0], set()).add("/".join(row[1:4]))
    there = {key for key, *_ in landed_pieces(fs, area, work.operators)}
    for ingest_id, keys in sorted(batches.items()):
        refuse_missing_pieces(ingest_id, keys - there)
    for ingest_id, keys in sorted(batches.items()):
        record_intent(fs, area, ingest_id, keys, again=True)
    return found + finish_batches(work) + Ingested(unreadable=unreadable)


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
