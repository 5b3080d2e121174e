"""silver.operator_knowledge: what the operator knows of its messages beside its logs, one row per fact."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.assembly import assembled


def transform(knowledge: DataFrame, operator: DataFrame) -> DataFrame:
    rows = assembled({"knowledge": knowledge}, "silver.operator_knowledge", operator)
    return rows.withColumn("knowledge_hash", F.md5(F.concat_ws(":", "source_id", "stream_id", "offset")))
