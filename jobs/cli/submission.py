"""The command `observatory submit`: an operator's package for the study."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import out
from jobs.core import words
from jobs.core.periods import LEAST_DAYS_PCT, is_whole
from jobs.settings import config

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
) -> None:
    """Make an operator's package for the study: monthly counts, no personal data, counts rounded.

    The package is a zip of CSV files that you can read before you send it.
    """
    # Polars takes half a second to load.
    from jobs.submission.making import package_of, validate_gold, write_package

    settings = config.load_settings(config_file)
    operators = config.choose_operators(settings, operator)
    for operator_id in [each.id for each in operators]:
        validate_gold(settings, operator_id, period)
    made = [package_of(settings, each, period, sign) for each in operators]
    files = [write_package(each, output, encrypt_to) for each in made]
    table = Table("package", "month", "channel", title=f"Submission of {period}", title_justify="left")
    table.add_column("days with logs", justify="right")
    table.add_column("audit")
    table.add_column("rows", justify="right")
    for each, file in zip(made, files, strict=True):
        rows = f"{sum(each.rows.values()):,}"
        for number, ((month, channel), (found, of)) in enumerate(sorted(each.days.items())):
            name = ("", "") if number else (file.name, rows)
            audit = each.audits.get((month, channel), "none")
            table.add_row(name[0], month, channel, f"{found} of {of}", audit, name[1])
    out.print(table)
    for whose, each, file in zip(operators, made, files, strict=True):
        if whose.subscribers is None:
            out.print(
                f"{file.name}: it has no number of subscriptions, so estimates use the study's own: add"
                f" `subscribers` to operator '{whose.id}' in {config_file}",
                soft_wrap=True,
                markup=False,
            )
        if whose.waiver is not None:
            meaning = words.code_description("waiver", whose.waiver)
            out.print(f"{file.name}: waiver {whose.waiver}: {meaning}", soft_wrap=True, markup=False)
        few = [
            f"{month} {channel}"
            for (month, channel), (found, of) in sorted(each.days.items())
            if not is_whole(found, of)
        ]
        if few:
            out.print(
                f"{file.name}: the study leaves out months with logs on under {LEAST_DAYS_PCT}% of their"
                f" days: {', '.join(few)}",
                soft_wrap=True,
            )
        for row in each.partial:
            out.print(
                f"{file.name}: in {row['period_code']} {row['channel_code']}, source {row['source_id']} has"
                f" logs of {row['days']} days and another has {row['most']}: if a log was lost, the counts"
                " lack its traffic",
                soft_wrap=True,
            )
        if each.withheld:
            out.print(
                f"{file.name}: {each.withheld} group{'s' if each.withheld > 1 else ''} withheld: fewer than"
                f" {settings.submission.least_units} units, or a definition in force on a part of the month"
                " only; the manifest names them",
                soft_wrap=True,
            )
        out.print(f"To send: {file.resolve()}{'' if sign else UNSIGNED}", soft_wrap=True, markup=False)
