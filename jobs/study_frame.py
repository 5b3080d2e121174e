"""Whether the study's files know everyone who gave logs or answers, asked before anything is estimated.

A task of Spark would tell the first that is missing, below its stack trace; here all are told at once, with
what is to be written into which file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from jobs.accounts import AMOUNTS, BAND, CHANNELS, DOLLARS
from jobs.areas import classified, on_day
from jobs.errors import ObservatoryError
from jobs.periods import last_day as day_of
from jobs.study.investment_account import Known, accounts, operators_answers, standing
from jobs.study.public_spending import public_answers
from jobs.study.spam_volume import MEASURES, WHOSE, answered, logged
from jobs.study_files import file_of
from jobs.study_rows import collected, last_day
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
    of_answers = answered(answers, have["ref.indicator_measure"], have["ref.definition"]).filter(
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
    country in the base year; or if answers, price levels of the year and those of the base year are not all
    in one currency. Amounts would else be off by what one currency is worth in the other. Who told a band of
    another year than the base year needs the price levels of the dollar.

    An answer without a currency is in that of its year's price levels.
    """
    frame = have["ref.operator_frame"]
    answered_for = (
        operators_answers(have["study.questionnaire_answer"])
        .groupBy("respondent_id", "period_code")
        .agg(
            F.collect_set("currency_code").alias("currencies"),
            F.bool_or(F.col("indicator_code") == BAND).alias("has_band"),
        )
        .withColumn("day", last_day(F.col("period_code")))
    )
    holds = (F.col("valid_from") <= F.col("day")) & (
        F.col("valid_to").isNull() | (F.col("day") < F.col("valid_to"))
    )
    of_operators = answered_for.join(F.broadcast(frame), "respondent_id").filter(holds)
    # Administrations are in no frame: their country is that of their form.
    public = public_answers(have["study.questionnaire_answer"]).filter(F.col("question_code") != PERSON_DAYS)
    of_public = public.select(
        "country_code",
        "period_code",
        F.array_compact(F.array("currency_code")).alias("currencies"),
        F.lit(False).alias("has_band"),
    )
    asked = (
        of_operators.select("country_code", "period_code", "currencies", "has_band")
        .unionByName(of_public)
        .groupBy("country_code", F.col("period_code").cast("int").alias("price_year"))
        .agg(
            F.array_sort(F.array_distinct(F.flatten(F.collect_list("currencies")))).alias("currencies"),
            F.bool_or("has_band").alias("has_band"),
        )
        .orderBy("country_code", "price_year")
        .collect()
    )
    levels = have["ref.price_level"].select("country_code", "price_year", "currency_code").collect()
    known = {(row.country_code, row.price_year): row.currency_code for row in levels}
    file = file_of(folder, "ref.price_level")
    wanted = {(row.country_code, year) for row in asked for year in (row.price_year, base_year)}
    # Bands are in dollars of their year, and nothing brings those of the base year to itself.
    banded = {row.price_year for row in asked if row.has_band} - {base_year}
    wanted |= {(DOLLARS, year) for other in banded for year in (other, base_year)}
    lacking = sorted(wanted - set(known))
    if lacking:
        told = ", ".join(f"{country} in {year}" for country, year in lacking[:SHOWN])
        others = f", and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        raise ObservatoryError(
            f"{file} has no price level for {told}{others}: add a row for each with deflator, parity and"
            " market rate"
        )
    mixed = [line for row in asked for line in mixed_currencies(row, known, base_year)]
    if mixed:
        more = [f"  and {len(mixed) - SHOWN} more"] if len(mixed) > SHOWN else []
        raise ObservatoryError(
            "\n".join([f"{file} is not in the currency of the amounts:", *mixed[:SHOWN], *more])
        )


def mixed_currencies(asked: Row, known: Mapping[tuple[str, int], str], base_year: int) -> list[str]:
    """What is to be done where a country's answers of a year, and its price levels, are in two currencies."""
    country, year = asked.country_code, asked.price_year
    now, base = known[country, year], known[country, base_year]
    lines = [
        f"  {country}: answers for {year} are in {given}, its row of {year} is in {now}: put parity, market"
        f" rate and wage of that row into {given}, or ask for these answers in {now}"
        for given in asked.currencies
        if given != now
    ]
    if base != now:
        lines.append(
            f"  {country}: its row of {year} is in {now}, that of the base year {base_year} in {base}: put"
            f" parity, market rate and wage of {base_year} into {now}, and its deflator if it is of another"
            " series"
        )
    return lines


def refuse_unplaced(have: Mapping[str, DataFrame], folder: Path) -> None:
    """Raise ObservatoryError if the frame of operators has a country that country.csv places in no ITU region
    on the last day of a period that was answered for."""
    given = [have[name].select("period_code") for name in ("study.submission", "study.questionnaire_answer")]
    days = {day_of(row.period_code) for row in given[0].unionByName(given[1]).distinct().collect()}
    frame, country, groups = (
        collected(have[name]) for name in ("ref.operator_frame", "ref.country", "ref.country_group")
    )
    found = set()
    for day in sorted(days):
        placed = classified(country, groups, day)
        found |= set(on_day(frame, day)["country_code"]) - set(placed["country_code"])
    if found:
        shown = sorted(found)[:SHOWN]
        more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ObservatoryError(
            f"{file_of(folder, 'ref.operator_frame')} has operators in {', '.join(shown)}{more}, which"
            " country.csv places in no ITU region: correct the frame, or give the country a region"
        )


def refuse_wrong(have: Mapping[str, DataFrame]) -> None:
    """Raise ObservatoryError if an account cannot be made of what a respondent answered on spending, such as
    person days of a country without a wage or an asset's life of 0: a line for each.

    It makes all accounts once and their task makes them again: some dozen answers of some hundred respondents
    are less than a second, and an error of a task comes alone and after other tables were computed.
    """
    known = Known(**{field.name: collected(have[f"ref.{field.name}"]) for field in fields(Known)})
    answers = collected(standing(have["study.questionnaire_answer"]))
    wrong: list[str] = []
    for of_period in answers.sort("period_code").partition_by("period_code"):
        try:
            accounts(of_period, known)
        except ObservatoryError as error:
            wrong += str(error).splitlines()
    if wrong:
        more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        raise ObservatoryError("\n".join([*wrong[:SHOWN], *more]))


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
