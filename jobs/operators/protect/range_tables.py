"""Tables of address ranges and of number ranges, as files of the operator's own choice.

Address ranges come as CSV, Parquet or MaxMind DB, by the file's suffix; number ranges as CSV or Parquet.
Nothing is bundled: such tables carry licences, age within weeks, and no two of them agree.
"""

import csv
import datetime as dt
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.core.column_types import ColumnTypes
from jobs.base.core.errors import ObservatoryError
from jobs.base.figures.mobile_networks import is_mcc_mnc
from jobs.base.tables.contracts import reference_rows

LOCATED: ColumnTypes = {"country_code": pl.String, "asn": pl.Int64, "as_name": pl.String}
# (IP version, first and last address as numbers)
Span = tuple[int, int, int]
Row = dict[str, Any]


@dataclass(frozen=True)
class RangeTable:
    """Address ranges as a file has them: spans, and beside each its row of labels.

    Attributes:
        name, date: what the file says of itself; only a MaxMind DB does.
    """

    spans: list[Span]
    labels: pl.DataFrame
    name: str | None = None
    date: dt.date | None = None


def read_range_table(path: Path) -> RangeTable:
    """The ranges of a file: prefix, or first_ip and last_ip, with country_code, asn and as_name.

    A country may be given by two or three letters, an AS number with or without AS.
    Raises ObservatoryError that names the file and, where a row is wrong, the line or row.
    """
    if not path.is_file():
        raise ObservatoryError(
            f"{path}: no such table of address ranges; [location] ranges in the settings names it."
        )
    if path.suffix == ".mmdb":
        return read_maxmind(path)
    spans: list[Span] = []
    labels: list[tuple[str | None, int | None, str | None]] = []
    choices = [{"prefix", "country_code"}, {"first_ip", "last_ip", "country_code"}]
    for place, row in read_rows(path, choices, "prefix (or first_ip, last_ip) and country_code"):
        try:
            spans.append(parse_span(row))
            labels.append(
                (parse_iso3(row["country_code"]), parse_asn(row.get("asn")), row.get("as_name") or None)
            )
        except ValueError as error:
            raise ObservatoryError(f"{path}, {place}: {error}; mend the row or leave it out") from None
    return RangeTable(spans, pl.DataFrame(labels, schema=LOCATED, orient="row"))


def read_rows(path: Path, choices: list[set[str]], needs: str) -> Iterator[tuple[str, Row]]:
    """Rows of a CSV or Parquet file that has all columns of one of the choices, and where each stands."""
    if path.suffix == ".csv":
        yield from read_csv_rows(path, choices, needs)
    elif path.suffix == ".parquet":
        try:
            table = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise ObservatoryError(f"{path}: not Parquet: {str(error).splitlines()[0]}") from None
        check_columns(path, set(table.columns), choices, needs)
        for number, row in enumerate(table.iter_rows(named=True), start=1):
            yield f"row {number}", {name: "" if value is None else str(value) for name, value in row.items()}
    else:
        raise ObservatoryError(
            f"{path}: a table of ranges is a .csv, a .parquet or, of addresses, a .mmdb file (MaxMind DB)"
        )


def read_csv_rows(path: Path, choices: list[set[str]], needs: str) -> Iterator[tuple[str, Row]]:
    with path.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines, restval="")
        try:
            check_columns(path, set(reader.fieldnames or ()), choices, needs)
            for row in reader:
                yield f"line {reader.line_num}", row
        except (UnicodeDecodeError, csv.Error) as error:
            raise ObservatoryError(
                f"{path}, after line {reader.line_num}: not CSV in UTF-8: {error}"
            ) from None


def check_columns(path: Path, names: set[str], choices: list[set[str]], needs: str) -> None:
    if not any(choice <= names for choice in choices):
        raise ObservatoryError(f"{path}: needs columns {needs}; it has {', '.join(sorted(names)) or 'none'}")


