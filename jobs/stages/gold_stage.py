"""silver → gold: the operator-days whose messages, or whatever else they are counted from, have changed.

Campaigns come first: which days look at them, and are to be counted again, depends on what changed in them.
Then narrow passes over the messages for what needs rows together (texts alike, numbers' behaviour), one pass
that counts, and the months. All tables are validated before one is committed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import polars as pl

from jobs.core.checksum import checksums
from jobs.core.contracts import contract, reference, reference_digest, tables
from jobs.engine import record
from jobs.engine.lake import DataFile, Lake, NewFile, read_files
from jobs.engine.record import Periods, State
from jobs.engine.tasks import Left, Task, chunks, leave, named, take
from jobs.gold import bulk, bypass_indicator_daily
from jobs.settings.config import Observatory
from jobs.stages import campaigns, removed, validator
from jobs.stages.gold_tasks import BYPASS, CAMPAIGN, CONTACTS, MESSAGE, SIGNATURES, Finished, is_of
from jobs.stages.runner import Run, compute, keep, read_reference

VOLUME = "gold.spam_volume_daily"
# Counted from parts of the messages; then what reads such tables and nothing of silver.
GOLD_DAILY = tuple(table for table in tables() if table.startswith("gold.") and contract(table).merge)
GOLD_MONTHLY = tuple(
    table
    for table in tables()
    if table.startswith("gold.")
    and table not in GOLD_DAILY
    and all(name in GOLD_DAILY or name.startswith("ref.") for name in contract(table).reads)
)
GOLD = GOLD_DAILY + GOLD_MONTHLY
# The memory that a message takes while it is counted, about.
MESSAGE_BYTES = 3000
# The memory that a signature or a contact takes while those of a bucket are merged, about.
NARROW_BYTES = 600
# How many times the bytes of parts in staging merging them takes.
PART_EXPANSION = 10
# Fewer messages than this are one part; parts of more gain no time.
FEW, MANY = 20_000, 100_000


def bucket_count(rows: int, task_bytes: int) -> int:
    """The number of buckets for so many narrow rows: a power of two."""
    return 1 << (max(-(-rows * NARROW_BYTES // task_bytes), 1) - 1).bit_length()


def gold(work: Run) -> None:
    started = record.now()
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
        return
    days = sum(map(len, stale.values()))
    work.say(f"gold: {days:,} operator-day{'' if days == 1 else 's'}")
    # Shares of the stage's time, as measured.
    work.reach("gold", 0.2)
    if not work.engine.is_tight:
        validator.prepare()
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
    if work.engine.is_tight:
        work.engine.rest()
    results, held = validator.validate({table: each.left for table, each in tables.items()})
    work.reach("gold", 0.9)
    work.results += results
    work.held |= set(held)
    keep(work)
    partitions: list[dict[str, Any]] = []
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
        partitions += rows
    undone = [table for table in GOLD if lake.undo(table, versions.get(table))]
    step.commit(tables, changed)
    if partitions or undone:
        record.add_stage(lake, work.run_id, "gold", started, GOLD, partitions)


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
    # When a source is called stale changes no figure.
    given = [each.model_dump(exclude={"source": {"__all__": {"stale_days"}}}) for each in settings.operator]
    return reference_digest() + str(given)


def days_of_texts(settings: Observatory) -> dict[str, int]:
    """By operator, how many days' texts a day looks at, itself among them."""
    presets = bulk.presets(reference("ref.bulk_preset"), read_reference(settings, "ref.operator"))
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


@runtime_checkable
class TableEngine(Protocol):
    """An engine that merges and commits gold's tables itself. For the others tasks do."""

    def finished(self, staging: str, parts: Mapping[str, Sequence[Left]]) -> list[Finished]: ...

    def replace_periods(
        self, lake: Lake, table: str, periods: Periods, left: Sequence[Left], note: Mapping[str, Any]
    ) -> int: ...


