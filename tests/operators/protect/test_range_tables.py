"""jobs.operators.protect.range_tables: one table of ranges, whatever file it comes in."""

import datetime as dt
import random
from pathlib import Path

import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.operators.protect import location
from jobs.operators.protect.range_tables import read_number_ranges, read_range_table
from tests.support.maxmind import write_maxmind

BUILT = dt.datetime(2026, 11, 3, 12, tzinfo=dt.UTC)
NETWORKS = [
    ("192.0.2.0/25", "CHE", 64500, "Lab net"),
    ("192.0.2.128/25", "NPL", 64501, "Nested net"),
    ("198.51.100.0/24", "FJI", None, None),
    ("2001:db8::/33", "GBR", 64503, "Six net"),
    ("2001:db8:8000::/33", None, 64504, None),
]
ADDRESSES = [
    "192.0.2.1",
    "192.0.2.129",
    "192.0.3.1",
    "198.51.100.255",
    "2001:db8::1",
    "2001:db8:8000::1",
    "::1",
]


def csv_file(folder: Path) -> Path:
    rows = [",".join("" if value is None else str(value) for value in row) for row in NETWORKS]
    file = folder / "ranges.csv"
    # As spreadsheets write it.
    file.write_text("\n".join(["prefix,country_code,asn,as_name", *rows]), encoding="utf-8-sig")
    return file


def parquet_file(folder: Path) -> Path:
    file = folder / "ranges.parquet"
    names = ["prefix", "country_code", "asn", "as_name"]
    pl.DataFrame(NETWORKS, schema=names, orient="row").write_parquet(file)
    return file


def maxmind_file(folder: Path, flat: bool = False) -> Path:
    iso2 = {"CHE": "CH", "NPL": "NP", "FJI": "FJ", "GBR": "GB"}
    file = folder / "ranges.mmdb"
    records = {}
    for network, country, asn, name in NETWORKS:
        if flat:
            record = {"country_code": country, "asn": asn and f"AS{asn}", "as_name": name}
        else:
            record = {
                "country": country and {"iso_code": iso2[country], "geoname_id": 7},
                "autonomous_system_number": asn,
                "autonomous_system_organization": name,
            }
        records[network] = {key: value for key, value in record.items() if value is not None}
    write_maxmind(file, records, "Example-Country-ASN", BUILT)
    return file


