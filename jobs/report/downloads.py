"""The files beside the page, one for each figure, and the source line under each chart."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from expectations.native import Result
from jobs.core import words
from jobs.report.figures import FIGURES, VALIDATION
from jobs.report.report import Report

# For each column of codes: the function that returns the name of a code.
NAMES = {
    "channel_code": lambda code: words.code_name("channel", code),
    "direction_code": lambda code: words.code_name("direction", code),
    "measure_code": words.measure_name,
    "unit_code": lambda code: words.code_name("unit", code),
    "engine_code": lambda code: words.code_name("engine", code),
    "spam_type_code": words.type_name,
    "feedback_type_code": lambda code: words.code_name("feedback_type", code),
    "signature_kind_code": lambda code: words.code_name("signature_kind", code),
    "bypass_code": lambda code: words.code_name("bypass", code),
    "transit_code": lambda code: words.code_name("route", code),
    "origin_code": words.country_name,
    "destination_code": words.country_name,
    "source_country_code": words.country_name,
    "inbound_link_code": lambda code: words.code_name("route", code),
    "stage_code": lambda code: words.code_name("stage", code),
    "outcome_code": lambda code: words.code_name("outcome", code),
    "countermeasure_code": lambda code: words.code_name("countermeasure", code),
    "strategy_code": lambda code: words.code_name("strategy", code) if code else "",
    "bound_code": lambda code: words.code_name("bound", code) if code else "",
    "cost_component_code": lambda code: words.code_name("cost_component", code),
    "quality_method_code": lambda code: words.code_name("quality_method", code) if code else "",
    "format_code": lambda code: words.code_name("format", code),
}
# Figures that do not depend on a period.
UNDATED = {"coverage": "all files read", "validation": "last check of each table"}
SHOWN = {name: about for name, about in FIGURES.items() if about.content} | {"validation": VALIDATION}


@dataclass(frozen=True)
class Download:
    """A file beside the page. size: in bytes. digest: its SHA-256."""

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
        write_file(folder, f"{name}.csv", frames[name].write_csv().encode(), about.content)
        for name, about in SHOWN.items()
    ]


def add_names(report: Report, table: pl.DataFrame) -> pl.DataFrame:
    """The table in a fixed order, with a column of names after each column of codes."""
    ordered = table.sort(pl.all())
    columns: list[pl.Series] = []
    names_of = NAMES | {"operator_id": report.operator_name, "definition_code": report.definition_name}
    for column in ordered.columns:
        columns.append(ordered[column])
        naming = names_of.get(column)
        if naming is not None:
            names = [naming(code) for code in ordered[column]]
            title = f"{column.removesuffix('_code').removesuffix('_id')}_name"
            columns.append(pl.Series(title, names, dtype=pl.String))
    return pl.DataFrame(columns)


def source_lines(report: Report, run_id: str) -> dict[str, str]:
    """The source line of each figure, by the name of its file: table, definition, period and run."""
    return {
        f"{name}.csv": f"Source: {about.table}; {about.definition}; {period_of(report, name)}; run {run_id}."
        for name, about in SHOWN.items()
    }


def period_of(report: Report, name: str) -> str:
    """The days or months of a figure's numbers; the page's days if the figure has no period of its own."""
    if name in UNDATED:
        return UNDATED[name]
    figure = getattr(report.figures, name)
    if "period_code" in figure.columns and len(figure):
        months = sorted(set(figure["period_code"]))
        return words.DASH.join(words.format_period(code) for code in dict.fromkeys((months[0], months[-1])))
    dated = figure if "period_date" in figure.columns and len(figure) else report.figures.daily
    days = dated.select(first=pl.col("period_date").min(), last=pl.col("period_date").max()).row(0)
    return "no day" if days[0] is None else words.format_days(*days)
