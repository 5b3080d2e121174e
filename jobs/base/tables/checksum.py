"""Checksums of rows: whether an operator-period changed at all.

A checksum is the sum, modulo 2**64, of its rows' hashes. So it does not depend on the order of the rows, and
the checksums of parts add up to that of the whole, however the rows were cut.

A row's hash is our own arithmetic on 64-bit numbers, for a checksum is stored and no library may change it:

- mix_bits(x) is the finaliser of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
  generators", OOPSLA 2014), a bijection.
- A value becomes a number: whole numbers, dates, timestamps and booleans their own, a double its bits, a
  decimal its unscaled number. Text and bytes, by words of eight bytes (at least one): h = mix_bits(h ^ word),
  from h = length.
- A column adds mix_bits(number ^ key), with a key from the column's name, so a value that moves to another
  column is a change. A null adds nothing, so it equals no value.
- A list adds its length and each element with its place; a struct its fields, each like a column.
- The row's hash is mix_bits of the sum over its columns.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
import pyarrow as pa

from jobs.base.tables.contracts import read_contract

# Rows that are hashed at a time: their columns stay in the processor's cache.
SLICE = 1 << 15
U64 = np.dtype("<u8")
SHIFTS = [np.uint64(shift) for shift in (30, 27, 31)]
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
WORD, HALF = 8, np.uint64(32)
# Arrow's layout with views of texts; a text of so many bytes stands in its view.
LAYOUT = pl.CompatLevel.newest()
INLINE = 12
# The bytes of a text's last word: those that the text has.
MASKS = np.array([(1 << (8 * length)) - 1 for length in range(WORD + 1)], dtype=U64)


@dataclass(frozen=True)
class Fingerprint:
    """The content of an operator-period: its number of rows, and their checksum."""

    rows: int
    checksum: str


# By operator and period, the period as text.
Fingerprints = dict[tuple[str, str], Fingerprint]


def fingerprint_periods(frame: pl.DataFrame, table: str) -> Fingerprints:
    """Each operator-period's fingerprint, of the table's columns."""
    contract = read_contract(table)
    hashes = pl.Series(row_hashes(frame.select(contract.columns)))
    period = pl.col(contract.period).cast(pl.String) if contract.period else pl.lit("")
    # Halves are summed apart, for a sum of 64 bits has no room.
    halves = {"high": hashes // (1 << 32), "low": hashes % (1 << 32)}
    sums = (
        frame.select("operator_id", period.alias("period"), **halves)
        .group_by("operator_id", "period")
        .agg(pl.len(), pl.col("high", "low").sum())
    )
    return {
        (operator, of_period): Fingerprint(rows, checksum_digits((high << 32) + low))
        for operator, of_period, rows, high, low in sums.rows()
    }


def add_fingerprints(parts: Iterable[Mapping[tuple[str, str], Fingerprint]]) -> Fingerprints:
    """The fingerprints of a whole, from those of its parts."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for part in parts:
        for key, each in part.items():
            rows, checksum = sums.get(key, (0, 0))
            sums[key] = (rows + each.rows, checksum + int(each.checksum, 16))
    return {key: Fingerprint(rows, checksum_digits(checksum)) for key, (rows, checksum) in sums.items()}


def checksum_digits(checksum: int) -> str:
    return format(checksum % (1 << 64), "016x")


def row_hashes(frame: pl.DataFrame) -> np.ndarray:
    """Each row's hash, as unsigned numbers of 64 bits."""
    slices = [slice_hashes(part) for part in frame.iter_slices(SLICE)]
    return np.concatenate(slices) if slices else np.zeros(0, dtype=U64)


def slice_hashes(frame: pl.DataFrame) -> np.ndarray:
    total = np.full(frame.height, GOLDEN)
    for column in frame.iter_columns():
        if column.null_count() < len(column):
            total += column_part(column.to_arrow(compat_level=LAYOUT), column.name)
    return mix_bits(total)


