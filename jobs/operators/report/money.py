"""The section on what countermeasures cost operators."""

from collections import defaultdict
from typing import Any

import polars as pl

from jobs.base.core import numbers
from jobs.base.core.periods import count_days
from jobs.base.figures import words
from jobs.base.page.blocks import Block, Cell, Column, Part, Section, Table, number_cell, range_bar
from jobs.base.tables.contracts import Row
from jobs.operators.report.report import Report, channel_name

NO_PRICE = f"{numbers.DASH} no price"
MISSING_AND_TOO_HIGH = (
    "A cost may lack a fixed cost that the operator did not state, or the work of a measure that has no"
    " price. A filter's logged time is too high, because it includes waiting for the network; so are the"
    " bytes of spam, because spam is smaller than other mail. The command “observatory cost explain” names"
    " what applies."
)


def costs_section(report: Report) -> Section:
    table = report.figures.costs
    blocks, without = [], []
    totals: list[Row] = []
    bounds: defaultdict[str, list[str]] = defaultdict(list)
    by_operator: dict[str, list[Row]] = defaultdict(list)
    for row in table.sort(pl.all()).to_dicts():
        by_operator[row["operator_id"]].append(row)
    for operator in [*report.operators, *sorted(set(by_operator) - set(report.operators))]:
        rows = by_operator.get(operator)
        if not rows:
            without.append(report.operator_name(operator))
            continue
        blocks.append(cost_block(report.operator_name(operator), rows))
        for row in rows:
            if is_grand(row) and row["cost_component_code"] == "total":
                totals.append(row)
                bounds[row["bound_code"]].append(report.operator_name(operator))
    if totals:
        blocks.append(rates_block(report, table))
    notes = [
        "Marginal cost grows with traffic: effort times unit prices that are ranges, so the result is one"
        " too. Fixed cost (licences, staff) is the operator's own figure. Each row is simulated as a whole:"
        " the ends of rows do not add up to the ends of the total, and currencies are never added.",
        "A whole month takes its other days to be like those with data. Each subscriber is a mailbox of"
        " e-mail, and pays for the whole month; 1,000 are recipients of messages, or calls, received.",
    ]
    missing = [f"No cost could be computed for {words.join_words(without)}."] if without else []
    if not blocks and not without:
        missing = ["No cost could be computed."]
    notes[:0] = [
        f"{words.bound_sign(code)}{words.code_name('bound', code)}: {words.join_words(bounds[code])}, in"
        f" total. {words.code_description('bound', code)}."
        for code in words.BOUNDS
        if bounds[code]
    ]
    if any(bounds[code] for code in words.BOUNDS):
        notes.insert(0, MISSING_AND_TOO_HIGH)
    finding = (
        describe_totals(totals, {code: report.operator_name(code) for code in by_operator}) if totals else ""
    )
    return Section("costs", "What it costs", finding, blocks, missing, notes if blocks else [])


def cost_block(name: str, rows: list[Row]) -> Block:
    """One operator's last month: marginal, fixed and totals."""
    scale = max(float(row["amount_p95"]) for row in rows)
    channels = {row["channel_code"] for row in rows} - {words.TOTAL}
    order = {"marginal": 0, "fixed": 1, "total": 2}

    def rank_row(row: Row) -> tuple[Any, ...]:
        return (
            is_total(row),
            order[row["cost_component_code"]],
            -row["amount_p50"],
            row["channel_code"],
            row["countermeasure_code"],
        )

    kept = [r for r in rows if r["cost_component_code"] != "total" or is_total(r)]
    if len(channels) == 1:
        # With one channel its totals equal those of all channels, which stay.
        same = {r["cost_component_code"] for r in kept if is_grand(r)}
        kept = [r for r in kept if not (is_total(r) and not is_grand(r) and r["cost_component_code"] in same)]
    lines = [
        [
            Cell(
                cost_name(row, len(channels) > 1),
                cost_subtitle(row),
                cost_bar(row, scale),
                "strong" if is_total(row) else "",
            ),
            *(percentile_cell(row, point) for point in ("p05", "p50", "p95")),
        ]
        for row in sorted(kept, key=rank_row)
        if row["amount_p95"] > 0 or row["countermeasure_code"] == words.TOTAL
    ]
    first = rows[0]
    days = numbers.format_noun(max(row["day_count"] for row in rows), "day")
    caption = f"{first['currency_code']}, {words.format_period(first['period_code'])}, {days} with data"
    columns = [Column("Measure", "text"), Column("5%"), Column("Median"), Column("95%")]
    axis = ("0", f"{numbers.format_money(scale)} {first['currency_code']}") if scale > 0 else ()
    return Block(name, Table(caption, columns, lines, axis=axis), "costs.csv", half=True)


