"""The form as a workbook for a respondent and a language. Its formulas check the answers offline.

The same input gives the same bytes. A form that goes back has the respondent's answers filled in, and a
comment on each cell to correct.
"""

import datetime as dt
from typing import Any

from jobs.base.core.periods import period_bounds
from jobs.base.core.workbooks import finish_workbook, new_workbook, write_value
from jobs.study.questionnaire import sheet_checks, styles
from jobs.study.questionnaire.definition import (
    Form,
    Indicator,
    Question,
    form_for,
    load_definition,
    may_waive,
)
from jobs.study.questionnaire.filing import COLUMNS, FILLED
from jobs.study.questionnaire.filled_forms import IDENTITY
from jobs.study.questionnaire.order import Layout, Order
from jobs.study.questionnaire.pages import write_errors, write_instructions, write_lists
from jobs.study.questionnaire.texts import group_keys, line_label, translate_key, unit_label


def make_workbook(order: Order) -> bytes:
    """The bytes of the workbook."""
    asked = form_for(order.respondent.role, order.is_core, order.period)
    title = translate_key(order.language, "title", "name")
    created = dt.datetime.combine(load_definition()["date"], dt.time())
    book = new_workbook(title=title, created=created)
    book.set_calc_mode("auto")
    style = styles.make_styles(book, order.language)
    layout = lay_out_form(asked, order.language, order.period)
    opening = book.add_worksheet(translate_key(order.language, "sheet", "instructions"))
    errors = book.add_worksheet(translate_key(order.language, "sheet", "errors")) if order.faults else None
    sheets = {
        section: book.add_worksheet(translate_key(order.language, "sheet", section))
        for section, _ in asked.sections
    }
    codes = book.add_worksheet(translate_key(order.language, "sheet", "codes"))
    write_lists(codes, asked, order, layout, style)
    counts = {}
    for section, questions in asked.sections:
        counts[section] = write_section(sheets[section], section, questions, asked, order, layout, style)
    write_instructions(opening, asked, order, counts, style)
    if errors is not None:
        write_errors(errors, order, layout, style)
        errors.activate()
    write_identity(book.add_worksheet(IDENTITY), order)
    return finish_workbook(book)


def lay_out_form(form: Form, language: str, period: str) -> Layout:
    """The row of each line: a heading for each question, its lines, and a sum where one is shown."""
    layout = Layout(period)
    for section, questions in form.sections:
        row = styles.FIRST_ROW
        for question in questions:
            row += 1
            sums = {relation.parts[-1] for relation in form.relations if relation.has_sum}
            for indicator in question.indicators:
                layout.sheet_of[indicator.code] = translate_key(language, "sheet", section)
                layout.row_of[indicator.code] = row
                row += 2 if indicator.code in sums else 1
    return layout


def prefill_line(question: Question, indicator: Indicator, order: Order) -> dict[str, Any]:
    """The values that a line has from the start: earlier answers, or values from the list of respondents."""
    if order.filled:
        return dict(order.filled.get(indicator.code, {}))
    whose = order.respondent
    if question.given == "period":
        return {
            "answer": dict(zip(("first", "last"), period_bounds(order.period), strict=True))[
                indicator.part or ""
            ]
        }
    given = {
        "name": whose.name,
        "role": translate_key(order.language, "role", whose.role),
        "country": whose.country,
        "holding": whose.holding,
        "operators": ", ".join(whose.operators),
    }.get(question.given or "")
    return {"answer": given} if given else {}


