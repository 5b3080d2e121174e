"""The rules that hold on every public table, with how many rows broke each; the results are published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from jobs.public.contracts import PublicContract, public_contract

LOW, FIGURE, HIGH = "estimate_low", "estimate", "estimate_high"


def results_of(public: Mapping[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """A result for each table and rule: table, rule, what it says, whether it is held, rows that break it."""
    return [
        {"table": table, "rule": name, "says": says, "rows": broken, "is_held": broken == 0}
        for table, rows in sorted(public.items())
        for name, says, broken in rules_of(public_contract(table), rows)
    ]


def rules_of(about: PublicContract, rows: pl.DataFrame) -> list[tuple[str, str, int]]:
    """The rules of a public table: name, meaning, rows that break it."""
    found = [
        (
            "key_is_unique",
            f"no two rows share {', '.join(about.key)}",
            count(rows, pl.struct(about.key).is_duplicated()),
        ),
        (
            "dimensions_are_given",
            "no dimension is empty",
            count(rows, pl.any_horizontal(pl.col(about.key).is_null())),
        ),
    ]
    if "conf_status_code" in rows.columns:
        free = pl.col("conf_status_code").is_in(["F", "C"])
        found.append(("status_is_public", "conf_status_code is F or C", count(rows, ~free)))
    if {LOW, FIGURE, HIGH} <= set(rows.columns):
        inside = (pl.col(LOW) <= pl.col(FIGURE)) & (pl.col(FIGURE) <= pl.col(HIGH))
        found.append(("interval_holds_figure", f"{LOW} <= {FIGURE} <= {HIGH}", count(rows, ~inside)))
    if about.protect is not None:
        figure = pl.col(about.protect.figure)
        found.append(("figure_is_given", "a row that leaves has its figure", count(rows, figure.is_null())))
    return found


def count(rows: pl.DataFrame, is_broken: pl.Expr) -> int:
    return int(rows.select(is_broken.fill_null(False).sum()).item() or 0) if rows.height else 0
