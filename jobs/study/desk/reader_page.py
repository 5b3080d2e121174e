"""A page and a sheet for one reader, in its language: the same tables in both."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from jobs.base.core import workbooks
from jobs.base.core.numbers import Number, round_significant
from jobs.base.page.templates import render_template
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.styles import row_height
from jobs.study.questionnaire.texts import translate_key
from jobs.study.site.texts import load_texts

TEMPLATES = Path(__file__).parent / "templates"
# Widths of a sheet's columns: the longest name of an area, of a figure, and numbers.
WIDTHS = (80, 38, 16, 16, 24)


class ShownFigure(str):
    """A figure as a page shows it, with its number and mark, which a sheet has."""

    number: Number
    mark: str

    def __new__(cls, text: str, number: Number, mark: str = "") -> Self:
        shown = super().__new__(cls, f"{text} {mark}".strip())
        shown.number, shown.mark = number, mark
        return shown


@dataclass(frozen=True)
class ReaderTable:
    """A heading, sentences below it, and a table; without rows the sentences stand alone."""

    heading: str
    sentences: Sequence[str]
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class ReaderPage:
    """A title, whose eyes it is for, what it is made of, its tables, how it is to be read, and whether its
    figures are made up."""

    language: str
    title: str
    reader: str
    about: str
    tables: Sequence[ReaderTable]
    caution: str = ""
    is_made_up: bool = False

    @property
    def band(self) -> str:
        return load_texts(self.language)["band"] if self.is_made_up else ""

    @property
    def unofficial(self) -> str:
        """The note on a translation that no native speaker has reviewed."""
        is_reviewed = self.language in load_definition()["reviewed"]
        return "" if is_reviewed else translate_key(self.language, "word", "unofficial")


def write_html(page: ReaderPage) -> str:
    direction = "rtl" if page.language == "ar" else "ltr"
    return render_template(TEMPLATES, "reader.html.j2", page=page, direction=direction)


def write_sheet(page: ReaderPage, day: dt.date) -> bytes:
    """The tables of a page as a workbook, one below the other.

    Args:
        day: of the release, so that the same release gives the same bytes.
    """
    book = workbooks.new_workbook(title=page.title, created=dt.datetime.combine(day, dt.time()))
    bold = book.add_format({"bold": True})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet = book.add_worksheet(translate_key(page.language, "feedback", "sheet"))
    if page.language == "ar":
        sheet.right_to_left()
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    for column, width in enumerate(WIDTHS):
        sheet.set_column(column, column, width)
    last, row = len(WIDTHS) - 1, 0

    def write_words(words: str, style: Any) -> None:
        """Write a text over all columns, in as many lines as it takes."""
        nonlocal row
        sheet.merge_range(row, 0, row, last, words, style)
        sheet.set_row(row, row_height((words, sum(WIDTHS))))
        row += 1

    if page.band:
        write_words(page.band, bold)
    write_words(page.title, bold)
    for words in filter(None, (page.reader, page.unofficial, page.about, page.caution)):
        write_words(words, wrapped)
    for table in page.tables:
        row += 1
        write_words(table.heading, bold)
        for words in table.sentences:
            write_words(words, wrapped)
        for line in (table.columns, *table.rows) if table.rows else ():
            for column, value in enumerate(line):
                if isinstance(value, ShownFigure):
                    rounded = round_significant(value.number)
                    style = book.add_format({"num_format": number_format(rounded, value.mark)})
                    sheet.write_number(row, column, float(rounded), style)
                else:
                    sheet.write_string(row, column, value, bold if line is table.columns else None)
            row += 1
    return workbooks.finish_workbook(book)


def number_format(number: Decimal, mark: str) -> str:
    """The format of a cell that shows a number's own digits, and its mark behind them."""
    digits = max(-int(number.normalize().as_tuple().exponent), 0)
    return "#,##0" + ("." + "0" * digits if digits else "") + (f'" {mark}"' if mark else "")
