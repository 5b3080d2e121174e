"""gold.bypass_indicator_daily: units that show a sign of bypass, of those that could, by inbound link."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.gold.bypass import signs

LINK = ["operator_id", "period_date", "channel_code", "inbound_link_id", "inbound_link_code"]


def transform(message: DataFrame, operator: DataFrame, bypass_parameter: DataFrame) -> DataFrame:
    told = signs(message, operator, bypass_parameter).select(
        *LINK,
        F.col("grain_code").alias("unit_code"),
        "sender_hash",
        "origid_hash",
        F.explode("signs").alias("sign"),
    )
    return told.groupBy(*LINK, "unit_code", F.col("sign.bypass_code").alias("bypass_code")).agg(
        F.count("*").alias("units_examined"),
        F.count_if("sign.is_flagged").alias("units_flagged"),
        F.theta_sketch_agg(F.when(F.col("sign.is_flagged"), F.col("sender_hash"))).alias(
            "flagged_sender_sketch"
        ),
        F.theta_sketch_agg("origid_hash").alias("origid_sketch"),
        F.theta_sketch_agg(F.when(F.col("sign.is_flagged"), F.col("origid_hash"))).alias(
            "flagged_origid_sketch"
        ),
    )
