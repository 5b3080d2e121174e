"""Checksums: what the arithmetic gives, that it follows any change of a cell, and no order or cut."""

import datetime as dt
import hashlib
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.tables import checksum
from jobs.base.tables.checksum import Fingerprint, add_fingerprints, fingerprint_periods, row_hashes
from jobs.base.tables.contracts import polars_schema, read_contract

PAIR = pl.Struct({"code": pl.String, "is_strong": pl.Boolean})
KINDS: dict[str, Any] = {
    "text": pl.String,
    "other_text": pl.String,
    "count": pl.Int64,
    "small": pl.Int32,
    "is_so": pl.Boolean,
    "day": pl.Date,
    "at": pl.Datetime("us", "UTC"),
    "score": pl.Float64,
    "money": pl.Decimal(24, 2),
    "bytes": pl.Binary,
    "codes": pl.List(pl.String),
    "sketch": pl.List(pl.Int32),
    "pairs": pl.List(PAIR),
    "pair": PAIR,
}
UTC = dt.UTC
ROWS: list[dict[str, Any]] = [
    {},
    {"text": "", "codes": [], "pairs": [], "bytes": b""},
    {"text": "EMAIL", "count": 1, "small": -1, "is_so": True, "day": dt.date(2026, 11, 24)},
    {"text": "0123456789abcdef0123456789abcdef", "at": dt.datetime(2026, 11, 24, 1, 2, 3, 4, tzinfo=UTC)},
    {"text": "eight888", "other_text": "twelve121212", "score": -1.5, "money": Decimal("-12.34")},
    {
        "other_text": "a domain of more.example",
        "score": float("nan"),
        "money": Decimal(10**20),
        "is_so": False,
    },
    {"codes": ["a", None, "longer than twelve"], "sketch": [1, 2, -3], "bytes": b"\x00" * 9},
    {"pairs": [{"code": "a", "is_strong": None}, None], "pair": {"code": None, "is_strong": None}},
]
# A change of these is a change of every stored fingerprint: every operator-period would be written again.
HASHES = [
    "e220a8397b1dcdaf",
    "6d9ecc48ba46f452",
    "856bbac43bb20b30",
    "c85b04613cc56f56",
    "e63631bc482643d5",
    "e7da91fe13b92480",
    "762a4f716202e8da",
    "f319c0d3ed96c559",
]


def frame_of(rows: list[dict[str, Any]], **kinds: Any) -> pl.DataFrame:
    schema = kinds or KINDS
    return pl.DataFrame(
        [{name: row.get(name) for name in schema} for row in rows], schema=schema, orient="row"
    )


def hashes_of(rows: list[dict[str, Any]]) -> list[str]:
    return [format(number, "016x") for number in row_hashes(frame_of(rows))]


# --- the arithmetic, once more and slowly ---------------------------------------------------------------

ALL = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


def mixed(number: int) -> int:
    number &= ALL
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & ALL
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & ALL
    return number ^ (number >> 31)


def part(value: Any, kind: Any, name: str) -> int:
    if value is None:
        return 0
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    return mixed(number(value, kind, name) ^ key)


def number(value: Any, kind: Any, name: str) -> int:
    if isinstance(kind, pl.List):
        elements = [
            mixed(part(each, kind.inner, name) + (place + 1) * GOLDEN) for place, each in enumerate(value)
        ]
        return (mixed(len(value)) + sum(elements)) & ALL
    if isinstance(kind, pl.Struct):
        inner = [part(value[each.name], each.dtype, f"{name}.{each.name}") for each in kind.fields]
        return mixed(GOLDEN + sum(inner))
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        total = len(value)
        for place in range(0, max(len(value), 1), 8):
            total = mixed(total ^ int.from_bytes(value[place : place + 8], "little"))
        return total
    if isinstance(value, float):
        bits: int = struct.unpack("<Q", struct.pack("<d", value + 0.0))[0]
        return bits
    if isinstance(value, Decimal):
        unscaled = int(value.scaleb(kind.scale))
        return mixed(unscaled) ^ ((unscaled >> 64) & ALL)
    if isinstance(value, dt.datetime):
        return (value - dt.datetime(1970, 1, 1, tzinfo=UTC)) // dt.timedelta(microseconds=1) & ALL
    if isinstance(value, dt.date):
        return (value - dt.date(1970, 1, 1)).days & ALL
    return int(value) & ALL


