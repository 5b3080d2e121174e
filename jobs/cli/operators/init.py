"""The command `observatory init`: write a settings file and a key from logs."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.console import err, out


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
    from jobs.cli.operators import proposed_settings

    proposed_settings.write_settings(logs, output, yes, out, err)
