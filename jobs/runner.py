"""The only way in: read → transform → conform → validate → overwrite, stage by stage.

bronze takes what was landed. silver takes the batches that no finished silver run has taken, reads
bronze around their days, and computes every day that they may touch. gold computes the days whose
silver changed. A stage computes all of its tables and validates all before it writes one; it replaces
exactly the operator-periods whose rows changed, each table in one transaction, and last adds its row to
meta.run, which names the versions that belong together. A stage that is killed leaves no such row, and
the next run does it again with the same result.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from expectations import domain, suites
from jobs import campaigns, checks, contracts, fixed_costs, ingest, session, windows
from jobs.config import Observatory, Operator
from jobs.contracts import conform, contract, reference_digest, struct_type
from jobs.errors import ValidationHeld
from jobs.gold import bulk
from jobs.lake import WRITERS, Lake, periods_predicate

STAGES = ("bronze", "silver", "gold")
SILVER = (
    "silver.transmission",
    "silver.verdict",
    "silver.complaint",
    "silver.authentication_report",
    "silver.operator_knowledge",
    "silver.message",
)
GOLD_DAILY = (
    "gold.spam_volume_daily",
    "gold.spam_type_daily",
    "gold.type_coverage_daily",
    "gold.spam_source_daily",
    "gold.spam_sender_domain_daily",
    "gold.spam_route_daily",
    "gold.bypass_indicator_daily",
    "gold.countermeasure_effort_daily",
    campaigns.TABLE,
)
GOLD_MONTHLY = ("gold.countermeasure_cost_monthly", "gold.spam_source_monthly")
GOLD = GOLD_DAILY + GOLD_MONTHLY
# What a row of silver.message takes in memory, about.
MESSAGE_BYTES = 400
Periods = dict[str, set[str]]
State = dict[tuple[str, str, str], tuple[str, str]]


@dataclass
class Run:
    """One run: what it works on, and what it did."""

    lake: Lake
    settings: Observatory
    operators: list[Operator]
    run_id: str
    since: dt.date | None = None
    until: dt.date | None = None
    requarantine: bool = False
    say: Callable[[str], None] = print
    batches: list[str] = field(default_factory=list)
    changed: dict[str, Periods] = field(default_factory=dict)
    results: list[suites.Result] = field(default_factory=list)


def run(work: Run, stages: Iterable[str] = STAGES) -> None:
    """Do the stages in order. Raises ValidationHeld when a rule holds a stage, or an operator, back."""
    from jobs.audit import quality

    for stage in stages:
        {"bronze": bronze, "silver": silver, "gold": gold}[stage](work)
        if stage == "gold":
            quality.refresh(work)
    # An operator whose ledger is wrong waits; the others were done first.
    refuse(work, work.results)


def bronze(work: Run) -> None:
    started = now()
    work.say("bronze: parsing what was landed")
    ingest_id = f"{started:%Y%m%dT%H%M%S.%f}"
    work.batches = ingest.ingest(work.lake, work.settings, work.operators, ingest_id)
    if work.requarantine:
        work.say("bronze: reading what was quarantined again")
        work.batches += ingest.requarantine(work.lake, work.settings, work.operators)
    if work.batches:
        tables = [table for table in contracts.tables() if contracts.contract(table).layer == "bronze"]
        finish(work, "bronze", started, [table for table in tables if work.lake.exists(table)], [])


def silver(work: Run) -> None:
    started = now()
    lake = work.lake
    operators = {each.id for each in work.operators}
    batches, found = windows.pending(lake, operators, work.settings.lake.open_days, work.since, work.until)
    if not batches and not found:
        work.say("silver: nothing new")
        return
    for operator in held_by_ledger(work):
        work.say(f"silver: {operator} waits, for its ledger broke a rule")
        found.pop(operator, None)
        batches = [batch for batch in batches if batch.split("/", 1)[0] != operator]
    if not found and not batches:
        return
    if not found:
        work.say("silver: no records in what is new")
        finish(work, "silver", started, (), [], batches)
        return
    work.say(f"silver: {', '.join(sorted(found))}")
    computed = {operator: window.computed for operator, window in found.items()}
    inputs = windows.predicate({operator: window.read for operator, window in found.items()}, "event_date")
    bounds = windows.predicate(computed, "period_date")
    is_small = session.tune(lake.spark, windows.log_bytes(lake, found), work.settings.spark)
    written = {name for name in contracts.tables() if name.startswith("bronze.") and lake.exists(name)}
    frames: dict[str, DataFrame] = {}
    for table in SILVER:
        read = {
            name: lake.read(name).filter(inputs) if name in written else lake.local([], name)
            for name in contract(table).reads
            if name.startswith("bronze.")
        }
        frames[table] = session.held(compute(work, table, read | frames), is_small)

    def prints_of(table: str) -> checks.Fingerprints:
        return checks.fingerprints(frames[table].filter(bounds), table, checks.row_rules(contract(table)))

    # silver.message comes last: it finds in memory what it reads of the others.
    fingerprints = at_once(prints_of, SILVER[:-1]) | at_once(prints_of, SILVER[-1:])
    known = state(lake, SILVER)
    partitions = []
    writes = []
    for table in SILVER:
        candidates = {key for key in known if key[0] == table and windows.within(computed, key[1], key[2])}
        changed, rows = differing(table, fingerprints[table], known, candidates, {})
        partitions += rows
        writes.append((table, changed))
    replace_all(work, frames, writes)
    finish(work, "silver", started, SILVER, partitions, batches)
    for frame in frames.values():
        frame.unpersist()


def gold(work: Run) -> None:
    started = now()
    lake = work.lake
    known = state(lake, ("silver.message", *GOLD))
    digest = reference_digest() + str([operator.model_dump() for operator in work.settings.operator])
    own = {
        (operator, day): fingerprint(f"{checksum}/{digest}")
        for (table, operator, day), (checksum, _) in known.items()
        if table == "silver.message" and wanted(work, operator, day)
    }
    versions = lake.versions()
    # Days that were asked for are computed whatever they were computed from: the code may have changed.
    settled: State = {} if work.since or work.until else known
    # Campaigns first: which days look at them, and must be counted again, depends on what changed in them.
    due = due_periods(campaigns.TABLE, settled, own)
    campaign = campaigns_of(work, due, known, versions)
    found = checks.fingerprints(campaign, campaigns.TABLE) if due else {}
    presets = bulk.presets(*(read_reference(work, table) for table in ("ref.bulk_preset", "ref.operator")))
    texts = bulk.days_of_texts(presets, {operator.id for operator in work.operators})
    messages = {
        (operator, day): checksum
        for (table, operator, day), (checksum, _) in known.items()
        if table == "silver.message" and not checksum.startswith("0:")
    }
    inputs = campaigns.with_history(own, campaigns.checksums(known, due, found), messages, texts)
    stale = due_periods(GOLD_DAILY[0], settled, inputs)
    if not stale:
        work.say("gold: nothing new")
        return
    work.say(f"gold: {sum(map(len, stale.values()))} operator-day(s)")
    read = campaigns.with_texts(stale, texts)
    is_small = tune_for(work, read, known)
    days = periods_predicate("period_date", None, stale)
    counted = lake.read("silver.message", versions["silver.message"]).filter(days)
    seen = periods_predicate("period_date", None, read)
    looked_at = lake.read("silver.message", versions["silver.message"]).filter(seen)
    listed = with_history(work, campaign, campaigns.history(stale, due), versions.get(campaigns.TABLE))
    parameter = read_reference(work, "ref.campaign_parameter")
    marked = bulk.filled(counted, looked_at, listed, parameter, presets, days)
    message = session.held(marked, is_small)
    frames = {campaigns.TABLE: campaign} | {
        table: session.held(compute(work, table, {"silver.message": message}), is_small)
        for table in GOLD_DAILY
        if table != campaigns.TABLE
    }
    months = {operator: {day[:7] for day in of_operator} for operator, of_operator in stale.items()}
    for table in GOLD_MONTHLY:
        of_month = {
            name: overlaid(lake, name, frames[name], days, months, versions.get(name))
            for name in contract(table).reads
            if name in GOLD_DAILY
        }
        frames[table] = session.held(compute(work, table, of_month), is_small)
    gate(work, frames)
    partitions = []
    writes = []
    counted_tables = [table for table in GOLD if table != campaigns.TABLE]
    fingerprints = {campaigns.TABLE: found} | at_once(
        lambda table: checks.fingerprints(frames[table], table), counted_tables
    )
    for table in GOLD:
        periods = months if table in GOLD_MONTHLY else due if table == campaigns.TABLE else stale
        candidates = {
            (table, operator, period) for operator, of_operator in periods.items() for period in of_operator
        }
        of_table = own if table == campaigns.TABLE else inputs
        changed, rows = differing(table, fingerprints[table], known, candidates, of_table)
        partitions += rows
        writes.append((table, changed))
    replace_all(work, frames, writes)
    finish(work, "gold", started, GOLD, partitions)
    for frame in [message, *frames.values()]:
        frame.unpersist()


def due_periods(table: str, known: State, inputs: dict[tuple[str, str], str]) -> Periods:
    """The operator-days whose rows in the table were computed from something else than what there is now."""
    due: Periods = {}
    for (operator, day), checksum in inputs.items():
        if known.get((table, operator, day), ("", ""))[1] != checksum:
            due.setdefault(operator, set()).add(day)
    return due


def tune_for(work: Run, periods: Periods, known: State) -> bool:
    """Set Spark by how many messages the operator-days have, and say whether they are few."""
    rows = sum(
        int(checksum.split(":")[0])
        for (table, operator, day), (checksum, _) in known.items()
        if table == "silver.message" and day in periods.get(operator, ())
    )
    return session.tune(work.lake.spark, rows * MESSAGE_BYTES, work.settings.spark)


def campaigns_of(work: Run, due: Periods, known: State, versions: dict[str, int]) -> DataFrame:
    """The campaigns of the operator-days."""
    if not due:
        return work.lake.local([], campaigns.TABLE)
    is_small = tune_for(work, due, known)
    days = periods_predicate("period_date", None, due)
    message = work.lake.read("silver.message", versions["silver.message"]).filter(days)
    return session.held(compute(work, campaigns.TABLE, {"silver.message": message}), is_small)


def with_history(work: Run, campaign: DataFrame, before: Periods, version: int | None) -> DataFrame:
    """The campaigns just found, and those on record of the operator-days before."""
    if version is None or not before:
        return campaign
    seen = periods_predicate("period_date", None, before)
    return work.lake.read(campaigns.TABLE, version).filter(seen).unionByName(campaign)


def wanted(work: Run, operator: str, day: str) -> bool:
    if operator not in {each.id for each in work.operators}:
        return False
    date = dt.date.fromisoformat(day)
    return (work.since or date) <= date <= (work.until or date)


def compute(work: Run, table: str, have: dict[str, DataFrame]) -> DataFrame:
    """The table's frame: its job's transform over the tables that its contract reads."""
    about = contract(table)
    job = importlib.import_module(f"jobs.{about.layer}.{about.name}")
    inputs = {}
    for name in about.reads:
        parameter = name.split(".")[1]
        inputs[parameter] = have[name] if name in have else read_reference(work, name)
    return conform(job.transform(**inputs), table)


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


def read_reference(work: Run, table: str) -> DataFrame:
    """A reference table: what the settings say of operators, or a dated CSV."""
    if table == "ref.operator":
        return work.lake.local(rows_of_operators(work.settings), table)
    if table == "ref.fixed_cost":
        costs = [row for each in work.settings.operator for row in fixed_costs.rows_of(each)]
        return work.lake.local(costs, table)
    return work.lake.read(table)


def overlaid(
    lake: Lake, table: str, fresh: DataFrame, days: str, months: Periods, version: int | None
) -> DataFrame:
    """The table's rows of whole months, with the fresh days in place of the stored ones."""
    if version is None:
        return fresh
    of_month = " OR ".join(
        f"(operator_id = '{operator}' AND date_format(period_date, 'yyyy-MM') = '{month}')"
        for operator, of_operator in sorted(months.items())
        for month in sorted(of_operator)
    )
    return lake.read(table, version).filter(f"({of_month}) AND NOT ({days})").unionByName(fresh)


