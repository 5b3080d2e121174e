"""silver → gold: the operator-days whose messages, or whatever else they are counted from, have changed.

Campaigns come first: which days look at them, and are to be counted again, depends on what changed in them.
Then narrow passes over the messages for what needs rows together (texts alike, numbers' behaviour), one pass
that counts, and the months. All tables are validated before one is committed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from expectations import native
from jobs.core.contracts import reference, reference_digest
from jobs.engine import record
from jobs.engine.lake import Lake
from jobs.engine.record import Periods, State
from jobs.gold import bulk
from jobs.settings.config import Observatory
from jobs.stages import campaigns, removed
from jobs.stages.gold_steps import GOLD, GOLD_MONTHLY, Steps
from jobs.stages.gold_tasks import CAMPAIGN, MESSAGE
from jobs.stages.run import Run, keep
from jobs.stages.settings_tables import read_reference

VOLUME = "gold.spam_volume_daily"


def gold(work: Run) -> record.Stage:
    """Commit what changed; what the stage's row of meta.run is to record, once jobs/stages/quality.py has
    computed what depends on it."""
    stage = record.Stage("gold", record.now())
    lake = work.lake
    known = record.state(lake, (MESSAGE, *GOLD))
    wanted = {key: found for key, found in own_inputs(work.settings, known).items() if is_wanted(work, *key)}
    settled_before = removed.settled_in_gold(lake)
    own = {key: found for key, found in wanted.items() if not is_before(settled_before, *key)}
    # Days that were asked for are computed whatever they were computed from: the code may have changed.
    settled: State = {} if work.since or work.until else known
    due = due_periods(CAMPAIGN, settled, own)
    operator = read_reference(work.settings, "ref.operator")
    texts = days_of_texts(work.settings)
    messages = messages_of(known)
    name_settled(work, {key: found for key, found in wanted.items() if key not in own}, known)
    versions = lake.versions()
    step = Steps(work, versions)
    campaign = step.campaigns(due)
    recorded = campaigns.checksums(known, due, campaign.fingerprints)
    inputs = campaigns.with_history(own, recorded, messages, texts)
    stale = due_periods(VOLUME, settled, inputs)
    if not stale:
        work.say("gold: nothing new")
        return stage
    days = sum(map(len, stale.values()))
    work.say(f"gold: {days:,} operator-day{'' if days == 1 else 's'}")
    # Shares of the stage's time, as measured.
    work.reach("gold", 0.2)
    before = campaigns.history(stale, due)
    proved = step.proof(stale, texts, [*campaign.left, *step.stored(CAMPAIGN, before)], operator)
    work.reach("gold", 0.35)
    tables = {each.table: each for each in step.counted(stale, proved, operator)} | {CAMPAIGN: campaign}
    work.reach("gold", 0.65)
    months = {of: {day[:7] for day in of_operator} for of, of_operator in stale.items()}
    for table in GOLD_MONTHLY:
        tables[table] = step.monthly(table, tables, stale, months)
    work.say("gold: validating")
    work.reach("gold", 0.7)
    results = step.checked(tables)
    work.reach("gold", 0.9)
    work.results += results
    work.held |= native.holders(results)
    keep(work)
    changed: dict[str, Periods] = {}
    for table in GOLD:
        periods = months if table in GOLD_MONTHLY else due if table == CAMPAIGN else stale
        candidates = {
            (table, of, period)
            for of, of_operator in periods.items()
            for period in of_operator
            if of not in work.held
        }
        prints = {key: each for key, each in tables[table].fingerprints.items() if key[0] not in work.held}
        of_table = own if table == CAMPAIGN else inputs
        changed[table], rows = record.differing(table, prints, known, candidates, of_table)
        stage.partitions += rows
    undone = [table for table in GOLD if lake.undo(table, versions.get(table))]
    step.commit(tables, changed)
    if stage.partitions or undone:
        stage.tables |= set(GOLD)
    return stage


def own_inputs(settings: Observatory, known: State) -> dict[campaigns.Day, str]:
    """For each operator-day of silver a checksum of its messages, of reference tables and of settings."""
    digest = definitions(settings)
    return {
        (operator, day): record.digest(f"{checksum}/{digest}")
        for (table, operator, day), (checksum, _) in known.items()
        if table == MESSAGE
    }


def definitions(settings: Observatory) -> str:
    """What all days are counted by: reference tables, and what the settings say of operators."""
    # How sources are read changes silver, or nothing.
    given = [each.model_dump(exclude={"source", "former_sources"}) for each in settings.operator]
    return reference_digest() + str(given)


def days_of_texts(settings: Observatory) -> dict[str, int]:
    """By operator, how many days' texts a day looks at, itself among them."""
    presets = bulk.presets_by_operator(reference("ref.bulk_preset"), read_reference(settings, "ref.operator"))
    return bulk.days_of_texts(presets, {each.id for each in settings.operator})


