"""study.questionnaire_answer: answers as they were received; here which stands, and what logs have too."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.study_rows import last_day

RESPONDENT = ("respondent_id", "period_code")
# The questions on the definition of spam and on how figures were obtained, by channel, and on their days.
DEFINITION, BASIS, LAST = "sp301", "sp302", "sp105.last"
# The definition that every respondent's logs are counted by.
OWN = "OPERATOR"
# What the questionnaire calls unsolicited and bulk; of mail there are two, and an answer says not which.
BULK = ("SPAMHAUS_UBE", "RFC_5039", "ITU_T_SG2")
JUDGED = "EXPERT"
# What has no definition: all traffic.
UNITS = "units"
# Mailboxes, mobile and fixed subscriptions, and of the fixed ones those with voice over IP.
MAILBOXES, MOBILE, FIXED, OVER_IP = "sp201", "sp202", "sp203", "sp204"


def latest(questionnaire_answer: DataFrame) -> DataFrame:
    """The answer that stands of each respondent, period and indicator: the one received last.

    Of two received at the same time the one whose file has the higher SHA-256, so that the order of loading
    does not matter. An answer that was withdrawn stands as not available: filter values afterwards.
    """
    key = [*RESPONDENT, "indicator_code"]
    columns = questionnaire_answer.columns
    newest = F.max_by(F.struct(*columns), F.struct("received_at", "file_sha256")).alias("answer")
    return questionnaire_answer.groupBy(*key).agg(newest).select("answer.*")


def counted(
    questionnaire_answer: DataFrame, indicator_measure: DataFrame, definition: DataFrame
) -> DataFrame:
    """Answers that stand and are numbers that logs have too: a row for each respondent, period and indicator,
    with the channel, measure, definition and quantity of the logs that it is held against.

    named_code is what the respondent says of its definition (a code of sp301, null where it says nothing);
    named_definition_code the one of ref.definition that this is, null where none or several may be.
    answer_status_code is E of experts' judgement, and of a year that is not the period's.
    """
    standing = latest(questionnaire_answer)
    figures = (
        standing.withColumn("answer_value", F.col("value").try_cast("decimal(24,2)"))
        .filter("answer_value IS NOT NULL")
        .select(*RESPONDENT, "indicator_code", "country_code", "answer_status_code", "answer_value")
        .join(F.broadcast(indicator_measure.drop("source", "valid_from", "valid_to")), "indicator_code")
        .join(said_of_channels(standing), [*RESPONDENT, "channel_code"], "left")
        .join(said_of_days(standing), list(RESPONDENT), "left")
    )
    is_estimate = (F.col("basis_code") == JUDGED) | F.col("is_shifted")
    status = F.when(is_estimate, "E").otherwise(F.col("answer_status_code"))
    return (
        named(figures, definition).withColumn("answer_status_code", status).drop("basis_code", "is_shifted")
    )


def said_of_channels(standing: DataFrame) -> DataFrame:
    """By whose definition and how a respondent counted each channel."""
    question = F.substring_index("indicator_code", ".", 1)
    asked = standing.filter(question.isin(DEFINITION, BASIS))
    return asked.groupBy(*RESPONDENT, F.substring_index("indicator_code", ".", -1).alias("channel_code")).agg(
        F.max(F.when(question == DEFINITION, F.col("value"))).alias("named_code"),
        F.max(F.when(question == BASIS, F.col("value"))).alias("basis_code"),
    )


def said_of_days(standing: DataFrame) -> DataFrame:
    """Whether a respondent's figures end on another day than the period, as a fiscal year does."""
    ends = F.col("value").try_cast("date") != last_day(F.col("period_code"))
    return standing.filter(F.col("indicator_code") == LAST).select(*RESPONDENT, ends.alias("is_shifted"))


def named(figures: DataFrame, definition: DataFrame) -> DataFrame:
    """figures with the definition of ref.definition that is the respondent's: the operator's own, what is
    unsolicited and bulk, or the law of its country, each where exactly one is of the channel and day."""
    code = F.col("definition_code")
    kind = F.when(code == OWN, OWN).when(code.isin(*BULK), "UBE")
    laws = F.when(F.col("jurisdiction") != "_T", "NATIONAL")
    known = definition.select(
        F.explode(F.split("channels", r"\|")).alias("of_channel"),
        F.coalesce(kind, laws).alias("kind_code"),
        "jurisdiction",
        "valid_from",
        "valid_to",
        code.alias("known_code"),
    )
    holds: Column = (
        (F.col("of_channel") == F.col("channel_code"))
        & (F.col("kind_code") == F.col("named_code"))
        & ((F.col("kind_code") != "NATIONAL") | (F.col("jurisdiction") == F.col("country_code")))
        & (F.col("valid_from") <= last_day(F.col("period_code")))
        & (F.col("valid_to").isNull() | (last_day(F.col("period_code")) < F.col("valid_to")))
    )
    found = figures.join(F.broadcast(known), holds, "left").groupBy(*figures.columns)
    one = F.when(F.count_distinct("known_code") == 1, F.max("known_code"))
    return found.agg(one.alias("named_definition_code"))


def subscribed(questionnaire_answer: DataFrame) -> DataFrame:
    """The subscriptions that respondents answered: a row for each respondent, period and channel.

    Those of circuit-switched calls are mobile and fixed ones without voice over IP, where all three are told
    (what is not applicable is none). None in a channel says nothing.
    """
    number = F.when(F.col("answer_status_code") == "NP", 0).otherwise(F.col("value").try_cast("bigint"))
    told = (
        latest(questionnaire_answer.filter(F.col("indicator_code").isin(MAILBOXES, MOBILE, FIXED, OVER_IP)))
        .groupBy(*RESPONDENT)
        .agg(
            *(
                F.max(F.when(F.col("indicator_code") == name, number)).alias(name)
                for name in (MAILBOXES, MOBILE, FIXED, OVER_IP)
            )
        )
    )
    calls = F.col(MOBILE) + F.col(FIXED) - F.col(OVER_IP)
    channels = {
        "EMAIL": F.col(MAILBOXES),
        "SMS": F.col(MOBILE),
        "MMS": F.col(MOBILE),
        "VOICE_CS": calls,
        "VOICE_IP": F.col(OVER_IP),
    }
    each = (
        F.struct(F.lit(name).alias("channel_code"), count.alias("subscriptions"))
        for name, count in channels.items()
    )
    return told.select(*RESPONDENT, F.inline(F.array(*each))).filter("subscriptions > 0")
