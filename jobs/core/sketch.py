"""Sketches: how many distinct values there are, of sets that are united later.

A sketch holds the SIZE smallest of its values' hashes, a bottom-k sample (Cohen and Kaplan, "Summarizing data
using bottom-k sketches", PODC 2007). Below SIZE values it holds all of them, and its count is exact; beyond,
the standard error is about 1 / sqrt(SIZE - 2), 1.6%. In frames a sketch is a sorted list of whole numbers below
2**60, in tables their bytes, 8 each, the lowest first (little-endian): no library decides about them.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

SIZE = 4096
BITS = 60
DIGITS = BITS // 4
LIST = pl.List(pl.Int64)


def of_pseudonym(column: pl.Expr) -> pl.Expr:
    """The hash of a pseudonym, which is a keyed hash already: its first 60 bits. Null stays null.

    Text that is no such pseudonym is hashed as of_text() does.
    """
    return column.map_batches(hashed_before, return_dtype=pl.Int64)


def hashed_before(pseudonyms: pl.Series) -> pl.Series:
    first = pseudonyms.str.slice(0, DIGITS).str.to_integer(base=16, strict=False, dtype=pl.Int64)
    is_other = (first.is_null() | (pseudonyms.str.len_bytes() < DIGITS)) & pseudonyms.is_not_null()
    return hashed(pseudonyms).zip_with(is_other, first) if is_other.any() else first


def of_text(column: pl.Expr) -> pl.Expr:
    """The hash of any text: the first 60 bits of its SHA-256. Null stays null."""
    return column.map_batches(hashed, return_dtype=pl.Int64)


def hashed(texts: pl.Series) -> pl.Series:
    distinct = texts.drop_nulls().unique()
    made = [int(hashlib.sha256(text.encode()).hexdigest()[:DIGITS], 16) for text in distinct.to_list()]
    return texts.replace_strict(distinct, pl.Series(made, dtype=pl.Int64), default=None, return_dtype=pl.Int64)


def smallest(hashes: pl.Expr) -> pl.Expr:
    """The hashes that a sketch keeps, as rows; implode() makes them a list."""
    return hashes.drop_nulls().unique().sort().head(SIZE)


def to_bytes(column: pl.Expr) -> pl.Expr:
    """Lists of hashes as the bytes of a table's column. Null stays null."""
    return column.map_batches(
        lambda lists: pl.Series(
            [None if one is None else one.to_numpy().astype("<i8").tobytes() for one in lists],
            dtype=pl.Binary,
        ),
        return_dtype=pl.Binary,
    )


def of_bytes(column: pl.Expr) -> pl.Expr:
    """The bytes of a table's column as lists of hashes. Null stays null."""
    return column.map_batches(
        lambda values: pl.Series(
            [None if one is None else np.frombuffer(one, "<i8") for one in values], dtype=LIST
        ),
        return_dtype=LIST,
    )


def estimate(hashes: pl.Expr) -> pl.Expr:
    """How many distinct values a sketch (a list of hashes) was made of, as a whole number; null of null."""
    size = hashes.list.len().cast(pl.Int64)
    of_many = ((SIZE - 1) / (hashes.list.last() / float(1 << BITS))).round().cast(pl.Int64)
    return pl.when(size < SIZE).then(size).otherwise(of_many)
