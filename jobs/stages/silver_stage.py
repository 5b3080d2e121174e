"""bronze → silver: the days that new batches may touch, computed in buckets of bounded memory.

    split     bronze files by bucket, where parsing has not left their rows in staging already
    settle    held rows get their keys
    compare   narrow rows of all files: which of them may hold copies
    assemble  each bucket: copies left out; transmissions, verdicts, complaints, reports, facts
    link      narrow rows of all buckets, in cuts: later hops, their first hops, and where verdicts without a
              queue id belong
    forward   rows that another bucket needs move there, by way of its cut
    messages  each bucket: silver.message, but for temporary refusals
    refused   narrow rows of all buckets, in cuts: refusals that were followed up; the others are messages too

All tables are checked before one is committed. Exactly the operator-days whose rows changed are replaced; the
files of the others, and of an operator that broke a rule, are removed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from expectations import suites
from jobs.core import checksum
from jobs.engine import record
from jobs.engine.record import Periods
from jobs.engine.table_files import NewFile, remove_files
from jobs.stages import checks, silver_settings, windows
from jobs.stages.batches import Ingested
from jobs.stages.holding import held_back
from jobs.stages.run import Run, keep
from jobs.stages.silver_steps import SILVER, Steps
from jobs.stages.silver_tasks import (
    MESSAGE,
    Made,
)


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
    steps = Steps(work, found, holding.parts)
    made = steps.run()
    for each in made.broken:
        result = suites.Result(
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
    commit(work, started, made, steps.computed, not_held(work, batches))
    remember(work)


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


def commit(work: Run, started: Any, made: Made, computed: windows.Days, batches: list[str]) -> None:
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
