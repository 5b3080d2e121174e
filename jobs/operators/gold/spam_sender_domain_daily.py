"""gold.spam_sender_domain_daily: spam volume by the sender's registered domain, verified or only claimed."""

import polars as pl

from jobs.base.tables.merge import merge_parts
from jobs.operators.gold.shared.counting import count_units, fill_unknown, mark_messages

TABLE = "gold.spam_sender_domain_daily"
DOMAIN = ["operator_id", "period_date", "channel_code", "direction_code", "sender_domain"]
# Domains of fewer recipients, attempts or calls a day stand together: most are made up and seen once.
FEWEST = 10


def partial(message: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    named = mark_messages(message, definition).with_columns(
        *fill_unknown("sender_domain"), pl.col("is_origin_verified").fill_null(False)
    )
    return count_units(named, definition, [*DOMAIN, "is_origin_verified"])


def finish(frame: pl.DataFrame) -> pl.DataFrame:
    """Domains of few units stand together as _O, once all of the day's units are there."""
    seen = (
        frame.filter(pl.col("unit_code").is_in(["recipient", "attempt", "call"]))
        .group_by(*DOMAIN, "unit_code", "definition_code")
        .agg(pl.col("units").sum())
        .group_by(DOMAIN)
        .agg(seen=pl.col("units").max())
    )
    is_small = (pl.col("sender_domain") != "_U") & (pl.col("seen") < FEWEST)
    named = pl.when(is_small).then(pl.lit("_O")).otherwise("sender_domain")
    grouped = frame.join(seen, on=DOMAIN, how="left", nulls_equal=True).with_columns(sender_domain=named)
    return merge_parts(grouped, TABLE)
