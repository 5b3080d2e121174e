"""The command `observatory report`: draw the page of a lake, or of logs in one step."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.base.core.errors import ObservatoryError
from jobs.base.settings import config
from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import err, out
from jobs.cli.operators.pipeline import run_all
from jobs.operators.ingest.source_options import load_with_options

if TYPE_CHECKING:
    import polars as pl

    from jobs.base.store.lake import Lake


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
    text: Annotated[
        bool, typer.Option("--text", help="Print the last day in 40 lines, as for a mail; draw no page.")
    ] = False,
    day: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="With --text: another day (UTC).")
    ] = None,
    operator: OperatorId = None,
) -> None:
    """Draw the report page: from logs in one step, or from the lake that the settings name.

    From logs it needs no settings: formats, own domains and networks are taken from the logs, the lake is a
    private temporary folder, and what was assumed is printed.
    """
    if text:
        if logs or keep or country:
            raise ObservatoryError("--text prints a day of the lake that the settings name: name no logs")
        print_days(config_file, operator, day.date() if day else None)
        return
    if day or operator:
        raise ObservatoryError("--day and --operator are for --text: the page has all days and operators")
    if not logs:
        if keep or country:
            raise ObservatoryError("--keep and --country are for a report of logs: name them")
        settings = load_with_options(config_file)
        from jobs.base.store.lake import open_lake

        write_report(open_lake(settings.lake.root), settings, output)
        return
    from jobs.cli.operators import proposed_settings

    proposed_settings.report_logs(logs, output, keep, country, out, err, run_all, draw_page)


def print_days(config_file: Path, operator: str | None, day: dt.date | None) -> None:
    """Print a day of each operator: the one given, else the last that has ended and has records."""
    import polars as pl

    from jobs.base.store.lake import open_lake
    from jobs.base.store.record import utc_now
    from jobs.operators.state.day_text import VOLUME, write_day
    from jobs.operators.state.jumps import find_jumps

    settings = load_with_options(config_file)
    chosen = config.choose_operators(settings, operator)
    lake = open_lake(settings.lake.root)
    versions = lake.versions()
    today = (settings.lake.read_at or utc_now()).date()
    jumps = find_jumps(lake, {each.id for each in chosen})
    known: dict[str, set[dt.date]] = {each.id: set() for each in chosen}
    for file in lake.files(VOLUME, versions.get(VOLUME)):
        days = known.get(str(file.partition_value("operator_id")), set())
        days.add(dt.date.fromisoformat(str(file.partition_value("period_date"))))
    lacking = []
    for each in chosen:
        wanted = day or max((one for one in known[each.id] if one < today), default=None)
        if wanted is None or wanted not in known[each.id]:
            lacking.append(f"operator '{each.id}' has no figures of {wanted or f'a day before {today}'}")
            continue

        def read_days(table: str, days: Sequence[dt.date], operator_id: str = each.id) -> pl.DataFrame:
            of_day = (pl.col("operator_id") == operator_id) & pl.col("period_date").is_in(list(days))
            return lake.read(table, versions.get(table), where=of_day)

        lines = write_day(read_days, each.name, wanted, jumps[each.id])
        out.file.write("\n".join(lines) + "\n\n")
    if lacking:
        raise ObservatoryError(
            f"{'; '.join(lacking)}. `observatory run` computes them, and `observatory status` says what the"
            " logs lack"
        )


def draw_page(settings: config.Observatory, folder: Path, domains: Sequence[str]) -> Path:
    """Draw the page of a lake, and print its main figures; the page's path.

    Args:
        domains: those of the recipients, if the operator's own domains are not known.
    """
    from rich.text import Text

    from jobs.base.store.lake import open_lake
    from jobs.cli.operators.main_figures import main_tables, unclaimed_channels
    from jobs.operators.report.unclaimed import describe_unclaimed
    from jobs.operators.report.write import update_page

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
    from jobs.operators.report.write import list_operators_left_out, update_page

    with err.status("Drawing the report"):
        page = update_page(lake, settings, folder)
    for operator_id in list_operators_left_out(lake, settings):
        err.print(
            f"Operator '{operator_id}' is in the lake, but not in the settings: the report leaves it out."
            " Add it to the settings to have it in the report"
        )
    out.say(f"Report: {page.resolve()}")
