"""The command `observatory vacuum`: remove what is older than [retention] allows and no longer needed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from jobs.base.core.numbers import format_bytes
from jobs.base.settings import config
from jobs.cli.arguments import Config
from jobs.cli.console import err, out
from jobs.operators.ingest.source_options import load_with_options

# Polars and the lake take a part of a second to import.
if TYPE_CHECKING:
    from jobs.operators.keep.retention import Removal


def vacuum(
    config_file: Config = Path("observatory.toml"),
    operator: Annotated[
        str | None,
        typer.Option("--operator", help="One operator, by its id. Default: all that the lake has."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
) -> None:
    """Remove logs, records and pseudonyms that are older than the settings keep them.

    The table retention of the settings says for how many days. What open days and unfinished batches
    need stays, and so does gold. Earlier versions of tables go a day after they were replaced. The table
    meta.retention has a row for each removal. Small files of tables are put together.
    """
    from jobs.base.store import record
    from jobs.base.store.lake import open_lake
    from jobs.operators.keep import retention
    from jobs.operators.keep import vacuum as removal

    settings = load_with_options(config_file)
    lake = open_lake(settings.lake.root)
    names = retention.operators_of(lake)
    if operator is not None:
        names = [operator] if operator in names else [config.choose_operators(settings, operator)[0].id]
    now = record.utc_now()
    today = (settings.lake.read_at or now).date()
    if dry_run:
        made = retention.plan_retention(lake, settings, names, today)
    else:
        made = removal.vacuum_lake(lake, settings, names, record.new_run_id(now), today)
    show_removals(made.removals, dry_run, settings)
    if made.crowded:
        many = f"{len(made.crowded)} table{'s' if len(made.crowded) > 1 else ''}"
        out.print(f"Small files of {many} {'would be' if dry_run else 'were'} put together.")
    for each in made.waiting:
        err.say(f"Left for now: {each}.")


def show_removals(removals: Iterable[Removal], is_dry: bool, settings: config.Observatory) -> None:
    """Print the removals, a line for each table or source, or what is kept for how long if there are none."""
    from jobs.operators.keep.retention import AGE

    found = list(removals)
    if not found:
        days = settings.retention
        out.print(
            "Nothing to remove. Kept for days: [retention] landing"
            f" {days.landing}, bronze {days.bronze}, silver {days.silver};\nlonger while a day is open"
            f" ([lake] open_days {settings.lake.open_days}) or a run has not finished it.",
            markup=False,
        )
        return
    title = "Would be removed" if is_dry else "Removed"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("from", overflow="fold")
    for name in ("files", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("days", no_wrap=True)
    places = dict.fromkeys((each.reason, each.table_name) for each in found)
    for reason, place in places:
        rows = [each for each in found if (each.reason, each.table_name) == (reason, place)]
        table.add_row(
            place,
            f"{sum(each.files for each in rows):,}",
            format_bytes(sum(each.bytes for each in rows)),
            format_days(rows) if reason == AGE else "earlier versions",
        )
    out.print(table)
    if any(each.reason == AGE and "." in each.table_name for each in found):
        out.say("Rows leave their table at once, and the disk with the first vacuum a day later.")


def format_days(rows: Iterable[Removal]) -> str:
    """The first and last day of the removals, as 2026-11-01 … 2026-11-03."""
    days: list[dt.date] = [day for each in rows for day in (each.first, each.last) if day is not None]
    first, last = min(days), max(days)
    return f"{first}" if first == last else f"{first} … {last}"
