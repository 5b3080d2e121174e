"""A release as a workbook, by the UK Analysis Function's guidance on spreadsheets: a cover with contents, one
table a sheet from its first column, no merged cells, flags in columns of their own, no meaning in colours
alone, and the same bytes each time."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import polars as pl

from jobs.base.core.workbooks import finish_workbook, new_workbook
from jobs.study.release.about import About
from jobs.study.release.codebook import NOTES, columns_of, list_used_codes
from jobs.study.release.released_tables import AREA, AREA_NAME, ReleasedTable

# Excel's limit on a sheet's name.
LONGEST_NAME = 31
WIDTHS = {AREA: 12, AREA_NAME: 34}
# The row, from 0, of a sheet's header.
TOP = 4
# Points of a line of text: programs do not all fit a row to its text when they open a file.
LINE = 15


def build_workbook(
    tables: Sequence[ReleasedTable], about: About, members: Sequence[tuple[str, str]] = ()
) -> bytes:
    """The workbook's bytes. members: notes on the membership of groups."""
    properties = {"title": about.title, "author": about.agency_name, "comments": f"Release {about.name}"}
    book = new_workbook(created=dt.datetime.combine(about.day, dt.time()), **properties)
    style = {
        "title": book.add_format({"bold": True, "font_size": 15}),
        "head": book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1}),
        "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
        "link": book.add_format({"font_color": "blue", "underline": 1, "valign": "top"}),
        "number": book.add_format({"num_format": "#,##0.########"}),
    }
    write_contents(book, tables, about, style)
    for table in tables:
        data_sheet(book, table, about, style)
    write_list(
        book, "Codebook", "Every column", ("Table", "Column", "Role", "Type", "Unit", "Description"),
        [(table.name, *row) for table in tables for row in columns_of(table)], style, (16, 24, 11, 9, 14, 90),
    )  # fmt: skip
    write_list(
        book, "Codes", "Codes that stand in the tables", ("Table", "Column", "Code", "Meaning"),
        [(table.name, *row) for table in tables for row in list_used_codes(table)], style, (16, 24, 18, 90),
    )  # fmt: skip
    argued = [
        (f"{table.name}, {name}", text) for table in tables for name, text in table.contract.arguments.items()
    ]
    write_list(book, "Notes", "Notes", ("Subject", "Note"), [*NOTES, *members, *argued], style, (34, 110))
    return finish_workbook(book)


def compute_height(text: str, width: int) -> int:
    """The height of a row that holds a text in a column of this width."""
    return LINE * max(1, -(-len(text) // width))


def for_print(sheet: Any) -> None:
    """A sheet on paper: as wide as the page."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def write_contents(book: Any, tables: Sequence[ReleasedTable], about: About, style: dict[str, Any]) -> None:
    """The first sheet: what this is, and what is where."""
    sheet = book.add_worksheet("Contents")
    sheet.hide_gridlines(2)
    for_print(sheet)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 100, style["wrap"])
    sheet.write(0, 0, about.title, style["title"])
    about_it = [
        ("Release", about.version),
        ("Published by", about.agency_name),
        ("Contact", about.contact),
        ("Licence", about.licence),
    ]
    if about.is_made_up:
        about_it.insert(0, ("Made up", "All figures are made up for a demonstration."))
    for row, (label, text) in enumerate(about_it, 2):
        sheet.write(row, 0, label)
        sheet.write(row, 1, text, style["wrap"])
    first = len(about_it) + 3
    sheet.write_row(first, 0, ("Sheet", "Contents"), style["head"])
    rows = [(table.name, table.contract.description) for table in tables]
    rows += [("Codebook", "Every column with its role, type, unit and description")]
    rows += [("Codes", "The codes that stand in the tables and their meaning")]
    rows += [("Notes", "How to read the tables")]
    for row, (name, text) in enumerate(rows, first + 1):
        sheet.set_row(row, compute_height(text, 100))
        sheet.write_url(row, 0, f"internal:'{name[:LONGEST_NAME]}'!A1", style["link"], string=name)
        sheet.write(row, 1, text, style["wrap"])


def data_sheet(book: Any, table: ReleasedTable, about: About, style: dict[str, Any]) -> None:
    """A table: title, what a row is, and the table from its first column."""
    sheet = book.add_worksheet(table.name[:LONGEST_NAME])
    for_print(sheet)
    sheet.write(0, 0, f"{table.name}: {about.title}", style["title"])
    sheet.write(1, 0, table.contract.description)
    sheet.write(
        2, 0, "This sheet has one table. Empty cells have no value; the sheet Codes explains the codes."
    )
    names = table.tidy.columns
    for at, name in enumerate(names):
        wide = 20 if name in table.measures else 12
        sheet.set_column(at, at, WIDTHS.get(name, max(wide, min(22, len(name) + 2))))
        sheet.write(TOP, at, name, style["head"])
        column = table.rows[name]
        if column.dtype.is_numeric():
            for row, value in enumerate(column.cast(pl.Float64).to_list(), TOP + 1):
                if value is not None:
                    sheet.write_number(row, at, value, style["number"])
        else:
            for row, text in enumerate(column.to_list(), TOP + 1):
                if text is not None:
                    sheet.write_string(row, at, str(text))
    last = TOP + max(table.rows.height, 1)
    if table.rows.height:
        sheet.add_table(
            TOP, 0, last, len(names) - 1,
            {"name": f"table_{table.name}", "style": None, "autofilter": True,
             "columns": [{"header": name, "header_format": style["head"]} for name in names]},
        )  # fmt: skip
    sheet.freeze_panes(TOP + 1, 0)
    sheet.repeat_rows(TOP)


def write_list(
    book: Any,
    name: str,
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    style: dict[str, Any],
    widths: Sequence[int],
) -> None:
    """A sheet of texts."""
    sheet = book.add_worksheet(name)
    for_print(sheet)
    sheet.write(0, 0, title, style["title"])
    sheet.write_row(2, 0, header, style["head"])
    for at, width in enumerate(widths):
        sheet.set_column(at, at, width, style["wrap"])
    for row, texts in enumerate(rows, 3):
        sheet.set_row(
            row, max(compute_height(text, width) for text, width in zip(texts, widths, strict=True))
        )
        for at, text in enumerate(texts):
            sheet.write_string(row, at, text, style["wrap"])
    sheet.freeze_panes(3, 0)
    sheet.repeat_rows(2)
