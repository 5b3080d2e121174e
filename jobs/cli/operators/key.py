"""The command `observatory key check`: are the keys of pseudonyms there, and are they the lake's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from jobs.cli.arguments import Config
from jobs.cli.console import out
from jobs.operators.ingest.source_options import load_with_options

# The lake takes a part of a second to import.
if TYPE_CHECKING:
    from jobs.operators.keep.lake_keys import KeyUse
app = typer.Typer(no_args_is_help=True, help="The keys of pseudonyms.")


@app.callback()
def choose_command() -> None:
    """The keys of pseudonyms."""


@app.command("check")
def check_keys(config_file: Config = Path("observatory.toml")) -> None:
    """See whether each key is there, kept secret, and the one that the lake's rows were made with.

    Ends with exit code 2, and says what to do, if one is not. A run checks the same, but for the rows.
    """
    from jobs.base.store.lake import open_lake
    from jobs.operators.keep import identity, lake_keys

    settings = load_with_options(config_file)
    lake_keys.check_keys(settings)
    lake = open_lake(settings.lake.root)
    identity.refuse_others(lake, settings)
    show_keys(lake_keys.list_keys(lake, settings))


def show_keys(found: list[KeyUse]) -> None:
    """Print the keys, a line for each operator and key, and that they are right."""
    table = Table(
        title="Keys of pseudonyms", title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False
    )
    for name in ("operator", "key id", "valid from", "rows in the lake"):
        table.add_column(name, overflow="fold")
    for each in found:
        rows = "none yet"
        if each.first is not None:
            rows = f"{each.first} to {each.last}, {each.day_count:,} day{'' if each.day_count == 1 else 's'}"
        start = str(each.period.first) if each.period.first else "the beginning"
        table.add_row(each.operator_id, each.key_id, start, rows)
    out.print(table)
    many = len({each.period for each in found})
    made = "that the lake's rows were made with."
    if many == 1:
        out.say(f"The key is there, only its owner can read it, and it is the one {made}")
        return
    are = f"All {many} keys are there, only their owner can read them, and they are the ones"
    out.say(f"{are} {made}")
