"""Temporary refusals: one that was followed up within a day folds into what followed.

One of a recipient that the log does not name (Sendmail's `Too many recipients`) is followed up by nothing.

What follows a refusal may lie in any bucket: narrow rows of all buckets (triples) decide (followed).
"""

import polars as pl

from jobs.base.figures.counting_rules import RETRIED_WITHIN
from jobs.operators.silver.bucketing import SEED

TRIPLE = ["operator_id", "client_network", "sender_hash", "recipient_hash"]
IS_TEMPORARY = (
    (pl.col("outcome_code") == "deferred")
    & pl.col("stage_code").is_in(["connect", "envelope", "content"])
    & pl.col("client_network").is_not_null()
    & ~((pl.col("grain_code") == "attempt") & (pl.col("stage_code") == "envelope") & pl.col("is_partial"))
)
# Rows of one time are in the order of their hashes, of which sixty bits are enough.
ORDER = pl.col("message_hash").str.head(15).str.to_integer(base=16).alias("order")


def hash_triples(message: pl.DataFrame) -> pl.DataFrame:
    """Each message with a client network: `triple`, a hash of network, sender and recipient, and its time."""
    named = message.select(*TRIPLE, "first_at", "message_hash", is_temporary=IS_TEMPORARY)
    return named.filter(pl.col("client_network").is_not_null()).select(
        pl.struct(TRIPLE).hash(SEED).alias("triple"), "first_at", ORDER, "is_temporary"
    )


def find_followed(found: pl.DataFrame) -> pl.DataFrame:
    """The temporary refusals that the same network, sender and recipient followed up within 24 hours.

    The rows of one `triple` must be together.
    """
    refused = found.filter("is_temporary").select("triple").unique()
    rows = found.join(refused, on="triple", how="semi").sort("triple", "first_at", "order")
    # If any row follows in time, the next one does.
    is_same = pl.col("triple") == pl.col("triple").shift(-1)
    is_soon = pl.col("first_at").shift(-1) <= pl.col("first_at") + RETRIED_WITHIN
    return rows.filter("is_temporary", is_same & is_soon).drop("is_temporary")


def drop_followed(message: pl.DataFrame, dropped: pl.DataFrame) -> pl.DataFrame:
    """The messages without the temporary refusals that find_followed() found."""
    if dropped.is_empty():
        return message
    rows = message.with_row_index("nr")
    temporary = rows.filter(IS_TEMPORARY).select("nr", "first_at", ORDER, triple=pl.struct(TRIPLE).hash(SEED))
    gone = temporary.join(dropped, on=["triple", "first_at", "order"], how="semi")["nr"]
    return rows.filter(~pl.col("nr").is_in(gone.implode())).drop("nr")
