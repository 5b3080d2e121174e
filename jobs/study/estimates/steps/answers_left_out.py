"""The logs and answers that an estimate leaves out, in lines for its reader."""

from collections.abc import Mapping

import polars as pl

from jobs.base.core.languages import ENGLISH
from jobs.base.core.numbers import format_pct, name_few
from jobs.base.core.periods import LEAST_DAYS_PCT, count_days, last_day
from jobs.base.packages.subscriptions import WITHIN, far_apart
from jobs.base.tables.contracts import reference_table
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates.respondent_figure import UNIT
from jobs.study.estimates.steps.countable_answers import UNITS, answered_subscriptions, countable_answers
from jobs.study.estimates.steps.days import keep_covered_months as with_days_enough
from jobs.study.estimates.steps.study_stage import ANSWERS, FRAME, SUBMISSION
from jobs.study.questionnaire.texts import option_labels

# So many are named.
SHOWN = 8


def note_left_out(frames: Mapping[str, pl.DataFrame]) -> list[str]:
    """All lines.

    Args:
        frames: logs and answers, and the frame of operators that answers are held against.
    """
    return [
        *few_days(frames[SUBMISSION]),
        *note_subscriptions_apart(frames[ANSWERS], frames[FRAME]),
        *note_undefined_spam(frames[ANSWERS]),
    ]


def few_days(submission: pl.DataFrame) -> list[str]:
    """A line for each respondent, channel and month with too few days, and one if no month is left."""
    by = ["respondent_id", "channel_code", "period_code"]
    has = with_days_enough(submission)
    lost = submission.join(has, on=by, how="anti").group_by(by).agg(pl.col("day_count").max()).sort(by)
    lines = shorten_lines(
        [
            f"{who}, {channel} in {period}: left out, since logs of {days} of {count_days(period)} days are"
            f" under {format_pct(LEAST_DAYS_PCT)}"
            for who, channel, period, days in lost.rows()
        ]
    )
    if lines and has.is_empty():
        lines.append(
            "No estimate of spam from logs: no respondent has a month with logs of"
            f" {format_pct(LEAST_DAYS_PCT)} of its days"
        )
    return lines


def note_undefined_spam(questionnaire_answer: pl.DataFrame) -> list[str]:
    """A line on the answers on spam that stand in no estimate, by the definition that they name."""
    asked = reference_table("ref.indicator_measure").filter(
        pl.col("measure_code").is_in(list(UNIT)) & (pl.col("quantity_code") != UNITS)
    )
    lost = (
        countable_answers(questionnaire_answer, asked, reference_table("ref.definition"))
        .filter(pl.col("named_definition_code").is_null())
        .group_by(named=pl.col("named_code"))
        .agg(pl.len(), pl.col("respondent_id").unique().sort())
        .sort("named", nulls_last=True)
        .rows()
    )
    if not lost:
        return []
    names = {code: f"“{name}”" for code, name in option_labels(ENGLISH, "definition").items()}
    parts = "; ".join(
        f"{count} by {names.get(named, 'no definition')} ({name_few(who, SHOWN)})"
        for named, count, who in lost
    )
    return [
        "Answers on spam that no estimate takes, because their definition (sp301) is none, or more than one,"
        f" of those that are estimated: {parts}"
    ]


def note_subscriptions_apart(questionnaire_answer: pl.DataFrame, frame: pl.DataFrame) -> list[str]:
    """A line for each respondent and channel whose answered subscriptions are far from those of the frame of
    operators, as jobs.base.packages.subscriptions has it: such an answer does not stand."""
    lines = []
    for answered in (
        answered_subscriptions(questionnaire_answer).sort("period_code").partition_by("period_code")
    ):
        period = answered["period_code"][0]
        listed = rows_on_day(frame, last_day(period)).select(
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
    return shorten_lines(lines)


def shorten_lines(lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = [f"and {len(lines) - SHOWN} more like these"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more
