"""Read returned forms: workbooks, and the same answers as CSV or JSON.

A workbook is read by the codes in its lines, not by the place of its sheets and columns: respondents rename,
hide or move them, and other software may have saved the file.
"""

import csv
import hashlib
import io
import json
import math
import re
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jobs.base.core import workbooks
from jobs.base.core.archives import Damaged
from jobs.study.questionnaire.definition import list_questions, load_definition
from jobs.study.questionnaire.filing import (
    COLUMNS,
    FILLED,
    Fault,
    FilePlace,
    Filing,
    FormCell,
    FormLine,
    Refused,
    file_refusal,
)
from jobs.study.questionnaire.texts import load_translations

# A form unpacks to less than a megabyte and 16,000 elements; other software writes several times as much. A
# larger one is no form, or an archive made to fill the memory.
LARGEST = 32 * 2**20
LIMITS = workbooks.WorkbookLimits(bytes=LARGEST, elements=200_000, cells=400_000)
# Of the same answers as CSV or JSON, which take some fifteen times as much in memory.
LARGEST_TEXT = 8 * 2**20
# Lines of such a CSV; a whole form has some 600.
MOST_LINES = 20_000
# The headings of a sheet are in its third row; respondents may put some rows above them.
LAST_HEADER = 8
IDENTITY = "_form"
KEYS = ("respondent", "period", "language", "version")
PERIOD = re.compile(r"[12][0-9]{3}(?:-Q[1-4]|-(?:0[1-9]|1[0-2]))?")
# More letters of western languages beyond ASCII than stand together in a word.
FOREIGN_LETTERS = re.compile(r"[^\x00-\x7f]{4}")
SEPARATOR = re.compile(r"\Asep=.\r?\n", re.IGNORECASE)
TABLE_COLUMNS = ("respondent", "period", "indicator", "answer", "status", "waiver", "note")


def read_filing(file: Path) -> Filing:
    """The filing in a file, which is read by its suffix. Raises Refused if it cannot be read at all."""
    suffix = file.suffix.lower()
    most = LARGEST_TEXT if suffix in (".csv", ".json") else LARGEST
    with file.open("rb") as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise file_refusal(file.name, "too_large")
    name, digest = file.name, hashlib.sha256(content).hexdigest()
    if suffix == ".csv":
        return read_csv(name, digest, content)
    if suffix == ".json":
        return read_json(name, digest, content)
    return read_workbook(name, digest, content)


def guess_language(file_name: str) -> str:
    """The language in a form's file name, for files that cannot be opened; en without one."""
    found = re.search(rf"_({'|'.join(load_definition()['languages'])})(?:_core)?\W", file_name)
    return found[1] if found else "en"


# --- workbooks ----------------------------------------------------------------------------------------


def read_workbook(name: str, digest: str, content: bytes) -> Filing:
    parts = list_parts(name, content)
    try:
        book = workbooks.open_workbook(content, keep_links=False)
    except Damaged:
        raise file_refusal(name, "not_a_workbook") from None
    if name.lower().endswith((".xlsm", ".xltm", ".xlsb")) or any("vbaproject" in each for each in parts):
        # Opened without its macros, for its sender's name.
        raise Refused(file_refusal(name, "macros").fault, read_identity(book))
    return read_book(name, digest, book)


def read_book(name: str, digest: str, book: Any) -> Filing:
    """The filing in an opened workbook. Raises Refused if it has no identity or no lines."""
    identity = read_identity(book)
    if identity is None:
        raise file_refusal(name, "damaged", "message")
    lines: list[FormLine] = []
    faults: list[Fault] = []
    for sheet in book.worksheets:
        found, wrong = sheet_lines(sheet)
        lines += found
        faults += wrong
    if not lines:
        raise file_refusal(name, "damaged", "message")
    return make_filing(name, digest, identity, lines, faults)


def list_parts(name: str, content: bytes) -> list[str]:
    """The names of a workbook's parts. Raises Refused for a file that is no workbook or is too large, before
    it is opened."""
    try:
        names = [each.lower() for each in workbooks.check_workbook(content, LIMITS)]
    except workbooks.TooLarge as error:
        if error.where:
            raise file_refusal(name, "far", range=error.where) from None
        raise file_refusal(name, "too_large") from None
    except Damaged:
        is_archive = content.startswith(b"PK") and not zipfile.is_zipfile(io.BytesIO(content))
        raise file_refusal(name, "cut" if is_archive else "not_a_workbook") from None
    if "[content_types].xml" not in names:
        raise file_refusal(name, "not_a_workbook")
    return names


