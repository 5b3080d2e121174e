"""The tables that the sample study ends with, on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
from rich.table import Table

from jobs.cli.study_tables import ORDER, sheet, short, span
from jobs.cli.study_volume import AS_FILTERED
from jobs.core import words
from jobs.core.counting_rules import OPERATOR, RECEIVED
from jobs.core.periods import days_of, last_day, months_of
from jobs.core.words import bound_sign
from jobs.engine.lake import Lake

# Messages that came to or stayed with an operator, by the operators' own definition of spam.
STAYED = (pl.col("definition_code") == OPERATOR) & pl.col("direction_code").is_in(RECEIVED)
UNITS = pl.col("unit_code").is_in(["recipient", "attempt"])
SIGNS = "≥: a part is missing, such as staff. ≤: an input is too high. ~: both."
Rows = Callable[..., list[dict[str, Any]]]


def results(lake: Lake) -> list[Table]:
    """Volume, types, sources and cost of the study, each a small table."""
    versions = lake.versions()

    def rows(table: str, where: pl.Expr, by: list[str], *sums: str) -> list[dict[str, Any]]:
        found = lake.read(table, versions.get(table), where=where)
        return found.group_by(by).agg(pl.col(*sums).sum()).sort(by).to_dicts()

    return [volume(rows), types(rows), sources(rows), cost(lake, versions)]


def volume(rows: Rows) -> Table:
    table = Table(
        "operator", "channel", "unit", title_justify="left",
        title="Spam by operator (OPERATOR definition, inbound and internal)",
    )  # fmt: skip
    for name in ("units", "certain", "possible", "share"):
        table.add_column(name, justify="right")
    key = ["operator_id", "channel_code", "unit_code"]
    for row in rows("gold.spam_volume_daily", STAYED & UNITS, key, "units", "spam_certain", "spam_possible"):
        table.add_row(
            *(row[name] for name in key), f"{row['units']:,}", f"{row['spam_certain']:,}",
            f"{row['spam_possible']:,}", share(row),
        )  # fmt: skip
    return table


def share(row: dict[str, Any]) -> str:
    low, high = (100 * row[name] / row["units"] for name in ("spam_certain", "spam_possible"))
    return f"{low:.1f}%" if row["spam_certain"] == row["spam_possible"] else f"{low:.1f}–{high:.1f}%"


def types(rows: Rows) -> Table:
    table = Table("channel", "type", title="Types of spam, message recipients", title_justify="left")
    table.add_column("certain", justify="right")
    where = STAYED & (pl.col("unit_code") == "recipient") & (pl.col("spam_certain") > 0)
    found = rows("gold.spam_type_daily", where, ["channel_code", "spam_type_code"], "spam_certain")
    for row in sorted(found, key=lambda row: (row["channel_code"], -row["spam_certain"])):
        table.add_row(row["channel_code"], words.type_name(row["spam_type_code"]), f"{row['spam_certain']:,}")
    return table


def sources(rows: Rows) -> Table:
    table = Table("country", title="Main sources, attempts and recipients", title_justify="left")
    for name in ("units", "certain", "share"):
        table.add_column(name, justify="right")
    sums = ("units", "spam_certain", "spam_possible")
    found = rows("gold.spam_source_daily", STAYED & UNITS, ["source_country_code"], *sums)
    for row in sorted(found, key=lambda row: -row["spam_certain"])[:8]:
        table.add_row(row["source_country_code"], f"{row['units']:,}", f"{row['spam_certain']:,}", share(row))
    return table


def cost(lake: Lake, versions: dict[str, int]) -> Table:
    heads = ("month", "days", "5%", "median", "95%", "currency")
    table = sheet("Cost of countermeasures", *heads, first="operator")
    table.caption, table.caption_justify = SIGNS, "left"
    name = "gold.countermeasure_cost_monthly"
    total = (
        (pl.col("countermeasure_code") == "_T")
        & (pl.col("channel_code") == "_T")
        & (pl.col("cost_component_code") == "total")
    )
    found = lake.read(name, versions.get(name), where=total)
    for row in found.sort("operator_id", "period_code").to_dicts():
        points = [
            f"{bound_sign(row['bound_code'])}{money(row[f'amount_{point}'])}"
            for point in ("p05", "p50", "p95")
        ]
        days = f"{row['day_count']} of {days_of(row['period_code'])}"
        table.add_row(row["operator_id"], row["period_code"], days, *points, row["currency_code"])
    return table


def money(amount: Decimal) -> str:
    """Two decimals, or four for less than one: a lower bound of a few cents is not zero."""
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.4f}"


def world(lake: Lake) -> Table:
    """Certain spam of the latest quarter, estimated for the world, the regions and the groups, by channel."""
    table = "study.spam_volume"
    rows = lake.read(table, lake.versions().get(table)).filter(
        pl.col("definition_code") == OPERATOR,
        pl.col("quantity_code").is_in(["spam_certain", "spam_corrected"]),
        pl.col("unit_code") == "recipient",
        pl.col("area_kind_code").is_in(list(ORDER)),
        pl.col("estimate").is_not_null(),
    )
    period = max(set(rows["period_code"]), key=lambda code: (last_day(code), len(months_of(code))))
    of_period = rows.filter(period_code=period)
    found = {(row["area_code"], row["channel_code"]): row
             for row in of_period.filter(quantity_code="spam_certain").to_dicts()}  # fmt: skip
    channels = sorted({channel for _, channel in found})
    shown = sheet(
        f"Estimated spam in {period} (OPERATOR definition), of a made-up membership",
        *(head for channel in channels for head in (channel, "95% interval", "coverage")),
    )
    areas = {row["area_code"]: ORDER[row["area_kind_code"]] for row in found.values()}
    for area in sorted(areas, key=lambda code: (areas[code], code)):
        cells: list[str] = []
        for channel in channels:
            row = found.get((area, channel))
            cells += ("", "", "") if row is None else (
                short(row["estimate"]),
                span(row["estimate_low"], row["estimate_high"]),
                f"{row['coverage_pct']:.0f}%",
            )  # fmt: skip
        shown.add_row(area, *cells)
    by_audit = of_period.filter(quantity_code="spam_corrected", area_code="WORLD").sort("channel_code")
    told = [AS_FILTERED, *map(with_errors, by_audit.to_dicts())]
    shown.caption, shown.caption_justify = "\n".join(told), "left"
    return shown


def with_errors(row: dict[str, Any]) -> str:
    """A line on the world's spam of a channel, corrected for filter error."""
    ends = span(row["estimate_low"], row["estimate_high"])
    return (
        f"Corrected for filter error, by audits or tests of {row['audit_count']} operators,\n"
        f"the world's {row['channel_code']} is {short(row['estimate'])} ({ends})."
    )
