"""Numbers as people write them: read where there is one reading, asked about where there are two."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.questionnaire.numbers import Number, Problem, read_number

READ = {
    "1250000": "1250000",
    "1 234,5": "1234.5",
    "1\u202f234\u202f567": "1234567",
    "1,234.5": "1234.5",
    "1.234,5": "1234.5",
    "1,234,567": "1234567",
    "1.234.567": "1234567",
    "1'234'567.25": "1234567.25",
    "1’234": "1234",
    "12,34,567": "1234567",
    "1,00,00,000.5": "10000000.5",
    "0.125": "0.125",
    "1234,567": "1234.567",
    "12,5": "12.5",
    ".5": "0.5",
    "١٢٣٤٥": "12345",
    "١٬٢٣٤٬٥٦٧٫٥": "1234567.5",
    "१२३४५": "12345",
    "１２３４５": "12345",
    "１，２３４，５６７": "1234567",
    "1.5 million": "1500000",
    "2,5 millions": "2500000",
    "3 млн": "3000000",
    "5 тыс.": "5000",
    "30万": "300000",
    "٣ ملايين": "3000000",
    "2 mil millones": "2000000000",
    "-12": "-12",
    "−12": "-12",
    "(500)": "-500",
}


@pytest.mark.parametrize("written", READ)
def test_what_has_one_reading_is_read(written: str) -> None:
    found = read_number(written)
    assert isinstance(found, Number), found
    assert found.value == Decimal(READ[written])
    assert found.is_plain == (written in ("1250000", "-12"))


@pytest.mark.parametrize(
    ("written", "readings"),
    [
        ("1.234", {"1234", "1.234"}),
        ("1,234", {"1234", "1.234"}),
        ("12.500", {"12500", "12.500"}),
        ("１２．５００", {"12500", "12.500"}),
    ],
)
def test_what_has_two_readings_is_asked_about(written: str, readings: set[str]) -> None:
    found = read_number(written)
    assert isinstance(found, Problem) and found.key == "ambiguous"
    assert set(found.values.values()) == readings


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("1,23,4", "separators"),
        ("1 23", "separators"),
        ("1.234.56", "separators"),
        ("1'234 567", "separators"),
        ("1,234.567,8", "separators"),
        ("about 500", "inexact"),
        ("~500", "inexact"),
        ("> 1000", "inexact"),
        ("10-20", "inexact"),
        ("10 – 20", "inexact"),
        ("около 500", "inexact"),
        ("many", "not_a_number"),
        ("12 of 30", "not_a_number"),
        ("3k", "shortened"),
        ("2 bn", "shortened"),
        ("2 billion", "shortened"),
        ("12 GB", "unit"),
        ("12 %", "unit"),
        ("12 USD", "unit"),
        ("1.5e6", "not_a_number"),
    ],
)
def test_what_cannot_be_read_says_why(written: str, key: str) -> None:
    found = read_number(written)
    assert isinstance(found, Problem) and found.key == key, found


def test_a_unit_may_stand_where_it_is_asked_for() -> None:
    assert read_number("12 %", is_percent=True) == Number(Decimal(12), is_plain=False)
    assert read_number("٪١٢", is_percent=True) == Number(Decimal(12), is_plain=False)
    assert read_number("KES 3,000,000", currency="KES") == Number(Decimal(3000000), is_plain=False)
    assert read_number("3 million KES", currency="KES") == Number(Decimal(3000000), is_plain=False)
    assert read_number("€ 12,5", currency="EUR") == Number(Decimal("12.5"), is_plain=False)
    # Many countries have dollars.
    assert read_number("$ 12", currency="USD") == Problem("unit", {"unit": "$"})
    assert read_number("3 M USD", currency="KES") == Problem("unit", {"unit": "USD"})
    assert read_number("3 M KES", currency="KES") == Problem("shortened", {"meant": "3000000"})


# --- any number in any style --------------------------------------------------------------------------

STYLES = {
    "plain point": ("", "."),
    "plain comma": ("", ","),
    "english": (",", "."),
    "german": (".", ","),
    "french": ("\u202f", ","),
    "space and point": (" ", "."),
    "swiss": ("'", "."),
    "swiss typographic": ("\u2019", "."),
    "arabic": ("\u066c", "\u066b"),
}
ALPHABETS = {
    "latin": 0x30,
    "arabic-indic": 0x660,
    "persian": 0x6F0,
    "devanagari": 0x966,
    "full width": 0xFF10,
}


def in_style(whole: int, fraction: str, style: str, is_indian: bool) -> str:
    thousands, point = STYLES[style]
    digits = str(whole)
    groups = [digits[-3:]]
    rest = digits[:-3]
    size = 2 if is_indian else 3
    while rest:
        groups.insert(0, rest[-size:])
        rest = rest[:-size]
    return thousands.join(groups) + (point + fraction if fraction else "")


@given(
    whole=st.integers(0, 10**15),
    fraction=st.text("0123456789", max_size=4),
    style=st.sampled_from(sorted(STYLES)),
    alphabet=st.sampled_from(sorted(ALPHABETS)),
    is_indian=st.booleans(),
)
def test_a_number_of_any_style_is_read_as_itself_or_asked_about(
    whole: int, fraction: str, style: str, alphabet: str, is_indian: bool
) -> None:
    written = in_style(whole, fraction, style, is_indian)
    digits = {ord("0") + n: ALPHABETS[alphabet] + n for n in range(10)}
    found = read_number(written.translate(digits))
    value = Decimal(f"{whole}.{fraction or 0}")
    if isinstance(found, Number):
        assert found.value == value
        return
    # Only one separator with three digits after it may be asked about, and the right reading is offered.
    assert found.key == "ambiguous"
    assert value in {Decimal(str(each)) for each in found.values.values()}
    separators = [character for character in written if not character.isdigit()]
    assert len(separators) == 1 and separators[0] in ".," and len(written.rpartition(separators[0])[2]) == 3


@given(st.text(max_size=30))
def test_no_text_makes_the_reader_fall_over(written: str) -> None:
    assert isinstance(read_number(written, "EUR", True), Number | Problem)
