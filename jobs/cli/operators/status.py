"""The command `observatory status`: the state of each source, and what to do next."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from jobs.base.core.numbers import format_bytes, format_part
from jobs.base.settings import config
from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import err, out
from jobs.operators.ingest.source_options import load_with_options

# Polars and the lake take a part of a second to import.
if TYPE_CHECKING:
    from jobs.base.store.lake import Lake
    from jobs.operators.packages.deliveries import Packages
    from jobs.operators.state.sources import SourceStatus
    from jobs.operators.state.status import CopiedLines

STALE = 3
STALE_TEXT = "stale"
# Spaces between columns.
GAP = 2


def status(
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each source.")] = False,
    metrics: Annotated[
        Path | None,
        typer.Option(help="Write Prometheus' text format to this file, as *.prom.", metavar="FILE"),
    ] = None,
) -> None:
    r"""Each source: landed, waiting, last record, quarantine, what holds it back, and what to do next.

    Ends with exit code 3 if a source is stale: its last record is older than stale_days of its source or
    of \[lake], 2 days without a setting; if a day's traffic, share of spam or share that a network refused
    is far from that of the same weekday before; if the study refused a package, has not answered it, or
    lacks one that is due; or if figures are doubtful, because clocks disagree, joins fall, a source left
    the settings, or recipients are counted that nobody accepted or that never leave the queue.
    """
    from jobs.base.core.patterns import escape_unseen
    from jobs.base.store.lake import open_lake
    from jobs.operators.packages.deliveries import read_packages
    from jobs.operators.state.sources import dump_json, source_rows
    from jobs.operators.state.status import find_doubts, open_periods

    settings = load_with_options(config_file)
    chosen = config.choose_operators(settings, operator)
    lake = open_lake(settings.lake.root)
    operators = {each.id for each in chosen}
    packages = read_packages(lake, settings, [each.id for each in chosen])
    rows = source_rows(lake, settings, chosen, packages)
    periods = open_periods(lake, operators, settings.lake.open_days)
    doubtful = [escape_unseen(each) for each in find_doubts(lake, settings, operators, periods)]
    if metrics is not None:
        from jobs.operators.state.metrics import write_metrics

        write_metrics(metrics, rows, packages, len(doubtful))
    if json:
        sys.stdout.write(dump_json(rows) + "\n")
        for each in doubtful:
            err.say(each)
    else:
        print_status(lake, settings, operators, rows, packages, doubtful)
    is_lacking = any(each.problems for each in packages.values())
    if doubtful or is_lacking or any(row.is_stale or row.jumps for row in rows):
        raise typer.Exit(STALE)


def print_status(
    lake: Lake,
    settings: config.Observatory,
    operators: set[str],
    rows: Sequence[SourceStatus],
    packages: Mapping[str, Packages],
    doubtful: Sequence[str],
) -> None:
    """Print the lists of `observatory status`: sources, lines, packages, problems, and what to do next."""
    from jobs.base.checks.validations import latest_results, rule_counts
    from jobs.base.core.patterns import escape_unseen
    from jobs.base.store.record import utc_now
    from jobs.cli.operators.receipts import show_deliveries, show_due_packages
    from jobs.operators.state.retained import describe_retained
    from jobs.operators.state.status import copy_steps, count_copies, list_problems

    show_sources(rows)
    show_lines(lake, operators)
    show_joins(lake, operators)
    copies = count_copies(lake, operators)
    show_copies(copies)
    show_list("Held back", list_held_rules(rows))
    counts = rule_counts(latest_results(lake, operators))
    if counts:
        rules, broken = (sum(each) for each in list(zip(*counts, strict=True))[1:])
        out.print(f"Last validation: {rules:,} rules on {len(counts)} tables, {broken:,} broken\n")
    if sent := [each for found in packages.values() for each in found.sent]:
        show_deliveries(sent)
    show_due_packages([found.due for found in packages.values() if found.due])
    wrong = list_problems(lake, settings, operators)
    wrong += [each.text for found in packages.values() for each in found.problems]
    jumps = dict.fromkeys(f"operator '{row.operator}': {each.text}." for row in rows for each in row.jumps)
    show_list("Problems", [("", each) for each in (*map(escape_unseen, wrong), *jumps, *doubtful)])
    of_operator = {row.operator: row.retention for row in rows}
    if of_operator:
        show_list("Kept", [("", each) for each in describe_retained(list(of_operator.values()), settings)])
    today = (settings.lake.read_at or utc_now()).date()
    steps = [*source_steps(rows), *copy_steps(copies), *package_steps(packages, today)]
    show_list("Next", steps or [("", "Nothing to do.")])


def source_steps(rows: Sequence[SourceStatus]) -> list[tuple[str, str]]:
    """Next steps for sources, each with its source, if any."""
    from jobs.base.core.patterns import escape_unseen
    from jobs.operators.state.sources import list_steps, quarantine_step

    steps = [(about, escape_unseen(step)) for about, step in list_steps(rows)]
    return steps + [
        (f"{row.operator}/{row.source}", quarantine_step(row))
        for row in rows
        if row.quarantined and "observatory quarantine" not in (row.next_step or "")
    ]


def package_steps(packages: Mapping[str, Packages], today: dt.date) -> list[tuple[str, str]]:
    """Next steps for packages, each with its operator."""
    from jobs.base.core.patterns import escape_unseen
    from jobs.operators.packages.deliveries import list_package_steps

    return [
        (who, escape_unseen(each))
        for found in packages.values()
        for who, each in list_package_steps(found, today)
    ]


def show_table(
    title: str, names: Sequence[str], counts: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Print a table without lines, to save room. If it is too wide for the terminal, the operator (the first
    column) moves above its rows; if it still is, counts are wrapped, but not names."""
    cells = list(rows)
    if not cells:
        return
    out.print(Text(title, "bold"))
    headers = (*names, *counts)
    columns = zip(headers, *cells, strict=True)
    width = sum(max(map(cell_len, column)) + GAP for column in columns) - GAP
    if width <= out.width:
        out.print(table_of(names, counts, cells))
    else:
        for operator in dict.fromkeys(row[0] for row in cells):
            out.print(Text(operator))
            out.print(table_of(names[1:], counts, [row[1:] for row in cells if row[0] == operator]))
    out.print()


