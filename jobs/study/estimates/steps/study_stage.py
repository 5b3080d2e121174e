"""Stage from packages and answers to the study's tables: read, compute, validate, rewrite.

All rules of the study's tables are checked before one is written; Great Expectations evaluates the same ones
on what a release publishes. Each table is computed and written anew from all submissions and answers: a
period that has none any more goes, and so do the columns of an earlier contract.

The kernel of a table is transform() of the module of its name, or the function of its name in the module that
its contract names. Its parameters are the tables that the contract reads, some of them together in a
dataclass, such as Reference. "In parts" in its docstring says by which columns its inputs may be split, and
each part computed by itself, without another result; tests/study/estimates/test_volume_parts.py splits them.
"""

import hashlib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

import polars as pl

from expectations import native
from expectations.suite_files import suite_tables
from jobs.base.checks.validations import refuse_broken
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.program import HOME, find_sources
from jobs.base.engine.embedded import Embedded, Inline
from jobs.base.engine.tasks import Task
from jobs.base.settings.config import Observatory
from jobs.base.settings.study import Gap
from jobs.base.store import record
from jobs.base.store.joint_commit import commit_together, undo_unfinished
from jobs.base.store.lake import Lake, select_any
from jobs.base.store.lock import lock_for_writing
from jobs.base.tables.contracts import (
    conform_frame,
    given_tables,
    order_tables,
    read_contract,
    reference_table,
    stage_tables,
)
from jobs.base.tables.csv_tables import file_of, read_table, read_tables
from jobs.study import estimates
from jobs.study.estimates.steps import finding_decisions, investment_targets
from jobs.study.estimates.steps.coverage import DENOMINATOR, cover_rows
from jobs.study.estimates.steps.frame import (
    refuse_missing_respondents,
    refuse_unlikely,
    refuse_unplaced,
    refuse_unpriced,
    refuse_wrong,
    refuse_wrong_subscriptions,
    unfit_figures,
)
from jobs.study.questionnaire.latest_answers import keep_asked

Kernel = Callable[..., pl.DataFrame]
# The project's files that estimates depend on.
CODE = ("jobs/**/*.py", "jobs/**/*.csv", "schemas/**/*.py", "schemas/**/*.yaml", "schemas/**/*.csv")
ROUTES, QUALITY = "study.submission_route", "study.submission_quality"
ANSWERS, FRAME = "study.questionnaire_answer", "ref.operator_frame"
SUBMISSION = "study.submission"
DECISIONS = finding_decisions.TABLE
TABLES = order_tables(stage_tables("study"))
GIVEN = given_tables(TABLES)
SUBMITTED_TABLES = tuple(table for table in GIVEN if table.startswith("study."))
REFERENCES = tuple(
    table
    for table in GIVEN
    if table not in SUBMITTED_TABLES and read_contract(table).given_in != ("settings",)
)
# Its row in meta.run stands for all: they are computed together.
FIRST = (TABLES[0], "_T", "_T")


@lock_for_writing("observatory study estimate")
def land_folder(lake: Lake, folder: Path, run_id: str) -> None:
    """Put the submissions and answers of a folder into the lake, in place of those of the same periods: all,
    or none."""
    needed = (SUBMISSION, ROUTES, ANSWERS)
    found = {table: read_table(folder, table, is_needed=table in needed) for table in SUBMITTED_TABLES}
    periods: set[str] = set()
    with commit_together(lake, SUBMITTED_TABLES, run_id):
        for table, rows in found.items():
            # Parts and audits belong to submissions: periods that bring none have none.
            belongs = table not in (SUBMISSION, ANSWERS)
            periods = set(rows["period_code"]) | (periods if belongs else set())
            if periods:
                lake.replace(rows, table, select_any("period_code", sorted(periods)), {"run_id": run_id})


