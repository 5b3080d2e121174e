"""study.mirror: what operators of a country say they sent to another, beside what those of the other got.

The two never agree: hubs stand in between, origins are forged, senders stop some themselves, and not every
operator of a country answers. So the discrepancy is an indicator of a pair of countries and of a kind of
link, not an error to be spread over them. What leaves by a hub and comes in by a SIM farm shows by link,
while the totals may agree.
"""

from __future__ import annotations

from itertools import chain

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.study_days import answered
from jobs.study_rows import OWNERS

CELL = ["period_code", "channel_code", "measure_code", "definition_code"]
PAIR = [*CELL, "origin_code", "destination_code", "link_code"]
MEASURES = ["units", "spam_certain", "spam_possible"]
# The measure of ref.measure that each side's unit belongs to. What a receiver refuses before a message exists
# is an attempt to it and a recipient to the sender; an attempt of the sender's own client never left it.
# Messages are left out: one with recipients in two countries is counted under one of them.
SENT = {"recipient": "attempted", "segment": "segments", "call": "calls"}
RECEIVED = SENT | {"attempt": "attempted"}
# A country that a side does not know, and the row of all links.
UNKNOWN, ALL = "_U", "_T"


def transform(submission_route: DataFrame, operator_frame: DataFrame) -> DataFrame:
    """One row a pair of countries and kind of link, and one for all links, where one side tells of any.

    Both countries have to tell of the cell: senders of what they sent, receivers of what they got. What one
    of them does not tell of the other is then 0, as far as it is not in what it does not place. Months of
    which an operator's logs lack many days are left out; a few days that are missing are not made up for.
    """
    told = answered(submission_route)
    sent = side(told, "outbound", SENT, "origin_code", "destination_code", "sent")
    received = side(told, "inbound", RECEIVED, "destination_code", "origin_code", "received")
    both = pairs(sent, "destination_code").join(pairs(received, "origin_code"), on=PAIR, how="full")
    people = framed(operator_frame, submission_route)
    beside = (
        both.join(tellers(sent, people, "origin_code", "sent"), on=[*CELL, "origin_code"])
        .join(tellers(received, people, "destination_code", "received"), on=[*CELL, "destination_code"])
        .join(unplaced(sent, "origin_code", "destination_code", "sent"), [*CELL, "origin_code"], "left")
        .join(
            unplaced(received, "destination_code", "origin_code", "received"),
            [*CELL, "destination_code"],
            "left",
        )
        .na.fill(
            0, [f"{name}_{each}" for name in ("sent", "received") for each in (*MEASURES, "unplaced_units")]
        )
    )
    difference = F.col("sent_units") - F.col("received_units")
    share = difference.cast("decimal(20,0)") * 100 / F.greatest("sent_units", "received_units")
    is_within = (difference <= F.col("received_unplaced_units")) & (
        -difference <= F.col("sent_unplaced_units")
    )
    return beside.select(
        *PAIR,
        *(f"{name}_{measure}" for name in ("sent", "received") for measure in MEASURES),
        difference.alias("discrepancy_units"),
        share.cast("decimal(7,4)").alias("discrepancy_pct"),
        "sent_unplaced_units",
        "received_unplaced_units",
        is_within.alias("is_within_unplaced"),
        "sent_respondent_count",
        "received_respondent_count",
        "sent_coverage_pct",
        "received_coverage_pct",
        F.when(F.least("sent_respondent_count", "received_respondent_count") < OWNERS, "C")
        .otherwise("N")
        .alias("conf_status_code"),
    )


def side(
    route: DataFrame, direction: str, measures: dict[str, str], own: str, partner: str, name: str
) -> DataFrame:
    """What one side says, with the countries by their part in it, each row under its link and under all."""
    measure = F.create_map(*map(F.lit, chain.from_iterable(measures.items())))[F.col("unit_code")]
    return (
        route.filter((F.col("direction_code") == direction) & F.col("unit_code").isin(*measures))
        .withColumn("measure_code", measure)
        .select(
            *CELL,
            "respondent_id",
            F.col("country_code").alias(own),
            F.col("partner_country_code").alias(partner),
            F.explode(F.array("link_code", F.lit(ALL))).alias("link_code"),
            *(F.col(each).alias(f"{name}_{each}") for each in MEASURES),
        )
    )


def pairs(told: DataFrame, partner: str) -> DataFrame:
    """Sums of a side over each pair of two countries."""
    abroad = told.filter((F.col("origin_code") != F.col("destination_code")) & (F.col(partner) != UNKNOWN))
    names = [each for each in told.columns if each.endswith(tuple(MEASURES))]
    return abroad.groupBy(*PAIR).agg(*(F.sum(each).alias(each) for each in names))


def tellers(told: DataFrame, people: DataFrame, own: str, name: str) -> DataFrame:
    """The countries that tell of a cell: how many of their operators do, and what share of subscriptions
    these have."""
    in_frame = people.withColumnRenamed("country_code", own)
    by = ["period_code", "channel_code", own]
    of_all = in_frame.groupBy(*by).agg(F.sum("subscriptions").alias("of_all"))
    return (
        told.select(*CELL, own, "respondent_id")
        .distinct()
        .join(in_frame, on=[*by, "respondent_id"], how="left")
        .groupBy(*CELL, own)
        .agg(F.count("*").alias(f"{name}_respondent_count"), F.sum("subscriptions").alias("of_tellers"))
        .join(of_all, on=by, how="left")
        .withColumn(f"{name}_coverage_pct", F.try_divide(F.col("of_tellers") * 100, F.col("of_all")))
        .drop("of_tellers", "of_all")
    )


def framed(operator_frame: DataFrame, route: DataFrame) -> DataFrame:
    """The operators of the frame in each month, as of its last day."""
    months = route.select("period_code").distinct()
    ends = months.select("period_code", F.expr("last_day(to_date(period_code, 'yyyy-MM'))").alias("day"))
    is_valid = (F.col("valid_from") <= F.col("day")) & (
        F.col("valid_to").isNull() | (F.col("day") < F.col("valid_to"))
    )
    return operator_frame.join(F.broadcast(ends), is_valid).select(
        "period_code", "channel_code", "country_code", "respondent_id", "subscriptions"
    )


def unplaced(told: DataFrame, own: str, partner: str, name: str) -> DataFrame:
    """What a country's operators give no other end of, by all links: who does not know the one may not know
    the other."""
    return (
        told.filter((F.col(partner) == UNKNOWN) & (F.col("link_code") == ALL))
        .groupBy(*CELL, own)
        .agg(F.sum(f"{name}_units").alias(f"{name}_unplaced_units"))
    )
