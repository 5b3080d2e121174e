"""silver → gold: the operator-days whose messages, or whatever else they are counted from, have changed.

Campaigns come first: a change in them decides which days that look at them are counted again.
Then narrow passes over the messages for what needs rows together (texts alike, numbers' behaviour), one pass
that counts, and the months. All tables are validated before one is committed.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl

from expectations import native
from jobs.base.engine.tasks import StagedTable
from jobs.base.settings.config import Observatory
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.store.record import Periods, State
from jobs.base.tables.contracts import reference_digest, reference_table
from jobs.operators.build import bulk_days, removed_days
from jobs.operators.build.gold_steps import GOLD, GOLD_MONTHLY, Steps, check_rules, replace_changed
from jobs.operators.build.gold_tasks import CAMPAIGN, MESSAGE
from jobs.operators.build.run import Outcome, Run, keep_results
from jobs.operators.build.settings_tables import read_reference
from jobs.operators.gold.shared import bulk_presets

VOLUME = "gold.spam_volume_daily"


@dataclass(frozen=True)
class GoldPlan:
    """The operator-days that gold looks at, and the inputs that they are counted from.

    Attributes:
        recorded: the state on record.
        versions: of the tables, as the last finished stages left them.
        compared: what days were counted from; empty where days are computed again whatever they were counted
            from.
        day_checksums: by operator and day the checksum of its messages, reference tables and settings.
        due: the days whose campaigns are found anew.
        texts: by operator, how many days' texts a day looks at.
    """

    recorded: State
    versions: Mapping[str, int]
    compared: State
    day_checksums: dict[bulk_days.Day, str]
    due: Periods
    operator: pl.DataFrame
    texts: dict[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Computed:
    """The tables of the stale operator-days and their months.

    Attributes:
        inputs: what each day was counted from, the days that it looks at with it.
    """

    tables: dict[str, StagedTable]
    inputs: dict[bulk_days.Day, str]
    stale: Periods

    @property
    def months(self) -> Periods:
        return {of: {day[:7] for day in of_operator} for of, of_operator in self.stale.items()}


def run_gold(work: Run, before: Outcome) -> tuple[Outcome, record.StageRecord]:
    """Commit what changed. Returns the outcome, and the stage's future row of meta.run: it is added once
    jobs/operators/runs/quality.py has computed what depends on gold.

    Args:
        before: the outcome of the stages before.
    """
    stage = record.StageRecord("gold", record.utc_now())
    plan = plan_gold(work, before.held_operators)
    found = Outcome(notes=plan.notes)
    computed = compute_gold(work, plan)
    if computed is None:
        work.report_step("gold: nothing new")
        return found, stage
    work.report_step("gold: validating")
    work.report_share("gold", 0.7)
    results = check_rules(work, computed.tables)
    work.report_share("gold", 0.9)
    found += Outcome(tuple(results), frozenset(native.holders(results)))
    keep_results(work, before.results + found.results)
    changed, stage = commit_gold(work, plan, computed, before.held_operators | found.held_operators, stage)
    return found + Outcome(changed=changed), stage


def plan_gold(work: Run, held_operators: Collection[str]) -> GoldPlan:
    """The operator-days that may have to be counted again, of operators that are not held back."""
    known = record.read_state(work.lake, (MESSAGE, *GOLD))
    mine = {each.id for each in work.operators} - set(held_operators)
    wanted = {
        (operator, day): found
        for (operator, day), found in own_inputs(work.settings, known).items()
        if operator in mine and is_wanted(work, day)
    }
    settled_before = removed_days.settled_gold_days(work.lake)
    own = {key: found for key, found in wanted.items() if not is_before(settled_before, *key)}
    # Days that were asked for are computed whatever they were computed from: the code may have changed.
    compared: State = {} if work.is_asked else known
    return GoldPlan(
        recorded=known,
        versions=work.lake.versions(),
        compared=compared,
        day_checksums=own,
        due=record.stale_periods(CAMPAIGN, compared, own),
        operator=read_reference(work.settings, "ref.operator"),
        texts=days_of_texts(work.settings),
        notes=note_settled_days(work, {key: found for key, found in wanted.items() if key not in own}, known),
    )


def compute_gold(work: Run, plan: GoldPlan) -> Computed | None:
    """The tables of the days that must be counted again; None where there are no such days."""
    step = Steps(work, plan.versions)
    campaign = step.compute_campaigns(plan.due)
    recorded = bulk_days.campaign_checksums(plan.recorded, plan.due, campaign.fingerprints)
    inputs = bulk_days.hash_inputs(plan.day_checksums, recorded, messages_of(plan.recorded), plan.texts)
    stale = record.stale_periods(VOLUME, plan.compared, inputs)
    if not stale:
        return None
    days = sum(map(len, stale.values()))
    work.report_step(f"gold: {days:,} operator-day{'' if days == 1 else 's'}")
    # Shares of the stage's time, as measured.
    work.report_share("gold", 0.2)
    history = bulk_days.days_on_record(stale, plan.due)
    campaigns_seen = [*campaign.frames, *step.read_stored(CAMPAIGN, history)]
    proved = step.prove_bulk(stale, plan.texts, campaigns_seen, plan.operator)
    work.report_share("gold", 0.35)
    tables = {each.table: each for each in step.count_daily(stale, proved, plan.operator)}
    computed = Computed(tables | {CAMPAIGN: campaign}, inputs, stale)
    work.report_share("gold", 0.65)
    for table in GOLD_MONTHLY:
        computed.tables[table] = step.compute_monthly(table, computed.tables, stale, computed.months)
    return computed


def commit_gold(
    work: Run, plan: GoldPlan, computed: Computed, held_operators: Collection[str], stage: record.StageRecord
) -> tuple[dict[str, Periods], record.StageRecord]:
    """Replace the operator-periods whose rows changed, but for operators that are held back; by table, the
    operator-periods, and the stage with what it is to record of them. Readers see these rows when
    commit_quality() of jobs/operators/runs/quality.py has added that record to meta.run."""
    changed: dict[str, Periods] = {}
    partitions: list[record.Partition] = []
    for table in GOLD:
        periods = computed.stale
        if table in GOLD_MONTHLY:
            periods = computed.months
        elif table == CAMPAIGN:
            periods = plan.due
        candidates = {
            (table, of, period)
            for of, of_operator in periods.items()
            for period in of_operator
            if of not in held_operators
        }
        found = computed.tables[table].fingerprints
        prints = {key: each for key, each in found.items() if key[0] not in held_operators}
        inputs = plan.day_checksums if table == CAMPAIGN else computed.inputs
        changed[table], rows = record.find_differing(table, prints, plan.recorded, candidates, inputs)
        partitions += rows
    undone = [table for table in GOLD if work.lake.undo_writes(table, plan.versions.get(table))]
    replace_changed(work, computed.tables, changed)
    return changed, stage.add_tables(GOLD, partitions) if partitions or undone else stage


def own_inputs(settings: Observatory, recorded: State) -> dict[bulk_days.Day, str]:
    """Return a checksum of each silver operator-day: its messages, reference tables and settings."""
    digest = describe_definitions(settings)
    return {
        (operator, day): record.digest_text(f"{checksum}/{digest}")
        for (table, operator, day), (checksum, _) in recorded.items()
        if table == MESSAGE
    }


def describe_definitions(settings: Observatory) -> str:
    """The definitions that all days are counted by: reference tables, and the settings of operators."""
    # How sources are read changes silver, or nothing.
    given = [each.model_dump(exclude={"source", "former_sources"}) for each in settings.operator]
    return reference_digest() + str(given)


def days_of_texts(settings: Observatory) -> dict[str, int]:
    """The number of days whose texts a day looks at, itself among them, by operator."""
    presets = bulk_presets.presets_by_operator(
        reference_table("ref.bulk_preset"), read_reference(settings, "ref.operator")
    )
    return bulk_presets.days_of_texts(presets, {each.id for each in settings.operator})


def messages_of(recorded: State) -> dict[bulk_days.Day, str]:
    """The checksum of the messages of each operator-day that has any."""
    return {
        (operator, day): checksum
        for (table, operator, day), (checksum, _) in recorded.items()
        if table == MESSAGE and not checksum.startswith("0:")
    }


def outdated_days(settings: Observatory, known: State, day_checksums: dict[bulk_days.Day, str]) -> Periods:
    """Return the operator-days that were counted from inputs other than those on record now."""
    due = record.stale_periods(CAMPAIGN, known, day_checksums)
    recorded = bulk_days.campaign_checksums(known, {}, {})
    inputs = bulk_days.hash_inputs(day_checksums, recorded, messages_of(known), days_of_texts(settings))
    stale = record.stale_periods(VOLUME, known, inputs)
    return {each: due.get(each, set()) | stale.get(each, set()) for each in due.keys() | stale.keys()}


def first_uncounted_days(lake: Lake, settings: Observatory) -> dict[str, str]:
    """The first day that gold is still to count, of days that it can count, by operator."""
    known = record.read_state(lake, (MESSAGE, *GOLD))
    mine, settled_before = {each.id for each in settings.operator}, removed_days.settled_gold_days(lake)
    own = {
        key: found
        for key, found in own_inputs(settings, known).items()
        if key[0] in mine and not is_before(settled_before, *key)
    }
    return {operator: min(days) for operator, days in outdated_days(settings, known, own).items()}


def is_before(days: Mapping[str, dt.date], operator: str, day: str) -> bool:
    return operator in days and dt.date.fromisoformat(day) < days[operator]


def note_settled_days(work: Run, settled: dict[bulk_days.Day, str], recorded: State) -> tuple[str, ...]:
    """Notes on which days keep their figures although they should be counted again: their messages, or
    messages that they look at, are gone. A change of definitions or settings is noted once; days that were
    asked for, always."""
    is_asked = work.is_asked
    days: Periods = {}
    if is_asked:
        for operator, day in settled:
            days.setdefault(operator, set()).add(day)
    elif settled:
        days = outdated_days(work.settings, recorded, settled)
    by = record.digest_text(describe_definitions(work.settings))
    if not days or (not is_asked and work.lake.read_notes().get("settled_by") == by):
        return ()
    notes = [
        f"operator '{operator}': {len(of_operator):,} day{'s' if len(of_operator) > 1 else ''} of gold"
        f" ({min(of_operator)} to {max(of_operator)}) keep their figures, by the definitions and settings"
        f" of before: the messages that they are counted from are gone ([retention] silver ="
        f" {work.settings.retention.silver}, or a renewal)."
        for operator, of_operator in sorted(days.items())
    ]
    if not is_asked:
        work.lake.add_notes({"settled_by": by})
    return tuple(notes)


def is_wanted(work: Run, day: str) -> bool:
    date = dt.date.fromisoformat(day)
    return (work.since or date) <= date <= (work.until or date)
