"""The command line, `observatory`.

Exit codes: 0 done, 1 a validation held something back, 2 wrong input or settings, 3 a source is stale
(`status`), 4 the program or its engine crashed, 5 another command writes to the lake: try again.
"""

from __future__ import annotations

import datetime as dt
import enum
import os
import secrets
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jobs import STARTED
from jobs.cli import study
from jobs.cli.explain import explain
from jobs.cli.interrupt import INTERRUPTED, Interrupted, catch, interruptible
from jobs.cli.reconcile import reconcile
from jobs.cli.rows import Format, columns_of, read_rows, write_rows
from jobs.cli.status import status
from jobs.cli.vacuum import vacuum
from jobs.core import contracts
from jobs.core.disk import DiskFull, is_full
from jobs.core.errors import ObservatoryError
from jobs.costs import command as costs
from jobs.questionnaire.command import app as questionnaire
from jobs.settings import config
from jobs.submission.command import submit

# Polars, the lake and the runner take seconds to import: a command imports what it needs.
if TYPE_CHECKING:
    from jobs.engine.lake import Lake
    from jobs.stages.runner import Run

app = typer.Typer(
    help="Measure spam: volume, types, routes, sources, and what countering it costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
audit = typer.Typer(no_args_is_help=True, help="Find out by a labelled sample how often filters err.")
app.add_typer(audit, name="audit")
app.add_typer(costs.app, name="cost")
app.add_typer(questionnaire, name="questionnaire")
app.add_typer(study.app, name="study")
app.command()(submit)
app.command()(vacuum)
app.command()(status)
app.command()(explain)
app.command()(reconcile)
out = Console(soft_wrap=False)
err = Console(stderr=True, soft_wrap=True)

Config = Annotated[Path, typer.Option("--config", help="The settings file.")]
OperatorId = Annotated[
    str | None, typer.Option("--operator", help="One operator, by its id; all without it.")
]
Since = Annotated[
    dt.datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="First UTC day to compute again.", show_default=False),
]
Until = Annotated[
    dt.datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Last UTC day to compute again.", show_default=False),
]


class Stage(enum.StrEnum):
    bronze = "bronze"
    silver = "silver"
    gold = "gold"


# Seconds that starting may take from the time of `sniff`.
LONGEST_START = 2.0
# Exit codes; the second is the shell's own of a program that SIGPIPE ended.
CRASHED, CLOSED_PIPE = 4, 141
# So many characters of a crash's message are printed.
MESSAGE = 300


class TextFormat(enum.StrEnum):
    text = "text"
    json = "json"


def lake_of(settings: config.Observatory) -> Lake:
    """The lake of the settings. Raises ObservatoryError for a lake of another form."""
    from jobs.engine.lake import open_lake

    return open_lake(settings.lake.root)


def pull_all(settings: config.Observatory, operator: str | None, is_followed: bool = False) -> list[str]:
    """Pull every source; the problems of sources that could not be read.

    is_followed: a run follows, whose processes start as soon as something new is found.
    """
    from jobs.core.patterns import visible
    from jobs.engine import access
    from jobs.engine.lock import writing
    from jobs.ingest.pull import pull
    from jobs.stages import ahead
    from jobs.stages.identity import refuse_others

    refuse_others(lake_of(settings), settings, needs_key=False)
    access.prepare(settings.lake.root, settings.lake.group)
    problems: list[str] = []
    pieces = size = 0
    with writing(settings.lake.root, "observatory pull"):
        for each in config.operators(settings, operator):
            pulled = pull(each, settings.lake.root, settings.lake.read_at or dt.datetime.now(dt.UTC))
            pieces, size = pieces + pulled.pieces, size + pulled.bytes
            problems += pulled.problems
            for note in pulled.notes:
                err.print(Text(visible(note)))
            if pulled.pieces and is_followed:
                ahead.start(settings.engine, size)
    err.print(f"pull: {pieces} new piece{'' if pieces == 1 else 's'}, {size / 1e6:,.1f} MB")
    return problems


def told(problems: list[str]) -> None:
    """End with exit code 2 if a source could not be read; everything else was done."""
    if problems:
        raise ObservatoryError("\n".join(problems))


