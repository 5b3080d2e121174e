"""A run: what was pulled becomes bronze, silver and gold, stage by stage.

bronze takes what was landed (jobs/stages/bronze_stage.py). silver takes the batches that no finished silver
run has taken, reads bronze around their days, and computes every day that they may touch
(jobs/stages/silver_stage.py). gold computes the days whose silver changed (jobs/stages/gold_stage.py). A
stage computes and validates all of its tables before it commits one, replaces exactly the operator-periods
whose rows changed, and last adds its row to meta.run, which names the versions that belong together. An
operator whose rows break a rule is held back; the others go on.
"""

from __future__ import annotations

import datetime as dt
import importlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from jobs.core import contracts
from jobs.core.contracts import contract, reference, rows_frame
from jobs.core.errors import ValidationHeld
from jobs.costs import fixed_costs
from jobs.engine import record, tasks
from jobs.engine.embedded import LITTLE, Embedded, Inline
from jobs.engine.lake import Lake, is_local, write_files
from jobs.engine.lock import as_only_writer
from jobs.engine.record import Periods
from jobs.settings.config import Observatory
from jobs.settings.operator import Operator
from jobs.stages import bronze_stage, checks, identity

if TYPE_CHECKING:
    from expectations import suites
    from jobs.engine.spark import Spark

STAGES = ("bronze", "silver", "gold")


@dataclass
class Run:
    """One run: its settings, and its outcome so far.

    held: the operators that a rule holds back, for the rest of the run.
    say: takes what a stage is at, as `silver: validating`. move: takes a stage, the share of its work that is
        done, and the bytes of logs that it goes through, 0 where they are not known.
    notes: what a person should know when the run has ended.
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
    results: list[suites.Result] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    ingested: bronze_stage.Ingested = field(default_factory=bronze_stage.Ingested)
    engine: tasks.Engine = field(default_factory=Inline)
    staging: str = ""
    buckets: int = 1
    is_followed: bool = False

    def reach(self, stage: str, share: float) -> None:
        """Report that a stage has done this share of its work."""
        self.move(stage, share, self.log_bytes)


@as_only_writer("observatory run")
def run(work: Run, stages: Iterable[str] = STAGES) -> None:
    """Do the stages in order. Raises ValidationHeld, after all else was done, when a rule holds an operator
    back."""
    from jobs.stages import vacuum, validator
    from jobs.stages.gold_stage import gold
    from jobs.stages.silver_stage import bucket_count, silver

    of_stage = {"bronze": bronze, "silver": silver, "gold": gold}
    wanted = [stage for stage in STAGES if stage in set(stages)]
    identity.admit(work.lake, work.settings, work.operators, has_silver="silver" in wanted)
    vacuum.finish(work.lake)
    started = time.time()
    work.is_followed = "silver" in wanted
    log_bytes = logs_to_do(work, wanted)
    # What a stage on its own goes through, it finds out itself.
    work.log_bytes = log_bytes if "bronze" in wanted else 0
    with tasks.staging(work.lake.root) as staging, engine_of(work, log_bytes) as engine:
        work.staging, work.engine = staging.folder, engine
        if staging.others_died:
            sweep(work.lake, started)
        if log_bytes and "gold" in wanted and not engine.is_tight:
            validator.prepare()
        work.buckets = bucket_count(log_bytes, engine.task_bytes, engine.workers)
        for stage in wanted:
            of_stage[stage](work)
            if stage == "gold":
                from jobs.stages import quality

                quality.refresh(work)
            work.reach(stage, 1.0)
        # A task that died, though it was done again, may have written files before.
        if engine.has_lost:
            sweep(work.lake, time.time())
    refuse(work)


def sweep(lake: Lake, before: float) -> None:
    """Remove the files that runs which died wrote for tables and did not commit."""
    from jobs.stages.gold_stage import GOLD
    from jobs.stages.silver_stage import SILVER

    bronze = [table for table in contracts.tables() if contract(table).layer == "bronze"]
    for table in (*bronze, *SILVER, *GOLD):
        lake.sweep(table, before)


def engine_of(work: Run, log_bytes: int) -> Embedded | Inline | Spark:
    """The engine for so many bytes of logs: workers where it is more than a little, and Spark, where the
    settings name it, for any."""
    settings = work.settings.engine
    if settings.name == "spark":
        from jobs.engine import spark

        spark.refuse_missing()
        if log_bytes:
            return spark.Spark(settings, work.lake.root)
    elif log_bytes > LITTLE:
        return Embedded(settings.workers, settings.memory_bytes)
    return Inline()


def logs_to_do(work: Run, stages: list[str]) -> int:
    """Bytes of logs that the stages will read: those that the ledger lacks, and where days are computed again
    those that it has, too."""
    new = 0
    if "bronze" in stages:
        new = sum(bronze_stage.pending_pieces(work.lake, work.settings, work.operators).values())
        if not (work.since or work.until or work.requarantine):
            return new
    return new + int(work.lake.read("bronze.file", columns=["piece_bytes"])["piece_bytes"].sum())


def bronze(work: Run) -> None:
    started = record.now()
    ingest_id = f"{started:%Y%m%dT%H%M%S.%f}"
    todo = bronze_stage.Ingest(
        work.lake,
        work.settings,
        work.operators,
        work.engine,
        work.staging if work.is_followed else None,
        work.buckets,
        # The rest is the ledger, and the commit.
        done=lambda count, of: work.reach("bronze", 0.95 * count / of),
    )
    work.say("bronze: looking for what is new")
    wrong = bronze_stage.believed(work.lake, work.settings, work.operators)
    if wrong.batches:
        work.say("bronze: reading again what has stamps from the future")
        # Before anything else: silver takes these batches again, wherever this run ends.
        record.add_stage(work.lake, work.run_id, "bronze", started, (), [], wrong.retaken)
        bronze_stage.mend(todo, wrong)
    work.ingested = bronze_stage.ingest(todo, ingest_id)
    if work.requarantine:
        work.say("bronze: reading what was quarantined again")
        work.ingested = bronze_stage.requarantine(todo)
        work.notes += work.ingested.unreadable
    work.batches = work.ingested.batches
    if not work.batches:
        work.say("bronze: nothing new")
    tables = [table for table in contracts.tables() if contract(table).layer == "bronze"]
    there = {table: work.lake.version(table) for table in tables if work.lake.exists(table)}
    named = work.lake.versions()
    # A run that was killed after its last table may have written all and recorded nothing.
    if work.batches or any(named.get(table) != version for table, version in there.items()):
        record.add_stage(work.lake, work.run_id, "bronze", started, there, [], work.batches)


def compute(work: Run, table: str, have: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The table's rows: its job's transform over the tables that its contract reads."""
    about = contract(table)
    job = importlib.import_module(f"jobs.{about.layer}.{about.name}")
    inputs = {
        name.split(".")[1]: have[name] if name in have else read_reference(work.settings, name)
        for name in about.reads
    }
    return contracts.conform(job.transform(**inputs), table)