def parse_span(row: Row) -> Span:
    """IP version, first and last address of a row, as numbers. Raises ValueError if there is no range."""
    if row.get("prefix"):
        network = ipaddress.ip_network(row["prefix"].strip(), strict=False)
        return network.version, int(network.network_address), int(network.broadcast_address)
    first, last = (parse_address((row.get(name) or "").strip()) for name in ("first_ip", "last_ip"))
    if first.version != last.version or int(first) > int(last):
        raise ValueError(f"no range from {first} to {last}")
    return first.version, int(first), int(last)


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address; IPv4, of which tables hold hundreds of thousands, by the C library."""
    try:
        return ipaddress.IPv4Address(socket.inet_pton(socket.AF_INET, text))
    except OSError:
        return ipaddress.ip_address(text)


def parse_iso3(code: str | None) -> str | None:
    """ISO 3166-1 alpha-3 by a code of two or three letters."""
    upper = (code or "").strip().upper()
    return iso3_codes().get(upper, upper) or None


def parse_asn(text: Any) -> int | None:
    """An AS number, with or without AS before it."""
    return int(str(text).strip().upper().removeprefix("AS")) if text not in (None, "") else None


@cache
def iso3_codes() -> dict[str, str]:
    """ISO 3166-1 alpha-3 by alpha-2."""
    return {row["iso2"]: row["iso3"] for row in reference_rows("country")}


def read_maxmind(path: Path) -> RangeTable:
    """The ranges of a MaxMind DB, with its own name and date of building.

    Countries and AS numbers are looked for under MaxMind's names and under the flat ones that other makers
    use. Networks of which it says neither are left out.
    """
    import maxminddb

    try:
        with maxminddb.open_database(path, maxminddb.MODE_MEMORY) as database:
            metadata = database.metadata()
            spans, labels = [], []
            for network, record in database:
                label = read_label(record) if isinstance(record, dict) else (None, None, None)
                if label[0] is None and label[1] is None:
                    continue
                spans.append((network.version, int(network.network_address), int(network.broadcast_address)))
                labels.append(label)
    except (maxminddb.InvalidDatabaseError, OSError, ValueError) as error:
        raise ObservatoryError(f"{path}: no MaxMind DB that can be read: {error}; get it again") from None
    if not spans:
        raise ObservatoryError(
            f"{path}: no network has a country or an AS number; it says it is {metadata.database_type}"
        )
    built = dt.datetime.fromtimestamp(metadata.build_epoch, dt.UTC).date() if metadata.build_epoch else None
    table = pl.DataFrame(labels, schema=LOCATED, orient="row")
    return RangeTable(spans, table, metadata.database_type or None, built)


def read_label(record: dict[str, Any]) -> tuple[str | None, int | None, str | None]:
    """Country, AS number and AS name in a record of a MaxMind DB."""
    place = record.get("country") or record.get("registered_country") or {}
    country = place.get("iso_code") if isinstance(place, dict) else place
    number = record.get("autonomous_system_number") or record.get("asn")
    name = record.get("autonomous_system_organization") or record.get("as_name")
    return parse_iso3(country or record.get("country_code")), parse_asn(number), name or None


@dataclass(frozen=True)
class NumberRanges:
    """The network that each number range was given to: MCC-MNC by prefix, digits only.

    Portability is not in it: a ported number keeps the network that its range was given to.
    """

    network: dict[str, str]
    longest: int

    def network_of(self, digits: str) -> str | None:
        """The network of the longest prefix that the number starts with."""
        for length in range(min(self.longest, len(digits)), 0, -1):
            found = self.network.get(digits[:length])
            if found:
                return found
        return None


def read_number_ranges(path: Path) -> NumberRanges:
    """Number ranges from a file with columns prefix and mcc_mnc, as in +4477009,234-15.

    Raises ObservatoryError that names the file and the line or row that is wrong.
    """
    if not path.is_file():
        raise ObservatoryError(
            f"{path}: no such table of number ranges; [location] number_ranges in the settings names it."
        )
    network: dict[str, str] = {}
    for place, row in read_rows(path, [{"prefix", "mcc_mnc"}], "prefix and mcc_mnc"):
        prefix = row["prefix"].strip().removeprefix("+")
        code = row["mcc_mnc"].strip()
        if not (prefix.isascii() and prefix.isdigit()):
            raise ObservatoryError(f"{path}, {place}: prefix '{prefix}' must be digits, as in +4477009")
        if not is_mcc_mnc(code):
            raise ObservatoryError(
                f"{path}, {place}: '{code}' is no MCC-MNC; write three digits, a hyphen and two or three"
                " digits, as in 234-15"
            )
        if network.setdefault(prefix, code) != code:
            raise ObservatoryError(
                f"{path}, {place}: prefix {prefix} was {network[prefix]} before; keep one of the two"
            )
    return NumberRanges(network, max(map(len, network), default=0))
