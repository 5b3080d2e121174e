"""Write the sheet that a person labels, as XLSX or CSV, and read it back.

It holds the place of each unit in the logs and three columns to fill in, but no address, number or text of a
message. Nor does it hold the filter's score, type or action: a labeller who knows them agrees too often,
which makes sensitivity and specificity too high. Notes in the last column are not loaded, because they may
name a person.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.base.core import workbooks
from jobs.base.core.archives import Damaged
from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.contracts import codelist_rows, list_codes

LABELS, CODES = "Label", "Codes"
UNIT_COLUMNS = {
    "operator": "operator_id",
    "sample id": "sample_id",
    "day": "period_date",
    "channel": "channel_code",
    "source": "source_id",
    "file": "file_name",
    "stream": "stream_id",
    "offset": "offset",
}
FILLED = ("label", "type", "note")
COLUMNS = (*UNIT_COLUMNS, *FILLED)
# Columns that a sheet must have.
NEEDED = ("operator", "sample id", "day", "label", "type")
WIDTHS = {"operator": 16, "sample id": 20, "file": 24, "stream": 24, "note": 40}
ABOUT = (
    "Fill in the columns label and type of the sheet Label, and leave everything else as it is.",
    "label: spam, not spam, or cannot tell when you saw the message and could not decide.",
    "Leave a label empty when you could not see the message.",
    "type: what kind of spam it is, a code of the list below; only beside the label spam.",
    "note: for yourself; it is not loaded. Do not write who the message was to or from.",
    "file and offset say where the message's first log line stands: the byte in the file, decompressed.",
    "Then: observatory audit load FILE. Loading a file again replaces the labels of its rows.",
)


@dataclass(frozen=True)
class Row:
    """A row of a filled sheet, as text by column.

    Attributes:
        where: file, sheet and row, for messages.
    """

    values: dict[str, str]
    where: str
    # The reference of each column's cell, as B12.
    cells: dict[str, str]

    def locate_cell(self, column: str) -> str:
        return f"{self.where}, cell {self.cells[column]}"


def code_names(codelist: str) -> dict[str, str]:
    """The names of a list's codes, by code."""
    return {code: row["name"] for code, row in codelist_rows(codelist).items()}


def write_xlsx(units: list[dict[str, Any]], file: Path) -> None:
    """Write the sheet with drop-down lists; each cell is text, so that none is taken for a formula."""
    book = workbooks.new_workbook()
    bold = book.add_format({"bold": True, "bottom": 1})
    sheet, codes = book.add_worksheet(LABELS), book.add_worksheet(CODES)
    for place, name in enumerate(COLUMNS):
        sheet.write_string(0, place, name, bold)
        sheet.set_column(place, place, WIDTHS.get(name, 14))
    for number, unit in enumerate(units, start=1):
        for place, text in enumerate(row_texts(unit)):
            workbooks.write_value(sheet, number, place, text)
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, len(units), len(COLUMNS) - 1)
    for number, text in enumerate(ABOUT):
        codes.write_string(number, 0, text)
    first = len(ABOUT) + 1
    kinds = code_names("type")
    for number, (code, name) in enumerate(kinds.items(), start=first):
        codes.write_string(number, 0, code)
        codes.write_string(number, 1, name)
    codes.set_column(0, 0, 24)
    lists = {
        "label": list(code_names("audit_label").values()),
        "type": f"={CODES}!$A${first + 1}:$A${first + len(kinds)}",
    }
    for column, source in lists.items():
        rule = {"validate": "list", "source": source}
        message = f"Choose a {column} from the list, or leave the cell empty."
        rows = 1, max(len(units), 1)
        workbooks.add_rule(sheet, rows, COLUMNS.index(column), rule, column, message)
    file.write_bytes(workbooks.finish_workbook(book))


def write_csv(units: list[dict[str, Any]], file: Path) -> None:
    with file.open("w", newline="", encoding="utf-8") as lines:
        rows = csv.writer(lines)
        rows.writerow(COLUMNS)
        rows.writerows(row_texts(unit) for unit in units)


