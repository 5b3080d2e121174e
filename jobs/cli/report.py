"""The command `observatory report`: draw the page of a lake, or of logs in one step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli.arguments import Config
from jobs.cli.console import err, out
from jobs.cli.pipeline import run_all
from jobs.core.errors import ObservatoryError
from jobs.formats.options import load_with_options
from jobs.settings import config

if TYPE_CHECKING:
    from jobs.engine.lake import Lake


def report(
    logs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Logs, or wildcards in quotes: draws the page from them, without settings.",
            metavar="[LOG]…",
        ),
    ] = None,
    config_file: Config = Path("observatory.toml"),
    output: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("report"),
    country: Annotated[str | None, typer.Option(help="From logs: the operator's country, as CHE.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="From logs: keep the lake, and print where it is.")
    ] = False,
) -> None:
    """Draw the report page: from logs in one step, or from the lake that the settings name.

    From logs it needs no settings: formats, own domains and networks are taken from the logs, the lake is a
    private temporary folder, and what was assumed is printed.
    """
    if not logs:
        if keep or country:
            raise ObservatoryError("--keep and --country are for a report of logs: name them")
        settings = load_with_options(config_file)
        from jobs.engine.lake import open_lake

        write_report(open_lake(settings.lake.root), settings, output)
        return
    from jobs.cli import from_logs

    from_logs.report_logs(logs, output, keep, country, out, err, run_all, draw_page)


def draw_page(settings: config.Observatory, folder: Path, domains: Sequence[str]) -> Path:
    """Draw the page of a lake, and print its main figures; the page's path.

    domains: those of the recipients, if the operator's own domains are not known.
    """
    from rich.text import Text

    from jobs.cli.main_figures import main_tables, unclaimed_channels
    from jobs.engine.lake import open_lake
    from jobs.report.unclaimed import describe_unclaimed
    from jobs.report.write import update_page

    lake = open_lake(settings.lake.root)
    with err.status("Drawing the report"):
        page = update_page(lake, settings, folder, domains)
    found = unclaimed_channels(lake, settings)
    volume, types, *_ = main_tables(lake, [each.channel_code for each in found])
    for table in (volume, types):
        if table.row_count:
            out.print(table)
    for each in found:
        out.print(Text(describe_unclaimed(each, domains)))
    return page


def write_report(lake: Lake, settings: config.Observatory, folder: Path) -> None:
    from jobs.report.write import list_left_out, update_page

    with err.status("Drawing the report"):
        page = update_page(lake, settings, folder)
    for operator_id in list_left_out(lake, settings):
        err.print(
            f"Operator '{operator_id}' is in the lake, but not in the settings: the report leaves it out."
            " Add it to the settings to have it in the report"
        )
    out.print(f"Report: {page.resolve()}", soft_wrap=True)
