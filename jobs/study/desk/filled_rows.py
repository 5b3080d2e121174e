"""Rows that people fill in: lists of operators as CSV, and the frame's own workbook. Numbers are read as
those of a questionnaire are; what is wrong names its sheet and line."""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any

from jobs.base.core import workbooks
from jobs.base.core.archives import Damaged
from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import plain_number
from jobs.base.core.periods import months_of
from jobs.base.costs.prices import base_year
from jobs.base.settings.countries import country_codes, country_of_name, nearest_country
from jobs.base.tables.contracts import Field, Row, file_tables, list_codes, read_contract
from jobs.study.desk.downloads import HEADED, Rows, find_headings, load_sources
from jobs.study.estimates.steps.accounts import DOLLARS
from jobs.study.questionnaire.numbers import Number, read_number
from jobs.study.questionnaire.texts import translate_key

TABLES = file_tables()
FRAME, DENOMINATOR = "ref.operator_frame", "ref.denominator"
PRICES, ECONOMY = "ref.price_level", "ref.economy"
# What a person fills in of a table; the rest follows.
NAME = "name"
SHEETS: Mapping[str, tuple[str, ...]] = {
    FRAME: ("country_code", NAME, "channel_code", "subscriptions", "subscriptions_low", "subscriptions_high",
            "holding_id", "respondent_id", "source"),
    DENOMINATOR: ("country_code", "period_code", "channel_code", "subscriptions", "subscriptions_low",
                  "subscriptions_high", "error_class_code", "shared_error_pct", "source"),
    PRICES: ("country_code", "price_year", "deflator_index", "ppp_rate", "market_rate", "wage_per_day",
             "source"),
    ECONOMY: ("country_code", "price_year", "gdp_amount", "telecom_revenue_amount", "source"),
}  # fmt: skip
NEEDED: Mapping[str, tuple[str, ...]] = {
    FRAME: ("country_code", NAME, "channel_code", "subscriptions"),
    DENOMINATOR: ("country_code", "period_code", "channel_code", "subscriptions"),
    PRICES: ("country_code", "price_year"),
    ECONOMY: ("country_code", "price_year"),
}
# What stands in a row before anybody fills it in.
GIVEN = ("country_code", "period_code", "price_year", "channel_code")
# Where a form's message speaks of what a sheet or a list lacks, such as Status and Notes.
OWN_MESSAGES = {
    "unit": "'{value}' holds '{unit}': write the number alone, in the unit that the column is in",
    "inexact": "'{value}' is a range or an approximation: write one number, your best estimate",
    "not_a_number": "'{value}' is no number: write it alone, in figures, such as 1250000",
}
NUMBERS = ("bigint", "int", "double", "decimal")
MARK = "Frame of a study of spam"
LIMITS = workbooks.WorkbookLimits(bytes=64 * 2**20, elements=2_000_000, cells=2_000_000)


@dataclass
class FilledRows:
    """Filled-in rows.

    Attributes:
        rows: by table, with the values of their cells.
        names: of operators, by id.
        services: of an operator and channel the row of each service.
        wrong: a line for each row or cell to correct.
    """

    rows: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})
    names: dict[str, str] = field(default_factory=dict)
    services: dict[tuple[str, str], dict[str, Row]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, table: str, cells: Mapping[str, Any], file: Path, line: str, year: int) -> None:
        """Read a row of a file; one in which nothing but what was given is filled in is none."""
        place = f"{file}, {line}"
        written = {name: format_value(cells.get(name)) for name in SHEETS[table]}
        if not any(text for name, text in written.items() if name not in GIVEN):
            return
        faults = [f"{place}: {name} is empty: fill it in" for name in NEEDED[table] if not written[name]]
        found: Row = {}
        fields = {each.name: each for each in read_contract(table).fields}
        for name, text in written.items():
            if text and name != NAME:
                value, problem = read_cell(cells[name], text, fields[name])
                found[name] = value
                faults += [f"{place}: {name}: {problem}"] if problem else []
        self.wrong += faults
        if not faults:
            found.setdefault("source", file.name)
            found["place"] = place
            for row in repeat_by_channel(found):
                whole = self.complete(table, row, written, year)
                if table != FRAME or not self.add_service(whole, written["channel_code"].lower()):
                    self.rows[table].append(whole)

    def add_service(self, row: Row, service: str) -> bool:
        """Add an operator's subscriptions by one service to its row of the channel by another, unless either
        has bounds; whether there is such a row."""
        if service not in load_sources()["added"]:
            return False
        known = self.services.setdefault((row["respondent_id"], row["channel_code"]), {})
        first = next(iter(known.values()), row)
        is_added = service not in known and first is not row and "subscriptions_low" not in {*first, *row}
        if is_added:
            first["subscriptions"] += row["subscriptions"]
        known.setdefault(service, row)
        return is_added

    def complete(self, table: str, row: Row, written: Mapping[str, str], year: int) -> Row:
        if table == FRAME:
            row.setdefault("respondent_id", make_id(row["country_code"], written[NAME]))
            row["valid_from"] = f"{year}-01-01"
            self.names[row["respondent_id"]] = written[NAME]
        return row