def mix_bits(numbers: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64, in place."""
    shifted = numbers >> SHIFTS[0]
    numbers ^= shifted
    numbers *= FIRST
    np.right_shift(numbers, SHIFTS[1], out=shifted)
    numbers ^= shifted
    numbers *= SECOND
    np.right_shift(numbers, SHIFTS[2], out=shifted)
    numbers ^= shifted
    return numbers


@cache
def column_key(name: str) -> np.uint64:
    """The number that stands for a column's name."""
    return np.uint64(int.from_bytes(hashlib.sha256(name.encode()).digest()[:WORD], "little"))


def column_part(values: pa.Array, name: str) -> np.ndarray:
    """The summand of each value of a column in its row's checksum; nothing for a null."""
    parts = mix_bits(numbers_of(values, name) ^ column_key(name))
    if values.null_count:
        parts *= is_valid(values)
    return parts


def numbers_of(values: pa.Array, name: str) -> np.ndarray:
    """Each value as a number; anything for a null."""
    kind = values.type
    if pa.types.is_large_list(kind):
        return numbers_of_lists(values, name)
    if pa.types.is_struct(kind):
        inner = [
            column_part(column, f"{name}.{kind[place].name}") for place, column in enumerate(values.flatten())
        ]
        return mix_bits(sum(inner, np.full(len(values), GOLDEN)))
    if pa.types.is_string_view(kind):
        return numbers_of_texts(values)
    if pa.types.is_binary_view(kind):
        return numbers_of_bytes(values.cast(pa.large_binary()))
    if pa.types.is_decimal128(kind):
        words = np.frombuffer(values.buffers()[1], U64).reshape(-1, 2)[values.offset :][: len(values)]
        return mix_bits(words[:, 0].copy()) ^ words[:, 1]
    if pa.types.is_float64(kind):
        # Negative zero equals zero, and there is one NaN.
        numbers = stored_numbers(values, np.dtype("<f8")) + 0.0
        numbers[np.isnan(numbers)] = np.nan
        return numbers.view(U64)
    if pa.types.is_boolean(kind):
        return read_bits(values, 1)
    if pa.types.is_unsigned_integer(kind):
        return stored_numbers(values, np.dtype(f"<u{kind.bit_width // 8}")).astype(U64)
    if pa.types.is_integer(kind) or pa.types.is_date32(kind) or pa.types.is_timestamp(kind):
        return stored_numbers(values, np.dtype(f"<i{kind.bit_width // 8}")).astype(np.int64).view(U64)
    raise TypeError(f"{name}: a checksum of {kind} is not defined")


def is_valid(values: pa.Array) -> np.ndarray:
    """1 for each value, 0 for each null."""
    return read_bits(values, 0)


def read_bits(values: pa.Array, buffer: int) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(values.buffers()[buffer], np.uint8), bitorder="little")
    return bits[values.offset :][: len(values)].astype(U64)


def stored_numbers(values: pa.Array, kind: np.dtype) -> np.ndarray:
    """The numbers as Arrow stores them. Arrow's own conversion of nulls would import pandas."""
    return np.frombuffer(values.buffers()[1], kind, len(values), values.offset * kind.itemsize)


def numbers_of_lists(values: pa.Array, name: str) -> np.ndarray:
    offsets = read_offsets(values)
    inner = values.values.slice(offsets[0], offsets[-1] - offsets[0])
    offsets = offsets - offsets[0]
    lengths = np.diff(offsets)
    elements = np.zeros(len(inner), dtype=U64)
    if inner.null_count < len(inner):
        elements += column_part(inner, name)
    places = np.arange(len(inner)) - np.repeat(offsets[:-1], lengths)
    elements += (places + 1).astype(U64) * GOLDEN
    sums = np.concatenate([np.zeros(1, dtype=U64), np.cumsum(mix_bits(elements), dtype=U64)])
    return mix_bits(lengths.astype(U64)) + sums[offsets[1:]] - sums[offsets[:-1]]


def numbers_of_texts(values: pa.Array) -> np.ndarray:
    """Text in Arrow's view layout: 4 bytes of length and, of a short text, its up to 12 bytes."""
    views = np.frombuffer(values.buffers()[1], U64, 2 * len(values), values.offset * 2 * WORD).reshape(-1, 2)
    first, second = views[:, 0], views[:, 1]
    lengths = first & np.uint64(0xFFFFFFFF)
    if values.null_count:
        lengths *= is_valid(values)
    longest = lengths.max(initial=0)
    numbers = mix_bits(lengths ^ (first >> HALF | second << HALF))
    if longest > WORD:
        numbers = np.where(lengths > WORD, mix_bits(numbers ^ (second >> HALF)), numbers)
    if longest > INLINE:
        places = np.flatnonzero(lengths > INLINE)
        numbers[places] = numbers_of_bytes(pl.Series(values)[places].cast(pl.Binary).to_arrow())
    return numbers


def numbers_of_bytes(values: pa.Array) -> np.ndarray:
    offsets = read_offsets(values)
    starts, end = offsets[:-1] - offsets[0], offsets[-1] - offsets[0]
    lengths = np.diff(offsets)
    longest = int(lengths.max(initial=0))
    data = np.zeros(end + WORD, dtype=np.uint8)
    if end:
        data[:end] = np.frombuffer(values.buffers()[2], np.uint8, end, offsets[0])
    numbers = lengths.astype(U64)
    if longest % WORD == 0 and end == longest * len(lengths):
        # All of one length, as pseudonyms are.
        for word in data[:end].view(U64).reshape(len(lengths), -1).T:
            numbers = mix_bits(numbers ^ word)
        return numbers
    # The word that begins at each byte.
    words = np.ndarray(end + 1, U64, data, strides=(1,))
    for place in range(0, max(longest, 1), WORD):
        here = np.flatnonzero(lengths > place) if place else np.arange(len(lengths))
        some = words[starts[here] + place] & MASKS[np.minimum(lengths[here] - place, WORD)]
        numbers[here] = mix_bits(numbers[here] ^ some)
    return numbers


def read_offsets(values: pa.Array) -> np.ndarray:
    """Read the offsets at which values of variable length begin, and the end of the last one."""
    return np.frombuffer(values.buffers()[1], "<i8", len(values) + 1, values.offset * WORD)
