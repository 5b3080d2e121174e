"""gold.spam_source_daily: spam volume by observed country, autonomous system and network."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.gold.counting import VOLUME, counted
from jobs.gold.senders import sender_sketches

SOURCE = ["source_country_code", "source_asn", "source_network"]


def transform(message: DataFrame, definition: DataFrame) -> DataFrame:
    # A call or an SMS has no address: its source is the country of the number that it claims.
    located = message.select(
        "*",
        F.coalesce("origin_observed_code", "origin_claimed_code", F.lit("_U")).alias("source_country_code"),
        F.coalesce("client_network", F.lit("_U")).alias("source_network"),
    ).withColumn("source_asn", F.coalesce("source_asn", F.lit(0)))
    # A day's rows were located by one table of ranges: it splits no row.
    database = ["location_database", "location_date"]
    volume = counted(located, definition, [*VOLUME, *SOURCE, *database])
    key = [*VOLUME, *SOURCE, "unit_code", "definition_code"]
    return volume.join(sender_sketches(located, definition, [*VOLUME, *SOURCE]), on=key, how="left")
