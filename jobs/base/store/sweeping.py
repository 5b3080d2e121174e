"""Remove the files of tables that no transaction names: tasks of runs that died wrote them."""

import re
from collections.abc import Mapping
from typing import Any

from jobs.base.places.store import open_store
from jobs.base.store.lake import Lake

# Files that tasks write.
PART = re.compile(r"part-[0-9a-f-]+\.parquet")


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
    """When a file was written, in seconds since 1970."""
    return float(info["LastModified"].timestamp() if "LastModified" in info else info["mtime"])
