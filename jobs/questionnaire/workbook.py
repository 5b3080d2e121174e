"""The form as a workbook: one for each respondent and language, that checks itself without a connection.

The same input gives the same bytes. What was answered may be filled in, and what is wrong marked, so that a
respondent gets back the own form with a comment on each cell to correct.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from jobs.questionnaire import look, sheet_checks
from jobs.questionnaire.definition import Form, Indicator, Question, form, raw
from jobs.questionnaire.filing import COLUMNS, FILLED, Fault
from jobs.questionnaire.reading import IDENTITY
from jobs.questionnaire.respondents import Respondent, country_names
from jobs.questionnaire.texts import keys, line_label, options, text, unit_label


@dataclass
class Layout:
    """Where things stand: the row of each indicator on its sheet, and the cells of each list."""

    sheet_of: dict[str, str] = field(default_factory=dict)
    row_of: dict[str, int] = field(default_factory=dict)
    list_range: dict[str, str] = field(default_factory=dict)

    def cell(self, indicator: str, column: str, absolute: bool = False, seen_from: str | None = None) -> str:
        """The cell of an indicator, with its sheet's name where it is seen from another."""
        name = xl_rowcol_to_cell(self.row_of[indicator], COLUMNS.index(column), absolute, absolute)
        sheet = self.sheet_of[indicator]
        return name if sheet == seen_from else f"'{sheet}'!{name}"


@dataclass(frozen=True)
class Order:
    """What a workbook is made of. filled: what stands in the cells already, by indicator and column."""

    respondent: Respondent
    language: str
    period: str
    is_core: bool = False
    filled: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


def make_workbook(order: Order) -> bytes:
    """The bytes of the workbook."""
    asked = form(order.respondent.role, order.is_core)
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    title = text(order.language, "title", "name")
    book.set_properties({"title": title, "created": dt.datetime.combine(raw()["date"], dt.time())})
    book.set_calc_mode("auto")
    style = look.styles(book, order.language)
    layout = lay_out(asked, order.language)
    opening = book.add_worksheet(text(order.language, "sheet", "instructions"))
    errors = book.add_worksheet(text(order.language, "sheet", "errors")) if order.faults else None
    sheets = {
        section: book.add_worksheet(text(order.language, "sheet", section)) for section, _ in asked.sections
    }
    codes = book.add_worksheet(text(order.language, "sheet", "codes"))
    write_lists(codes, asked, order, layout, style)
    counts = {}
    for section, questions in asked.sections:
        counts[section] = write_section(sheets[section], section, questions, asked, order, layout, style)
    write_instructions(opening, asked, order, counts, style)
    if errors is not None:
        write_errors(errors, order, asked, layout, style)
        errors.activate()
    write_identity(book.add_worksheet(IDENTITY), order)
    book.close()
    return stream.getvalue()


def lay_out(asked: Form, language: str) -> Layout:
    """The row of each line: a heading for each question, its lines, and a sum where one is shown."""
    layout = Layout()
    for section, questions in asked.sections:
        row = look.FIRST_ROW
        for question in questions:
            row += 1
            sums = {relation.parts[-1] for relation in asked.relations if relation.has_sum}
            for indicator in question.indicators:
                layout.sheet_of[indicator.code] = text(language, "sheet", section)
                layout.row_of[indicator.code] = row
                row += 2 if indicator.code in sums else 1
    return layout


def prefilled(question: Question, indicator: Indicator, order: Order) -> dict[str, Any]:
    """What stands in a line before the respondent writes: what was answered, or what the list has."""
    if order.filled:
        return dict(order.filled.get(indicator.code, {}))
    whose = order.respondent
    if question.given == "period":
        return {"answer": period_edge(order.period, indicator.part or "")}
    given = {
        "name": whose.name,
        "role": text(order.language, "role", whose.role),
        "country": whose.country,
        "holding": whose.holding,
        "operators": ", ".join(whose.operators),
    }.get(question.given or "")
    return {"answer": given} if given else {}


def period_edge(period: str, edge: str) -> dt.date:
    """The first or last day of a year, quarter or month."""
    year, _, part = period.partition("-")
    first, months = (1, 12) if not part else (int(part[1]) * 3 - 2, 3) if part[0] == "Q" else (int(part), 1)
    if edge == "first":
        return dt.date(int(year), first, 1)
    after = first + months
    return dt.date(int(year) + (after > 12), after - 12 if after > 12 else after, 1) - dt.timedelta(days=1)


