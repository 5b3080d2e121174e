"""The section on stages: where the final outcome of traffic was decided."""

import polars as pl

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.page.blocks import Block, Cell, Column, Part, Section, Table, number_cell, stack_parts
from jobs.base.tables.contracts import Row, reference_rows
from jobs.operators.report import audited
from jobs.operators.report.report import Report, channel_name

ASSUMED = (
    "by an audit or test of each channel's month, assuming that what a filter stopped or marked is spam"
    " equally often at all stages, and so is what it let pass. Before the content there is nothing to audit."
)
STAGES = ("connect", "envelope", "content", "delivery")


def delivered_outcomes() -> set[str]:
    """Outcomes that count as delivered, by ref.measure."""
    rows = reference_rows("measure")
    return {
        r["outcome_code"] for r in rows if r["measure_code"] == "delivered" and r["is_included"] == "true"
    }


def stages_section(report: Report) -> Section:
    blocks, findings = [], []
    for channel, table in report.split_by_channel(report.figures.stages):
        name, has_audit = channel_name(channel), audited.has_audit(table.to_dicts())
        total = int(table["units"].sum())
        stopped = table.filter(~pl.col("outcome_code").is_in(sorted(delivered_outcomes())))
        left, lines = (
            total,
            [
                [
                    Cell("Attempted", bar=(Part("rest", 0, 100),), tone="strong"),
                    number_cell(""),
                    number_cell(""),
                    number_cell(numbers.format_count(total)),
                    *([audited.share_cell(report, channel, report.totals[channel])] if has_audit else []),
                ]
            ],
        )
        for stage in STAGES:
            here = stopped.filter(pl.col("stage_code") == stage)
            halted, spam = int(here["units"].sum()), int(here["spam_certain"].sum())
            left -= halted
            lines.append(
                [
                    Cell(
                        words.code_name("stage", stage),
                        list_outcomes(here),
                        stack_parts(("rest", left), ("certain", spam), ("other", halted - spam), scale=total),
                    ),
                    number_cell(numbers.format_count(halted)),
                    number_cell(numbers.format_count(spam)),
                    number_cell(numbers.format_count(left)),
                    *error_cell(here, has_audit),
                ]
            )
        tagged = int(table.filter(pl.col("outcome_code") == "tagged")["units"].sum())
        through = unmarked_spam(table)
        end = stack_parts(("rest", left - tagged), ("undecided", tagged), scale=total)
        lines.append(
            [
                Cell("Delivered", describe_delivered(tagged, through), end, "strong"),
                number_cell(""),
                number_cell(""),
                number_cell(numbers.format_count(left)),
                *error_cell(
                    table.filter(pl.col("outcome_code").is_in(sorted(delivered_outcomes()))), has_audit
                ),
            ]
        )
        early = int(stopped.filter(pl.col("stage_code").is_in(["connect", "envelope"]))["units"].sum())
        finding = (
            f"{name}: of {numbers.format_rounded(total)} attempted,"
            f" {numbers.format_part(left, total)} were"
            f" delivered; {numbers.format_part(early, total)} were stopped before their"
            " content was"
            " received."
        )
        if through is not None:
            findings.append(
                f"{name}: {numbers.format_range(*audited.spam_bounds(through))} of what was delivered without"
                f" a mark, {audited.part_share_cell(through).text}, was spam that got through."
            )
        columns = [
            Column("Stage", "text"),
            Column("Stopped"),
            Column("Of that, spam", is_minor=True),
            Column("Remaining"),
            *([Column("Share of spam, corrected for filter error")] if has_audit else []),
        ]
        ways = Table(
            f"{name} from attempt to delivery",
            columns,
            lines,
            axis=("0", f"{numbers.format_count(total)} attempted"),
        )
        blocks.append(Block(name, ways, "stages.csv", finding=finding))
    legend = [
        ("certain", "stopped as spam"),
        ("other", "stopped for another reason or not known"),
        ("rest", "went on"),
        ("undecided", "marked as spam, delivered"),
    ]
    notes = audited.part_notes(report, report.figures.stages, ASSUMED)
    return Section(
        "stages",
        "Where it was decided",
        "\n".join(findings),
        blocks,
        report.list_missing(report.figures.stages),
        notes,
        legend,
    )


def error_cell(here: pl.DataFrame, has_audit: bool) -> list[Cell]:
    """The share of spam in units that a stage stopped, or in delivered ones; no cell without an audit."""
    return [audited.part_share_cell(audited.add_parts(here.to_dicts()))] if has_audit else []


def unmarked_spam(table: pl.DataFrame) -> Row | None:
    """Messages delivered without a mark, and the spam in them corrected for filter error; None without an
    audit."""
    unmarked = table.filter(pl.col("outcome_code").is_in(sorted(delivered_outcomes() - {"tagged"})))
    row = audited.add_parts(unmarked.to_dicts())
    return row if row["audited_units"] else None


def describe_delivered(tagged: int, through: Row | None) -> str:
    """Delivered messages in words: those that were marked, and the share of spam in the others."""
    parts = [f"{numbers.format_count(tagged)} marked as spam"] if tagged else []
    if through is not None:
        rest = "the rest" if tagged else "it"
        parts.append(f"of {rest} {audited.part_share_cell(through).text} is spam")
    return ", ".join(parts)


def list_outcomes(here: pl.DataFrame) -> str:
    """The outcomes of a stage, the most frequent first."""
    rows = here.group_by("outcome_code").agg(pl.col("units").sum()).sort([-pl.col("units"), "outcome_code"])
    return ", ".join(
        f"{words.lower_first(words.code_name('outcome', r['outcome_code']))} {r['units']:,}"
        for r in rows.to_dicts()
    )