def write_section(
    sheet: Any, section: str, questions: list[Question], form: Form, order: Order, layout: Layout, style: Any
) -> tuple[str, int]:
    """Write one sheet of questions; the range of its checks, and how many points are open at the start."""
    language = order.language
    styles.set_up_sheet(sheet, language, COLUMNS, translate_key(language, "word", "page"))
    sheet.write_row(0, 0, COLUMNS)
    sheet.set_row(0, None, None, {"hidden": True})
    if not may_waive(order.respondent.role):
        column = COLUMNS.index("waiver")
        sheet.set_column(column, column, None, None, {"hidden": True})
    sheet.set_row(1, 30)
    sheet.write(1, 0, section, style.title)
    sheet.write(1, 1, translate_key(language, "section", section), style.title)
    for column in range(2, len(COLUMNS)):
        sheet.write_blank(1, column, None, style.title)
    for column, key in enumerate(COLUMNS):
        sheet.write(2, column, translate_key(language, "column", key), style.header)
    sheet.set_row(2, 22)
    opened = 0
    row = styles.FIRST_ROW
    for question in questions:
        opened += write_heading(sheet, row, question, form, order, layout, style)
        for indicator in question.indicators:
            write_line(sheet, question, indicator, form, order, layout, style)
            row = layout.row_of[indicator.code]
            for relation in form.relations:
                if relation.has_sum and relation.parts[-1] == indicator.code:
                    row += 1
                    write_sum(sheet, row, relation, form, order, layout, style)
        row += 1
    last = row - 1
    checks = f"H{styles.FIRST_ROW + 1}:H{last + 1}"
    for sign, made in (("✗", style.bad), ("✓", style.good)):
        condition = {"type": "text", "criteria": "begins with", "value": sign, "format": made}
        sheet.conditional_format(checks, condition)
    sheet.print_area(1, 0, last, len(COLUMNS) - 1)
    return f"'{translate_key(language, 'sheet', section)}'!$H${styles.FIRST_ROW + 1}:$H${last + 1}", opened


def write_heading(
    sheet: Any, row: int, question: Question, form: Form, order: Order, layout: Layout, style: Any
) -> int:
    """Write a question with its help and the check for required answers; 1 if an answer is still open,
    else 0."""
    language = order.language
    several = len(question.indicators) > 1
    sheet.write(row, 0, question.id if several else "", style.heading_code)
    words = translate_key(language, "question", question.id)
    pieces: list[Any] = [style.bold, words]
    if question.core and not order.is_core:
        pieces += [style.tag, f"  {translate_key(language, 'word', 'core')}"]
    if question.id in group_keys("help"):
        pieces += [style.help, "\n" + translate_key(language, "help", question.id)]
    if len(pieces) > 2:
        sheet.write_rich_string(row, 1, *pieces, style.heading)
    else:
        sheet.write(row, 1, words, style.heading_bold)
    heading = "".join(each for each in pieces if isinstance(each, str))
    sheet.set_row(row, styles.row_height((heading, styles.WIDTHS[1]), *required_words(question, language)))
    for column in range(2, len(COLUMNS)):
        sheet.write_blank(row, column, None, style.heading)
    formula = sheet_checks.required_check(question, form, layout, language)
    if formula is None:
        return 0
    spared = any(prefill_line(question, each, order) for each in question.indicators)
    shown = "" if spared else sheet_checks.fault_text(language, sheet_checks.required_key(question))
    sheet.write_formula(row, 7, formula, style.heading_check, shown)
    return 0 if spared else 1


def required_words(question: Question, language: str) -> list[tuple[str, float]]:
    """The text that the check of a question may show, with its column's width."""
    if question.required is None:
        return []
    return [(sheet_checks.fault_text(language, sheet_checks.required_key(question)), styles.WIDTHS[7])]


