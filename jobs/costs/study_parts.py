"""What an estimate of the study consists of: by area, strategy, component, and by what is known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from jobs.core import words
from jobs.core.areas import ALL, COUNTRY, REGION
from jobs.costs.figure import Part
from jobs.costs.study import Found, area_name, countries_of

# So many parts are shown by name; the others stand together.
SHOWN = 8
KEYS = {
    "study.investment": ("area_code", "strategy_code", "component_code", "conversion_code"),
    "study.investment_gap": ("area_code", "target_code"),
    "study.spam_volume": ("area_code", "unit_code", "definition_code", "quantity_code"),
}


def siblings(of: Found, but: str) -> pl.DataFrame:
    """Rows that differ from the figure in one column alone."""
    same = [name for name in KEYS[of.table] if name != but]
    return of.beside.filter(pl.col(name) == of.row[name] for name in same)


def by_area(of: Found, column: str = "estimate") -> list[tuple[str, list[Part]]]:
    """The world by region, other areas by country; countries have none."""
    kind = of.row["area_kind_code"]
    if kind == COUNTRY:
        return []
    wanted = REGION if kind == ALL else COUNTRY
    rows = siblings(of, "area_code").filter(
        pl.col("area_kind_code") == wanted, pl.col(column).is_not_null(), pl.col(column) > 0
    )
    inside = countries_of(of.row["area_code"], of.row["period_code"])
    if wanted == COUNTRY:
        rows = rows.filter(pl.col("area_code").is_in(list(inside)))
    parts = [
        Part(area_name(row["area_code"]).removeprefix("the "), float(row[column]), error_of(row, column))
        for row in rows.rows(named=True)
    ]
    return [("By region" if kind == ALL else "By country", largest(parts))] if parts else []


def error_of(row: dict[str, Any], column: str) -> float | None:
    if column != "estimate" or row["cv_pct"] is None:
        return None
    return float(row["cv_pct"]) / 100 * float(row["estimate"])


def by_strategy(of: Found) -> list[tuple[str, list[Part]]]:
    if of.row["strategy_code"] != "_T":
        return []
    rows = siblings(of, "strategy_code").filter(pl.col("strategy_code") != "_T", pl.col("estimate") > 0)
    parts = [
        Part(words.name("strategy", row["strategy_code"]), float(row["estimate"]))
        for row in rows.rows(named=True)
    ]
    return [("By strategy", largest(parts))] if parts else []


def by_component(of: Found) -> list[tuple[str, list[Part]]]:
    if of.row["component_code"] != "_T":
        return []
    rows = siblings(of, "component_code").filter(pl.col("component_code").is_in(["capital", "operating"]))
    parts = [
        Part(words.name("investment_component", row["component_code"]), float(row["estimate"]))
        for row in rows.rows(named=True)
    ]
    return [("By component", largest(parts))] if parts else []


def known(row: dict[str, Any]) -> tuple[str, list[Part]]:
    """What respondents told, and what is laid on top for those that did not answer."""
    estimate, reported = float(row["estimate"]), float(row["reported"])
    names = "reported by respondents", "estimated for the others"
    if row.get("audit_count") is not None:
        names = "refused before content, as counted", "by audits, and estimated for the others"
    parts = zip(names, (reported, max(estimate - reported, 0.0)), strict=True)
    return "By what is known", [Part(*part) for part in parts]


def largest(parts: Iterable[Part]) -> list[Part]:
    """The largest parts by name, and the others together; errors of different parts as if independent."""
    ordered = sorted(parts, key=lambda part: (-part.value, part.name))
    if len(ordered) <= SHOWN + 1:
        return ordered
    rest = ordered[SHOWN:]
    squares = [part.error**2 for part in rest if part.error is not None]
    error = sum(squares) ** 0.5 if len(squares) == len(rest) else None
    return [*ordered[:SHOWN], Part(f"{len(rest)} others", sum(part.value for part in rest), error)]
