"""The sections on definitions: one share counted in several ways, and all definitions side by side."""

import polars as pl

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.figures.counting_rules import OPERATOR, RECEIVED
from jobs.base.page.blocks import SHARES, Block, Cell, Column, Section, Table, number_cell, stack_parts
from jobs.operators.report import audited
from jobs.operators.report.figures import SUMS
from jobs.operators.report.report import (
    CERTAIN_LEGEND,
    UNDECIDED_LEGEND,
    Report,
    Spam,
    channel_name,
    sum_spam_by,
)

# Blocked and tagged messages for each unaltered delivered one, and the same with one for each dropped
# connection, as MAAWG published them for the last quarter of 2005.
MAAWG = (4.0, 5.6)


def shares_section(report: Report) -> Section:
    """Several spam shares of the same traffic: by what is counted, and by whose definition."""
    blocks, findings = [], describe_treatment(report)
    for channel, bases in report.split_by_channel(report.figures.bases):
        has_audit = audited.is_audited(report, channel)
        lines = own_lines(report, channel, bases)
        if len(lines) < 2:
            continue
        rows = [*lines, *(published_lines() if channel == "EMAIL" else [])]
        name = channel_name(channel)
        columns = [Column("What counts as spam, and of what", "text"), Column("Spam share")]
        columns += [Column("Units", is_minor=True)]
        if has_audit:
            columns.append(Column(audited.HEADING, "text", is_minor=True))
        rows = [row[: len(columns)] for row in rows]
        caption = f"The same {words.lower_first(name)}, counted in several ways"
        blocks.append(Block(name, Table(caption, columns, rows, axis=SHARES), "bases.csv"))
    if blocks:
        low, high = (numbers.format_share(ratio / (ratio + 1)) for ratio in MAAWG)
        findings.append(
            f"A share of spam needs its definition beside it: in 2005, {low} of nine operators' mail was"
            f" abusive if messages are counted, and {high} if each dropped connection counts as one more."
        )
    legend = [CERTAIN_LEGEND, UNDECIDED_LEGEND, ("rest", "not spam")]
    return Section(
        "shares",
        "The same traffic, counted in several ways",
        "\n".join(findings),
        blocks,
        legend=legend,
    )


def published_lines() -> list[list[Cell]]:
    """The shares that MAAWG published, without units and intervals."""
    says, lines = "published, nine operators, last quarter of 2005", []
    for name, ratio in zip(("messages blocked or tagged", "with dropped connections"), MAAWG, strict=True):
        share = ratio / (ratio + 1)
        head = Cell(
            f"MAAWG 2005: {name}",
            says,
            stack_parts(("certain", share), ("rest", 1 - share), scale=1),
            "muted",
        )
        unpublished = number_cell("not published")
        lines.append([head, number_cell(numbers.format_share(share)), unpublished, unpublished])
    return lines


def sum_measure(bases: pl.DataFrame, measure: str, unit: str | None = None) -> Spam:
    """A channel's units and spam in a measure.

    Args:
        unit: units of this code alone.
    """
    rows = bases.filter(pl.col("measure_code") == measure)
    if unit is not None:
        rows = rows.filter(pl.col("unit_code") == unit)
    return Spam(*(int(rows[name].sum()) for name in SUMS))


def maawg_ratio(bases: pl.DataFrame, unit: str | None) -> Spam:
    """M3AAWG's metric: abusive units as a share of abusive and unaltered delivered ones.

    Args:
        unit: abusive units of this code alone.
    """
    abusive = sum_measure(bases, "maawg_abusive", unit).units
    units = abusive + sum_measure(bases, "maawg_unaltered_delivered").units
    return Spam(units, abusive, abusive)


