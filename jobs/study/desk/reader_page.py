"""A page and a sheet for one reader, in its language: the same tables in both."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.base.core import workbooks
from jobs.base.page.templates import render_template
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.texts import translate_key

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class ReaderTable:
    """A heading, sentences below it, and a table; without rows the sentences stand alone."""

    heading: str
    sentences: Sequence[str]
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class ReaderPage:
    """A title, whose eyes it is for, what it is made of, its tables, and how it is to be read."""

    language: str
    title: str
    reader: str
    about: str
    tables: Sequence[ReaderTable]
    caution: str = ""

    @property
    def unofficial(self) -> str:
        """The note on a translation that no native speaker has reviewed."""
        is_reviewed = self.language in load_definition()["reviewed"]
        return "" if is_reviewed else translate_key(self.language, "word", "unofficial")


def write_html(page: ReaderPage) -> str:
    direction = "rtl" if page.language == "ar" else "ltr"
    return render_template(TEMPLATES, "reader.html.j2", page=page, direction=direction)


def write_sheet(page: ReaderPage, day: dt.date) -> bytes:
    """The tables of a page as a workbook, one below the other. day: of the release, so that the same release
    gives the same bytes."""
    book = workbooks.new_workbook(title=page.title, created=dt.datetime.combine(day, dt.time()))
    bold = book.add_format({"bold": True})
    sheet = book.add_worksheet()
    if page.language == "ar":
        sheet.right_to_left()
    sheet.set_column(0, 5, 34)
    row = 0
    for words in filter(None, (page.title, page.reader, page.unofficial, page.about, page.caution)):
        sheet.write_string(row, 0, words, bold if row == 0 else None)
        row += 1
    for table in page.tables:
        row += 1
        for number, words in enumerate((table.heading, *table.sentences)):
            sheet.write_string(row, 0, words, bold if number == 0 else None)
            row += 1
        for line in (table.columns, *table.rows) if table.rows else ():
            for column, value in enumerate(line):
                sheet.write_string(row, column, value, bold if line is table.columns else None)
            row += 1
    return workbooks.finish_workbook(book)
