"""silver.complaint: what receivers complained about, one row per complaint."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.assembly import assembled
from jobs.protect import Door


def transform(feedback: DataFrame, kannel: DataFrame, operator: DataFrame) -> DataFrame:
    door = Door.of(operator.collect())
    mails = assembled(feedback, "feedback", "silver.complaint", door)
    rows = mails.unionByName(assembled(kannel, "kannel", "silver.complaint", door))
    return rows.withColumn("complaint_hash", F.md5(F.concat_ws(":", "source_id", "stream_id", "offset")))
