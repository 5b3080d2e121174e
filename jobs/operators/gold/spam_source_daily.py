"""gold.spam_source_daily: spam volume by observed country, autonomous system and network.

Its distinct senders are sketches that add up over days, sources and operators' parts.
"""

import polars as pl

from jobs.base.tables import sketch
from jobs.operators.gold.shared.counting import (
    CERTAIN,
    VOLUME_CELL,
    count_units,
    mark_messages,
    mask_columns,
    states_by_mask,
)
from jobs.operators.gold.shared.origins import origin_code


def sender_sketches(message: pl.DataFrame, definition: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """A row per group, unit and definition with certain spam: a sketch of its senders.

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


SOURCE = ["source_country_code", "source_asn", "source_network"]
LOCATION = ["location_database", "location_date"]


def partial(message: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    """sender_sketch: a list of hashes; key_id: the key of the pseudonyms that they are of."""
    located = mark_messages(message, definition).with_columns(
        source_country_code=origin_code(),
        source_network=pl.col("client_network").fill_null("_U"),
        source_asn=pl.col("source_asn").fill_null(0),
    )
    by = [*VOLUME_CELL, *SOURCE]
    # A day's rows were located by one table of ranges: it splits no row.
    volume = count_units(located, definition, [*by, *LOCATION])
    senders = sender_sketches(located, definition, by)
    return volume.join(senders, on=[*by, "unit_code", "definition_code"], how="left", nulls_equal=True)


def finish(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(sketch.pack_hashes(pl.col("sender_sketch")))
