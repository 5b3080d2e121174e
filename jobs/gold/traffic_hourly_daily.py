"""gold.traffic_hourly_daily: units and bytes of each hour of the day, and how long deliveries took."""

from __future__ import annotations

import polars as pl

from jobs.gold.units import UNITS

HOUR = ["operator_id", "period_date", "channel_code", "direction_code", "hour_of_day"]
# Segments are parts of a message: they have no size of their own.
COUNTED = ("recipient", "message", "attempt", "call")
# Seconds that the columns of delays are named after: pflogsumm's users look for averages, which one message
# that waited for days decides.
WITHIN = (1, 10, 60, 600, 3600, 86400)
REACHED = ("delivered", "tagged")


def partial(message: pl.DataFrame) -> pl.DataFrame:
    """A delay is the time from the first to the last event of a recipient's message that was delivered."""
    took = (pl.col("last_at") - pl.col("first_at")).dt.total_microseconds()
    is_timed = (pl.col("grain_code") == "recipient") & pl.col("outcome_code").is_in(REACHED)
    placed = message.select(
        *HOUR[:4],
        pl.col("first_at").dt.hour().cast(pl.Int32).alias("hour_of_day"),
        pl.col("message_bytes").alias("bytes"),
        pl.when(is_timed).then(took).alias("took"),
        *((UNITS[unit] > 0).alias(unit) for unit in COUNTED),
    )
    grouped = placed.group_by(HOUR).agg(
        *(pl.col(unit).sum().cast(pl.Int64).alias(f"{unit}_units") for unit in COUNTED),
        *(pl.col("bytes").filter(unit).count().cast(pl.Int64).alias(f"{unit}_sized") for unit in COUNTED),
        *(pl.col("bytes").filter(unit).sum().cast(pl.Int64).alias(f"{unit}_bytes") for unit in COUNTED),
        delay_units=pl.col("took").count().cast(pl.Int64),
        longest_delay_us=pl.col("took").max(),
        **{f"within_{n}s": (pl.col("took") <= n * 1_000_000).sum().cast(pl.Int64) for n in WITHIN},
    )
    # Delays are of recipients alone: the rows of other units have none.
    delays = ["delay_units", *(f"within_{n}s" for n in WITHIN)]
    return pl.concat(
        grouped.filter(pl.col(f"{unit}_units") > 0).select(
            *HOUR,
            unit_code=pl.lit(unit),
            units=f"{unit}_units",
            sized_units=f"{unit}_sized",
            bytes=f"{unit}_bytes",
            **{name: pl.col(name) if unit == "recipient" else pl.lit(0, pl.Int64) for name in delays},
            longest_delay_us=pl.col("longest_delay_us") if unit == "recipient" else pl.lit(None, pl.Int64),
        )
        for unit in COUNTED
    )


transform = partial
