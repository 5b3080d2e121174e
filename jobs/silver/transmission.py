"""silver.transmission: what an MTA, SMSC or SIP server did, per queue file and recipient, refused attempt or
call."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.assembly import assembled


def transform(
    postfix: DataFrame,
    exim: DataFrame,
    sendmail: DataFrame,
    kannel: DataFrame,
    kannel_smsbox: DataFrame,
    jasmin: DataFrame,
    delimited: DataFrame,
    kamailio: DataFrame,
    kamailio_flat: DataFrame,
    asterisk: DataFrame,
    operator: DataFrame,
) -> DataFrame:
    formats = {
        "postfix": postfix,
        "exim": exim,
        "sendmail": sendmail,
        "kannel": kannel,
        "kannel_smsbox": kannel_smsbox,
        "jasmin": jasmin,
        "delimited": delimited,
        "kamailio": kamailio,
        "kamailio_flat": kamailio_flat,
        "asterisk": asterisk,
    }
    rows = assembled(formats, "silver.transmission", operator)
    # An attempt has no queue: where its first line stands tells it apart.
    place = F.concat_ws(":", "source_id", "stream_id", "offset")
    key = F.concat_ws("|", F.coalesce("queue_key", place), F.unix_micros("first_at"), "recipient_hash")
    return rows.withColumn("transmission_hash", F.md5(key))
