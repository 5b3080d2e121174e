"""All-or-nothing writes to several tables.

A Delta transaction covers one table. So a note with the version of each table is written first, and removed
after the last write. If a write fails, each table is set back to its noted version; if the program is killed,
the next command that writes these tables does that first.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import polars as pl

from jobs.base.core.disk import replace_file
from jobs.base.store.lake import Lake

# Beside the tables; `renew` leaves the tables alone that are written so.
NOTE = "_together/load.json"


@contextmanager
def commit_together(lake: Lake, tables: Iterable[str], run_id: str) -> Iterator[None]:
    """Commit all writes to these tables while it is open, or none. They count once meta.run has a row of the
    run."""
    undo_unfinished(lake)
    before = {table: lake.version(table) if lake.exists(table) else None for table in tables}
    fs, file = lake.own_file(NOTE)
    replace_file(fs, file, json.dumps({"run_id": run_id, "versions": before}).encode())
    try:
        yield
    except BaseException:
        undo_unfinished(lake)
        raise
    fs.rm_file(file)


def undo_unfinished(lake: Lake) -> None:
    """Undo what a program wrote that ended before it wrote all."""
    fs, file = lake.own_file(NOTE)
    if not fs.exists(file):
        return
    note = json.loads(fs.cat_file(file))
    ran = lake.read("meta.run", columns=["run_id"], where=pl.col("run_id") == note["run_id"])
    if ran.is_empty():
        for table, version in note["versions"].items():
            lake.undo_writes(table, version)
    fs.rm_file(file)