def read_identity(book: Any) -> dict[str, str] | None:
    """Respondent, period, language and version from the hidden sheet; None without one."""
    for sheet in book.worksheets:
        rows = sheet.iter_rows(min_row=1, max_row=10, max_col=2, values_only=True)
        found = {str(row[0]): str(row[1]) for row in rows if len(row) == 2 and row[0] and row[1] is not None}
        if all(key in found for key in KEYS):
            return found
    return None


@cache
def known_codes() -> dict[str, str]:
    """The codes of all indicators, by themselves in small letters."""
    codes = [indicator.code for question in list_questions() for indicator in question.indicators]
    return {code.lower(): code for code in codes}


def normalise_code(written: str) -> str:
    """An indicator's code as a line has it, in letters of any case; another text as it is."""
    written = written.strip()
    return known_codes().get(written.lower(), written)


def sheet_lines(sheet: Any) -> tuple[list[FormLine], list[Fault]]:
    """The lines of a sheet that carry an indicator's code, and its merged cells among the answers."""
    known = set(known_codes().values())
    header, column_of = find_header(sheet)
    if not column_of:
        return [], lost_header(sheet, known)
    labels = set(load_translations()["column"]["code"].values())
    lines: list[FormLine] = []
    faults: list[Fault] = []
    rows: dict[int, str] = {}
    # Reading a row makes its cells: none behind the last column that is read.
    for row in sheet.iter_rows(min_row=header + 1, max_col=max(column_of.values())):
        by_column = {cell.column: cell for cell in row}
        code = by_column[column_of["code"]].value if column_of["code"] in by_column else None
        if not isinstance(code, str) or not code.strip():
            continue
        code = normalise_code(code)
        cells = {
            name: form_cell(sheet, by_column[column_of[name]])
            for name in FILLED
            if column_of[name] in by_column
        }
        filled = [cell for cell in cells.values() if not cell.is_empty]
        if code in known and "answer" in cells:
            rows[row[0].row] = code
            lines.append(FormLine(code, cells))
        elif filled and code not in labels:
            place = FilePlace(sheet.title, by_column[column_of["code"]].coordinate)
            faults.append(Fault(place, code, code, "message", "unknown_code"))
    return lines, faults + merged_answers(sheet, rows, {column_of[name] for name in FILLED})


def merged_answers(sheet: Any, rows: dict[int, str], columns: set[int]) -> list[Fault]:
    """A fault for each range of merged cells among the answers.

    Args:
        rows: indicators by their row.
    """
    faults = []
    for merged in sheet.merged_cells.ranges:
        hit = [rows[row] for row in range(merged.min_row, merged.max_row + 1) if row in rows]
        if hit and columns & set(range(merged.min_col, merged.max_col + 1)):
            place = FilePlace(sheet.title, str(merged).split(":")[0])
            values = {"range": str(merged)}
            faults.append(Fault(place, hit[0], "", "message", "merged", values, others=tuple(hit)))
    return faults


def find_header(sheet: Any) -> tuple[int, dict[str, int]]:
    """The row of a sheet's headings and the number of each column: by the keys in the hidden first row, or,
    where that was deleted or moved, by the headings in any language. Without columns if there are none."""
    labels = {
        label: key for key in ("code", *FILLED) for label in load_translations()["column"][key].values()
    }
    for row in sheet.iter_rows(min_row=1, max_row=LAST_HEADER):
        for names in ({key: key for key in COLUMNS}, labels):
            found = {names[cell.value]: cell.column for cell in row if cell.value in names}
            if {"code", *FILLED} <= set(found):
                return row[0].row, found
    return 0, {}


def lost_header(sheet: Any, known: set[str]) -> list[Fault]:
    """A fault of a sheet without headings that has lines of a form: which column is which is not known."""
    cells = [row[0] for row in sheet.iter_rows(max_col=1) if row and row[0].value in known]
    if not cells:
        return []
    codes = tuple(cell.value for cell in cells)
    place = FilePlace(sheet.title, cells[0].coordinate)
    return [Fault(place, codes[0], "", "message", "damaged", others=codes)]


def form_cell(sheet: Any, cell: Any) -> FormCell:
    """A cell as it was written. A text that looks like a formula stays a text."""
    is_formula = cell.data_type == "f"
    value = cell.value
    if is_formula:
        value = getattr(value, "text", value)
        value = value if str(value).startswith("=") else f"={value}"
    elif hasattr(value, "isoformat") and not hasattr(value, "year"):
        # A time of day, such as a spreadsheet makes of 12:30.
        value = value.isoformat()
    elif value is not None and not isinstance(value, str | int | float | bool) and not hasattr(value, "year"):
        value = str(value)
    return FormCell(
        value,
        FilePlace(sheet.title, cell.coordinate),
        is_formula,
        cell.data_type == "e",
        cell.number_format or "",
    )


