"""gold.countermeasure_effort_daily: what each countermeasure examined, acted on, and took."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

STAGES = ["connect", "envelope", "content", "delivery"]
# The stage at which a measure looks; what was decided there or later, it has seen. Only a content filter
# logs what it examined: the rest is derived, and says so.
LOOKS_AT = {
    "DNSBL": "connect",
    "PROTOCOL_TEST": "connect",
    "RATE_LIMIT": "connect",
    "HELO_RDNS": "envelope",
    "GREYLIST": "envelope",
    "SENDER_BLOCKLIST": "envelope",
    "SENDER_VERIFY": "envelope",
    "RECIPIENT_CHECK": "envelope",
    "NUMBER_BLOCKLIST": "envelope",
    "POLICY_RELAY": "envelope",
    "POLICY_SYNTAX": "envelope",
    "POLICY_SIZE": "envelope",
    "POLICY_AUTH": "envelope",
    "POLICY_CAPACITY": "envelope",
}
LOGGED = ["CONTENT_FILTER"]


def transform(message: DataFrame) -> DataFrame:
    """Counted in messages, attempts and calls: a message to many recipients is examined once."""
    once = message.filter(F.col("is_message_row") | F.col("grain_code").isin("attempt", "call"))
    key = ["operator_id", "period_date", "channel_code"]
    acted = (
        once.filter("countermeasure_code IS NOT NULL")
        .groupBy(*key, "countermeasure_code")
        .agg(
            F.first("strategy_code", ignorenulls=True).alias("strategy_code"),
            F.count("*").alias("units_acted"),
            F.sum(F.when(F.col("outcome_code") == "quarantined", size()).otherwise(0)).alias(
                "quarantined_bytes"
            ),
            F.sum(size()).alias("acted_bytes"),
        )
    )
    # Every unit that a filter gave a verdict on was examined by it, whether or not it acted.
    logged = [F.sum((F.col("engine_code").isNotNull()).cast("bigint")).alias("units_logged")]
    reached = [
        F.sum((stage_rank() >= rank).cast("bigint")).alias(f"reached_{stage}")
        for rank, stage in enumerate(STAGES)
    ]
    bytes_reached = [
        F.sum(F.when(stage_rank() >= rank, size()).otherwise(0)).alias(f"bytes_{stage}")
        for rank, stage in enumerate(STAGES)
    ]
    day = once.groupBy(*key).agg(
        *logged,
        *reached,
        *bytes_reached,
        F.sum(F.coalesce("filter_us", F.lit(0))).alias("filter_us_day"),
        F.sum(F.when(F.col("engine_code").isNotNull(), size()).otherwise(0)).alias("bytes_logged"),
    )
    # A filter that never acted still worked: its row stands with nothing acted on.
    filtered = day.filter("units_logged > 0").select(
        *key, F.lit("CONTENT_FILTER").alias("countermeasure_code")
    )
    rows = acted.join(filtered, on=[*key, "countermeasure_code"], how="full").join(day, on=key, how="inner")
    is_logged = F.col("countermeasure_code").isin(LOGGED) & (F.col("units_logged") > 0)
    acted_on = F.coalesce("units_acted", F.lit(0))
    examined = F.when(is_logged, F.col("units_logged")).otherwise(by_stage("reached"))
    return rows.select(
        *key,
        "countermeasure_code",
        F.coalesce("strategy_code", F.when(is_logged, "filtering")).alias("strategy_code"),
        F.greatest(examined, acted_on).alias("units_examined"),
        acted_on.alias("units_acted"),
        (~is_logged).alias("is_examined_derived"),
        F.when(is_logged, F.col("filter_us_day")).otherwise(0).alias("filter_us"),
        F.when(is_logged, F.col("bytes_logged")).otherwise(by_stage("bytes")).alias("received_bytes"),
        F.coalesce("quarantined_bytes", F.lit(0)).alias("quarantined_bytes"),
    )


def size() -> Column:
    return F.coalesce("message_bytes", F.lit(0))


def stage_rank() -> Column:
    """0 for connect to 3 for delivery."""
    return F.array_position(F.array(*map(F.lit, STAGES)), F.col("stage_code")) - 1


def by_stage(what: str) -> Column:
    """What reached the stage at which a measure looks; the content stage for measures not listed."""
    stage = F.coalesce(
        *(F.when(F.col("countermeasure_code") == code, F.lit(stage)) for code, stage in LOOKS_AT.items()),
        F.lit("content"),
    )
    return F.coalesce(*(F.when(stage == name, F.col(f"{what}_{name}")) for name in STAGES))
