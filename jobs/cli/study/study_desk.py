"""The command `observatory study init`: a study's folder, and what it lacks."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import with_noun
from jobs.base.settings import config
from jobs.cli.console import out


def init(
    folder: Annotated[Path, typer.Argument(help="The study's folder.", metavar="FOLDER")],
    countries: Annotated[
        str | None,
        typer.Option(
            help="Codes (ISO 3166-1 alpha-3) as KEN,NPL,FJI; a file with one on each line; an ITU region, as"
            " AFR; or all, for 193 countries.",
            metavar="LIST|REGION|all",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; show what is missing and what comes next.")
    ] = False,
) -> None:
    """Begin a study: write settings, folders and a template of every file, then show what comes next.

    Nothing is overwritten.
    """
    from jobs.study.desk.beginning import SETTINGS, begin_study
    from jobs.study.desk.countries import parse_countries

    if check == (countries is not None):
        raise ObservatoryError(
            "name the study's countries with --countries, as in --countries KEN,NPL,FJI, to begin a study;"
            " or --check alone, to see what one lacks"
        )
    if countries is not None:
        chosen = parse_countries(countries)
        written = begin_study(folder, chosen, dt.datetime.now(dt.UTC).year)
        out.print(
            f"{with_noun(len(chosen), 'country', 'countries')}, {len(written)} files in {folder}; FILES.md"
            " there explains each",
            soft_wrap=True,
            markup=False,
        )
    show_steps(folder / SETTINGS)


def show_steps(file: Path) -> None:
    """Print the steps of a study, and the first that is not done."""
    from jobs.study.desk.next_steps import list_steps

    if not file.is_file():
        raise ObservatoryError(
            f"{file.parent} has no {file.name}: begin a study there with `observatory study init"
            f" {file.parent} --countries LIST`"
        )
    table = Table(title=Text(f"Study in {file.parent}"), title_justify="left")
    table.add_column("step", no_wrap=True)
    table.add_column("missing")
    table.add_column("what to do")
    steps = list_steps(config.load_settings(file), file)
    for number, step in enumerate(steps, 1):
        missing = Text("\n".join(step.missing) or "done", overflow="fold")
        table.add_row(f"{number} {step.name}", missing, Text(step.do if step.missing else ""))
    out.print(table)
    following = next((each for each in steps if each.missing), None)
    said = f"Next: {following.do}" if following else "Nothing is missing up to the first release."
    out.print(said, soft_wrap=True, markup=False, highlight=False)