FILES = {
    "csv": csv_file,
    "parquet": parquet_file,
    "mmdb": maxmind_file,
    "mmdb of flat records": lambda folder: maxmind_file(folder, flat=True),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_of_file_locates_the_same(tmp_path: Path, kind: str) -> None:
    found = location.locate_in_ranges(pl.Series(ADDRESSES), location.load_ranges(FILES[kind](tmp_path)))
    assert found.rows() == [
        ("CHE", 64500, "Lab net"),
        ("NPL", 64501, "Nested net"),
        (None, None, None),
        ("FJI", None, None),
        ("GBR", 64503, "Six net"),
        (None, 64504, None),
        (None, None, None),
    ]


def test_a_maxmind_database_tells_its_name_and_date(tmp_path: Path) -> None:
    table = read_range_table(maxmind_file(tmp_path))
    assert (table.name, table.date) == ("Example-Country-ASN", BUILT.date())
    table = read_range_table(csv_file(tmp_path))
    assert (table.name, table.date) == (None, None)


def test_networks_of_which_a_database_says_nothing_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "ranges.mmdb"
    write_maxmind(file, {"192.0.2.0/24": {"asn": 7}, "198.51.100.0/24": {"city": "X"}}, "Mixed", BUILT)
    assert len(read_range_table(file).spans) == 1
    write_maxmind(file, {"198.51.100.0/24": {"city": "X"}}, "City only", BUILT)
    with pytest.raises(
        ObservatoryError, match="no network has a country or an AS number; it says it is City"
    ):
        read_range_table(file)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("ranges.mmdb", b"no database", "no MaxMind DB that can be read"),
        ("ranges.mmdb", b"", "no MaxMind DB that can be read"),
        ("ranges.parquet", b"PAR1 and no more", "not Parquet"),
        ("ranges.csv", b"prefix,country_code\n192.0.2.0/24,\xff\n", "not CSV in UTF-8"),
        ("ranges.csv", b"prefix,country_code\n192.0.2.0/24,CHE\n\n192.0.2.0/33,CHE\n", "line 4: "),
        ("ranges.csv", b"prefix,country_code\n,CHE\n", "line 2: "),
        ("ranges.csv", b"", "needs columns prefix .* it has none"),
        ("ranges.txt", b"prefix,country_code\n", r"is a .csv, a .parquet or, of addresses, a .mmdb"),
    ],
)
def test_a_bad_file_is_an_error_that_says_where_and_what_to_do(
    tmp_path: Path, name: str, data: bytes, told: str
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(ObservatoryError, match=told) as error:
        read_range_table(file)
    assert str(error.value).startswith(str(file))


def test_a_bad_row_of_parquet_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ranges.parquet"
    pl.DataFrame(
        {"first_ip": ["192.0.2.1", "192.0.2.9"], "last_ip": ["192.0.2.2", "192.0.2.8"], "country_code": "CH"}
    ).write_parquet(file)
    with pytest.raises(ObservatoryError, match=r"row 2: no range from 192.0.2.9 to 192.0.2.8; mend the row"):
        read_range_table(file)


def test_addresses_are_parsed_alike_one_by_one_and_all_at_once() -> None:
    rng = random.Random(4)
    texts = [".".join(str(rng.randrange(300)) for _ in range(4)) for _ in range(300)]
    texts += [
        "1.2.3.4.",
        "1.2.3",
        "01.2.3.4",
        "1.2.3.4\n",
        "1..2.3",
        ".1.2.3.4",
        "1.2.3.4.5",
        "+1.2.3.4",
        "",
        "١.2.3.4",
    ]
    found = location.ipv4_values(pl.Series(texts)).to_list()
    for text, value in zip(texts, found, strict=True):
        whole = location.pack_address(text)
        assert value == (int.from_bytes(whole, "big") if whole else None), text


# --- number ranges -----------------------------------------------------------------------------------


def test_the_longest_prefix_tells_the_network(tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("prefix,mcc_mnc\n+447700,234-15\n44770090,234-30\n1202555,310-410\n")
    ranges = read_number_ranges(file)
    assert ranges.network_of("447700900123") == "234-30"
    assert ranges.network_of("447700100123") == "234-15"
    assert ranges.network_of("12025550123") == "310-410"
    assert ranges.network_of("4477") is None
    assert ranges.network_of("") is None
    pl.DataFrame({"prefix": [447700], "mcc_mnc": ["234-15"]}).write_parquet(tmp_path / "numbers.parquet")
    assert read_number_ranges(tmp_path / "numbers.parquet").network_of("447700100123") == "234-15"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prefix,network\n", "needs columns prefix and mcc_mnc; it has network, prefix"),
        ("prefix,mcc_mnc\n4477,23415\n", "line 2: '23415' is no MCC-MNC"),
        ("prefix,mcc_mnc\n4477,234-1\n", "line 2: '234-1' is no MCC-MNC"),
        ("prefix,mcc_mnc\n4477,234-15\n+44 77,234-15\n", "line 3: prefix '44 77' must be digits"),
        ("prefix,mcc_mnc\n4477,234-15\n+4477,234-30\n", "line 3: prefix 4477 was 234-15 before"),
    ],
)
def test_a_bad_table_of_numbers_is_an_error_that_says_where(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text(text)
    with pytest.raises(ObservatoryError, match=told):
        read_number_ranges(file)
    with pytest.raises(ObservatoryError, match=r"\[location\] number_ranges in the settings"):
        read_number_ranges(tmp_path / "none.csv")
