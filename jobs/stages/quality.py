"""Keeping gold.filter_quality_monthly up to date with audits and with the settings.

It is computed again where labels, a filter's test, or what the test corrects has changed: a label comes days
after the month's other figures, and changes none of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from expectations import suites
from jobs.core.checksum import checksums
from jobs.core.contracts import reference_digest, rows_frame
from jobs.core.errors import ValidationHeld
from jobs.engine import record
from jobs.engine.lake import Lake, is_local
from jobs.engine.record import Periods
from jobs.stages import runner, validator
from jobs.stages.checks import message
from jobs.stages.runner import Run

TABLE = "gold.filter_quality_monthly"
AUDIT = ("silver.audit_sample", "silver.audit_label")
VOLUME = "gold.spam_volume_daily"


def refresh(work: Run) -> None:
    """Compute the operator-months whose audit or test changed, validate them, replace what differs."""
    lake = work.lake
    has_tests = any(each.filter_quality for each in work.operators)
    if not has_tests and not lake.exists(AUDIT[0]) and not lake.exists(TABLE):
        return
    started = record.now()
    known = record.state(lake, (*AUDIT, VOLUME, TABLE))
    inputs = inputs_of(work, known)
    stale: Periods = {}
    for (operator, month), checksum in inputs.items():
        if known.get((TABLE, operator, month), ("", ""))[1] != checksum:
            stale.setdefault(operator, set()).add(month)
    if not stale:
        return
    work.say("gold: quality of filters")
    have = {name: lake.read(name, where=months(pl.col("period_code"), stale)) for name in AUDIT}
    of_day = months(pl.col("period_date").dt.strftime("%Y-%m"), stale)
    have[VOLUME] = lake.read(VOLUME, lake.versions().get(VOLUME), where=of_day)
    have["ref.filter_quality"] = rows_frame(tests(work), "ref.filter_quality")
    frame = runner.compute(work, TABLE, have)
    validate(work, lake, frame)
    candidates = [(TABLE, operator, period) for operator, found in stale.items() for period in found]
    changed, rows = record.differing(TABLE, checksums(frame, TABLE), known, candidates, inputs)
    runner.write(work, TABLE, frame, changed)
    record.add_stage(lake, work.run_id, "quality", started, [TABLE], rows)


def months(month: pl.Expr, wanted: Periods) -> pl.Expr:
    """Whether a row is of one of these operator-months. month: the row's month, as 2026-11."""
    return pl.any_horizontal(
        (pl.col("operator_id") == operator) & month.is_in(sorted(of_operator))
        for operator, of_operator in sorted(wanted.items())
    )


def inputs_of(work: Run, known: record.State) -> dict[tuple[str, str], str]:
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
    return {key: record.digest(f"{digest}/{mine[key[0]]}/{parts}") for key, parts in sorted(made_of.items())}


def tests(work: Run) -> list[dict[str, Any]]:
    return [
        {"operator_id": operator.id, **test.model_dump()}
        for operator in work.operators
        for test in operator.filter_quality
    ]


def validate(work: Run, lake: Lake, frame: pl.DataFrame) -> None:
    """Hold the rows to their contract, and keep the results beside those of the run."""
    found = validator.validate_table(TABLE, frame)
    if is_local(lake.root):
        operators = [each.id for each in work.operators]
        suites.keep([*work.results, *found], Path(lake.root) / "_validation", work.run_id, operators)
    broken = [each for each in found if not each.is_held]
    if broken:
        raise ValidationHeld(
            "\n".join(message(each.table, each.rule, each.violations, each.examples) for each in broken)
        )
