"""The sections on definitions: one share counted in several ways, and all definitions side by side."""

from typing import Any

import polars as pl

from jobs.core import words
from jobs.core.counting_rules import OPERATOR, RECEIVED
from jobs.page.blocks import SHARES, Block, Cell, Column, Section, Table, number_cell, stack_parts
from jobs.report import audited
from jobs.report.figures import SUMS
from jobs.report.report import (
    CERTAIN_LEGEND,
    UNDECIDED_LEGEND,
    Report,
    channel_name,
    share_bar,
    spam_range,
    spam_shares,
)

# Blocked and tagged messages for each unaltered delivered one, and the same with one for each dropped
# connection, as MAAWG published them for the last quarter of 2005.
MAAWG = (4.0, 5.6)


def shares_section(report: Report) -> Section:
    """Several spam shares of the same traffic: by what is counted, and by whose definition."""
    blocks, findings = [], describe_treatment(report)
    for channel, bases in report.per_channel(report.figures.bases):
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
        low, high = (words.format_percent(ratio / (ratio + 1)) for ratio in MAAWG)
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
    """What MAAWG published: the share, without units and intervals."""
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
        lines.append([head, number_cell(words.format_percent(share)), unpublished, unpublished])
    return lines


def sum_measure(bases: pl.DataFrame, measure: str, unit: str | None = None) -> dict[str, Any]:
    rows = bases.filter(pl.col("measure_code") == measure)
    if unit is not None:
        rows = rows.filter(pl.col("unit_code") == unit)
    return {name: int(rows[name].sum()) for name in SUMS}


def maawg_ratio(bases: pl.DataFrame, unit: str | None) -> dict[str, Any]:
    """M3AAWG's metric: abusive units as a share of abusive and unaltered delivered ones. unit: abusive units
    of this code alone."""
    abusive = sum_measure(bases, "maawg_abusive", unit)["units"]
    units = abusive + sum_measure(bases, "maawg_unaltered_delivered")["units"]
    return {"units": units, "spam_certain": abusive, "spam_possible": abusive}


def own_lines(report: Report, channel: str, bases: pl.DataFrame) -> list[list[Cell]]:
    """The operators' own traffic, from the narrowest count to the widest."""
    recipients, attempted = (
        sum_measure(bases, measure) | {"channel_code": channel, "definition_code": OPERATOR}
        for measure in ("recipients", "attempted")
    )
    rows = [("Treated as spam by operators, of recipients", "of accepted messages", recipients)]
    if sum_measure(bases, "attempted", "attempt")["units"]:
        says = "with what was refused before a message existed"
        rows.append(("Treated as spam by operators, of recipients and attempts", says, attempted))
        if channel == "EMAIL":
            says = "all that was blocked or marked, for whatever reason"
            rows = [
                ("Blocked or marked (M3AAWG's metric), of messages", says, maawg_ratio(bases, "recipient")),
                ("Blocked or marked, with refused attempts", says, maawg_ratio(bases, None)),
                *rows,
            ]
    other = most_decided(report, channel)
    if other is not None:
        name = report.definition_name(other["definition_code"])
        rows.append((name, "another definition, of recipients and attempts", other))
    return [
        [
            Cell(name, says, share_bar(row)),
            number_cell(spam_range(row)),
            number_cell(words.format_count(row["units"])),
            # M3AAWG counts what operators did, right or wrong.
            audited.definition_cell(report, row)
            if "definition_code" in row
            else number_cell("does not apply", "muted"),
        ]
        for name, says, row in rows
        if row["units"]
    ]


def most_decided(report: Report, channel: str) -> dict[str, Any] | None:
    """The definition, beside the operators' own, under which most units are certainly spam."""
    others = [
        row for row in sum_by_definition(report, channel).values() if row["definition_code"] != OPERATOR
    ]
    return max(
        others,
        key=lambda row: (row["spam_certain"], -undecided_share(row), row["definition_code"]),
        default=None,
    )


def describe_treatment(report: Report) -> list[str]:
    """The share that operators treated as spam, by channel, and whether logs can decide what was unlawful."""
    findings, laws = [], []
    about = words.definition_rows(report.last_day)
    for row in report.totals:
        channel, name = row["channel_code"], channel_name(row["channel_code"], inside=True)
        bases = report.figures.bases.filter(pl.col("channel_code") == channel)
        accepted = sum_measure(bases, "recipients")
        more = f"; of accepted {name}, {spam_range(accepted)}" if accepted["units"] else ""
        findings.append(f"Operators treated {spam_range(row)} of {name} as spam{more}.")
        laws += [
            spam_shares(sums)
            for code, sums in sum_by_definition(report, channel).items()
            if code != OPERATOR and code in about and about[code]["jurisdiction"] != words.TOTAL
        ]
    if any(low < high for low, high in laws):
        some = "" if max(low for low, _ in laws) < 0.005 else " in full"
        findings.append(
            f"Logs alone cannot decide{some} whether it was unlawful, because they do not record consent; the"
            " annex has each definition."
        )
    return findings


def sum_by_definition(report: Report, channel: str) -> dict[str, dict[str, Any]]:
    """Units and spam of a channel under each definition, by the definition's code."""
    is_mine = pl.col("direction_code").is_in(RECEIVED) & (pl.col("channel_code") == channel)
    table = report.figures.volume.filter(is_mine)
    rows = table.group_by("definition_code").agg(pl.col(list(SUMS)).sum()).to_dicts()
    return {row["definition_code"]: row for row in rows if row["units"]}


def definitions_section(report: Report) -> Section:
    blocks = []
    for channel in report.channels:
        name = channel_name(channel, inside=True)
        rows = sum_by_definition(report, channel)
        lines, absent = [], []
        for code, about in words.definition_rows(report.last_day).items():
            row = rows.get(code)
            place = "" if about["jurisdiction"] == words.TOTAL else words.country_name(about["jurisdiction"])
            if row is None:
                absent.append(about["name"])
                continue
            head = Cell(about["name"], place, share_bar(row))
            with_error = audited.definition_cell(report, row | {"channel_code": channel})
            lines.append(
                [
                    head,
                    number_cell(spam_range(row)),
                    number_cell(words.format_percent(undecided_share(row))),
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
        report.missing(report.figures.volume),
        legend=[CERTAIN_LEGEND, UNDECIDED_LEGEND, ("rest", "not spam")],
        is_annex=True,
    )


def undecided_share(row: dict[str, Any]) -> float:
    low, high = spam_shares(row)
    return high - low
