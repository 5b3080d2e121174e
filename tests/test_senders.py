"""Distinct senders: sketches add up, whatever the order and partitioning."""

from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.contracts import conform, contract
from jobs.gold import spam_source_daily, spam_source_monthly
from jobs.gold.senders import sender_sketches

# More than a sketch keeps exactly: 4,096.
SENDERS = 9000


@pytest.fixture(scope="module")
def definition(spark: SparkSession) -> DataFrame:
    since = dt.date(2020, 1, 1)
    rows = [
        ("HARM", "EMAIL", "is_malicious = TRUE", since, None),
        ("SPAM", "*", "is_antispam = TRUE", since, None),
    ]
    columns = "definition_code string, channels string, predicate string, valid_from date, valid_to date"
    return spark.createDataFrame(rows, columns).persist()


def messages(spark: SparkSession, senders: int) -> DataFrame:
    """Two days of mail; each sender writes on one or on both, from one of three networks."""
    wanted = contract("silver.message").columns
    number = F.col("id") % senders
    frame = spark.range(senders + senders // 2).select(
        F.lit("op").alias("operator_id"),
        F.when(F.col("id") < senders, F.lit(dt.date(2026, 11, 3)))
        .otherwise(F.lit(dt.date(2026, 11, 4)))
        .alias("period_date"),
        F.md5(number.cast("string")).alias("sender_hash"),
        F.concat(F.lit("192.0.2."), number % 3).alias("client_network"),
        *(
            F.lit(value).alias(name)
            for name, value in {
                "channel_code": "EMAIL",
                "direction_code": "inbound",
                "stage_code": "delivery",
                "outcome_code": "delivered",
                "grain_code": "recipient",
                "origin_observed_code": "FRA",
            }.items()
        ),
        F.lit(True).alias("is_message_row"),
        (number % 2 == 0).alias("is_malicious"),
        F.when(number % 5 == 0, True).alias("is_antispam"),
    )
    types = {field.name: field.type for field in contract("silver.message").fields}
    missing = [F.lit(None).cast(types[name]).alias(name) for name in wanted if name not in frame.columns]
    return frame.select("*", *missing)


def bytes_of(frame: DataFrame) -> dict[tuple[str, str], bytes]:
    return {(row.unit_code, row.definition_code): bytes(row.sender_sketch) for row in frame.collect()}


def test_neither_order_nor_partitions_change_a_sketch(spark: SparkSession, definition: DataFrame) -> None:
    """And the union of the days' sketches is, to the byte, the sketch of both days."""
    found = []
    for partitions, order in ((1, "sender_hash"), (7, "client_network")):
        message = messages(spark, SENDERS).repartition(partitions, "sender_hash").sortWithinPartitions(order)
        found.append(bytes_of(sender_sketches(message, definition, ["operator_id"])))
        by_day = sender_sketches(message, definition, ["operator_id", "period_date", "client_network"])
        united = by_day.groupBy("unit_code", "definition_code").agg(
            F.theta_union_agg("sender_sketch").alias("sender_sketch")
        )
        found.append(bytes_of(united))
    assert set(found[0]) == {("recipient", "HARM"), ("recipient", "SPAM")}
    assert found[1:] == [found[0]] * 3
    small = sender_sketches(messages(spark, 100), definition, ["operator_id"])
    estimates = {
        row.definition_code: row.n
        for row in small.select(
            "definition_code", F.theta_sketch_estimate("sender_sketch").alias("n")
        ).collect()
    }
    assert estimates == {"HARM": 50, "SPAM": 20}


def test_months_add_up(spark: SparkSession, definition: DataFrame) -> None:
    """A sender of two days and its network count once in the month."""
    message = messages(spark, 100)
    daily = conform(spam_source_daily.transform(message, definition), "gold.spam_source_daily")
    operator = spark.createDataFrame(
        [("op", [("_T", 500)])],
        "operator_id string, subscribers array<struct<channel_code:string,subscriber_count:bigint>>",
    )
    monthly = conform(spam_source_monthly.transform(daily, operator), "gold.spam_source_monthly")
    rows = {
        (row.unit_code, row.definition_code): row
        for row in monthly.withColumn("senders", F.theta_sketch_estimate("sender_sketch")).collect()
    }
    harm = rows["recipient", "HARM"]
    assert (harm.units, harm.spam_certain, harm.senders, harm.network_count, harm.day_count) == (
        150,
        75,
        50,
        3,
        2,
    )
    assert str(harm.spam_certain_rate) == "150.000000"
    assert rows["recipient", "SPAM"].senders == 20
    # Messages have the senders of their recipients: the sketch stands once.
    assert rows["message", "HARM"].sender_sketch is None
