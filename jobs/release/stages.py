"""The section on where it was decided: at which stage traffic ended."""

from __future__ import annotations

import polars as pl

from jobs.release import audited, words
from jobs.release.blocks import Block, Cell, Column, Part, Section, Table, number, stacked
from jobs.release.study import Study, channel_name

STAGES = ("connect", "envelope", "content", "delivery")


def reaches() -> set[str]:
    """Outcomes that count as delivered, by ref.measure."""
    rows = words.reference("measure")
    return {
        r["outcome_code"] for r in rows if r["measure_code"] == "delivered" and r["is_included"] == "true"
    }


def by_stage(study: Study) -> Section:
    blocks, findings = [], []
    for channel, table in study.per_channel("stages"):
        name = channel_name(channel)
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
                ]
            )
        tagged = int(table.filter(pl.col("outcome_code") == "tagged")["units"].sum())
        end = stacked(("rest", left - tagged), ("undecided", tagged), scale=total)
        lines.append(
            [
                Cell("Delivered", f"{words.whole(tagged)} marked as spam" if tagged else "", end, "strong"),
                number(""),
                number(""),
                number(words.whole(left)),
            ]
        )
        early = halted_at(stopped, "connect", "envelope")
        findings.append(
            f"{name}: of {words.plenty(total)} attempted, {words.percent(words.share_of(left, total))} were"
            f" delivered; {words.percent(words.share_of(early, total))} were stopped before their content."
        )
        columns = [
            Column("Stage", "text"),
            Column("Stopped"),
            Column("Of that, spam", is_minor=True),
            Column("Left"),
        ]
        blocks.append(Block(name, Table(f"{name} from attempt to delivery", columns, lines), "stages.csv"))
    legend = [
        ("certain", "stopped as spam"),
        ("other", "stopped for another reason or not known"),
        ("rest", "went on"),
        ("undecided", "marked as spam, delivered"),
    ]
    notes = [audited.as_counted("a stage")] if blocks else []
    return Section(
        "stages", "Where it was decided", "\n".join(findings), blocks, study.missing("stages"), notes, legend
    )


def halted_at(stopped: pl.DataFrame, *stages: str) -> int:
    return int(stopped.filter(pl.col("stage_code").is_in(stages))["units"].sum())


def stage_says(here: pl.DataFrame) -> str:
    """The outcomes of a stage, the most frequent first."""
    rows = here.group_by("outcome_code").agg(pl.col("units").sum()).sort([-pl.col("units"), "outcome_code"])
    return ", ".join(
        f"{words.inside(words.name('outcome', r['outcome_code']))} {words.whole(r['units'])}"
        for r in rows.to_dicts()
    )
