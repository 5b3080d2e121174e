"""Keeping gold.filter_quality_monthly up to date with audits and with the settings.

It is computed again where labels, a filter's test, or what the test corrects has changed: a label comes days
after the month's other figures, and changes none of them.
"""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from expectations import suites
from jobs import runner
from jobs.checks import fingerprints, message
from jobs.contracts import contract, reference_digest
from jobs.errors import ValidationHeld
from jobs.lake import Lake, periods_predicate
from jobs.runner import Periods, Run
from jobs.status import last_validation

TABLE = "gold.filter_quality_monthly"
AUDIT = ("silver.audit_sample", "silver.audit_label")
VOLUME = "gold.spam_volume_daily"


def refresh(work: Run) -> None:
    """Compute the operator-months whose audit or test changed, validate them, replace what differs."""
    lake = work.lake
    has_tests = any(each.filter_quality for each in work.operators)
    if not has_tests and not lake.exists(AUDIT[0]) and not lake.exists(TABLE):
        return
    started = runner.now()
    known = runner.state(lake, (*AUDIT, VOLUME, TABLE))
    inputs = inputs_of(work, known)
    stale: Periods = {}
    for (operator, month), checksum in inputs.items():
        if known.get((TABLE, operator, month), ("", ""))[1] != checksum:
            stale.setdefault(operator, set()).add(month)
    if not stale:
        return
    work.say("gold: quality of filters")
    months = periods_predicate("period_code", StringType(), stale)
    have = {name: lake.read(name).filter(months) for name in AUDIT}
    of_month = F.date_format("period_date", "yyyy-MM").alias("period_code")
    volume = lake.read(VOLUME, lake.versions().get(VOLUME))
    have[VOLUME] = volume.withColumn("period_code", of_month).filter(months).drop("period_code")
    have["ref.filter_quality"] = lake.local(tests(work), "ref.filter_quality")
    frame = runner.compute(work, TABLE, have).persist()
    validate(work, lake, frame)
    candidates = {(TABLE, operator, month) for operator, found in stale.items() for month in found}
    changed, rows = runner.differing(TABLE, fingerprints(frame, TABLE), known, candidates, inputs)
    runner.replace(work, TABLE, frame, changed)
    runner.finish(work, "quality", started, [TABLE], rows, [])
    frame.unpersist()


def inputs_of(work: Run, known: runner.State) -> dict[tuple[str, str], str]:
    """For each operator-month that has or had an audit or a test, a checksum of what its rows come from."""
    mine = {each.id: [test.model_dump() for test in each.filter_quality] for each in work.operators}
    made_of: dict[tuple[str, str], list[str]] = {}
    for (table, operator, period), (checksum, _) in sorted(known.items()):
        if operator not in mine or (table == VOLUME and not mine[operator]):
            continue
        # What is on record as gone, no rows, is nothing to compute from.
        parts = made_of.setdefault((operator, period[:7]), [])
        if table != TABLE and not checksum.startswith("0:"):
            parts.append(f"{table}|{period}|{checksum}")
    digest = reference_digest()
    return {
        key: runner.fingerprint(f"{digest}/{mine[key[0]]}/{parts}") for key, parts in sorted(made_of.items())
    }


def tests(work: Run) -> list[dict[str, object]]:
    return [
        {"operator_id": operator.id, **test.model_dump()}
        for operator in work.operators
        for test in operator.filter_quality
    ]


def validate(work: Run, lake: Lake, frame: object) -> None:
    """Hold the rows to their contract. Their results stand beside those of the last run."""
    asked = [suites.Asked(TABLE, frame, suites.contract_rules(TABLE), contract(TABLE).key)]  # type: ignore[arg-type]
    found = suites.validate(asked)
    if "://" not in lake.root:
        earlier = [suites.Result(**each) for each in last_validation(lake.root)]
        asked_now = {each.table for each in work.results}
        others = [each for each in earlier if each.table != TABLE and each.table not in asked_now]
        suites.keep([*others, *work.results, *found], Path(lake.root) / "_validation", work.run_id)
    broken = [each for each in found if not each.is_held]
    if broken:
        raise ValidationHeld(
            "\n".join(message(each.table, each.rule, each.violations, list(each.examples)) for each in broken)
        )
