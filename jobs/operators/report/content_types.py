"""The section on types of spam, and on the share of spam that has a type."""

import polars as pl

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.page.blocks import SHARES, Block, Cell, Column, Part, Section, Table, number_cell, stack_parts
from jobs.base.tables.contracts import Row
from jobs.operators.report import audited
from jobs.operators.report.figures import SUMS
from jobs.operators.report.report import Report, Spam, channel_name

LEGEND = [
    ("certain", "spam for certain, or a type by a strong rule"),
    ("undecided", "a type by a weak rule"),
    ("other", "type not known"),
]


def types_section(report: Report) -> Section:
    blocks, missing = [], report.list_missing(report.figures.types)
    for channel, table in report.split_by_channel(report.figures.types):
        name = channel_name(channel, inside=True)
        # Spam that is only possible has no type of its own: it counts under the unknown type.
        known = table.filter(pl.col("spam_possible") > 0).with_columns(
            pl.col("spam_type_code").fill_null("UNK").replace(words.UNKNOWN, "UNK")
        )
        summed = known.group_by("spam_type_code").agg(pl.col(list(SUMS)).sum())
        order = [pl.col("spam_type_code") == "UNK", -pl.col("spam_certain"), "spam_type_code"]
        missed = types_from_labels(report, channel, set(summed["spam_type_code"]))
        rows = pl.concat([summed, missed]).sort(order).to_dicts()
        if not rows:
            missing.append(f"No {name} may be spam, so there is no type to show.")
            continue
        total = sum(row["spam_certain"] for row in rows)
        finding = type_finding(name, rows, total) if total else ""
        scale = max(row["spam_certain"] for row in rows)
        units = int(table["units"].sum())
        errors = [
            audited.correct_type(
                report,
                channel,
                row["spam_type_code"],
                Spam(units, row["spam_certain"], row["spam_possible"]),
            )
            for row in rows
        ]
        has_audit = any(error.share for error in errors)
        lines = [
            [
                Cell(
                    words.type_name(row["spam_type_code"]),
                    type_subtitle(row["spam_type_code"]),
                    type_bar(row, scale),
                ),
                number_cell(numbers.format_part(row["spam_certain"], total)),
                number_cell(numbers.format_count(row["spam_certain"])),
                number_cell(numbers.format_count(row["spam_possible"] - row["spam_certain"])),
                *([error_cell(error)] if has_audit else []),
            ]
            for row, error in zip(rows, errors, strict=True)
        ]
        columns = [
            Column("Type", "text"),
            Column("Share"),
            Column("Spam, certain"),
            Column("Undecided", is_minor=True),
            *([Column(audited.HEADING, is_minor=True)] if has_audit else []),
        ]
        caption = f"Types of {name} spam"
        note = audited.describe_error(max(errors, key=lambda error: error.share))
        kinds = Table(caption, columns, lines, axis=("0", numbers.format_count(scale)))
        blocks.append(Block(channel_name(channel), kinds, "types.csv", note=note, finding=finding))
    typed, notes = engine_blocks(report), []
    if typed:
        notes = [
            "A strong rule names one type (a virus, a campaign's own signature); a weak one only hints at"
            " it (a word, a list's name). Counted in recipients and attempts of all directions; what two"
            " filters judged is under both, each by its own verdicts."
        ]
    return Section("types", "Types of spam", "", [*blocks, *typed], missing, notes, LEGEND)


def types_from_labels(report: Report, channel: str, known: set[str]) -> pl.DataFrame:
    """Types that only labels name: filters assigned all such messages to another type."""
    table = report.figures.type_quality
    is_new = (pl.col("channel_code") == channel) & (pl.col("prevalence") > 0)
    labelled = table.filter(is_new & ~pl.col("spam_type_code").is_in(sorted(known)))
    return labelled.select("spam_type_code", *(pl.lit(0, pl.Int64).alias(name) for name in SUMS)).unique()


def error_cell(found: audited.CorrectedChannel) -> Cell:
    return (
        number_cell(numbers.format_range(found.low, found.high))
        if found.share
        else number_cell("not audited", "muted")
    )


def engine_blocks(report: Report) -> list[Block]:
    """The share of marked messages that have a type: by each filter alone, and by all of them."""
    blocks = []
    for channel, table in report.split_by_channel(report.figures.type_coverage):
        rows = table.filter(pl.col("units_marked") > 0)
        if not len(rows):
            continue
        name = channel_name(channel, inside=True)
        # The rows without a verdict and of all filters come last.
        after = [pl.col("engine_code") == code for code in (words.TOTAL, words.UNKNOWN)]
        lines = [
            [
                Cell(
                    engine_name(row["engine_code"]),
                    "",
                    stack_parts(
                        ("certain", row["units_strong"]),
                        ("undecided", row["units_weak"]),
                        ("other", row["units_untyped"]),
                        scale=row["units_marked"],
                    ),
                ),
                number_cell(numbers.format_count(row["units_marked"])),
                *(
                    number_cell(numbers.format_part(row[f"units_{part}"], row["units_marked"]))
                    for part in ("strong", "weak", "untyped")
                ),
            ]
            for row in rows.sort([*after, -pl.col("units_marked"), "engine_code"]).to_dicts()
        ]
        columns = [
            Column("Filter", "text"),
            Column("Marked"),
            Column("Strong", is_minor=True),
            Column("Weak", is_minor=True),
            Column("No type"),
        ]
        caption = f"How much of the {name} that was marked has a type"
        heading = f"{channel_name(channel)}: share with a type, by filter"
        blocks.append(Block(heading, Table(caption, columns, lines, axis=SHARES), "type_coverage.csv"))
    return blocks


def engine_name(code: str) -> str:
    if code == words.TOTAL:
        return "All filters together"
    return "No verdict" if code == words.UNKNOWN else words.code_name("engine", code)


def type_finding(name: str, rows: list[Row], total: int) -> str:
    unknown = sum(row["spam_certain"] for row in rows if row["spam_type_code"] == "UNK")
    untyped = f"{numbers.format_part(unknown, total)} could not be typed from the logs"
    first = rows[0]
    if first["spam_type_code"] == "UNK" or not first["spam_certain"]:
        return f"Of {name} spam, {untyped}."
    largest = words.type_name(first["spam_type_code"])
    share = numbers.format_part(first["spam_certain"], total)
    return f"The largest known type of {name} spam is “{largest}”, with {share}; {untyped}."


def type_bar(row: Row, scale: int) -> tuple[Part, ...]:
    kind = "other" if row["spam_type_code"] == "UNK" else "certain"
    return stack_parts((kind, row["spam_certain"]), scale=scale)


def type_subtitle(code: str | None) -> str:
    return "" if code == "UNK" else words.code_description("type", code)
