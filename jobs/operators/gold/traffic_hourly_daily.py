"""gold.traffic_hourly_daily: units and bytes of each hour of the day, and how long deliveries took."""

import polars as pl

from jobs.operators.gold.shared.measures import UNITS

HOUR = ["operator_id", "period_date", "channel_code", "direction_code", "hour_of_day"]
# What the units of a message depend on.
KIND = ["grain_code", "is_message_row"]
# Segments are parts of a message: they have no size of their own.
COUNTED_UNITS = ("recipient", "message", "attempt", "call")
# Seconds that the columns of delays are named after: pflogsumm's users look for averages, which one message
# that waited for days decides.
WITHIN = (1, 10, 60, 600, 3600, 86400)
REACHED = ("delivered", "tagged")


def partial(message: pl.DataFrame) -> pl.DataFrame:
    """A delay is the time from the first to the last event of a recipient's message that was delivered."""
    took = (pl.col("last_at") - pl.col("first_at")).dt.total_microseconds()
    is_timed = (pl.col("grain_code") == "recipient") & pl.col("outcome_code").is_in(REACHED)
    # First the few groups, then each of them once for each unit.
    grouped = (
        message.select(
            *HOUR[:4],
            pl.col("first_at").dt.hour().cast(pl.Int32).alias("hour_of_day"),
            *KIND,
            pl.col("message_bytes").alias("bytes"),
            pl.when(is_timed).then(took).alias("took"),
        )
        .group_by(*HOUR, *KIND)
        .agg(
            pl.col("bytes").sum().cast(pl.Int64),
            units=pl.len().cast(pl.Int64),
            sized_units=pl.col("bytes").count().cast(pl.Int64),
            delay_units=pl.col("took").count().cast(pl.Int64),
            longest_delay_us=pl.col("took").max(),
            **{f"within_{n}s": (pl.col("took") <= n * 1_000_000).sum().cast(pl.Int64) for n in WITHIN},
        )
    )
    delays = ["delay_units", *(f"within_{n}s" for n in WITHIN)]
    parts = []
    for unit in COUNTED_UNITS:
        # Delays are of recipients alone: the rows of other units have none.
        has_delays = unit == "recipient"
        parts.append(
            grouped.filter(UNITS[unit] > 0)
            .group_by(HOUR)
            .agg(pl.col("units", "sized_units", "bytes", *delays).sum(), pl.col("longest_delay_us").max())
            .with_columns(
                pl.lit(unit).alias("unit_code"),
                *(pl.col(name) * int(has_delays) for name in delays),
                pl.when(has_delays).then("longest_delay_us"),
            )
        )
    return pl.concat(parts)
