"""The work of `observatory audit sample` and `observatory audit load`."""

import datetime as dt
from collections import Counter
from pathlib import Path

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import exact_number
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.store.lock import lock_for_writing
from jobs.base.tables.checksum import fingerprint_periods
from jobs.base.tables.contracts import Row, read_contract, rows_frame
from jobs.operators.audit import sheet
from jobs.operators.audit.sample_drawing import SamplePlan, draw_units, file_names
from jobs.operators.build import checks, run
from jobs.operators.build.run import Run
from jobs.operators.runs import quality
from jobs.operators.runs.runner import refuse_broken_results

SAMPLE, LABEL = quality.AUDIT
# So many problems of a sheet are reported at once.
MOST_PROBLEMS = 20
Rows = list[Row]


@lock_for_writing("observatory audit sample")
def write_sample(
    work: Run, plan: SamplePlan, folder: Path, formats: list[str], is_replaced: bool
) -> tuple[Rows, list[Path]]:
    """Draw a month's sample, or take the existing one, and write its sheets; the strata, and the files.

    A month has one sample: labels without the design that they were drawn by cannot be used.
    """
    design = read_month(work.lake, SAMPLE, plan.operator_id, plan.month)
    is_other = any(row[name] != value for row in design[:1] for name, value in plan.plan_row().items())
    if is_other and not is_replaced:
        row = design[0]
        raise ObservatoryError(
            f"operator {plan.operator_id} has a sample of {plan.month} already: --size {row['sample_size']}"
            f" --seed {row['sample_seed']} --least {row['least_count']} --score-cuts"
            f" {','.join(map(exact_number, row['score_cuts']))}. Ask for that one to get its sheet again,"
            " or give --replace, which discards the sample and its labels"
        )
    if not design or is_replaced:
        started = record.utc_now()
        design, units = draw_units(work.lake, plan)
        drawn = {"drawn_at": started, "code_revision": record.code_revision()}
        design = [{**row, **drawn} for row in design]
        replace_months(work, started, {SAMPLE: design, LABEL: units})
        refuse_broken_results(quality.commit_quality(work).results)
    units = read_month(work.lake, LABEL, plan.operator_id, plan.month)
    named = file_names(work.lake, plan.operator_id, units)
    rows = [
        {**unit, "file_name": named.get(unit["sample_id"])}
        # In the order of ids: the order of strata would show the labeller what to expect.
        for unit in sorted(units, key=lambda unit: str(unit["sample_id"]))
    ]
    folder.mkdir(parents=True, exist_ok=True)
    writers = {"xlsx": sheet.write_xlsx, "csv": sheet.write_csv}
    files = [folder / f"audit-{plan.operator_id}-{plan.month}.{kind}" for kind in formats]
    for kind, file in zip(formats, files, strict=True):
        try:
            writers[kind](rows, file)
        except OSError as error:
            raise ObservatoryError(f"{file}: {error.strerror or error}") from None
    return design, files


@lock_for_writing("observatory audit load")
def load_labels(work: Run, file: Path) -> Rows:
    """Load the labels of a filled sheet; the audit's results, a row per operator, month and channel.

    The file's rows replace earlier labels of their units, also by an empty label; other units keep their
    labels. A sheet with any problem loads nothing.
    """
    rows = sheet.read_sheet(file)
    if not rows:
        raise ObservatoryError(f"{file}: no row below the first: is it the filled sheet?")
    problems: list[str] = []
    of_month: dict[tuple[str, str], list[sheet.Row]] = {}
    operators = {each.id for each in work.operators}
    for row in rows:
        operator, day = row.values["operator"], row.values["day"][:10]
        if operator not in operators:
            known = ", ".join(sorted(operators))
            problems.append(
                f"{row.locate_cell('operator')}: unknown operator '{operator}'; the settings name {known}"
            )
        elif not is_day(day):
            problems.append(
                f"{row.locate_cell('day')}: '{day}' is no day as 2026-11-02; leave it as it was written"
            )
        else:
            of_month.setdefault((operator, day[:7]), []).append(row)
    started = record.utc_now()
    tables: dict[tuple[str, str], Rows] = {}
    for (operator, month), filled in sorted(of_month.items()):
        units = read_month(work.lake, LABEL, operator, month)
        if not units:
            problems.append(
                f"{filled[0].where}: no sample was drawn for operator {operator} and {month};"
                f" run `observatory audit sample --operator {operator} --month {month}`"
            )
            continue
        tables[operator, month] = apply_labels(units, filled, started, problems)
    if problems:
        more = f"\n… and {len(problems) - MOST_PROBLEMS:,} more" if len(problems) > MOST_PROBLEMS else ""
        raise ObservatoryError("\n".join(problems[:MOST_PROBLEMS]) + more + "\nNothing was loaded.")
    replace_months(work, started, {LABEL: [row for units in tables.values() for row in units]})
    refuse_broken_results(quality.commit_quality(work).results)
    return [row for operator, month in tables for row in channel_totals(work.lake, operator, month)]


def is_day(text: str) -> bool:
    try:
        return len(text) == 10 and bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def apply_labels(units: Rows, filled: list[sheet.Row], at: dt.datetime, problems: list[str]) -> Rows:
    """The units of a sample with the labels of a sheet; errors of the sheet are added to `problems`."""
    by_id = {unit["sample_id"]: dict(unit) for unit in units}
    seen = Counter(row.values["sample id"] for row in filled)
    for row in filled:
        name = row.values["sample id"]
        if name not in by_id:
            problems.append(
                f"{row.locate_cell('sample id')}: '{name}' is not in the month's sample: the sheet is of"
                " another draw, or the cell was changed; write the sheet again with"
                " `observatory audit sample`"
            )
            continue
        if seen[name] > 1:
            problems.append(f"{row.locate_cell('sample id')}: '{name}' stands in {seen[name]} rows; keep one")
            continue
        try:
            label = sheet.parse_label(row)
            kind = sheet.parse_type(row, label)
        except ObservatoryError as error:
            problems.append(str(error))
            continue
        unit = by_id[name]
        if (unit["label_code"], unit["labelled_type_code"]) != (label, kind):
            unit |= {"label_code": label, "labelled_type_code": kind, "labelled_at": at if label else None}
    return list(by_id.values())


def read_month(lake: Lake, table: str, operator: str, month: str) -> Rows:
    """The rows of an operator's month, in the order of their key."""
    mine = (pl.col("operator_id") == operator) & (pl.col("period_code") == month)
    return lake.read(table, where=mine).sort(read_contract(table).key).to_dicts()


def replace_months(work: Run, started: dt.datetime, tables: dict[str, Rows]) -> None:
    """Replace the operators' months that these rows belong to, and record it in meta.run."""
    frames = {table: rows_frame(rows, table) for table, rows in tables.items()}
    checks.refuse_broken_rows(
        [each for table, frame in frames.items() for each in checks.check_rows(frame, table)]
    )
    known = record.read_state(work.lake, tables)
    recorded = []
    for table, frame in frames.items():
        changed, rows = record.find_differing(table, fingerprint_periods(frame, table), known, [], {})
        recorded += rows
        run.commit_changed(work, table, frame, changed)
    if recorded:
        record.add_stage(work.lake, work.run_id, "audit", started, tables, recorded)


def channel_totals(lake: Lake, operator: str, month: str) -> Rows:
    """The audit's results of an operator's month: a row for each channel."""
    rows = read_month(lake, quality.TABLE, operator, month)
    whole = ("_T", "_T", "audit")
    named = ("stratum_code", "spam_type_code", "quality_method_code")
    return [row for row in rows if tuple(row[name] for name in named) == whole]
