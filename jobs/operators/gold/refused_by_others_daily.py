"""gold.refused_by_others_daily: outbound recipients by receiving network, and how many of them it refused."""

import polars as pl

from jobs.base.tables.merge import merge_parts

TABLE = "gold.refused_by_others_daily"
NETWORK = ["operator_id", "period_date", "channel_code", "receiving_network"]
FOR_NOW, FOR_GOOD = ("deferred", "expired"), ("bounced",)
# Networks of fewer recipients a day stand together.
FEWEST = 10


def partial(message: pl.DataFrame) -> pl.DataFrame:
    outcome = pl.col("outcome_code")
    return (
        message.filter(pl.col("direction_code") == "outbound", pl.col("grain_code") == "recipient")
        .with_columns(
            receiving_network=pl.coalesce("destination_operator_id", "recipient_domain", pl.lit("_U"))
        )
        .group_by(NETWORK)
        .agg(
            outbound_units=pl.len().cast(pl.Int64),
            refused_for_now_units=outcome.is_in(FOR_NOW).sum().cast(pl.Int64),
            refused_units=outcome.is_in(FOR_GOOD).sum().cast(pl.Int64),
        )
    )


def finish(frame: pl.DataFrame) -> pl.DataFrame:
    """Networks of few units stand together as _O, once all of the day's units are there."""
    is_small = (pl.col("receiving_network") != "_U") & (pl.col("outbound_units") < FEWEST)
    named = pl.when(is_small).then(pl.lit("_O")).otherwise("receiving_network")
    return merge_parts(frame.with_columns(receiving_network=named), TABLE)
