"""The figures of `observatory quarantine`: lines that no rule matched, as patterns, the commonest first."""

from collections.abc import Iterable

import polars as pl

from jobs.base.core.patterns import count_patterns
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import naming_damage, scan_files

TABLE = "bronze.quarantine"
GROUP = ["operator_id", "source_id", "format_code", "reason_code", "pattern"]
# So many lines are masked at a time, whatever the size of the quarantine.
BATCH = 200_000


def read_patterns(
    lake: Lake, operators: list[str], source: str | None = None, reason: str | None = None
) -> pl.DataFrame:
    """One row per operator, source, format, reason and pattern, the commonest first.

    line_count lines have the pattern; the first of them is in file_name (as it was called when it was landed)
    at offset, the byte in its stream where it starts.
    """
    files = lake.files(TABLE)
    lines = scan_files(TABLE, files).filter(pl.col("operator_id").is_in(operators))
    if source is not None:
        lines = lines.filter(pl.col("source_id") == source)
    if reason is not None:
        lines = lines.filter(pl.col("reason_code") == reason)
    batches = lines.select(*GROUP[:-1], "line_text", "piece_id", "offset").collect_batches(
        chunk_size=BATCH, maintain_order=False, lazy=True
    )
    ledger = lake.read("bronze.file", columns=["operator_id", "piece_id", "file_name"])
    with naming_damage(TABLE, files):
        groups = add_patterns(map(group_lines, batches))
    # Each group with the file that its first line was landed from.
    names = ledger.select("operator_id", "piece_id", "file_name")
    return (
        groups.join(names, on=["operator_id", "piece_id"], how="left")
        .select(*GROUP, "line_count", "file_name", "offset")
        .sort(-pl.col("line_count"), *GROUP)
    )


def group_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines as patterns: one row per pattern and piece, with the offset of the first line."""
    named = lines.rename({"line_text": "line"}).with_columns(pl.col("line").fill_null(""))
    found = count_patterns(named, [*GROUP[:-1], "piece_id"])
    return found.select(*GROUP, "piece_id", "offset", line_count=pl.col("count").cast(pl.Int64))


def add_patterns(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The patterns of all parts, added up; `piece_id` and `offset` are those of the first line."""
    kinds = dict.fromkeys([*GROUP, "piece_id"], pl.String) | dict.fromkeys(["offset", "line_count"], pl.Int64)
    whole = pl.DataFrame(schema=kinds)
    for part in parts:
        whole = (
            pl.concat([whole, part.select(list(kinds))])
            .sort("piece_id", "offset")
            .group_by(GROUP)
            .agg(pl.col("piece_id", "offset").first(), pl.col("line_count").sum())
            .select(list(kinds))
        )
    return whole
