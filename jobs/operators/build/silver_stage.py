"""bronze → silver: the days that new batches may touch, computed in buckets of bounded memory. The
steps are those of jobs/operators/silver/pipeline.py, as tasks (jobs/operators/build/staged_exchange.py).

All tables are checked before one is committed. Exactly the operator-days whose rows changed are replaced; the
files of the others, and of an operator that broke a rule, are removed.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from expectations import native
from jobs.base.engine import silver_buckets
from jobs.base.store import record
from jobs.base.store.record import Periods
from jobs.base.store.table_files import NewFile, remove_files
from jobs.base.tables import checksum
from jobs.operators.build import checks, silver_settings, windows
from jobs.operators.build.batches import Ingested
from jobs.operators.build.run import Outcome, Run, keep_results
from jobs.operators.build.settings_tables import read_reference
from jobs.operators.build.silver_inputs import stage_bronze
from jobs.operators.build.staged_exchange import StagedExchange, StepOutput
from jobs.operators.build.waiting import WaitingParts, find_waiting
from jobs.operators.protect.operators import Protection
from jobs.operators.protect.pseudonym_keys import replace_key
from jobs.operators.silver import pipeline
from jobs.operators.silver.exchange import StepParameters
from jobs.operators.silver.frames import MESSAGE, SILVER


@dataclass(frozen=True)
class SilverPlan:
    """The plan of a silver stage.

    Attributes:
        batches: the parts that it takes, as operator/batch/source.
        window_of: each operator's window.
        waiting: the operators and parts that wait.
        notes: sentences to print.
    """

    batches: list[str]
    window_of: dict[str, windows.Window]
    waiting: WaitingParts
    notes: tuple[str, ...]

    @property
    def computed(self) -> dict[str, windows.Window]:
        """The windows of the operators that do not wait."""
        return {of: each for of, each in self.window_of.items() if of not in self.waiting.operators}


def run_silver(work: Run, ingested: Ingested, again: Mapping[str, list[str]]) -> Outcome:
    """Compute the days that new batches may touch, and commit what changed.

    Args:
        ingested: what lies in staging already.
        again: by operator, the settings that changed since its open days were computed.
    """
    started = record.utc_now()
    plan = plan_silver(work, again)
    waiting = plan.waiting
    if not (plan.batches or plan.window_of or waiting.parts.height):
        work.report_step("silver: nothing new")
        remember_computed(work, frozenset())
        return Outcome(notes=plan.notes)
    held = Outcome(waiting.results, waiting.operators, plan.notes)
    keep_results(work, held.results)
    for operator in sorted(waiting.operators):
        work.report_step(f"silver: {operator} waits, for its ledger broke a rule")
    if waiting.parts.height:
        work.report_step("silver: leaving out sources with too many quarantined lines")
        # Staging has the rows of all sources together.
        ingested = Ingested()
    if not plan.computed:
        if batches := drop_held(plan.batches, held.held_operators):
            work.report_step("silver: no records in what is new")
            record.add_stage(work.lake, work.run_id, "silver", started, (), [], batches)
        remember_computed(work, held.held_operators)
        return held
    work.report_step(f"silver: {', '.join(sorted(plan.computed))}")
    made = compute_windows(work, plan, ingested)
    found = held + broken_rules(made)
    if made.broken:
        keep_results(work, found.results)
    changed = commit_silver(work, started, made, plan, found.held_operators)
    remember_computed(work, found.held_operators)
    return found + Outcome(changed=changed)


def plan_silver(work: Run, again: Mapping[str, list[str]]) -> SilverPlan:
    """Plan silver: the batches that are new, the days that they may touch, and those that wait."""
    operators = {each.id for each in work.operators}
    waiting = find_waiting(work.lake, work.settings.limits, operators)
    batches, found = windows.plan_windows(
        *(work.lake, operators, work.settings.lake.open_days, work.since, work.until),
        again,
        waiting.parts,
    )
    notes = [
        f"operator '{operator}': {' and '.join(names)} changed since its days were computed: they are"
        " computed again."
        for operator, names in again.items()
    ]
    if work.is_asked or again:
        notes += note_kept_days(work, found, operators if work.is_asked else set(again))
    return SilverPlan(batches, found, waiting, tuple(notes))


def compute_windows(work: Run, plan: SilverPlan, ingested: Ingested) -> StepOutput:
    """The rows of all tables of silver, of the days of the windows; the days of each key by themselves."""
    parts = windows.split_by_key(plan.computed, work.settings.key_periods)
    # Frames in staging are of all days, and may be taken once.
    ingested = ingested if len(parts) == 1 else Ingested()
    made = StepOutput()
    for number, days in enumerate(parts):

        def report_share(share: float, done: int = number) -> None:
            work.report_share("silver", (done + share) / len(parts))

        made.add_part(compute_days(work, days, ingested, plan.waiting.parts, report_share))
    return made


def compute_days(
    work: Run,
    days: windows.KeyedDays,
    ingested: Ingested,
    waiting: pl.DataFrame,
    report_share: Callable[[float], None],
) -> StepOutput:
    """The rows of all tables of silver, of days that have one key.

    Args:
        waiting: parts that are left out.
    """
    lake, engine = work.lake, work.engine
    log_bytes = windows.log_bytes(lake, days.read)
    count = silver_buckets.bucket_count(log_bytes, engine.task_bytes, engine.workers)
    operator = read_reference(work.settings, "ref.operator")
    parameters = StepParameters(
        protection=replace_key(Protection.read_operators(operator), days.period.key_file),
        buckets=count,
        cuts=silver_buckets.cut_count(count),
        read=days.read,
        computed=days.computed,
        is_narrowed=True,
    )
    exchange = StagedExchange(lake.root, work.staging, engine, parameters, report_share)
    exchange.add_frames(stage_bronze(lake, engine, work.staging, days.read, count, ingested, waiting))
    pipeline.compute_silver(exchange)
    return exchange.made


def broken_rules(made: StepOutput) -> Outcome:
    """The rules that rows break, and the operators that they hold back."""
    results = tuple(
        native.Result(
            each.table,
            each.rule,
            checks.rule_text(each.table, each.rule),
            False,
            each.violations,
            [{name: str(value) for name, value in example.items()} for example in each.examples],
            [each.operator_id],
        )
        for each in made.broken
    )
    return Outcome(results, frozenset(each.operator_id for each in made.broken))


def remember_computed(work: Run, held_operators: Collection[str]) -> None:
    """Remember by which settings the open days are computed, unless a part of them was asked for."""
    if not work.is_asked:
        mine = [each.id for each in work.operators if each.id not in held_operators]
        silver_settings.remember_settings(work.lake, work.settings, mine)


def note_kept_days(work: Run, found: Mapping[str, windows.Window], mine: Collection[str]) -> list[str]:
    """Notes on which of the operators' days that are to be computed stay as they are: what they come from is
    gone, or they are closed."""
    notes = []
    settled, newest = windows.settled_days(work.lake), windows.newest_days(work.lake)
    open_days = work.settings.lake.open_days
    days: dict[str, set[str]] = {}
    closed: dict[str, set[str]] = {}
    for (_, operator, day), (rows, _) in record.read_state(work.lake, (MESSAGE,)).items():
        date = dt.date.fromisoformat(day)
        is_asked = (work.since or date) <= date <= (work.until or date)
        if operator not in mine or operator not in newest or not is_asked or rows.startswith("0:"):
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
        notes.append(
            f"operator '{operator}': silver of {what} is not computed again, because it is closed ([lake]"
            f" open_days = {open_days}). To compute it set open_days = {needed}, and give --since {first}."
        )
    kept = work.settings.retention
    for operator in sorted(days):
        of_operator = days[operator]
        notes.append(
            f"operator '{operator}': {len(of_operator):,} day{'s' if len(of_operator) > 1 else ''} of silver"
            f" ({min(of_operator)} to {max(of_operator)}) are not computed again and stay as they are: bronze"
            f" no longer holds their records ([retention] bronze = {kept.bronze}), or silver the days before"
            f" them (silver = {kept.silver})."
        )
    return notes


def drop_held(batches: Sequence[str], held_operators: Collection[str]) -> list[str]:
    """The parts of operators that do not wait."""
    return [batch for batch in batches if batch.split("/", 1)[0] not in held_operators]


def commit_silver(
    work: Run, started: dt.datetime, made: StepOutput, plan: SilverPlan, held_operators: Collection[str]
) -> dict[str, Periods]:
    """Replace the operator-days whose rows changed, and add the stage's row to meta.run; by table, the
    operator-days."""
    computed = {operator: window.computed for operator, window in plan.computed.items()}
    replaced: dict[str, Periods] = {}
    lake = work.lake
    known, named = record.read_state(lake, SILVER), lake.versions()
    files: dict[str, list[NewFile]] = {}
    for file in made.files:
        files.setdefault(file.table, []).append(file)
    partitions: list[record.Partition] = []
    for table in SILVER:
        # Checksums on record are of the version that meta.run names.
        lake.undo_writes(table, named.get(table))
        prints = {
            key: each
            for key, each in checksum.add_fingerprints(made.fingerprints.get(table, ())).items()
            if key[0] not in held_operators
        }
        candidates = {
            key
            for key in known
            if key[0] == table
            and key[1] not in held_operators
            and windows.is_within(computed, key[1], key[2])
        }
        changed, rows = record.find_differing(table, prints, known, candidates, {})
        partitions += rows
        replaced[table] = changed
        kept, rest = split_files_by_change(files.get(table, []), changed)
        if changed:
            lake.replace_periods(table, changed, kept, {"run_id": work.run_id})
        remove_files(rest, lake.root)
    batches = drop_held(plan.batches, held_operators)
    record.add_stage(lake, work.run_id, "silver", started, SILVER, partitions, batches)
    return replaced


def split_files_by_change(files: Sequence[NewFile], changed: Periods) -> tuple[list[NewFile], list[NewFile]]:
    """The files of operator-periods that changed, and the others."""
    kept: list[NewFile] = []
    rest: list[NewFile] = []
    for file in files:
        operator, period = (value for _, value in file.partition)
        (kept if period in changed.get(operator, ()) else rest).append(file)
    return kept, rest
