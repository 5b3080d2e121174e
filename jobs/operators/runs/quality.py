"""Keeping gold.filter_quality_monthly and gold.spam_corrected_monthly up to date with audits and settings.

Filters' quality is computed again where labels, a filter's test, or what the test corrects has changed: a
label comes days after the month's other figures, and changes none of them. What it corrects is computed again
where that quality or a count has changed, month by month. Both are named in meta.run together with the counts
that they are of, so that no reader finds one without the other.
"""

from collections.abc import Mapping

import polars as pl

from expectations import native
from jobs.base.store import record
from jobs.base.store.record import Periods
from jobs.base.store.table_files import read_files
from jobs.base.tables.checksum import fingerprint_periods
from jobs.base.tables.contracts import read_contract, reference_digest, rows_frame
from jobs.operators.build.run import Outcome, Run, commit_changed, compute_table, keep_results

TABLE = "gold.filter_quality_monthly"
AUDIT = ("silver.audit_sample", "silver.audit_label")
VOLUME = "gold.spam_volume_daily"
CORRECTED = "gold.spam_corrected_monthly"


def commit_quality(
    work: Run, before: Outcome | None = None, stage: record.StageRecord | None = None
) -> Outcome:
    """Compute the operator-months whose audit, test or counts changed, replace what differs, and add the
    stage's row to meta.run.

    An operator whose rows break a rule keeps what it has: refuse_broken_results() of
    jobs/operators/runs/runner.py says so.

    Args:
        before: what came of the stages before.
        stage: what gold has committed and meta.run does not name yet.
    """
    before, stage = before or Outcome(), stage or record.StageRecord("quality", record.utc_now())
    found, stage = estimate_quality(work, before, stage)
    corrected, stage = correct_counts(work, before + found, stage)
    if stage.tables:
        record.add_stage(
            work.lake, work.run_id, stage.name, stage.started, sorted(stage.tables), stage.partitions
        )
    return found + corrected


def estimate_quality(
    work: Run, before: Outcome, stage: record.StageRecord
) -> tuple[Outcome, record.StageRecord]:
    """Filters' quality: what came of it, and the stage with what it has committed."""
    lake = work.lake
    has_tests = any(each.filter_quality for each in work.operators)
    if not has_tests and not lake.exists(AUDIT[0]) and not lake.exists(TABLE):
        return Outcome(), stage
    known = record.read_state(lake, (*AUDIT, VOLUME, TABLE), stage)
    own = {each.id: [test.model_dump() for test in each.filter_quality] for each in work.operators}
    counted = {key: each for key, each in known.items() if key[0] != VOLUME or own.get(key[1])}
    inputs = checksum_inputs(TABLE, counted, own)
    stale = record.stale_periods(TABLE, known, inputs)
    if not stale:
        return Outcome(), stage
    work.report_step("gold: quality of filters")
    have = {name: read_months(work, name, stale, stage) for name in (*AUDIT, VOLUME)}
    have["ref.filter_quality"] = rows_frame(
        [
            {"operator_id": operator.id, **test.model_dump()}
            for operator in work.operators
            for test in operator.filter_quality
        ],
        "ref.filter_quality",
    )
    return store_changed(work, TABLE, compute_table(work, TABLE, have), before, stage, known, stale, inputs)


def correct_counts(
    work: Run, before: Outcome, stage: record.StageRecord
) -> tuple[Outcome, record.StageRecord]:
    """Correct what was counted by the quality of filters, every month of it. One month is in memory."""
    reads = [name for name in read_contract(CORRECTED).reads if not name.startswith("ref.")]
    known = record.read_state(work.lake, (*reads, CORRECTED), stage)
    inputs = checksum_inputs(CORRECTED, known, {each.id: None for each in work.operators})
    stale = record.stale_periods(CORRECTED, known, inputs)
    if not stale:
        return Outcome(), stage
    work.report_step("gold: errors of filters")
    made = []
    for month in sorted(set().union(*stale.values())):
        of_month = {operator: {month} for operator, found in stale.items() if month in found}
        have = {name: read_months(work, name, of_month, stage) for name in reads}
        made.append(compute_table(work, CORRECTED, have))
    return store_changed(work, CORRECTED, pl.concat(made), before, stage, known, stale, inputs)


def read_months(work: Run, table: str, wanted: Periods, stage: record.StageRecord) -> pl.DataFrame:
    """The rows of a table of operator-months, without its sketches, which are most of its bytes."""
    contract = read_contract(table)
    period, versions = str(contract.period), work.lake.versions()
    # Samples and labels are as they were written last, as is what this stage committed; of other tables of
    # gold, what the last finished stage left.
    is_latest = table in AUDIT or table in stage.tables
    version = None if is_latest else versions.get(table)
    files = (
        work.lake.files(
            table,
            version,
            lambda partition: str(partition[period])[:7] in wanted.get(str(partition["operator_id"]), ()),
        )
        if is_latest or version is not None
        else []
    )
    return read_files(table, files, [field.name for field in contract.fields if field.type != "binary"])


def store_changed(
    work: Run,
    table: str,
    frame: pl.DataFrame,
    before: Outcome,
    stage: record.StageRecord,
    known: record.State,
    stale: Periods,
    inputs: Mapping[tuple[str, str], str],
) -> tuple[Outcome, record.StageRecord]:
    """Validate the rows and replace what differs, but for operators whose rows break a rule, for which the
    caller raises ValidationHeld; what came of it, and the stage with what it has committed.

    Args:
        frame: the rows of all stale operator-periods.
        before: what the stage found in tables before this one.
        known: the operator-periods that the lake has.
        stale: the operator-periods that were computed.
        inputs: by operator and period the checksum of what they were computed from.
    """
    results = native.check_table(table, frame)
    keep_results(work, [*before.results, *results])
    held = frozenset(native.holders(results))
    frame = frame.filter(~pl.col("operator_id").is_in(sorted(held)))
    candidates = [
        (table, operator, period)
        for operator, of_operator in stale.items()
        for period in of_operator
        if operator not in held
    ]
    changed, rows = record.find_differing(table, fingerprint_periods(frame, table), known, candidates, inputs)
    undone = commit_changed(work, table, frame, changed)
    found = Outcome(tuple(results), held, changed={table: changed})
    return found, stage.add_tables([table], rows) if rows or undone else stage


def checksum_inputs(table: str, known: record.State, own: Mapping[str, object]) -> dict[tuple[str, str], str]:
    """Return a checksum of the inputs of each operator-month that has or had rows on record, of the table or
    of the tables it reads. Inputs are the rows read, reference tables, and an operator's own settings."""
    made_of: dict[tuple[str, str], list[str]] = {}
    for (name, operator, period), (checksum, _) in sorted(known.items()):
        if operator not in own:
            continue
        parts = made_of.setdefault((operator, period[:7]), [])
        # What is on record as gone, no rows, is nothing to compute from.
        if name != table and not checksum.startswith("0:"):
            parts.append(f"{name}|{period}|{checksum}")
    digest = reference_digest()
    return {
        key: record.digest_text(f"{digest}/{own[key[0]]}/{parts}") for key, parts in sorted(made_of.items())
    }
