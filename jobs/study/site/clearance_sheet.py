"""The workbook by which an administration is asked about its own rows before they leave: the question and the
cells of its answer, the rows by name in its language, and each table as it would leave."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import polars as pl

from jobs.base.core import workbooks
from jobs.base.core.languages import RIGHT_TO_LEFT, current, format_day, use_language
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.respondents import country_names
from jobs.study.questionnaire.styles import add_dropdown
from jobs.study.questionnaire.texts import translate_key
from jobs.study.release.about import About
from jobs.study.release.clearance import AGREED, ANSWER, FILLED, FIRST, OBJECTED, Cleared
from jobs.study.release.released_tables import format_rows
from jobs.study.site.pages import area_figure
from jobs.study.site.sentences import name_period
from jobs.study.site.table_views import TABLES
from jobs.study.site.texts import say

# Widths of the columns of the rows by name: a name first, then shorter ones and figures.
WIDTHS = (36, 24, 24, 24, 18, 18, 18, 18)


def build_sheet(
    own: Mapping[str, pl.DataFrame],
    question: Cleared,
    language: str,
    *,
    about: About,
    digest: str,
    deadline: dt.date,
    return_address: str | None,
) -> bytes:
    """The workbook of a country, in its administration's language.

    Args:
        own: its rows by table.
    """
    with use_language(language):
        title = (
            f"{say('title', period=name_period(about.period))}: {country_names(language)[question.country]}"
        )
        title += f" – {say('made_up')}" if about.is_made_up else ""
        book = workbooks.new_workbook(title=title, created=dt.datetime.combine(about.day, dt.time()))
        bold = book.add_format({"bold": True})
        form = write_question(book, question, deadline, bold)
        form.write(0, 0, title, bold)
        form.write(1, 1, f"{about.name} {digest}")
        for row, (key, value) in enumerate((("return_address", return_address), ("contact", about.contact))):
            if value:
                form.write(FIRST + len(FILLED) + 1 + row, 0, translate_key(language, "word", key))
                form.write(FIRST + len(FILLED) + 1 + row, 1, value)
        own = {name: rows for name, rows in own.items() if rows.height}
        write_named(book, own, bold)
    for name, rows in own.items():
        page = book.add_worksheet(name[:31])
        page.write_row(0, 0, rows.columns, bold)
        for at, values in enumerate(rows.rows(), 1):
            for column, value in enumerate(values):
                workbooks.write_value(page, at, column, value)
        page.freeze_panes(1, 0)
    return workbooks.finish_workbook(book)


def write_question(book: Any, question: Cleared, deadline: dt.date, bold: Any) -> Any:
    """The sheet of the answer."""
    language = current.get()
    given = {each: translate_key(language, "clearance", each) for each in (AGREED, OBJECTED)}

    def ask(key: str, **values: object) -> str:
        return translate_key(language, "clearance", key, **values)

    form = book.add_worksheet(ANSWER)
    # Printed, both columns are on one page.
    form.set_landscape()
    form.fit_to_pages(1, 0)
    form.set_column(0, 0, 36)
    form.set_column(1, 1, 80, book.add_format({"text_wrap": True, "valign": "top"}))
    form.write(1, 0, ask("release"))
    form.write(2, 0, ask("question"))
    asked = ask("asked", count=question.rows, deadline=format_day(deadline))
    form.write(2, 1, asked if question.rows else ask("nothing"))
    form.write(3, 0, translate_key(language, "word", "country"))
    form.write(3, 1, question.country)
    for row, key in enumerate(FILLED, FIRST):
        form.write(row, 0, ask(key, **given) if key == "answer" else ask(key), bold)
    add_dropdown(form, FIRST, 1, [*given.values()], language)
    form.write(FIRST + len(FILLED) + 4, 0, question.administration)
    if language not in load_definition()["reviewed"]:
        form.write(FIRST + len(FILLED) + 5, 0, translate_key(language, "word", "unofficial"))
    if language in RIGHT_TO_LEFT:
        form.right_to_left()
    return form


def write_named(book: Any, own: Mapping[str, pl.DataFrame], bold: Any) -> None:
    """The rows with their main columns by name, and how to read them, as the page of an area on the site has
    both."""
    listed = [name for name in TABLES if name in own]
    if not listed:
        return
    page = book.add_worksheet(say("document.main"))
    page.set_landscape()
    page.fit_to_pages(1, 0)
    for column, width in enumerate(WIDTHS):
        page.set_column(column, column, width)
    if current.get() in RIGHT_TO_LEFT:
        page.right_to_left()
    row = 0
    for name in listed:
        texts = [[text or None for text in line] for line in format_rows(own[name])]
        figure = area_figure(
            name, pl.DataFrame(texts, dict.fromkeys(own[name].columns, pl.String), orient="row")
        )
        page.write(row, 0, figure.title, bold)
        page.write(row + 1, 0, figure.about)
        page.write_row(row + 2, 0, [each.name for each in figure.table.columns], bold)
        for at, line in enumerate(figure.table.rows, row + 3):
            page.write_row(at, 0, [each.text for each in line])
        row += len(figure.table.rows) + 3
        if figure.note:
            page.write(row, 0, figure.note)
            row += 1
        row += 1
