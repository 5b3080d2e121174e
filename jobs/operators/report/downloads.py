"""The files beside the page, one for each figure, and the source line under each chart."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from expectations.native import Result
from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.tables.contracts import read_fields
from jobs.operators.report.figures import FIGURES, VALIDATION
from jobs.operators.report.report import Report

# Columns of codes that are named otherwise than by their own list, and those that a row may lack.
NAMED: dict[str, Callable[[Any], str]] = {
    "measure_code": words.measure_name,
    "spam_type_code": words.type_name,
    **dict.fromkeys(("origin_code", "destination_code", "source_country_code"), words.country_name),
}
OPTIONAL = ("strategy_code", "bound_code", "quality_method_code")
# Figures that do not depend on a period.
UNDATED = {"coverage": "all files read", "validation": "last check of each table"}
SHOWN = {name: figure for name, figure in FIGURES.items() if figure.content} | {"validation": VALIDATION}


@dataclass(frozen=True)
class Download:
    """A file beside the page.

    Attributes:
        size: in bytes.
        digest: its SHA-256.
    """

    name: str
    content: str
    size: int
    digest: str


def write_file(folder: Path, name: str, data: bytes, content: str = "") -> Download:
    (folder / name).write_bytes(data)
    return Download(name, content, len(data), hashlib.sha256(data).hexdigest())


def write_csvs(report: Report, validation: Iterable[Result], folder: Path) -> list[Download]:
    """Write the numbers of every figure, codes with their names."""
    columns = VALIDATION.columns
    results = pl.DataFrame([{name: getattr(rule, name) for name in columns} for rule in validation], columns)
    frames = {name: add_names(report, getattr(report.figures, name)) for name in SHOWN if name in FIGURES}
    frames["validation"] = results.sort("table", "rule")
    return [
        write_file(folder, f"{name}.csv", frames[name].write_csv().encode(), figure.content)
        for name, figure in SHOWN.items()
    ]


def add_names(report: Report, table: pl.DataFrame) -> pl.DataFrame:
    """The table in a fixed order, with a column of names after each column of codes."""
    ordered = table.sort(pl.all())
    columns: list[pl.Series] = []
    names_of = NAMED | {"operator_id": report.operator_name, "definition_code": report.definition_name}
    for column in ordered.columns:
        columns.append(ordered[column])
        field = read_fields().get(column)
        by_list = partial(words.code_name, field.codelist) if field and field.codelist else None
        naming = names_of.get(column, by_list)
        if naming is not None:
            names = ["" if not code and column in OPTIONAL else naming(code) for code in ordered[column]]
            title = f"{column.removesuffix('_code').removesuffix('_id')}_name"
            columns.append(pl.Series(title, names, dtype=pl.String))
    return pl.DataFrame(columns)


def source_lines(report: Report, run_id: str) -> dict[str, str]:
    """The source line of each figure, by the name of its file: table, definition, period and run."""
    return {
        f"{name}.csv": f"Source: {each.table}; {each.definition}; {name_period(report, name)}; run {run_id}."
        for name, each in SHOWN.items()
    }


def name_period(report: Report, name: str) -> str:
    """The days or months of a figure's numbers; the page's days if the figure has no period of its own."""
    if name in UNDATED:
        return UNDATED[name]
    figure = getattr(report.figures, name)
    if "period_code" in figure.columns and len(figure):
        months = sorted(set(figure["period_code"]))
        return numbers.DASH.join(words.format_period(code) for code in dict.fromkeys((months[0], months[-1])))
    dated = figure if "period_date" in figure.columns and len(figure) else report.figures.daily
    days = dated.select(first=pl.col("period_date").min(), last=pl.col("period_date").max()).row(0)
    return "no day" if days[0] is None else words.format_days(*days)
