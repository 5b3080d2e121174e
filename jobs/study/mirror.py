"""Mirror statistics of routes: what operators of A say they sent to B beside what those of B got from A.

The two never agree: hubs stand in between, origins are forged, and not every operator of a country reports.
So the discrepancy is an indicator of a pair of countries, not an error to be spread over them.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

PAIR = ["period_code", "channel_code", "unit_code", "definition_code", "origin_code", "destination_code"]
MEASURES = ["units", "spam_certain", "spam_possible"]


def mirrored(spam_route_daily: DataFrame, operator: DataFrame) -> DataFrame:
    """One row per month, channel, unit, definition and pair of countries whose operators both report.

    Beside sent_* and received_* stands discrepancy_units, sent less received, and discrepancy_pct, that of
    the larger of the two, from -100 (only received) to 100 (only sent). What a side does not tell is 0.
    """
    countries = operator.select("operator_id", F.col("country_code").alias("own_code"))
    route = spam_route_daily.withColumn("period_code", F.date_format("period_date", "yyyy-MM")).join(
        F.broadcast(countries), on="operator_id"
    )
    sent = side(route, "outbound", "sent", F.col("own_code"), F.col("destination_code"))
    received = side(route, "inbound", "received", origin(), F.col("own_code"))
    reporting = countries.select("own_code").distinct()
    both = sent.join(received, on=PAIR, how="full").na.fill(0)
    for end in ("origin_code", "destination_code"):
        both = both.join(F.broadcast(reporting.withColumnRenamed("own_code", end)), on=end, how="left_semi")
    difference = F.col("sent_units") - F.col("received_units")
    share = difference.cast("decimal(20,0)") * 100 / F.greatest("sent_units", "received_units")
    return both.select(
        *PAIR,
        *(f"{name}_{measure}" for name in ("sent", "received") for measure in MEASURES),
        difference.alias("discrepancy_units"),
        share.cast("decimal(7,4)").alias("discrepancy_pct"),
    )


def side(route: DataFrame, direction: str, name: str, from_code: Column, to_code: Column) -> DataFrame:
    """What one side says of each pair of different countries."""
    told = route.filter(F.col("direction_code") == direction).select(
        *PAIR[:4], from_code.alias("origin_code"), to_code.alias("destination_code"), *MEASURES
    )
    abroad = told.filter(
        "origin_code <> destination_code AND origin_code <> '_U' AND destination_code <> '_U'"
    )
    return abroad.groupBy(*PAIR).agg(*(F.sum(each).alias(f"{name}_{each}") for each in MEASURES))


def origin() -> Column:
    """Where the receiver saw it come from; where the log shows no address, where it claimed to be from."""
    observed = F.col("origin_observed_code")
    return F.when(observed == "_U", F.col("origin_claimed_code")).otherwise(observed)
