"""The command `observatory reconcile`: this project's counts of a mail log beside another program's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from jobs.base.core.errors import ObservatoryError
from jobs.cli.console import err, out

# Kernels take a second to import.
if TYPE_CHECKING:
    from jobs.operators.reconcile.bridge import Bridge
    from jobs.operators.reconcile.command import Reconciled

WORDS = {
    "deferral": "deferrals",
    "reject_warning": "reject warnings",
    "temp_rejected": "temporary rejects",
}
# A rule is printed below its count, so far from the left.
INDENT = 4


def reconcile(
    logs: Annotated[
        list[str],
        typer.Argument(
            help="Logs of one mail server, or wildcards in quotes; the log of its filter may be among them.",
            metavar="LOG…",
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Compare counts of a mail log with pflogsumm (Postfix) or eximstats (Exim), and explain each difference.

    Needs no settings, and stores nothing. If the other program is not installed, lines are counted by its
    definition. A difference that no counting rule explains is printed as unexplained.
    """
    from jobs.operators.reconcile.command import reconcile_logs

    with err.status("Counting"):
        found = reconcile_logs(logs)
    if json:
        sys.stdout.write(found.dump_json() + "\n")
    else:
        print_counts(found)
    if found.problems:
        raise ObservatoryError("\n".join(found.problems))


def print_counts(reconciled: Reconciled) -> None:
    theirs = reconciled.version or f"by {reconciled.program}'s definition"
    out.print(Text(f"{reconciled.program if reconciled.version else theirs} beside this project", "bold"))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("", theirs if reconciled.version else "lines", "here"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_column("which counts")
    for bridge in reconciled.bridges:
        first = bridge.lines if bridge.theirs is None else bridge.theirs
        table.add_row(kind_name(bridge.kind), f"{first:,}", f"{bridge.ours:,}", bridge.counts)
    out.print(table)
    for bridge in reconciled.bridges:
        if bridge.steps or bridge.unexplained:
            print_bridge(bridge)
    left = sum(abs(bridge.unexplained) for bridge in reconciled.bridges)
    out.print()
    out.print(Text(f"unexplained: {left:,}", "bold red" if left else "bold"))
    if reconciled.version is None:
        text = f"{reconciled.program} is not installed: its Debian package is {reconciled.package}."
        out.print(Text(text + " The lines are counted by its definition."))


def print_bridge(bridge: Bridge) -> None:
    """Print the steps from the other program's count to this project's, a line for each rule."""
    first = bridge.lines if bridge.theirs is None else bridge.theirs
    out.print()
    rounded = " (rounded)" if bridge.rounding else ""
    out.print(Text(f"{kind_name(bridge.kind)}: from {first:,}{rounded} to {bridge.ours:,}", "bold"))
    rows: Sequence[tuple[int, str]] = [(step.count, step.rule) for step in bridge.steps]
    rows = [*rows, *([(bridge.unexplained, "unexplained")] if bridge.unexplained else [])]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", min_width=INDENT + 5, no_wrap=True)
    grid.add_column()
    for count, rule in rows:
        grid.add_row(f"{count:+,}", Text(rule, "red" if rule == "unexplained" else ""))
    out.print(grid)


def kind_name(kind: str) -> str:
    """The other program's name of a kind."""
    return WORDS.get(kind, kind)