def write_section(
    sheet: Any, section: str, questions: list[Question], asked: Form, order: Order, layout: Layout, style: Any
) -> tuple[str, int]:
    """One sheet of questions; the range of its checks and how many points are open in it as it is made."""
    language = order.language
    look.set_up(sheet, language, COLUMNS, text(language, "word", "page"))
    sheet.write_row(0, 0, COLUMNS)
    sheet.set_row(0, None, None, {"hidden": True})
    sheet.set_row(1, 30)
    sheet.write(1, 0, section, style.title)
    sheet.write(1, 1, text(language, "section", section), style.title)
    for column in range(2, len(COLUMNS)):
        sheet.write_blank(1, column, None, style.title)
    for column, key in enumerate(COLUMNS):
        sheet.write(2, column, text(language, "column", key), style.header)
    sheet.set_row(2, 22)
    opened = 0
    row = look.FIRST_ROW
    for question in questions:
        opened += write_heading(sheet, row, question, asked, order, layout, style)
        for indicator in question.indicators:
            write_line(sheet, question, indicator, asked, order, layout, style)
            row = layout.row_of[indicator.code]
            for relation in asked.relations:
                if relation.has_sum and relation.parts[-1] == indicator.code:
                    row += 1
                    write_sum(sheet, row, relation, asked, order, layout, style)
        row += 1
    last = row - 1
    checks = f"H{look.FIRST_ROW + 1}:H{last + 1}"
    for mark, made in (("✗", style.bad), ("✓", style.good)):
        condition = {"type": "text", "criteria": "begins with", "value": mark, "format": made}
        sheet.conditional_format(checks, condition)
    sheet.print_area(1, 0, last, len(COLUMNS) - 1)
    return f"'{text(language, 'sheet', section)}'!$H${look.FIRST_ROW + 1}:$H${last + 1}", opened


def write_heading(
    sheet: Any, row: int, question: Question, asked: Form, order: Order, layout: Layout, style: Any
) -> int:
    """The question itself with its help, and whether it still has to be answered; 1 if it does."""
    language = order.language
    several = len(question.indicators) > 1
    sheet.write(row, 0, question.id if several else "", style.heading_code)
    words = text(language, "question", question.id)
    pieces: list[Any] = [style.bold, words]
    if question.core and not order.is_core:
        pieces += [style.tag, f"  {text(language, 'word', 'core')}"]
    if question.id in keys("help"):
        pieces += [style.help, "\n" + text(language, "help", question.id)]
    if len(pieces) > 2:
        sheet.write_rich_string(row, 1, *pieces, style.heading)
    else:
        sheet.write(row, 1, words, style.heading)
    for column in range(2, len(COLUMNS)):
        sheet.write_blank(row, column, None, style.heading)
    formula = sheet_checks.required(question, asked, layout, language)
    if formula is None:
        return 0
    spared = any(prefilled(question, each, order) for each in question.indicators)
    shown = "" if spared else sheet_checks.fault(language, sheet_checks.required_key(question))
    sheet.write_formula(row, 7, formula, style.heading_check, shown)
    return 0 if spared else 1


def write_line(
    sheet: Any, question: Question, indicator: Indicator, asked: Form, order: Order, layout: Layout, style: Any
) -> None:
    """One line: its label and unit, and the cells that the respondent fills in."""
    language, row = order.language, layout.row_of[indicator.code]
    is_total = question.has_total and indicator is question.indicators[-1]
    sheet.write(row, 0, indicator.code, style.code)
    sheet.write(row, 1, line_label(language, indicator), style.total_label if is_total else style.label)
    sheet.write(row, 2, unit_label(language, question, order.respondent.currency), style.unit)
    filled = prefilled(question, indicator, order)
    wrong = {}
    for fault in order.faults:
        if fault.indicator == indicator.code:
            wrong.setdefault(fault_column(fault), []).append(fault.message(language))
    locked = question.given in ("role", "country")
    may_waive = order.respondent.role in question.waiver
    made = {
        "answer": style.given if locked else style.answer[question.kind],
        "status": style.choice,
        "waiver": style.choice if may_waive else style.closed,
        "note": style.note,
    }
    for name in FILLED:
        column = COLUMNS.index(name)
        look.write_value(sheet, row, column, filled.get(name), style.wrong(made[name], name in wrong))
        if name in wrong:
            sheet.write_comment(row, column, "\n".join(wrong[name]), look.COMMENT)
    formula = sheet_checks.line(question, indicator, asked, layout, language)
    sheet.write_formula(row, 7, formula, style.check, "✓" if filled.get("answer") and not order.faults else "")
    if not locked:
        validate(sheet, row, question, layout, language)
    if may_waive:
        look.choose(sheet, row, COLUMNS.index("waiver"), layout.list_range["waiver"], language)
    look.choose(sheet, row, COLUMNS.index("status"), layout.list_range["status"], language)
    limit = raw()["limits"]["note_length"]
    criteria = {"validate": "length", "criteria": "<=", "value": limit}
    words = text(language, "check", "text", limit=limit)
    sheet.data_validation(row, COLUMNS.index("note"), row, COLUMNS.index("note"), look.refusing(criteria, words, language))