@app.command()
def pull(config_file: Config = Path("observatory.toml"), operator: OperatorId = None) -> None:
    """Land what is new in the operators' sources."""
    told(pull_all(config.load(config_file), operator))


@app.command()
def run(
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    stage: Annotated[
        list[Stage] | None, typer.Option(help="Only these stages; without it pull and all.")
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
) -> None:
    """Bring logs from their sources to validated gold tables."""
    from jobs.engine import access
    from jobs.engine.lock import writing

    if since and until and since > until:
        raise ObservatoryError(
            f"--since {since:%Y-%m-%d} is after --until {until:%Y-%m-%d}: no day is computed. Swap them."
        )
    settings = config.load(config_file)
    check_key()
    stages = [each.value for each in stage or Stage]
    access.prepare(settings.lake.root, settings.lake.group)
    with writing(settings.lake.root, "observatory run"):
        problems = [] if stage else pull_all(settings, operator, is_followed=True)
        show_changes(run_stages(settings, operator, stages, since, until, requarantine))
    told(problems)


def check_key() -> None:
    """Fail before the work, not in the middle of it, if there is no pseudonym key."""
    from jobs.protect.pseudonyms import master_key

    master_key()


def run_stages(
    settings: config.Observatory,
    operator: str | None,
    stages: list[str],
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    requarantine: bool = False,
) -> Run:
    """Run the stages, with a line of progress for each, and name what counts twice; the run, done."""
    from jobs.cli.progress import Meter
    from jobs.core.patterns import visible
    from jobs.stages.runner import Run, run
    from jobs.state.status import unfolded_hops

    chosen = config.operators(settings, operator)
    with Meter(err, [each.id for each in chosen]) as meter, interruptible(meter.finished, stages):
        work = Run(
            lake=lake_of(settings),
            settings=settings,
            operators=chosen,
            run_id=new_run_id(),
            since=since.date() if since else None,
            until=until.date() if until else None,
            requarantine=requarantine,
            say=meter.say,
            move=meter.move,
        )
        run(work, stages)
    for note in work.notes:
        err.print(Text(visible(note)))
    for problem in unfolded_hops(work.lake, work.changed.get("silver.transmission", {})):
        err.print(Text(visible(problem)))
    return work


def new_run_id() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def show_changes(work: Run) -> None:
    """What a run wrote: a line per table."""
    table = Table("table", "operators", "periods", title="Written", title_justify="left")
    for name, periods in work.changed.items():
        if periods:
            days = sorted({day for of_operator in periods.values() for day in of_operator})
            table.add_row(name, str(len(periods)), days[0] if len(days) == 1 else f"{days[0]} … {days[-1]}")
    out.print(table if table.row_count else "Nothing new: every table is up to date.")


@app.command()
def renew(
    config_file: Config = Path("observatory.toml"),
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before tables are removed.")] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Also a lake of this form, as when landing was lost.")
    ] = False,
) -> None:
    """Bring a lake into this version's form, or under another pseudonym key.

    Removes bronze, silver, gold and the study's estimates, which the next runs compute anew. Keeps landing,
    and what landing cannot give back: audits, answers, packages and their receipts.
    """
    from jobs.engine.lake import Lake
    from jobs.stages import renew as renewal

    settings = config.load(config_file)
    lake = Lake(settings.lake.root)
    kept = renewal.to_keep(lake, settings, anew)
    out.print(f"Removes every table of {lake.root} but these, and then computes them anew from landing:")
    out.print("\n".join(f"  {table}" for table in kept) or "  (none)")
    for each in renewal.lost(lake, settings):
        err.print(Text(each))
    if not yes and not is_confirmed("Go on?"):
        raise ObservatoryError("nothing was changed; --yes goes on without asking")
    renewal.renew(lake, settings, anew)
    out.print("The lake has this version's form. `observatory run` now computes bronze, silver and gold.")


