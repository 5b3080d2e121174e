"""The main figures of a lake as tables on the terminal: the demo and the report of logs print them."""

from collections.abc import Callable, Collection
from decimal import Decimal
from types import SimpleNamespace

import polars as pl
from rich.table import Table

from jobs.base.core.numbers import (
    DASH,
    format_compact,
    format_money_exact,
    format_parts,
    format_rate,
    format_whole_percent,
)
from jobs.base.core.periods import count_days, last_day, months_of
from jobs.base.figures import words
from jobs.base.figures.counting_rules import OPERATOR, RECEIVED
from jobs.base.figures.reliability import mark_of
from jobs.base.figures.words import bound_sign
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import Row
from jobs.cli.study.study_tables import (
    CORRECTED,
    MEASURE_LABELS,
    ORDER,
    UNCORRECTED,
    estimates_table,
    explain_marks,
    format_interval,
    name_area,
    spam_title,
)
from jobs.cli.study.study_volume import AS_FILTERED
from jobs.operators.report.gather import is_measured
from jobs.operators.report.unclaimed import Unclaimed, find_unclaimed, reported_operator, sum_by_direction

# Messages that came to or stayed with an operator, by the operators' own definition of spam.
STAYED = (pl.col("definition_code") == OPERATOR) & pl.col("direction_code").is_in(RECEIVED)
UNITS = pl.col("unit_code").is_in(["recipient", "attempt"])
RATES = "As if all days were like those with data. Each: mailbox or subscriber, for the month."
SIGNS = "≥: a part is missing, such as staff. ≤: an input is too high. ~: both. –: no price."
WORLD_HEADS = ("estimate", "95% interval", "truth", "as seen", "coverage")
Rows = Callable[..., list[Row]]


def unclaimed_channels(lake: Lake, settings: Observatory) -> list[Unclaimed]:
    """Channels of operators in which most traffic is unclaimed: shares of the rest would mislead."""
    volume = lake.read("gold.spam_volume_daily", lake.versions().get("gold.spam_volume_daily"))
    operators = [reported_operator(each) for each in settings.operator]
    return find_unclaimed(sum_by_direction(volume.filter(is_measured())), operators)


def main_tables(lake: Lake, without: Collection[str] = ()) -> list[Table]:
    """Volume, types, sources and cost, each a small table.

    Args:
        without: channels to leave out.
    """
    versions = lake.versions()

    def sum_rows(table: str, where: pl.Expr, by: list[str], *sums: str) -> list[Row]:
        counted = where & ~pl.col("channel_code").is_in(list(without))
        found = lake.read(table, versions.get(table), where=counted)
        return found.group_by(by).agg(pl.col(*sums).sum()).sort(by).to_dicts()

    return [
        volume_table(sum_rows),
        types_table(sum_rows),
        sources_table(sum_rows),
        cost_table(lake, versions),
        cost_rates_table(lake, versions),
    ]


def volume_table(rows: Rows) -> Table:
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
            f"{row['spam_possible']:,}", format_spam_share(row),
        )  # fmt: skip
    return table


def format_spam_share(row: Row) -> str:
    """Format the share as the page does: 0% only where no unit is spam."""
    return format_parts(row["spam_certain"], row["spam_possible"], row["units"])


def types_table(rows: Rows) -> Table:
    title = f"Types of spam (recipients, {OPERATOR} definition)"
    table = Table("channel", "type", title=title, title_justify="left")
    table.add_column("certain", justify="right")
    where = STAYED & (pl.col("unit_code") == "recipient") & (pl.col("spam_certain") > 0)
    found = rows("gold.spam_type_daily", where, ["channel_code", "spam_type_code"], "spam_certain")
    for row in sorted(found, key=lambda row: (row["channel_code"], -row["spam_certain"])):
        table.add_row(row["channel_code"], words.type_name(row["spam_type_code"]), f"{row['spam_certain']:,}")
    return table


def sources_table(rows: Rows) -> Table:
    title = f"Main sources (attempts and recipients, {OPERATOR} definition)"
    table = Table("country", title=title, title_justify="left")
    for name in ("units", "certain", "share"):
        table.add_column(name, justify="right")
    sums = ("units", "spam_certain", "spam_possible")
    found = rows("gold.spam_source_daily", STAYED & UNITS, ["source_country_code"], *sums)
    for row in sorted(found, key=lambda row: -row["spam_certain"])[:8]:
        table.add_row(
            row["source_country_code"],
            f"{row['units']:,}",
            f"{row['spam_certain']:,}",
            format_spam_share(row),
        )
    return table


