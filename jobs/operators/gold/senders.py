"""Distinct senders of spam, as sketches that add up over days, sources and operators' parts."""

import polars as pl

from jobs.base.tables import sketch
from jobs.operators.gold.counting import CERTAIN, mark_messages, mask_columns, states_by_mask


def sender_sketches(message: pl.DataFrame, definition: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """For each group, unit and definition with certain spam a sketch of its senders.

    Units are recipients, attempts and calls: messages and segments have the senders of the recipients. Only
    spam is sketched, and each sender of a group once, whatever the number of definitions. key_id: the key of
    the senders' pseudonyms; a group is of one day, and a day has one key.
    """
    message = mark_messages(message, definition)
    masks = mask_columns(message)
    certain = states_by_mask(message, definition).filter(pl.col("state") == CERTAIN)
    return (
        message.join(certain.select(masks).unique(), on=masks, how="semi")
        .select(
            *(*by, *masks, "key_id"),
            unit_code="grain_code",
            sender=sketch.hash_pseudonym(pl.col("sender_hash")),
        )
        .unique()
        .join(certain, on=masks)
        .group_by(*by, "unit_code", "definition_code")
        .agg(sender_sketch=sketch.smallest_hashes(pl.col("sender")), key_id=pl.col("key_id").first())
    )