def is_confirmed(question: str) -> bool:
    """Whether a person says yes; no where nobody is there to answer."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False


@app.command()
def show(
    table: Annotated[
        str | None,
        typer.Argument(
            help="A table, such as gold.spam_volume_daily; without one, what the lake holds.",
            metavar="[TABLE]",
            show_default=False,
        ),
    ] = None,
    config_file: Config = Path("observatory.toml"),
    columns: Annotated[
        str | None, typer.Option(help="Only these columns, with commas.", show_default=False)
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="A SQL condition on its columns.", show_default=False)
    ] = None,
    sql: Annotated[
        str | None,
        typer.Option(help="In place of a table: a query over any of them, in DuckDB.", show_default=False),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="So many rows; 20 on a terminal, all in a file.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.table,
    output: Annotated[Path | None, typer.Option(help="Write to this file.", show_default=False)] = None,
) -> None:
    """Look at a table, as the last finished run left it.

    A narrow terminal shows the columns that fit, and names the others.
    """
    if sql is not None and (table or columns or where):
        raise ObservatoryError("--sql goes without a table, --columns and --where: the query names them")
    if table is not None and table not in contracts.tables():
        raise ObservatoryError(f"unknown table '{table}'{config.nearest(table, contracts.tables())}")
    if format is Format.parquet and output is None:
        raise ObservatoryError("--format parquet needs a file: add --output FILE")
    if output is not None and format is Format.table:
        format = Format.csv
    lake = lake_of(config.load(config_file))
    limit = limit or (20 if format is Format.table else None)
    if sql is not None:
        from jobs.cli.query import run_sql

        found, count = run_sql(lake, sql, limit)
        write_rows(found, "Result", format, output, out, err, count)
        return
    if table is None:
        from jobs.cli.query import show_lake

        show_lake(lake, out)
        return
    chosen = columns_of(columns, table)
    rows, count = read_rows(lake, table, where, limit, format is Format.parquet, chosen)
    about = contracts.contract(table)
    write_rows(rows, table, format, output, out, err, count, measures_first(about))


def measures_first(about: contracts.Contract) -> list[str]:
    """The columns of a table that a narrow terminal shows before others: its key and its numbers."""
    kinds = ("bigint", "int", "double", "decimal")
    return [*about.key, *(each.name for each in about.fields if each.type.startswith(kinds))]


@app.command()
def tables() -> None:
    """The catalogue: every table, what a row of it is, its key."""
    table = Table("table", "a row is", "key", title="Tables", title_justify="left")
    for name in contracts.tables():
        about = contracts.contract(name)
        table.add_row(name, about.description, ", ".join(about.key))
    out.print(table)


@app.command()
def quarantine(
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    source: Annotated[str | None, typer.Option(help="One source, by its id.")] = None,
    reason: Annotated[str | None, typer.Option(help="One reason, by its code.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many kinds of lines.")] = 20,
) -> None:
    """Lines that no rule understood, by what they look like: the commonest first.

    Addresses, numbers and names are masked. An example is a file, as it was called when it was pulled, and
    the byte where the line starts in it, decompressed.
    """
    settings = config.load(config_file)
    chosen = config.operators(settings, operator)
    check_choice("source", source, {each.id for one in chosen for each in one.source})
    check_choice("reason", reason, config.codes("quarantine_reason"))
    from jobs.core.patterns import pattern_text, visible
    from jobs.ingest.quarantine import patterns

    found = patterns(lake_of(settings), [each.id for each in chosen], source, reason)
    if found.is_empty():
        out.print("Nothing in quarantine: every line was understood.")
        return
    table = Table(title="Quarantine", title_justify="left", caption_justify="left")
    table.caption = f"{found['line_count'].sum():,} lines of {found.height:,} kinds" + (
        f"; the commonest {limit} are shown" if found.height > limit else ""
    )
    table.add_column("lines", justify="right")
    for name in ("operator", "source", "format", "reason", "for example"):
        table.add_column(name, overflow="fold")
    table.add_column("looks like", overflow="fold", ratio=1)
    for row in found.head(limit).iter_rows(named=True):
        example = f"{visible(row['file_name'] or '?')} @{row['offset']:,}"
        table.add_row(
            f"{row['line_count']:,}", row["operator_id"], row["source_id"], row["format_code"],
            row["reason_code"], Text(example), pattern_text(row["pattern"]),
        )  # fmt: skip
    out.print(table)


class SheetFormat(enum.StrEnum):
    xlsx = "xlsx"
    csv = "csv"


@audit.command("sample")
def audit_sample(
    month: Annotated[dt.datetime, typer.Option(formats=["%Y-%m"], help="The month, as 2026-11.")],
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    size: Annotated[int, typer.Option(min=1, help="Units to draw for each operator.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws others.")] = 1,
    least: Annotated[int, typer.Option(min=2, help="Units of each stratum at least.")] = 10,
    score_cuts: Annotated[str, typer.Option(help="Scores at which a band begins, joined by commas.")] = "0,4",
    output: Annotated[Path, typer.Option(help="Folder of the sheets.")] = Path("build/audit"),
    format: Annotated[
        list[SheetFormat] | None, typer.Option(help="Kind of sheet; may be given twice.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Draw anew and discard what was labelled.")
    ] = False,
) -> None:
    """Draw a sample of a month's messages for a person to label, and write the sheet."""
    cuts = cuts_of(score_cuts)
    settings = config.load(config_file)
    chosen = config.operators(settings, operator)
    formats = [each.value for each in format or [SheetFormat.xlsx]]
    work = audit_run(settings, chosen)
    from jobs.audit.command import sample
    from jobs.audit.drawing import Plan

    table = Table("operator", "stratum", title=f"Audit sample of {month:%Y-%m}", title_justify="left")
    table.add_column("units", justify="right")
    table.add_column("drawn", justify="right")
    written: list[Path] = []
    for each in chosen:
        plan = Plan(each.id, f"{month:%Y-%m}", size, seed, least, cuts)
        with err.status(f"Drawing for {each.id}"):
            strata, files = sample(work, plan, output, formats, replace)
        written += files
        for row in strata:
            counts = f"{row['population_count']:,}", f"{row['sampled_count']:,}"
            table.add_row(each.id, row["stratum_code"], *counts)
    out.print(table)
    for file in written:
        out.print(f"Sheet: {file.resolve()}", soft_wrap=True)


