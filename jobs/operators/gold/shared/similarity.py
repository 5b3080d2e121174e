"""Near-duplicates: which signatures of a day belong to one campaign, by MinHash sketches.

Only distinct signatures are compared, never messages: 4,000 copies of a text are one signature. Signatures
that agree in a band of their sketches share a bucket. In a bucket each signature is compared with the first
few by hash, the cap, so that work grows with the number of signatures and not with its square; pairs that a
full bucket may have missed are marked. Signatures linked by likeness, directly or through others, are one
campaign, named by the least of their hashes: nothing depends on the order of rows.

Texts that were not found alike may still be: texts that differ in a greeting agree in half of their sketches.
How many copies share a text's buckets is counted without comparing, so that no cap hides any (company).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.contracts import Row, column_types
from jobs.base.tables.validity import is_day_within, is_valid_on
from jobs.operators.protect.signatures import LANES

# Kinds of signatures that are made from a message's content (jobs/operators/protect/signatures.py).
CONTENT_KINDS = ["text", "fuzzy", "digest"]
CHANNEL_DAY = ["operator_id", "period_date", "channel_code"]
SIGNED = [*CHANNEL_DAY, "signature_hash"]
UNITED = column_types(*SIGNED, "campaign_hash", "is_bucket_capped")
# So many pairs are compared at once: 2 sketches of 64 bytes each take 32 MB.
PAIRS = 250_000
Numbers = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]


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
    def list_thresholds(cls, campaign_parameter: pl.DataFrame) -> list[Thresholds]:
        """The thresholds of all times, one for each time in which none changes.

        Raises ObservatoryError that names what is missing or cannot be.
        """
        rows = campaign_parameter.to_dicts()
        changes = {row["valid_from"] for row in rows} | {row["valid_to"] for row in rows if row["valid_to"]}
        return [
            cls.read_thresholds(rows, *days)
            for days in pairwise([*sorted(changes), None])
            if days[0] is not None
        ]

    @classmethod
    def read_thresholds(cls, rows: list[Row], first: dt.date, end: dt.date | None) -> Thresholds:
        value = {
            row["parameter_code"]: row["parameter_value"]
            for row in rows
            if is_valid_on(first, row["valid_from"], row["valid_to"])
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

    def is_in_force(self) -> pl.Expr:
        """Return whether a row's day is one of theirs."""
        return is_day_within(self.first_day, self.end_day)


def unite_signatures(signature: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """The signatures that are like others of their operator, day and channel, each with its campaign.

    Signatures that are like no other are left out, unless a full bucket may have hidden it.

    Args:
        signature: one row per operator, day, channel and signature_hash, with signature_sketch; null is like
            none.
    """
    sketched = signature.filter(pl.col("signature_sketch").is_not_null()).select(*SIGNED, "signature_sketch")
    parts = [unite_part(part, thresholds) for part in sketched.partition_by(CHANNEL_DAY) if part.height > 1]
    return pl.concat([pl.DataFrame(schema=UNITED), *parts])


def unite_part(signature: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """The signatures of one operator's day and channel that are like others, each with its campaign."""
    signature = signature.sort("signature_hash")
    names, table = signature["signature_hash"], sketch_table(signature["signature_sketch"])
    is_capped = np.zeros(len(names), bool)
    ends: list[tuple[Places, Places]] = []
    least = math.ceil(thresholds.least_similarity * LANES)
    for bucket in band_buckets(table, thresholds):
        order, place, size = place_in_buckets(bucket)
        is_capped[order[size > thresholds.bucket_cap]] = True
        for one, other in pair_rows(order, place, thresholds.bucket_cap):
            is_alike = np.count_nonzero(table[one] == table[other], axis=1) >= least
            ends.append((one[is_alike], other[is_alike]))
    if not any(len(one) for one, _ in ends):
        first, is_like_others = np.arange(len(names)), np.zeros(len(names), bool)
    else:
        # It takes long to import, and most logs hold no texts.
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        one, other = (np.concatenate([each[side] for each in ends]) for side in (0, 1))
        graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(names), len(names)))
        _, label = connected_components(graph.tocsr(), directed=False)
        # Names are in order: the first of a component is its least.
        _, firsts, sizes = np.unique(label, return_index=True, return_counts=True)
        first, is_like_others = firsts[label], sizes[label] > 1
    return (
        signature.select(SIGNED)
        .with_columns(campaign_hash=names.gather(first), is_bucket_capped=pl.Series(is_capped))
        .filter(pl.Series(is_like_others | is_capped))
    )


def sketch_table(sketches: pl.Series) -> npt.NDArray[np.uint16]:
    """Sketches, whose values are below 65,536, as the rows of a table."""
    # The cast raises on any other value.
    table: npt.NDArray[np.uint16] = sketches.cast(pl.List(pl.UInt16)).list.to_array(LANES).to_numpy()
    return table


