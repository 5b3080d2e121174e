"""A run: what was pulled becomes bronze, silver and gold, stage by stage.

bronze takes what was landed (jobs/stages/bronze_stage.py). silver takes the batches that no finished silver
run has taken, reads bronze around their days, and computes every day that they may touch
(jobs/stages/silver_stage.py). gold computes the days whose silver changed (jobs/stages/gold_stage.py). A
stage computes and validates all of its tables before it commits one, replaces exactly the operator-periods
whose rows changed, and last adds its row to meta.run, which names the versions that belong together. An
operator whose rows break a rule is held back; the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jobs.core import contracts
from jobs.core.contracts import contract
from jobs.core.errors import ValidationHeld
from jobs.engine import record, tasks
from jobs.engine.embedded import LITTLE, Embedded, Inline
from jobs.engine.lake import Lake
from jobs.engine.lock import as_only_writer
from jobs.stages import bronze_stage, buckets, checks, identity, silver_settings
from jobs.stages.batches import Ingest, pending_pieces
from jobs.stages.rereading import requarantine
from jobs.stages.run import Run

if TYPE_CHECKING:
    from jobs.engine.spark import Spark

STAGES = ("bronze", "silver", "gold")


@as_only_writer("observatory run")
def run(work: Run, stages: Iterable[str] = STAGES) -> None:
    """Do the stages in order. Raises ValidationHeld, after all else was done, when a rule holds an operator
    back."""
    from jobs.stages import quality, vacuum
    from jobs.stages.gold_stage import gold
    from jobs.stages.silver_stage import silver

    of_stage = {"bronze": bronze, "silver": silver, "gold": lambda work: quality.refresh(work, gold(work))}
    wanted = [stage for stage in STAGES if stage in set(stages)]
    identity.admit(work.lake, work.settings, work.operators, has_silver="silver" in wanted)
    vacuum.finish(work.lake)
    if "silver" in wanted and not (work.since or work.until):
        mine = {each.id for each in work.operators}
        work.again = silver_settings.changed(work.lake, work.settings, mine)
        work.notes += silver_settings.changed_sources(work.lake, work.settings, mine)
    started = time.time()
    work.is_followed = "silver" in wanted
    log_bytes = logs_to_do(work, wanted)
    # What a stage on its own goes through, it finds out itself.
    work.log_bytes = log_bytes if "bronze" in wanted else 0
    with tasks.staging(work.lake.root) as staging, engine_of(work, log_bytes) as engine:
        work.staging, work.engine = staging.folder, engine
        if staging.others_died:
            sweep(work.lake, started)
        work.buckets = buckets.bucket_count(log_bytes, engine.task_bytes, engine.workers)
        for stage in wanted:
            of_stage[stage](work)
            work.reach(stage, 1.0)
            # What Python and its libraries keep of one stage's memory is not there for the next one's.
            engine.rest()
        # A task that died, though it was done again, may have written files before.
        if engine.has_lost:
            sweep(work.lake, time.time())
    refuse(work)


def sweep(lake: Lake, before: float) -> None:
    """Remove the files that runs which died wrote for tables and did not commit."""
    for table in contracts.tables():
        if contract(table).layer in STAGES:
            lake.sweep(table, before)


def engine_of(work: Run, log_bytes: int) -> Embedded | Inline | Spark:
    """The engine for so many bytes of logs: workers where it is more than a little, and Spark, where the
    settings name it, for any."""
    settings = work.settings.engine
    if settings.name == "spark":
        from jobs.engine import spark
        from jobs.engine.spark_session import refuse_missing

        refuse_missing()
        if log_bytes:
            return spark.Spark(settings, work.lake.root)
    elif log_bytes > LITTLE and settings.name != "inline":
        return Embedded(settings.workers, settings.memory_bytes)
    return Inline()


def logs_to_do(work: Run, stages: list[str]) -> int:
    """Bytes of logs that the stages will read: those that the ledger lacks, and where days are computed again
    those that it has, too."""
    new = 0
    if "bronze" in stages:
        new = sum(pending_pieces(work.lake, work.settings, work.operators).values())
        if not (work.since or work.until or work.requarantine or work.again):
            return new
    return new + int(work.lake.read("bronze.file", columns=["piece_bytes"])["piece_bytes"].sum())


def bronze(work: Run) -> None:
    started = record.now()
    ingest_id = f"{started:%Y%m%dT%H%M%S.%f}"
    todo = Ingest(
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
    work.ingested = bronze_stage.ingest(todo, ingest_id)
    if work.requarantine:
        work.say("bronze: reading what was quarantined again")
        work.ingested = requarantine(todo)
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


def refuse(work: Run) -> None:
    """Raise ValidationHeld, with all rules that were broken in the run, if one was."""
    broken = [result for result in work.results if not result.is_held]
    if broken:
        raise ValidationHeld(
            "\n".join(
                checks.message(
                    each.table, each.rule, each.violations, list(each.examples), each.says, each.sources
                )
                for each in broken
            )
        )
