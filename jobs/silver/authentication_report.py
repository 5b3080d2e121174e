"""silver.authentication_report: what providers saw of mail in a domain's name, per record of a report."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.assembly import assembled


def transform(dmarc: DataFrame, operator: DataFrame) -> DataFrame:
    rows = assembled({"dmarc": dmarc}, "silver.authentication_report", operator)
    return rows.withColumn("record_hash", F.md5(F.concat_ws(":", "report_hash", "record_number")))