def table_of(names: Sequence[str], counts: Iterable[str], cells: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False)
    for name, values in zip(names, zip(*cells, strict=True), strict=False):
        table.add_column(name, no_wrap=True, min_width=max(map(cell_len, (name, *values))))
    for name in counts:
        table.add_column(name, justify="right", overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell, "bold red" if cell == STALE_TEXT else "") for cell in row))
    return table


def show_sources(rows: Iterable[SourceStatus]) -> None:
    show_table(
        "Sources",
        ("operator", "source"),
        ("landed", "waiting", "quarantine", "last record, UTC", ""),
        [
            (
                row.operator,
                row.source,
                format_bytes(row.landed),
                format_bytes(row.waiting),
                f"{row.quarantined:,}",
                f"{row.last_record:%Y-%m-%d %H:%M}" if row.last_record else "none",
                STALE_TEXT if row.is_stale else "",
            )
            for row in rows
        ],
    )


def show_lines(lake: Lake, operators: set[str]) -> None:
    """Print how many lines were read, became records, were ignored or quarantined, by operator, source and
    format."""
    from jobs.operators.state.status import count_lines

    show_table(
        "Lines read",
        ("operator", "source", "format"),
        ("lines", "records", "ignored", "quarantined"),
        [
            (
                *(row.operator_id, row.source_id, row.format_code),
                *(f"{count:,}" for count in (row.lines, row.records, row.ignored)),
                format_with_share(row.quarantined, row.lines),
            )
            for row in count_lines(lake)
            if row.operator_id in operators
        ],
    )


def show_joins(lake: Lake, operators: set[str]) -> None:
    """Print how verdicts were joined to mails, reports to SMS, and rows to calls, by operator and source."""
    from jobs.operators.state.status import count_joins

    show_table(
        "Recipients and calls, by how verdicts, reports and rows were joined to them",
        ("operator", "source"),
        ("units", "exact", "by message-id", "by numbers", "none"),
        [
            (
                row.operator_id,
                row.source_id,
                f"{row.units:,}",
                *(format_part(part, row.units) for part in row.parts),
            )
            for row in count_joins(lake)
            if row.operator_id in operators
        ],
    )


def show_copies(rows: Iterable[CopiedLines]) -> None:
    """Print how many lines two files have in common, by operator and pair of sources."""
    show_table(
        "Lines that another file holds too, which count once",
        ("operator", "source", "counted in"),
        ("lines", "first day", "last day"),
        [
            (
                row.operator_id,
                row.source_id,
                row.kept_source_id,
                format_with_share(row.copied_line_count, row.records or 0),
                str(row.first),
                str(row.last),
            )
            for row in rows
            if row.copied_line_count
        ],
    )


def list_held_rules(rows: Iterable[SourceStatus]) -> list[tuple[str, str]]:
    """Each broken rule that holds something back: the operator or source, and a sentence."""
    found = {
        (f"{row.operator}/{row.source}" if rule.is_of_source else row.operator, rule.table, rule.rule): rule
        for row in rows
        for rule in row.held_rules
    }
    return [
        (
            who,
            f"{table}: rule {name} is broken on {rule.rows:,} row{'s' if rule.rows != 1 else ''}."
            f" It says: {rule.text}.",
        )
        for (who, table, name), rule in sorted(found.items(), key=lambda item: item[0])
    ]


def show_list(title: str, lines: Sequence[tuple[str, str]]) -> None:
    """Print lines of (subject, text), those without a subject last; in a pipe no line is wrapped."""
    if not lines:
        return
    out.print(Text(title, "bold"))
    if not out.is_terminal:
        for about, text in lines:
            out.say(f"{about}  {text}" if about else text)
    else:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for about, text in lines:
            if about:
                grid.add_row(Text(about), Text(text))
        if grid.row_count:
            out.print(grid)
        for about, text in lines:
            if not about:
                out.print(Text(text))
    out.print()


def format_with_share(part: int, whole: int) -> str:
    """A count with its share, 3 (0.06%); 0 without a share."""
    return f"{part:,} ({format_part(part, whole, 2)})" if part else f"{part:,}"