def write(work: Run, table: str, frame: pl.DataFrame, changed: Periods) -> None:
    """Replace exactly the operator-periods that changed by the frame's rows of them."""
    work.changed[table] = changed
    if not changed:
        return
    # The record of what periods hold is of the version that it names.
    work.lake.undo(table, work.lake.versions().get(table))
    period = contract(table).period
    assert period is not None
    is_changed = pl.any_horizontal(
        (pl.col("operator_id") == operator) & pl.col(period).cast(pl.String).is_in(sorted(periods))
        for operator, periods in sorted(changed.items())
    )
    files = write_files(frame.filter(is_changed), table, work.lake.root)
    work.lake.replace_periods(table, changed, files, {"run_id": work.run_id})


def keep(work: Run, folder: str = "_validation") -> None:
    """Keep the results of the rules so far in a folder of the lake."""
    from expectations import suites

    if is_local(work.lake.root):
        suites.keep(
            work.results, Path(work.lake.root) / folder, work.run_id, [each.id for each in work.operators]
        )


def refuse(work: Run) -> None:
    """Raise ValidationHeld, with all rules that were broken in the run, if one was."""
    broken = [result for result in work.results if not result.is_held]
    if broken:
        raise ValidationHeld(
            "\n".join(
                checks.message(each.table, each.rule, each.violations, list(each.examples), each.says)
                for each in broken
            )
        )


def subscribers_of(operator: Operator) -> dict[str, int]:
    """Subscribers by channel; `_T` where the settings have one number for all."""
    given = operator.subscribers
    return given if isinstance(given, dict) else {} if given is None else {"_T": given}


def rows_of_operators(settings: Observatory) -> list[dict[str, Any]]:
    """Rows of ref.operator: what the settings say of each operator."""
    location = settings.location
    return [
        {
            "operator_id": each.id,
            "operator_name": each.name,
            "country_code": each.country,
            "holding_id": each.holding,
            "currency_code": each.currency,
            "subscribers": [
                {"channel_code": channel, "subscriber_count": count}
                for channel, count in subscribers_of(each).items()
            ],
            "domains": each.domains,
            "networks": each.networks,
            "number_prefixes": each.number_prefixes,
            "national_sources": [source.id for source in each.source if source.numbers == "national"],
            "links": [
                {
                    "link_id": link.name,
                    "link_code": link.kind,
                    "link_scope_code": link.scope_code,
                    "link_traffic_code": link.traffic_code,
                    "network_codes": link.networks,
                }
                for link in each.link
            ],
            "ranges_url": location.ranges if location else None,
            "ranges_name": location.name if location else None,
            "ranges_date": location.date if location else None,
            "number_ranges_url": location.number_ranges if location else None,
        }
        for each in settings.operator
    ]


def read_reference(settings: Observatory, table: str) -> pl.DataFrame:
    """A reference table: what the settings say of operators, or a dated CSV."""
    if table == "ref.operator":
        return rows_frame(rows_of_operators(settings), table)
    if table == "ref.fixed_cost":
        costs = [row for each in settings.operator for row in fixed_costs.rows_of(each)]
        return rows_frame(costs, table)
    return reference(table)
