"""The commands `observatory audit sample`, `load` and `due`: sheets for people to label, their labels, and
which months still lack them."""

from __future__ import annotations

import datetime as dt
import enum
import json as json_format
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_interval, format_share
from jobs.base.settings import config
from jobs.base.settings.operator import Operator
from jobs.base.tables.contracts import Row
from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import err, out
from jobs.operators.ingest.source_options import load_with_options

if TYPE_CHECKING:
    from jobs.operators.build.run import Run
STATES = {"done": "done", "labelling": "labels are missing", "not_drawn": "no sample"}
app = typer.Typer(no_args_is_help=True, help="Measure filter error with a labelled sample.")


class SheetFormat(enum.StrEnum):
    xlsx = "xlsx"
    csv = "csv"


@app.command("sample")
def audit_sample(
    month: Annotated[dt.datetime, typer.Option(formats=["%Y-%m"], help="The month, as 2026-11.")],
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    size: Annotated[int, typer.Option(min=1, help="Units to draw for each operator.")] = 400,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the draw: the same seed draws the same messages.")
    ] = 1,
    least: Annotated[int, typer.Option(min=2, help="Fewest units to draw from each stratum.")] = 10,
    score_cuts: Annotated[str, typer.Option(help="Scores at which a band begins, joined by commas.")] = "0,4",
    output: Annotated[Path, typer.Option(help="Folder of the sheets.")] = Path("build/audit"),
    format: Annotated[
        list[SheetFormat] | None, typer.Option(help="Kind of sheet; may be given twice.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Draw again, and discard sample and labels.")
    ] = False,
) -> None:
    """Draw a sample of a month's messages for a person to label, and write the sheet."""
    cuts = parse_cuts(score_cuts)
    settings = load_with_options(config_file)
    chosen = config.choose_operators(settings, operator)
    formats = [each.value for each in format or [SheetFormat.xlsx]]
    work = audit_run(settings, chosen)
    from jobs.operators.audit.command import write_sample
    from jobs.operators.audit.sample_drawing import SamplePlan

    table = Table("operator", "stratum", title=f"Audit sample of {month:%Y-%m}", title_justify="left")
    table.add_column("units", justify="right")
    table.add_column("drawn", justify="right")
    written: list[Path] = []
    for each in chosen:
        plan = SamplePlan(each.id, f"{month:%Y-%m}", size, seed, least, cuts)
        with err.status(f"Drawing for {each.id}"):
            strata, files = write_sample(work, plan, output, formats, replace)
        written += files
        for row in strata:
            counts = f"{row['population_count']:,}", f"{row['sampled_count']:,}"
            table.add_row(each.id, row["stratum_code"], *counts)
    out.print(table)
    for file in written:
        out.say(f"Sheet: {file.resolve()}")


@app.command("load")
def audit_load(
    file: Annotated[Path, typer.Argument(help="The filled sheet, .xlsx or .csv.")],
    config_file: Config = Path("observatory.toml"),
) -> None:
    """Load the labels of a filled sheet, and estimate the quality of the filter again."""
    from jobs.operators.audit import sheet

    settings = load_with_options(config_file)
    # A file that is not a sheet is refused before the runner is imported.
    sheet.read_sheet(file)
    work = audit_run(settings, list(settings.operator))
    from jobs.operators.audit.command import load_labels

    with err.status(f"Loading {file.name}"):
        rows = load_labels(work, file)
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


@app.command("due")
def audit_due(
    period: Annotated[str, typer.Option(help="A month as 2026-11, a quarter as 2026-Q4, or a year.")],
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each channel.")] = False,
) -> None:
    """See which months and channels lack an audit, and what to do. Figures without one are not corrected."""
    from jobs.base.store.lake import open_lake
    from jobs.operators.audit.due_audits import list_audits

    settings = load_with_options(config_file)
    operators = [each.id for each in config.choose_operators(settings, operator)]
    found = list_audits(open_lake(settings.lake.root), operators, period)
    if json:
        sys.stdout.write(json_format.dumps([asdict(each) for each in found], indent=1) + "\n")
        return
    table = Table("operator", "month", "channel", "audit", title=f"Audits of {period}", title_justify="left")
    for each in found:
        table.add_row(each.operator_id, each.period_code, each.channel_code, STATES[each.audit_code])
    out.print(table)
    for step in dict.fromkeys(each.step for each in found if each.step):
        out.say(step)


def audit_run(settings: config.Observatory, chosen: list[Operator]) -> Run:
    from jobs.base.store import record
    from jobs.base.store.lake import open_lake
    from jobs.operators.build.run import Run

    return Run(
        lake=open_lake(settings.lake.root),
        settings=settings,
        operators=chosen,
        run_id=record.new_run_id(),
        report_step=lambda text: None,
    )


def parse_cuts(text: str) -> tuple[float, ...]:
    """Scores from text such as 0,4: rising numbers."""
    try:
        cuts = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise ObservatoryError(f"--score-cuts: '{text}' must be numbers joined by commas, as 0,4") from None
    if list(cuts) != sorted(set(cuts)):
        raise ObservatoryError(f"--score-cuts: '{text}' must rise, as 0,4")
    return cuts


def interval_text(row: Row, name: str) -> str:
    """An estimate with its interval: 41.2% (38.0–44.5); nothing where the labels give none."""
    if row[name] is None:
        return ""
    ends = format_interval(row[f"{name}_low"], row[f"{name}_high"], format_share)
    return f"{format_share(row[name])} ({ends})"
