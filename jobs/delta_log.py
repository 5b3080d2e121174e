"""Reading a table of the lake without Spark, by its Delta log: for what is small and wanted at once.

The log names the Parquet files that a version of the table consists of: the last checkpoint, and the actions
of each commit since. Tables of this lake have neither deletion vectors nor renamed columns (jobs/lake.py), so
that is all there is to know. Nothing here writes.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fsspec
import polars as pl

from jobs.contracts import contract
from jobs.errors import ObservatoryError

COMMIT = re.compile(r"(\d{20})\.json$")
CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.\d{10}\.\d{10})?\.parquet$")


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a table, and the values of the partition columns that all its rows have."""

    path: str
    partition: dict[str, str | None]


def read_table(
    root: str,
    table: str,
    version: int | None = None,
    is_wanted: Callable[[dict[str, str | None]], bool] = lambda partition: True,
) -> pl.DataFrame:
    """The rows of a table, as a version of it has them; the latest without one.

    is_wanted: tells by the values of a partition whether its rows are read at all.
    """
    fs, path = located(root, table)
    dates = {field.name for field in contract(table).fields if field.type == "date"}
    frames = []
    for file in data_files(root, table, version):
        if not is_wanted(file.partition):
            continue
        with fs.open(f"{path}/{file.path}", "rb") as data:
            rows = pl.read_parquet(data, hive_partitioning=False)
        values = [pl.lit(value, pl.String).alias(name) for name, value in file.partition.items()]
        rows = rows.with_columns(values)
        frames.append(
            rows.with_columns(pl.col(name).str.to_date() for name in sorted(dates & file.partition.keys()))
        )
    known = contract(table).columns
    if not frames:
        return pl.DataFrame(schema=dict.fromkeys(known, pl.String))
    found = pl.concat(frames, how="diagonal_relaxed")
    # A table that was written before a column was added to its contract does not have it.
    return found.select(name for name in known if name in found.columns)


def data_files(root: str, table: str, version: int | None = None) -> list[DataFile]:
    """The files that hold a version of the table, in the order of their names; none for a table that was
    never written. Paths are relative to the table's folder."""
    fs, path = located(root, table)
    log = f"{path}/_delta_log"
    if not fs.exists(log):
        return []
    names = sorted(name.rsplit("/", 1)[-1] for name in fs.ls(log, detail=False))
    commits = {int(found.group(1)): name for name in names if (found := COMMIT.match(name))}
    if version is not None and version not in commits and version not in checkpoints(names):
        raise ObservatoryError(f"{table}: its log has no version {version} any more")
    last = max([*commits, *checkpoints(names)]) if version is None else version
    start = max((number for number in checkpoints(names) if number <= last), default=-1)
    files: dict[str, DataFile] = {}
    for name in checkpoints(names).get(start, []):
        with fs.open(f"{log}/{name}", "rb") as data:
            added = pl.read_parquet(data, columns=["add"])["add"].drop_nulls()
        for action in added.to_list():
            if action["path"] is not None:
                remember(files, action["path"], dict(action["partitionValues"]))
    for number in range(start + 1, last + 1):
        if number not in commits:
            raise ObservatoryError(f"{table}: commit {number} is missing from its log, {log}")
        for line in fs.cat_file(f"{log}/{commits[number]}").decode("utf-8").splitlines():
            action = json.loads(line)
            if "remove" in action:
                files.pop(urllib.parse.unquote(action["remove"]["path"]), None)
            if "add" in action:
                remember(files, action["add"]["path"], action["add"]["partitionValues"])
    return [files[name] for name in sorted(files)]


def versions(root: str) -> dict[str, int]:
    """For each table the version that the last finished stage named: versions that belong together."""
    found: dict[str, int] = {}
    for each in read_table(root, "meta.run")["table_versions"].to_list():
        for row in each or []:
            name, number = row["table_name"], row["version"]
            found[name] = max(number, found.get(name, number))
    return found


def located(root: str, table: str) -> tuple[Any, str]:
    fs, path = fsspec.core.url_to_fs(root.replace("s3a://", "s3://"))
    return fs, f"{path.rstrip('/')}/{table.replace('.', '/')}"


def checkpoints(names: list[str]) -> dict[int, list[str]]:
    """The checkpoints' files by version."""
    found: dict[int, list[str]] = {}
    for name in names:
        if match := CHECKPOINT.match(name):
            found.setdefault(int(match.group(1)), []).append(name)
    return found


def remember(files: dict[str, DataFile], path: str, partition: dict[str, str | None]) -> None:
    plain = urllib.parse.unquote(path)
    files[plain] = DataFile(plain, partition)
