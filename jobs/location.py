"""Where an address or a number is: country, autonomous system and network.

Addresses are looked up in a table of ranges of the operator's choice; where ranges lie in each other the
smallest decides. Numbers are looked up in libphonenumber's metadata: the country that the number is of,
which portability does not change. What is malformed or not listed is null, never an error.
"""

from __future__ import annotations

import csv
import heapq
import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import phonenumbers
import polars as pl

from jobs.contracts import REFERENCE
from jobs.errors import ObservatoryError
from jobs.matching import by_distinct

LOCATED: dict[str, Any] = {"country_code": pl.String, "asn": pl.Int64, "as_name": pl.String}
MAPPED_V4 = bytes(10) + b"\xff\xff"
# Shorter numbers are short codes or cannot be placed; longer ones are no E.164 numbers.
SHORTEST_NUMBER, LONGEST_NUMBER = 7, 15


@dataclass(frozen=True)
class Ranges:
    """Address ranges, flattened: sorted segments that do not overlap, for IPv4 and IPv6 apart.

    v4_first, v6_first: where each segment starts (IPv6 as 16 bytes, which sort as numbers do).
    v4_row, v6_row: the row of `labels` that holds from there on, -1 for none.
    labels: country_code (ISO 3166-1 alpha-3), asn, as_name.
    """

    v4_first: np.ndarray
    v4_row: np.ndarray
    v6_first: np.ndarray
    v6_row: np.ndarray
    labels: pl.DataFrame


