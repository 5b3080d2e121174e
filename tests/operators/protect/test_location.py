"""jobs.operators.protect.location: where addresses and numbers are."""

import ipaddress
import pickle
import random

import phonenumbers
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.operators.protect import location
from tests.support.examples import examples

TABLE = """prefix,country_code,asn,as_name
192.0.2.0/24,CH,64500,Lab net
192.0.2.128/25,NPL,AS64501,Nested net
192.0.2.200/32,FJ,64502,
192.0.2.0/24,GB,64999,Told twice
198.51.100.0/25,DEU,,
2001:db8::/32,GBR,64503,Six net
2001:db8:1::/48,FR,64504,Nested six
::/0,USA,64505,All of six
"""


@pytest.fixture
def ranges(tmp_path):
    file = tmp_path / "ranges.csv"
    file.write_text(TABLE, encoding="utf-8")
    return location.load_ranges(file)


@pytest.mark.parametrize(
    ("address", "country", "asn"),
    [
        ("192.0.2.0", "CHE", 64500),
        ("192.0.2.127", "CHE", 64500),
        ("192.0.2.128", "NPL", 64501),
        ("192.0.2.199", "NPL", 64501),
        ("192.0.2.200", "FJI", 64502),
        ("192.0.2.201", "NPL", 64501),
        ("192.0.2.255", "NPL", 64501),
        ("192.0.1.255", None, None),
        ("192.0.3.0", None, None),
        ("198.51.100.127", "DEU", None),
        ("198.51.100.128", None, None),
        ("::ffff:192.0.2.130", "NPL", 64501),
        ("2001:db8::", "GBR", 64503),
        ("2001:db8:0:ffff:ffff:ffff:ffff:ffff", "GBR", 64503),
        ("2001:DB8:1::", "FRA", 64504),
        ("2001:db8:1:ffff:ffff:ffff:ffff:ffff", "FRA", 64504),
        ("2001:db8:2::", "GBR", 64503),
        ("2001:db9::", "USA", 64505),
        ("::", "USA", 64505),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "USA", 64505),
        (None, None, None),
    ],
)
def test_the_smallest_range_decides(ranges, address, country, asn):
    located = location.locate_in_ranges(pl.Series([address], dtype=pl.String), ranges)
    assert located.row(0)[:2] == (country, asn)


MALFORMED = [
    "",
    " ",
    "unknown",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.1:25",
    "[192.0.2.1]",
    "192.0.2.1\0",
    "1e3",
    "::1%lo",
    ":::",
    "²",
]


@pytest.mark.parametrize("address", MALFORMED)
def test_what_is_no_address_is_null(ranges, address):
    values = pl.Series([address])
    assert location.locate_in_ranges(values, ranges).row(0) == (None, None, None)
    assert location.find_networks(values).to_list() == [None]
    assert location.match_networks(values, ["0.0.0.0/0"]).to_list() == [None]


def test_rows_keep_their_order_and_ranges_travel(ranges):
    values = pl.Series(["192.0.2.1", None, "2001:db8::1", "x", "192.0.2.1"] * 3)
    located = location.locate_in_ranges(values, pickle.loads(pickle.dumps(ranges)))
    assert located["country_code"].to_list() == ["CHE", None, "GBR", None, "CHE"] * 3
    assert located.schema == {"country_code": pl.String, "asn": pl.Int64, "as_name": pl.String}
    assert location.locate_in_ranges(values.clear(), ranges).height == 0


def test_ranges_by_first_and_last(tmp_path):
    file = tmp_path / "ranges.csv"
    file.write_text(
        "first_ip,last_ip,country_code,asn,as_name\n192.0.2.5,192.0.2.9,CHE,1,A\n192.0.2.8,192.0.2.30,NPL,2,B\n"
    )
    found = location.locate_in_ranges(
        pl.Series([f"192.0.2.{last}" for last in (4, 5, 9, 10, 30, 31)]), location.load_ranges(file)
    )
    assert found["asn"].to_list() == [None, 1, 1, 2, 2, None]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("network,country\n", "needs columns"),
        ("prefix,country_code\n192.0.2.0/24,CHE\n192.0.2.0/40,CHE\n", "line 3"),
        ("first_ip,last_ip,country_code\n192.0.2.9,192.0.2.5,CHE\n", "line 2"),
        ("prefix,country_code,asn\n192.0.2.0/24,CHE,sixty\n", "line 2"),
    ],
)
def test_a_bad_table_is_an_error_that_says_where(tmp_path, text, told):
    file = tmp_path / "ranges.csv"
    file.write_text(text)
    with pytest.raises(ObservatoryError, match=told):
        location.load_ranges(file)
    with pytest.raises(ObservatoryError, match="no such table"):
        location.load_ranges(tmp_path / "none.csv")


