"""The command line, `observatory`.

Exit codes: 0 done, 1 a validation held publication back, 2 wrong input or settings.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import importlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from jobs import STARTED, config, contracts, study_command
from jobs.costs import command as costs
from jobs.errors import ObservatoryError, of_task
from jobs.questionnaire.command import app as questionnaire
from jobs.space import DiskFull, is_full
from jobs.submission.command import submit

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
app.add_typer(study_command.app, name="study")
app.command()(submit)
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


class Format(enum.StrEnum):
    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


# Seconds that starting may take from the time of `sniff`.
LONGEST_START = 2.0


class TextFormat(enum.StrEnum):
    text = "text"
    json = "json"


def lake_of(settings: config.Observatory, log_bytes: int | None = None) -> Any:
    """The lake of the settings, with the Spark session that it is seen through.

    log_bytes: as open_session() has it.
    """
    with err.status("Starting Spark"):
        from jobs.lake import Lake
        from jobs.session import open_session

        return Lake(open_session(settings.spark, log_bytes=log_bytes), settings.lake.root)


def pull_all(settings: config.Observatory, operator: str | None) -> tuple[list[str], int]:
    """Pull every source: what could not be read, to be told at the end, and the bytes that are new."""
    from jobs.pull import pull

    problems: list[str] = []
    pieces = size = 0
    for each in config.operators(settings, operator):
        pulled = pull(each, settings.lake.root, dt.datetime.now(dt.UTC))
        pieces, size = pieces + pulled.pieces, size + pulled.bytes
        problems += pulled.problems
    err.print(f"pull: {pieces} new piece{'' if pieces == 1 else 's'}, {size / 1e6:,.1f} MB")
    return problems, size


def told(problems: list[str]) -> None:
    """End with exit code 2 if a source could not be read; everything else was done."""
    if problems:
        raise ObservatoryError("\n".join(problems))


@app.command()
def pull(config_file: Config = Path("observatory.toml"), operator: OperatorId = None) -> None:
    """Land what is new in the operators' sources. Starts no Spark."""
    problems, _ = pull_all(config.load(config_file), operator)
    told(problems)


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
    settings = config.load(config_file)
    check_key()
    problems, pulled = ([], None) if stage else pull_all(settings, operator)
    # Days that are computed again, and lines that are read again, may be any number.
    log_bytes = None if since or until or requarantine else pulled
    stages = [each.value for each in stage or Stage]
    work = run_stages(settings, operator, stages, since, until, requarantine, log_bytes)
    show_changes(work)
    told(problems)


def check_key() -> None:
    """Fail before the work, not in the middle of it, if there is no pseudonym key."""
    from jobs.protect import master_key

    master_key()


def run_stages(
    settings: config.Observatory,
    operator: str | None,
    stages: list[str],
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    requarantine: bool = False,
    log_bytes: int | None = None,
) -> Any:
    """Run the stages with a progress bar; the run and what it did."""
    from jobs.runner import Run, run

    # Its import takes seconds of Python, in which Spark starts.
    threading.Thread(target=importlib.import_module, args=["great_expectations"], daemon=True).start()
    lake = lake_of(settings, log_bytes)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=not err.is_terminal) as progress:
        task = progress.add_task("", total=len(stages))
        work = Run(
            lake=lake,
            settings=settings,
            operators=config.operators(settings, operator),
            run_id=dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ"),
            since=since.date() if since else None,
            until=until.date() if until else None,
            requarantine=requarantine,
            say=lambda text: progress.update(task, description=text),
        )
        for name in stages:
            run(work, [name])
            progress.advance(task)
        progress.update(task, description="done")
    return work


