"""gold.spam_sender_domain_daily: spam volume by the sender's registered domain, verified or only claimed."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from jobs.gold.counting import counted

WHOSE = ["operator_id", "period_date", "channel_code", "direction_code"]
CELL = ["unit_code", "definition_code"]
# Domains of fewer recipients, attempts or calls a day stand together: most are made up and seen once.
FEWEST = 10


def transform(message: DataFrame, definition: DataFrame) -> DataFrame:
    domain = F.coalesce("sender_registered_domain", F.lit("_U"))
    named = message.withColumn("sender_registered_domain", domain)
    verified = F.coalesce("is_origin_verified", F.lit(False))
    of_all = counted(
        named.withColumn("is_origin_verified", verified),
        definition,
        [*WHOSE, "sender_registered_domain", "is_origin_verified"],
    )
    domain_keys = [*WHOSE, "sender_registered_domain"]
    both = F.sum("units").over(Window.partitionBy(*domain_keys, *CELL))
    is_seen = F.col("unit_code").isin("recipient", "attempt", "call")
    seen = F.max(F.when(is_seen, F.col("both"))).over(Window.partitionBy(*domain_keys))
    is_small = (F.col("sender_registered_domain") != "_U") & (F.col("seen") < FEWEST)
    together = (
        of_all.withColumn("both", both)
        .withColumn("seen", seen)
        .withColumn(
            "sender_registered_domain", F.when(is_small, "_O").otherwise(F.col("sender_registered_domain"))
        )
    )
    measures = ["units", "spam_certain", "spam_possible"]
    return together.groupBy(*WHOSE, "sender_registered_domain", "is_origin_verified", *CELL).agg(
        *(F.sum(name).alias(name) for name in measures)
    )