@audit.command("load")
def audit_load(
    file: Annotated[Path, typer.Argument(help="The filled sheet, .xlsx or .csv.")],
    config_file: Config = Path("observatory.toml"),
) -> None:
    """Take the labels of a filled sheet, and estimate the quality of the filter anew."""
    from jobs.audit import sheet

    settings = config.load(config_file)
    # A file that is not a sheet is refused before the runner is imported.
    sheet.read(file)
    work = audit_run(settings, list(settings.operator))
    from jobs.audit.command import load

    with err.status(f"Loading {file.name}"):
        rows = load(work, file)
    table = Table("operator", "month", "channel", title="Audit", title_justify="left")
    for name in ("drawn", "labelled", "cannot tell", "no label", "spam, 95%", "sensitivity", "specificity"):
        table.add_column(name, justify="right")
    for row in rows:
        silent = row["sampled_count"] - row["labelled_count"] - row["unsure_count"]
        counts = (row["sampled_count"], row["labelled_count"], row["unsure_count"], silent)
        table.add_row(
            row["operator_id"], row["period_code"], row["channel_code"], *(f"{each:,}" for each in counts),
            *(interval_text(row, name) for name in ("prevalence", "sensitivity", "specificity")),
        )  # fmt: skip
    out.print(table)


def audit_run(settings: config.Observatory, chosen: list[config.Operator]) -> Run:
    from jobs.stages.runner import Run

    return Run(
        lake=lake_of(settings),
        settings=settings,
        operators=chosen,
        run_id=new_run_id(),
        say=lambda text: None,
    )


def cuts_of(text: str) -> tuple[float, ...]:
    """Scores from text such as 0,4: rising numbers."""
    try:
        cuts = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise ObservatoryError(f"--score-cuts: '{text}' must be numbers joined by commas, as 0,4") from None
    if list(cuts) != sorted(set(cuts)):
        raise ObservatoryError(f"--score-cuts: '{text}' must rise, as 0,4")
    return cuts


