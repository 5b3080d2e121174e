"""Reading and writing a Delta table without Spark."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl


def read_delta(folder: Path) -> pl.DataFrame:
    """A Delta table's rows, by its log alone: plain tables need no more."""
    files: dict[str, dict[str, str | None]] = {}
    for entry in sorted((folder / "_delta_log").glob("*.json")):
        for action in map(json.loads, entry.read_text().splitlines()):
            if "add" in action:
                files[action["add"]["path"]] = action["add"]["partitionValues"]
            if "remove" in action:
                del files[action["remove"]["path"]]
    frames = [
        pl.read_parquet(folder / path, hive_partitioning=False).with_columns(
            pl.lit(value, pl.String).alias(name) for name, value in partition.items()
        )
        for path, partition in files.items()
    ]
    return pl.concat(frames) if frames else pl.DataFrame()


def write_delta(folder: Path, rows: pl.DataFrame, partition_by: list[str], version: int = 0) -> None:
    """Add rows to a Delta table as one commit: a file for each partition, and a log that names them."""
    log = folder / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    parts = rows.partition_by(partition_by, as_dict=True, include_key=False) if partition_by else {(): rows}
    actions = []
    for number, (key, part) in enumerate(parts.items()):
        path = f"part-{version:05}-{number:05}.parquet"
        part.write_parquet(folder / path)
        values = {name: str(value) for name, value in zip(partition_by, key, strict=True)}
        actions.append(json.dumps({"add": {"path": path, "partitionValues": values}}))
    (log / f"{version:020}.json").write_text("\n".join(actions), encoding="utf-8")
