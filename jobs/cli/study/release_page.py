"""The command `observatory release page`: a release's main figures as a page."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.console import out


def page(
    folder: Annotated[Path, typer.Argument(help="The folder of a release.", metavar="FOLDER")],
    output: Annotated[Path, typer.Option(help="Folder of the page, outside the release.")] = Path("page"),
) -> None:
    """Draw a release's volumes and what countermeasures cost as a page; it needs no lake and no settings."""
    from jobs.study.release.page import write_page

    out.print(f"Page: {write_page(folder, output)}", soft_wrap=True, highlight=False)