def fault_column(fault: Fault) -> str:
    """The column that a fault marks: the one whose message it is."""
    return fault.key if fault.key in ("waiver",) else "status" if fault.key in ("either", "unanswered") else "answer"


def validate(sheet: Any, row: int, question: Question, layout: Layout, language: str) -> None:
    """What the spreadsheet itself refuses in the answer's cell."""
    column = COLUMNS.index("answer")
    if question.kind in ("choice", "yesno", "country"):
        look.choose(sheet, row, column, layout.list_range[question.options or "country"], language)
        return
    words = sheet_checks.wanted(question, language)
    if question.kind == "date":
        low, high = dt.date(1990, 1, 1), dt.date(2100, 12, 31)
        criteria = {"validate": "date", "criteria": "between", "minimum": low, "maximum": high}
    elif question.kind == "text":
        criteria = {"validate": "length", "criteria": "<=", "value": question.length}
    else:
        kind = "decimal" if question.fractions else "integer"
        # Excel refuses limits of a whole number above 2^31 in some versions: decimal limits do as well.
        kind = "decimal" if question.high > 2**31 else kind
        limits = {"minimum": float(question.low), "maximum": float(question.high)}
        criteria = {"validate": kind, "criteria": "between", **limits}
    sheet.data_validation(row, column, row, column, look.refusing(criteria, words, language))


def write_sum(
    sheet: Any, row: int, relation: Any, asked: Form, order: Order, layout: Layout, style: Any
) -> None:
    """The sum of a group of lines, and whether it is what it has to be."""
    language = order.language
    question = asked.indicators[relation.parts[0]]
    sheet.write_blank(row, 0, None, style.code)
    sheet.write(row, 1, text(language, "word", "sum"), style.sum_label)
    sheet.write(row, 2, unit_label(language, question, order.respondent.currency), style.unit)
    summed, checked = sheet_checks.group(relation, layout, language)
    sheet.write_formula(row, 3, summed, style.sum, "")
    for column in range(4, 7):
        sheet.write_blank(row, column, None, style.closed)
    sheet.write_formula(row, 7, checked, style.check, "")


def write_lists(sheet: Any, asked: Form, order: Order, layout: Layout, style: Any) -> None:
    """Every list that the form asks to choose from, one below the other: code and label."""
    language = order.language
    look.set_up(sheet, language, (), text(language, "word", "page"))
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 70)
    sheet.write(0, 0, text(language, "sheet", "codes"), style.title)
    sheet.write_blank(0, 1, None, style.title)
    sheet.set_row(0, 30)
    name = f"'{text(language, 'sheet', 'codes')}'"
    used = dict.fromkeys(["status", "waiver", *(each.options for each in asked.questions if each.options)])
    row = 2
    for codelist in used:
        sheet.write(row, 0, text(language, "column", "code"), style.header)
        sheet.write(row, 1, text(language, codelist, "name"), style.header)
        entries = options(language, codelist)
        for number, (code, label) in enumerate(entries.items(), start=row + 1):
            sheet.write(number, 0, code, style.code)
            sheet.write(number, 1, label, style.label)
        layout.list_range[codelist] = f"={name}!$B${row + 2}:$B${row + 1 + len(entries)}"
        row += len(entries) + 2
    countries = country_names()
    sheet.write(row, 0, text(language, "column", "code"), style.header)
    sheet.write(row, 1, text(language, "word", "country"), style.header)
    for number, (code, label) in enumerate(sorted(countries.items()), start=row + 1):
        sheet.write(number, 0, code, style.code)
        sheet.write(number, 1, label, style.label)
    layout.list_range["country"] = f"={name}!$A${row + 2}:$A${row + 1 + len(countries)}"
    sheet.freeze_panes(1, 0)
    sheet.protect("", look.PROTECTION)


