"""study.respondent_figure: each respondent's volumes of a period, by its logs and by its answers. Restricted.

What counts of a package or an answer is decided here once; volumes, changes, parts and contributions read it.
Periods are those that packages and answers name. Who reads it adds up months, quarters and years, since which
of logs and answers stands depends on both and on the frame of operators.
"""

import polars as pl

from jobs.base.core.call_shares import CALLS, SHARES
from jobs.base.figures.counting_rules import HAD_CONTENT, OPERATOR, RECEIVED
from jobs.base.tables.sql import parse_expression
from jobs.study.estimates.steps import audits
from jobs.study.estimates.steps.countable_answers import UNITS, answered_subscriptions, countable_answers
from jobs.study.estimates.steps.days import scale_to_all_days
from jobs.study.estimates.steps.rows import AT_LEAST, MEASURES, WEAKNESS, sum_or_null

TABLE = "study.respondent_figure"
# By what a figure was given.
LOGS, ANSWERS = "logs", "answers"
CELL = ("channel_code", "unit_code", "definition_code")
RESPONDENT_CELL = ("respondent_id", "period_code", *CELL)
# The measures that a respondent is asked for and that are all of a unit; others are a part of one.
UNIT = {"attempted": "attempted", "calls": "call"}


def transform(
    submission: pl.DataFrame,
    submission_quality: pl.DataFrame,
    questionnaire_answer: pl.DataFrame,
    definition: pl.DataFrame,
    measure: pl.DataFrame,
    indicator_measure: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each respondent, period, channel, unit and definition by logs, and one by answers. What only
    logs have is null of answers."""
    months = scale_to_all_days(submission)
    logs = add_audits(logged_figures(months, measure), months, submission_quality)
    answers = answered_figures(questionnaire_answer, indicator_measure, definition)
    return pl.concat(
        [logs.with_columns(given_by_code=pl.lit(LOGS)), answers.with_columns(given_by_code=pl.lit(ANSWERS))],
        how="diagonal",
    )


def logged_figures(submission: pl.DataFrame, measure: pl.DataFrame) -> pl.DataFrame:
    """Respondents' figures from logs: each unit, and the sum of two that the questionnaire asks for."""
    certain, possible = pl.col("spam_certain"), pl.col("spam_possible")
    had_content = parse_expression(HAD_CONTENT)
    inside = submission.filter(pl.col("direction_code").is_in(RECEIVED)).with_columns(
        certain_before=pl.when(had_content).then(0).otherwise(certain),
        undecided_before=pl.when(had_content).then(0).otherwise(possible - certain),
        content_seen=pl.when(had_content).then("units").otherwise(0),
    )
    cells = measure.filter(pl.col("is_included") & (pl.col("measure_code") == "attempted"))
    summed = inside.join(cells, on=["unit_code", "stage_code", "outcome_code"], how="semi")
    return (
        pl.concat([inside, summed.with_columns(unit_code=pl.lit("attempted"))])
        .group_by(RESPONDENT_CELL)
        .agg(
            *(
                sum_or_null(pl.col(name)).alias(name)
                for name in (*MEASURES, "certain_before", "undecided_before", "content_seen")
            ),
            pl.col("day_count").max(),
            pl.col("subscriptions").max(),
        )
        .with_columns(answer_status_code=pl.lit(None, pl.String))
    )


def add_audits(
    logs: pl.DataFrame, submission: pl.DataFrame, submission_quality: pl.DataFrame
) -> pl.DataFrame:
    """Rows of logged_figures() with the filter's calls of the messages whose content respondents had, by
    month and channel, and the shares of spam that an audit or a test found in each call."""
    by = list(audits.BY)
    certain, possible, units = (
        sum_or_null(pl.col(name)) for name in ("spam_certain", "spam_possible", "units")
    )
    calls = dict(zip(CALLS, (certain, possible - certain, units - possible), strict=True))
    called = (
        submission.filter(pl.col("direction_code").is_in(RECEIVED) & parse_expression(HAD_CONTENT))
        .filter(pl.col("definition_code") == OPERATOR)
        .group_by(by)
        .agg(**calls)
        .join(submission_quality.select(*by, "quality_method_code", *SHARES), on=by, how="left")
    )
    return logs.join(called, on=by, how="left").with_columns(pl.col(CALLS).fill_null(0))


def answered_figures(
    questionnaire_answer: pl.DataFrame, indicator_measure: pl.DataFrame, definition: pl.DataFrame
) -> pl.DataFrame:
    """Respondents' answers; null where one did not answer.

    An answer decides what is spam: it is certain and possible alike, by the definition that it names. Where
    it is the least that there is, all other traffic that was answered is possible, for it is undecided. Spam
    by another definition than those of ref.definition is left out. All traffic has no definition: it stands
    beside spam by the operators' own and by the one named. Subscriptions are those that the respondent
    answered; spam_volume.choose_logs_or_answers() leaves out what is far from the frame's.
    """
    questions = indicator_measure.filter(pl.col("measure_code").is_in(list(UNIT))).with_columns(
        unit_code=pl.col("measure_code").replace_strict(UNIT, return_dtype=pl.String)
    )
    answers = countable_answers(questionnaire_answer, questions, definition)
    named = answers.with_columns(definition_code=pl.col("named_definition_code"))
    of_units = answers.filter((pl.col("quantity_code") == UNITS) & pl.col("definition_code").is_not_null())
    value = pl.col("answer_value").round(mode="half_away_from_zero").cast(pl.Int64)
    weakness = pl.col("answer_status_code").replace_strict(WEAKNESS, default=None, return_dtype=pl.Int64)
    return (
        pl.concat([named.filter(pl.col("definition_code").is_not_null()), of_units.select(named.columns)])
        .group_by(RESPONDENT_CELL)
        .agg(
            *(
                value.filter(pl.col("quantity_code") == name).max().alias(name)
                for name in ("units", "spam_certain")
            ),
            pl.col("answer_status_code").filter(weakness == weakness.max()).first(),
            is_least=((pl.col("answer_status_code") == AT_LEAST) & (pl.col("quantity_code") != UNITS)).any(),
        )
        .join(
            answered_subscriptions(questionnaire_answer),
            on=[*RESPONDENT_CELL[:2], "channel_code"],
            how="left",
        )
        .with_columns(
            spam_possible=pl.when("is_least")
            .then(pl.max_horizontal("units", "spam_certain"))
            .otherwise("spam_certain")
        )
        .drop("is_least")
    )
