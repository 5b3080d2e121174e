"""One run: its settings and outcome, and what its stages have in common."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from jobs.core import contracts
from jobs.core.contracts import contract
from jobs.engine import tasks
from jobs.engine.embedded import Inline
from jobs.engine.lake import Lake, is_local
from jobs.engine.record import Periods
from jobs.engine.table_files import write_files
from jobs.settings.config import Observatory
from jobs.settings.operator import Operator
from jobs.stages.batches import Ingested
from jobs.stages.settings_tables import read_reference
from jobs.stages.validations import FOLDER

if TYPE_CHECKING:
    from expectations import native


@dataclass
class Run:
    """One run: its settings, and its outcome so far.

    held: the operators that a rule holds back, for the rest of the run.
    say: takes what a stage is at, as `silver: validating`. move: takes a stage, the share of its work that is
        done, and the bytes of logs that it goes through, 0 where they are not known.
    notes: what a person should know when the run has ended.
    again: by operator, the settings that changed since its open days were computed.
    """

    lake: Lake
    settings: Observatory
    operators: list[Operator]
    run_id: str
    since: dt.date | None = None
    until: dt.date | None = None
    requarantine: bool = False
    say: Callable[[str], None] = print
    move: Callable[[str, float, int], None] = lambda stage, share, size: None
    log_bytes: int = 0
    batches: list[str] = field(default_factory=list)
    changed: dict[str, Periods] = field(default_factory=dict)
    results: list[native.Result] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    again: dict[str, list[str]] = field(default_factory=dict)
    ingested: Ingested = field(default_factory=Ingested)
    engine: tasks.Engine = field(default_factory=Inline)
    staging: str = ""
    buckets: int = 1
    is_followed: bool = False

    def reach(self, stage: str, share: float) -> None:
        """Report that a stage has done this share of its work."""
        self.move(stage, share, self.log_bytes)


def compute(work: Run, table: str, have: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The table's rows: its job's transform over the tables that its contract reads."""
    about = contract(table)
    job = importlib.import_module(f"jobs.{about.layer}.{about.name}")
    inputs = {
        name.split(".")[1]: have[name] if name in have else read_reference(work.settings, name)
        for name in about.reads
    }
    return contracts.conform(job.transform(**inputs), table)


def write(work: Run, table: str, frame: pl.DataFrame, changed: Periods) -> bool:
    """Replace exactly the operator-periods that changed by the frame's rows of them; whether there was
    something to undo of a run that died."""
    work.changed[table] = changed
    # The record of what periods hold is of the version that it names.
    undone = work.lake.undo(table, work.lake.versions().get(table))
    if not changed:
        return undone
    period = contract(table).period
    assert period is not None
    is_changed = pl.any_horizontal(
        (pl.col("operator_id") == operator) & pl.col(period).cast(pl.String).is_in(sorted(periods))
        for operator, periods in sorted(changed.items())
    )
    files = write_files(frame.filter(is_changed), table, work.lake.root)
    work.lake.replace_periods(table, changed, files, {"run_id": work.run_id})
    return undone


def keep(work: Run, folder: str = FOLDER) -> None:
    """Keep the results of the rules so far in a folder of the lake."""
    from expectations import native

    if is_local(work.lake.root):
        native.keep(
            work.results, Path(work.lake.root) / folder, work.run_id, [each.id for each in work.operators]
        )
