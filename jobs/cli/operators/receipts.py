"""The command `observatory receipts`: the study's answers to packages that were sent."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from jobs.base.core.errors import ObservatoryError, TryAgain, ValidationHeld
from jobs.base.settings import config
from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import out
from jobs.operators.ingest.source_options import load_with_options

if TYPE_CHECKING:
    from jobs.operators.packages.deliveries import Delivery, PackageDue

# So many characters of a digest are shown.
SHORT = 12


def receipts(
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    period: Annotated[str | None, typer.Option(help="The package of this period alone.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each package.")] = False,
) -> None:
    r"""Ask for the study's answers to packages that were sent: received, or refused and why.

    Answers lie in `receipts` beside \[submission] inbox; `status` shows them afterwards.

    Ends with exit code 1 if the study refused a package, with 5 if an answer has not come, and with 2 for an
    answer that does not count, because it is on another file or not signed by \[submission] study_key.
    """
    from jobs.base.core.patterns import escape_unseen
    from jobs.base.store.lake import open_lake
    from jobs.operators.packages.deliveries import REFUSED
    from jobs.operators.packages.delivering import fetch_answers, study_inbox

    settings = load_with_options(config_file)
    operators = [each.id for each in config.choose_operators(settings, operator)]
    lake = open_lake(settings.lake.root)
    inbox = study_inbox(settings)
    found, wrong = fetch_answers(lake, inbox, operators, settings.submission.study_key)
    found = [each for each in found if period in (None, each.period_code)]
    if period is not None and not found:
        raise ObservatoryError(f"no package of {period} was sent: `observatory submit --period {period}`")
    if json:
        sys.stdout.write(dump_json(found) + "\n")
    else:
        show_deliveries(found)
        for each in found:
            # Why the study refused the package, and what it noted of it.
            for said in (*each.answer_reasons, *each.answer_notes):
                out.say(f"{each.file_name}: {escape_unseen(said)}")
        if any(each.answer_at and not each.signer_fingerprint for each in found):
            out.print(
                "Who answered was not verified: name the file of the study's public key as \\[submission]"
                " study_key."
            )
    if wrong:
        raise ObservatoryError("\n".join(wrong))
    refused = [each.file_name for each in found if each.delivery_code == REFUSED]
    if refused:
        raise ValidationHeld(f"the study refused {', '.join(refused)}: mend what it names, and submit again")
    waiting = [each.file_name for each in found if each.answer_at is None]
    if waiting:
        raise TryAgain(f"the study has not answered {', '.join(waiting)} yet: ask again later")


def show_deliveries(found: Sequence[Delivery]) -> None:
    """Print a row for each package: when it was sent, and the study's answer."""
    from jobs.base.store.record import utc_now

    if not found:
        out.print("No package was sent to the study.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("operator", "package", "sent", "answer", "SHA-256"):
        table.add_column(name, overflow="fold")
    for each in found:
        table.add_row(
            each.operator_id,
            Text(each.file_name),
            f"{each.sent_at:%Y-%m-%d}",
            each.describe_answer(utc_now()),
            each.delivered_sha256[:SHORT],
        )
    out.print(Text("Packages sent to the study", "bold"))
    out.print(table)
    out.print()


def show_due_packages(due: Sequence[PackageDue]) -> None:
    """Print when the next package of each operator is due."""
    if not due:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("operator", "period", "due", ""):
        table.add_column(name, overflow="fold")
    for each in due:
        style = "bold red" if each.is_overdue else ""
        words = Text(each.describe_due(), style)
        table.add_row(each.operator_id, each.period_code, str(each.due_date), words)
    out.print(Text("Next package to the study", "bold"))
    out.print(table)
    out.print()


def dump_json(found: Sequence[Delivery]) -> str:
    rows = [asdict(each) for each in found]
    return json_format.dumps(rows, indent=1, default=lambda time: time.isoformat(), ensure_ascii=False)