def digest_inputs(lake: Lake, folder: Path, targets: pl.DataFrame) -> str:
    """SHA-256 of everything that the tables are computed from: the study's files, reference tables,
    contracts, code, the targets, which versions of submissions and answers the lake has, and what of them is
    left out."""
    found = hashlib.sha256(targets.write_csv().encode())
    given = (*folder.glob("*.csv"), *folder.glob("*.csv.gz"))
    # By their names alone: the same files give the same digest wherever they lie.
    names = {file.name: file for file in given} | {
        str(file.relative_to(HOME)): file for file in find_sources(*CODE)
    }
    for name, file in sorted(names.items()):
        found.update(f"{name}:{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    for table in SUBMITTED_TABLES:
        found.update(f"{table}:{lake.version(table) if lake.exists(table) else None}\n".encode())
    found.update(f"without:{finding_decisions.ids_left_out(lake.read(DECISIONS))}\n".encode())
    return found.hexdigest()


def chosen_targets(settings: Observatory, options: Gap) -> pl.DataFrame:
    return investment_targets.read_targets(
        options, settings.study.gap, reference_table("ref.investment_assumption")
    )


def is_current(lake: Lake, settings: Observatory, folder: Path) -> bool:
    """The study's tables are those of these files and targets, and of the submissions and answers in the
    lake."""
    targets = chosen_targets(settings, Gap())
    return record.read_state(lake, TABLES[:1]).get(FIRST, ("", ""))[1] == digest_inputs(lake, folder, targets)


@lock_for_writing("observatory study estimate")
def estimate_tables(
    lake: Lake,
    settings: Observatory,
    folder: Path,
    run_id: str,
    report_step: Callable[[str], None] = print,
    gap_options: Gap | None = None,
) -> dict[str, pl.DataFrame]:
    """Compute, validate and write the study's tables; the frames that were written.

    Raises ObservatoryError if the folder's files lack a respondent of a package or answer, and ValidationHeld
    if a rule is broken: no table is written then.

    Args:
        folder: holds the frame of operators, denominators and price levels.
        gap_options: the targets of spending on the command line, which override those of the settings.
    """
    undo_unfinished(lake)
    started = record.utc_now()
    targets = chosen_targets(settings, gap_options or Gap())
    inputs = digest_inputs(lake, folder, targets)
    have = read_tables(folder, REFERENCES) | {investment_targets.TABLE: targets}
    given_now = {table: lake.read(table) for table in SUBMITTED_TABLES}
    have[DECISIONS] = lake.read(DECISIONS)
    remaining, _ = finding_decisions.apply_decisions(given_now, have[DECISIONS])
    have |= remaining
    if have["study.submission"].is_empty() and have[ANSWERS].is_empty():
        raise ObservatoryError("the lake holds no submission and no answer yet: load them first")
    refuse_unknown(have, folder)
    compute_tables(settings, have, report_step)
    report_step("study: validating")
    refuse_broken(native.check_tables(study_tables(lake, have)), "The study's tables stay as they were.")
    report_step("study: writing")
    for table in TABLES:
        lake.rewrite(have[table], table, {"run_id": run_id})
    table, operator, period = FIRST
    computed: record.Partition = {
        "table_name": table, "operator_id": operator, "period": period,
        "row_count": have[TABLES[0]].height, "checksum": "", "input_checksum": inputs,
    }  # fmt: skip
    record.add_stage(lake, run_id, "study", started, (*SUBMITTED_TABLES, DECISIONS, *TABLES), [computed])
    used = (SUBMISSION, QUALITY, ANSWERS, FRAME, investment_targets.TABLE)
    return {table: have[table] for table in (*TABLES, *used)}


def list_stops(lake: Lake, folder: Path) -> list[str]:
    """The lines of the error at which estimate_tables() would stop now, for whoever loads answers; none while
    the folder has no frame of operators yet."""
    if file_of(folder, FRAME) is None:
        return []
    try:
        refuse_unknown(read_inputs(lake, folder), folder)
    except ObservatoryError as error:
        return str(error).splitlines()
    return []


def list_unfit(lake: Lake, folder: str | None) -> pl.DataFrame | None:
    """The figures that a folder's frame of operators does not have, as unfit_figures() does; None while there
    is no frame."""
    if folder is None or file_of(Path(folder), FRAME) is None:
        return None
    return unfit_figures(read_inputs(lake, Path(folder)))


def read_inputs(lake: Lake, folder: Path) -> dict[str, pl.DataFrame]:
    """A folder's files, and what was given without what was decided to be left out."""
    given = {table: lake.read(table) for table in SUBMITTED_TABLES}
    return read_tables(folder, REFERENCES) | finding_decisions.apply_decisions(given, lake.read(DECISIONS))[0]


def study_tables(lake: Lake, have: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The study's tables that were computed or read, and others that the lake has and this step does not
    write."""
    return {
        table: have[table] if table in have else lake.read(table)
        for table in suite_tables()
        if table.startswith("study.") and (table in have or (table not in TABLES and lake.exists(table)))
    }


def compute_tables(
    settings: Observatory, have: dict[str, pl.DataFrame], report_step: Callable[[str], None]
) -> None:
    """Add all tables to what the study has: those that read no other that is left, then the next ones. Of
    them the table that most others read comes first, for these wait for it."""
    chosen = settings.engine
    is_alone = chosen.workers < 2 or chosen.name == "inline"
    engine: Inline | Embedded
    engine = Inline() if is_alone else Embedded(chosen.workers, chosen.memory_bytes, [__name__])
    with engine:
        while left := [table for table in TABLES if table not in have]:
            ready = [table for table in left if not {*read_contract(table).reads} & {*left}]
            readers = {table: sum(table in read_contract(each).reads for each in left) for table in ready}
            ready.sort(key=lambda table: -readers[table])
            tasks = [Task(table, compute_table, table, select_inputs(table, have)) for table in ready]
            report_done = partial(report_count, report_step, len(TABLES) - len(left))
            report_done(0)
            have |= zip(ready, engine.run_tasks(tasks, report_done), strict=True)


def report_count(report_step: Callable[[str], None], before: int, done: int) -> None:
    """Say how many tables are computed: those before, and of those after them so many."""
    report_step(f"study: {before + done} of {len(TABLES)} tables")


def select_inputs(table: str, have: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Tables of the study that compute_table() takes."""
    taken = {*read_contract(table).reads, FRAME, DENOMINATOR}
    return {name: frame for name, frame in have.items() if name in taken}


def compute_table(table: str, have: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The table's rows: its transform over the tables that its contract reads, and of answers over those to
    the questions that it names; with how much of each area the frame has, where its contract says so."""
    contract = read_contract(table)
    inputs = {name: have[name] if name in have else reference_table(name) for name in contract.reads}
    if ANSWERS in inputs:
        inputs[ANSWERS] = keep_asked(have[ANSWERS], contract.questions)
    return conform_frame(cover_rows(run_kernel(table, inputs), table, have), table).sort(contract.key)


def find_kernel(table: str) -> Kernel:
    """The function that computes a table."""
    contract = read_contract(table)
    module = importlib.import_module(f"{estimates.__name__}.{contract.kernel or contract.name}")
    found: Kernel = getattr(module, contract.name if contract.kernel else "transform")
    return found


def name_inputs(kernel: Kernel) -> dict[str, tuple[str, ...]]:
    """Return the names of the tables that each parameter takes: of a dataclass those of its fields."""
    kinds = {name: kind for name, kind in get_type_hints(kernel).items() if name != "return"}
    return {
        name: tuple(each.name for each in fields(kind)) if is_dataclass(kind) else (name,)
        for name, kind in kinds.items()
    }


def run_kernel(table: str, have: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The rows that a table's kernel makes of the tables that its contract reads."""
    kernel = find_kernel(table)
    frames = {name.split(".")[1]: have[name] for name in read_contract(table).reads}
    inputs: dict[str, Any] = {}
    for name, taken in name_inputs(kernel).items():
        kind = get_type_hints(kernel)[name]
        is_alone = taken == (name,)
        inputs[name] = frames[name] if is_alone else kind(**{each: frames[each] for each in taken})
    return kernel(**inputs)


def refuse_unknown(have: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Raise ObservatoryError if the folder's files lack any that gave logs or answers, their prices or their
    regions, or have subscriptions far from those of the logs, or if an answer on spending, or a period or an
    error of subscriptions, is wrong."""
    refuse_missing_respondents(have, folder)
    refuse_unplaced(have, folder)
    refuse_unlikely(have, folder)
    assumed = investment_targets.value_of(have["ref.investment_assumption"], "base_year")
    refuse_unpriced(have, int(assumed), folder)
    refuse_wrong(have)
    refuse_wrong_subscriptions(have, folder)
