"""gold.spam_source_monthly: spam by source country and autonomous system, with distinct senders and rates."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.gold.counting import CONTENT_NAMES
from jobs.shares import HAD_CONTENT

KEY = ["channel_code", "direction_code", "source_country_code", "source_asn", "unit_code", "definition_code"]
LOCATION = ["location_database", "location_date"]
MEASURES = ["units", "spam_certain", "spam_possible"]


def transform(spam_source_daily: DataFrame, operator: DataFrame) -> DataFrame:
    """Counts are summed, sketches united, and rates taken of the sums."""
    month = F.date_format("period_date", "yyyy-MM").alias("period_code")
    is_located = F.col("location_database").isNotNull()
    had_content = F.expr(HAD_CONTENT)
    sends = (F.col("spam_certain") > 0) & (F.col("source_network") != "_U")
    monthly = spam_source_daily.groupBy("operator_id", month, *KEY).agg(
        *(F.sum(name).alias(name) for name in MEASURES),
        *(
            F.sum(F.when(had_content, F.col(name)).otherwise(0)).alias(own)
            for name, own in CONTENT_NAMES.items()
        ),
        F.count_distinct(F.when(sends, F.col("source_network"))).alias("network_count"),
        F.theta_union_agg("sender_sketch").alias("united"),
        F.count_distinct("period_date").alias("day_count"),
        # Tables of ranges age within weeks: a month may be located by several, and then the last is named.
        F.max(F.when(is_located, F.struct("period_date", *reversed(LOCATION)))).alias("last_located"),
        F.count_distinct(F.when(is_located, F.struct(*LOCATION))).alias("location_count"),
    )
    subscribers = operator.select(
        F.col("operator_id").alias("of_operator"),
        F.inline("subscribers").alias("of_channel", "subscriber_count"),
    )
    # A union of nothing is an empty sketch, where the day has none.
    has_senders = (F.col("spam_certain") > 0) & F.col("unit_code").isin("recipient", "attempt", "call")
    return (
        monthly.join(
            F.broadcast(subscribers),
            # One number for all stands under _T.
            (F.col("operator_id") == F.col("of_operator"))
            & F.col("of_channel").isin(F.col("channel_code"), F.lit("_T")),
            "left",
        )
        .withColumn("sender_sketch", F.when(has_senders, F.col("united")))
        .withColumn("spam_certain_rate", per_thousand("spam_certain"))
        .withColumn("spam_possible_rate", per_thousand("spam_possible"))
        .withColumns({name: F.col("last_located")[name] for name in LOCATION})
        .drop("united", "last_located", "of_operator", "of_channel")
    )


def per_thousand(measure: str) -> Column:
    """So many per 1,000 subscribers; null where the operator gave no number of subscribers."""
    exact = F.col(measure).cast("decimal(20,0)") * 1000 / F.col("subscriber_count").cast("decimal(20,0)")
    return exact.cast("decimal(20,6)")