def write_line(
    sheet: Any,
    question: Question,
    indicator: Indicator,
    form: Form,
    order: Order,
    layout: Layout,
    style: Any,
) -> None:
    """Write one line: its label and unit, and the cells that the respondent fills in."""
    language, row = order.language, layout.row_of[indicator.code]
    is_total = question.has_total and indicator is question.indicators[-1]
    sheet.write(row, 0, indicator.code, style.code)
    sheet.write(row, 1, line_label(language, indicator), style.total_label if is_total else style.label)
    sheet.write(row, 2, unit_label(language, question, order.currency), style.unit)
    filled = prefill_line(question, indicator, order)
    wrong: dict[str, list[str]] = {}
    for fault in order.faults:
        if fault.indicator == indicator.code:
            wrong.setdefault(fault.column, []).append(fault.format_message(language))
    locked = question.given in ("role", "country")
    is_waivable = order.respondent.role in question.waiver
    made = {
        "answer": style.given if locked else style.answer[question.kind],
        "status": style.choice,
        "waiver": style.choice if is_waivable else style.closed,
        "note": style.note,
    }
    for name in FILLED:
        column = COLUMNS.index(name)
        write_value(sheet, row, column, filled.get(name), style.choose_style(made[name], name in wrong))
        if name in wrong:
            sheet.write_comment(row, column, "\n".join(wrong[name]), styles.COMMENT)
    shown = [line_label(language, indicator), str(filled.get("note") or "")]
    widths = (styles.WIDTHS[1], styles.WIDTHS[6])
    unit = (unit_label(language, question, order.currency), styles.WIDTHS[2])
    long_answer = (str(filled.get("answer") or ""), styles.WIDTHS[3])
    sheet.set_row(row, styles.row_height(*zip(shown, widths, strict=True), unit, long_answer))
    formula = sheet_checks.line_check(question, indicator, form, layout, language)
    sheet.write_formula(
        row, 7, formula, style.check, "✓" if filled.get("answer") and not order.faults else ""
    )
    if not locked:
        add_validation(sheet, row, question, layout, language)
    if is_waivable:
        styles.add_dropdown(sheet, row, COLUMNS.index("waiver"), layout.list_range["waiver"], language)
    styles.add_dropdown(sheet, row, COLUMNS.index("status"), layout.list_range["status"], language)
    limit = load_definition()["limits"]["note_length"]
    criteria = {"validate": "length", "criteria": "<=", "value": limit}
    words = translate_key(language, "check", "text", limit=limit)
    styles.add_rule(sheet, row, COLUMNS.index("note"), criteria, words, language)


def add_validation(sheet: Any, row: int, question: Question, layout: Layout, language: str) -> None:
    """Add the rule by which the spreadsheet itself refuses wrong values in the answer's cell."""
    column = COLUMNS.index("answer")
    if question.kind in ("choice", "yesno", "country"):
        styles.add_dropdown(sheet, row, column, layout.list_range[question.options or "country"], language)
        return
    words = sheet_checks.describe_wanted(question, language)
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
    styles.add_rule(sheet, row, column, criteria, words, language)


def write_sum(
    sheet: Any, row: int, relation: Any, form: Form, order: Order, layout: Layout, style: Any
) -> None:
    """Write the sum of a group of lines, and its check."""
    language = order.language
    question = form.indicators[relation.parts[0]]
    sheet.write_blank(row, 0, None, style.code)
    sheet.write(row, 1, translate_key(language, "word", "sum"), style.sum_label)
    sheet.write(row, 2, unit_label(language, question, order.currency), style.unit)
    summed, checked = sheet_checks.sum_check(relation, layout, language)
    sheet.write_formula(row, 3, summed, style.sum, "")
    for column in range(4, 7):
        sheet.write_blank(row, column, None, style.closed)
    sheet.write_formula(row, 7, checked, style.check, "")


def write_identity(sheet: Any, order: Order) -> None:
    """Write the hidden sheet that identifies the form when it comes back."""
    facts = {
        "questionnaire": load_definition()["id"],
        "respondent": order.respondent.id,
        "period": order.period,
        "language": order.language,
        "version": load_definition()["version"],
    }
    for row, (key, value) in enumerate(facts.items()):
        sheet.write_string(row, 0, key)
        sheet.write_string(row, 1, value)
    sheet.protect("", styles.PROTECTION)
    sheet.very_hidden()