@examples(100)
@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), min_size=1, max_size=8),
    st.integers(0, 255),
)
def test_lookup_agrees_with_a_search_through_all_ranges(prefixes, last):
    networks = [ipaddress.ip_network(f"192.0.2.{start}/{length}", strict=False) for start, length in prefixes]
    labels = pl.DataFrame(
        {
            "country_code": ["CHE"] * len(networks),
            "asn": range(len(networks)),
            "as_name": [None] * len(networks),
        },
        schema=location.LOCATED,
    )
    table = location.make_ranges(
        [location.parse_span({"prefix": str(network)}) for network in networks], labels
    )
    address = ipaddress.ip_address(f"192.0.2.{last}")
    covering = [(-network.prefixlen, place) for place, network in enumerate(networks) if address in network]
    expected = min(covering)[1] if covering else None
    assert location.locate_in_ranges(pl.Series([str(address)]), table)["asn"].to_list() == [expected]


def test_networks():
    values = pl.Series("client", ["192.0.2.77", "2001:db8:12:34::1", "::ffff:198.51.100.9", None])
    networks = location.find_networks(values)
    assert networks.to_list() == ["192.0.2.0/24", "2001:db8:12::/48", "198.51.100.0/24", None]
    assert networks.name == "client"
    assert location.match_networks(values, ["192.0.2.64/26", "2001:db8:12::/48"]).to_list() == [
        True,
        True,
        False,
        None,
    ]
    assert location.match_networks(values, []).to_list() == [False, False, False, None]


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+447700900123", "GBR"),
        ("447700900123", "GBR"),
        ("00447700900123", "GBR"),
        ("+12025550123", "USA"),
        ("+12425550123", "BHS"),
        ("+18765550123", "JAM"),
        ("+16135550123", "CAN"),
        ("+11115550123", None),
        ("+1202555", None),
        ("+77011234567", "KAZ"),
        ("+79261234567", "RUS"),
        ("+390612345678", "ITA"),
        ("+212612345678", "MAR"),
        ("+35799123456", "CYP"),
        ("+9779841234567", "NPL"),
        ("+6797001234", "FJI"),
        ("+41791234567", "CHE"),
        ("+882123456789", None),
        ("+383441234567", None),
        ("+99999999999", None),
        ("7726", None),
        ("INFOSMS", None),
        ("1NFO5M5", None),
        ("٤٤٧٧٠٠٩٠٠١٢٣", None),
        ("+" * 9, None),
        ("41" + "7" * 4, None),
        ("41" + "7" * 5, "CHE"),
        ("41" + "7" * 13, "CHE"),
        ("41" + "7" * 14, None),
        ("", None),
        (None, None),
    ],
)
def test_country_of_a_number(number, country):
    assert location.country_of_numbers(pl.Series([number], dtype=pl.String)).to_list() == [country]


def test_countries_that_share_a_code_are_told_before_the_last_digits():
    """Countries are those that libphonenumber names for whole numbers, near those that it gives as
    examples."""
    rng = random.Random(5)
    shared = {
        code: names for code, names in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items() if len(names) > 1
    }
    for code, regions in shared.items():
        if code == 1:
            continue
        examples = [
            phonenumbers.national_significant_number(number)
            for region in regions
            for kind in range(11)
            if (number := phonenumbers.example_number_for_type(region, kind))
        ]
        for _ in range(100):
            digits = rng.choice(examples)
            keep = rng.randrange(1, len(digits))
            digits = digits[:keep] + "".join(str(rng.randrange(10)) for _ in digits[keep:])
            number = phonenumbers.PhoneNumber(
                country_code=code,
                national_number=int(digits),
                italian_leading_zero=digits.startswith("0") or None,
            )
            region = phonenumbers.region_code_for_number(number) or regions[0]
            assert location.country_of_number(f"{code}{digits}") == location.country_of_one(region)
