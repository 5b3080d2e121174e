"""Sketches: how many distinct values there are, of sets that are united later.

A sketch holds the SIZE smallest of its values' hashes, a bottom-k sample (Cohen and Kaplan, "Summarizing data
using bottom-k sketches", PODC 2007). Below SIZE values it holds all of them, and its count is exact; beyond,
the standard error is about 1 / sqrt(SIZE - 2), 1.6%. In frames a sketch is a sorted list of whole numbers
below 2**60, in tables their bytes, 8 each, the lowest first (little-endian), whatever library reads them.
"""

import hashlib

import numpy as np
import polars as pl
import pyarrow as pa

SIZE = 4096
BITS = 60
DIGITS = BITS // 4
LIST = pl.List(pl.Int64)


def hash_pseudonym(column: pl.Expr) -> pl.Expr:
    """The hash of a pseudonym, which is a keyed hash already: its first 60 bits. Null stays null.

    Text that is no such pseudonym is hashed as hash_text() does.
    """
    return column.map_batches(cut_pseudonyms, return_dtype=pl.Int64)


def cut_pseudonyms(pseudonyms: pl.Series) -> pl.Series:
    first = pseudonyms.str.slice(0, DIGITS).str.to_integer(base=16, strict=False, dtype=pl.Int64)
    is_other = (first.is_null() | (pseudonyms.str.len_bytes() < DIGITS)) & pseudonyms.is_not_null()
    return hash_texts(pseudonyms).zip_with(is_other, first) if is_other.any() else first


def hash_text(column: pl.Expr) -> pl.Expr:
    """The hash of any text: the first 60 bits of its SHA-256. Null stays null."""
    return column.map_batches(hash_texts, return_dtype=pl.Int64)


def hash_texts(texts: pl.Series) -> pl.Series:
    distinct = texts.drop_nulls().unique()
    made = [int(hashlib.sha256(text.encode()).hexdigest()[:DIGITS], 16) for text in distinct.to_list()]
    return texts.replace_strict(
        distinct, pl.Series(made, dtype=pl.Int64), default=None, return_dtype=pl.Int64
    )


def smallest_hashes(hashes: pl.Expr) -> pl.Expr:
    """The hashes that a sketch keeps, as rows; implode() makes them a list."""
    return hashes.drop_nulls().unique().sort().head(SIZE)


def pack_hashes(column: pl.Expr) -> pl.Expr:
    """Lists of hashes as the bytes of a table's column. Null stays null."""
    return column.map_batches(bytes_of_lists, return_dtype=pl.Binary)


def unpack_hashes(column: pl.Expr) -> pl.Expr:
    """The bytes of a table's column as lists of hashes. Null stays null."""
    return column.map_batches(lists_of_bytes, return_dtype=LIST)


# A list of numbers and its bytes differ in Arrow by their offsets alone.
def bytes_of_lists(lists: pl.Series) -> pl.Series:
    array = lists.cast(LIST).to_arrow()
    values = np.ascontiguousarray(array.values.to_numpy(), "<i8")
    is_given = pa.array(array.is_valid().to_numpy(zero_copy_only=False)).buffers()[1]
    offsets = np.asarray(array.offsets) * 8
    buffers = [is_given, pa.py_buffer(offsets), pa.py_buffer(values)]
    return pl.Series(lists.name, pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(array), buffers))


def lists_of_bytes(sketches: pl.Series) -> pl.Series:
    array = sketches.to_arrow().cast(pa.large_binary())
    _, places, data = array.buffers()
    offsets = np.frombuffer(places, np.int64)[array.offset : array.offset + len(array) + 1]
    if (np.diff(offsets) % 8).any():
        raise ValueError("a sketch is not a whole number of hashes")
    first, last = (int(offsets[end]) for end in (0, -1))
    values = np.frombuffer(data, "<i8", (last - first) // 8, first) if last > first else np.empty(0, "<i8")
    lists = pa.LargeListArray.from_arrays(
        pa.array((offsets - first) // 8), pa.array(values.astype(np.int64)), mask=array.is_null()
    )
    return pl.Series(sketches.name, lists, dtype=LIST)


def estimate_distinct(hashes: pl.Expr) -> pl.Expr:
    """Estimate the number of distinct values that a sketch (a list of hashes) was made of, as a whole number;
    null of null."""
    size = hashes.list.len().cast(pl.Int64)
    of_many = ((SIZE - 1) / (hashes.list.last() / float(1 << BITS))).round().cast(pl.Int64, strict=False)
    return pl.when(size < SIZE).then(size).otherwise(of_many)
