"""The input of a run (Run), the outcome of its stages (Outcome), and functions that stages share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from jobs.base.checks.validations import FOLDER
from jobs.base.core.disk import replace_file
from jobs.base.engine import tasks
from jobs.base.engine.embedded import Inline
from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator
from jobs.base.store.lake import Lake
from jobs.base.store.record import Periods
from jobs.base.store.table_files import write_files
from jobs.base.tables import contracts
from jobs.base.tables.contracts import read_contract
from jobs.operators.build.settings_tables import read_reference
from jobs.operators.gold.kernels import kernel_module

if TYPE_CHECKING:
    from expectations import native


@dataclass(frozen=True)
class Run:
    """The input of a run: its lake, settings and operators, and the engine and staging area of its stages.

    Attributes:
        since, until: the days that are computed again; None for the days that changed.
        report_step: takes the step of a stage that begins, as `silver: validating`.
        report_progress: takes a stage, the share of its work that is done (0 to 1), and the bytes of logs
            that it goes through, 0 where they are unknown.
        engine, staging, log_bytes: of the stages, set where a run begins (jobs/operators/runs/runner.py).
    """

    lake: Lake
    settings: Observatory
    operators: list[Operator]
    run_id: str
    since: dt.date | None = None
    until: dt.date | None = None
    requarantine: bool = False
    report_step: Callable[[str], None] = print
    report_progress: Callable[[str, float, int], None] = lambda stage, share, size: None
    engine: tasks.Engine = field(default_factory=Inline)
    staging: str = ""
    log_bytes: int = 0

    @property
    def is_asked(self) -> bool:
        """Return whether certain days were asked for, whatever changed."""
        return bool(self.since or self.until)

    def report_share(self, stage: str, share: float) -> None:
        """Report that a stage has done this share of its work."""
        self.report_progress(stage, share, self.log_bytes)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a stage, or of several together.

    Attributes:
        results: of the rules that were checked.
        held_operators: the operators that a rule holds back.
        notes: sentences to print when the run has ended.
        changed: by table, the operator-periods that were replaced.
        batches: the bronze batches that were read.
    """

    results: tuple[native.Result, ...] = ()
    held_operators: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    changed: Mapping[str, Periods] = field(default_factory=dict)
    batches: tuple[str, ...] = ()

    def __add__(self, later: Outcome) -> Outcome:
        return Outcome(
            self.results + later.results,
            self.held_operators | later.held_operators,
            self.notes + later.notes,
            {**self.changed, **later.changed},
            self.batches + later.batches,
        )


def compute_table(work: Run, table: str, have: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The rows of a table of gold that is computed from whole tables, those that its contract reads."""
    contract = read_contract(table)
    inputs = {
        name.split(".")[1]: have[name] if name in have else read_reference(work.settings, name)
        for name in contract.reads
    }
    return contracts.conform_frame(kernel_module(table).transform(**inputs), table)


def commit_changed(work: Run, table: str, frame: pl.DataFrame, changed: Periods) -> bool:
    """Replace exactly the operator-periods that changed by the frame's rows of them; whether there was
    something to undo of a run that died."""
    # Checksums on record are of the version that meta.run names.
    undone = work.lake.undo_writes(table, work.lake.versions().get(table))
    if not changed:
        return undone
    period = read_contract(table).period
    assert period is not None
    is_changed = pl.any_horizontal(
        (pl.col("operator_id") == operator) & pl.col(period).cast(pl.String).is_in(sorted(periods))
        for operator, periods in sorted(changed.items())
    )
    files = write_files(frame.filter(is_changed), table, work.lake.root)
    work.lake.replace_periods(table, changed, files, {"run_id": work.run_id})
    return undone


def keep_results(work: Run, results: Iterable[native.Result]) -> None:
    """Keep the results of the run's rules so far in the lake."""
    from expectations import native

    operators = [each.id for each in work.operators]
    text = native.format_results(list(results), work.run_id, operators)
    replace_file(*work.lake.own_file(f"{FOLDER}/{work.run_id}.json"), text.encode())
