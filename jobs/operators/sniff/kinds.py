"""The terminal's view of kinds of lines: those not understood, and those ignored, masked."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jobs.base.core.patterns import escape_unseen, pattern_text
from jobs.base.figures.words import code_description
from jobs.operators.sniff.survey import LogSurvey
from jobs.operators.sniff.tally import OTHER, REFUSAL

BEFORE_PATTERN = ("count", "reason", "for example")


def print_heading(console: Console, text: str) -> None:
    console.print(Text(f"\n{text}", "bold"))


def draw_patterns(console: Console, answer: LogSurvey) -> None:
    tally = answer.tally
    assert tally is not None
    rows = tally.refused.list_commonest()
    if not rows:
        return
    print_heading(console, f"commonest lines not understood{'' if answer.is_exact else ', in what was read'}")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("reason", no_wrap=True)
    table.add_column("for example", no_wrap=True)
    table.add_column("looks like", no_wrap=True)
    cells = []
    for row in rows:
        place = f"line {row['line']:,}" if row["line"] else f"byte {row['offset']:,}"
        if len(answer.recognised) > 1:
            place = f"{escape_unseen(answer.recognised[row['stream']].file.name.rsplit('/', 1)[-1])}, {place}"
        cells.append((f"{row['count']:,}", row["reason_code"], place, row["pattern"]))
    used = sum(
        max(len(name), *(len(each[at]) for each in cells)) + 2 for at, name in enumerate(BEFORE_PATTERN)
    )
    for *before, pattern in cells:
        # Only the pattern gives way where the terminal has no room.
        text = pattern_text(pattern)
        text.truncate(max(console.width - 4 - used, 12), overflow="ellipsis")
        table.add_row(*map(Text, before), text)
    console.print(Padding(table, (0, 0, 0, 2)))
    draw_rest_of(console, tally.refused.patterns.height - len(rows), tally.refused.unmasked)
    for reason in sorted({row["reason_code"] for row in rows}):
        meaning = f"{reason}: {code_description('quarantine_reason', reason)}."
        console.print(Padding(Text(meaning, "dim"), (0, 0, 0, 2)))


def draw_rest_of(console: Console, more: int, unmasked: int) -> None:
    """Print the number of kinds of lines that are not shown, and of lines that have no kind."""
    parts = [f"and {more:,} other kinds"] if more > 0 else []
    parts += [f"{unmasked:,} further lines were counted but not sorted"] if unmasked else []
    if parts:
        console.print(Padding(Text("; ".join(parts), "dim"), (0, 0, 0, 2)))


def draw_ignored(console: Console, answer: LogSurvey) -> None:
    """The commonest ignored lines: first those that look like refusals, then all others."""
    tally = answer.tally
    assert tally is not None
    where = "" if answer.is_exact else ", in what was read"
    refusals = tally.ignored.patterns_of(REFUSAL).height
    for reason, title in (
        (REFUSAL, "ignored lines that look like refusals"),
        (OTHER, f"commonest {'other ' if refusals else ''}ignored lines"),
    ):
        rows = tally.ignored.list_commonest(reason)
        if not rows:
            continue
        print_heading(console, title + where)
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        table.add_column("count", justify="right", no_wrap=True)
        table.add_column("looks like", overflow="fold")
        for row in rows:
            text = pattern_text(row["pattern"])
            text.truncate(2 * max(console.width - 14, 12), overflow="ellipsis")
            table.add_row(f"{row['count']:,}", text)
        console.print(Padding(table, (0, 0, 0, 2)))
        draw_rest_of(
            console,
            tally.ignored.patterns_of(reason).height - len(rows),
            tally.ignored.unmasked if reason == OTHER else 0,
        )