def repeat_by_channel(row: Row) -> Iterator[Row]:
    """A row for each channel of its service."""
    channels = row.get("channel_code")
    for channel in channels if isinstance(channels, list) else [channels]:
        yield row | ({"channel_code": channel} if channel else {})


def format_value(value: Any) -> str:
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()[:10]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def read_cell(given: Any, text: str, about: Field) -> tuple[Any, str]:
    """The value of a cell, and what is wrong with it.

    Args:
        given: what it holds, text: as text.
    """
    if about.name == "country_code":
        code = text if text in country_codes() else country_of_name(text)
        return code, "" if code else f"unknown country '{text}'{nearest_country(text)}"
    if about.name == "channel_code":
        services = load_sources()["services"]
        found = [text] if text in list_codes("channel") else services.get(text.lower())
        known = [*list_codes("channel"), *services]
        return found, "" if found else f"unknown channel or service '{text}'{nearest_hint(text, known)}"
    if about.name == "period_code":
        try:
            months_of(text)
        except ObservatoryError as error:
            return None, str(error)
    if about.type.partition("(")[0] not in NUMBERS:
        return text, ""
    # A number of a workbook has no separators, which could be of thousands.
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    number = Number(Decimal(str(given)), is_plain=True) if is_number else read_number(text)
    if not isinstance(number, Number):
        values = {"value": text, **number.values}
        own = OWN_MESSAGES.get(number.key)
        return None, own.format(**values) if own else translate_key("en", "message", number.key, **values)
    if number.value < 0 or (about.type in ("bigint", "int") and number.value % 1):
        return None, f"{text} is no {'whole ' if number.value % 1 else ''}number of 0 or more"
    return Decimal(number.value) if number.value % 1 else int(number.value), ""


def make_id(country: str, name: str) -> str:
    """An id of an operator's name: of letters and digits, after its country."""
    plain = unicodedata.normalize("NFKD", name)
    words = re.findall(r"[^\W_]+", "".join(each for each in plain if not unicodedata.combining(each)))
    return "-".join([country, *words]).lower()


def read_list(rows: Rows, place: Path, filled: FilledRows, year: int) -> bool:
    """Add the rows of a list of operators; whether it is one, by its headings."""
    lists = load_sources()["lists"]
    first = list(islice(rows, HEADED))
    for line, row in enumerate(first):
        heads = [cell.strip().lower() for cell in row]
        columns = {
            name: next((heads.index(each) for each in words if each in heads), None)
            for name, words in lists.items()
        }
        if columns[NAME] is None or columns["subscriptions"] is None:
            continue
        absent = [name for name in NEEDED[FRAME] if columns[name] is None]
        if absent:
            filled.wrong += [
                f"{place}: a list of operators without a column {name}: add one (headings that are known:"
                f" {', '.join(lists[name])})"
                for name in absent
            ]
            return True
        for number, cells in enumerate(chain(first[line + 1 :], rows), line + 2):
            named = {name: cells[at] for name, at in columns.items() if at is not None and at < len(cells)}
            filled.add(FRAME, named, place, f"line {number}", year)
        return True
    return False


