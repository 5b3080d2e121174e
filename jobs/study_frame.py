"""Whether the study's files know everyone who gave logs or answers, asked before anything is estimated.

A task of Spark would tell the first that is missing, below its stack trace; here all are told at once, with
what is to be written into which file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.accounts import AMOUNTS, BAND, CHANNELS
from jobs.errors import ObservatoryError
from jobs.study.investment_account import operators_answers
from jobs.study.spam_volume import MEASURES, WHOSE, answered, logged
from jobs.study_days import last_day
from jobs.study_files import file_of
from jobs.submission.subscriptions import WITHIN, far

# So many lines are told; the rest is counted.
SHOWN = 20
LINE = ("respondent_id", "holding_id", "country_code", "channel_code", "size_code", "subscriptions")
PERSON_DAYS = "sp706"


def asked_of_frame(have: Mapping[str, DataFrame]) -> DataFrame:
    """Who has to be in the frame: a row for each respondent, channel and period that an estimate is of.

    have: submissions, answers and reference tables. Logs of a quarter's or year's months need those of the
    months alone. An answer of nothing is none; a channel is null where an account of spending has to be in
    the frame with any.
    """
    answers = have["study.questionnaire_answer"]
    columns = ("respondent_id", "channel_code", "period_code")
    of_answers = answered(answers, have["ref.indicator_measure"]).filter(
        F.greatest(*(F.coalesce(name, F.lit(0)) for name in MEASURES)) > 0
    )
    volumes = (
        logged(have["study.submission"], have["ref.measure"])
        .select(*columns)
        .unionByName(of_answers.select(*columns))
    )
    spending = operators_answers(answers)
    # Without a sum, a band or person days the division by channels is of nothing.
    question = F.substring_index("indicator_code", ".", 1)
    with_sum = spending.filter(question.isin(*AMOUNTS, BAND, PERSON_DAYS)).select(*WHOSE[:2]).distinct()
    by_channel = (
        spending.filter((question == CHANNELS) & (F.col("value").try_cast("double") > 0))
        .withColumn("channel_code", F.substring_index("indicator_code", ".", -1))
        .join(with_sum, list(WHOSE[:2]), "left_semi")
    )
    of_any = spending.withColumn("channel_code", F.lit(None).cast("string"))
    return volumes.unionByName(by_channel.select(*columns)).unionByName(of_any.select(*columns)).distinct()


def missing(have: Mapping[str, DataFrame]) -> DataFrame:
    """Of asked_of_frame() those that the frame of operators does not have on the last day of the period."""
    asked = asked_of_frame(have).withColumn("day", last_day(F.col("period_code")))
    frame = have["ref.operator_frame"].select("respondent_id", "channel_code", "valid_from", "valid_to")
    own, listed = asked.alias("own"), F.broadcast(frame.alias("listed"))
    holds = (
        (F.col("own.respondent_id") == F.col("listed.respondent_id"))
        & (F.col("own.channel_code").isNull() | (F.col("own.channel_code") == F.col("listed.channel_code")))
        & (F.col("listed.valid_from") <= F.col("own.day"))
        & (F.col("listed.valid_to").isNull() | (F.col("own.day") < F.col("listed.valid_to")))
    )
    return own.join(listed, holds, "left_anti")


def refuse_missing(have: Mapping[str, DataFrame], folder: Path) -> None:
    """Raise ObservatoryError if anyone that gave logs or answers is not in the frame of operators.

    It names each respondent and channel with its periods, and the line that the frame lacks, or that the
    frame's own line for it is of other days.
    """
    whose = ["respondent_id", "channel_code"]
    lacking = (
        missing(have)
        .groupBy(*whose)
        .agg(F.sort_array(F.collect_set("period_code")).alias("periods"), F.min("day").alias("first_day"))
        .orderBy(*whose)
    )
    found = lacking.collect()
    if not found:
        return
    # A channel that is asked for makes the line; one with any adds nothing to it.
    named = {row.respondent_id for row in found if row.channel_code is not None}
    found = [row for row in found if row.channel_code is not None or row.respondent_id not in named]
    people = [row.respondent_id for row in found[:SHOWN]]
    frame = have["ref.operator_frame"].filter(F.col("respondent_id").isin(people)).collect()
    known = about(have, people)
    file = file_of(folder, "ref.operator_frame")
    lines = [f"{file} lacks {len(found)} that gave logs or answers:"]
    for row in found[:SHOWN]:
        channel = row.channel_code or "spending"
        periods = ", ".join(row.periods[:4]) + (", …" if len(row.periods) > 4 else "")
        spans = sorted(
            f"{each.valid_from} to {each.valid_to or 'now'}"
            for each in frame
            if each.respondent_id == row.respondent_id and row.channel_code in (None, each.channel_code)
        )
        if spans:
            says = f"it stands there from {', '.join(spans)}: correct valid_from or valid_to"
        else:
            given = known.get(row.respondent_id, {}) | {"channel_code": row.channel_code}
            line = ",".join(given.get(name) or f"<{name}>" for name in LINE)
            says = f"add {line},{row.first_day.replace(day=1)} with the day it started, if earlier"
        lines.append(f"  {row.respondent_id}, {channel} in {periods}: {says}")
    if len(found) > SHOWN:
        lines.append(f"  and {len(found) - SHOWN} more")
    lines.append(f"columns of these lines: {','.join((*LINE, 'valid_from'))}")
    raise ObservatoryError("\n".join(lines))


def refuse_unlikely(have: Mapping[str, DataFrame], folder: Path) -> None:
    """Raise ObservatoryError if subscriptions of logs are far from the frame's on the last day of their
    period, as jobs.submission.subscriptions has it: packages are asked when they are loaded, but the frame
    may have come later, and rows from a folder are of no package."""
    own = (
        have["study.submission"]
        .filter("subscriptions IS NOT NULL")
        .groupBy("respondent_id", "channel_code", "period_code", "subscriptions")
        .agg(F.first(last_day(F.col("period_code"))).alias("day"))
    )
    framed = F.broadcast(
        have["ref.operator_frame"].select(
            "respondent_id", "channel_code", "valid_from", "valid_to", F.col("subscriptions").alias("framed")
        )
    )
    is_far = F.greatest("subscriptions", "framed") > WITHIN * F.least("subscriptions", "framed")
    found = (
        own.join(framed, ["respondent_id", "channel_code"])
        .filter("valid_from <= day AND (valid_to IS NULL OR day < valid_to)")
        .filter(is_far)
        .orderBy("respondent_id", "channel_code", "period_code")
        .collect()
    )
    lines = [
        f"{row.respondent_id}, {row.period_code}: {far(row.channel_code, row.subscriptions, row.framed)}"
        for row in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN} more")
    if lines:
        raise ObservatoryError("\n".join([f"{file_of(folder, 'ref.operator_frame')}:", *lines]))


def refuse_unpriced(have: Mapping[str, DataFrame], base_year: int, folder: Path) -> None:
    """Raise ObservatoryError if spending was answered for and price levels lack its country and year, or the
    country in the base year."""
    year = F.col("period_code").cast("int")
    frame = have["ref.operator_frame"]
    answered_for = (
        operators_answers(have["study.questionnaire_answer"])
        .select("respondent_id", "period_code")
        .distinct()
        .withColumn("day", last_day(F.col("period_code")))
    )
    holds = (F.col("valid_from") <= F.col("day")) & (
        F.col("valid_to").isNull() | (F.col("day") < F.col("valid_to"))
    )
    asked = (
        answered_for.join(F.broadcast(frame), "respondent_id")
        .filter(holds)
        .select("country_code", F.explode(F.array(year, F.lit(base_year))).alias("price_year"))
        .distinct()
    )
    found = (
        asked.join(F.broadcast(have["ref.price_level"]), ["country_code", "price_year"], "left_anti")
        .orderBy("country_code", "price_year")
        .collect()
    )
    if found:
        told = ", ".join(f"{row.country_code} in {row.price_year}" for row in found[:SHOWN])
        more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ObservatoryError(
            f"{file_of(folder, 'ref.price_level')} has no price level for {told}{more}: add a row for each"
            " with deflator, parity and market rate"
        )


def about(have: Mapping[str, DataFrame], people: list[str]) -> dict[str, dict[str, str]]:
    """Country and, from packages, owner of respondents, as they gave them."""
    found: dict[str, dict[str, str]] = {}
    for table, names in (
        ("study.questionnaire_answer", ("country_code",)),
        ("study.submission", ("country_code", "holding_id")),
    ):
        own = have[table].filter(F.col("respondent_id").isin(people)).groupBy("respondent_id")
        for row in own.agg(*(F.max(name).alias(name) for name in names)).collect():
            found.setdefault(row.respondent_id, {"respondent_id": row.respondent_id}).update(
                {name: row[name] for name in names}
            )
    return found
