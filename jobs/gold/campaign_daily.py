"""gold.campaign_daily: near-duplicates across messages and senders, day by day."""

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.gold.similarity import OF_CONTENT, WHOSE, Thresholds, united

STOPPED = ["rejected", "discarded", "quarantined", "tagged", "deferred"]


def transform(message: DataFrame, campaign_parameter: DataFrame) -> DataFrame:
    signed = message.filter("signature_hash IS NOT NULL")
    of_all_times = [
        campaigns(signed.filter(thresholds.hold()), thresholds)
        for thresholds in Thresholds.of(campaign_parameter.collect())
    ]
    return reduce(DataFrame.unionByName, of_all_times)


def campaigns(signed: DataFrame, thresholds: Thresholds) -> DataFrame:
    """The campaigns of days on which the same thresholds hold."""
    member = members(signed, thresholds)
    return (
        signed.drop("signature_kind_code")
        .join(member, on=[*WHOSE, "signature_hash"], how="inner")
        .groupBy(*WHOSE, "campaign_hash")
        .agg(
            F.min("signature_kind_code").alias("signature_kind_code"),
            F.array_sort(F.collect_set("signature_hash")).alias("signature_hashes"),
            F.max("is_bucket_capped").alias("is_bucket_capped"),
            F.count("*").alias("copy_count"),
            number(F.col("is_message_row")).alias("message_count"),
            number(F.col("grain_code") == "attempt").alias("attempt_count"),
            number(F.col("outcome_code") == "delivered").alias("delivered_count"),
            number(F.col("is_antispam") & F.col("outcome_code").isin(STOPPED)).alias("blocked_count"),
            F.min("first_at").alias("first_at"),
            F.max("last_at").alias("last_at"),
            # What names no recipient, and the null sender, are nobody to count.
            F.theta_sketch_agg(F.nullif("recipient_hash", F.lit("_U"))).alias("recipient_sketch"),
            F.theta_sketch_agg("sender_hash").alias("sender_sketch"),
            F.theta_sketch_agg("client_network").alias("network_sketch"),
            F.theta_sketch_agg("recipient_domain").alias("domain_sketch"),
            F.mode(F.nullif("spam_type_code", F.lit("UNK")), True).alias("spam_type_code"),
            listed(F.flatten(F.collect_set("spam_type_codes"))).alias("spam_type_codes"),
            listed(F.collect_set("direction_code")).alias("direction_codes"),
            listed(F.collect_set("inbound_link_code")).alias("inbound_link_codes"),
            listed(F.collect_set(F.coalesce("origin_observed_code", "origin_claimed_code"))).alias(
                "origin_codes"
            ),
        )
        .withColumns(
            {
                "signature_count": F.size("signature_hashes"),
                "spam_type_code": F.coalesce("spam_type_code", F.lit("UNK")),
                "distinct_recipient_count": F.theta_sketch_estimate("recipient_sketch"),
                "distinct_sender_count": F.theta_sketch_estimate("sender_sketch"),
                "distinct_network_count": F.theta_sketch_estimate("network_sketch"),
                "distinct_domain_count": F.theta_sketch_estimate("domain_sketch"),
            }
        )
        .drop("domain_sketch")
    )


def members(signed: DataFrame, thresholds: Thresholds) -> DataFrame:
    """The signatures of each campaign that is large enough to be one."""
    own = [*WHOSE, "signature_hash"]
    signature = signed.groupBy(*own, "signature_kind_code", "signature_sketch").agg(
        F.count("*").alias("copies")
    )
    is_of_content = F.col("signature_kind_code").isin(OF_CONTENT)
    least = F.when(is_of_content, thresholds.least_copies_content).otherwise(
        thresholds.least_copies_behaviour
    )
    of_campaign = Window.partitionBy(*WHOSE, "campaign_hash")
    return (
        signature.drop("signature_sketch")
        .join(united(signature, thresholds), on=own, how="left")
        .select(
            *own,
            "signature_kind_code",
            F.coalesce("campaign_hash", "signature_hash").alias("campaign_hash"),
            F.coalesce("is_bucket_capped", F.lit(False)).alias("is_bucket_capped"),
            "copies",
        )
        .withColumn("copies", F.sum("copies").over(of_campaign))
        .filter(F.col("copies") >= least)
        .drop("copies")
    )


def number(condition: Column) -> Column:
    """How many rows fulfil a condition."""
    return F.count_if(F.coalesce(condition, F.lit(False)))


def listed(codes: Column) -> Column:
    return F.array_sort(F.array_distinct(codes))
