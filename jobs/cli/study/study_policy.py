"""What administrations answered on policy, on a terminal: some lines, the world beside the groups."""

from typing import Any

import polars as pl
from rich.console import RenderableType

from jobs.base.core.numbers import format_whole_percent
from jobs.base.figures.areas import HALVES, RESOLUTION, WORLD
from jobs.cli.study.study_tables import (
    estimates_table,
    explain_areas,
    is_of_period,
    latest_period,
    name_area,
    to_objects,
)

# The lines that are printed, one or two for each pillar, with the answer that is counted.
SHOWN = {
    ("sp901.EMAIL", "OPTIN"): "law on e-mail: consent",
    ("sp901.EMAIL", "NONE"): "law on e-mail: none",
    ("sp902", "some"): "cases against senders",
    ("sp601.EMAIL.filtering", "yes"): "filtering of e-mail",
    ("sp601.SMS.filtering", "yes"): "filtering of SMS",
    ("sp801.EMAIL", "some"): "complaints on e-mail",
    ("sp606.FOREIGN", "yes"): "data exchanged abroad",
    ("sp903.TRAINING", "yes"): "help needed: training",
    ("sp903.LAW", "yes"): "help needed: law",
}
# The areas of a table: all of them do not fit eighty columns.
SIDE_BY_SIDE = ((WORLD, *HALVES), RESOLUTION)
TOLD = (
    "Of the administrations that answered the line (how many). Silent ones may differ:"
    " `observatory show study.policy` has both ends. Not for publication: a release has quarters."
)


def policy_table(frame: pl.DataFrame) -> list[RenderableType]:
    """Shares of the last period's answers, by area; in brackets how many administrations answered."""
    period = latest_period(frame)
    found = {
        (row.indicator_code, row.answer_code, row.area_code): row
        for row in to_objects(frame.filter(is_of_period(period)))
    }
    known = {area: row for (*_, area), row in found.items()}
    tables = []
    for areas in SIDE_BY_SIDE:
        told = {
            text: [found.get((*line, area)) for area in areas]
            for line, text in SHOWN.items()
            if any((*line, area) in found for area in areas)
        }
        if not told:
            continue
        title = f"Policy: what administrations answered for {period}"
        heads = [name_area(known[area]) if area in known else area for area in areas]
        table = estimates_table(title, *heads, first="")
        for text, rows in told.items():
            table.add_row(text, *map(format_answered, rows))
        tables.append(table)
    for table in tables[-1:]:
        shown = [known[area] for areas in SIDE_BY_SIDE for area in areas if area in known]
        table.caption = "\n".join([TOLD, *explain_areas(shown)])
    return list(tables)


def format_answered(row: Any) -> str:
    if row is None or not row.answered_count:
        return ""
    return f"{format_whole_percent(row.chosen_pct)} ({row.answered_count})"
