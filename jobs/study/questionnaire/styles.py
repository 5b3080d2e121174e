"""The layout of the workbook: styles, widths, print set-up, drop-downs."""

import math
import unicodedata
from dataclasses import dataclass
from typing import Any

from jobs.base.core import workbooks
from jobs.study.questionnaire.texts import translate_key

# Rows from 0: the columns' keys (hidden), the section's title, the columns' names, then the questions.
FIRST_ROW = 3
WIDTHS = (22, 54, 20, 20, 17, 24, 30, 30)
FONTS = {"ar": "Arial", "zh": "Microsoft YaHei"}
INK, DEEP, BAND, TINT, RULE, MUTED = "#1F2933", "#0B4F71", "#DCEAF2", "#F4F7F9", "#B8C7D1", "#5F6F7A"
# Columns and rows may be resized; nothing but answers may be changed.
PROTECTION = {"format_columns": True, "format_rows": True, "select_locked_cells": True}
COMMENT = {"x_scale": 2.4, "y_scale": 1.6, "color": "#FDE8E8", "author": ""}
A4 = 9


LINE, PADDING = 13.5, 6.0


def row_height(*texts: tuple[str, float]) -> float:
    """The height of a row in points, for the longest of its texts.

    A file cannot ask for a fitting height, and not every program fits rows when it opens a file.

    Args:
        texts: each with its column's width.
    """
    return (
        max(sum(count_text_lines(part, width) for part in words.split("\n")) for words, width in texts) * LINE
        + PADDING
    )


def count_text_lines(words: str, width: float) -> int:
    """The lines that a text takes in a column; a Chinese character is as wide as two others."""
    taken = sum(1.9 if unicodedata.east_asian_width(each) in "WF" else 0.95 for each in words)
    return max(1, math.ceil(taken / width))


@dataclass(frozen=True)
class Styles:
    """Formats by name; `answer` by kind of question; `faulty` the marked twin of each cell to fill in."""

    formats: dict[str, Any]
    answer: dict[str, Any]
    faulty: dict[int, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.formats[name]
        except KeyError:
            raise AttributeError(name) from None

    def choose_style(self, style: Any, is_wrong: bool) -> Any:
        return self.faulty.get(id(style), style) if is_wrong else style


def make_styles(book: Any, language: str) -> Styles:
    base: dict[str, Any] = {
        "font_name": FONTS.get(language, "Calibri"),
        "font_size": 10,
        "font_color": INK,
        "valign": "vcenter",
        "text_wrap": True,
    }
    if language == "ar":
        base["reading_order"] = 2
    ruled = {**base, "border": 1, "border_color": RULE}
    locked = {**ruled, "bg_color": TINT}
    open_cell = {**ruled, "locked": False, "bg_color": "#FFFFFF"}
    band = {**base, "bg_color": BAND, "top": 1, "top_color": DEEP}
    fills = {
        "title": {**base, "font_size": 16, "bold": True, "font_color": DEEP, "text_wrap": False},
        "cover": {
            **base,
            # The longest title, of 84 letters, fits into the first sheet.
            "font_size": 14,
            "bold": True,
            "font_color": "#FFFFFF",
            "bg_color": DEEP,
            "text_wrap": False,
        },
        "plain": {**base, "font_color": MUTED, "italic": language not in ("ar", "zh"), "text_wrap": False},
        "header": {**base, "bold": True, "font_color": "#FFFFFF", "bg_color": DEEP},
        "heading": band,
        "heading_bold": {**band, "bold": True, "font_size": 11},
        "heading_code": {**band, "font_size": 8, "font_color": MUTED},
        "heading_check": {**band, "bold": True, "font_size": 9},
        "code": {**locked, "font_size": 8, "font_color": MUTED, "text_wrap": False},
        "label": locked,
        "total_label": {**locked, "bold": True},
        "sum_label": {**locked, "italic": language not in ("ar", "zh"), "font_color": MUTED},
        "unit": {**locked, "font_color": MUTED},
        "sum": {**locked, "bold": True, "num_format": "#,##0.##", "align": "right"},
        "check": {**locked, "font_size": 9},
        "closed": {**locked, "pattern": 1, "bg_color": "#E4E9ED"},
        "given": {**locked, "bold": True},
        "choice": open_cell,
        "note": open_cell,
        "fact": {**locked, "font_color": MUTED},
        "fact_value": {**locked, "bold": True},
        "number": {**locked, "align": "center", "valign": "top", "bold": True, "font_color": DEEP},
        "prose": {**ruled, "valign": "top"},
        "progress": {**locked, "align": "right" if language == "ar" else "left", "bold": True},
        "link": {**locked, "font_color": DEEP, "underline": 1},
        # Pieces of a rich text.
        "bold": {"bold": True, "font_name": base["font_name"], "font_size": 11, "font_color": INK},
        "help": {"font_name": base["font_name"], "font_size": 9, "font_color": MUTED},
        "tag": {"bold": True, "font_name": base["font_name"], "font_size": 8, "font_color": "#A8561C"},
        # Laid over checks by their first sign.
        "good": {"font_color": "#1B6B3A"},
        "bad": {"font_color": "#A61B1B", "bg_color": "#FDE8E8", "bold": True},
    }
    kinds = {
        "number": {**open_cell, "num_format": "#,##0", "align": "right"},
        "money": {**open_cell, "num_format": "#,##0", "align": "right"},
        "percent": {**open_cell, "align": "right"},
        "date": {**open_cell, "num_format": "yyyy-mm-dd", "align": "right"},
        **dict.fromkeys(("text", "choice", "yesno", "country"), open_cell),
    }
    formats = {name: book.add_format(fill) for name, fill in fills.items()}
    answer = {kind: book.add_format(fill) for kind, fill in kinds.items()}
    marked = {"bg_color": "#FAD4D4", "border": 2, "border_color": "#A61B1B"}
    fillable = [
        *((answer[kind], kinds[kind]) for kind in kinds),
        *((formats[n], fills[n]) for n in ("choice", "note", "closed", "given")),
    ]
    faulty = {id(made): book.add_format({**fill, **marked}) for made, fill in fillable}
    return Styles(formats, answer, faulty)


def set_up_sheet(sheet: Any, language: str, columns: tuple[str, ...], page: str) -> None:
    """Set direction, widths, panes, print set-up and protection of a sheet."""
    sheet.hide_gridlines(2)
    sheet.set_paper(A4)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.set_footer(f"&L&8&A&R&8{page} &P / &N")
    if language == "ar":
        sheet.right_to_left()
    if not columns:
        return
    for column, width in enumerate(WIDTHS):
        sheet.set_column(column, column, width)
    sheet.freeze_panes(FIRST_ROW, 2)
    sheet.repeat_rows(2)
    sheet.protect("", PROTECTION)


def add_rule(sheet: Any, row: int, column: int, criteria: dict[str, Any], words: str, language: str) -> None:
    """Let the spreadsheet refuse other values in a cell, in the respondent's language.

    Args:
        row, column: counted from 0.
        criteria: options of XlsxWriter's data_validation().
        words: the message that the respondent sees.
    """
    workbooks.add_rule(
        sheet, (row, row), column, criteria, translate_key(language, "word", "not_accepted"), words
    )


def add_dropdown(sheet: Any, row: int, column: int, source: str | list[str], language: str) -> None:
    """Add a drop-down list to a cell."""
    words = translate_key(language, "check", "list")
    add_rule(sheet, row, column, {"validate": "list", "source": source}, words, language)
