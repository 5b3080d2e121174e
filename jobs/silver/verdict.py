"""silver.verdict: what a filter said, one row per verdict on a message."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.assembly import assembled
from jobs.protect import Door


def transform(rspamd: DataFrame, operator: DataFrame) -> DataFrame:
    rows = assembled(rspamd, "rspamd", "silver.verdict", Door.of(operator.collect()))
    return rows.withColumn("verdict_hash", F.md5(F.concat_ws(":", "source_id", "stream_id", "offset")))
