"""The sections on coverage, countermeasures, operators and validation."""

from collections import defaultdict
from collections.abc import Sequence

import polars as pl

from expectations.native import Result
from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.figures.counting_rules import OPERATOR, RECEIVED
from jobs.base.page.blocks import SHARES, Block, Cell, Column, Section, Table, number_cell, stack_parts
from jobs.base.tables.contracts import Row
from jobs.operators.report.figures import SUMS
from jobs.operators.report.report import Report, Spam, channel_name


def coverage_section(report: Report) -> Section:
    table = report.figures.coverage.sort("operator_id", "format_code")
    rows = [
        [
            Cell(
                f"{report.operator_name(row['operator_id'])}, {words.code_name('format', row['format_code'])}"
            ),
            *(
                number_cell(numbers.format_count(row[f"{counted}_count"]))
                for counted in ("file", "line", "record", "ignored", "quarantined")
            ),
            number_cell(numbers.format_part(row["quarantined_count"], row["line_count"])),
        ]
        for row in table.to_dicts()
    ]
    columns = [
        Column("Operator and format", "text"),
        Column("Files", is_minor=True),
        Column("Lines"),
        Column("Records", is_minor=True),
        Column("Ignored", is_minor=True),
        Column("Quarantined"),
        Column("Share"),
    ]
    blocks = [Block("", Table("Log lines, all accounted for", columns, rows), "coverage.csv")] if rows else []
    finding = (
        "Every log line is accounted for: it became part of a record, was ignored by a rule, or waits in"
        " quarantine because no rule matched it."
    )
    notes = [
        "What is counted: one recipient of one message, or one attempt that was refused before a message"
        " existed. Inbound and internal traffic counts; outbound mail counts at the operator that receives"
        " it.",
        "Spam in the headline is what operators blocked or marked with a measure against spam. The lower"
        " end is certain; the upper end adds what the logs leave open.",
    ]
    missing = [] if rows else ["No file was read."]
    return Section("coverage", "What was read", finding if rows else "", blocks, missing, notes)


# --- countermeasures ------------------------------------------------------------------------------


def countermeasures_section(report: Report) -> Section:
    blocks = []
    for channel, table in report.split_by_channel(report.figures.effort):
        name = channel_name(channel)
        acting = table.filter(~pl.col("countermeasure_code").is_in(["NONE", "DELIVERY_FAILURE"]))
        rows = acting.sort([-pl.col("units_acted"), "countermeasure_code"]).to_dicts()
        if not rows:
            continue
        finding, scale = "", max(row["units_acted"] for row in rows)
        if scale:
            first = words.lower_first(words.code_name("countermeasure", rows[0]["countermeasure_code"]))
            often = "once" if scale == 1 else f"{numbers.format_rounded(scale)} times"
            finding = f"{name}: {first} acted most often, {often}."
        lines = [
            [
                Cell(
                    words.code_name("countermeasure", row["countermeasure_code"]),
                    words.code_name("strategy", row["strategy_code"]) if row["strategy_code"] else "",
                    stack_parts(
                        ("certain" if row["strategy_code"] else "other", row["units_acted"]), scale=scale
                    ),
                ),
                number_cell(numbers.format_count(row["units_acted"])),
                number_cell(
                    numbers.format_count(row["units_examined"]) + ("*" if row["is_examined_derived"] else "")
                ),
                number_cell(numbers.format_part(row["units_acted"], row["units_examined"])),
                number_cell(numbers.format_duration(row["filter_us"] / 1e6) if row["filter_us"] else ""),
            ]
            for row in rows
        ]
        columns = [
            Column("Countermeasure", "text"),
            Column("Acted on"),
            Column("Examined"),
            Column("Rate"),
            Column("Own time", is_minor=True),
        ]
        caption = f"Countermeasures on {channel_name(channel, inside=True)}"
        acted = Table(caption, columns, lines, axis=("0", f"{numbers.format_count(scale)} acted on"))
        blocks.append(Block(name, acted, "effort.csv", finding=finding))
    notes = [
        "Counted in messages and attempts of all directions, outbound too. * No log shows what was examined:"
        " it is derived from what reached the measure's stage.",
    ]
    missing = report.list_missing(report.figures.effort)
    return Section(
        "countermeasures", "What countermeasures did", "", blocks, missing, notes if blocks else []
    )