class Steps:
    """The steps of one gold stage, over the messages of the version that silver left."""

    def __init__(self, work: Run, versions: Mapping[str, int]) -> None:
        self.work = work
        self.versions = versions
        self.files = work.lake.files(MESSAGE, versions[MESSAGE]) if MESSAGE in versions else []

    def run(self, name: str, calls: Iterable[tuple[Any, ...]], about: str) -> list[Any]:
        """What tasks of jobs/stages/gold_tasks.py return, called with the staging folder and so on."""
        tasks = [
            Task(f"jobs.stages.gold_tasks:{name}", (self.work.staging, *call), about, smaller)
            for call in calls
        ]
        return self.work.engine.run(tasks) if tasks else []

    def over(
        self, name: str, periods: Periods, *more: Any, columns_before: tuple[Any, ...] = ()
    ) -> list[Left]:
        """What tasks over the messages of the operator-days leave."""
        calls = [(*columns_before, part, *more) for part in self.parts(periods)]
        left: list[list[Left]] = self.run(name, calls, f"gold, {name} of messages")
        return [each for of_task in left for each in of_task]

    def of(self, periods: Periods) -> list[DataFile]:
        """The files of the operator-days."""
        return [
            file
            for file in self.files
            if file.value("period_date") in periods.get(str(file.value("operator_id")), ())
        ]

    def parts(self, periods: Periods) -> list[list[DataFile]]:
        """The files of the operator-days, cut into parts that fit a task."""
        wanted = self.of(periods)
        total = sum(file.rows for file in wanted)
        fits = self.work.engine.task_bytes // MESSAGE_BYTES
        limit = min(max(-(-total // self.work.engine.workers), FEW), MANY, fits)
        parts: list[list[DataFile]] = []
        rows = limit + 1
        for file in wanted:
            if rows + file.rows > limit and rows:
                parts.append([])
                rows = 0
            parts[-1].append(file)
            rows += file.rows
        return parts

    def cuts(self, periods: Periods) -> int:
        """The number of buckets in which narrow rows of all messages of the operator-days fit a task each."""
        rows = sum(file.rows for file in self.of(periods))
        return bucket_count(rows, self.work.engine.task_bytes)

    def of_buckets(self, name: str, left: Sequence[Left], about: str) -> list[Left]:
        """What tasks leave that take the frames of one bucket each."""
        parts: dict[int, list[Left]] = {}
        for each in left:
            parts.setdefault(each.bucket, []).append(each)
        found: list[list[Left]] = self.run(name, [(part,) for _, part in sorted(parts.items())], about)
        return [each for of_task in found for each in of_task]

    def folded(self, table: str, parts: list[Left]) -> list[Left]:
        """Parts of a table that one task can merge: more than that are merged group by group before."""
        limit = max(self.work.engine.task_bytes // PART_EXPANSION, 1)
        while len(parts) > 2 and sum(each.bytes for each in parts) > limit:
            groups = chunks(parts, limit)
            if len(groups) == len(parts):
                # Each alone is large: two by two, or they never become fewer.
                groups = [parts[place : place + 2] for place in range(0, len(parts), 2)]
            found: list[list[Left]] = self.run(
                "merge", [(table, group) for group in groups], f"gold, parts of {table}"
            )
            parts = [each for of_task in found for each in of_task]
        return parts

    def finished(self, parts: Mapping[str, list[Left]]) -> list[Finished]:
        """Whole tables, from parts of them that tasks left."""
        engine = self.work.engine
        if isinstance(engine, TableEngine):
            return engine.finished(self.work.staging, parts)
        calls = [(table, self.folded(table, of_table)) for table, of_table in parts.items()]
        made: list[Finished] = self.run("finish", calls, "gold")
        return made

    def campaigns(self, due: Periods) -> Finished:
        """The campaigns of the operator-days that are due."""
        if not due:
            return Finished(CAMPAIGN, [], {})
        signature = named(self.over("signatures", due, self.cuts(due)), SIGNATURES)
        member = self.of_buckets("members", signature, "gold, members of campaigns")
        if not member:
            return Finished(CAMPAIGN, [], {})
        parts = self.over("campaigns", due, member)
        [found] = self.finished({CAMPAIGN: parts})
        return found

    def stored(self, table: str, periods: Periods) -> list[Left]:
        """The rows of a table on record, of operator-periods, in staging."""
        if table not in self.versions or not any(periods.values()):
            return []
        period = contract(table).period
        files = self.work.lake.files(
            table,
            self.versions[table],
            lambda partition: partition[str(period)] in periods.get(str(partition["operator_id"]), ()),
        )
        return leave(read_files(table, files), table, self.work.staging)

    def proof(
        self, stale: Periods, texts: Mapping[str, int], campaign: Sequence[Left], operator: pl.DataFrame
    ) -> list[Left]:
        """What is proved of bulk on the stale days."""
        text: dict[str, list[Left]] = {}
        for each in self.over("texts", campaigns.with_texts(stale, texts)):
            text.setdefault(each.name, []).append(each)
        days = pl.DataFrame(
            [(of, dt.date.fromisoformat(day)) for of, of_operator in stale.items() for day in of_operator],
            schema={"operator_id": pl.String, "period_date": pl.Date},
            orient="row",
        )
        calls = [(parts, list(campaign), operator, days) for _, parts in sorted(text.items())]
        found: list[list[Left]] = self.run("evidence", calls, "gold, bulk")
        return [left for of_task in found for left in of_task]

    def counted(self, stale: Periods, proved: list[Left], operator: pl.DataFrame) -> list[Finished]:
        """The daily tables of the stale days, but for campaigns."""
        tables = [table for table in GOLD_DAILY if table != CAMPAIGN]
        behaviours: list[Left] = []
        if bypass_indicator_daily.has_links(operator):
            contact = named(self.over("contacts", stale, self.cuts(stale)), CONTACTS)
            behaviours = self.of_buckets("behaviour", contact, "gold, behaviour of numbers")
        else:
            tables.remove(BYPASS)
        parts = self.over("count", stale, proved, behaviours, operator, columns_before=(tables,))
        made = self.finished({table: named(parts, table) for table in tables})
        there = {each.table for each in made}
        return made + [Finished(table, [], {}) for table in GOLD_DAILY if table not in there | {CAMPAIGN}]

    def monthly(
        self, table: str, tables: Mapping[str, Finished], stale: Periods, months: Periods
    ) -> Finished:
        """A table of whole months, from the days just counted and those on record."""
        have = {}
        for name in contract(table).reads:
            if name not in GOLD_DAILY:
                continue
            fresh = take(tables[name].left)
            files = (
                self.work.lake.files(
                    name,
                    self.versions.get(name),
                    lambda partition: (
                        str(partition["period_date"])[:7] in months.get(str(partition["operator_id"]), ())
                    ),
                )
                if name in self.versions
                else []
            )
            kept = read_files(name, files).filter(~is_of(stale, name))
            have[name] = kept if fresh is None else pl.concat([kept, fresh])
        rows = compute(self.work, table, have)
        return Finished(table, leave(rows, table, self.work.staging), checksums(rows, table))

    def commit(self, tables: Mapping[str, Finished], changed: Mapping[str, Periods]) -> None:
        """Replace exactly the operator-periods that changed, table by table."""
        work = self.work
        stored = {table: periods for table, periods in changed.items() if periods}
        work.changed |= changed
        if isinstance(work.engine, TableEngine):
            for table, periods in stored.items():
                note = {"run_id": work.run_id}
                work.engine.replace_periods(work.lake, table, periods, tables[table].left, note)
            return
        tasks = [
            Task(
                "jobs.stages.gold_tasks:store",
                (work.lake.root, table, tables[table].left, periods),
                f"gold, files of {table}",
            )
            for table, periods in stored.items()
        ]
        written: list[list[NewFile]] = work.engine.run(tasks)
        for (table, periods), files in zip(stored.items(), written, strict=True):
            work.lake.replace_periods(table, periods, files, {"run_id": work.run_id})


def smaller(task: Task) -> list[Task]:
    """A task over several files of messages as two over half of them each."""
    place = next((at for at, value in enumerate(task.arguments) if is_files(value)), None)
    if place is None or len(task.arguments[place]) < 2:
        return [task]
    files = task.arguments[place]
    middle = len(files) // 2
    return [
        Task(
            task.function,
            (*task.arguments[:place], half, *task.arguments[place + 1 :]),
            task.about,
            smaller,
        )
        for half in (files[:middle], files[middle:])
    ]


def is_files(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, DataFile) for each in value)


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