def cost_table(lake: Lake, versions: dict[str, int]) -> Table:
    heads = ("month", "days", "5%", "median", "95%", "currency")
    table = estimates_table("Cost of countermeasures", *heads, first="operator", caption=SIGNS)
    for row in read_costs(lake, versions, pl.col("channel_code") == "_T"):
        points = [
            bounded_amount(row, row[f"amount_{point}"])
            if point == "p50" or not words.has_missing_part(row["bound_code"])
            else ""
            for point in ("p05", "p50", "p95")
        ]
        days = f"{row['day_count']} of {count_days(row['period_code'])}"
        table.add_row(row["operator_id"], row["period_code"], days, *points, row["currency_code"])
    return table


def cost_rates_table(lake: Lake, versions: dict[str, int]) -> Table:
    """Medians of each operator's channels for whole months, for each subscriber or mailbox, for 1,000."""
    heads = ("month", "channel", "whole month", "each", "/1,000", "currency")
    table = estimates_table("Cost of whole months, medians", *heads, first="operator", caption=RATES)
    for row in read_costs(lake, versions, pl.col("channel_code") != "_T"):
        rates = [row[f"{rate}_p50"] for rate in ("per_subscriber", "per_thousand")]
        table.add_row(
            row["operator_id"], row["period_code"], row["channel_code"],
            bounded_amount(row, row["whole_p50"]),
            *("–" if rate is None else bounded_amount(row, rate, format_rate) for rate in rates),
            row["currency_code"],
        )  # fmt: skip
    return table


def read_costs(lake: Lake, versions: dict[str, int], where: pl.Expr) -> list[Row]:
    """Costs of all measures and components together, in order."""
    name = "gold.countermeasure_cost_monthly"
    totals = (pl.col("countermeasure_code") == "_T") & (pl.col("cost_component_code") == "total")
    found = lake.read(name, versions.get(name), where=totals & where)
    return found.sort("operator_id", "period_code", "channel_code").to_dicts()


def bounded_amount(
    row: Row, amount: Decimal, format_amount: Callable[[Decimal], str] = format_money_exact
) -> str:
    """An amount with the sign of its cost's bound; a dash where nothing is priced."""
    if words.is_unpriced(row["bound_code"], amount):
        return DASH
    return bound_sign(row["bound_code"]) + format_amount(amount)


def read_estimates(lake: Lake, table: str) -> pl.DataFrame:
    """A table of the study's estimates."""
    return lake.read(table, lake.versions().get(table))


def world_tables(estimates: pl.DataFrame, truth: pl.DataFrame) -> list[Table]:
    """Estimated spam of the world, the regions and the groups in the latest period, beside the truth.

    A table for each channel; corrected figures come first where there are any.

    Args:
        truth: area_code, channel_code, figure (a quantity) and value.
    """
    rows = estimates.filter(
        pl.col("definition_code") == OPERATOR,
        pl.col("quantity_code").is_in(["spam_certain", "spam_corrected"]),
        pl.col("unit_code").is_in(list(MEASURE_LABELS)),
        pl.col("area_kind_code").is_in(list(ORDER)),
        pl.col("estimate").is_not_null(),
    )
    period = max(set(rows["period_code"]), key=lambda code: (last_day(code), len(months_of(code))))
    key = ("channel_code", "area_code")
    of_period = rows.filter(period_code=period)
    seen, corrected = (
        {tuple(row[name] for name in key): row for row in of_period.filter(quantity_code=name).to_dicts()}
        for name in ("spam_certain", "spam_corrected")
    )
    true = {
        (channel, area): value
        for area, channel, figure, value in truth.select(*key[::-1], "figure", "value").rows()
        if figure == "spam_corrected"
    }
    tables = []
    for channel in sorted({channel for channel, _ in seen}):
        listed = {area: row for (of, area), row in seen.items() if of == channel}
        leading = {area: corrected.get((channel, area), row) for area, row in listed.items()}
        is_corrected = any(of == channel for of, _ in corrected)
        unit = next(iter(listed.values()))["unit_code"]
        title = spam_title(channel, period, CORRECTED if is_corrected else UNCORRECTED, unit)
        table = estimates_table(f"{title}\nof a made-up membership", *WORLD_HEADS)
        for area, row in sorted(leading.items(), key=lambda of: (ORDER[of[1]["area_kind_code"]], of[0])):
            table.add_row(
                name_area(SimpleNamespace(**row)),
                format_compact(row["estimate"]) + mark_of(row["cv_band_code"]),
                format_interval(row["estimate_low"], row["estimate_high"]),
                format_compact(true[channel, area]) if (channel, area) in true else "–",
                format_compact(listed[area]["estimate"]), format_whole_percent(row["coverage_pct"]),
            )  # fmt: skip
        tables.append(table)
    if tables:
        marks = explain_marks(row["cv_band_code"] for row in [*seen.values(), *corrected.values()])
        tables[-1].caption = "\n".join(filter(None, (f"{AS_FILTERED}.", marks)))
    return tables
