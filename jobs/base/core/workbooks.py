"""Workbooks that people fill in and send back: written, and opened when they return.

A small file can unpack to more than a machine's memory: a workbook with one cell in its last row and column,
one merged range over a whole sheet. None of it is taken at its word; what is over a limit is refused before
rows or cells are made.
"""

import datetime as dt
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any
from xml.parsers import expat

from jobs.base.core.archives import DAMAGED, Damaged, open_archive

CHUNK = 2**16
CELL = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
# Elements that make cells of a range.
RANGES = {"mergeCell", "hyperlink"}
SPREADSHEET = {
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
}


def new_workbook(**properties: Any) -> Any:
    """A workbook to be filled, the same bytes each time if the properties have `created`. No text of a cell
    becomes a formula or a link."""
    import xlsxwriter

    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(io.BytesIO(), options)
    book.set_properties(properties)
    return book


def finish_workbook(book: Any) -> bytes:
    book.close()
    data: bytes = book.filename.getvalue()
    return data


def write_value(sheet: Any, row: int, column: int, value: Any, style: Any = None) -> None:
    """Write a value with its type. A text stays a text, whatever it begins with."""
    if value is None or value == "":
        sheet.write_blank(row, column, None, style)
    elif isinstance(value, bool):
        sheet.write_boolean(row, column, value, style)
    elif isinstance(value, int | float | Decimal):
        sheet.write_number(row, column, float(value) if isinstance(value, Decimal) else value, style)
    elif isinstance(value, dt.date):
        sheet.write_datetime(row, column, value, style)
    else:
        sheet.write_string(row, column, str(value), style)


def add_rule(
    sheet: Any, rows: tuple[int, int], column: int, criteria: dict[str, Any], title: str, message: str
) -> None:
    """Let the spreadsheet refuse other values in a column, from the first to the last of these rows. Excel
    holds titles of 32 and messages of 255 characters.

    Args:
        rows: the first and the last row, counted from 0, as is the column.
        criteria: options of XlsxWriter's data_validation().
    """
    words = {"error_title": title[:32], "error_message": message[:255], "error_type": "stop"}
    sheet.data_validation(rows[0], column, rows[1], column, {**criteria, **words})


@dataclass(frozen=True)
class WorkbookLimits:
    """The limits of a workbook: bytes when it is unpacked, XML elements in all of its parts, and cells from
    A1 to the last one of each sheet together."""

    bytes: int
    elements: int
    cells: int


# Of a sheet of some hundred thousand rows.
LARGE = WorkbookLimits(bytes=256 * 2**20, elements=10_000_000, cells=5_000_000)


class TooLarge(Exception):
    """A workbook over a limit.

    Attributes:
        where: the cell or range that makes it so, if one does.
    """

    def __init__(self, where: str = "") -> None:
        super().__init__(where)
        self.where = where


def open_workbook(data: bytes, **options: Any) -> Any:
    """A workbook whose size was checked, by openpyxl with these options. Raises Damaged."""
    import openpyxl

    try:
        with warnings.catch_warnings():
            # What openpyxl cannot keep, such as other software's extensions, is not read here anyway.
            warnings.simplefilter("ignore")
            return openpyxl.load_workbook(io.BytesIO(data), **options)
    except Exception as error:  # whatever a damaged archive raises: KeyError, ParseError, ValueError ...
        raise Damaged(str(error)) from None


def check_workbook(data: bytes, limits: WorkbookLimits) -> list[str]:
    """The names of a workbook's parts. Raises TooLarge or Damaged; makes no cell."""
    archive = open_archive(data)
    try:
        parts = archive.infolist()
        if sum(part.file_size for part in parts) > limits.bytes:
            raise TooLarge
        count = WorkbookSize(limits)
        for part in parts:
            if part.filename.lower().endswith((".xml", ".rels")):
                # zipfile reads no more than the size that the archive states.
                with archive.open(part) as content:
                    count.count_part(iter(partial(content.read, CHUNK), b""))
    except expat.ExpatError as error:
        raise Damaged(str(error)) from None
    except DAMAGED as error:
        raise Damaged(str(error)) from None
    return [part.filename for part in parts]


class WorkbookSize:
    """Elements and cells of a workbook's parts so far."""

    def __init__(self, limits: WorkbookLimits) -> None:
        self.limits = limits
        self.elements = self.cells = 0
        self.row = self.column = 0
        self.last_row = self.last_column = 0
        self.where = ""

    def count_part(self, part: Iterator[bytes]) -> None:
        """Add a part. Raises TooLarge as soon as a limit is passed."""
        self.row = self.column = self.last_row = self.last_column = 0
        parser = expat.ParserCreate(namespace_separator="}")
        parser.StartElementHandler = self.start_element
        parser.StartDoctypeDeclHandler = refuse_entities
        for data in part:
            parser.Parse(data)
        parser.Parse(b"", True)
        self.cells += self.last_row * self.last_column
        self.check_cells(self.where)

    def start_element(self, tag: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if self.elements > self.limits.elements:
            raise TooLarge
        space, _, name = tag.rpartition("}")
        if space not in SPREADSHEET:
            return
        if name == "row":
            self.row = parse_number(attributes.get("r")) or self.row + 1
            self.column = 0
        elif name == "c":
            self.place_cell(attributes.get("r"))
        elif name == "comment":
            self.extend_sheet(attributes.get("ref", ""), *parse_range(attributes.get("ref", ""))[1])
        elif name in RANGES:
            reference = attributes.get("ref", "")
            (top, left), (bottom, right) = parse_range(reference)
            self.cells += max(bottom - top + 1, 0) * max(right - left + 1, 0)
            self.check_cells(reference)

    def place_cell(self, reference: str | None) -> None:
        """A cell's place; without one it stands behind the cell before."""
        if reference is None:
            self.column += 1
        else:
            self.row, self.column = parse_range(reference)[1]
        self.extend_sheet(reference or "", self.row, self.column)

    def extend_sheet(self, reference: str, row: int, column: int) -> None:
        if row > self.last_row or column > self.last_column:
            self.where = reference
        self.last_row, self.last_column = max(row, self.last_row), max(column, self.last_column)
        if self.cells + self.last_row * self.last_column > self.limits.cells:
            raise TooLarge(reference)

    def check_cells(self, reference: str) -> None:
        if self.cells > self.limits.cells:
            raise TooLarge(reference)


def parse_range(reference: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Row and column of a range's first and last cell, as in A1:B7; those of a cell twice. Raises Damaged."""
    from openpyxl.utils import column_index_from_string

    first, _, last = reference.partition(":")
    found = [CELL.fullmatch(each.strip()) for each in (first, last or first)]
    one, other = ((int(each[2]), column_index_from_string(each[1])) if each else None for each in found)
    if one is None or other is None:
        raise Damaged(f"'{reference[:40]}' is no cell or range")
    return one, other


def parse_number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 7 else 0


def refuse_entities(*_: object) -> None:
    """Refuse a document type, which no workbook declares; entities grow without limit."""
    raise Damaged("a part of it declares a document type")
