"""The pages of a workbook beside the questions: instructions, lists of codes, and errors to correct."""

from dataclasses import asdict
from typing import Any

from jobs.study.questionnaire import styles
from jobs.study.questionnaire.definition import OFFERED, Form, load_definition, may_waive
from jobs.study.questionnaire.order import Layout, Order
from jobs.study.questionnaire.respondents import country_names
from jobs.study.questionnaire.texts import group_keys, option_labels, translate_key

# Widths of the first sheet's columns. Some programs break no link: the longest name of a section fits.
LABEL, PROSE = 50, 64


def write_lists(sheet: Any, form: Form, order: Order, layout: Layout, style: Any) -> None:
    """Write every list that answers are chosen from, one below the other: code and label."""
    language = order.language
    styles.set_up_sheet(sheet, language, (), translate_key(language, "word", "page"))
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 70)
    sheet.write(0, 0, translate_key(language, "sheet", "codes"), style.title)
    sheet.write_blank(0, 1, None, style.title)
    sheet.set_row(0, 30)
    name = f"'{translate_key(language, 'sheet', 'codes')}'"
    used = dict.fromkeys(["status", "waiver", *(each.options for each in form.questions if each.options)])
    row = 2
    for codelist in used:
        sheet.write(row, 0, translate_key(language, "column", "code"), style.header)
        sheet.write(row, 1, translate_key(language, codelist, "name"), style.header)
        entries = option_labels(language, codelist)
        for number, (code, label) in enumerate(entries.items(), start=row + 1):
            sheet.write(number, 0, code, style.code)
            sheet.write(number, 1, label, style.label)
        layout.list_range[codelist] = f"={name}!$B${row + 2}:$B${row + 1 + len(entries)}"
        row += len(entries) + 2
    countries = country_names(language)
    sheet.write(row, 0, translate_key(language, "column", "code"), style.header)
    sheet.write(row, 1, translate_key(language, "word", "country"), style.header)
    for number, (code, label) in enumerate(sorted(countries.items()), start=row + 1):
        sheet.write(number, 0, code, style.code)
        sheet.write(number, 1, label, style.label)
    layout.list_range["country"] = f"={name}!$A${row + 2}:$A${row + 1 + len(countries)}"
    sheet.freeze_panes(1, 0)
    sheet.protect("", styles.PROTECTION)


def write_instructions(
    sheet: Any, form: Form, order: Order, counts: dict[str, tuple[str, int]], style: Any
) -> None:
    """Write the respondent, the instructions, and the number of open points."""
    language, whose = order.language, order.respondent
    styles.set_up_sheet(sheet, language, (), translate_key(language, "word", "page"))
    sheet.set_portrait()
    sheet.set_column(0, 0, LABEL)
    sheet.set_column(1, 1, PROSE)
    sheet.set_row(0, 44)
    sheet.write(0, 0, translate_key(language, "title", "name"), style.cover)
    sheet.write_blank(0, 1, None, style.cover)
    sheet.write(1, 0, translate_key(language, "title", "mandate"), style.plain)
    if language not in load_definition()["reviewed"]:
        sheet.write(2, 0, translate_key(language, "word", "unofficial"), style.plain)
    facts = {
        "respondent": f"{whose.name} ({whose.id})",
        "country": f"{country_names(language)[whose.country]} ({whose.country})",
        "period": order.period,
        **{key: value for key, value in asdict(order.letterhead).items() if value},
        **({"currency": order.currency} if form.has_money else {}),
        "version": f"{load_definition()['id']} {load_definition()['version']}",
    }
    row = 3
    for key, value in facts.items():
        sheet.write(row, 0, translate_key(language, "word", key), style.fact)
        sheet.write_string(row, 1, value, style.fact_value)
        row += 1
    waived = translate_key(language, "instruction", "09" if may_waive(whose.role) else "09A")
    about = {
        "purpose": translate_key(language, "cover", "purpose"),
        "confidentiality": f"{translate_key(language, 'cover', 'confidentiality')} {waived}",
    }
    for key, words in about.items():
        sheet.write(row, 0, translate_key(language, "word", key), style.fact)
        sheet.write(row, 1, words, style.prose)
        sheet.set_row(row, styles.row_height((words, PROSE)))
        row += 1
    row = write_progress(sheet, row + 1, form, language, counts, style)
    sheet.write(row, 0, translate_key(language, "sheet", "instructions"), style.header)
    sheet.write_blank(row, 1, None, style.header)
    core = translate_key(language, "word", "core")
    for number, key in enumerate(instruction_keys(order, form), start=1):
        row += 1
        words = translate_key(language, "instruction", key, currency=order.currency, core=core)
        sheet.write(row, 0, number, style.number)
        sheet.write(row, 1, words, style.prose)
        sheet.set_row(row, styles.row_height((words, PROSE)))
    sheet.print_area(0, 0, row, 1)
    sheet.protect("", styles.PROTECTION)


