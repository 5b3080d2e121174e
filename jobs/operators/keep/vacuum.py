"""Removing what a lake no longer needs, and recording it.

What goes is written down first, in _vacuum/plan.json. Then pieces, results of rules and rows go, small files
are put together, meta.run names the versions of the tables that this made, files that no version needs go,
meta.retention gets a row for each removal, and the plan goes last. A vacuum that was killed is finished by
the next vacuum or run: each step can be done again, and what is half done counts as done
(jobs/operators/build/removed_days.py). Last, logs of tables are shortened.
"""

import contextlib
import datetime as dt
import json
from collections.abc import Iterable

import polars as pl
from pydantic import TypeAdapter

from jobs.base.checks.validations import FOLDER
from jobs.base.core.disk import replace_file
from jobs.base.settings.config import Observatory
from jobs.base.store import compaction, record
from jobs.base.store.joint_commit import undo_unfinished
from jobs.base.store.lake import Lake, select_any
from jobs.base.store.lock import lock_for_writing
from jobs.base.tables.contracts import list_tables, read_contract, rows_frame
from jobs.operators.build import removed_days
from jobs.operators.ingest.manifest import open_landing
from jobs.operators.ingest.removing import remove_pieces
from jobs.operators.keep.retention import (
    AGE,
    COMPACTED,
    HISTORY,
    QUARANTINE,
    READERS,
    RetentionPlan,
    old_files,
    plan_retention,
)

PLAN = "_vacuum/plan.json"
TABLE = "meta.retention"
PLANS = TypeAdapter(RetentionPlan)


@lock_for_writing("observatory vacuum")
def vacuum_lake(
    lake: Lake,
    settings: Observatory,
    operators: Iterable[str],
    run_id: str,
    today: dt.date,
    readers: dt.timedelta = READERS,
) -> RetentionPlan:
    """Remove what these operators' settings no longer keep; what went.

    Args:
        readers: how long a file stays that no version needs any more.
    """
    undo_unfinished(lake)
    finish(lake)
    made = plan_retention(lake, settings, operators, today, readers)
    if made.removals or made.crowded:
        planned = {
            "run_id": run_id,
            "readers": readers.total_seconds(),
            **PLANS.dump_python(made, mode="json"),
        }
        replace_file(*lake.own_file(PLAN), json.dumps(planned).encode())
        finish(lake)
    # The logs of the tables that runs write.
    named = lake.versions()
    for table in list_tables():
        is_meta = read_contract(table).layer == "meta"
        if read_contract(table).layer in COMPACTED and (is_meta or table in named) and lake.exists(table):
            compaction.shorten_log(lake, table, named.get(table), readers)
    return made


def finish(lake: Lake) -> None:
    """Do what a plan says, and forget it; nothing without one."""
    fs, file = lake.own_file(PLAN)
    if not fs.exists(file):
        return
    planned = json.loads(fs.cat_file(file))
    made, run_id = PLANS.validate_python(planned), planned["run_id"]
    started = record.utc_now()
    if made.before:
        removed_days.remember_removal(lake, made.before)
    remove_landed(lake, made)
    remove_validations(lake, made)
    remove_rows(lake, made)
    for table in made.crowded:
        compaction.compact_table(lake, table)
    name_versions(lake, made, run_id, started)
    named = lake.versions()
    for table in made.tables_of(HISTORY):
        remove_old_files(lake, table, named.get(table), dt.timedelta(seconds=planned["readers"]))
    keep_record(lake, made, run_id)
    fs.rm(file)


def remove_landed(lake: Lake, plan: RetentionPlan) -> None:
    fs, area = open_landing(lake.root)
    for source, pieces in plan.pieces.items():
        remove_pieces(fs, f"{area}/{source}", set(pieces))


def remove_validations(lake: Lake, plan: RetentionPlan) -> None:
    for name in plan.validations:
        fs, file = lake.own_file(f"{FOLDER}/{name}")
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(file)


def remove_rows(lake: Lake, plan: RetentionPlan) -> None:
    """Take out the rows, a transaction for each table."""
    for table in plan.tables_of(AGE):
        contract = read_contract(table)
        if table == QUARANTINE:
            of_operator: dict[str, list[str]] = {}
            for operator, _, batch in (each.partition("/") for each in plan.batches):
                of_operator.setdefault(operator, []).append(batch)
            parts = [
                f"({select_any('operator_id', [operator])} AND {select_any('ingest_id', batches)})"
                for operator, batches in sorted(of_operator.items())
            ]
        else:
            parts = [
                f"({select_any('operator_id', [operator])} AND {contract.period} < '{day}')"
                for operator, day in sorted(plan.before[contract.layer].items())
            ]
        lake.delete(table, " OR ".join(parts))


def name_versions(lake: Lake, plan: RetentionPlan, run_id: str, started: dt.datetime) -> None:
    """Name the versions of the tables that rows or small files went from, unless meta.run does."""
    changed = {*plan.tables_of(AGE), *plan.crowded}
    written = [table for table in list_tables() if table in changed and read_contract(table).layer != "meta"]
    named = lake.versions()
    if any(named.get(table) != lake.version(table) for table in written):
        record.add_stage(lake, run_id, "vacuum", started, written, [])


def remove_old_files(lake: Lake, table: str, named_version: int | None, readers: dt.timedelta) -> None:
    fs, _ = lake.own_file("")
    for path in old_files(lake, table, named_version, readers):
        fs.rm(path)


def keep_record(lake: Lake, plan: RetentionPlan, run_id: str) -> None:
    """Add a row of meta.retention for each removal, all at once, unless it has those of this vacuum."""
    if not plan.removals or lake.read(TABLE, columns=["run_id"], where=pl.col("run_id") == run_id).height:
        return
    rows = [
        {
            "run_id": run_id,
            "removed_at": record.utc_now(),
            "operator_id": each.operator_id,
            "removed_from": each.table_name,
            "removal_code": each.reason,
            "before_date": each.before,
            "first_removed_date": each.first,
            "last_removed_date": each.last,
            "file_count": each.files,
            "removed_bytes": each.bytes,
        }
        for each in plan.removals
    ]
    lake.append(rows_frame(rows, TABLE), TABLE)
