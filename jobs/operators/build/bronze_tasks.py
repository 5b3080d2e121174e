"""Tasks of the bronze stage: ranges of landed pieces in, files of bronze tables out."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from jobs.base.engine.tasks import StagedFrame
from jobs.base.places.file_systems import open_store
from jobs.base.store.table_files import NewFile, write_files
from jobs.operators.build.staged_exchange import StagedShelf
from jobs.operators.ingest.parsing import read_ranges
from jobs.operators.ingest.piece_ranges import Range
from jobs.operators.silver import steps


@dataclass(frozen=True)
class ParsedRanges:
    """The result of a task on its ranges: files that no transaction names yet, frames in staging, and the
    counts of each piece for the ledger."""

    files: Sequence[NewFile]
    frames: Sequence[StagedFrame]
    counts: Sequence[pl.DataFrame]


def parse_ranges(
    *, root: str, staging: str | None, ranges: list[Range], ingest_id: str, buckets: int
) -> ParsedRanges:
    """Parse ranges of pieces.

    Args:
        staging: the folder for silver's rows, by bucket; None if no silver stage follows.
    """
    fs, _ = open_store(root)
    folder = None if staging is None else StagedShelf(staging)
    rows: dict[str, list[pl.DataFrame]] = {}
    files: list[NewFile] = []
    refused, counts = [], []
    for parsed in read_ranges(fs, ranges, ingest_id):
        counts.append(parsed.count)
        if parsed.quarantined.height:
            refused.append(parsed.quarantined)
        for each, frame in parsed.rows.items():
            if frame.height:
                rows.setdefault(each, []).append(frame)
    for name in sorted(rows):
        frame = pl.concat(rows.pop(name), rechunk=True)
        files += write_files(frame, f"bronze.{name}", root)
        if folder is not None:
            steps.split_bronze(folder, frame, name, buckets)
    if refused:
        files += write_files(pl.concat(refused), "bronze.quarantine", root)
    return ParsedRanges(files, [] if folder is None else folder.left, counts)
