"""The answers that an estimate leaves out, in lines for its reader."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from jobs.core.areas import on_day
from jobs.core.contracts import reference
from jobs.core.periods import last_day
from jobs.study.estimate.study_stage import ANSWERS, FRAME
from jobs.study.estimate.subscriptions import WITHIN, far_apart
from jobs.study.questionnaire_answer import UNITS, counted, subscribed
from jobs.study.spam_volume import UNIT

# So many are named.
SHOWN = 8


def notes(frames: Mapping[str, pl.DataFrame]) -> list[str]:
    """All lines. frames: the answers, and the frame of operators that they are held against."""
    return apart(frames[ANSWERS], frames[FRAME]) + left_out(frames[ANSWERS])


def left_out(questionnaire_answer: pl.DataFrame) -> list[str]:
    """A line on the answers on spam that stand in no estimate, by the definition that they name."""
    asked = reference("ref.indicator_measure").filter(
        pl.col("measure_code").is_in(list(UNIT)) & (pl.col("quantity_code") != UNITS)
    )
    lost = (
        counted(questionnaire_answer, asked, reference("ref.definition"))
        .filter(pl.col("named_definition_code").is_null())
        .group_by(named=pl.col("named_code").fill_null("none"))
        .len()
        .sort("named")
        .rows()
    )
    if not lost:
        return []
    parts = ", ".join(f"{count} {named}" for named, count in lost)
    return [
        "Answers on spam that are left out, because ref.definition has no one definition that is theirs:"
        f" {parts}"
    ]


def apart(questionnaire_answer: pl.DataFrame, frame: pl.DataFrame) -> list[str]:
    """A line for each respondent and channel whose answered subscriptions are far from those of the frame of
    operators, as jobs.study.estimate.subscriptions has it: such an answer does not stand."""
    lines = []
    for answered in subscribed(questionnaire_answer).sort("period_code").partition_by("period_code"):
        period = answered["period_code"][0]
        listed = on_day(frame, last_day(period)).select(
            "respondent_id", "channel_code", known="subscriptions"
        )
        lines += [
            f"{respondent} answered {own:,} subscriptions of {channel} in {period}, and the frame of"
            f" operators has {known:,}, more than {WITHIN} times as many or few: its answer does not stand,"
            " the frame's number does; correct the frame if it is wrong, or ask for the form again"
            for respondent, channel, own, known in answered.join(listed, on=["respondent_id", "channel_code"])
            .filter(far_apart(pl.col("subscriptions"), pl.col("known")))
            .select("respondent_id", "channel_code", "subscriptions", "known")
            .sort("respondent_id", "channel_code")
            .rows()
        ]
    more = [f"and {len(lines) - SHOWN} more like these"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more
