"""silver.complaint: what receivers complained about, one row per complaint."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.assembly import assembled


def transform(feedback: DataFrame, kannel: DataFrame, operator: DataFrame) -> DataFrame:
    rows = assembled({"feedback": feedback, "kannel": kannel}, "silver.complaint", operator)
    return rows.withColumn("complaint_hash", F.md5(F.concat_ws(":", "source_id", "stream_id", "offset")))
