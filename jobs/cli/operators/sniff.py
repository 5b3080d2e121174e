"""The command `observatory sniff`: what a log is.

Its work is in the room `sniff`, which is imported when the command runs.
"""

import enum
import time
from typing import Annotated

import typer

from jobs import STARTED
from jobs.cli.console import err, wide_console

# Seconds that starting may take from the time of `sniff`.
LONGEST_START = 2.0


class TextFormat(enum.StrEnum):
    text = "text"
    json = "json"


def sniff(
    files: Annotated[
        list[str], typer.Argument(help="Logs, wildcards in quotes, or - for standard input.", metavar="FILE…")
    ],
    seconds: Annotated[
        float, typer.Option(min=1, help="Time limit: what cannot be read in it is estimated.")
    ] = 8,
    format: Annotated[TextFormat, typer.Option(help="Format of the output.")] = TextFormat.text,
    profile: Annotated[
        str | None, typer.Option(help="Mapping profile to read the logs with: a name, or a path.")
    ] = None,
    named: Annotated[
        str | None, typer.Option("--as", help="Format to read the logs as, whatever they look like.")
    ] = None,
    ignored: Annotated[
        bool, typer.Option("--ignored", help="Show the commonest ignored lines, masked.")
    ] = False,
) -> None:
    """Show a log's format, how much of it is understood, and what a run would count. Stores nothing.

    Needs no settings. Ends with exit code 2 if a file cannot be read or its format is unknown.
    """
    from jobs.operators.sniff.command import sniff_files

    # What the start took is part of the wait.
    start = min(time.monotonic() - STARTED, LONGEST_START)
    until = time.monotonic() + seconds - start
    sniff_files(files, until, format is TextFormat.json, wide_console(), err, profile, ignored, named)
