"""gold.spam_source_daily: spam volume by observed country, autonomous system and network."""

import polars as pl

from jobs.base.tables import sketch
from jobs.base.tables.merge import merge_parts
from jobs.operators.gold.counting import VOLUME, count_units, mark_messages
from jobs.operators.gold.origins import origin_code
from jobs.operators.gold.senders import sender_sketches

TABLE = "gold.spam_source_daily"
SOURCE = ["source_country_code", "source_asn", "source_network"]
LOCATION = ["location_database", "location_date"]


def partial(message: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    """sender_sketch: a list of hashes; key_id: the key of the pseudonyms that they are of."""
    located = mark_messages(message, definition).with_columns(
        source_country_code=origin_code(),
        source_network=pl.col("client_network").fill_null("_U"),
        source_asn=pl.col("source_asn").fill_null(0),
    )
    by = [*VOLUME, *SOURCE]
    # A day's rows were located by one table of ranges: it splits no row.
    volume = count_units(located, definition, [*by, *LOCATION])
    senders = sender_sketches(located, definition, by)
    return volume.join(senders, on=[*by, "unit_code", "definition_code"], how="left", nulls_equal=True)


def finish(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(sketch.to_bytes(pl.col("sender_sketch")))


def transform(message: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    return finish(merge_parts(partial(message, definition), TABLE))
