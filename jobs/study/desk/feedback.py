"""Feedback to a respondent: its own figures beside the published ones of its areas.

Both are the reader's already: its own answers, and rows that anyone may read. Of other respondents, and of
what did not leave, nothing is in it.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from jobs.base.core.languages import format_significant, use_language
from jobs.base.core.numbers import DASH
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.tables.contracts import Row
from jobs.study.desk.reader_page import ReaderPage, ReaderTable, ShownFigure
from jobs.study.desk.reader_release import ReaderRelease, areas_of, name_area, show_published
from jobs.study.estimates.steps.countable_answers import DEFINITION, answered_subscriptions
from jobs.study.questionnaire.definition import OFFERED, list_questions
from jobs.study.questionnaire.latest_answers import latest_answers
from jobs.study.questionnaire.respondents import Respondent
from jobs.study.questionnaire.texts import channel_name, translate_key

# What a respondent has of its own, too.
FIGURES = ("rate", "share")
COLUMNS = ("area", "figure", "own", "published", "interval")
# The indicator of the spam attempted on a channel.
SPAM = {
    str(each.channel): each.code
    for question in list_questions()
    if question.needs == DEFINITION
    for each in question.indicators
    if each.part == "attempted"
}


def make_feedback(respondent: Respondent, answers: pl.DataFrame, release: ReaderRelease) -> ReaderPage | None:
    """The page of a respondent; None if it gave no figure of a period of the release.

    Args:
        answers: the respondent's own rows of study.questionnaire_answer.
    """
    language = respondent.language
    columns = [translate_key(language, "feedback", each) for each in COLUMNS]
    tables = []
    for period in release.volume_periods:
        own = list_own_rates(answers.filter(pl.col("period_code") == period))
        volumes = release.volumes(areas_of(respondent.country, period), period)
        for channel in dict.fromkeys(channel for channel, _ in own):
            of_channel = [row for row in volumes if row["channel_code"] == channel]
            with use_language(language):
                rows = compare_rows(own, channel, of_channel, language)
            sentences = [] if rows else [translate_key(language, "feedback", "none")]
            if any(DASH in row for row in rows):
                sentences = [translate_key(language, "feedback", "unanswered", mark=DASH)]
            named = {"channel": channel_name(language, channel), "period": period}
            heading = translate_key(language, "feedback", "heading", **named)
            tables.append(ReaderTable(heading, sentences, columns, rows))
    if not tables:
        return None
    return ReaderPage(
        language,
        translate_key(language, "feedback", "title"),
        translate_key(language, "feedback", "alone", name=respondent.name, release=release.name),
        translate_key(language, "feedback", "about"),
        tables,
        translate_key(language, "feedback", "caution", mark="!!"),
        release.is_made_up,
    )


def compare_rows(
    own: Mapping[tuple[str, str], float], channel: str, published: Sequence[Row], language: str
) -> list[tuple[str, ...]]:
    """A line for each figure and published row that has it: the area, the figure, one's own, the published
    one and its interval."""
    return [
        (
            name_area(row, language),
            translate_key(language, "feedback", figure),
            DASH if value is None else ShownFigure(format_significant(value), value),
            *shown,
        )
        for figure in FIGURES
        for value in [own.get((channel, figure))]
        for row in published
        if (shown := show_published(row, figure)) is not None
    ]


def has_spam(answers: pl.DataFrame, periods: Sequence[str]) -> bool:
    """Return whether a respondent answered how much spam it has, by whatever definition."""
    is_spam = pl.col("indicator_code").is_in(list(SPAM.values())) & pl.col("period_code").is_in(list(periods))
    return latest_answers(answers).filter(is_spam, pl.col("value").is_not_null()).height > 0


def list_own_rates(answers: pl.DataFrame) -> Mapping[tuple[str, str], float]:
    """Return one respondent's spam per subscription, and in % of all traffic, in a period, by channel: by the
    operator's own definition of spam, which the published figures use."""
    latest = latest_answers(answers)
    values = dict(latest.select("indicator_code", "value").drop_nulls().rows())
    subscriptions = dict(answered_subscriptions(answers).select("channel_code", "subscriptions").rows())
    found = {}
    for channel, indicator in SPAM.items():
        if indicator not in values or values.get(f"{DEFINITION}.{channel}") != OPERATOR:
            continue
        spam, traffic = float(values[indicator]), float(values.get(f"{OFFERED}.{channel}", 0))
        if subscriptions.get(channel):
            found[channel, "rate"] = spam / subscriptions[channel]
        if traffic:
            found[channel, "share"] = 100 * spam / traffic
    return found
