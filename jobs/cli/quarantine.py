"""The command `observatory quarantine`: lines that no rule matched, by pattern."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import out
from jobs.core.choices import nearest
from jobs.core.contracts import codes
from jobs.core.errors import ObservatoryError
from jobs.core.words import says
from jobs.settings import config


def quarantine(
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    source: Annotated[str | None, typer.Option(help="One source, by its id.")] = None,
    reason: Annotated[str | None, typer.Option(help="One reason, by its code.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most patterns to print.")] = 20,
) -> None:
    """Show the lines in quarantine, grouped by pattern, the commonest first.

    Addresses, numbers and names are masked. An example has the name that the file had when it was pulled and
    the byte offset of the line, decompressed.
    """
    settings = config.load(config_file)
    chosen = config.operators(settings, operator)
    check_choice("source", source, {each.id for one in chosen for each in one.source})
    check_choice("reason", reason, codes("quarantine_reason"))
    from jobs.core.patterns import pattern_text, visible
    from jobs.engine.lake import open_lake
    from jobs.ingest.quarantine import patterns

    found = patterns(open_lake(settings.lake.root), [each.id for each in chosen], source, reason)
    if found.is_empty():
        out.print("Nothing in quarantine: a rule matched every line.")
        return
    table = Table(title="Quarantine", title_justify="left", caption_justify="left")
    table.caption = f"{found['line_count'].sum():,} lines of {found.height:,} kinds" + (
        f"; the commonest {limit} are shown" if found.height > limit else ""
    )
    table.add_column("lines", justify="right")
    for name in ("operator", "source", "format", "reason", "for example"):
        table.add_column(name, overflow="fold")
    table.add_column("looks like", overflow="fold", ratio=1)
    for row in found.head(limit).iter_rows(named=True):
        example = f"{visible(row['file_name'] or '?')} @{row['offset']:,}"
        table.add_row(
            f"{row['line_count']:,}", row["operator_id"], row["source_id"], row["format_code"],
            row["reason_code"], Text(example), pattern_text(row["pattern"]),
        )  # fmt: skip
    out.print(table)
    show_meanings(found.head(limit)["reason_code"].unique().sort().to_list())
    first = found.row(0, named=True)
    command = f"tail -c +{first['offset'] + 1} {shlex.quote(first['file_name'] or 'FILE')} | head -n 1"
    out.print(Text(f"Read a line, here the first one's: {visible(command)}"), soft_wrap=True)
    out.print("After you correct the source's settings: observatory run --requarantine", soft_wrap=True)


def show_meanings(reasons: list[str]) -> None:
    """What each reason means, a line each."""
    for reason in reasons:
        out.print(Text(f"{reason}: {says('quarantine_reason', reason)}."), soft_wrap=True)


def check_choice(option: str, value: str | None, known: Any) -> None:
    if value is not None and value not in known:
        raise ObservatoryError(f"--{option}: unknown '{value}'{nearest(value, known)}")
