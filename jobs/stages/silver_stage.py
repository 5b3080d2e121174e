"""bronze → silver: the days that new batches may touch, computed in buckets of bounded memory. The
steps are those of jobs/silver/pipeline.py, as tasks (jobs/stages/staged.py).

All tables are checked before one is committed. Exactly the operator-days whose rows changed are replaced; the
files of the others, and of an operator that broke a rule, are removed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import polars as pl

from expectations import native
from jobs.core import checksum
from jobs.core.days import Days
from jobs.engine import record
from jobs.engine.record import Periods
from jobs.engine.table_files import NewFile, remove_files
from jobs.protect.operators import Door
from jobs.silver import pipeline
from jobs.silver.exchange import Terms
from jobs.silver.frames import MESSAGE, SILVER
from jobs.stages import buckets, checks, silver_settings, windows
from jobs.stages.batches import Ingested
from jobs.stages.holding import held_back
from jobs.stages.run import Run, keep
from jobs.stages.settings_tables import read_reference
from jobs.stages.silver_inputs import split_bronze
from jobs.stages.staged import Made, Staging


def silver(work: Run) -> None:
    started = record.now()
    lake = work.lake
    operators = {each.id for each in work.operators}
    holding = held_back(lake, work.settings.limits, operators)
    batches, found = windows.pending(
        lake, operators, work.settings.lake.open_days, work.since, work.until, work.again, holding.parts
    )
    for operator, names in work.again.items():
        what = f"operator '{operator}': {' and '.join(names)} changed since its days were computed"
        work.notes.append(f"{what}: they are computed again.")
    if work.since or work.until or work.again:
        name_kept(work, found)
    if not (batches or found or holding.parts.height):
        work.say("silver: nothing new")
        remember(work)
        return
    work.results += holding.results
    keep(work)
    for operator in sorted(holding.operators):
        work.say(f"silver: {operator} waits, for its ledger broke a rule")
        work.held.add(operator)
    if holding.parts.height:
        work.say("silver: leaving out sources with too many quarantined lines")
        # Staging has the rows of all sources together.
        work.ingested = Ingested()
    found = {operator: window for operator, window in found.items() if operator not in work.held}
    if not found:
        batches = not_held(work, batches)
        if batches:
            work.say("silver: no records in what is new")
            record.add_stage(lake, work.run_id, "silver", started, (), [], batches)
        remember(work)
        return
    work.say(f"silver: {', '.join(sorted(found))}")
    exchange = exchange_of(work, found, holding.parts)
    pipeline.compute(exchange)
    made, computed = exchange.made, windows.computes(found)
    for each in made.broken:
        result = native.Result(
            each.table,
            each.rule,
            checks.rule_text(each.table, each.rule),
            False,
            each.violations,
            [{name: str(value) for name, value in example.items()} for example in each.examples],
            [each.operator_id],
        )
        work.results.append(result)
        work.held.add(each.operator_id)
    if made.broken:
        keep(work)
    commit(work, started, made, computed, not_held(work, batches))
    remember(work)


def exchange_of(work: Run, found: dict[str, windows.Window], waiting: pl.DataFrame) -> Staging:
    """The exchange of the stage, with the bronze rows of the windows. waiting: parts of batches whose rows
    are left out."""
    lake, engine = work.lake, work.engine
    count = buckets.bucket_count(windows.log_bytes(lake, found), engine.task_bytes, engine.workers)
    terms = Terms(
        door=Door.of(read_reference(work.settings, "ref.operator")),
        buckets=count,
        cuts=buckets.cut_count(count),
        read=windows.reads(found),
        computed=windows.computes(found),
        is_narrowed=True,
    )
    exchange = Staging(lake.root, work.staging, engine, terms, lambda share: work.reach("silver", share))
    exchange.put(
        split_bronze(lake, engine, work.staging, windows.reads(found), count, work.ingested, waiting)
    )
    return exchange


def remember(work: Run) -> None:
    """Remember by which settings the open days are computed, unless a part of them was asked for."""
    if not (work.since or work.until):
        mine = [each.id for each in work.operators if each.id not in work.held]
        silver_settings.remember(work.lake, work.settings, mine)


def name_kept(work: Run, found: dict[str, windows.Window]) -> None:
    """Note which of the days that are to be computed stay as they are: what they come from is gone, or they
    are closed."""
    settled, newest = windows.settled(work.lake), windows.newest_days(work.lake)
    open_days = work.settings.lake.open_days
    mine = {each.id for each in work.operators} if work.since or work.until else set(work.again)
    days: dict[str, set[str]] = {}
    closed: dict[str, set[str]] = {}
    for (_, operator, day), (rows, _) in record.state(work.lake, (MESSAGE,)).items():
        date = dt.date.fromisoformat(day)
        is_asked = (work.since or date) <= date <= (work.until or date)
        if operator not in mine & newest.keys() or not is_asked or rows.startswith("0:"):
            continue
        if operator in settled and date < settled[operator]:
            days.setdefault(operator, set()).add(day)
            continue
        window = found.get(operator)
        if date < (window.closed if window else newest[operator] - dt.timedelta(days=open_days)):
            closed.setdefault(operator, set()).add(day)
    for operator, of_operator in sorted(closed.items()):
        first, last = min(of_operator), max(of_operator)
        what = first if first == last else f"{len(of_operator):,} days, {first} to {last},"
        needed = (newest[operator] - dt.date.fromisoformat(first)).days
        work.notes.append(
            f"operator '{operator}': silver of {what} is not computed again, because it is closed ([lake]"
            f" open_days = {open_days}). To compute it set open_days = {needed}, and give --since {first}."
        )
    kept = work.settings.retention
    for operator in sorted(days):
        of_operator = days[operator]
        work.notes.append(
            f"operator '{operator}': {len(of_operator):,} day{'s' if len(of_operator) > 1 else ''} of silver"
            f" ({min(of_operator)} to {max(of_operator)}) are not computed again and stay as they are: bronze"
            f" no longer holds their records ([retention] bronze = {kept.bronze}), or silver the days before"
            f" them (silver = {kept.silver})."
        )


def not_held(work: Run, batches: Sequence[str]) -> list[str]:
    """The parts of operators that do not wait."""
    return [batch for batch in batches if batch.split("/", 1)[0] not in work.held]


def commit(work: Run, started: Any, made: Made, computed: Days, batches: list[str]) -> None:
    """Replace the operator-days whose rows changed, and add the stage's row to meta.run."""
    lake = work.lake
    known, named = record.state(lake, SILVER), lake.versions()
    files: dict[str, list[NewFile]] = {}
    for file in made.files:
        files.setdefault(file.table, []).append(file)
    partitions: list[dict[str, Any]] = []
    for table in SILVER:
        # The record of what periods hold is of the version that it names.
        lake.undo(table, named.get(table))
        prints = {
            key: each
            for key, each in checksum.added(made.fingerprints.get(table, ())).items()
            if key[0] not in work.held
        }
        candidates = {
            key
            for key in known
            if key[0] == table and key[1] not in work.held and windows.within(computed, key[1], key[2])
        }
        changed, rows = record.differing(table, prints, known, candidates, {})
        partitions += rows
        work.changed[table] = changed
        kept, rest = parted(files.get(table, []), changed)
        if changed:
            lake.replace_periods(table, changed, kept, {"run_id": work.run_id})
        remove_files(rest, lake.root)
    record.add_stage(lake, work.run_id, "silver", started, SILVER, partitions, batches)


def parted(files: Sequence[NewFile], changed: Periods) -> tuple[list[NewFile], list[NewFile]]:
    """The files of operator-periods that changed, and the others."""
    kept: list[NewFile] = []
    rest: list[NewFile] = []
    for file in files:
        operator, period = (value for _, value in file.partition)
        (kept if period in changed.get(operator, ()) else rest).append(file)
    return kept, rest