def read_workbook(file: Path, filled: FilledRows, year: int) -> None:
    """Add the rows of the frame's workbook. Raises ObservatoryError for one with macros, that is cut or of
    another kind, or that lacks a sheet: it would be half a frame."""
    data = file.read_bytes()
    try:
        parts = [each.lower() for each in workbooks.check_workbook(data, LIMITS)]
        if file.suffix.lower() != ".xlsx" or any("vbaproject" in each for each in parts):
            raise ObservatoryError(f"{file} holds macros: save it as .xlsx, without them")
        book = workbooks.open_workbook(data, read_only=True, data_only=True)
    except (Damaged, workbooks.TooLarge) as error:
        raise ObservatoryError(
            f"{file} is no whole workbook ({error}): save it again as .xlsx, or copy it again"
        ) from None
    names = {table: read_contract(table).name for table in TABLES}
    absent = [name for name in names.values() if name not in book.sheetnames]
    if absent:
        raise ObservatoryError(
            f"{file} lacks the sheets {', '.join(absent)}: it is half a frame's workbook, or another one:"
            " download figures as CSV. `observatory study frame --workbook FILE` makes a new one"
        )
    for table, name in names.items():
        rows = [list(row) for row in book[name].iter_rows(values_only=True)]
        line = find_headings([[format_value(cell) for cell in row] for row in rows[:HEADED]], NEEDED[table])
        if line is None:
            filled.wrong.append(
                f"{file}, sheet {name}: the headings {', '.join(NEEDED[table])} are not there"
            )
            continue
        heads = [format_value(cell) for cell in rows[line]]
        for number, row in enumerate(rows[line + 1 :], line + 2):
            cells = dict(zip(heads, row, strict=False))
            filled.add(table, cells, file, f"sheet {name}, line {number}", year)


def make_workbook(countries: Sequence[str], year: int) -> bytes:
    """A workbook to fill in: a sheet for each table, with the countries' rows begun."""
    book = workbooks.new_workbook(title=MARK, created=dt.datetime(2026, 1, 1))
    head = book.add_format({"bold": True, "bg_color": "#DDE6F0", "text_wrap": True, "valign": "top"})
    about = book.add_format({"italic": True, "text_wrap": True, "valign": "top", "font_color": "#555555"})
    channels, years = ["EMAIL", *load_sources()["channels"]], sorted({base_year(), year})
    begun: dict[str, list[list[Any]]] = {
        FRAME: [[country] for country in countries],
        DENOMINATOR: [[country, str(year), channel] for country in countries for channel in channels],
        PRICES: [[country, of_year] for of_year in years for country in add_dollars(countries)],
        ECONOMY: [[country, year] for country in countries],
    }
    for table in TABLES:
        contract = read_contract(table)
        meanings = {each.name: each.description for each in contract.fields}
        meanings[NAME] = "Name of the operator; its id follows from it if respondent_id is empty"
        sheet = book.add_worksheet(contract.name)
        for column, name in enumerate(SHEETS[table]):
            needed = "Needed. " if name in NEEDED[table] else ""
            sheet.write_string(0, column, f"{needed}{meanings[name]}", about)
            sheet.write_string(1, column, name, head)
        sheet.set_row(0, 90)
        sheet.set_column(0, len(SHEETS[table]) - 1, 18)
        sheet.freeze_panes(2, 1)
        for number, values in enumerate(begun[table], 2):
            for column, value in enumerate(values):
                workbooks.write_value(sheet, number, column, value)
    return workbooks.finish_workbook(book)


def add_dollars(countries: Sequence[str]) -> list[str]:
    """The countries whose prices a study needs: its own, and the one whose dollars budget bands are in."""
    return [*dict.fromkeys((*countries, DOLLARS))]


def number_text(value: Any) -> str:
    """A value as a CSV file of the study has it."""
    return plain_number(Decimal(repr(value))) if isinstance(value, float) else str(value)
