"""The parts of an estimate of the study: by area, strategy, component, and by reported or estimated."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import polars as pl

from jobs.base.costs.figure import TotalPart
from jobs.base.figures import words
from jobs.base.figures.areas import ALL, COUNTRY, REGION
from jobs.base.tables.contracts import Row, read_contract
from jobs.base.tables.series import ALL as WHOLE
from jobs.base.tables.series import PARTS
from jobs.study.costs.study_rows import StudyRow, area_name, countries_of

# The number of parts that are shown by name; the others are shown as one.
SHOWN = 8
# What heads the parts by each column of a key, and how parts are named where not by their codes.
PARTED = {
    "strategy_code": "By strategy",
    "component_code": "By component",
    "spam_type_code": "By type",
    "source_region_code": "By region of source",
    "link_code": "By link",
}
NAMES: Mapping[str, Callable[[str], str]] = {
    "strategy_code": partial(words.code_name, "strategy"),
    "component_code": partial(words.code_name, "investment_component"),
    "spam_type_code": words.type_name,
}


def divide(study_row: StudyRow) -> list[tuple[str, list[TotalPart]]]:
    """An estimate by area, by the parts that its table has, and by what is known."""
    found = group_by_area(study_row)
    for column, title in PARTED.items():
        if column in study_row.row:
            found += group_by_code(study_row, column, title)
    return [*found, parts_by_source(study_row.row)]


def rows_beside(study_row: StudyRow, but: str) -> pl.DataFrame:
    """Rows that differ from the figure in one column alone."""
    key = read_contract(study_row.table).key
    same = [name for name in key if name not in (but, "period_code", "channel_code")]
    return study_row.beside.filter(pl.col(name) == study_row.row[name] for name in same)


def group_by_area(study_row: StudyRow, column: str = "estimate") -> list[tuple[str, list[TotalPart]]]:
    """The world by region, other areas by country; countries have none."""
    kind = study_row.row["area_kind_code"]
    if kind == COUNTRY:
        return []
    wanted = REGION if kind == ALL else COUNTRY
    rows = rows_beside(study_row, "area_code").filter(
        pl.col("area_kind_code") == wanted, pl.col(column).is_not_null(), pl.col(column) > 0
    )
    inside = countries_of(study_row.row["area_code"], study_row.row["period_code"])
    if wanted == COUNTRY:
        rows = rows.filter(pl.col("area_code").is_in(list(inside)))
    parts = [
        TotalPart(area_name(row["area_code"]).removeprefix("the "), float(row[column]), error_of(row, column))
        for row in rows.rows(named=True)
    ]
    return [("By region" if kind == ALL else "By country", group_smallest(parts))] if parts else []


def error_of(row: Row, column: str) -> float | None:
    if column != "estimate" or row["cv_pct"] is None:
        return None
    return float(row["cv_pct"]) / 100 * float(row["estimate"])


def group_by_code(study_row: StudyRow, column: str, title: str) -> list[tuple[str, list[TotalPart]]]:
    """All parts together by the codes of a column; of a single part none."""
    if study_row.row[column] not in (WHOLE, PARTS):
        return []
    rows = rows_beside(study_row, column).filter(
        ~pl.col(column).is_in([WHOLE, PARTS, *words.FAMILIES]), pl.col("estimate") > 0
    )
    name = NAMES.get(column, str)
    parts = [
        TotalPart(name(code), float(estimate)) for code, estimate in rows.select(column, "estimate").rows()
    ]
    return [(title, group_smallest(parts))] if parts else []


def parts_by_source(row: Row) -> tuple[str, list[TotalPart]]:
    """An estimate in two parts: what respondents reported, and what is estimated for the others."""
    estimate, reported = float(row["estimate"]), float(row["reported"])
    names = "reported by respondents", "estimated for the others"
    if row.get("audit_count") is not None:
        names = "refused before content, as counted", "by audits, and estimated for the others"
    parts = zip(names, (reported, max(estimate - reported, 0.0)), strict=True)
    return "By what is known", [TotalPart(*part) for part in parts]


def group_smallest(parts: Iterable[TotalPart]) -> list[TotalPart]:
    """The largest parts by name, and the others together; errors of different parts as if independent."""
    ordered = sorted(parts, key=lambda part: (-part.value, part.name))
    if len(ordered) <= SHOWN + 1:
        return ordered
    rest = ordered[SHOWN:]
    squares = [part.error**2 for part in rest if part.error is not None]
    error = sum(squares) ** 0.5 if len(squares) == len(rest) else None
    return [*ordered[:SHOWN], TotalPart(f"{len(rest)} others", sum(part.value for part in rest), error)]
