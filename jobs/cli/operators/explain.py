"""The command `observatory explain`: one message, attempt or call from its lines to gold's cells."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jobs.base.core.choices import refuse_unknown
from jobs.base.core.errors import ObservatoryError
from jobs.base.settings import config
from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import out
from jobs.operators.ingest.source_options import load_with_options

# Polars, kernels and the lake take a second to import.
if TYPE_CHECKING:
    from jobs.base.store.lake import Lake
    from jobs.operators.explain.search import Match, SearchQuestion
    from jobs.operators.explain.story import Story

# So many matches are listed.
LISTED = 20


def explain(
    name: Annotated[
        str,
        typer.Argument(
            help="A queue id, Message-ID, Call-ID, an SMSC's id, a number, an address, or a key of a list.",
            metavar="QUEUE-ID|MESSAGE-ID|NUMBER",
        ),
    ],
    config_file: Config = Path("observatory.toml"),
    day: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only messages that began on this UTC day."),
    ] = None,
    operator: OperatorId = None,
    source: Annotated[str | None, typer.Option(help="Only messages with lines of this source.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Follow one message, attempt or call: its log lines, its rows with reasons, its cells in the figures.

    Needs the pseudonym key, and prints addresses, numbers and texts as they are in the log: run it on the
    operator's own machine.
    """
    from jobs.base.store.lake import open_lake
    from jobs.operators.explain.matches import find_matches
    from jobs.operators.explain.search import SearchQuestion
    from jobs.operators.keep import identity
    from jobs.operators.keep.lake_keys import check_keys

    settings = load_with_options(config_file)
    chosen = config.choose_operators(settings, operator)
    refuse_unknown("--source", filter(None, [source]), {each.id for one in chosen for each in one.source})
    check_keys(settings)
    lake = open_lake(settings.lake.root)
    identity.refuse_others(lake, settings)
    asked = SearchQuestion(name, chosen, day.date() if day else None, source)
    matches = find_matches(lake, settings, asked)
    if not matches:
        raise ObservatoryError(describe_search(lake, settings, asked))
    if len(matches) > 1:
        show_matches(matches, asked, json)
        return
    from jobs.operators.explain.story import make_story

    story = make_story(lake, settings, asked, matches[0])
    if json:
        sys.stdout.write(story.dump_json() + "\n")
    else:
        print_story(story)


def describe_search(lake: Lake, settings: config.Observatory, question: SearchQuestion) -> str:
    """The message if nothing was found: where the search looked, and what to do."""
    from jobs.operators.explain.search import LakeSearch

    lines = []
    for operator in question.operators:
        search = LakeSearch(lake, settings, operator, question)
        days = search.days_in_lake()
        where = f"silver and bronze of {days[0]} to {days[1]}" if days else "a lake without its records"
        lines.append(f"  operator '{operator.id}': {where}")
        quarantined = search.find_quarantined()
        if quarantined.height:
            row = quarantined.row(0, named=True)
            lines.append(
                f"    {quarantined.height:,} quarantined line{'s' if quarantined.height > 1 else ''} contain"
                f" it, the first at byte {row['offset']:,} of stream {row['stream_id']}:"
                f" `observatory quarantine --operator {operator.id} --source {row['source_id']}`"
            )
    narrowed = [
        f"--{option}"
        for option, value in (("day", question.day), ("source", question.source))
        if value is not None
    ]
    hints = [f"Without {' and '.join(narrowed)} it looks further."] if narrowed else []
    hints += [
        "`observatory status` shows what no run has read yet.",
        "A number is best given with + and the country code; a queue id without the host or a colon.",
    ]
    return "\n".join([f"nothing found for '{question.text}'. It looked in", *lines, *hints])


def show_matches(matches: Sequence[Match], question: SearchQuestion, json: bool) -> None:
    """Print the matches, each with the key that selects it alone."""
    from jobs.operators.explain.story import summarise_match

    rows = [summarise_match(match) for match in matches]
    if json:
        import json as encoder

        sys.stdout.write(encoder.dumps([asdict(row) for row in rows], indent=1) + "\n")
        return
    out.print(Text(f"{len(rows):,} matches for {question.text}", "bold"))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("time, UTC", "operator/source", "outcome", "key"):
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for row in rows[:LISTED]:
        table.add_row(*map(Text, (row.time, f"{row.operator}/{row.source}", row.outcome, row.key)))
    out.print(table)
    if len(rows) > LISTED:
        out.print(f"The first {LISTED} are shown.")
    out.say("Narrow them with --day, --operator or --source, or explain one by its key.")


def print_story(story: Story) -> None:
    from jobs.base.core.patterns import escape_unseen

    print_indented(story.title, 0, "bold")
    print_heading("Lines")
    file = None
    for line in story.lines:
        if file != (file := (line.source_id, line.stream_id)):
            print_indented(f"{line.source_id}  {escape_unseen(line.file_name)}", 2, "bold")
        text = "(landing no longer holds this line)" if line.text is None else escape_unseen(line.text)
        print_indented(f"@{line.offset:,}  {text}", 6)
    print_heading("Bronze")
    for row in story.bronze_lines():
        table, _, values = escape_unseen(row).partition("  ")
        print_indented(table, 2, "bold")
        print_indented(values, 6)
    print_heading("Silver")
    for reason in story.reasons:
        print_indented(f"{reason.table}  {escape_unseen(reason.row)}", 2, "bold")
        for each in reason.because:
            print_indented(escape_unseen(each), 6)
    if story.not_counted:
        print_indented(f"Counts in no cell: {story.not_counted}.", 2)
    print_heading("Gold")
    for code, names in story.definitions_by_state().items():
        print_indented(f"{code}: {', '.join(names) or 'none'}", 2)
    for table, key, counts in story.gold_lines():
        print_indented(table, 2, "bold")
        print_indented(key, 6)
        print_indented(counts, 6)
    if not story.cells:
        print_indented("No cell: nothing of it is counted.", 2)


def print_heading(title: str) -> None:
    out.print()
    out.print(Text(title, "bold cyan"))


def print_indented(text: str, indent: int, style: str = "") -> None:
    """Print a text that wraps with its indent on a terminal; in a pipe it stays on one line."""
    if out.is_terminal:
        out.print(Padding(Text(text, style, overflow="fold"), (0, 0, 0, indent)))
    else:
        out.say(" " * indent + text)
