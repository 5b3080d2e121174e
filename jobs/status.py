"""What `observatory status` shows: the ledger by source, and the last validations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from jobs.config import Observatory
from jobs.lake import Lake
from jobs.pull import landing, read_manifest

# The codes of schemas/codelists/join_quality.csv, best first.
JOIN_QUALITY = ("exact", "by_message_id", "by_numbers", "none")


def ledger_rows(lake: Lake) -> list[Any]:
    """One row per operator, source and format: files, lines, what became of them, newest day, last pull."""
    return (
        lake.read("bronze.file")
        .groupBy("operator_id", "source_id", "format_code")
        .agg(
            F.count_distinct("stream_id").alias("files"),
            F.sum("line_count").alias("lines"),
            F.sum("record_count").alias("records"),
            F.sum("ignored_count").alias("ignored"),
            F.sum("quarantined_count").alias("quarantined"),
            F.max("last_event_date").alias("newest"),
            F.max("landed_at").alias("landed"),
        )
        .orderBy("operator_id", "source_id", "format_code")
        .collect()
    )


def join_rows(lake: Lake) -> list[Any]:
    """One row per operator and source: recipients of messages, and calls, by how what was told of each was
    joined: a filter's verdict to a mail, its report to an SMS, its rows to a call.

    Attempts are left out: they were refused before there was more to tell. As the last finished run left it.
    """
    table = "silver.message"
    message = lake.read(table, lake.versions().get(table)).filter(F.col("grain_code") != "attempt")
    quality = F.col("join_quality_code")
    return (
        message.groupBy("operator_id", "source_id")
        .agg(
            F.count("*").alias("units"),
            *(F.count_if(quality == code).alias(code) for code in JOIN_QUALITY),
        )
        .orderBy("operator_id", "source_id")
        .collect()
    )


def waiting_bytes(settings: Observatory) -> dict[tuple[str, str], int]:
    """By operator and source, the bytes after the last line end: a line that is still being written."""
    fs, area = landing(settings.lake.root)
    return {
        (operator.id, source.id): sum(
            stream.waiting_bytes for stream in read_manifest(fs, f"{area}/{operator.id}/{source.id}")
        )
        for operator in settings.operator
        for source in operator.source
    }


def last_validation(root: str) -> list[dict[str, Any]]:
    """The results of the last validation, rule by rule; empty when there was none."""
    files = sorted(Path(root, "_validation").glob("*.json"))
    return json.loads(files[-1].read_text(encoding="utf-8"))["results"] if files else []


def validation_rows(root: str) -> list[tuple[str, int, int]]:
    """By table: rules that were checked, and broken ones."""
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
