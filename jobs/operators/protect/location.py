"""Location of an address or a number: country, autonomous system and network.

Addresses are looked up in a table of ranges of the operator's choice; where ranges lie in each other the
smallest decides. Numbers are looked up in libphonenumber's metadata: the country that the number is of,
which portability does not change. What is malformed or not listed is null, never an error.
"""

import datetime as dt
import heapq
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import phonenumbers
import polars as pl

from jobs.base.tables.matching import map_texts
from jobs.operators.protect.numbering import LONGEST_NUMBER, SHORTEST_NUMBER
from jobs.operators.protect.range_tables import LOCATED, Span, iso3_codes, parse_span, read_range_table

MAPPED_V4 = bytes(10) + b"\xff\xff"
BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = rf"^{BYTE}\.{BYTE}\.{BYTE}\.{BYTE}$"
# Countries that share a code differ before a number's last digits; a test checks it.
LAST_DIGITS = "555"


@dataclass(frozen=True)
class Ranges:
    """Address ranges, flattened: sorted segments that do not overlap, for IPv4 and IPv6 apart.

    Attributes:
        v4_first, v6_first: where each segment starts (IPv6 as 16 bytes, which sort as numbers do).
        v4_row, v6_row: the row of `labels` that holds from there on, -1 for none.
        labels: country_code (ISO 3166-1 alpha-3), asn, as_name.
        name, date: what the table says of itself, where it does.
    """

    v4_first: np.ndarray
    v4_row: np.ndarray
    v6_first: np.ndarray
    v6_row: np.ndarray
    labels: pl.DataFrame
    name: str | None = None
    date: dt.date | None = None


def load_ranges(file: str | Path) -> Ranges:
    """Ranges from a table of addresses (jobs/operators/protect/range_tables.py). Kept in memory until the
    file changes.

    Raises ObservatoryError if the file or a column is missing or a row holds no range.
    """
    path = Path(file)
    return _load_ranges(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=2)
def _load_ranges(path: Path, changed: int) -> Ranges:
    table = read_range_table(path)
    return make_ranges(table.spans, table.labels, table.name, table.date)


def make_ranges(
    spans: Sequence[Span], labels: pl.DataFrame, name: str | None = None, date: dt.date | None = None
) -> Ranges:
    """Ranges from (IP version, first, last), the row of `labels` being the place in the list."""
    v4_first, v4_row = flatten_spans(
        [(first, last, row) for row, (version, first, last) in enumerate(spans) if version == 4]
    )
    v6_first, v6_row = flatten_spans(
        [(first, last, row) for row, (version, first, last) in enumerate(spans) if version == 6]
    )
    return Ranges(
        np.array(v4_first, dtype=np.uint64),
        np.array(v4_row, dtype=np.int64),
        np.array([first.to_bytes(16, "big") for first in v6_first], dtype="S16"),
        np.array(v6_row, dtype=np.int64),
        labels,
        name,
        date,
    )


def flatten_spans(spans: Iterable[tuple[int, int, int]]) -> tuple[list[int], list[int]]:
    """Segments without overlap from (first, last, row): where each starts, and its row, -1 for none.

    The smallest span that covers an address decides; of equal ones, the first row.
    """
    ordered = sorted(spans)
    if all(one[1] < other[0] for one, other in pairwise(ordered)):
        return join_spans(ordered)
    bounds = sorted({bound for first, last, _ in ordered for bound in (first, last + 1)})
    starts: list[int] = []
    rows: list[int] = []
    active: list[tuple[int, int, int]] = []
    place = 0
    for bound in bounds:
        while place < len(ordered) and ordered[place][0] == bound:
            first, last, row = ordered[place]
            heapq.heappush(active, (last - first, row, last))
            place += 1
        while active and active[0][2] < bound:
            heapq.heappop(active)
        row = active[0][1] if active else -1
        # 2**128 ends the address space and fits no 16 bytes.
        if bound < 1 << 128 and (not rows or rows[-1] != row):
            starts.append(bound)
            rows.append(row)
    return starts, rows


