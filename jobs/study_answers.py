"""What of respondents' answers an estimate leaves out, in lines for its reader."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.areas import on_day
from jobs.lake import Lake
from jobs.periods import last_day
from jobs.study.questionnaire_answer import UNITS, counted, subscribed
from jobs.study.spam_volume import UNIT
from jobs.study_files import read_reference
from jobs.study_rows import collected
from jobs.study_run import ANSWERS, FRAME, framed
from jobs.submission.subscriptions import WITHIN, far_apart

# So many are named.
SHOWN = 8


def notes(lake: Lake, frames: Mapping[str, DataFrame]) -> list[str]:
    """All lines. frames: the answers, and the frame of operators that they are held against."""
    measures, definitions = (
        framed(lake, read_reference(name), name) for name in ("ref.indicator_measure", "ref.definition")
    )
    return apart(frames[ANSWERS], collected(frames[FRAME])) + left_out(frames[ANSWERS], measures, definitions)


def left_out(
    questionnaire_answer: DataFrame, indicator_measure: DataFrame, definition: DataFrame
) -> list[str]:
    """A line on the answers on spam that stand in no estimate, by what they name as its definition."""
    asked = indicator_measure.filter(F.col("measure_code").isin(*UNIT)).filter(
        F.col("quantity_code") != UNITS
    )
    told = (
        counted(questionnaire_answer, asked, definition)
        .filter("named_definition_code IS NULL")
        .groupBy(F.coalesce("named_code", F.lit("none")).alias("named"))
        .count()
        .collect()
    )
    if not told:
        return []
    parts = ", ".join(f"{row['count']} {row.named}" for row in sorted(told))
    return [
        "Answers on spam that are left out, because ref.definition has no one definition that is theirs:"
        f" {parts}"
    ]


def apart(questionnaire_answer: DataFrame, frame: pl.DataFrame) -> list[str]:
    """A line for each respondent and channel whose answered subscriptions are far from those of the frame of
    operators, as jobs.submission.subscriptions has it: such an answer does not stand."""
    lines = []
    for answered in collected(subscribed(questionnaire_answer)).partition_by("period_code"):
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