def band_buckets(table: npt.NDArray[np.uint16], thresholds: Thresholds) -> Iterator[npt.NDArray[np.uint64]]:
    """Yield for each band the bucket of each sketch: a number made of its values there.

    Buckets of two bands are never compared, and no bucket is stored.
    """
    for band in range(thresholds.band_count):
        bucket = np.zeros(len(table), np.uint64)
        for lane in range(band * thresholds.band_rows, (band + 1) * thresholds.band_rows):
            # Four values below 65,536 make a number of their own; of more they make a hash.
            bucket = (bucket << np.uint64(16)) ^ (bucket >> np.uint64(48)) * np.uint64(0x9E3779B97F4A7C15)
            bucket ^= table[:, lane].astype(np.uint64)
        yield bucket


def place_in_buckets(bucket: npt.NDArray[np.uint64]) -> tuple[Places, Numbers, Numbers]:
    """The rows bucket by bucket in their own order, of buckets with at least two; the place of each in its
    bucket, from 0; the size of its bucket."""
    order = np.argsort(bucket, kind="stable")
    in_order = bucket[order]
    start = np.flatnonzero(np.concatenate([[True], in_order[1:] != in_order[:-1]]))
    size = np.diff(np.append(start, len(order)))
    place = np.arange(len(order)) - np.repeat(start, size)
    each = np.repeat(size, size)
    is_shared = each > 1
    return order[is_shared], place[is_shared], each[is_shared]


def pair_rows(order: Places, place: Numbers, cap: int) -> Iterator[tuple[Places, Places]]:
    """Each row of a bucket with those of the first `cap` that stand before it, some of the pairs at a
    time."""
    count = np.minimum(place, cap)
    until = np.cumsum(count)
    begin = 0
    while begin < len(order):
        done = int(until[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(until, done + PAIRS, side="right")))
        of_row = count[begin:end]
        row = np.repeat(np.arange(begin, end), of_row)
        # A row's partners are the first of its bucket, which begins `place` rows before it.
        partner = np.arange(len(row)) - np.repeat(np.cumsum(of_row) - of_row, of_row)
        yield order[row], order[row - place[row] + partner]
        begin = end


def count_neighbours(signature: pl.DataFrame, thresholds: Thresholds, windows: Iterable[int]) -> pl.DataFrame:
    """Count for each signature of a day, and each number of days that end with it: its copies (own_N), and
    the copies of others in its buckets (near_N), once in each bucket.

    Of two texts of a likeness s one is counted in 8 s^4 of the other's 8 buckets on average, and a text of
    which there are many near ones shares at least one bucket with a part of them.

    Args:
        signature: one row per operator, day, channel and signature_hash, with signature_sketch, is_text_short
            (which stays) and copies.
    """
    windows = list(windows)
    kept = [*SIGNED, "is_text_short"]
    parts = [
        count_part(part, thresholds, windows).select(
            *kept, *(f"{what}_{days}" for days in windows for what in ("own", "near"))
        )
        for part in signature.partition_by("operator_id", "channel_code")
    ]
    return pl.concat(parts) if parts else count_part(signature, thresholds, windows)


def count_part(signature: pl.DataFrame, thresholds: Thresholds, windows: list[int]) -> pl.DataFrame:
    """The signatures of one operator and channel, with the copies of others in their buckets."""
    table = sketch_table(signature["signature_sketch"])
    day = signature["period_date"].to_physical().to_numpy().astype(np.int64)
    copies = signature["copies"].to_numpy()
    own = sum_windows(signature["signature_hash"].rank("dense").to_numpy(), day, copies, windows)
    near = {days: np.zeros(len(day), np.int64) for days in windows}
    for bucket in band_buckets(table, thresholds):
        for days, total in sum_windows(bucket, day, copies, windows).items():
            near[days] += total - own[days]
    return signature.with_columns(
        *(pl.Series(f"own_{days}", own[days], pl.Int64) for days in windows),
        *(pl.Series(f"near_{days}", near[days], pl.Int64) for days in windows),
    )


def sum_windows(
    group: npt.NDArray[Any], day: Numbers, copies: Numbers, windows: Iterable[int]
) -> dict[int, Numbers]:
    """Count the copies of each row's group, by number of days that end with the row's own day."""
    windows = list(windows)
    if not len(day):
        return dict.fromkeys(windows, copies)
    order = np.lexsort((day, group))
    in_order = group[order]
    number = np.cumsum(np.concatenate([[False], in_order[1:] != in_order[:-1]]))
    # Groups lie so far apart on one scale of days that no window reaches from one into another.
    span = int(day.max() - day.min()) + max(windows) + 1
    at = number * span + (day[order] - day.min()) + max(windows)
    total = np.concatenate([[0], np.cumsum(copies[order])])
    whole = total[np.searchsorted(at, at, side="right")]
    found = {}
    for days in windows:
        found[days] = np.empty(len(day), np.int64)
        found[days][order] = whole - total[np.searchsorted(at, at - days, side="right")]
    return found