def slowly(row: dict[str, Any]) -> str:
    total = GOLDEN + sum(part(row.get(name), kind, name) for name, kind in KINDS.items())
    return format(mixed(total), "016x")


# --- tests ----------------------------------------------------------------------------------------------


def test_the_hashes_of_today_are_those_that_are_stored() -> None:
    assert hashes_of(ROWS) == HASHES


texts = st.text(max_size=40)
words = st.one_of(texts, st.sampled_from(["", "EMAIL", "0" * 12, "0" * 13, "f" * 32]))
pairs = st.fixed_dictionaries({"code": st.none() | words, "is_strong": st.none() | st.booleans()})
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "text": words,
    "other_text": words,
    "count": st.integers(-(2**63), 2**63 - 1),
    "small": st.integers(-(2**31), 2**31 - 1),
    "is_so": st.booleans(),
    "day": st.dates(),
    "at": st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(UTC)),
    "score": st.floats(allow_nan=False),
    "money": st.decimals(-(10**20), 10**20, places=2),
    "bytes": st.binary(max_size=20),
    "codes": st.lists(st.none() | words, max_size=4),
    "sketch": st.lists(st.none() | st.integers(-5, 5), max_size=4),
    "pairs": st.lists(st.none() | pairs, max_size=3),
    "pair": pairs,
}
tables = st.lists(st.fixed_dictionaries({name: st.none() | cell for name, cell in CELLS.items()}), max_size=6)


@given(tables)
def test_the_fast_way_gives_what_the_slow_way_gives(rows: list[dict[str, Any]]) -> None:
    assert hashes_of(rows) == [slowly(row) for row in rows]


