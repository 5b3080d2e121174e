"""Keyed hashes: HMAC-SHA256, cut to 128 bits."""

import hashlib

import numpy as np
import polars as pl
import pyarrow as pa

from jobs.base.tables.matching import map_distinct_rows

# RFC 2104: the block size of SHA-256, and the bytes that the key is mixed with inside and outside.
BLOCK, INSIDE, OUTSIDE = 64, 0x36, 0x5C
# Bytes of a SHA-256 digest; those that are kept.
WHOLE, KEPT = 32, 16


def keyed_hashes(values: pl.Series, key: bytes) -> pl.Series:
    """The hash of each value as 32 hexadecimal digits; null stays null.

    Each distinct value is hashed once.
    """
    return map_distinct_rows(values, lambda distinct: pl.DataFrame({"hash": hash_values(distinct, key)}))[
        "hash"
    ]


def hash_values(values: list[str], key: bytes) -> pl.Series:
    """The hash of each value as 32 hexadecimal digits; no value is null.

    What the key alone decides is computed once: hmac.digest() computes it for each value, in twice the time.
    """
    if len(key) > BLOCK:
        key = hashlib.sha256(key).digest()
    inside, outside = (
        hashlib.sha256(bytes(byte ^ mixed for byte in key.ljust(BLOCK, b"\0"))).copy
        for mixed in (INSIDE, OUTSIDE)
    )
    digests = []
    for value in values:
        inner, outer = inside(), outside()
        inner.update(value.encode())
        outer.update(inner.digest())
        digests.append(outer.digest())
    # The kept bytes of digests that follow each other, as one text each.
    count = len(values)
    kept = np.frombuffer(b"".join(digests), np.uint8).reshape(count, WHOLE)[:, :KEPT]
    ends = np.arange(count + 1, dtype=np.int64) * (2 * KEPT)
    text = kept.tobytes().hex().encode()
    return pl.Series(pa.LargeStringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(text)))
