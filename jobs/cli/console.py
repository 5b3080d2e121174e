"""Consoles that commands print to: tables and results to `out`, progress and problems to `err`.

No word of a table is broken: a table that is too wide for the longest word of each of its columns loses its
padding, and is printed as lists, one for each row, if that is not enough.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

# The least width of a column that folds long words.
FOLDED = 30


class FittingConsole(Console):
    """A console whose tables break no words, and that can print a text as it is."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(fit_tables(each, self.width) for each in objects), **options)

    def say(self, text: str) -> None:
        """Print a text as it is: without markup or colours, its lines as long as they are."""
        self.print(Text(text), soft_wrap=True)


def fit_tables(drawn: Any, width: int) -> Any:
    """Return the renderables, with tables too wide for the terminal shown as lists."""
    if isinstance(drawn, Padding):
        inner = fit_tables(drawn.renderable, width - drawn.left - drawn.right)
        return Padding(inner, (drawn.top, drawn.right, drawn.bottom, drawn.left), expand=drawn.expand)
    if isinstance(drawn, Group):
        return Group(*(fit_tables(each, width) for each in drawn.renderables))
    if not isinstance(drawn, Table) or whole_width(drawn) <= width:
        return drawn
    tight = tighten(drawn)
    fitting = next((each for each in (drawn, tight) if least_width(each) <= width), None)
    return list_rows(drawn) if fitting is None else set_widths(fitting, width)


def tighten(table: Table) -> Table:
    """The table without edges and padding, if it has lines between its columns."""
    tight = copy(table)
    if table.box is not None:
        tight.padding, tight.show_edge = (0, 0, 0, 0), False
    return tight


def set_widths(table: Table, width: int) -> Table:
    """The table with each column as wide as its longest word, plus a share of the room that remains. Rich
    would narrow the widest columns, even below their longest word."""
    least = [longest_word(column, table.show_footer) for column in table.columns]
    wanted = [
        longest_line(column, table.show_footer) - few
        for column, few in zip(table.columns, least, strict=True)
    ]
    left = width - least_width(table)
    fitting = copy(table)
    fitting.columns = [copy(column) for column in table.columns]
    for column, few, more in zip(fitting.columns, least, wanted, strict=True):
        column.width = few + left * more // max(sum(wanted), 1)
    return fitting


def least_width(table: Table) -> int:
    """The width at which no word of a table is broken."""
    return border_width(table) + sum(longest_word(column, table.show_footer) for column in table.columns)


def whole_width(table: Table) -> int:
    """The width at which no cell of a table is wrapped."""
    return border_width(table) + sum(longest_line(column, table.show_footer) for column in table.columns)


def border_width(table: Table) -> int:
    """The width of a table's borders and padding."""
    padding = (table.padding[1] + table.padding[3]) * len(table.columns)
    return padding + (0 if table.box is None else 2 * table.show_edge + len(table.columns) - 1)


def longest_word(column: Column, has_footer: bool) -> int:
    """The width of a column's longest word, or of its longest line if the column does not wrap."""
    if column.no_wrap:
        return longest_line(column, has_footer)
    words = [word for text in cell_texts(column, has_footer) for word in text.split()]
    longest = max([column.width or column.min_width or 0, *map(cell_len, words)])
    # Such a column may break what is longer, as a path.
    return min(longest, FOLDED) if column.overflow == "fold" else longest


def longest_line(column: Column, has_footer: bool) -> int:
    """The width of a column's longest line."""
    lines = [line for text in cell_texts(column, has_footer) for line in text.splitlines()]
    return max([column.width or column.min_width or 0, *map(cell_len, lines)])


def cell_texts(column: Column, has_footer: bool) -> list[str]:
    return [plain_text(each) for each in (column.header, *column.cells, column.footer if has_footer else "")]


def plain_text(cell: RenderableType) -> str:
    """A cell's text; empty for a cell that adapts to any width, such as a bar."""
    if isinstance(cell, Text):
        return cell.plain
    return Text.from_markup(cell).plain if isinstance(cell, str) else ""


def list_rows(table: Table) -> Group:
    """Each row as a list of its columns, after the table's title, and before its caption. An empty cell has
    no line, and one of a column without a heading stands behind the cell before."""
    parts: list[RenderableType] = [Text(plain_text(table.title), "italic")] if table.title else []
    cells = [list(column.cells) for column in table.columns]
    rows = list(zip(*cells, strict=True))
    if table.show_footer:
        rows.append(tuple(column.footer for column in table.columns))
    for number, row in enumerate(rows):
        listed = Table.grid(padding=(0, 2))
        listed.add_column(no_wrap=True, style="dim")
        listed.add_column(overflow="fold")
        lines: list[tuple[RenderableType, RenderableType]] = []
        for column, cell in zip(table.columns, row, strict=True):
            if isinstance(cell, str | Text) and not plain_text(cell):
                continue
            if lines and table.show_header and not plain_text(column.header):
                head, before = lines.pop()
                lines.append((head, Text(f"{plain_text(before)} {plain_text(cell)}")))
            else:
                lines.append((column.header if table.show_header else "", cell))
        for head, cell in lines:
            listed.add_row(head, cell)
        parts += [Text("")] if number else []
        parts.append(listed)
    if table.caption:
        parts.append(Text(plain_text(table.caption), "dim italic"))
    return Group(*parts)


out = FittingConsole(soft_wrap=False)
err = FittingConsole(stderr=True, soft_wrap=True)


@contextmanager
def show_steps(first: str) -> Iterator[Callable[[str], None]]:
    """Show on the terminal which step is at hand; in a pipe or a log, a line for each."""
    if err.is_terminal:
        with err.status(first) as status:
            yield status.update
    else:
        yield partial(err.print, highlight=False)


def wide_console(**options: Any) -> Console:
    """A console for results. In a pipe, which has no width of its own, it is 120 columns wide."""
    console = FittingConsole(soft_wrap=False, **options)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console


def write_own(file: Path, content: bytes) -> None:
    """Write a file that its owner alone reads."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(content)