def instruction_keys(order: Order, form: Form) -> list[str]:
    """The keys of the instructions, without confidentiality, which stands above them; a form of the core set
    leaves out the one on the core set, one without traffic by channel the one on channels not offered, and
    one without money the one on amounts."""
    others = {"09", "09A"} | ({"10"} if order.is_core else set())
    others |= set() if any(each.id == OFFERED for each in form.questions) else {"14"}
    others |= set() if form.has_money else {"04"}
    return [key for key in sorted(group_keys("instruction")) if key not in others]


def write_progress(
    sheet: Any, row: int, form: Form, language: str, counts: dict[str, tuple[str, int]], style: Any
) -> int:
    """Write the number of open points of each section, as a formula; the next free row.

    Args:
        row: counted from 0.
        counts: by section, the range of its checks and how many points are open at the start.
        style: formats of cells.
    """
    sheet.write(row, 0, translate_key(language, "word", "progress"), style.header)
    sheet.write(row, 1, translate_key(language, "word", "open"), style.header)
    first = row + 1
    ready = translate_key(language, "word", "ready")
    for section, _ in form.sections:
        row += 1
        checks, opened = counts[section]
        name = translate_key(language, "sheet", section)
        words = f"{section} {translate_key(language, 'section', section)}"
        sheet.write_url(row, 0, f"internal:'{name}'!A1", style.link, words)
        sheet.set_row(row, styles.row_height((words, LABEL)))
        counted = f'COUNTIF({checks},"✗*")'
        formula = f'=IF({counted}=0,"{ready}",{counted})'
        sheet.write_formula(row, 1, formula, style.progress, opened or ready)
    cells = f"B{first + 1}:B{row + 1}"
    sheet.conditional_format(
        cells, {"type": "text", "criteria": "begins with", "value": "✓", "format": style.good}
    )
    sheet.conditional_format(cells, {"type": "cell", "criteria": ">", "value": 0, "format": style.bad})
    return row + 2


def write_errors(sheet: Any, order: Order, layout: Layout, style: Any) -> None:
    """Write a line for each error, with a link to its cell in this workbook."""
    language = order.language
    styles.set_up_sheet(sheet, language, (), translate_key(language, "word", "page"))
    for column, (key, width) in enumerate(
        {"sheet": 24, "cell": 10, "code": 24, "written": 30, "remedy": 90}.items()
    ):
        sheet.set_column(column, column, width)
        sheet.write(2, column, translate_key(language, "column", key), style.header)
        sheet.write_blank(0, column, None, style.title)
    sheet.write(0, 0, translate_key(language, "sheet", "errors"), style.title)
    sheet.set_row(0, 30)
    for row, fault in enumerate(order.faults, start=3):
        known = fault.indicator in layout.row_of
        place = layout.cell_reference(fault.indicator, fault.column) if known else ""
        if known:
            sheet_name, cell = place.rsplit("!", 1)
            sheet.write(row, 0, sheet_name.strip("'"), style.label)
            sheet.write_url(row, 1, f"internal:{place}", style.link, cell)
        else:
            sheet.write_string(row, 0, fault.place.sheet, style.label)
            sheet.write_string(row, 1, fault.place.cell, style.label)
        sheet.write_string(row, 2, fault.indicator, style.code)
        sheet.write_string(row, 3, fault.written, style.label)
        sheet.write_string(row, 4, fault.format_message(language), style.prose)
        sheet.set_row(row, styles.row_height((fault.format_message(language), 90), (fault.written, 30)))
    sheet.freeze_panes(3, 0)
    sheet.protect("", styles.PROTECTION)
