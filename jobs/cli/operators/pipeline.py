"""The commands `observatory pull` and `observatory run`: from sources to validated gold.

The demo and the report of logs run the same steps.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from jobs.base.core.errors import NOTHING_CHANGED, ObservatoryError, ValidationHeld, raise_problems
from jobs.base.core.numbers import format_bytes
from jobs.base.settings import config
from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import err, out
from jobs.cli.interrupt import interruptible
from jobs.operators.ingest.source_options import load_with_options

if TYPE_CHECKING:
    from jobs.base.store.record import Periods
    from jobs.operators.build.run import Outcome, Run

MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"
Since = Annotated[
    dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First UTC day to compute again.")
]
Until = Annotated[
    dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last UTC day to compute again.")
]


class Stage(enum.StrEnum):
    bronze = "bronze"
    silver = "silver"
    gold = "gold"


def pull_all(
    settings: config.Observatory,
    operator: str | None,
    is_followed: bool = False,
    notes: list[str] | None = None,
) -> list[str]:
    """Pull every source, and return the problems of sources that could not be read.

    Args:
        is_followed: a run follows, whose workers' server starts as soon as it is known to be needed.
        notes: the printed notes are added to it.
    """
    from jobs.base.core.patterns import escape_unseen
    from jobs.base.engine import embedded
    from jobs.base.places import permissions
    from jobs.base.store.lake import open_lake
    from jobs.base.store.lock import hold_lock
    from jobs.operators.ingest.pull import pull_operator
    from jobs.operators.keep.identity import other_logs, refuse_others
    from jobs.operators.runs import PRELOAD

    lake = open_lake(settings.lake.root)
    refuse_others(lake, settings, needs_key=False)
    for note in other_logs(lake, settings):
        err.say(f"Warning: {escape_unseen(note)}.")
    permissions.prepare_folder(settings.lake.root, settings.lake.group)
    problems: list[str] = []
    pieces = size = 0
    with hold_lock(settings.lake.root, "observatory pull"):
        for each in config.choose_operators(settings, operator):
            pulled = pull_operator(each, settings.lake.root, settings.lake.now)
            pieces, size = pieces + pulled.pieces, size + pulled.bytes
            problems += pulled.problems
            if notes is not None:
                notes += pulled.notes
            for note in pulled.notes:
                err.say(escape_unseen(note))
            if is_followed and settings.engine.name == "embedded" and size > embedded.LITTLE:
                embedded.start_server(PRELOAD)
    err.print(f"pull: {pieces} new piece{'' if pieces == 1 else 's'}, {format_bytes(size)}")
    return problems


@contextmanager
def name_problems_first(problems: list[str]) -> Iterator[None]:
    """Print the problems of sources before an error of the enclosed steps ends the command."""
    from jobs.base.core.patterns import escape_unseen

    try:
        yield
    except ObservatoryError:
        for problem in problems:
            err.say(escape_unseen(problem))
        raise


def pull(config_file: Config = Path("observatory.toml"), operator: OperatorId = None) -> None:
    """Land what is new in the operators' sources."""
    raise_problems(pull_all(load_with_options(config_file), operator))


def run(
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    stage: Annotated[
        list[Stage] | None, typer.Option(help="Only these stages. Default: pull and all stages.")
    ] = None,
    since: Since = None,
    until: Until = None,
    requarantine: Annotated[
        bool,
        typer.Option(
            "--requarantine",
            help="Also read files with quarantined lines again, as their sources are set now.",
        ),
    ] = False,
    changed_since: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=[MOMENT],
            help="For schedulers: end with exit code 99 if the stages' tables are as they were at this time"
            " (UTC).",
        ),
    ] = None,
) -> None:
    """Bring logs from their sources to validated gold tables."""
    from jobs.base.places import permissions
    from jobs.base.store import record
    from jobs.base.store.lake import open_lake
    from jobs.base.store.lock import hold_lock
    from jobs.base.tables.contracts import stage_tables
    from jobs.operators.erase.erasure_plan import read_plan
    from jobs.operators.keep import lake_keys

    if since and until and since > until:
        raise ObservatoryError(
            f"--since {since:%Y-%m-%d} is after --until {until:%Y-%m-%d}: no day is computed. Swap them."
        )
    settings = load_with_options(config_file)
    lake_keys.check_keys(settings)
    stages = [each.value for each in stage or Stage]
    permissions.prepare_folder(settings.lake.root, settings.lake.group)
    with hold_lock(settings.lake.root, "observatory run"):
        said: list[str] = []
        problems = [] if stage else pull_all(settings, operator, is_followed=True, notes=said)
        with name_problems_first(problems):
            _, outcome = run_with_progress(settings, operator, stages, since, until, requarantine, said)
            if read_plan(open_lake(settings.lake.root)) is not None:
                err.print("An erasure was broken off: `observatory erase` with the same words ends it.")
            show_changes(outcome)
    if not stage:
        show_next(config_file)
    raise_problems(problems)
    if changed_since:
        tables = [table for name in stages for table in stage_tables(name)]
        lake, at = open_lake(settings.lake.root), changed_since.replace(tzinfo=dt.UTC)
        if not record.has_changed(lake, tables, at):
            raise typer.Exit(NOTHING_CHANGED)