def gate(work: Run, frames: dict[str, DataFrame]) -> None:
    """Validate every table of the step, and the tables against each other; hold all if one rule fails."""
    work.say("gold: validating")
    asked = [
        suites.Asked(table, frame, suites.contract_rules(table), contract(table).key)
        for table, frame in frames.items()
    ]
    asked += [rule.asked(frames) for rule in domain.GOLD]
    found = suites.validate(asked)
    work.results += found
    keep(work)
    refuse(work, found)


def held_by_ledger(work: Run) -> list[str]:
    """The operators whose ledger does not add up, or whose quarantine is over its limit: silver does not
    trust their bronze."""
    rule = domain.ledger_rules(work.settings.limits.quarantined_pct)
    mine = F.col("operator_id").isin([operator.id for operator in work.operators])
    beside = rule.frame(work.lake.kept("bronze.file").filter(mine)).persist()
    found = suites.validate([suites.Asked(rule.table, beside, rule.rules, rule.key)])
    work.results += found
    keep(work)
    held: list[str] = []
    if not all(result.is_held for result in found):
        broken = beside.filter(reduce(Column.__or__, map(suites.breaks, rule.rules)))
        held = sorted(row.operator_id for row in broken.select("operator_id").distinct().collect())
    beside.unpersist()
    return held


