"""The command `observatory submit`: an operator's package for the study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from jobs.base.figures import words
from jobs.base.settings import config
from jobs.base.settings.operator import Operator
from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import err, out
from jobs.operators.ingest.source_options import load_with_options

if TYPE_CHECKING:
    from jobs.operators.packages.packaging import MadePackage

UNSIGNED = "; not signed, and a study refuses it unless it accepts unsigned packages: sign with --sign KEY"
PACKAGES = Path("build/submission")


def submit(
    period: Annotated[str, typer.Option(help="A month as 2026-11, a quarter as 2026-Q4, or a year.")],
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the packages, build/submission by default; with --dry-run, of the files that they"
            " would hold, which are not written without it."
        ),
    ] = None,
    sign: Annotated[str | None, typer.Option(help="Sign with this secret key, as gpg names it.")] = None,
    encrypt_to: Annotated[
        str | None, typer.Option(help="Encrypt to this public key, named by its whole fingerprint.")
    ] = None,
    no_send: Annotated[
        bool, typer.Option("--no-send", help="Only make the package, although \\[submission] inbox is set.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show every row that would leave; sign and send nothing."),
    ] = False,
) -> None:
    r"""Make an operator's package for the study, and deliver it: monthly counts, no personal data, rounded.

    The package is a zip of CSV files. With \[submission] inbox it is delivered there; the same counts are not
    sent twice. `observatory receipts` then asks for the study's answer.
    """
    # Polars takes half a second to load.
    from jobs.operators.packages.packaging import package_of, validate_gold

    settings = load_with_options(config_file)
    operators = config.choose_operators(settings, operator)
    sign = sign or settings.submission.sign
    for operator_id in [each.id for each in operators]:
        validate_gold(settings, operator_id, period, is_kept=not dry_run)
    made = [package_of(settings, each, period, None if dry_run else sign) for each in operators]
    folder = output or PACKAGES
    if dry_run:
        preview_packages(settings, operators, made, output)
    elif settings.submission.inbox is None or no_send:
        files = [write_made(settings, each, folder, encrypt_to) for each in made]
        show_packages(period, made, [file.name for file in files])
        for whose, each, file in zip(operators, made, files, strict=True):
            show_notes(settings, whose, each, file.name)
            out.say(f"To send: {file.resolve()}{'' if sign else UNSIGNED}")
    else:
        show_packages(period, made, [each.file_name for each in made])
        for whose, each in zip(operators, made, strict=True):
            show_notes(settings, whose, each, each.file_name)
            send_made(settings, each, folder, encrypt_to, bool(sign))


def write_made(settings: config.Observatory, made: MadePackage, output: Path, encrypt_to: str | None) -> Path:
    from jobs.operators.packages.packaging import write_package

    return write_package(made, output, encrypt_to or settings.submission.encrypt_to, settings.lake.root)


def send_made(
    settings: config.Observatory, made: MadePackage, output: Path, encrypt_to: str | None, is_signed: bool
) -> None:
    """Deliver a package to the study's inbox, unless the same counts lie there or were received."""
    from jobs.base.store.lake import open_lake
    from jobs.base.store.record import utc_now
    from jobs.operators.packages.delivering import deliver_package, fetch_answers, find_sent, study_inbox

    lake, inbox = open_lake(settings.lake.root), study_inbox(settings)
    _, wrong = fetch_answers(lake, inbox, [made.manifest.operator_id], settings.submission.study_key)
    for each in wrong:
        err.say(f"Warning: {each}")
    if sent := find_sent(lake, inbox, made, is_signed):
        text = (
            f"{sent.file_name}: the same counts were sent {sent.sent_at:%Y-%m-%d}"
            f" ({sent.describe_answer(utc_now())}); nothing was sent again"
        )
    else:
        file = write_made(settings, made, output, encrypt_to)
        deliver_package(lake, inbox, made, file, is_signed)
        text = f"Sent: {file.resolve()} to {inbox.url}{'' if is_signed else UNSIGNED}"
    out.say(text)


def preview_packages(
    settings: config.Observatory, operators: list[Operator], made: list[MadePackage], into: Path | None
) -> None:
    """Print every row that would leave, and write the files of the packages, if a folder is named."""
    from jobs.cli.operators.submission_rows import print_package, write_package_files

    for whose, each in zip(operators, made, strict=True):
        print_package(each, settings.submission.least_units, list_notes(whose, each))
        out.print()
        if into is not None:
            folder = write_package_files(each, into, settings.lake.root)
            out.say(f"The files as they would leave: {folder.resolve()}")
    out.say("Nothing was signed or sent, and nothing written to the lake.")


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


def show_notes(settings: config.Observatory, whose: Operator, made: MadePackage, name: str) -> None:
    """Print what its operator should know of a package, a line each."""
    notes = list_notes(whose, made)
    if withheld := len(made.counts.withheld):
        notes.append(
            f"{withheld} group{'s' if withheld > 1 else ''} withheld: fewer than"
            f" {settings.submission.least_units} units, or a definition in force on a part of the month"
            " only; the manifest names them, and --dry-run shows them"
        )
    for note in notes:
        out.say(f"{name}: {note}")


def list_notes(whose: Operator, made: MadePackage) -> list[str]:
    """Notes to the operator on a package before it leaves."""
    from jobs.operators.packages.package_text import describe_weak

    notes = []
    if whose.subscribers is None:
        notes.append(
            "it has no number of subscriptions, so estimates use the study's own: add `subscribers` to"
            f" operator '{whose.id}' in the settings"
        )
    if whose.waiver is not None:
        notes.append(f"waiver {whose.waiver}: {words.code_description('waiver', whose.waiver)}")
    return notes + describe_weak(made)
