"""Merge small files of tables, shorten Delta logs, and remove the files that tasks of dead runs wrote.

A run that finds something new adds files to tables and a commit to each table's log: thousands of both a day
if a lake is written every few minutes. Merging files is one Delta transaction that changes no row: readers
see the old files or the new one. It makes a new version of the table, which counts once meta.run names it.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from deltalake import WriterProperties

from jobs.base.places.file_systems import open_store
from jobs.base.places.held_leases import check_lease
from jobs.base.places.permissions import folder_of, keep_private
from jobs.base.store.lake import Lake, Partition, commit_note
from jobs.base.store.table_files import COMPRESSION
from jobs.base.tables.contracts import read_contract

# A smaller file is put together with others, up to a file of so many bytes: a task that reads one file must
# find memory for its rows, with the least memory that an engine may have.
SMALL_BYTES = 256 << 10
WHOLE_BYTES = 1 << 20
# So many small files a partition may have that is still written, or one that is not partitioned by a period.
MOST_SMALL = 16
# An operator's newest periods are still written. Of an earlier one no two small files stay.
NEWEST_PERIODS = 2
# So many commits after its last checkpoint a log may have; readers open each of them.
MOST_COMMITS = 20
# Files that tasks write.
PART = re.compile(r"part-[0-9a-f-]+\.parquet")
COMMIT, CHECKPOINT = re.compile(r"(\d{20})\.json$"), re.compile(r"(\d{20})\.checkpoint(?:\.[^/]*)?\.parquet$")


def crowded_partitions(lake: Lake, table: str) -> list[Partition]:
    """The partitions of a table whose small files are to be put together."""
    by, period = list(read_contract(table).partition_by), read_contract(table).period
    small: dict[tuple[str | None, ...], int] = {}
    newest: dict[str | None, set[str]] = {}
    for file in lake.files(table):
        values = tuple(value for _, value in file.partition)
        small[values] = small.get(values, 0) + (file.bytes < SMALL_BYTES)
        if period in by:
            newest.setdefault(values[0], set()).add(str(file.partition_value(str(period))))
    is_written = {whose: set(sorted(periods)[-NEWEST_PERIODS:]) for whose, periods in newest.items()}
    found = []
    for values, count in sorted(small.items(), key=str):
        is_open = period not in by or values[by.index(str(period))] in is_written[values[0]]
        if None not in values and count > (MOST_SMALL if is_open else 1):
            found.append(dict(zip(by, values, strict=True)))
    return found


def compact_table(lake: Lake, table: str) -> None:
    """Put the small files of crowded partitions together: a transaction for each operator. A file is written
    after the other, so that memory does not grow with their number."""
    *whose, last = read_contract(table).partition_by or (None,)
    groups: dict[tuple[tuple[str, str | None], ...], list[str | None]] = {}
    for partition in crowded_partitions(lake, table):
        groups.setdefault(tuple((name, partition[name]) for name in whose), []).append(
            partition[last] if last else None
        )
    for owner, values in groups.items():
        filters: list[Any] = [(name, "=", value) for name, value in owner]
        filters += [(last, "in", values)] if last else []
        with keep_private(folder_of(lake.root)), lake.open_to_write(table) as log:
            log.optimize.compact(
                partition_filters=filters or None,
                target_size=WHOLE_BYTES,
                max_concurrent_tasks=1,
                commit_properties=commit_note(None),
                writer_properties=WriterProperties(
                    compression=COMPRESSION["compression"].upper(),
                    compression_level=COMPRESSION["compression_level"],
                ),
            )


def shorten_log(lake: Lake, table: str, named_version: int | None, readers: dt.timedelta) -> None:
    """Write a checkpoint where a table's log is long, and remove what is only needed to read versions that
    were not the latest any more so long ago.

    Args:
        named_version: the version that meta.run names. Where the table has another one, which a run that was
            broken off wrote, the log stays: the next run goes back to the version that is named.
    """
    log = lake.open_table(table)
    if named_version is not None and named_version != log.version():
        return
    fs, folder = open_store(f"{lake.path(table)}/_delta_log")
    fs.invalidate_cache()
    commits, checkpoints = versions_of(fs, folder, COMMIT), versions_of(fs, folder, CHECKPOINT)
    last = max(checkpoints, default=-1)
    if sum(version > last for version in commits) > MOST_COMMITS:
        check_lease(lake.root)
        with keep_private(folder_of(lake.root)):
            log.create_checkpoint()
        checkpoints = versions_of(fs, folder, CHECKPOINT)
    until = dt.datetime.now(dt.UTC) - readers
    old = [each for each, paths in checkpoints.items() if all(fs.modified(path) <= until for path in paths)]
    for found in (commits, checkpoints):
        for version in sorted(found):
            if version < max(old, default=-1):
                fs.rm(found[version])


def versions_of(fs: Any, folder: str, pattern: re.Pattern[str]) -> dict[int, list[str]]:
    """The files of a log by their version."""
    found: dict[int, list[str]] = {}
    for path in fs.find(folder, refresh=True):
        if match := pattern.search(path):
            found.setdefault(int(match[1]), []).append(path)
    return found


def sweep_files(lake: Lake, table: str, before: float) -> list[str]:
    """Remove files of tasks that no transaction of a table's log names, written before a time; their names.

    Every file stays that the latest version has, or that a commit in the log adds or removes: a version that
    can still be read has no other.
    """
    fs, folder = open_store(lake.path(table))
    there = fs.find(folder, detail=True)
    latest = {name_of(file.path) for file in lake.files(table)} if there else set()
    unnamed = [
        path
        for path, info in there.items()
        if PART.fullmatch(name_of(path)) and name_of(path) not in latest and time_of(info) < before
    ]
    if not unnamed:
        return []
    in_log = f"{folder}/_delta_log/"
    commits = sorted(path for path in there if path.startswith(in_log) and path.endswith(".json"))
    log = b"".join(fs.cat_file(path) for path in commits)
    swept = [path for path in unnamed if name_of(path).encode() not in log]
    for path in swept:
        fs.rm_file(path)
    return [path.removeprefix(f"{folder}/") for path in swept]


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def time_of(info: Mapping[str, Any]) -> float:
    """Return the time at which a file was written, in seconds since 1970."""
    return float(info["LastModified"].timestamp() if "LastModified" in info else info["mtime"])