def keep(work: Run, folder: str = "_validation") -> None:
    """Keep the results so far in that folder of the lake."""
    if "://" not in work.lake.root:
        suites.keep(work.results, Path(work.lake.root) / folder, work.run_id)


def refuse(work: Run, found: list[suites.Result]) -> None:
    """Raise, with all that was broken in the run, if one of the rules found was."""
    if not all(result.is_held for result in found):
        broken = [result for result in work.results if not result.is_held]
        raise ValidationHeld(
            "\n".join(
                checks.message(each.table, each.rule, each.violations, list(each.examples), each.says)
                for each in broken
            )
        )


def state(lake: Lake, tables: Iterable[str]) -> State:
    """For each table, operator and period: checksum, and checksum of what it was computed from."""
    if not lake.exists("meta.run"):
        return {}
    latest = (
        lake.kept("meta.run")
        .select("finished_at", F.explode("partitions").alias("p"))
        .filter(F.col("p.table_name").isin(list(tables)))
        .groupBy("p.table_name", "p.operator_id", "p.period")
        .agg(F.max_by(F.struct("p.row_count", "p.checksum", "p.input_checksum"), "finished_at").alias("last"))
        .collect()
    )
    return {
        (row.table_name, row.operator_id, row.period): (
            f"{row.last.row_count}:{row.last.checksum}",
            row.last.input_checksum,
        )
        for row in latest
    }


