"""A run: what was pulled becomes bronze, silver and gold, stage by stage.

bronze takes what was landed (jobs/operators/build/bronze_stage.py). silver takes the batches that no finished
silver run has taken, reads bronze around their days, and computes every day that they may touch
(jobs/operators/build/silver_stage.py). gold computes the days whose silver changed
(jobs/operators/build/gold_stage.py). A stage computes and validates all of its tables before it commits one,
replaces exactly the operator-periods whose rows changed, and last adds its row to meta.run, which names the
versions that belong together. An operator whose rows break a rule is held back; the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from jobs.base.core.errors import ValidationHeld
from jobs.base.engine import silver_buckets, tasks
from jobs.base.engine.embedded import LITTLE, Embedded, Inline
from jobs.base.store import record
from jobs.base.store.compaction import sweep_files
from jobs.base.store.lake import Lake
from jobs.base.store.lock import lock_for_writing
from jobs.base.tables import contracts
from jobs.base.tables.contracts import read_contract
from jobs.operators.build import bronze_stage, checks, silver_settings
from jobs.operators.build.batches import Ingest, Ingested, pending_pieces
from jobs.operators.build.quarantined_batches import read_quarantined
from jobs.operators.build.run import Outcome, Run
from jobs.operators.erase.erasure_plan import erase_again, remove_history
from jobs.operators.keep import identity
from jobs.operators.runs import PRELOAD, lineage

if TYPE_CHECKING:
    from expectations import native
    from jobs.base.engine.spark import Spark

STAGES = ("bronze", "silver", "gold")


@lock_for_writing("observatory run")
def do_stages(run: Run, stages: Iterable[str] = STAGES) -> Outcome:
    """Do the stages in order, and return what came of them, broken rules too."""
    from jobs.operators.build.gold_stage import run_gold
    from jobs.operators.build.silver_stage import run_silver
    from jobs.operators.keep import vacuum
    from jobs.operators.runs import quality

    lake, settings = run.lake, run.settings
    wanted = [stage for stage in STAGES if stage in set(stages)]
    has_silver = "silver" in wanted
    identity.admit_operators(lake, settings, run.operators, has_silver)
    vacuum.finish(lake)
    again, found = find_changed_settings(run) if has_silver and not run.is_asked else ({}, Outcome())
    started = time.time()
    log_bytes = logs_to_do(run, wanted, is_again=bool(again))
    with (
        lineage.trace_run(run) as trace,
        tasks.open_staging(lake.root, settings.engine.name == "spark") as staging,
        engine_of(run, log_bytes) as engine,
    ):
        # What a stage on its own goes through, it finds out itself.
        known_bytes = log_bytes if "bronze" in wanted else 0
        work = replace(run, engine=engine, staging=staging.folder, log_bytes=known_bytes)
        if staging.others_died:
            sweep_tables(lake, started)
        ingested = Ingested()
        if "bronze" in wanted:
            count = silver_buckets.bucket_count(log_bytes, engine.task_bytes, engine.workers)
            with trace.stage("bronze"):
                ingested = run_bronze(work, count if has_silver else None)
            found += Outcome(notes=ingested.unreadable, batches=ingested.batches)
            end_stage(work, "bronze")
        if has_silver:
            with trace.stage("silver"):
                found += run_silver(work, ingested, again)
            end_stage(work, "silver")
        if "gold" in wanted:
            with trace.stage("gold"):
                counted, stage = run_gold(work, found)
                found += counted
                found += quality.commit_quality(work, found, stage)
            end_stage(work, "gold")
        # A task that died, though it was done again, may have written files before.
        if engine.has_lost:
            sweep_tables(lake, time.time())
        trace.has_broken_rule = not all(result.is_held for result in found.results)
    return found + Outcome(notes=(trace.note,) if trace.note else ())


def run_stages(work: Run, stages: Iterable[str] = STAGES) -> Outcome:
    """Do the stages as do_stages() does, for callers that print nothing of what came of them: tests and
    benchmarks. Raises ValidationHeld, after all else was done, when a rule holds an operator back."""
    found = do_stages(work, stages)
    refuse_broken_results(found.results)
    return found


def end_stage(work: Run, stage: str) -> None:
    work.report_share(stage, 1.0)
    # What Python and its libraries keep of one stage's memory is not there for the next one's.
    work.engine.release_workers()


def find_changed_settings(work: Run) -> tuple[dict[str, list[str]], Outcome]:
    """The settings that changed since open days were computed, by operator; and notes on changed sources."""
    mine = {each.id for each in work.operators}
    again = silver_settings.changed_settings(work.lake, work.settings, mine)
    return again, Outcome(notes=tuple(silver_settings.changed_sources(work.lake, work.settings, mine)))


def sweep_tables(lake: Lake, before: float) -> None:
    """Remove the files that runs which died wrote for tables and did not commit."""
    for table in contracts.list_tables():
        if read_contract(table).layer in STAGES:
            sweep_files(lake, table, before)


def engine_of(work: Run, log_bytes: int) -> Embedded | Inline | Spark:
    """The engine for so many bytes of logs: workers where it is more than a little, and Spark, where the
    settings name it, for any."""
    settings = work.settings.engine
    if settings.name == "spark":
        from jobs.base.engine import spark
        from jobs.base.engine.spark_session import refuse_missing_pyspark

        refuse_missing_pyspark()
        if log_bytes:
            return spark.Spark(settings, work.lake.root, PRELOAD)
    elif log_bytes > LITTLE and settings.name != "inline":
        return Embedded(settings.workers, settings.memory_bytes, PRELOAD)
    return Inline()


def logs_to_do(work: Run, stages: list[str], is_again: bool) -> int:
    """Bytes of logs that the stages will read: those that the ledger lacks, and where days are computed again
    those that it has, too."""
    new = 0
    if "bronze" in stages:
        new = sum(pending_pieces(work.lake, work.operators).values())
        if not (work.is_asked or work.requarantine or is_again):
            return new
    return new + int(work.lake.read("bronze.file", columns=["piece_bytes"])["piece_bytes"].sum())


def run_bronze(work: Run, count: int | None) -> Ingested:
    """Read landed pieces into bronze rows.

    Args:
        count: the buckets in which they are left for silver, too; None where silver does not follow.
    """
    started = record.utc_now()
    ingest_id = f"{started:%Y%m%dT%H%M%S.%f}"
    todo = Ingest(
        work.lake,
        work.settings,
        work.operators,
        work.engine,
        work.staging if count else None,
        count or 1,
        # The rest is the ledger, and the commit.
        done=lambda done, of: work.report_share("bronze", 0.95 * done / of),
    )
    work.report_step("bronze: looking for what is new")
    ingested = bronze_stage.ingest_pending(todo, ingest_id)
    if work.requarantine:
        work.report_step("bronze: reading what was quarantined again")
        ingested += read_quarantined(todo)
    if not ingested.batches:
        work.report_step("bronze: nothing new")
    if (again := erase_again(todo)).batches:
        # Frames in staging still have the rows that were erased.
        batches = tuple(dict.fromkeys(ingested.batches + again.batches))
        ingested = Ingested(batches, unreadable=ingested.unreadable)
    tables = [table for table in contracts.list_tables() if read_contract(table).layer == "bronze"]
    there = {table: work.lake.version(table) for table in tables if work.lake.exists(table)}
    named = work.lake.versions()
    # A run that was killed after its last table may have written all and recorded nothing.
    if ingested.batches or any(named.get(table) != version for table, version in there.items()):
        there = {table: work.lake.version(table) for table in there}
        record.add_stage(work.lake, work.run_id, "bronze", started, there, [], ingested.batches)
    if again.batches:
        remove_history(work.lake, tables)
    return ingested


def refuse_broken_results(results: Iterable[native.Result]) -> None:
    """Raise ValidationHeld, with all rules that were broken, if one was."""
    broken = [result for result in results if not result.is_held]
    if broken:
        raise ValidationHeld(
            "\n".join(
                checks.format_broken(
                    each.table, each.rule, each.violations, list(each.examples), each.says, each.sources
                )
                for each in broken
            )
        )
