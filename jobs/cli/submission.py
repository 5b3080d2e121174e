"""The command `observatory submit`: an operator's package for the study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import out
from jobs.core import words
from jobs.core.errors import ObservatoryError
from jobs.settings import config
from jobs.settings.operator import Operator

if TYPE_CHECKING:
    from jobs.submission.making import MadePackage

UNSIGNED = "; not signed, and a study refuses it unless it accepts unsigned packages: sign with --sign KEY"


def submit(
    period: Annotated[str, typer.Option(help="A month as 2026-11, a quarter as 2026-Q4, or a year.")],
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    output: Annotated[Path, typer.Option(help="Folder of the packages.")] = Path("build/submission"),
    sign: Annotated[
        str | None, typer.Option(help="Sign with this secret key, as gpg names it.", show_default=False)
    ] = None,
    encrypt_to: Annotated[
        str | None,
        typer.Option(help="Encrypt to this public key, named by its whole fingerprint.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show every row that would leave; write, sign and send nothing."),
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="With --dry-run: write the files that the package would hold to this folder.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make an operator's package for the study: monthly counts, no personal data, counts rounded.

    The package is a zip of CSV files that you can read before you send it.
    """
    if csv is not None and not dry_run:
        raise ObservatoryError("--csv goes with --dry-run: the package itself is a zip of these files")
    # Polars takes half a second to load.
    from jobs.submission.making import package_of, validate_gold, write_package

    settings = config.load_settings(config_file)
    operators = config.choose_operators(settings, operator)
    for operator_id in [each.id for each in operators]:
        validate_gold(settings, operator_id, period, is_kept=not dry_run)
    made = [package_of(settings, each, period, None if dry_run else sign) for each in operators]
    if dry_run:
        show_leaving(settings, operators, made, csv)
        return
    files = [write_package(each, output, encrypt_to) for each in made]
    show_packages(period, made, [file.name for file in files])
    for whose, each, file in zip(operators, made, files, strict=True):
        notes = list_notes(whose, each)
        if withheld := len(each.counts.withheld):
            notes.append(
                f"{withheld} group{'s' if withheld > 1 else ''} withheld: fewer than"
                f" {settings.submission.least_units} units, or a definition in force on a part of the month"
                " only; the manifest names them, and --dry-run shows them"
            )
        for note in notes:
            out.print(f"{file.name}: {note}", soft_wrap=True, markup=False)
        out.print(f"To send: {file.resolve()}{'' if sign else UNSIGNED}", soft_wrap=True, markup=False)


def show_leaving(
    settings: config.Observatory, operators: list[Operator], made: list[MadePackage], csv: Path | None
) -> None:
    """Print every row that would leave, and write the files of the packages to the folder `csv`."""
    from jobs.cli.submission_rows import print_leaving, write_leaving

    for whose, each in zip(operators, made, strict=True):
        print_leaving(each, settings.submission.least_units, list_notes(whose, each))
        out.print()
        if csv is not None:
            folder = write_leaving(each, csv)
            out.print(f"The files as they would leave: {folder.resolve()}", soft_wrap=True, markup=False)
    out.print("Nothing was signed or sent, and nothing written to the lake.", soft_wrap=True)


def show_packages(period: str, made: list[MadePackage], names: list[str]) -> None:
    """Print a row for each package, month and channel."""
    table = Table("package", "month", "channel", title=f"Submission of {period}", title_justify="left")
    table.add_column("days with logs", justify="right")
    table.add_column("audit")
    table.add_column("rows", justify="right")
    for each, file_name in zip(made, names, strict=True):
        for number, ((month, channel), (found, of)) in enumerate(sorted(each.days.items())):
            name = ("", "") if number else (file_name, f"{each.row_count:,}")
            audit = each.audits.get((month, channel), "none")
            table.add_row(name[0], month, channel, f"{found} of {of}", audit, name[1])
    out.print(table)


def list_notes(whose: Operator, made: MadePackage) -> list[str]:
    """What its operator should know of a package before it leaves."""
    from jobs.submission.leaving import describe_weak

    notes = []
    if whose.subscribers is None:
        notes.append(
            "it has no number of subscriptions, so estimates use the study's own: add `subscribers` to"
            f" operator '{whose.id}' in the settings"
        )
    if whose.waiver is not None:
        notes.append(f"waiver {whose.waiver}: {words.code_description('waiver', whose.waiver)}")
    return notes + describe_weak(made)