def differing(
    table: str,
    fingerprints: checks.Fingerprints,
    known: State,
    candidates: set[tuple[str, str, str]],
    inputs: dict[tuple[str, str], str],
) -> tuple[Periods, list[dict[str, Any]]]:
    """The operator-periods whose rows are not those on record, and what to record of all."""
    changed: Periods = {}
    rows = []
    gone = {(operator, period): checks.Fingerprint(0, "") for _, operator, period in candidates}
    for (operator, period), found in sorted((gone | fingerprints).items()):
        before, input_before = known.get((table, operator, period), ("0:", ""))
        input_now = inputs.get((operator, period), "")
        is_new = before != f"{found.rows}:{found.checksum}"
        if is_new:
            changed.setdefault(operator, set()).add(period)
        if is_new or input_before != input_now:
            rows.append(
                {
                    "table_name": table,
                    "operator_id": operator,
                    "period": period,
                    "row_count": found.rows,
                    "checksum": found.checksum,
                    "input_checksum": input_now,
                }
            )
    return changed, rows


def at_once(function: Callable[[str], Any], tables: Iterable[str]) -> dict[str, Any]:
    """The function's value for each table, several tables at a time: small jobs wait more than they work."""
    names = list(tables)
    with ThreadPoolExecutor(WRITERS) as pool:
        return dict(zip(names, pool.map(function, names), strict=True))


def replace_all(work: Run, frames: dict[str, DataFrame], writes: list[tuple[str, Periods]]) -> None:
    """Replace in each table what changed in it, several tables at a time."""
    periods = dict(writes)
    at_once(lambda table: replace(work, table, frames[table], periods[table]), periods)


def replace(work: Run, table: str, frame: DataFrame, changed: Periods) -> None:
    """Replace exactly the operator-periods that changed, in one transaction."""
    about = contract(table)
    work.changed[table] = changed
    if not changed:
        return
    assert about.period is not None
    kind = struct_type(table)[about.period].dataType
    where = periods_predicate(about.period, kind, changed)
    # One file an operator-period, or a few where it is large and adaptive execution splits it.
    rows = frame.filter(where).hint("rebalance", *about.partition_by)
    work.lake.replace(rows, table, where, {"run_id": work.run_id})


def finish(
    work: Run,
    stage: str,
    started: dt.datetime,
    tables: Iterable[str],
    partitions: list[dict[str, Any]],
    batches: list[str] | None = None,
) -> None:
    """Add the stage's row to meta.run: from here on its tables are what readers see."""
    lake = work.lake
    versions = [(table, lake.version(table)) for table in tables if lake.exists(table)]
    taken = work.batches if batches is None else batches
    row = {
        "run_id": work.run_id,
        "stage_name": stage,
        "started_at": started,
        "finished_at": now(),
        "code_revision": revision(),
        "ingest_ids": taken,
        "table_versions": [{"table_name": table, "version": version} for table, version in versions],
        "partitions": partitions,
    }
    lake.append(lake.local([row], "meta.run"), "meta.run")


def revision() -> str:
    """The code's revision, if it runs from a clone."""
    git = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
    )
    return git.stdout.strip() or "unknown"


def fingerprint(text: str) -> str:

    return hashlib.sha256(text.encode()).hexdigest()[:16]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
