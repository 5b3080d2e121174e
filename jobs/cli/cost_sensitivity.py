"""Sensitivity of a study's spending, and of its gap to a norm: a table of one parameter at a time."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_compact, format_money, format_number
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import open_lake
from jobs.base.tables.contracts import Row, reference_table
from jobs.base.tables.csv_tables import read_tables
from jobs.cli.study.study_tables import estimates_table, format_interval
from jobs.study.costs.study_rows import read_figure

GAPS, ACCOUNTS = "study.investment_gap", "study.investment_account"
# A norm has no points: it is a choice. Half of it and twice.
NORM, HALF, TWICE = "norm", 0.5, 2.0
# Table, period, area and channel; without a target it is the norm.
KEY_PARTS = 3
# Short names, so that a row fits eighty columns.
LABELS = {
    "lifetime_years_server": "life of servers",
    "lifetime_years_software": "life of software",
    "lifetime_years_sms_firewall": "life of firewalls",
    "lifetime_years_voice_platform": "life, call platforms",
    "discount_rate_real_developed": "rate, developed",
    "discount_rate_real_developing": "rate, others",
    "shared_asset_share": "shared-asset share",
}
HEADS = ("5%", "95%", "spent at 5%", "95%", "gap at 5%", "95%")


def sensitivity_table(figure: str, settings: Observatory) -> list[RenderableType]:
    """The parameters of an area's gap, the greatest effect on it first; then its other targets.

    Raises ObservatoryError for a figure that is no gap, and without the study's own files.
    """
    from jobs.study.costs.sensitivity import vary_parameters
    from jobs.study.estimates.investment_account import PriceLevels
    from jobs.study.estimates.steps.sample import Reference

    if not figure.startswith(f"{GAPS}/"):
        raise ObservatoryError(f"cost sensitivity: '{figure}': name a gap, as {GAPS}/2026/LDC/EMAIL")
    lake = open_lake(settings.lake.root)
    if settings.study.files is None:
        raise ObservatoryError("cost sensitivity: [study] files is not set: it estimates again from them")
    named = figure if figure.count("/") > KEY_PARTS else f"{figure}/{NORM}"
    row = read_figure(named, settings, (GAPS,)).row
    area, channel, period = row["area_code"], row["channel_code"], row["period_code"]
    accounts = lake.read(ACCOUNTS, lake.versions().get(ACCOUNTS)).filter(
        pl.col("channel_code") == channel, pl.col("period_code") == period
    )
    files = read_tables(
        Path(settings.study.files), (*(f"ref.{each.name}" for each in fields(Reference)), "ref.price_level")
    )
    reference = Reference(**{each.name: files[f"ref.{each.name}"] for each in fields(Reference)})
    dollars = PriceLevels(files["ref.price_level"], reference_table("ref.investment_assumption")).dollars
    spent, effects = vary_parameters(
        accounts, reference, dollars, reference_table("ref.cost_parameter"), area, channel, period
    )
    gaps = lake.read(GAPS, lake.versions().get(GAPS)).filter(
        pl.col("area_code") == area, pl.col("channel_code") == channel, pl.col("period_code") == period
    )
    return draw_sensitivity(spent, effects, row, gaps.to_dicts())


def draw_sensitivity(spent: float, effects: list[Any], target: Row, gaps: list[Row]) -> list[RenderableType]:
    """Draw a table of what one parameter at a time changes, and one of all gaps.

    Args:
        effects: of vary_parameters().
        target, gaps: rows of study.investment_gap of the area, the one that was asked for and each.
    """
    need = float(target["necessary"])
    title = f"{target['channel_code']}, {target['area_code']}, {target['period_code']}, US dollars"
    table = estimates_table(f"{title}: one parameter at a time", *HEADS, first="parameter")
    table.columns[0].no_wrap = False
    rows = [
        Line(LABELS[each.parameter_code], (each.low, each.high), (each.at_low, each.at_high), (need, need))
        for each in effects
    ]
    if target["target_code"] == NORM:
        norm = float(target["target_per_subscription"])
        ends = HALF * need, TWICE * need
        rows.append(Line("norm: half, twice", (HALF * norm, TWICE * norm), (spent, spent), ends))
    for row in sorted((row for row in rows if row.swing), key=lambda row: -row.swing):
        table.add_row(
            row.name,
            *(format_number(each) for each in row.points),
            *(format_compact(each) for each in (*row.spent, *row.gaps)),
        )
    idle = "; ".join(row.name for row in rows if not row.swing)
    note = (
        f"At central values {format_compact(spent)} are spent, and {format_compact(max(need - spent, 0.0))}"
        f" are missing to the target {target['target_code']}. Answers of respondents stay as they are, and"
        f" points of several parameters do not add up.{f' No effect: {idle}.' if idle else ''} The targets"
        " side by side:"
    )
    others = Table(box=None, show_header=False, pad_edge=False)
    for each in sorted(gaps, key=lambda each: str(each["target_code"])):
        amount, gap = each["target_per_subscription"], each["gap"]
        others.add_row(
            each["target_code"],
            "no target" if amount is None else f"{format_money(amount)} each per year",
            "" if gap is None else f"gap {format_compact(gap)}",
            "" if gap is None else format_interval(each["gap_low"], each["gap_high"], "–"),
        )
    return [table, Text(note), others]


@dataclass(frozen=True)
class Line:
    """A parameter's points, and with each of them what is spent and what the target costs."""

    name: str
    points: tuple[float, float]
    spent: tuple[float, float]
    needs: tuple[float, float]

    @property
    def gaps(self) -> tuple[float, ...]:
        return tuple(max(need - spent, 0.0) for need, spent in zip(self.needs, self.spent, strict=True))

    @property
    def swing(self) -> float:
        """The change of the difference of need and spending, even where there is no gap."""
        low, high = (need - spent for need, spent in zip(self.needs, self.spent, strict=True))
        return abs(high - low)
