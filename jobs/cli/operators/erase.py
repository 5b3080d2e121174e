"""The command `observatory erase`: remove all that a lake has of a subscriber."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from jobs.base.core.errors import ObservatoryError, ValidationHeld
from jobs.base.settings import config
from jobs.base.settings.operator import Operator
from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import err, out
from jobs.cli.operators.pipeline import Stage, run_with_progress
from jobs.cli.operators.renew import is_confirmed
from jobs.operators.ingest.source_options import load_with_options

# Polars and the lake take a part of a second to import.
if TYPE_CHECKING:
    from jobs.base.store.lake import Lake
    from jobs.operators.erase.erasure import Asked
    from jobs.operators.erase.erasure_plan import ErasurePlan


def erase(
    config_file: Config = Path("observatory.toml"),
    number: Annotated[
        list[str] | None, typer.Option(help="A subscriber's number, with + or as dialled at the operator.")
    ] = None,
    address: Annotated[list[str] | None, typer.Option(help="A subscriber's mail address.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A file with a number or an address on each line.")
    ] = None,
    operator: OperatorId = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before anything is removed.")] = False,
) -> None:
    """Remove all that the lake has of a subscriber, in landing and in every table, earlier versions too.

    Computes anew what was derived, and remembers a keyed hash, so that a later pull of the same logs does not
    bring the rows back. A command that was broken off is ended by the same words. Logs at their sources,
    packages sent and releases published are out of reach.
    """
    from jobs.base.store import record
    from jobs.base.store.joint_commit import undo_unfinished
    from jobs.base.store.lake import open_lake
    from jobs.base.store.lock import hold_lock
    from jobs.operators.erase import erasure, erasure_plan
    from jobs.operators.keep import identity, lake_keys, vacuum

    settings = load_with_options(config_file)
    operators = config.choose_operators(settings, operator)
    asked = read_requests(number or [], address or [], file, operators)
    lake_keys.check_keys(settings)
    lake = open_lake(settings.lake.root)
    erasure.refuse_versions(lake)
    identity.refuse_others(lake, settings)
    for each in sorted(set(lake_keys.known_operators(lake)) - {one.id for one in settings.operator}):
        err.say(f"Operator '{each}' of the lake is not in the settings: it is not looked at.")
    now = record.utc_now()

    def compute_rest() -> None:
        run_with_progress(settings, operator, [each.value for each in Stage])

    with hold_lock(settings.lake.root, "observatory erase"):
        earlier = erasure_plan.read_plan(lake)
        if not dry_run:
            undo_unfinished(lake)
            vacuum.finish(lake)
            if earlier is not None:
                out.print("Ends the erasure that was broken off.")
                erasure.complete_erasure(lake, earlier, compute_rest)
            # An operator that a rule holds back may be asked all the same.
            with contextlib.suppress(ValidationHeld):
                compute_rest()
        plan, absent = erasure.plan_erasure(
            *(lake, settings, operators, asked, record.new_run_id(now), getpass.getuser()),
            settings.lake.read_at or now,
        )
        if earlier is not None and not plan.asked:
            show_reach(lake, earlier)
            return
        refuse_absent(asked, absent)
        show_plan(plan, dry_run)
        if dry_run:
            show_reach(lake, plan)
            return
        if not yes and not is_confirmed("Remove it for good?"):
            raise ObservatoryError("nothing was changed; --yes goes on without asking")
        plan.write(lake)
        erasure.complete_erasure(lake, plan, compute_rest)
    subscribers = len({each["erased_hash"] for each in plan.asked})
    out.print(
        f"Erased: {subscribers:,} subscriber{'' if subscribers == 1 else 's'}."
        " meta.erasure says when and how much."
    )
    show_reach(lake, plan)


def read_requests(
    numbers: Iterable[str], addresses: Iterable[str], file: Path | None, operators: list[Operator]
) -> list[Asked]:
    """Whom to erase. Raises ObservatoryError for what is no number or address, with its line."""
    asked = [ask(text, "--number", operators, is_number=True) for text in numbers]
    asked += [ask(text, "--address", operators, is_number=False) for text in addresses]
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ObservatoryError(f"--file {file}: cannot be read: {error}") from None
        asked += [
            ask(line, f"{file}, line {place}", operators, is_number="@" not in line)
            for place, line in enumerate(lines, 1)
            if line.strip()
        ]
    if not asked:
        raise ObservatoryError("nobody to erase: name a subscriber with --number, --address or --file")
    return asked


def ask(text: str, place: str, operators: list[Operator], is_number: bool) -> Asked:
    from jobs.operators.erase.erasure import Asked
    from jobs.operators.erase.subscribers import normalise_address, normalise_number

    try:
        names = {
            each.id: normalise_number(text, each.country) if is_number else normalise_address(text)
            for each in operators
        }
    except ObservatoryError as error:
        raise ObservatoryError(f"{place}: {error}") from None
    return Asked(names, place)


def refuse_absent(asked: list[Asked], absent: list[Asked]) -> None:
    """Raise ObservatoryError where the lake has nothing of anybody; name those that it has nothing of."""
    if len(absent) == len(asked):
        one = len(asked) == 1
        raise ObservatoryError(
            f"{'this subscriber is' if one else 'these subscribers are'} nowhere in the lake: no log in"
            " landing and no row names them, under any key. Nothing was changed"
        )
    for each in absent:
        err.say(f"{each.place}: nowhere in the lake.")


def show_plan(plan: ErasurePlan, is_dry: bool) -> None:
    """Print what goes, a line for each kind of place."""
    title = "Would be removed" if is_dry else "To be removed"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("from")
    table.add_column("count", justify="right")
    table.add_row("landing, lines or reports", f"{plan.line_count:,}")
    table.add_row("bronze, rows", f"{plan.bronze_row_count:,}")
    silver: dict[str, int] = {}
    for counts in plan.silver_counts.values():
        for name, count in counts.items():
            silver[name] = silver.get(name, 0) + count
    for name, count in silver.items():
        if count:
            table.add_row(f"{name}, rows", f"{count:,}")
    out.print(table)
    for operator, days in plan.days.items():
        if days:
            span = days[0] if len(days) == 1 else f"{len(days)} days, {days[0]} to {days[-1]}"
            out.say(f"Counted anew: {operator}, {span}, and the months of these days.")


def show_reach(lake: Lake, plan: ErasurePlan) -> None:
    """Print what the command does not reach."""
    from jobs.operators.erase.erasure import find_packages

    months = {operator: sorted({day[:7] for day in days}) for operator, days in plan.days.items() if days}
    out.print("Out of reach, and yours to see to:")
    out.print("  the logs at their sources, and backups")
    out.print("  the page: observatory report draws it again")
    for operator, of_operator in months.items():
        out.say(f"  packages and releases with counts of {operator} for {', '.join(of_operator)}")
    for name in find_packages(lake, months):
        out.say(f"  among them {name}, which was sent")
