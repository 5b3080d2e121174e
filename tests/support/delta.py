"""Reading and writing a Delta table without the project's own code for it."""

import json
from pathlib import Path

import polars as pl
from deltalake import DeltaTable, write_deltalake

from jobs.base.store.lake_notes import FORM


def read_delta(folder: Path) -> pl.DataFrame:
    """The rows of the latest version of a Delta table."""
    return pl.read_delta(str(folder))


def write_delta(folder: Path, rows: pl.DataFrame, partition_by: list[str]) -> int:
    """Add rows to a Delta table of a lake of the present form in one transaction; the new version."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent.parent / "observatory.json").write_text(json.dumps({"form": FORM}), encoding="utf-8")
    write_deltalake(str(folder), rows, mode="append", partition_by=partition_by or None)
    return DeltaTable(str(folder)).version()
