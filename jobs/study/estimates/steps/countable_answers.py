"""Answers of study.questionnaire_answer that logs have too: counts, and the subscriptions they are of."""

import polars as pl

from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.tables.validity import holds_on
from jobs.study.estimates.steps.rows import last_day, round_decimal
from jobs.study.questionnaire.latest_answers import RESPONDENT, last_part, latest_answers, question_code

# The questions on the definition of spam and on how figures were obtained, by channel, and on their days.
DEFINITION, BASIS, LAST = "sp301", "sp302", "sp105.last"
# What the questionnaire calls unsolicited and bulk; of mail there are two, and an answer says not which.
BULK = ("SPAMHAUS_UBE", "RFC_5039", "ITU_T_SG2")
NATIONAL = "NATIONAL"
JUDGED = "EXPERT"
# What has no definition: all traffic.
UNITS = "units"
# Mailboxes, mobile and fixed subscriptions, and of the fixed ones those with voice over IP.
MAILBOXES, MOBILE, FIXED, OVER_IP = "sp201", "sp202", "sp203", "sp204"


def countable_answers(
    questionnaire_answer: pl.DataFrame, indicator_measure: pl.DataFrame, definition: pl.DataFrame
) -> pl.DataFrame:
    """Answers that stand and are numbers that logs have too: a row for each respondent, period and indicator,
    with the channel, measure, definition and quantity of the logs that it is held against.

    named_code is the respondent's definition (a code of sp301, null where it gave none);
    named_definition_code the one of ref.definition that this is, null where none or several may be.
    answer_status_code is E of experts' judgement, and of a year that is not the period's.
    """
    latest = latest_answers(questionnaire_answer)
    figures = (
        latest.with_columns(answer_value=round_decimal(pl.col("value"), 2))
        .filter(pl.col("answer_value").is_not_null())
        .select(*RESPONDENT, "indicator_code", "country_code", "answer_status_code", "answer_value")
        .join(indicator_measure.drop("source", "valid_from", "valid_to"), on="indicator_code")
        .join(channels_bases(latest), on=[*RESPONDENT, "channel_code"], how="left")
        .join(shifted_periods(latest), on=RESPONDENT, how="left")
    )
    is_estimate = (pl.col("basis_code") == JUDGED) | pl.col("is_shifted")
    status = pl.when(is_estimate).then(pl.lit("E")).otherwise("answer_status_code")
    return (
        name_definitions(figures, definition)
        .with_columns(answer_status_code=status)
        .drop("basis_code", "is_shifted")
    )


def channels_bases(latest: pl.DataFrame) -> pl.DataFrame:
    """A row for each respondent, period and channel: the definition it counted by, and how it counted."""
    question = question_code(pl.col("indicator_code"))
    return (
        latest.filter(question.is_in([DEFINITION, BASIS]))
        .group_by(*RESPONDENT, channel_code=last_part(pl.col("indicator_code")))
        .agg(
            named_code=pl.col("value").filter(question == DEFINITION).max(),
            basis_code=pl.col("value").filter(question == BASIS).max(),
        )
    )


def shifted_periods(latest: pl.DataFrame) -> pl.DataFrame:
    """A row for each respondent and period: whether its figures end on another day than the period, as those
    of a fiscal year do."""
    ends = pl.col("value").str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
    return latest.filter(pl.col("indicator_code") == LAST).select(
        *RESPONDENT, is_shifted=ends != last_day(pl.col("period_code"))
    )


def name_definitions(figures: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    """figures with the respondent's definition of spam in ref.definition: the operator's own, unsolicited
    bulk, or the law of its country; null unless exactly one of these holds for the channel and day."""
    code = pl.col("definition_code")
    known = (
        definition.select(
            "jurisdiction",
            "valid_from",
            "valid_to",
            of_channel=pl.col("channels").str.split("|"),
            kind_code=pl.when(code == OPERATOR)
            .then(pl.lit(OPERATOR))
            .when(code.is_in(BULK))
            .then(pl.lit("UBE"))
            .when(pl.col("jurisdiction") != "_T")
            .then(pl.lit(NATIONAL)),
            known_code=code,
        )
        .explode("of_channel")
        .drop_nulls("kind_code")
    )
    is_own_law = (pl.col("named_code") != NATIONAL) | (pl.col("jurisdiction") == pl.col("country_code"))
    distinct = figures.unique().with_row_index("row")
    one = (
        distinct.join(known, left_on=["channel_code", "named_code"], right_on=["of_channel", "kind_code"])
        .filter(is_own_law & holds_on(last_day(pl.col("period_code"))))
        .group_by("row")
        .agg(named_definition_code=pl.col("known_code").unique())
        .filter(pl.col("named_definition_code").list.len() == 1)
        .with_columns(pl.col("named_definition_code").list.first())
    )
    return distinct.join(one, on="row", how="left").drop("row")


def answered_subscriptions(questionnaire_answer: pl.DataFrame) -> pl.DataFrame:
    """The subscriptions that respondents answered: a row for each respondent, period and channel.

    Those of circuit-switched calls are mobile and fixed ones without voice over IP, where all three were
    answered (what is not applicable is none). None in a channel says nothing.
    """
    number = (
        pl.when(pl.col("answer_status_code") == "NP")
        .then(0)
        .otherwise(pl.col("value").str.strip_chars().cast(pl.Int64, strict=False))
    )
    indicators = [MAILBOXES, MOBILE, FIXED, OVER_IP]
    answers = (
        latest_answers(questionnaire_answer.filter(pl.col("indicator_code").is_in(indicators)))
        .with_columns(number=number)
        .group_by(*RESPONDENT)
        .agg(
            pl.col("number").filter(pl.col("indicator_code") == name).max().alias(name) for name in indicators
        )
    )
    channels = {
        "EMAIL": pl.col(MAILBOXES),
        "SMS": pl.col(MOBILE),
        "MMS": pl.col(MOBILE),
        "VOICE_CS": pl.col(MOBILE) + pl.col(FIXED) - pl.col(OVER_IP),
        "VOICE_IP": pl.col(OVER_IP),
    }
    return pl.concat(
        answers.select(*RESPONDENT, channel_code=pl.lit(name), subscriptions=count)
        for name, count in channels.items()
    ).filter(pl.col("subscriptions") > 0)
