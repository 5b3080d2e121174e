"""The figures of `observatory status`: the ledger by source, quality of joins, and the last validations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fsspec
import polars as pl

from jobs import future
from jobs.config import Observatory
from jobs.engine.lake import Lake
from jobs.windows import is_plausible

# The codes of schemas/codelists/join_quality.csv, best first.
JOIN_QUALITY = ("exact", "by_message_id", "by_numbers", "none")


def ledger_rows(lake: Lake) -> list[dict[str, Any]]:
    """One row per operator, source and format: files, lines by what became of them, newest day, last pull."""
    by = ["operator_id", "source_id", "format_code"]
    return (
        lake.read("bronze.file")
        .group_by(by)
        .agg(
            files=pl.col("stream_id").n_unique(),
            lines=pl.col("line_count").sum(),
            records=pl.col("record_count").sum(),
            ignored=pl.col("ignored_count").sum(),
            quarantined=pl.col("quarantined_count").sum(),
            newest=pl.col("last_event_date").max(),
            landed=pl.col("landed_at").max(),
        )
        .sort(by)
        .to_dicts()
    )


def join_rows(lake: Lake) -> list[dict[str, Any]]:
    """One row per operator and source, as the last finished run left it: recipients of messages and calls, by
    how further records were joined to them: a filter's verdict to a mail, a report to an SMS, rows to a call.

    Attempts are left out: they were refused before there was a further record.
    """
    table = "silver.message"
    by = ["operator_id", "source_id"]
    quality = pl.col("join_quality_code")
    return (
        lake.scan(table, lake.versions().get(table))
        .filter(pl.col("grain_code") != "attempt")
        .group_by(by)
        .agg(units=pl.len(), **{code: (quality == code).sum() for code in JOIN_QUALITY})
        .sort(by)
        .collect(engine="streaming")
        .to_dicts()
    )


def waiting_bytes(settings: Observatory) -> dict[tuple[str, str], int]:
    """By operator and source, the bytes after the last line end: a line that is still being written.

    They stand in the manifests of landing, which jobs/pull.py writes.
    """
    fs, root = fsspec.core.url_to_fs(settings.lake.root.replace("s3a://", "s3://"))
    found = {}
    for operator in settings.operator:
        for source in operator.source:
            manifest = f"{root.rstrip('/')}/landing/{operator.id}/{source.id}/manifest.json"
            streams = json.loads(fs.cat_file(manifest))["streams"] if fs.exists(manifest) else []
            found[operator.id, source.id] = sum(stream["waiting_bytes"] for stream in streams)
    return found


def last_validation(root: str) -> list[dict[str, Any]]:
    """The results of the last validation, rule by rule; empty when there was none."""
    files = sorted(Path(root, "_validation").glob("*.json"))
    return json.loads(files[-1].read_text(encoding="utf-8"))["results"] if files else []


def validation_rows(root: str) -> list[tuple[str, int, int]]:
    """By table: how many rules were checked, and how many of them are broken."""
    results = last_validation(root)
    names = sorted({result["table"] for result in results})
    return [
        (
            name,
            sum(result["table"] == name for result in results),
            sum(result["table"] == name and not result["is_held"] for result in results),
        )
        for name in names
    ]


def problems(lake: Lake, settings: Observatory, operators: set[str]) -> list[str]:
    """What is wrong with what was read, each with what to do."""
    mine = pl.col("operator_id").is_in(sorted(operators))
    ledger = lake.read("bronze.file", where=mine).filter(~is_plausible())
    by = ["operator_id", "source_id"]
    found = []
    for operator, source, file, day in (
        ledger.group_by(by).agg(pl.col("file_name").first(), pl.col("last_event_date").max()).sort(by).rows()
    ):
        found.append(
            f"operator '{operator}', source '{source}': {file} has lines of {day}, after it was read: the"
            " clock of its host was wrong, and every day before was closed. The next `observatory run` reads"
            " the file again and counts what was left out; it needs the file as it was landed."
        )
    quarantined = lake.read("bronze.quarantine", where=mine & (pl.col("reason_code") == future.REASON))
    for operator, source, count in quarantined.group_by(by).len().sort(by).rows():
        found.append(
            f"operator '{operator}', source '{source}': {count:,} line{'s' if count > 1 else ''} with a time"
            " after the file was written and read: the clock of the host was wrong. They are not counted;"
            " `observatory quarantine --reason from_the_future` shows them."
        )
    return found
