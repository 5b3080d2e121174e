"""A release as a workbook, by the UK Analysis Function's guidance on spreadsheets: main figures with charts,
contents, one table a sheet from its first column, names beside codes, no merged cells, flags in columns of
their own, no meaning in colours alone, and the same bytes each time."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import polars as pl

from jobs.base.core.numbers import format_significant
from jobs.base.core.workbooks import finish_workbook, new_workbook
from jobs.study.release.about import About
from jobs.study.release.codebook import NOTES, columns_of, list_used_codes
from jobs.study.release.released_tables import AREA, AREA_NAME, WHOLE, ReleasedTable, published_codes

# Excel's limit on a sheet's name.
LONGEST_NAME = 31
# Columns are as wide as their longest text, between these.
NARROWEST, WIDEST = 9, 60
MAIN = "Main figures"
# Columns of the main figures, and what heads them; of a channel the first quantity that an area has.
MAIN_COLUMNS = {
    "channel_name": "Channel", AREA_NAME: "Area", "period_code": "Period", "unit_name": "Unit",
    "quantity_name": "Quantity", "estimate": "Spam", "estimate_low": "95% interval, from",
    "estimate_high": "to", "share_pct": "Of traffic, %", "rate_per_subscription": "Each subscription",
    "rate_low": "95% interval, from ", "rate_high": "to ", "cv_band_name": "Reliability",
}  # fmt: skip
QUANTITIES, UNITS = ("spam_corrected", "spam_certain"), ("attempted", "call")
CHART_HEIGHT = 22
# The row, from 0, of a sheet's header.
TOP = 4
# Points of a line of text: programs do not all fit a row to its text when they open a file.
LINE = 15


def build_workbook(
    tables: Sequence[ReleasedTable], about: About, members: Sequence[tuple[str, str]] = ()
) -> bytes:
    """The workbook's bytes.

    Args:
        members: notes on the membership of groups.
    """
    properties = {"title": about.title, "author": about.agency_name, "comments": f"Release {about.name}"}
    book = new_workbook(created=dt.datetime.combine(about.day, dt.time()), **properties)
    style = {
        "title": book.add_format({"bold": True, "font_size": 15}),
        "head": book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1}),
        "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
        "link": book.add_format({"font_color": "blue", "underline": 1, "valign": "top"}),
        "number": book.add_format({"num_format": "#,##0.########"}),
    }
    write_main_figures(book, tables, about, style)
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


def set_up_print(sheet: Any) -> None:
    """A sheet on paper: as wide as the page."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def write_contents(book: Any, tables: Sequence[ReleasedTable], about: About, style: dict[str, Any]) -> None:
    """The first sheet: what this is, and what is where."""
    sheet = book.add_worksheet("Contents")
    sheet.hide_gridlines(2)
    set_up_print(sheet)
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
    rows = [(MAIN, "Spam of the last period by channel and area, with a chart for each channel")]
    rows += [(table.name, table.contract.description) for table in tables]
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
    set_up_print(sheet)
    sheet.write(0, 0, f"{table.name}: {about.title}", style["title"])
    sheet.write(1, 0, table.contract.description)
    sheet.write(
        2, 0, "This sheet has one table. Empty cells have no value; the sheet Codes explains the codes."
    )
    write_rows(sheet, add_code_names(table), f"table_{table.name}", style)
    sheet.freeze_panes(TOP + 1, 0)
    sheet.repeat_rows(TOP)


def add_code_names(table: ReleasedTable) -> pl.DataFrame:
    """A table's rows with the name of each code in a column of its own, beside it."""
    rows = table.tidy
    for column in table.columns:
        name = column.field.name
        listed = published_codes(column) if name in rows.columns and name.endswith("_code") else None
        if listed is not None and name != AREA and column.role != "measure":
            named = rows[name].replace_strict(listed, default=None, return_dtype=pl.String)
            title = name.removesuffix("_code") + "_name"
            rows = rows.insert_column(rows.columns.index(name) + 1, named.alias(title))
    return rows


