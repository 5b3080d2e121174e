"""Numbers as people write them: read where there is one reading, asked about where there are two."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.study.questionnaire.number_formats import number_in_format
from jobs.study.questionnaire.numbers import Number, NumberProblem, read_number
from jobs.study.questionnaire.texts import unit_words

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
    "'1500": "1500",
    "’1 500": "1500",
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
    assert isinstance(found, NumberProblem) and found.key == "ambiguous"
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
    assert isinstance(found, NumberProblem) and found.key == key, found


def test_a_text_of_two_hundred_signs_is_read_and_a_longer_one_is_not() -> None:
    assert read_number("12".ljust(200)) == Number(Decimal(12), is_plain=True)
    assert read_number("12".ljust(201)) == NumberProblem("not_a_number")


def test_a_unit_may_stand_where_it_is_asked_for() -> None:
    assert read_number("12 %", is_percent=True) == Number(Decimal(12), is_plain=False)
    assert read_number("٪١٢", is_percent=True) == Number(Decimal(12), is_plain=False)
    assert read_number("KES 3,000,000", currency="KES") == Number(Decimal(3000000), is_plain=False)
    assert read_number("3 million KES", currency="KES") == Number(Decimal(3000000), is_plain=False)
    assert read_number("€ 12,5", currency="EUR") == Number(Decimal("12.5"), is_plain=False)
    # Many countries have dollars.
    assert read_number("$ 12", currency="USD") == NumberProblem("unit", {"unit": "$"})
    assert read_number("3 M USD", currency="KES") == NumberProblem("unit", {"unit": "USD"})
    assert read_number("3 M KES", currency="KES") == NumberProblem("shortened", {"meant": "3000000"})


@pytest.mark.parametrize(
    ("written", "unit", "value"),
    [
        ("820 000 mailboxes", "mailboxes", "820000"),
        ("820 000 Mailboxes.", "mailboxes", "820000"),
        ("3 million mailboxes", "mailboxes", "3000000"),
        ("500 messages", "messages", "500"),
        ("500条信息", "messages", "500"),
        ("3万条信息", "messages", "30000"),
        ("12 tentatives d’appel", "calls", "12"),
        ("820 000 почтовых ящиков", "mailboxes", "820000"),
        ("5 years", "years", "5"),
        ("5 ans", "years", "5"),
        ("50 percent", "of_use", "50"),
        ("50 % of use", "of_use", "50"),
        ("占使用量的50%", "of_use", "50"),
    ],
)
def test_the_cells_own_unit_is_read_in_any_language(written: str, unit: str, value: str) -> None:
    kind = "percent" if unit.startswith("of_") else "number"
    found = read_number(written, is_percent=kind == "percent", units=unit_words(unit, kind))
    assert found == Number(Decimal(value), is_plain=False)


def test_another_unit_is_told_without_the_cells_own() -> None:
    assert read_number("5 GB mailboxes", units=unit_words("mailboxes", "number")) == NumberProblem(
        "unit", {"unit": "GB"}
    )
    assert read_number("5 mailboxesful", units=unit_words("mailboxes", "number")).key == "unit"  # type: ignore[union-attr]
    assert read_number("50 % of spam", is_percent=True, units=unit_words("of_use", "percent")).key == "unit"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("written", "currency"),
    [
        ("FJ$ 1250000", "FJD"), ("1250000 fj$", "FJD"), ("US$1250000", "USD"), ("FCFA 1250000", "XOF"),
        ("1 250 000 kr", "SEK"), ("kr. 1.250.000", "DKK"), ("1250000kr.", "NOK"), ("1 250 000 kr", "ISK"),
        ("Rs. 12,50,000", "INR"), ("Rs 1,250,000", "PKR"), ("1250000 rs", "LKR"), ("₨ 1250000", "NPR"),
        ("Rs 1,250,000", "MUR"), ("Fr. 1'250'000", "CHF"), ("1250000 Fr.", "CHF"), ("SFr. 1250000", "CHF"),
        ("1'250'000.-", "CHF"), ("Fr. 1250000.–", "CHF"), ("1250000.— CHF", "CHF"),
        ("1 250 000:-", "SEK"), ("kr 1.250.000,-", "NOK"), ("1.250.000,- €", "EUR"),
    ],
)  # fmt: skip
def test_the_signs_of_the_cells_own_currency_are_read(written: str, currency: str) -> None:
    assert read_number(written, currency) == Number(Decimal(1250000), is_plain=False)
    other = read_number(written, "KES")
    assert isinstance(other, NumberProblem) and other.key == "unit"


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("5.- 100", "not_a_number"),
        ("5.-100", "not_a_number"),
        ("100-", "unit"),
        ("100 .-", "unit"),
        ("5.-x", "unit"),
    ],
)
def test_another_dash_is_asked_about(written: str, key: str) -> None:
    found = read_number(written, "CHF")
    assert isinstance(found, NumberProblem) and found.key == key, found


@pytest.mark.parametrize(
    ("written", "value"),
    [("+5", "5"), ("1250000.", "1250000"), ("1250000。", "1250000"), ("+ 5 000", "5000")],
)
def test_a_plus_and_a_point_at_the_end_are_no_unit(written: str, value: str) -> None:
    assert read_number(written) == Number(Decimal(value), is_plain=False)


@pytest.mark.parametrize(
    ("number_format", "key"),
    [
        ("General", None),
        ("#,##0", None),
        ("# ##0.00", None),
        ("0.00E+00", None),
        ("[Red]-#,##0;#,##0", None),
        ('_-* #,##0.00\\ _€_-;-* #,##0.00\\ _€_-;_-* "-"??\\ _€_-;_-@_-', None),
        ('"KES" #,##0', None),
        ("[$KSh-441] #,##0", None),
        ('#,##0;-#,##0;"nil"', None),
        ("#,##0,", "format"),
        ("0.0,,", "format"),
        ('[>=1000000]0.0,,"M";0', "format"),
        ('#,##0 "thousand"', "format"),
        ("#,##0\\k", "format"),
        ('#,##0 "mailboxes"', "format"),
        ("[$€-407] #,##0", "unit"),
        ("0%", "unit"),
    ],
)
def test_a_format_that_shows_another_number_is_asked_about(number_format: str, key: str | None) -> None:
    found = number_in_format(Decimal(820), number_format, "KES", is_percent=False)
    assert (found.key if isinstance(found, NumberProblem) else None) == key


def test_a_format_may_show_the_cells_own_unit_and_percent() -> None:
    own = unit_words("mailboxes", "number")
    assert number_in_format(Decimal(8), '0 "mailboxes"', None, False, own) == Number(
        Decimal(8), is_plain=True
    )
    tenth = number_in_format(Decimal("0.007"), "0.0%", None, is_percent=True)
    assert tenth == Number(Decimal("0.7"), is_plain=False)


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
    assert isinstance(read_number(written, "EUR", True), Number | NumberProblem)