# --- CSV and JSON -------------------------------------------------------------------------------------


def read_csv(name: str, digest: str, content: bytes) -> Filing:
    """The filing in a CSV with the columns of TABLE_COLUMNS, separated by commas, semicolons or tabs."""
    if max(content.count(b"\n"), content.count(b"\r")) > MOST_LINES:
        raise file_refusal(name, "too_large")
    words = decode_text(name, content)
    # A spreadsheet's own line, which names the delimiter.
    words, skipped = SEPARATOR.subn("", words)
    head = words.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.DictReader(io.StringIO(words, newline=""), delimiter=delimiter)
    try:
        header = [column.strip().lower() for column in rows.fieldnames or []]
        rows.fieldnames = header
        for column in ("respondent", "period", "indicator", "answer"):
            if column not in header:
                raise file_refusal(name, "column", value=column, expected=", ".join(TABLE_COLUMNS))
        found = [(rows.line_num + skipped, row) for row in rows if any(row.values())]
    except csv.Error as error:
        raise file_refusal(name, "shape", value=str(error)) from None
    if not found:
        raise file_refusal(name, "no_answers", expected=", ".join(TABLE_COLUMNS))
    identity = {key: (found[0][1].get(key) or "").strip() for key in KEYS}
    lines = []
    for number, row in found:
        for key in ("respondent", "period"):
            if (other := (row[key] or "").strip()) != identity[key]:
                raise file_refusal(name, "several", line=number, value=other or "–", expected=identity[key])
        cells = {
            column: FormCell(row.get(column) or None, FilePlace(name, f"{number}: {column}"))
            for column in FILLED
        }
        lines.append(FormLine(normalise_code(row["indicator"] or ""), cells))
    return make_filing(name, digest, identity, lines, [])


def decode_text(name: str, content: bytes) -> str:
    """The text of a CSV in UTF-8, or in cp1252, as spreadsheets of western languages write it.

    Letters of other alphabets would be read as rows of accents and signs: such a file is refused.
    """
    try:
        words = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        words = content.decode("cp1252", errors="replace")
        if FOREIGN_LETTERS.search(words):
            raise file_refusal(name, "encoding") from None
    if "\0" in words or "\ufffd" in words:
        raise file_refusal(name, "encoding")
    return words


def read_json(name: str, digest: str, content: bytes) -> Filing:
    """The filing in a JSON object: respondent, period, and answers, each with the other TABLE_COLUMNS."""
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise file_refusal(name, "shape", value=str(error)) from None
    if not isinstance(found, dict) or not isinstance(found.get("answers"), list):
        raise file_refusal(name, "shape", value="{respondent, period, answers: [...]}")
    identity = {key: str(found.get(key, "")).strip() for key in KEYS}
    lines = []
    for number, entry in enumerate(found["answers"], start=1):
        if not isinstance(entry, dict) or not isinstance(entry.get("indicator"), str):
            raise file_refusal(
                name, "shape", value=f"answers {number}: {{indicator, answer, status, waiver, note}}"
            )
        cells = {}
        for column in FILLED:
            value = entry.get(column)
            value = value if value is None or isinstance(value, str | int | float) else json.dumps(value)
            if isinstance(value, float) and not math.isfinite(value):
                # Python's reader takes NaN and 1e400, which are no number: a text, at which a check stops.
                value = str(value)
            cells[column] = FormCell(value, FilePlace(name, f"answers {number}: {column}"))
        lines.append(FormLine(normalise_code(entry["indicator"]), cells))
    return make_filing(name, digest, identity, lines, [])


def make_filing(
    name: str, digest: str, identity: dict[str, str], lines: Iterable[FormLine], faults: list[Fault]
) -> Filing:
    """The filing, with a fault for each indicator that two lines answer differently."""
    first: dict[str, FormLine] = {}
    for line in lines:
        cells = {column: cell.short_text for column, cell in line.cells.items()}
        if line.indicator not in first:
            first[line.indicator] = line
        elif cells != {column: cell.short_text for column, cell in first[line.indicator].cells.items()}:
            other = first[line.indicator].cells["answer"].place
            values = {"code": line.indicator, "other": str(other)}
            cell = line.cells["answer"]
            faults.append(Fault(cell.place, line.indicator, cell.short_text, "message", "twice", values))
    return Filing(
        name,
        digest,
        identity["respondent"],
        identity["period"],
        identity["language"],
        identity["version"],
        list(first.values()),
        faults,
    )