def row_texts(unit: dict[str, Any]) -> list[str]:
    """The cells of a unit's row."""
    given = ["" if unit.get(key) is None else str(unit[key]) for key in UNIT_COLUMNS.values()]
    label = code_names("audit_label").get(unit.get("label_code") or "", "")
    return [*given, label, unit.get("labelled_type_code") or "", ""]


def read_sheet(file: Path) -> list[Row]:
    """The rows of a filled sheet without its empty rows.

    Raises ObservatoryError, with file, sheet and row, if the file is no such sheet.
    """
    from xlsxwriter.utility import xl_rowcol_to_cell

    if not file.is_file():
        raise ObservatoryError(f"{file}: no such file")
    if file.suffix.lower() not in (".xlsx", ".csv"):
        raise ObservatoryError(f"{file}: a sheet of labels is a .xlsx or a .csv file")
    is_xlsx = file.suffix.lower() == ".xlsx"
    place = f"{file.name}, sheet '{LABELS}'" if is_xlsx else file.name
    lines = xlsx_lines(file) if is_xlsx else csv_lines(file)
    heads = [text.strip().lower() for text in next(lines, [])]
    for name in NEEDED:
        if heads.count(name) != 1:
            count = "no" if name not in heads else "more than one"
            raise ObservatoryError(
                f"{place}, row 1: {count} column '{name}'; leave the first row as"
                " `observatory audit sample` wrote it"
            )
    rows = []
    for number, line in enumerate(lines, start=2):
        values = dict(zip(heads, (text.strip() for text in line), strict=False))
        if any(values.values()):
            cells = {name: xl_rowcol_to_cell(number - 1, heads.index(name)) for name in heads if name}
            rows.append(Row(dict.fromkeys(heads, "") | values, f"{place}, row {number}", cells))
    return rows


def xlsx_lines(file: Path) -> Iterator[list[str]]:
    data = file.read_bytes()
    try:
        workbooks.check_workbook(data, workbooks.LARGE)
        book = workbooks.open_workbook(data, read_only=True, data_only=True)
    except workbooks.TooLarge as error:
        what = f"{error.where} lies" if error.where else "cells lie"
        raise ObservatoryError(
            f"{file}: {what} far outside of the sheet: delete what stands there, and save it as .xlsx or .csv"
            " again"
        ) from None
    except Damaged as error:
        raise ObservatoryError(
            f"{file}: cannot be read as XLSX ({error}); save it as .xlsx or .csv again"
        ) from None
    if LABELS not in book.sheetnames:
        found = ", ".join(book.sheetnames)
        raise ObservatoryError(f"{file.name}: no sheet '{LABELS}' (there is {found}); keep its name")
    for line in book[LABELS].iter_rows(values_only=True):
        yield ["" if value is None else str(value) for value in line]


def csv_lines(file: Path) -> Iterator[list[str]]:
    """The lines of a CSV with commas, or with semicolons, which spreadsheets of some countries write."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ObservatoryError(f"{file.name}: byte {error.start} is no UTF-8; save it as CSV UTF-8") from None
    head = text.partition("\n")[0]
    yield from csv.reader(text.splitlines(), delimiter=";" if head.count(";") > head.count(",") else ",")


def parse_label(row: Row) -> str | None:
    """The code of a row's label; None if it is empty. Raises ObservatoryError for an unknown label."""
    label = row.values["label"].lower().replace("_", " ")
    if not label:
        return None
    for code, name in code_names("audit_label").items():
        if label in (name.lower(), code.replace("_", " ")):
            return code
    choices = ", ".join(code_names("audit_label").values())
    raise ObservatoryError(
        f"{row.locate_cell('label')}: '{row.values['label']}' is no label; choose one of {choices}"
    )


def parse_type(row: Row, label: str | None) -> str | None:
    """The code of a row's type; None if it is empty. Raises ObservatoryError for an unknown type, and for a
    type beside another label than spam."""
    code = row.values["type"]
    if not code:
        return None
    known = {code.lower(): code for code in list_codes("type")}
    if code.lower() not in known:
        raise ObservatoryError(
            f"{row.locate_cell('type')}: '{code}' is no type; choose a code of the sheet '{CODES}'"
            " or empty the cell"
        )
    if label != "spam":
        raise ObservatoryError(
            f"{row.locate_cell('type')}: only spam has a type; empty the cell or make the label spam"
        )
    return known[code.lower()]
