"""silver.transmission: what an MTA or SMSC did, per queue file and recipient or per refused attempt."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.assembly import assembled
from jobs.protect import Door


def transform(postfix: DataFrame, kannel: DataFrame, operator: DataFrame) -> DataFrame:
    door = Door.of(operator.collect())
    mail = assembled(postfix, "postfix", "silver.transmission", door)
    rows = mail.unionByName(assembled(kannel, "kannel", "silver.transmission", door))
    # An attempt has no queue: where its first line stands tells it apart.
    place = F.concat_ws(":", "source_id", "stream_id", "offset")
    key = F.concat_ws("|", F.coalesce("queue_key", place), F.unix_micros("first_at"), "recipient_hash")
    return rows.withColumn("transmission_hash", F.md5(key))