def interval_text(row: dict[str, Any], name: str) -> str:
    """An estimate with its interval: 41.2% (38.0–44.5); nothing where the labels give none."""
    if row[name] is None:
        return ""
    return f"{row[name]:.1%} ({row[f'{name}_low'] * 100:.1f}–{row[f'{name}_high'] * 100:.1f})"


def check_choice(option: str, value: str | None, known: Any) -> None:
    if value is not None and value not in known:
        raise ObservatoryError(f"--{option}: unknown '{value}'{config.nearest(value, known)}")


@app.command()
def sniff(
    files: Annotated[
        list[str], typer.Argument(help="Logs, wildcards in quotes, or - for standard input.", metavar="FILE…")
    ],
    seconds: Annotated[
        float, typer.Option(min=1, help="Time to take: what cannot be read in it is estimated.")
    ] = 8,
    format: Annotated[TextFormat, typer.Option(help="How to print it.")] = TextFormat.text,
    profile: Annotated[
        str | None, typer.Option(help="Read them through this mapping profile: a name, or a path to one.")
    ] = None,
    ignored: Annotated[
        bool, typer.Option("--ignored", help="Show the commonest ignored lines, masked.")
    ] = False,
) -> None:
    """What a log is, how much of it is understood, what ingesting it would give. Stores nothing.

    Needs no settings. Ends with exit code 2 if a file cannot be read or is of no known
    format.
    """
    from jobs.sniff.command import sniff

    # What the start took is part of the wait.
    start = min(time.monotonic() - STARTED, LONGEST_START)
    until = time.monotonic() + seconds - start
    sniff(files, until, format is TextFormat.json, wide(out), err, profile, ignored)


def wide(console: Console) -> Console:
    """The console; a piped one, which has no width of its own, as wide as a large terminal."""
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console


@app.command()
def demo(
    config_file: Config = Path("sample_data/observatory.toml"),
    report: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("build/report"),
    membership: Annotated[
        Path, typer.Option(help="Folder of the made-up membership that is estimated.")
    ] = Path("sample_data/membership"),
) -> None:
    """Run the sample study on this machine, from logs to the report page and estimates of the world."""
    from jobs.cli.demo import results, world

    use_demo_key()
    settings = config.load(config_file)
    problems = pull_all(settings, None, is_followed=True)
    work = run_stages(settings, None, [each.value for each in Stage])
    estimate_demo(work, membership)
    for table in (*results(work.lake), world(work.lake)):
        out.print(table)
    told(problems)
    write_report(work.lake, settings, report)


def estimate_demo(work: Run, membership: Path) -> None:
    """Estimate the study of the sample's membership, unless the lake holds the estimates already."""
    from jobs.study.estimate import study_stage

    if study_stage.is_current(work.lake, work.settings, membership):
        return
    with err.status("study") as status:
        study_stage.land(work.lake, membership, work.run_id)
        study_stage.estimate(work.lake, work.settings, membership, work.run_id, status.update)


@app.command()
def report(
    logs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Logs, or wildcards in quotes: the page is drawn of them, without settings.",
            metavar="[LOG]…",
        ),
    ] = None,
    config_file: Config = Path("observatory.toml"),
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the report: ./report of logs, ./build/report of a lake.", show_default=False
        ),
    ] = None,
    country: Annotated[
        str | None, typer.Option(help="Of logs: the operator's country, as CHE.", show_default=False)
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Of logs: keep the lake, and print where it is.")
    ] = False,
) -> None:
    """Draw the report page: of logs, in one step, or of the lake that the settings name.

    Of logs it needs no settings: formats, own domains and networks are taken from the logs, the lake is a
    private temporary folder, and what was assumed is printed.
    """
    if not logs:
        if keep or country:
            raise ObservatoryError("--keep and --country are for a report of logs: name them")
        settings = config.load(config_file)
        write_report(lake_of(settings), settings, output or Path("build/report"))
        return
    from jobs.cli import first as first

    first.report(logs, output or Path("report"), keep, country, out, err, run_all, draw_page)