def load_ranges(file: str | Path) -> Ranges:
    """Ranges from a CSV with a header: prefix or first_ip and last_ip, and country_code, asn, as_name.

    A country may be given by two or three letters. Kept in memory until the file changes.
    Raises ObservatoryError if the file or a column is missing or a row holds no range.
    """
    path = Path(file)
    if not path.is_file():
        raise ObservatoryError(f"{path}: no such table of address ranges; see [location] in the settings.")
    return _load_ranges(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _load_ranges(path: Path, changed: int) -> Ranges:
    with path.open(newline="", encoding="utf-8") as rows:
        reader = csv.DictReader(rows)
        names = set(reader.fieldnames or ())
        if "country_code" not in names or not ({"prefix"} <= names or {"first_ip", "last_ip"} <= names):
            raise ObservatoryError(f"{path}: needs columns prefix (or first_ip, last_ip) and country_code")
        spans, labels = [], []
        for number, row in enumerate(reader, start=2):
            try:
                spans.append(span_of(row))
                asn = int(row["asn"].upper().removeprefix("AS")) if row.get("asn") else None
            except ValueError as error:
                raise ObservatoryError(f"{path}, line {number}: {error}") from None
            country = row["country_code"].upper()
            labels.append((iso3_codes().get(country, country) or None, asn, row.get("as_name") or None))
    return make_ranges(spans, pl.DataFrame(labels, schema=LOCATED, orient="row"))


def span_of(row: dict[str, str]) -> tuple[int, int, int]:
    """IP version, first and last address of a row, as numbers. Raises ValueError if there is no range."""
    if row.get("prefix"):
        network = ipaddress.ip_network(row["prefix"].strip(), strict=False)
        return network.version, int(network.network_address), int(network.broadcast_address)
    first, last = ipaddress.ip_address(row["first_ip"].strip()), ipaddress.ip_address(row["last_ip"].strip())
    if first.version != last.version or int(first) > int(last):
        raise ValueError(f"no range from {first} to {last}")
    return first.version, int(first), int(last)


def make_ranges(spans: Sequence[tuple[int, int, int]], labels: pl.DataFrame) -> Ranges:
    """Ranges from (IP version, first, last), the row of `labels` being the place in the list."""
    v4_first, v4_row = flattened(
        [(first, last, row) for row, (version, first, last) in enumerate(spans) if version == 4]
    )
    v6_first, v6_row = flattened(
        [(first, last, row) for row, (version, first, last) in enumerate(spans) if version == 6]
    )
    return Ranges(
        np.array(v4_first, dtype=np.uint64),
        np.array(v4_row, dtype=np.int64),
        np.array([first.to_bytes(16, "big") for first in v6_first], dtype="S16"),
        np.array(v6_row, dtype=np.int64),
        labels,
    )


def flattened(spans: Iterable[tuple[int, int, int]]) -> tuple[list[int], list[int]]:
    """Segments without overlap from (first, last, row): where each starts, and its row, -1 for none.

    The smallest span that covers an address decides; of equal ones, the first row.
    """
    ordered = sorted(spans)
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


def packed(address: str) -> bytes | None:
    """An address as 4 or 16 bytes, IPv4-mapped IPv6 as 4; None if it is none."""
    try:
        if ":" not in address:
            return socket.inet_pton(socket.AF_INET, address)
        whole = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return None
    return whole[12:] if whole.startswith(MAPPED_V4) else whole


def rows_of(addresses: Sequence[str], ranges: Ranges) -> np.ndarray:
    """For each address the row of `ranges.labels`, -1 where there is none."""
    rows = np.full(len(addresses), -1, dtype=np.int64)
    binary = [packed(address) for address in addresses]
    for size, starts, labels in ((4, ranges.v4_first, ranges.v4_row), (16, ranges.v6_first, ranges.v6_row)):
        places = [place for place, value in enumerate(binary) if value is not None and len(value) == size]
        if not places or not len(starts):
            continue
        values = [value for value in binary if value is not None and len(value) == size]
        keys = (
            np.array([int.from_bytes(value, "big") for value in values], dtype=np.uint64)
            if size == 4
            else np.array(values, dtype="S16")
        )
        found = np.searchsorted(starts, keys, side="right") - 1
        rows[places] = np.where(found >= 0, labels[found], -1)
    return rows


def locate(ips: pl.Series, ranges: Ranges) -> pl.DataFrame:
    """country_code (ISO 3166-1 alpha-3), asn and as_name of each address."""

    def results(distinct: list[str]) -> pl.DataFrame:
        rows = pl.Series(rows_of(distinct, ranges))
        known = ranges.labels.with_columns(pl.Series("__row", range(ranges.labels.height), dtype=pl.Int64))
        return (
            pl.DataFrame({"__row": rows})
            .join(known, on="__row", how="left", maintain_order="left")
            .drop("__row")
        )

    return by_distinct(ips.cast(pl.String), results).select(list(LOCATED))


def in_networks(ips: pl.Series, networks: Sequence[str]) -> pl.Series:
    """Whether each address is in one of the networks; null for what is no address."""
    own = network_ranges(tuple(networks))

    def results(distinct: list[str]) -> pl.DataFrame:
        inside = rows_of(distinct, own) >= 0
        valid = pl.Series([packed(address) is not None for address in distinct], dtype=pl.Boolean)
        return pl.DataFrame({"inside": inside, "valid": valid}).select(
            pl.when("valid").then("inside").alias("inside")
        )

    return by_distinct(ips.cast(pl.String), results)["inside"].alias(ips.name)


@cache
def network_ranges(networks: tuple[str, ...]) -> Ranges:
    return make_ranges([span_of({"prefix": network}) for network in networks], pl.DataFrame(schema=LOCATED))


def network_of(ips: pl.Series) -> pl.Series:
    """The network of each address: /24 of IPv4, /48 of IPv6."""

    def network(address: str) -> str | None:
        whole = packed(address)
        if whole is None:
            return None
        if len(whole) == 4:
            return f"{whole[0]}.{whole[1]}.{whole[2]}.0/24"
        return f"{socket.inet_ntop(socket.AF_INET6, whole[:6] + bytes(10))}/48"

    return each(ips, network)


def each(values: pl.Series, function: Callable[[str], str | None]) -> pl.Series:
    """The function of each distinct text."""

    def results(distinct: list[str]) -> pl.DataFrame:
        return pl.DataFrame({"result": pl.Series([function(value) for value in distinct], dtype=pl.String)})

    return by_distinct(values.cast(pl.String), results)["result"].alias(values.name)


# --- numbers ---------------------------------------------------------------------------------------


@cache
def iso3_codes() -> dict[str, str]:
    """ISO 3166-1 alpha-3 by alpha-2."""
    with (REFERENCE / "country.csv").open(newline="", encoding="utf-8") as rows:
        return {row["iso2"]: row["iso3"] for row in csv.DictReader(rows)}


def country_of_numbers(numbers: pl.Series) -> pl.Series:
    """The country of each number, ISO 3166-1 alpha-3.

    Numbers are international, with +, 00 or nothing before the country code. Alphanumeric senders,
    short codes, numbers of no country (such as +882) and Kosovo, which has no ISO code, are null.
    """
    return each(numbers, country_of_number)


def country_of_number(number: str) -> str | None:
    digits = number.strip().removeprefix("+")
    if digits.startswith("00"):
        digits = digits[2:]
    if not (digits.isascii() and digits.isdigit() and SHORTEST_NUMBER <= len(digits) <= LONGEST_NUMBER):
        return None
    # A country shows in its first digits, except where several share a code.
    for length in (1, 2, 3):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]))
        if regions:
            return (
                country_of_one(regions[0])
                if len(regions) == 1
                else country_of_shared(digits, length, regions)
            )
    return None


def country_of_one(region: str) -> str | None:
    return iso3_codes().get(region)


@lru_cache(maxsize=200_000)
def country_of_shared(digits: str, length: int, regions: tuple[str, ...]) -> str | None:
    """The country of a number under a code that several share; the main one where none claims it.

    Under +1 the area code decides, and numbers of no known area are null.
    """
    code, rest = int(digits[:length]), digits[length:]
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