def write_instructions(
    sheet: Any, asked: Form, order: Order, counts: dict[str, tuple[str, int]], style: Any
) -> None:
    """Whose form it is, how it is filled in, and what is still open."""
    language, whose = order.language, order.respondent
    look.set_up(sheet, language, (), text(language, "word", "page"))
    sheet.set_portrait()
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 78)
    sheet.set_row(0, 44)
    sheet.write(0, 0, text(language, "title", "name"), style.cover)
    sheet.write_blank(0, 1, None, style.cover)
    sheet.write(1, 0, text(language, "title", "mandate"), style.plain)
    facts = {
        "respondent": f"{whose.name} ({whose.id})",
        "country": f"{country_names()[whose.country]} ({whose.country})",
        "period": order.period,
        "currency": whose.currency,
        "version": f"{raw()['id']} {raw()['version']}",
    }
    row = 3
    for key, value in facts.items():
        sheet.write(row, 0, text(language, "word", key), style.fact)
        sheet.write(row, 1, value, style.fact_value)
        row += 1
    row = write_progress(sheet, row + 1, asked, language, counts, style)
    sheet.write(row, 0, text(language, "sheet", "instructions"), style.header)
    sheet.write_blank(row, 1, None, style.header)
    core = text(language, "word", "core")
    for number, key in enumerate(instructions(order), start=1):
        row += 1
        words = text(language, "instruction", key, currency=whose.currency, core=core)
        sheet.write(row, 0, number, style.number)
        sheet.write(row, 1, words, style.prose)
    sheet.print_area(0, 0, row, 1)
    sheet.protect("", look.PROTECTION)


def instructions(order: Order) -> list[str]:
    """All instructions; without the one on the core set where the form is that set."""
    return [key for key in sorted(keys("instruction")) if not (order.is_core and key == "10")]


def write_progress(
    sheet: Any, row: int, asked: Form, language: str, counts: dict[str, tuple[str, int]], style: Any
) -> int:
    """For each section how many points are open, counted by the sheet itself."""
    sheet.write(row, 0, text(language, "word", "progress"), style.header)
    sheet.write(row, 1, text(language, "word", "open"), style.header)
    first = row + 1
    ready = text(language, "word", "ready")
    for section, _ in asked.sections:
        row += 1
        checks, opened = counts[section]
        name = text(language, "sheet", section)
        sheet.write_url(row, 0, f"internal:'{name}'!A1", style.link, f"{section} {text(language, 'section', section)}")
        counted = f'COUNTIF({checks},"✗*")'
        formula = f'=IF({counted}=0,"{ready}",{counted})'
        sheet.write_formula(row, 1, formula, style.progress, opened or ready)
    cells = f"B{first + 1}:B{row + 1}"
    sheet.conditional_format(cells, {"type": "text", "criteria": "begins with", "value": "✓", "format": style.good})
    sheet.conditional_format(cells, {"type": "cell", "criteria": ">", "value": 0, "format": style.bad})
    return row + 2


def write_errors(sheet: Any, order: Order, asked: Form, layout: Layout, style: Any) -> None:
    """All that is to be corrected, a line for each point, with a link to its cell in this workbook."""
    language = order.language
    look.set_up(sheet, language, (), text(language, "word", "page"))
    for column, (key, width) in enumerate({"sheet": 24, "cell": 10, "code": 24, "written": 30, "remedy": 90}.items()):
        sheet.set_column(column, column, width)
        sheet.write(2, column, text(language, "column", key), style.header)
        sheet.write_blank(0, column, None, style.title)
    sheet.write(0, 0, text(language, "sheet", "errors"), style.title)
    sheet.set_row(0, 30)
    for row, fault in enumerate(order.faults, start=3):
        known = fault.indicator in layout.row_of
        place = layout.cell(fault.indicator, fault_column(fault)) if known else ""
        if known:
            sheet_name, cell = place.rsplit("!", 1)
            sheet.write(row, 0, sheet_name.strip("'"), style.label)
            sheet.write_url(row, 1, f"internal:{place}", style.link, cell)
        else:
            sheet.write_string(row, 0, fault.place.sheet, style.label)
            sheet.write_string(row, 1, fault.place.cell, style.label)
        sheet.write_string(row, 2, fault.indicator, style.code)
        sheet.write_string(row, 3, fault.written, style.label)
        sheet.write_string(row, 4, fault.message(language), style.prose)
    sheet.freeze_panes(3, 0)
    sheet.protect("", look.PROTECTION)


def write_identity(sheet: Any, order: Order) -> None:
    """The hidden sheet by which the form is known when it comes back."""
    facts = {
        "questionnaire": raw()["id"],
        "respondent": order.respondent.id,
        "period": order.period,
        "language": order.language,
        "version": raw()["version"],
    }
    for row, (key, value) in enumerate(facts.items()):
        sheet.write_string(row, 0, key)
        sheet.write_string(row, 1, value)
    sheet.protect("", look.PROTECTION)
    sheet.very_hidden()