@app.command()
def init(
    logs: Annotated[
        list[str], typer.Argument(help="Logs of one operator, or wildcards in quotes.", metavar="LOG…")
    ],
    output: Annotated[Path, typer.Option(help="The settings file to write.")] = Path("observatory.toml"),
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: take what the logs propose.")] = False,
) -> None:
    """Write a settings file, with a comment for each setting, and a key from logs.

    Formats, time zones, own domains and links come from the logs; what they do not say is asked.
    Nothing is overwritten.
    """
    from jobs.cli import first as first

    first.init(logs, output, yes, out, err)


def run_all(settings: config.Observatory) -> list[str]:
    """Pull and all stages; the problems of sources."""
    problems = pull_all(settings, None, is_followed=True)
    run_stages(settings, None, [each.value for each in Stage])
    return problems


def draw_page(settings: config.Observatory, folder: Path) -> Path:
    """The page of a lake, and its main figures on the terminal."""
    from jobs.cli.demo import results
    from jobs.report.write import write

    lake = lake_of(settings)
    with err.status("Drawing the report"):
        page = write(lake, settings, folder)
    volume, types, *_ = results(lake)
    for table in (volume, types):
        if table.row_count:
            out.print(table)
    return page


def write_report(lake: Lake, settings: config.Observatory, folder: Path) -> None:
    from jobs.report.write import left_out, write

    with err.status("Drawing the report"):
        page = write(lake, settings, folder)
    for operator_id in left_out(lake, settings):
        err.print(
            f"Operator '{operator_id}' is in the lake, but not in the settings: the report leaves it out."
            " Add it to the settings to have it in the report"
        )
    out.print(f"Report: {page.resolve()}", soft_wrap=True)


def use_demo_key() -> None:
    """The sample study's own key: made once, kept under build/, readable by its user alone."""
    from jobs.core.machine import HOME
    from jobs.protect.pseudonyms import KEY, KEY_FILE

    if os.environ.get(KEY) or os.environ.get(KEY_FILE):
        return
    file = HOME / "secrets" / "pseudonym.key"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as new:
            new.write(secrets.token_hex(32))
        os.chmod(new.name, 0o600)
        os.replace(new.name, file)
    os.environ[KEY_FILE] = str(file)


def main() -> None:
    """Run the command line; an error that a person can act on is a message and an exit code."""
    try:
        app()
    except SystemExit as end:
        # Typer ends with 1 when nobody reads its output any more, as in `show | head`.
        sys.exit(CLOSED_PIPE if end.code == 1 else end.code)
    except ObservatoryError as error:
        tell(error)
    except Exception as error:
        if not is_full(error):
            raise
        tell(DiskFull("a table or file of the lake"))


def tell(error: ObservatoryError) -> NoReturn:
    """Print what is wrong, with control characters of file names and lines shown, not obeyed, and end."""
    say_error(str(error))
    sys.exit(error.exit_code)


def say_error(text: str) -> None:
    from rich.markup import escape

    from jobs.core.patterns import visible

    err.print(f"[bold red]Error:[/] {escape(chr(10).join(map(visible, text.splitlines())))}")


def command() -> None:
    """main() as a program of its own: a crash is a short message and exit code 4, Ctrl-C exit code 130."""
    catch()
    try:
        main()
    except SystemExit:
        raise
    except (Interrupted, KeyboardInterrupt) as stop:
        err.print(str(stop) or "Stopped.", highlight=False)
        sys.exit(INTERRUPTED)
    # A panic of Polars is no Exception.
    except BaseException as error:
        crash(error)


def crash(error: BaseException) -> NoReturn:
    """Print what happened and where its traceback is, in a file that its owner alone can read, and end."""
    lines = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {lines[0][:MESSAGE]}" if lines else type(error).__name__
    trace = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="observatory-crash-", suffix=".txt", encoding="utf-8", delete=False
        ) as file:
            file.write(trace)
        where = f"The traceback is in {file.name}."
    except OSError:
        where = f"The traceback could not be written to a file:\n{trace}"
    text = (
        f"the program crashed: {what}\n{where}\n"
        "The tables hold what finished stages wrote. Run the same command again; report a crash that repeats."
    )
    try:
        say_error(text)
    except Exception:
        # Whatever is broken may be needed for the message, too.
        sys.stderr.write(f"Error: {text}\n")
    sys.exit(CRASHED)
