"""silver.verdict: what a filter said, one row per verdict on a message."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.assembly import assembled


def transform(
    rspamd: DataFrame,
    rspamd_history: DataFrame,
    rspamd_clickhouse: DataFrame,
    spamassassin: DataFrame,
    amavis: DataFrame,
    opendkim: DataFrame,
    opendmarc_history: DataFrame,
    exim: DataFrame,
    operator: DataFrame,
) -> DataFrame:
    formats = {
        "rspamd": rspamd,
        "rspamd_history": rspamd_history,
        "rspamd_clickhouse": rspamd_clickhouse,
        "spamassassin": spamassassin,
        "amavis": amavis,
        "opendkim": opendkim,
        "opendmarc_history": opendmarc_history,
        "exim": exim,
    }
    rows = assembled(formats, "silver.verdict", operator)
    place = F.concat_ws(":", "engine_code", "source_id", "stream_id", "offset")
    return rows.withColumn("verdict_hash", F.md5(place))