def cost_bar(row: Row, scale: float) -> tuple[Part, ...]:
    """The range of a cost; no bar if a part of the cost is missing."""
    if words.has_missing_part(row["bound_code"]):
        return ()
    return range_bar(float(row["amount_p05"]), float(row["amount_p50"]), float(row["amount_p95"]), scale)


def percentile_cell(row: Row, point: str) -> Cell:
    """A percentile of a cost. If a part of the cost is missing, only the median is shown, as a bound."""
    if point != "p50" and words.has_missing_part(row["bound_code"]):
        return number_cell("")
    if words.is_unpriced(row["bound_code"], row[f"amount_{point}"]):
        return number_cell(NO_PRICE, "muted")
    sign, text = words.bound_sign(row["bound_code"]), numbers.format_money(row[f"amount_{point}"])
    # A bound on “<0.01” says nothing.
    if sign and text.startswith("<"):
        sign, text = ("", text) if row["bound_code"] == "upper" else (sign, "0")
    return number_cell(sign + text, "" if point == "p50" else "muted")


def describe_totals(totals: list[Row], names: dict[str, str]) -> str:
    """A sentence on operators' totals: ranges, or bounds where a part of the cost is missing."""
    whole = [names[row["operator_id"]] for row in totals if row["bound_code"] == "estimate"]
    if not whole:
        return "Every total is marked ≥, ≤ or ~: a part of the cost is missing or an input is too high."
    text = (
        "Nine simulations of ten lie between the two ends, half of them below the median"
        f"{'' if len(whole) == len(totals) else f', of {words.join_words(whole)}'}."
    )
    return text if len(whole) == len(totals) else f"{text} Every other total is marked ≥, ≤ or ~."


def is_total(row: Row) -> bool:
    return row["countermeasure_code"] == words.TOTAL


def is_grand(row: Row) -> bool:
    """A total over all channels."""
    return is_total(row) and row["channel_code"] == words.TOTAL


def cost_name(row: Row, has_channels: bool) -> str:
    component = words.code_name("cost_component", row["cost_component_code"])
    what = component if component == "Total" else f"{component}, all measures"
    text = what if is_total(row) else words.code_name("countermeasure", row["countermeasure_code"])
    if has_channels:
        is_all = row["channel_code"] == words.TOTAL
        text += f", {'all channels' if is_all else channel_name(row['channel_code'], inside=True)}"
    return text


def cost_subtitle(row: Row) -> str:
    """The cost's component, unless it is in the name already, and the kind of bound."""
    component = "" if is_total(row) else words.code_name("cost_component", row["cost_component_code"]).lower()
    bound = words.code_name("bound", row["bound_code"]).lower() if words.bound_sign(row["bound_code"]) else ""
    return ", ".join(filter(None, (component, bound)))


def rates_block(report: Report, costs: pl.DataFrame) -> Block:
    """The medians of each operator's channels: for the whole month, by mailbox or subscriber, by 1,000."""
    rows = [
        row
        for row in costs.sort("operator_id", "channel_code").to_dicts()
        if is_total(row) and not is_grand(row) and row["cost_component_code"] == "total"
    ]
    lines = [
        [
            Cell(
                f"{report.operator_name(row['operator_id'])},"
                f" {channel_name(row['channel_code'], inside=True)}",
                f"{row['currency_code']}, {words.format_period(row['period_code'])}",
            ),
            number_cell(f"{row['day_count']} of {count_days(row['period_code'])}"),
            percentile_cell(row, "p50"),
            *(rate_cell(row, name) for name in ("whole_p50", "per_subscriber_p50", "per_thousand_p50")),
        ]
        for row in rows
    ]
    columns = [
        Column("Operator and channel", "text"),
        Column("Days", is_minor=True),
        Column("These days", is_minor=True),
        Column("Whole month"),
        Column("Each subscriber"),
        Column("Per 1,000"),
    ]
    return Block("Whole months and rates, medians", Table("Medians", columns, lines), "costs.csv")


def rate_cell(row: Row, name: str) -> Cell:
    """A median of a rate with the sign of its bound; a dash where its denominator is not known."""
    amount, code = row[name], row["bound_code"]
    if amount is None or words.is_unpriced(code, amount):
        return number_cell(numbers.DASH)
    return number_cell(words.bound_sign(code) + numbers.format_rate(amount))