def messages_of(known: State) -> dict[campaigns.Day, str]:
    """The checksum of the messages of each operator-day that has any."""
    return {
        (operator, day): checksum
        for (table, operator, day), (checksum, _) in known.items()
        if table == MESSAGE and not checksum.startswith("0:")
    }


def stale_days(settings: Observatory, known: State, own: dict[campaigns.Day, str]) -> Periods:
    """Of these operator-days those that were counted from something else than is on record now."""
    due = due_periods(CAMPAIGN, known, own)
    recorded = campaigns.checksums(known, {}, {})
    inputs = campaigns.with_history(own, recorded, messages_of(known), days_of_texts(settings))
    stale = due_periods(VOLUME, known, inputs)
    return {each: due.get(each, set()) | stale.get(each, set()) for each in due.keys() | stale.keys()}


def unfinished(lake: Lake, settings: Observatory) -> dict[str, str]:
    """By operator the first day that gold is still to count, of days that it can count."""
    known = record.state(lake, (MESSAGE, *GOLD))
    mine, settled_before = {each.id for each in settings.operator}, removed.settled_in_gold(lake)
    own = {
        key: found
        for key, found in own_inputs(settings, known).items()
        if key[0] in mine and not is_before(settled_before, *key)
    }
    return {operator: min(days) for operator, days in stale_days(settings, known, own).items()}


def is_before(days: Mapping[str, dt.date], operator: str, day: str) -> bool:
    return operator in days and dt.date.fromisoformat(day) < days[operator]


def name_settled(work: Run, settled: dict[campaigns.Day, str], known: State) -> None:
    """Note which days keep their figures although they should be counted again: their messages, or messages
    that they look at, are gone. A change of definitions or settings is noted once; days that were asked for,
    always."""
    is_asked = bool(work.since or work.until)
    days: Periods = {}
    if is_asked:
        for operator, day in settled:
            days.setdefault(operator, set()).add(day)
    elif settled:
        days = stale_days(work.settings, known, settled)
    by = record.digest(definitions(work.settings))
    if not days or (not is_asked and work.lake.about().get("settled_by") == by):
        return
    for operator, of_operator in sorted(days.items()):
        work.notes.append(
            f"operator '{operator}': {len(of_operator):,} day{'s' if len(of_operator) > 1 else ''} of gold"
            f" ({min(of_operator)} to {max(of_operator)}) keep their figures, by the definitions and settings"
            f" of before: the messages that they are counted from are gone ([retention] silver ="
            f" {work.settings.retention.silver})."
        )
    if not is_asked:
        work.lake.remember({"settled_by": by})


def is_wanted(work: Run, operator: str, day: str) -> bool:
    if operator not in {each.id for each in work.operators} or operator in work.held:
        return False
    date = dt.date.fromisoformat(day)
    return (work.since or date) <= date <= (work.until or date)


def due_periods(table: str, known: State, inputs: Mapping[tuple[str, str], str]) -> Periods:
    """The operator-days whose rows in the table were computed from something else than what there is now."""
    due: Periods = {}
    for (operator, day), checksum in inputs.items():
        if known.get((table, operator, day), ("", ""))[1] != checksum:
            due.setdefault(operator, set()).add(day)
    return due
