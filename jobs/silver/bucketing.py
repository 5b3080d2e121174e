"""The bucket of a row, where silver is computed in buckets.

Rows that must be together share a place: the bronze rows of an assembly_key; all transmissions, verdicts and
messages of a queue id. A bronze row with a queue id has that id's place, so that its transmission or verdict
is already in the bucket it belongs to. The exceptions are few: home_of() finds them, and they move.

The hash is Polars' own: the same in all processes of one version, and never stored.
"""

from __future__ import annotations

import polars as pl

SEED = 1
# A Sendmail queue id ends in the number of the process that made it; one process's messages share a key.
SENDMAIL_ID = r"^(?:.{8}|[A-Z]{3})(\d{5,10})$"

# What stands for a row's assembly_key where that holds its source; null for a row without an id, whose key is
# its place in a file.
ID = {
    "delimited": pl.col("message_key"),
    "asterisk": pl.col("call_id"),
    "jasmin": pl.when(~pl.col("assembly_key").str.starts_with("row|")).then("assembly_key"),
    "kannel_smsbox": pl.when(~pl.col("assembly_key").str.starts_with("row|")).then("assembly_key"),
}


def place_of(queue_id: pl.Expr) -> pl.Expr:
    return pl.coalesce(queue_id.str.extract(SENDMAIL_ID).str.strip_chars_start("0"), queue_id)


def bucket(place: pl.Expr, count: int) -> pl.Expr:
    return (place.hash(seed=SEED) % count).cast(pl.Int32).alias("bucket")


def place_of_row(bronze: pl.DataFrame, format_name: str) -> pl.Expr:
    """The place of each bronze row. No row is held: settled() comes before."""
    key = pl.col("assembly_key")
    if format_name == "sendmail":
        # Host and process, as bronze's key has them; queue ids do not contain the host.
        return key.str.extract(r"\|([^|]*)$")
    if format_name == "amavis":
        # Pieces of a line have no queue id before they are joined.
        whole = pl.when(pl.col("event_code") == "verdict").then("queue_id")
        return pl.coalesce(place_of(whole), key)
    if format_name in ID:
        # Copies of a row share neither its source nor its place.
        second = pl.col("first_at").dt.epoch("s")
        return pl.coalesce(
            ID[format_name],
            pl.concat_str("sender", "recipient", second, separator="|", ignore_nulls=True),
        )
    if "queue_id" in bronze.columns:
        return pl.coalesce(place_of(pl.col("queue_id")), key)
    return key


def bucket_of(bronze: pl.DataFrame, format_name: str, count: int) -> pl.Series:
    """The bucket of each bronze row. No row is held: settled() comes before."""
    return bronze.select(bucket(place_of_row(bronze, format_name), count)).to_series()


def home_of(rows: pl.DataFrame, count: int) -> pl.Series:
    """The bucket that a transmission or verdict belongs to; null: any, so it stays where it is."""
    queue_id = pl.col("queue_id")
    home = pl.when(queue_id.is_not_null()).then(bucket(place_of(queue_id), count))
    return rows.select(home.alias("bucket")).to_series()
