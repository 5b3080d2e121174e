"""Which signatures of a day are of one campaign: MinHash sketches, banded, compared and joined up.

Only distinct signatures are compared, never messages: 4,000 copies of a text are one signature. Those that
agree in a band of their sketches share a bucket. In a bucket each signature is compared with the first few by
hash, the cap, so that work grows with the number of signatures and not with its square; what a full bucket
may have missed is marked. Signatures linked by likeness, directly or by way of others, are one campaign,
named by the least of their hashes: nothing depends on order or partitions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jobs.errors import ObservatoryError
from jobs.signatures import LANES

# Kinds of signatures that are of what a message says (jobs/signatures.py).
OF_CONTENT = ["text", "fuzzy", "digest"]
WHOSE = ["operator_id", "period_date", "channel_code"]
UNITED = (
    "operator_id string, period_date date, channel_code string, signature_hash string, campaign_hash string,"
    " is_bucket_capped boolean"
)


@dataclass(frozen=True)
class Thresholds:
    """The rows of ref.campaign_parameter that hold today."""

    least_copies_content: int
    least_copies_behaviour: int
    band_count: int
    band_rows: int
    bucket_cap: int
    least_similarity: float

    @classmethod
    def of(cls, rows: list[Row]) -> Thresholds:
        """Raises ObservatoryError that names what is missing or cannot be."""
        value = {row.parameter_code: row.parameter_value for row in rows if row.valid_to is None}
        missing = sorted(set(cls.__annotations__) - set(value))
        if missing:
            raise ObservatoryError(f"ref.campaign_parameter has no row in force for {', '.join(missing)}")
        found = cls(
            **{name: int(value[name]) for name in cls.__annotations__ if name != "least_similarity"},
            least_similarity=value["least_similarity"],
        )
        if found.band_count * found.band_rows > LANES:
            raise ObservatoryError(
                f"ref.campaign_parameter: band_count times band_rows is {found.band_count * found.band_rows};"
                f" a sketch has {LANES} values"
            )
        return found


def united(signature: DataFrame, thresholds: Thresholds) -> DataFrame:
    """The signatures that are like others of their operator, day and channel, each with its campaign.

    signature: one row per operator, day, channel and signature_hash, with signature_sketch; null is like
    none. Signatures that are like no other are left out, unless a full bucket may have hidden it.
    """
    bands = F.array(*(bucket(band, thresholds.band_rows) for band in range(thresholds.band_count)))
    own = [*WHOSE, "band", "bucket"]
    in_bucket = Window.partitionBy(*own)
    placed = (
        signature.filter("signature_sketch IS NOT NULL")
        .select(*WHOSE, "signature_hash", "signature_sketch", F.inline(bands))
        .withColumn("place", F.row_number().over(in_bucket.orderBy("signature_hash")))
        .withColumn("size", F.count("*").over(in_bucket))
        .filter("size > 1")
    )
    first = placed.filter(F.col("place") <= thresholds.bucket_cap).select(
        *own,
        F.col("signature_hash").alias("other_hash"),
        F.col("signature_sketch").alias("other_sketch"),
        F.col("place").alias("other_place"),
    )
    is_full = F.col("size") > thresholds.bucket_cap
    least = math.ceil(thresholds.least_similarity * LANES)
    is_alike = agreement("signature_sketch", "other_sketch") >= least
    # One pair of each signature in a full bucket stays, alike or not: it carries the mark.
    is_mark = is_full & (F.col("other_place") == 1)
    pairs = (
        placed.join(first, on=own, how="inner")
        .filter((F.col("other_place") < F.col("place")) | (is_mark & (F.col("place") == 1)))
        .select(*WHOSE, "signature_hash", "other_hash", is_alike.alias("is_alike"), is_full.alias("is_full"))
        .filter(F.col("is_alike") | is_mark)
    )
    return pairs.groupBy(*WHOSE).applyInArrow(joined_up, UNITED)


def bucket(band: int, rows: int) -> Column:
    values = [F.get("signature_sketch", F.lit(place)) for place in range(band * rows, (band + 1) * rows)]
    return F.struct(F.lit(band).alias("band"), F.xxhash64(*values).alias("bucket"))


def agreement(one: str, other: str) -> Column:
    """In how many places two sketches have the same value."""
    same = F.zip_with(one, other, lambda mine, theirs: (mine == theirs).cast("int"))
    return F.aggregate(same, F.lit(0), lambda total, each: total + each)


def joined_up(pairs: pa.Table) -> pa.Table:
    """The connected components of one operator's day and channel: each signature with its campaign."""
    rows = pl.from_arrow(pairs)
    assert isinstance(rows, pl.DataFrame)
    names = pl.concat([rows["signature_hash"], rows["other_hash"]]).unique().sort()
    places = pl.DataFrame({"name": names, "at": pl.int_range(len(names), eager=True)})
    placed = rows.select(
        *(
            pl.col(column).replace_strict(places["name"], places["at"]).alias(column)
            for column in ("signature_hash", "other_hash")
        ),
        "is_alike",
        "is_full",
    )
    alike = placed.filter("is_alike").unique()
    ends = alike["signature_hash"].to_numpy(), alike["other_hash"].to_numpy()
    graph = coo_array((np.ones(alike.height, np.int8), ends), shape=(len(names), len(names)))
    _, labels = connected_components(graph.tocsr(), directed=False)
    in_full = placed.filter("is_full")
    full = pl.concat([in_full["signature_hash"], in_full["other_hash"]]).unique()
    # Names are in order: the first of a component is its least.
    _, firsts = np.unique(labels, return_index=True)
    made = pl.DataFrame(
        {
            "signature_hash": names,
            "campaign_hash": names.gather(firsts[labels]),
            "is_bucket_capped": pl.int_range(len(names), eager=True).is_in(full.implode()),
        }
    )
    whose = rows.select(WHOSE).head(1)
    return whose.join(made, how="cross").to_arrow().cast(ARROW)


ARROW = pa.schema(
    [
        ("operator_id", pa.string()),
        ("period_date", pa.date32()),
        ("channel_code", pa.string()),
        ("signature_hash", pa.string()),
        ("campaign_hash", pa.string()),
        ("is_bucket_capped", pa.bool_()),
    ]
)
