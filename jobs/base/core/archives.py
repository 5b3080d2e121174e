"""Zip archives and workbooks that others send: how large they are is checked while they are read.

A small file can unpack to more than a machine's memory: an archive that names millions of files, a workbook
with one cell in its last row and column, one merged range over a whole sheet. None of it is taken at its
word; what is over a limit is refused before rows or cells are made.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

# Bytes of the list of an archive's files: some hundred files with long names.
LARGEST_LIST = 64 * 2**10
END, END_SIZE, LARGEST_COMMENT = b"PK\5\6", 22, 2**16
ZIP64 = b"PK\6\7"
CHUNK = 2**16
# What reading a damaged archive raises.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    # A damaged name.
    UnicodeDecodeError,
)
CELL = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
# Elements that make cells of a range.
RANGES = {"mergeCell", "hyperlink"}
SPREADSHEET = {
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
}


@dataclass(frozen=True)
class WorkbookLimits:
    """What a workbook may have: bytes when it is unpacked, XML elements in all of its parts, and cells from
    A1 to the last one of each sheet together."""

    bytes: int
    elements: int
    cells: int


class TooLarge(Exception):
    """A workbook over a limit. where: the cell or range that makes it so, if one does."""

    def __init__(self, where: str = "") -> None:
        super().__init__(where)
        self.where = where


class Damaged(Exception):
    """An archive or workbook that cannot be read; the text says why."""


def open_archive(data: bytes) -> zipfile.ZipFile:
    """The archive in a file's bytes. Raises Damaged if it is none, or names more files than LARGEST_LIST
    bytes hold."""
    place = end_of(data)
    if place < 0:
        raise Damaged("File is not a zip file")
    (size,) = struct.unpack_from("<L", data, place + 12)
    if size > LARGEST_LIST or data[place - 20 : place - 16] == ZIP64:
        raise Damaged("it names too many files")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except DAMAGED as error:
        raise Damaged(str(error)) from None


def end_of(data: bytes) -> int:
    """Where the record stands that ends an archive, as zipfile finds it; -1 without one."""
    place = len(data) - END_SIZE
    if place >= 0 and data[place : place + 4] == END and data[-2:] == b"\0\0":
        return place
    place = data.rfind(END, max(len(data) - END_SIZE - LARGEST_COMMENT, 0))
    return place if place + END_SIZE <= len(data) else -1


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
                count.count_part(read_chunks(archive, part))
    except expat.ExpatError as error:
        raise Damaged(str(error)) from None
    except DAMAGED as error:
        raise Damaged(str(error)) from None
    return [part.filename for part in parts]


def read_chunks(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """A part's bytes. zipfile reads no more than the size that the archive states."""
    with archive.open(part) as content:
        while data := content.read(CHUNK):
            yield data


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
    first, _, last = reference.partition(":")
    found = [CELL.fullmatch(each.strip()) for each in (first, last or first)]
    one, other = ((int(each[2]), column_number(each[1])) if each else None for each in found)
    if one is None or other is None:
        raise Damaged(f"'{reference[:40]}' is no cell or range")
    return one, other


def column_number(letters: str) -> int:
    """The number of a column, A is 1."""
    found = 0
    for letter in letters:
        found = 26 * found + ord(letter) - ord("A") + 1
    return found


def parse_number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 7 else 0


def refuse_entities(*_: object) -> None:
    """No workbook declares a document type; entities grow without limit."""
    raise Damaged("a part of it declares a document type")