def run_with_progress(
    settings: config.Observatory,
    operator: str | None,
    stages: list[str],
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    requarantine: bool = False,
    notes: Collection[str] = (),
) -> tuple[Run, Outcome]:
    """Run the stages with a line of progress for each, print notes and warnings, and return the run and what
    came of it.

    Args:
        notes: notes that a pull has printed just before.
    """
    from jobs.base.core.patterns import escape_unseen
    from jobs.base.store import record
    from jobs.base.store.lake import open_lake
    from jobs.cli.progress import Meter
    from jobs.operators.build.run import Run
    from jobs.operators.runs.runner import do_stages, refuse_broken_results
    from jobs.operators.state.late_records import late_records
    from jobs.operators.state.other_formats import other_formats
    from jobs.operators.state.status import find_doubts, unfolded_hops

    chosen = config.choose_operators(settings, operator)
    lake, run_id = open_lake(settings.lake.root), record.new_run_id()
    meter = Meter(err, [each.id for each in chosen])
    held: ValidationHeld | None = None
    # A stage that had nothing to do has no row of meta.run; one that has may not have come to its end.
    with meter, interruptible(lambda: {*meter.finished, *record.finished_stages(lake, run_id)}, stages):
        work = Run(
            lake=lake,
            settings=settings,
            operators=chosen,
            run_id=run_id,
            since=since.date() if since else None,
            until=until.date() if until else None,
            requarantine=requarantine,
            report_step=meter.report_step,
            report_progress=meter.report_share,
        )
        outcome = do_stages(work, stages)
        try:
            refuse_broken_results(outcome.results)
        except ValidationHeld as error:
            # The results of the other operators come first.
            found = other_formats(settings, list(outcome.results), notes)
            held = ValidationHeld("\n".join([str(error), *(f"  {escape_unseen(each)}" for each in found)]))
    mine = {each.id for each in chosen}
    late = late_records(lake, settings, mine, list(outcome.batches)) if outcome.batches else []
    sent = outcome.changed.get("silver.transmission", {})
    for note in (*outcome.notes, *late, *unfolded_hops(lake, sent)):
        err.say(escape_unseen(note))
    for note in find_doubts(lake, settings, mine, written_days(outcome)):
        err.print(Text(f"Warning: {escape_unseen(note)}", "bold red"))
    if held is not None:
        if any(outcome.changed.values()):
            show_changes(outcome)
        raise held
    return work, outcome


def written_days(outcome: Outcome) -> Periods:
    """The days of operators for which the run wrote transmissions or verdicts."""
    tables = ("silver.transmission", "silver.verdict")
    days: dict[str, set[str]] = {}
    for table in tables:
        for operator, of_operator in outcome.changed.get(table, {}).items():
            days.setdefault(operator, set()).update(of_operator)
    return days


def show_changes(outcome: Outcome) -> None:
    """Print the tables that a run wrote: a line per table."""
    table = Table("table", "operators", "periods", title="Written", title_justify="left")
    for name, periods in outcome.changed.items():
        if periods:
            days = sorted({day for of_operator in periods.values() for day in of_operator})
            table.add_row(name, str(len(periods)), days[0] if len(days) == 1 else f"{days[0]} … {days[-1]}")
    # Where there was a change of settings to name, something was new, though no figure.
    nothing = "No table changed." if outcome.notes else "Nothing new: every table is up to date."
    out.print(table if table.row_count else nothing)


def show_next(config_file: Path) -> None:
    """Print the commands that show the results of a run."""
    other = "" if config_file == Path("observatory.toml") else f" --config {config_file}"
    for word, command, about in (
        ("Next:", "status", "how each source fares"),
        ("", "report", "the page with the figures"),
    ):
        out.say(f"{word:<5} observatory {command}{other}  # {about}")


def run_all(settings: config.Observatory) -> list[str]:
    """Pull and run all stages; return the problems of sources."""
    problems = pull_all(settings, None, is_followed=True)
    with name_problems_first(problems):
        run_with_progress(settings, None, [each.value for each in Stage])
    return problems