def own_lines(report: Report, channel: str, bases: pl.DataFrame) -> list[list[Cell]]:
    """The operators' own traffic, from the narrowest count to the widest."""
    recipients, attempted = (sum_measure(bases, measure) for measure in ("recipients", "attempted"))
    # Each with its definition; M3AAWG counts what operators did, right or wrong.
    rows: list[tuple[str, str, Spam, str | None]] = [
        ("Treated as spam by operators, of recipients", "of accepted messages", recipients, OPERATOR)
    ]
    if sum_measure(bases, "attempted", "attempt").units:
        says = "with what was refused before a message existed"
        name = "Treated as spam by operators, of recipients and attempts"
        rows.append((name, says, attempted, OPERATOR))
        if channel == "EMAIL":
            says, metric = "all that was blocked or marked, for whatever reason", "Blocked or marked"
            rows = [
                (f"{metric} (M3AAWG's metric), of messages", says, maawg_ratio(bases, "recipient"), None),
                (f"{metric}, with refused attempts", says, maawg_ratio(bases, None), None),
                *rows,
            ]
    # The definition, beside the operators' own, under which most units are certainly spam.
    others = [each for each in sum_by_definition(report, channel).items() if each[0] != OPERATOR]
    other = max(others, key=lambda each: (each[1].certain, -each[1].undecided_share, each[0]), default=None)
    if other is not None:
        code, spam = other
        says = "another definition, of recipients and attempts"
        rows.append((report.definition_name(code), says, spam, code))
    return [
        [
            Cell(name, says, spam.bar),
            number_cell(spam.range),
            number_cell(numbers.format_count(spam.units)),
            audited.definition_cell(report, channel, definition, spam)
            if definition
            else number_cell("does not apply", "muted"),
        ]
        for name, says, spam, definition in rows
        if spam.units
    ]


def describe_treatment(report: Report) -> list[str]:
    """The share that operators treated as spam, by channel, and whether logs can decide what was unlawful."""
    findings, laws = [], []
    rows = words.definition_rows(report.last_day)
    for channel, spam in report.totals.items():
        name = channel_name(channel, inside=True)
        bases = report.figures.bases.filter(pl.col("channel_code") == channel)
        accepted = sum_measure(bases, "recipients")
        more = f"; of accepted {name}, {accepted.range}" if accepted.units else ""
        findings.append(f"Operators treated {spam.range} of {name} as spam{more}.")
        laws += [
            sums.shares
            for code, sums in sum_by_definition(report, channel).items()
            if code != OPERATOR and code in rows and rows[code]["jurisdiction"] != words.TOTAL
        ]
    if any(low < high for low, high in laws):
        some = "" if max(low for low, _ in laws) < 0.005 else " in full"
        findings.append(
            f"Logs alone cannot decide{some} whether it was unlawful, because they do not record consent; the"
            " annex has each definition."
        )
    return findings


def sum_by_definition(report: Report, channel: str) -> dict[str, Spam]:
    """Units and spam of a channel under each definition, by the definition's code."""
    is_mine = pl.col("direction_code").is_in(RECEIVED) & (pl.col("channel_code") == channel)
    return sum_spam_by(report.figures.volume.filter(is_mine), "definition_code")


def definitions_section(report: Report) -> Section:
    blocks = []
    for channel in report.channels:
        name = channel_name(channel, inside=True)
        rows = sum_by_definition(report, channel)
        lines, absent = [], []
        for code, definition in words.definition_rows(report.last_day).items():
            spam = rows.get(code)
            of = definition["jurisdiction"]
            place = "" if of == words.TOTAL else words.country_name(of)
            if spam is None:
                absent.append(definition["name"])
                continue
            head = Cell(definition["name"], place, spam.bar)
            with_error = audited.definition_cell(report, channel, code, spam)
            lines.append(
                [
                    head,
                    number_cell(spam.range),
                    number_cell(numbers.format_share(spam.undecided_share)),
                    with_error,
                ]
            )
        columns = [Column("Definition", "text"), Column("Spam share"), Column("Undecided")]
        columns.append(Column(audited.HEADING, "text", is_minor=True))
        caption = f"Spam share of {name} under each definition"
        note = f"Not for {name}: {words.join_words(absent)}." if absent else ""
        table = Table(caption, columns, lines, axis=SHARES)
        blocks.append(Block(channel_name(channel), table, "volume.csv", note=note))
    finding = (
        "Logs rarely record consent: the longer the pale part of a bar, the more a definition depends on it."
    )
    return Section(
        "definitions",
        "Annex: the same traffic under each definition of spam",
        finding if blocks else "",
        blocks,
        report.list_missing(report.figures.volume),
        legend=[CERTAIN_LEGEND, UNDECIDED_LEGEND, ("rest", "not spam")],
        is_annex=True,
    )