def write_rows(sheet: Any, rows: pl.DataFrame, name: str, style: dict[str, Any]) -> None:
    """Rows below the header at TOP, in columns as wide as what they hold."""
    for at, column in enumerate(rows):
        sheet.write(TOP, at, column.name, style["head"])
        if column.dtype.is_numeric():
            values = column.cast(pl.Float64).to_list()
            texts = ["" if value is None else format_significant(value, 10) for value in values]
            for row, value in enumerate(values, TOP + 1):
                if value is not None:
                    sheet.write_number(row, at, value, style["number"])
        else:
            texts = ["" if text is None else str(text) for text in column.to_list()]
            for row, text in enumerate(texts, TOP + 1):
                if text:
                    sheet.write_string(row, at, text)
        longest = max(map(len, [column.name, *texts]))
        sheet.set_column(at, at, max(NARROWEST, min(WIDEST, longest + 2)))
    if rows.height:
        sheet.add_table(
            TOP, 0, TOP + rows.height, rows.width - 1,
            {"name": name, "style": None, "autofilter": True,
             "columns": [{"header": each, "header_format": style["head"]} for each in rows.columns]},
        )  # fmt: skip


def list_main_figures(tables: Sequence[ReleasedTable]) -> pl.DataFrame:
    """Spam of the last period by channel and area, by the operators' own definition; countries left out."""
    (volume,) = [each for each in tables if each.name == "spam_volume"]
    rows = add_code_names(volume).filter(
        pl.col("definition_code") == "OPERATOR",
        pl.col("unit_code").is_in(UNITS),
        pl.col("quantity_code").is_in(QUANTITIES),
        pl.col("area_kind_code") != "country",
        pl.col("period_code") == pl.col("period_code").max(),
    )
    return (
        rows.sort("channel_code", ~pl.col(AREA).is_in(WHOLE), AREA, pl.col("quantity_code") != QUANTITIES[0])
        .unique(["channel_code", AREA], keep="first", maintain_order=True)
        .select(pl.col(name).alias(title) for name, title in MAIN_COLUMNS.items())
    )


def write_main_figures(
    book: Any, tables: Sequence[ReleasedTable], about: About, style: dict[str, Any]
) -> None:
    """The first sheet: the main figures as one table, and below it a chart for each channel."""
    sheet = book.add_worksheet(MAIN)
    set_up_print(sheet)
    rows = list_main_figures(tables)
    sheet.write(0, 0, about.title, style["title"])
    sheet.write(
        1, 0, "Spam by channel and area, as operators block or mark it. Charts stand below the table."
    )
    sheet.write(2, 0, "Figures whose reliability is low or not published are not to be quoted.")
    write_rows(sheet, rows, "main_figures", style)
    sheet.freeze_panes(TOP + 1, 0)
    places = rows.with_row_index("row", TOP + 1)
    column = {title: at for at, title in enumerate(rows.columns)}
    area, rate = column["Area"], column[MAIN_COLUMNS["rate_per_subscription"]]
    for number, (channel, own) in enumerate(places.group_by("Channel", maintain_order=True)):
        first, last = own["row"].min(), own["row"].max()
        chart = book.add_chart({"type": "bar"})
        chart.add_series(
            {
                "name": "Spam for each subscription",
                "categories": [MAIN, first, area, last, area],
                "values": [MAIN, first, rate, last, rate],
                "fill": {"color": "#B23A1E"},
            }
        )
        made_up = " (made up)" if about.is_made_up else ""
        chart.set_title({"name": f"{channel[0]}: spam for each subscription{made_up}"})
        chart.set_legend({"none": True})
        chart.set_y_axis({"reverse": True})
        chart.set_size({"width": 760, "height": 20 * CHART_HEIGHT})
        sheet.insert_chart(TOP + rows.height + 2 + number * (CHART_HEIGHT + 1), 0, chart)


def write_list(
    book: Any,
    name: str,
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    style: dict[str, Any],
    widths: Sequence[int],
) -> None:
    """Add a sheet of texts.

    Args:
        name: of the sheet.
        title: the text in its first cell.
        widths: of each column, in characters.
    """
    sheet = book.add_worksheet(name)
    set_up_print(sheet)
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