def show_changes(work: Any) -> None:
    """What a run wrote: a line per table."""
    table = Table("table", "operators", "periods", title="Written", title_justify="left")
    for name, periods in work.changed.items():
        if periods:
            days = sorted({day for of_operator in periods.values() for day in of_operator})
            table.add_row(name, str(len(periods)), days[0] if len(days) == 1 else f"{days[0]} … {days[-1]}")
    out.print(table if table.row_count else "Nothing new: every table is up to date.")


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="A table, such as gold.spam_volume_daily.")],
    config_file: Config = Path("observatory.toml"),
    where: Annotated[str | None, typer.Option(help="A SQL condition on its columns.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="So many rows; 20 on a terminal, all in a file.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.table,
    output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
) -> None:
    """Look at a table, as the last finished run left it."""
    if table not in contracts.tables():
        raise ObservatoryError(f"unknown table '{table}'{config.nearest(table, contracts.tables())}")
    if format is Format.parquet and output is None:
        raise ObservatoryError("--format parquet needs a file: add --output FILE")
    settings = config.load(config_file)
    lake = lake_of(settings)
    rows = read_rows(
        lake,
        settings,
        table,
        where,
        limit or (20 if format is Format.table else None),
        has_sketches=format is Format.parquet,
    )
    write_rows(rows, table, format, output)


def read_rows(
    lake: Any,
    settings: config.Observatory,
    table: str,
    where: str | None,
    limit: int | None,
    has_sketches: bool = True,
) -> Any:
    """Rows of a table as Arrow, in the order of its key; sketches as they are, or as what they count."""
    from pyspark.errors import PySparkException

    frame = lake.read(table, lake.versions().get(table))
    about = contracts.contract(table)
    if not has_sketches:
        frame = with_estimates(frame, about)
    if where is None:
        return rows_in_order(frame, about.key, limit)
    try:
        # A value that does not fit its column shows only when rows are read.
        return rows_in_order(frame.filter(where), about.key, limit)
    except PySparkException as error:
        reason = str(error).splitlines()[0]
        raise ObservatoryError(f"--where: {reason} Columns: {', '.join(about.columns)}") from None


def with_estimates(frame: Any, about: contracts.Contract) -> Any:
    """The frame with the count that each sketch estimates in its place; exact up to 4,096."""
    from pyspark.sql import functions as F

    sketches = {field.name for field in about.fields if field.type == "binary"}
    return frame.select(
        *(
            F.theta_sketch_estimate(name).alias(name) if name in sketches else F.col(name)
            for name in about.columns
        )
    )


def rows_in_order(frame: Any, key: tuple[str, ...], limit: int | None) -> Any:
    ordered = frame.orderBy(*key)
    return (ordered.limit(limit) if limit else ordered).toArrow()


def write_rows(rows: Any, table: str, format: Format, output: Path | None) -> None:
    """Print or write Arrow rows; in text formats nested values become JSON, and sketches hexadecimal."""
    import polars as pl

    from jobs.plain import as_csv, as_json

    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    if format is not Format.parquet:
        frame = frame.with_columns(pl.selectors.binary().bin.encode("hex"))
    if format is Format.table:
        out.print(terminal_table(frame, table))
        return
    try:
        if format is Format.parquet:
            assert output is not None
            frame.write_parquet(output)
        else:
            text = as_json(frame) if format is Format.json else as_csv(flat(frame))
            output.write_text(text, encoding="utf-8") if output else sys.stdout.write(text)
    except OSError as error:
        raise ObservatoryError(f"--output {output}: {error.strerror or error}") from None
    if output:
        err.print(f"{frame.height:,} rows in {output}")


def flat(frame: Any) -> Any:
    """The frame with its nested values as JSON."""
    import polars as pl

    def as_json(name: str) -> Any:
        values = [
            value if value is None else json.dumps(value, default=str) for value in frame[name].to_list()
        ]
        return pl.Series(name, values, dtype=pl.String)

    return frame.with_columns(as_json(name) for name, kind in frame.schema.items() if kind.is_nested())


def terminal_table(frame: Any, title: str) -> Table:
    """A table for the terminal: numbers to the right with separators, nothing cut silently."""
    from jobs.patterns import visible

    numeric = {name for name, kind in frame.schema.items() if kind.is_numeric()}
    table = Table(
        title=title, title_justify="left", caption=f"{frame.height:,} rows shown", caption_justify="left"
    )
    for name in frame.columns:
        table.add_column(name, justify="right" if name in numeric else "left", overflow="fold")
    for row in frame.iter_rows():
        table.add_row(
            *(
                "" if value is None else f"{value:,}" if isinstance(value, int) else Text(visible(str(value)))
                for value in row
            )
        )
    return table


@app.command()
def tables() -> None:
    """The catalogue: every table, what a row of it is, its key. Starts no Spark."""
    table = Table("table", "a row is", "key", title="Tables", title_justify="left")
    for name in contracts.tables():
        about = contracts.contract(name)
        table.add_row(name, about.description, ", ".join(about.key))
    out.print(table)


@app.command()
def status(config_file: Config = Path("observatory.toml"), operator: OperatorId = None) -> None:
    """The ledger: each source's files, lines, quarantine, joins and freshness; last validations."""
    from jobs.status import ledger_rows, validation_rows, waiting_bytes

    settings = config.load(config_file)
    names = {each.id for each in config.operators(settings, operator)}
    lake = lake_of(settings)
    waiting = waiting_bytes(settings)
    today = dt.datetime.now(dt.UTC).date()
    # On a narrow terminal counts break over lines; a source's name stays one to copy.
    wide(out)
    ledger = Table(title="Sources", title_justify="left")
    for name in ("operator", "source", "format"):
        ledger.add_column(name, no_wrap=True)
    for name in ("files", "lines", "records", "ignored", "quarantined", "waiting", "newest day", "last pull"):
        ledger.add_column(name, justify="right", overflow="fold")
    for row in ledger_rows(lake):
        if row.operator_id in names:
            ledger.add_row(
                row.operator_id, row.source_id, row.format_code, f"{row.files:,}", f"{row.lines:,}",
                f"{row.records:,}", f"{row.ignored:,}", with_share(row.quarantined, row.lines),
                f"{waiting.get((row.operator_id, row.source_id), 0):,} B", with_age(row.newest, today),
                f"{row.landed:%Y-%m-%d %H:%M}" if row.landed else "",
            )  # fmt: skip
    out.print(ledger)
    show_joins(lake, names)
    checked = Table("table", "rules", "broken", title="Last validation", title_justify="left")
    for name, rules, broken in validation_rows(lake.root):
        checked.add_row(name, str(rules), str(broken))
    out.print(checked)


def with_share(part: int, whole: int) -> str:
    """A count, and its share where there is any: 3 (0.06%)."""
    return f"{part:,} ({part / whole:.2%})" if part else f"{part:,}"


def with_age(day: dt.date | None, today: dt.date) -> str:
    """A day, and how long ago it was."""
    if day is None:
        return ""
    days = (today - day).days
    return f"{day} ({'today' if days == 0 else 'yesterday' if days == 1 else f'{days:,} days ago'})"


def show_joins(lake: Any, operators: set[str]) -> None:
    """How verdicts were joined to mails, reports to SMS, rows to calls: a line per operator and source."""
    from jobs.status import JOIN_QUALITY, join_rows

    table = Table(
        title="Recipients and calls by how what tells of them was joined",
        title_justify="left",
        caption_justify="left",
    )
    for name in ("operator", "source"):
        table.add_column(name)
    for name in ("units", "exact", "by message-id", "by numbers", "none"):
        table.add_column(name, justify="right")
    for row in join_rows(lake):
        if row.operator_id in operators:
            shares = (f"{row[code] / row.units:.1%}" for code in JOIN_QUALITY)
            table.add_row(row.operator_id, row.source_id, f"{row.units:,}", *shares)
    if table.row_count:
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
    from jobs.patterns import pattern_text, visible

    settings = config.load(config_file)
    chosen = config.operators(settings, operator)
    check_choice("source", source, {each.id for one in chosen for each in one.source})
    check_choice("reason", reason, config.codes("quarantine_reason"))
    lake = lake_of(settings)
    from jobs.quarantine import patterns, top

    rows, kinds, lines = top(patterns(lake, [each.id for each in chosen], source, reason), limit)
    if not rows:
        out.print("Nothing in quarantine: every line was understood.")
        return
    table = Table(title="Quarantine", title_justify="left", caption_justify="left")
    table.caption = f"{lines:,} lines of {kinds:,} kinds" + (
        f"; the commonest {len(rows)} are shown" if kinds > len(rows) else ""
    )
    table.add_column("lines", justify="right")
    for name in ("operator", "source", "format", "reason", "for example"):
        table.add_column(name, overflow="fold")
    table.add_column("looks like", overflow="fold", ratio=1)
    for row in rows:
        example = f"{visible(row.file_name or '?')} @{row.offset:,}"
        table.add_row(
            f"{row.line_count:,}", row.operator_id, row.source_id, row.format_code, row.reason_code,
            Text(example), pattern_text(row.pattern),
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
    # A file that is no sheet is told before Spark has started.
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


def audit_run(settings: config.Observatory, chosen: list[config.Operator]) -> Any:
    lake = lake_of(settings)
    from jobs.runner import Run

    run_id = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return Run(lake, settings, chosen, run_id, say=lambda text: None)


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
) -> None:
    """What a log is, how much of it is understood, what ingesting it would give. Stores nothing.

    Needs no settings and starts no Spark. Ends with exit code 2 if a file cannot be read or is of no known
    format.
    """
    from jobs.sniff.command import sniff

    # What the start took is part of the wait.
    start = min(time.monotonic() - STARTED, LONGEST_START)
    sniff(files, time.monotonic() + seconds - start, format is TextFormat.json, wide(out), err, profile)


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
    from jobs.demo import results, world

    use_demo_key()
    settings = config.load(config_file)
    problems, pulled = pull_all(settings, None)
    work = run_stages(settings, None, [each.value for each in Stage], log_bytes=pulled)
    estimate_demo(work, membership)
    for table in (*results(work.lake), world(work.lake)):
        out.print(table)
    told(problems)
    write_report(work, report)


def estimate_demo(work: Any, membership: Path) -> None:
    """Estimate the study of the sample's membership, unless it stands already."""
    from jobs import study_run

    if study_run.is_current(work.lake, work.settings, membership):
        return
    with err.status("study") as status:
        study_run.land(work.lake, membership, work.run_id)
        study_run.estimate(work.lake, work.settings, membership, work.run_id, status.update)


@app.command()
def report(
    config_file: Config = Path("observatory.toml"),
    output: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("build/report"),
) -> None:
    """Draw the report page from the gold tables as the last finished run left them."""
    from jobs.runner import Run

    settings = config.load(config_file)
    lake = lake_of(settings)
    write_report(Run(lake, settings, list(settings.operator), run_id="report"), output)


def write_report(work: Any, folder: Path) -> None:
    from jobs.release.write import write

    with err.status("Drawing the report"):
        page = write(work.lake, work.settings, folder)
    out.print(f"Report: {page.resolve()}", soft_wrap=True)


def use_demo_key() -> None:
    """The sample study's own key: made once, kept under build/, readable by its user alone."""
    from jobs.protect import KEY, KEY_FILE
    from jobs.toolchain import HOME

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
    """Run the command line; an error is a message and an exit code, not a stack trace."""
    try:
        app()
    except ObservatoryError as error:
        tell(error)
    except Exception as error:
        if told := of_task(error):
            tell(told)
        if not is_full(error):
            raise
        tell(DiskFull("a table or file of the lake"))


def tell(error: ObservatoryError) -> NoReturn:
    """Say what is wrong, with what a file's name or a line may hold shown and not obeyed, and end."""
    from jobs.patterns import visible

    lines = (visible(line) for line in str(error).splitlines())
    err.print(f"[bold red]Error:[/] {escaped(chr(10).join(lines))}")
    sys.exit(error.exit_code)


def command() -> None:
    """main() as a program of its own."""
    try:
        main()
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else int(end.code is not None))


def leave(code: int) -> None:
    """End the program; where Spark ran, without Python's own teardown.

    Py4J's daemon threads may still run while Python takes itself apart, which then crashes a command that has
    done its work.
    """
    if "pyspark" not in sys.modules:
        sys.exit(code)
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is not None:
        session.stop()
    # Under spark-submit the Java started this program, and not the other way round: there is none to end.
    gateway = SparkContext._gateway
    java = getattr(gateway, "proc", None)
    if gateway is not None and java is not None:
        # The Java that this program started ends with it, and its time is counted as this program's.
        gateway.shutdown()
        java.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            java.wait(30)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    command()
