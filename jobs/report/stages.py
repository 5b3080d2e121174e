"""The section on where it was decided: at which stage traffic ended."""

from __future__ import annotations

from typing import Any

import polars as pl

from jobs.core import words
from jobs.report import audited
from jobs.report.blocks import Block, Cell, Column, Part, Section, Table, number, stacked
from jobs.report.study import Study, channel_name

ASSUMED = (
    "by an audit or test of each channel's month, assuming that what a filter stopped or marked is spam"
    " equally often at all stages, and so is what it let pass. Before the content there is nothing to audit."
)
STAGES = ("connect", "envelope", "content", "delivery")


def reaches() -> set[str]:
    """Outcomes that count as delivered, by ref.measure."""
    rows = words.reference("measure")
    return {
        r["outcome_code"] for r in rows if r["measure_code"] == "delivered" and r["is_included"] == "true"
    }


def by_stage(study: Study) -> Section:
    blocks, findings = [], []
    totals = {total["channel_code"]: total for total in study.totals}
    for channel, table in study.per_channel("stages"):
        name, is_told = channel_name(channel), audited.is_told(table.to_dicts())
        total = int(table["units"].sum())
        stopped = table.filter(~pl.col("outcome_code").is_in(sorted(reaches())))
        left, lines = (
            total,
            [
                [
                    Cell("Attempted", bar=(Part("rest", 0, 100),), tone="strong"),
                    number(""),
                    number(""),
                    number(words.whole(total)),
                    *([audited.share_cell(study, totals[channel])] if is_told else []),
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
                        words.name("stage", stage),
                        stage_says(here),
                        stacked(("rest", left), ("certain", spam), ("other", halted - spam), scale=total),
                    ),
                    number(words.whole(halted)),
                    number(words.whole(spam)),
                    number(words.whole(left)),
                    *error_cell(here, is_told),
                ]
            )
        tagged = int(table.filter(pl.col("outcome_code") == "tagged")["units"].sum())
        through = got_through(table)
        end = stacked(("rest", left - tagged), ("undecided", tagged), scale=total)
        lines.append(
            [
                Cell("Delivered", delivered_says(tagged, through), end, "strong"),
                number(""),
                number(""),
                number(words.whole(left)),
                *error_cell(table.filter(pl.col("outcome_code").is_in(sorted(reaches()))), is_told),
            ]
        )
        early = halted_at(stopped, "connect", "envelope")
        findings.append(
            f"{name}: of {words.plenty(total)} attempted, {words.percent(words.share_of(left, total))} were"
            f" delivered; {words.percent(words.share_of(early, total))} were stopped before their content was"
            " received."
        )
        if through is not None:
            findings.append(through_finding(name, through))
        columns = [
            Column("Stage", "text"),
            Column("Stopped"),
            Column("Of that, spam", is_minor=True),
            Column("Remaining"),
            *([Column("Share of spam, corrected for filter error")] if is_told else []),
        ]
        ways = Table(
            f"{name} from attempt to delivery", columns, lines, axis=("0", f"{words.whole(total)} attempted")
        )
        blocks.append(Block(name, ways, "stages.csv"))
    legend = [
        ("certain", "stopped as spam"),
        ("other", "stopped for another reason or not known"),
        ("rest", "went on"),
        ("undecided", "marked as spam, delivered"),
    ]
    notes = audited.on_parts(study, "stages", ASSUMED)
    return Section(
        "stages", "Where it was decided", "\n".join(findings), blocks, study.missing("stages"), notes, legend
    )


def error_cell(here: pl.DataFrame, is_told: bool) -> list[Cell]:
    """The share of spam in what was stopped at a stage, or delivered; no cell where there is no audit."""
    return [audited.share_of_part(audited.added(here.to_dicts()))] if is_told else []


def got_through(table: pl.DataFrame) -> dict[str, Any] | None:
    """What was delivered without a mark, corrected for filter error; None without an audit."""
    unmarked = table.filter(pl.col("outcome_code").is_in(sorted(reaches() - {"tagged"})))
    row = audited.added(unmarked.to_dicts())
    return row if row["audited_units"] else None


def through_finding(name: str, row: dict[str, Any]) -> str:
    return (
        f"{name}: {words.plenty_range(*audited.ends(row))} of what was delivered without a mark,"
        f" {audited.share_of_part(row).text}, was spam that got through."
    )


def delivered_says(tagged: int, through: dict[str, Any] | None) -> str:
    """How much of what was delivered was marked, and how much of the rest is spam."""
    told = [f"{words.whole(tagged)} marked as spam"] if tagged else []
    if through is not None:
        rest = "the rest" if tagged else "it"
        told.append(f"of {rest} {audited.share_of_part(through).text} is spam")
    return ", ".join(told)


def halted_at(stopped: pl.DataFrame, *stages: str) -> int:
    return int(stopped.filter(pl.col("stage_code").is_in(stages))["units"].sum())


def stage_says(here: pl.DataFrame) -> str:
    """The outcomes of a stage, the most frequent first."""
    rows = here.group_by("outcome_code").agg(pl.col("units").sum()).sort([-pl.col("units"), "outcome_code"])
    return ", ".join(
        f"{words.inside(words.name('outcome', r['outcome_code']))} {words.whole(r['units'])}"
        for r in rows.to_dicts()
    )
