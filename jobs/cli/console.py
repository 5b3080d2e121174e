"""Where commands print: tables and results to `out`, progress and problems to `err`.

One rule for every table, on a terminal of any width: one that has room for the longest word of each column is
drawn as it is; of another each row is drawn as a list of its columns, so that no word is broken.
"""

from __future__ import annotations

import os
from copy import copy
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

# The least width of a column that folds long words.
FOLDED = 30


class FittingConsole(Console):
    """A console whose tables break no words."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(fitted(each, self.width) for each in objects), **options)


def fitted(drawn: Any, width: int) -> Any:
    """What is drawn, with tables that a width has no room for as lists."""
    if isinstance(drawn, Padding):
        inner = fitted(drawn.renderable, width - drawn.left - drawn.right)
        return Padding(inner, (drawn.top, drawn.right, drawn.bottom, drawn.left), expand=drawn.expand)
    if isinstance(drawn, Group):
        return Group(*(fitted(each, width) for each in drawn.renderables))
    if not isinstance(drawn, Table) or whole_width(drawn) <= width:
        return drawn
    return with_widths(drawn, width) if least_width(drawn) <= width else as_list(drawn)


def with_widths(table: Table, width: int) -> Table:
    """The table with each column as wide as its longest word, and a part of the room that is left. Rich makes
    the widest columns narrow, whatever stands in them."""
    least = [least_of(column, table.show_footer) for column in table.columns]
    wanted = [
        whole_of(column, table.show_footer) - few for column, few in zip(table.columns, least, strict=True)
    ]
    left = width - least_width(table)
    fitting = copy(table)
    fitting.columns = [copy(column) for column in table.columns]
    for column, few, more in zip(fitting.columns, least, wanted, strict=True):
        column.width = few + left * more // max(sum(wanted), 1)
    return fitting


def least_width(table: Table) -> int:
    """The columns that a table needs so that no word of it is broken."""
    return edges(table) + sum(least_of(column, table.show_footer) for column in table.columns)


def whole_width(table: Table) -> int:
    """The columns that a table needs so that no cell of it is wrapped."""
    return edges(table) + sum(whole_of(column, table.show_footer) for column in table.columns)


def edges(table: Table) -> int:
    """The columns that are no cell's."""
    padding = (table.padding[1] + table.padding[3]) * len(table.columns)
    return padding + (0 if table.box is None else 2 * table.show_edge + len(table.columns) - 1)


def least_of(column: Column, has_footer: bool) -> int:
    """The width of a column's longest word, or line where it does not wrap."""
    if column.no_wrap:
        return whole_of(column, has_footer)
    words = [word for text in texts_of(column, has_footer) for word in text.split()]
    longest = max([column.width or column.min_width or 0, *map(cell_len, words)])
    # Such a column may break what is longer, as a path.
    return min(longest, FOLDED) if column.overflow == "fold" else longest


def whole_of(column: Column, has_footer: bool) -> int:
    """The width of a column's longest line."""
    lines = [line for text in texts_of(column, has_footer) for line in text.splitlines()]
    return max([column.width or column.min_width or 0, *map(cell_len, lines)])


def texts_of(column: Column, has_footer: bool) -> list[str]:
    return [plain(each) for each in (column.header, *column.cells, column.footer if has_footer else "")]


def plain(cell: RenderableType) -> str:
    """A cell's text; what is no text takes what room there is."""
    if isinstance(cell, Text):
        return cell.plain
    return Text.from_markup(cell).plain if isinstance(cell, str) else ""


def as_list(table: Table) -> Group:
    """Each row as a list of its columns, after the table's title, and before its caption."""
    parts: list[RenderableType] = [Text(plain(table.title), "italic")] if table.title else []
    cells = [list(column.cells) for column in table.columns]
    rows = list(zip(*cells, strict=True))
    if table.show_footer:
        rows.append(tuple(column.footer for column in table.columns))
    for number, row in enumerate(rows):
        listed = Table.grid(padding=(0, 2))
        listed.add_column(no_wrap=True, style="dim")
        listed.add_column(overflow="fold")
        for column, cell in zip(table.columns, row, strict=True):
            listed.add_row(column.header if table.show_header else "", cell)
        parts += [Text("")] if number else []
        parts.append(listed)
    if table.caption:
        parts.append(Text(plain(table.caption), "dim italic"))
    return Group(*parts)


out = FittingConsole(soft_wrap=False)
err = FittingConsole(stderr=True, soft_wrap=True)


def wide_console(**options: Any) -> Console:
    """A console for results; a piped one, which has no width of its own, as wide as a large terminal."""
    console = FittingConsole(soft_wrap=False, **options)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console