# --- operators ------------------------------------------------------------------------------------


def operators_section(report: Report) -> Section:
    volume = report.figures.volume.filter(pl.col("definition_code") == OPERATOR)
    is_mine = pl.col("direction_code").is_in(RECEIVED)
    keys = ["operator_id", "channel_code"]
    summed = volume.filter(is_mine).group_by(keys).agg(pl.col(list(SUMS)).sum())
    elsewhere = volume.filter(~is_mine).group_by(keys).agg(pl.col("units").sum().alias("elsewhere"))
    rows = (
        summed.join(elsewhere, on=keys, how="full", coalesce=True)
        .join(report.figures.days, on=keys, how="left")
        .with_columns(pl.col("elsewhere", *SUMS).fill_null(0))
        .sort(keys)
        .to_dicts()
    )
    lines = [
        [
            Cell(
                report.operator_name(row["operator_id"]),
                operator_subtitle(report, row),
                Spam.read_row(row).bar,
            ),
            number_cell(Spam.read_row(row).range if row["units"] else "none"),
            number_cell(numbers.format_count(row["units"])),
            number_cell(numbers.format_count(row["elsewhere"])),
            number_cell(numbers.format_count(row["day_count"] or 0)),
        ]
        for row in rows
    ]
    columns = [
        Column("Operator", "text"),
        Column("Spam share"),
        Column("Attempted"),
        Column("Outbound, transit", is_minor=True),
        Column("Days", is_minor=True),
    ]
    there = {row["operator_id"] for row in rows}
    without = [each.name for code, each in report.operators.items() if code not in there]
    missing = [f"No traffic was read of {words.join_words(without)}."] if without else []
    blocks = [Block("", Table("Operators", columns, lines, axis=SHARES), "volume.csv")] if lines else []
    findings = []
    for channel in report.channels:
        ranked = sorted(
            (row for row in rows if row["units"] and row["channel_code"] == channel),
            key=lambda row: numbers.share_of(row["spam_certain"], row["units"]),
        )
        if len(ranked) > 1:
            low, high = ranked[0], ranked[-1]
            findings.append(
                f"{channel_name(channel)}: the spam share ranges from {Spam.read_row(low).range} at"
                f" {report.operator_name(low['operator_id'])} to {Spam.read_row(high).range} at"
                f" {report.operator_name(high['operator_id'])}."
            )
    return Section("operators", "Operator by operator", "\n".join(findings), blocks, missing)


def operator_subtitle(report: Report, row: Row) -> str:
    channel = channel_name(row["channel_code"])
    operator = report.operators.get(row["operator_id"])
    return f"{channel}, {words.country_name(operator.country)}" if operator else channel


# --- validation -----------------------------------------------------------------------------------


def validation_section(results: Sequence[Result]) -> Section:
    by_table: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_table[result.table].append(result)
    lines = []
    for table, rules in sorted(by_table.items()):
        broken = [rule for rule in rules if not rule.is_held]
        rows = sum(rule.violations for rule in broken)
        lines.append(
            [
                Cell(table),
                number_cell(numbers.format_count(len(rules))),
                number_cell(numbers.format_count(len(broken))),
                number_cell(numbers.format_count(rows)),
                Cell("held" if not broken else "broken", tone="bad" if broken else "good"),
            ]
        )
    failed = sum(not result.is_held for result in results)
    total = numbers.format_count(len(results))
    held = f"All {total} rules hold."
    if failed:
        held = f"{numbers.format_count(failed)} of {total} rules {'is' if failed == 1 else 'are'} broken."
    columns = [
        Column("Table", "text"),
        Column("Rules"),
        Column("Broken"),
        Column("Rows", is_minor=True),
        Column("Result", "text"),
    ]
    checked = Table("Rules that were checked before the tables were published", columns, lines)
    blocks = [Block("", checked, "validation.csv")] if lines else []
    missing = [] if results else ["No validation was kept."]
    return Section("validation", "Validation", held if results else "", blocks, missing)
