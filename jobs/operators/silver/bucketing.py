"""The bucket of a row, where silver is computed in buckets.

Rows that must be together share a place: the bronze rows of an assembly_key; all transmissions, verdicts and
messages of a queue id. A bronze row with a queue id has that id's place, so that its transmission or verdict
is already in the bucket it belongs to. The exceptions are few: home_of() finds them, and they move.

The hash is Polars' own: the same in all processes of one version, and never stored.
"""

import polars as pl

from jobs.operators.formats.registry import KERNELS
from jobs.operators.formats.shared.fields import place_of_queue

SEED = 1


def bucket_number(place: pl.Expr, count: int) -> pl.Expr:
    return (place.hash(seed=SEED) % count).cast(pl.Int32).alias("bucket")


def place_of_row(bronze: pl.DataFrame, format_name: str) -> pl.Expr:
    """The place of each bronze row. No row is held: settle_rows() comes before."""
    key = pl.col("assembly_key")
    place = KERNELS[format_name].place
    if place is not None:
        return place
    if "queue_id" in bronze.columns:
        return pl.coalesce(place_of_queue(pl.col("queue_id")), key)
    return key


def bucket_of(bronze: pl.DataFrame, format_name: str, count: int) -> pl.Series:
    """The bucket of each bronze row. No row is held: settle_rows() comes before."""
    return bronze.select(bucket_number(place_of_row(bronze, format_name), count)).to_series()


def home_of(rows: pl.DataFrame, count: int) -> pl.Series:
    """The bucket that a transmission or verdict belongs to; null: any, so it stays where it is."""
    queue_id = pl.col("queue_id")
    home = pl.when(queue_id.is_not_null()).then(bucket_number(place_of_queue(queue_id), count))
    return rows.select(home.alias("bucket")).to_series()
