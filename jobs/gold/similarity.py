"""Which signatures of a day are of one campaign: MinHash sketches, banded, compared and joined up.

Only distinct signatures are compared, never messages: 4,000 copies of a text are one signature. Those that
agree in a band of their sketches share a bucket. In a bucket each signature is compared with the first few by
hash, the cap, so that work grows with the number of signatures and not with its square; what a full bucket
may have missed is marked. Signatures linked by likeness, directly or by way of others, are one campaign,
named by the least of their hashes: nothing depends on order or partitions.

What was not found alike may still be: texts that differ in a greeting agree in half of their sketches. How
many copies share a text's buckets is counted without comparing, so that no cap hides any (company).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

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
    """The rows of ref.campaign_parameter that hold on the same days."""

    first_day: dt.date
    # The first day on which they no longer hold; None while they do.
    end_day: dt.date | None

    least_copies_content: int
    least_copies_behaviour: int
    band_count: int
    band_rows: int
    bucket_cap: int
    least_similarity: float

    @classmethod
    def of(cls, rows: list[Row]) -> list[Thresholds]:
        """The thresholds of all times, one for each time in which none changes.

        Raises ObservatoryError that names what is missing or cannot be.
        """
        changes = {row.valid_from for row in rows} | {row.valid_to for row in rows if row.valid_to}
        return [cls.on(rows, *days) for days in pairwise([*sorted(changes), None]) if days[0] is not None]

    @classmethod
    def on(cls, rows: list[Row], first: dt.date, end: dt.date | None) -> Thresholds:
        value = {
            row.parameter_code: row.parameter_value
            for row in rows
            if row.valid_from <= first and (row.valid_to is None or first < row.valid_to)
        }
        names = [name for name in cls.__annotations__ if not name.endswith("_day")]
        missing = sorted(set(names) - set(value))
        if missing:
            raise ObservatoryError(
                f"ref.campaign_parameter has no row in force on {first} for {', '.join(missing)}"
            )
        whole = {name: int(value[name]) for name in names if name != "least_similarity"}
        found = cls(first, end, **whole, least_similarity=value["least_similarity"])
        if found.band_count * found.band_rows > LANES:
            raise ObservatoryError(
                f"ref.campaign_parameter: band_count times band_rows is {found.band_count * found.band_rows};"
                f" a sketch has {LANES} values"
            )
        return found

    def hold(self) -> Column:
        """Whether a row's day is one of theirs."""
        begun = F.col("period_date") >= F.lit(self.first_day)
        return begun if self.end_day is None else begun & (F.col("period_date") < F.lit(self.end_day))


def united(signature: DataFrame, thresholds: Thresholds) -> DataFrame:
    """The signatures that are like others of their operator, day and channel, each with its campaign.

    signature: one row per operator, day, channel and signature_hash, with signature_sketch; null is like
    none. Signatures that are like no other are left out, unless a full bucket may have hidden it.
    """
    own = [*WHOSE, "band", "bucket"]
    in_bucket = Window.partitionBy(*own)
    placed = (
        signature.filter("signature_sketch IS NOT NULL")
        .select(*WHOSE, "signature_hash", "signature_sketch", F.inline(buckets(thresholds)))
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


def company(signature: DataFrame, thresholds: Thresholds, windows: Iterable[int]) -> DataFrame:
    """For each signature of a day, and each number of days that end with it: its copies (own_N), and the
    copies of others in its buckets (near_N), counted once in each bucket.

    signature: one row per operator, day, channel and signature_hash, with signature_sketch, is_text_short
    (which stays) and copies. Of two texts of a likeness s one is counted in 8 s^4 of the other's 8 buckets on
    average, and a text of which there are many near ones shares at least one bucket with a part of them.
    """
    own = ["operator_id", "channel_code", "band", "bucket"]
    day = F.unix_date("period_date")
    in_bucket = Window.partitionBy(*own).orderBy(day)
    alone = Window.partitionBy(*own, "signature_hash").orderBy(day)
    counts, totals = {}, []
    for days in windows:
        counts[f"all_{days}"] = F.sum("copies").over(in_bucket.rangeBetween(1 - days, 0))
        counts[f"own_{days}"] = F.sum("copies").over(alone.rangeBetween(1 - days, 0))
        totals.append(F.max(f"own_{days}").alias(f"own_{days}"))
        totals.append(F.sum(F.col(f"all_{days}") - F.col(f"own_{days}")).alias(f"near_{days}"))
    kept = [*WHOSE, "signature_hash", "is_text_short"]
    placed = signature.select(*kept, "copies", F.inline(buckets(thresholds)))
    return placed.withColumns(counts).groupBy(*kept).agg(*totals)


def buckets(thresholds: Thresholds) -> Column:
    return F.array(*(bucket(band, thresholds.band_rows) for band in range(thresholds.band_count)))


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