def join_spans(ordered: Sequence[tuple[int, int, int]]) -> tuple[list[int], list[int]]:
    """Segments of spans in order of which none overlaps another, as most tables have them."""
    starts: list[int] = []
    rows: list[int] = []
    for first, last, row in ordered:
        if starts and starts[-1] == first:
            rows[-1] = row
        else:
            starts.append(first)
            rows.append(row)
        # 2**128 ends the address space and fits no 16 bytes.
        if last + 1 < 1 << 128:
            starts.append(last + 1)
            rows.append(-1)
    return starts, rows


def pack_address(address: str) -> bytes | None:
    """An address as 4 or 16 bytes, IPv4-mapped IPv6 as 4; None if it is none."""
    try:
        if ":" not in address:
            return socket.inet_pton(socket.AF_INET, address)
        whole = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return None
    return whole[12:] if whole.startswith(MAPPED_V4) else whole


def ipv4_values(addresses: pl.Series) -> pl.Series:
    """Each IPv4 address as a number; null for what is none. All addresses at once, without Python."""
    parts = pl.col("ip").str.split_exact(".", 3)
    number = pl.lit(0, dtype=pl.UInt64)
    for place in range(4):
        byte = parts.struct.field(f"field_{place}").cast(pl.UInt64, strict=False)
        number = number * 256 + byte
    return addresses.to_frame("ip").select(pl.when(pl.col("ip").str.contains(IPV4)).then(number)).to_series()


def look_up_rows(addresses: pl.Series, ranges: Ranges) -> np.ndarray:
    """Look up the row of each address in `ranges.labels`: -1 where there is none, -2 where it is no address.

    To read an IPv4 address costs less than to find out whether it was read before; the others are few, are
    read by Python, and are read once each.
    """
    rows = np.empty(len(addresses), dtype=np.int64)
    values = ipv4_values(addresses)
    is_v4 = values.is_not_null().to_numpy()
    rows[is_v4] = find_segments(values.drop_nulls().to_numpy(), ranges.v4_first, ranges.v4_row)
    if not is_v4.all():
        others = addresses.filter(~values.is_not_null())
        found = look_up_distinct(
            others, lambda distinct: pl.DataFrame({"row": find_other_rows(distinct, ranges)})
        )
        rows[~is_v4] = found["row"].to_numpy()
    return rows


def find_other_rows(addresses: pl.Series, ranges: Ranges) -> np.ndarray:
    """The row of each address of IPv6, or of IPv4 within it; -2 of what is no address."""
    rows = np.full(len(addresses), -2, dtype=np.int64)
    binary = [pack_address(address) if address is not None else None for address in addresses]
    for size, starts, labels in ((4, ranges.v4_first, ranges.v4_row), (16, ranges.v6_first, ranges.v6_row)):
        found = [place for place, value in enumerate(binary) if value is not None and len(value) == size]
        keys = [value for value in binary if value is not None and len(value) == size]
        if keys:
            sought = (
                np.array([int.from_bytes(value, "big") for value in keys], dtype=np.uint64)
                if size == 4
                else np.array(keys, dtype="S16")
            )
            rows[found] = find_segments(sought, starts, labels)
    return rows


