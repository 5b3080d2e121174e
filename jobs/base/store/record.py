"""meta.run: a row for each finished stage, from which later stages see what is still to be computed.

A stage adds its row last of all. The row names the versions of the tables that belong together, the batches
that the stage took, and for each operator-period that it computed a checksum of its rows and one of their
inputs. A stage that was killed has no row, and the next run does it again with the same result.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypedDict

import polars as pl

from jobs.base.core.program import digest_files, read_project
from jobs.base.store.lake import Lake
from jobs.base.tables.checksum import Fingerprint
from jobs.base.tables.contracts import rows_frame

Periods = dict[str, set[str]]
Fingerprints = Mapping[tuple[str, str], Fingerprint]
# For each table, operator and period: rows and checksum, and checksum of what they were computed from.
State = dict[tuple[str, str, str], tuple[str, str]]


class Partition(TypedDict):
    """Entry of meta.run for an operator-period of a table: the number of rows, their checksum, and the
    checksum of their inputs."""

    table_name: str
    operator_id: str
    period: str
    row_count: int
    checksum: str
    input_checksum: str


@dataclass(frozen=True)
class StageRecord:
    """The future row of a stage in meta.run: tables that it has committed, and their operator-periods."""

    name: str
    started: dt.datetime
    tables: frozenset[str] = frozenset()
    partitions: tuple[Partition, ...] = ()

    def add_tables(self, tables: Iterable[str], partitions: Iterable[Partition]) -> StageRecord:
        """The stage as it is once it has committed these tables, too."""
        return replace(self, tables=self.tables.union(tables), partitions=(*self.partitions, *partitions))


def read_state(lake: Lake, tables: Iterable[str], ahead: StageRecord | None = None) -> State:
    """The last record of each operator-period of the tables.

    Args:
        ahead: a stage whose row is still to come.
    """
    wanted = list(tables)
    names = ("table_name", "operator_id", "period", "row_count", "checksum", "input_checksum")
    rows = (
        lake.read("meta.run", columns=["finished_at", "partitions"])
        .explode("partitions", empty_as_null=False)
        .drop_nulls("partitions")
        .unnest("partitions")
        .filter(pl.col("table_name").is_in(wanted))
        .sort("finished_at", maintain_order=True)
        .unique(["table_name", "operator_id", "period"], keep="last")
        .select(names)
        .rows()
    )
    rows += [
        tuple(row[name] for name in names)
        for row in map(dict[str, object], ahead.partitions if ahead else ())
        if row["table_name"] in wanted
    ]
    return {
        (table, operator, period): (f"{count}:{checksum}", input_checksum)
        for table, operator, period, count, checksum, input_checksum in rows
    }


def find_differing(
    table: str,
    fingerprints: Fingerprints,
    known: State,
    candidates: Iterable[tuple[str, str, str]],
    inputs: Mapping[tuple[str, str], str],
) -> tuple[Periods, list[Partition]]:
    """The operator-periods whose rows are not those on record, and what to record of all.

    Args:
        candidates: every operator-period that was computed; one without a fingerprint has no rows.
    """
    changed: Periods = {}
    rows: list[Partition] = []
    gone = {(operator, period): Fingerprint(0, "") for _, operator, period in candidates}
    for (operator, period), found in sorted((gone | dict(fingerprints)).items()):
        before, input_before = known.get((table, operator, period), ("0:", ""))
        input_now = inputs.get((operator, period), "")
        is_new = before != f"{found.rows}:{found.checksum}"
        if is_new:
            changed.setdefault(operator, set()).add(period)
        if is_new or input_before != input_now:
            rows.append(
                {
                    "table_name": table,
                    "operator_id": operator,
                    "period": period,
                    "row_count": found.rows,
                    "checksum": found.checksum,
                    "input_checksum": input_now,
                }
            )
    return changed, rows


def add_stage(
    lake: Lake,
    run_id: str,
    stage: str,
    started: dt.datetime,
    tables: Iterable[str],
    partitions: Sequence[Partition],
    batches: Iterable[str] = (),
) -> None:
    """Add a finished stage's row: from here on its tables are what readers see.

    Args:
        started: UTC.
        tables: those that the stage wrote; the row has their present versions.
        partitions: the operator-periods that were computed.
        batches: ingest ids of the batches that the stage took in.
    """
    versions = [(table, lake.version(table)) for table in tables if lake.exists(table)]
    row = {
        "run_id": run_id,
        "stage_name": stage,
        "started_at": started,
        "finished_at": utc_now(),
        "code_revision": code_revision(),
        "ingest_ids": list(batches),
        "table_versions": [{"table_name": table, "version": version} for table, version in versions],
        "partitions": list(partitions),
    }
    lake.append(rows_frame([row], "meta.run"), "meta.run")


def finished_stages(lake: Lake, run_id: str) -> list[str]:
    """The stages of a run whose tables readers see. A row that names no table only gives batches back."""
    rows = lake.read("meta.run", columns=["run_id", "stage_name", "table_versions"])
    is_done = (pl.col("run_id") == run_id) & (pl.col("table_versions").list.len() > 0)
    return rows.filter(is_done)["stage_name"].to_list()


def has_changed(lake: Lake, tables: Iterable[str], since: dt.datetime) -> bool:
    """Return whether a stage that finished after a time left another version of one of the tables. To remove
    what is older than the settings keep is no change."""
    wanted, known = set(tables), dict[str, int]()
    runs = lake.read("meta.run", columns=["stage_name", "finished_at", "table_versions"])
    for stage, finished_at, versions in runs.sort("finished_at", maintain_order=True).iter_rows():
        for row in versions or []:
            table, version = row["table_name"], row["version"]
            if table in wanted and version > known.get(table, -1):
                known[table] = version
                if finished_at > since and stage != "vacuum":
                    return True
    return False


@cache
def code_revision() -> str:
    """The revision of the clone that the code runs from; without git or a clone, as in an image, a digest of
    the program's files."""
    words = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    git = subprocess.run(words, capture_output=True, text=True) if shutil.which("git") else None
    found = git.stdout.strip() if git else ""
    return found or f"files-{digest_files(read_project())}"


def stale_periods(table: str, known: State, inputs: Mapping[tuple[str, str], str]) -> Periods:
    """The operator-periods of a table that were computed from something else than what there is now."""
    stale: Periods = {}
    for (operator, period), checksum in inputs.items():
        if known.get((table, operator, period), ("", ""))[1] != checksum:
            stale.setdefault(operator, set()).add(period)
    return stale


def digest_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def new_run_id(at: dt.datetime | None = None) -> str:
    """The name of a run that starts now, or then."""
    return f"{at or utc_now():%Y%m%dT%H%M%S.%fZ}"


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