@given(tables, st.data())
def test_a_hash_depends_on_its_row_alone(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    """A row's hash is the same whatever stands around it, and however a frame was cut, joined or filtered."""
    order = data.draw(st.permutations(range(len(rows))))
    cut = data.draw(st.integers(0, len(rows)))
    whole = frame_of(rows)
    expected = [hashes_of([row])[0] for row in rows]
    moved = pl.concat([whole[order[:cut]], whole[order[cut:]]], rechunk=False)
    assert [format(each, "016x") for each in row_hashes(moved)] == [expected[place] for place in order]
    assert [format(each, "016x") for each in row_hashes(whole.slice(cut))] == expected[cut:]


@given(tables.filter(bool), st.data())
def test_each_change_of_a_cell_is_a_change(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(rows))
    name = data.draw(st.sampled_from(list(CELLS)))
    value = data.draw(st.none() | CELLS[name])
    is_same = value == row[name]
    assert (hashes_of([row | {name: value}]) == hashes_of([row])) == is_same


def test_null_is_no_value_and_no_empty_list_and_has_its_place() -> None:
    rows: list[dict[str, Any]] = [
        {}, {"text": ""}, {"text": "a"}, {"other_text": "a"}, {"count": 0}, {"small": 0}, {"is_so": False},
        {"score": 0.0}, {"day": dt.date(1970, 1, 1)}, {"bytes": b""}, {"codes": []}, {"codes": [None]},
        {"codes": [None, None]}, {"codes": [""]}, {"codes": ["a", "b"]}, {"codes": ["b", "a"]},
        {"codes": ["ab"]}, {"sketch": []}, {"sketch": [0]}, {"sketch": [None, 0]}, {"sketch": [0, None]},
        {"pairs": []}, {"pairs": [None]}, {"pairs": [{"code": None, "is_strong": None}]},
        {"pair": {"code": None, "is_strong": None}}, {"pair": {"code": "", "is_strong": None}},
        {"text": "a\0"}, {"text": "a\0\0"}, {"text": "\0" * 8}, {"text": "\0" * 16},
    ]  # fmt: skip
    found = hashes_of(rows)
    assert len(set(found)) == len(rows)
    # Negative zero equals zero.
    assert hashes_of([{"score": -0.0}]) == hashes_of([{"score": 0.0}])


def test_a_type_that_no_contract_uses_is_refused() -> None:
    with pytest.raises(TypeError, match="at: a checksum of"):
        row_hashes(pl.DataFrame({"at": [dt.time(1, 2)]}))


# --- operator-periods -----------------------------------------------------------------------------------

TABLE = "gold.spam_volume_daily"


def volume(*rows: tuple[str, int, int]) -> pl.DataFrame:
    made = [
        {"operator_id": operator, "period_date": dt.date(2026, 11, day), "units": units}
        for operator, day, units in rows
    ]
    return frame_of(made, **polars_schema(TABLE))


def test_a_fingerprint_is_of_an_operator_and_period() -> None:
    found = fingerprint_periods(volume(("a", 24, 1), ("a", 24, 2), ("a", 25, 1), ("b", 24, 1)), TABLE)
    assert {key: each.rows for key, each in found.items()} == {
        ("a", "2026-11-24"): 2,
        ("a", "2026-11-25"): 1,
        ("b", "2026-11-24"): 1,
    }
    assert len({each.checksum for each in found.values()}) == 3
    (one,) = fingerprint_periods(volume(("a", 24, 1)), TABLE).values()
    hashed = row_hashes(volume(("a", 24, 1)).select(read_contract(TABLE).columns))
    assert one == Fingerprint(1, format(hashed[0], "016x"))
    assert fingerprint_periods(volume(), TABLE) == {}


def test_a_row_that_stands_twice_is_a_change() -> None:
    one, two, three = (fingerprint_periods(volume(*[("a", 24, 1)] * count), TABLE) for count in (1, 2, 3))
    assert len({str(each) for each in (one, two, three)}) == 3


def test_values_that_rows_exchange_are_a_change() -> None:
    rows = [("a", 24, 1), ("a", 25, 2)]
    days = pl.lit(dt.date(2026, 11, 1)).alias("period_date")
    channels = pl.Series("channel_code", ["SMS", "EMAIL"])
    (one,), (other,) = (
        fingerprint_periods(volume(*rows).with_columns(days, each), TABLE).values()
        for each in (channels, channels.reverse())
    )
    assert one.rows == other.rows and one.checksum != other.checksum


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(24, 26), st.integers(0, 2**62)), max_size=12),
    st.lists(st.integers(0, 12), max_size=4),
    st.randoms(use_true_random=False),
)
def test_fingerprints_of_parts_add_up_to_that_of_the_whole(
    rows: list[tuple[str, int, int]], cuts: list[int], random: Any
) -> None:
    whole = fingerprint_periods(volume(*rows), TABLE)
    random.shuffle(rows)
    ends = [0, *sorted(cuts), len(rows)]
    parts = [rows[start:end] for start, end in zip(ends, ends[1:], strict=False)]
    assert add_fingerprints(fingerprint_periods(volume(*part), TABLE) for part in parts) == whole


def test_many_rows_are_hashed_in_slices_of_the_same_result() -> None:
    count = 2 * checksum.SLICE + 3
    numbers = np.arange(count)
    frame = pl.DataFrame({"count": numbers, "text": [str(each) * 3 for each in numbers]})
    whole = row_hashes(frame)
    assert len(set(whole.tolist())) == count
    assert (np.concatenate([row_hashes(frame[:7]), row_hashes(frame[7:])]) == whole).all()