def find_segments(keys: np.ndarray, starts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Look up the label of the segment that each key falls in, -1 where there is none."""
    if not len(starts):
        return np.full(len(keys), -1, dtype=np.int64)
    # Sorted keys walk through the segments in order, which a cache likes.
    order = np.argsort(keys, kind="stable")
    found = np.empty(len(keys), dtype=np.int64)
    found[order] = np.searchsorted(starts, keys[order], side="right") - 1
    return np.where(found >= 0, labels[found], -1)


def locate_in_ranges(ips: pl.Series, ranges: Ranges) -> pl.DataFrame:
    """country_code (ISO 3166-1 alpha-3), asn and as_name of each address."""
    rows = pl.DataFrame({"row": look_up_rows(ips.cast(pl.String), ranges)})
    places = rows.select(pl.when(pl.col("row") >= 0).then("row")).to_series()
    return ranges.labels.select(pl.col(name).gather(places) for name in LOCATED)


def match_networks(ips: pl.Series, networks: Sequence[str]) -> pl.Series:
    """Return whether each address is in one of the networks; null for what is no address."""
    rows = pl.DataFrame({"row": look_up_rows(ips.cast(pl.String), network_ranges(tuple(networks)))})
    inside = rows.select(pl.when(pl.col("row") != -2).then(pl.col("row") >= 0))
    return inside.to_series().alias(ips.name)


def narrowest_network(ips: pl.Series, networks: Sequence[str]) -> pl.Series:
    """The smallest of the networks that each address is in; null where it is in none, or is no address."""
    rows = pl.DataFrame({"row": look_up_rows(ips.cast(pl.String), network_ranges(tuple(networks)))})
    places = rows.select(pl.when(pl.col("row") >= 0).then("row")).to_series()
    return pl.Series(networks, dtype=pl.String).gather(places).alias(ips.name)


def look_up_distinct(values: pl.Series, results: Callable[[pl.Series], pl.DataFrame]) -> pl.DataFrame:
    """Rows for each value, worked out once for each distinct one; null counts as a value."""
    distinct = values.unique()
    table = results(distinct).with_columns(distinct.alias("value"))
    rows = values.alias("value").to_frame()
    return rows.join(table, on="value", how="left", maintain_order="left", nulls_equal=True).drop("value")


@cache
def network_ranges(networks: tuple[str, ...]) -> Ranges:
    return make_ranges(
        [parse_span({"prefix": network}) for network in networks], pl.DataFrame(schema=LOCATED)
    )


def find_networks(ips: pl.Series) -> pl.Series:
    """The network of each address: /24 of IPv4, /48 of IPv6."""

    def truncate_address(address: str) -> str | None:
        whole = pack_address(address)
        if whole is None:
            return None
        if len(whole) == 4:
            return f"{whole[0]}.{whole[1]}.{whole[2]}.0/24"
        return f"{socket.inet_ntop(socket.AF_INET6, whole[:6] + bytes(10))}/48"

    texts = ips.cast(pl.String)
    is_v4 = pl.col("ip").str.contains(IPV4)
    quick, odd = texts.to_frame("ip").select(
        pl.when(is_v4).then(pl.col("ip").str.replace(r"[0-9]+$", "0/24")).alias("quick"),
        pl.when(~is_v4).then("ip").alias("odd"),
    )
    return quick.zip_with(quick.is_not_null(), map_texts(odd, truncate_address)).alias(ips.name)


# --- numbers ---------------------------------------------------------------------------------------


def country_of_numbers(numbers: pl.Series) -> pl.Series:
    """The country of each number, ISO 3166-1 alpha-3.

    Numbers are international, with +, 00 or nothing before the country code;
    jobs/operators/protect/numbering.py makes them so. Alphanumeric senders, short codes, numbers in a
    national format, numbers of no country (such as +882) and Kosovo, which has no ISO code, are null.
    """
    return map_texts(numbers, country_of_number)


def country_of_number(number: str) -> str | None:
    digits = number.strip().removeprefix("+")
    if digits.startswith("00"):
        digits = digits[2:]
    if not (digits.isascii() and digits.isdigit() and SHORTEST_NUMBER <= len(digits) <= LONGEST_NUMBER):
        return None
    # No country's code begins with 0: such digits are of a national format, and 020 is not Egypt's 20.
    if digits.startswith("0"):
        return None
    # A country shows in its first digits, except where several share a code.
    for length in (1, 2, 3):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]))
        if regions:
            return (
                country_of_one(regions[0])
                if len(regions) == 1
                else country_of_shared(digits[: -len(LAST_DIGITS)], length, regions)
            )
    return None


def country_of_one(region: str) -> str | None:
    return iso3_codes().get(region)


@lru_cache(maxsize=200_000)
def country_of_shared(prefix: str, length: int, regions: tuple[str, ...]) -> str | None:
    """The country of numbers under a code that several share, from all but their last digits.

    It is the main one where none claims them. Under +1 the area code decides, and numbers of no known area
    are null.
    """
    code, rest = int(prefix[:length]), prefix[length:] + LAST_DIGITS
    if code == 1:
        return country_of_area(rest[:3]) if len(rest) == 10 else None
    number = phonenumbers.PhoneNumber(
        country_code=code, national_number=int(rest), italian_leading_zero=rest.startswith("0") or None
    )
    return country_of_one(phonenumbers.region_code_for_number(number) or regions[0])


@cache
def country_of_area(area: str) -> str | None:
    """The country of a North American area code, by a subscriber number that could be of any."""
    number = phonenumbers.PhoneNumber(country_code=1, national_number=int(area + "2345678"))
    region = phonenumbers.region_code_for_number(number)
    return country_of_one(region) if region else None
