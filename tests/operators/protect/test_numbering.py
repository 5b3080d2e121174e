"""jobs.operators.protect.numbering: numbers as E.164, however a log writes them."""

import datetime as dt
import random
from typing import Any

import phonenumbers
import polars as pl
import pytest

from jobs.operators.formats import LINES, Source, delimited, jasmin, kannel
from jobs.operators.formats.kannel import smsbox as kannel_smsbox
from jobs.operators.formats.sip import asterisk
from jobs.operators.formats.sip.kamailio import FORMAT as kamailio
from jobs.operators.formats.sip.kamailio_flat import FORMAT as kamailio_flat
from jobs.operators.protect import location, numbering
from jobs.operators.protect.range_tables import iso3_codes
from tests.operators.formats import test_asterisk, test_delimited, test_jasmin, test_kamailio
from tests.support import bypass_sms


def e164(number: str | None, country: str, is_national: bool = False) -> str | None:
    """One number, beside others that must not be touched."""
    frame = pl.DataFrame({"number": ["447700900123", number, "MyBank", None, "7726"]})
    found = (
        frame.select(numbering.normalise_e164(pl.col("number"), country, is_national)).to_series().to_list()
    )
    assert found[2:] == ["MyBank", None, "7726"]
    if not is_national:
        assert found[0] == "447700900123"
    return found[1]


@pytest.mark.parametrize(
    ("number", "country", "told"),
    [
        ("02079460123", "GBR", "442079460123"),
        ("07700900123", "GBR", "447700900123"),
        ("07700 900 123", "GBR", "447700900123"),
        ("(020) 7946-0123", "GBR", "442079460123"),
        ("0612345678", "FRA", "33612345678"),
        ("0301234567", "DEU", "49301234567"),
        ("0612345678", "ITA", "390612345678"),  # of Rome: the 0 is part of the number
        ("0707123456", "CIV", "2250707123456"),
        ("06301234567", "HUN", "36301234567"),
        ("07700900123", "JEY", "447700900123"),
        ("00447700900123", "FRA", "447700900123"),
        ("+447700900123", "FRA", "447700900123"),
        ("+44 7700 900-123", "FRA", "447700900123"),
        ("+44 (0)7700 900123", "FRA", "447700900123"),
        ("0044 (0) 7700 900123", "FRA", "447700900123"),
        ("+39 (0)6 1234 5678", "FRA", "390612345678"),  # of Rome
        ("+44 7700 (0)900123", "FRA", "4477000900123"),
        ("011447700900123", "USA", "447700900123"),
        ("0011447700900123", "AUS", "447700900123"),
        ("010447700900123", "JPN", "447700900123"),
        ("12025550123", "USA", "12025550123"),
        # Without + and 0, digits are what E.164 says that they are.
        ("2025550123", "USA", "2025550123"),
        ("9876543210", "IND", "9876543210"),
        ("84912345678", "RUS", "84912345678"),
        # What fits no plan is nobody's.
        ("0000000000", "GBR", "0000000000"),
        ("00012345678", "FRA", "00012345678"),
        ("0612345678", "AUS", "0612345678"),
        ("02079460123", "ATA", "02079460123"),
        ("00447700900123", "ATA", "447700900123"),
        ("03012", "DEU", "03012"),
        ("020 MyBank", "GBR", "020 MyBank"),
        ("02079460123@sip.example", "GBR", "02079460123@sip.example"),
        ("٠٢٠٧٩٤٦٠١٢٣", "GBR", "٠٢٠٧٩٤٦٠١٢٣"),
        ("+" * 9, "GBR", "+" * 9),
        ("", "GBR", ""),
        (None, "GBR", None),
    ],
)  # fmt: skip
def test_a_number_in_a_log_of_international_numbers(number: str, country: str, told: str) -> None:
    assert e164(number, country) == told


@pytest.mark.parametrize(
    ("number", "country", "told"),
    [
        ("2025550123", "USA", "12025550123"),
        ("12025550123", "USA", "12025550123"),
        ("12025550123", "JAM", "12025550123"),
        ("9876543210", "IND", "919876543210"),
        ("09876543210", "IND", "919876543210"),
        ("919876543210", "IND", "919876543210"),
        ("89123456789", "RUS", "79123456789"),
        ("9123456789", "RUS", "79123456789"),
        ("810447700900123", "RUS", "447700900123"),
        ("7001234", "FJI", "6797001234"),
        ("6797001234", "FJI", "6797001234"),
        # Of ten digits, but told to be of elsewhere.
        ("+4520123456", "USA", "4520123456"),
        ("+6581234567", "IND", "6581234567"),
        ("5550123", "USA", "5550123"),
        # Plans of few digits.
        ("751234", "NCL", "687751234"),
        ("75.12.34", "NCL", "687751234"),
        ("687751234", "NCL", "687751234"),
        ("+687751234", "NCL", "687751234"),
        ("00687751234", "NCL", "687751234"),
        ("+751234", "NCL", "+751234"),
        ("050012", "NCL", "687050012"),
        ("712345", "AND", "376712345"),
        ("7012", "NIU", "6837012"),
        ("031234", "KIR", "68631234"),
        ("22158", "SHN", "29022158"),
        ("211234", "SUR", "597211234"),
        # Short codes, known ones and those that fit no plan.
        ("1012", "NCL", "1012"),
        ("1 0-12", "NCL", "1 0-12"),
        ("116123", "GRL", "116123"),
        ("26000", "SHN", "26000"),
        ("7726", "NIU", "7726"),
        ("7726", "TKL", "7726"),
        # Where numbers are longer, short ones are short codes, whatever else the plan has.
        ("33333", "DEU", "33333"),
        ("16400", "FIN", "16400"),
        ("82262", "USA", "82262"),
        ("131234", "AUS", "131234"),
    ],
)
def test_a_number_in_a_log_of_national_numbers(number: str, country: str, told: str) -> None:
    assert e164(number, country, is_national=True) == told


@pytest.mark.long
def test_national_formats_of_all_countries_are_told_as_libphonenumber_tells_them() -> None:
    """Examples of each kind of number: as written inside the country where that begins with 0, and, in a
    log of national numbers, all."""
    iso3 = iso3_codes()
    asked, wrong = 0, set()
    for region in sorted(phonenumbers.SUPPORTED_REGIONS & set(iso3)):
        kinds = (0, 1, 3, 4)  # fixed, mobile, toll free, premium
        examples = [found for kind in kinds if (found := phonenumbers.example_number_for_type(region, kind))]
        for number in examples:
            whole = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            inside = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
            digits = "".join(sign for sign in inside if sign.isdigit())
            # In a log of any numbers so few digits are a short code.
            if digits.startswith("0") and len(digits) < numbering.SHORTEST_NUMBER:
                assert e164(digits, iso3[region]) == digits
            is_national = not digits.startswith("0") or len(digits) < numbering.SHORTEST_NUMBER
            asked += 1
            told = e164(digits, iso3[region], is_national=is_national)
            if told != whole.removeprefix("+"):
                wrong.add(region)
            assert e164(whole, iso3[region]) == whole.removeprefix("+")
    assert asked > 700
    # Argentina's 15 inside a number stands for a 9 before it, and Belarus dials a 0 after its trunk prefix.
    assert wrong == {"AR", "BY"}


def test_what_begins_with_0_is_of_no_country() -> None:
    """No country code does; 20 is Egypt's, and 020 was taken for it."""
    numbers = [
        "02079460123",
        "0612345678",
        "0301234567",
        "07700900123",
        "0020",
        "+0612345678",
        "000612345678",
    ]
    assert location.country_of_numbers(pl.Series(numbers)).to_list() == [None] * len(numbers)


def test_e164_numbers_of_all_countries_stay() -> None:
    rng = random.Random(7)
    regions = sorted(phonenumbers.SUPPORTED_REGIONS & set(iso3_codes()))
    examples = [phonenumbers.example_number(region) for region in regions]
    whole = [
        phonenumbers.format_number(each, phonenumbers.PhoneNumberFormat.E164)[1:] for each in examples if each
    ]
    frame = pl.DataFrame({"number": whole})
    for region in rng.sample(regions, 20):
        assert (
            frame.select(numbering.normalise_e164(pl.col("number"), iso3_codes()[region]))["number"].to_list()
            == whole
        )


def acc(sender: str, recipient: str) -> str:
    extras = f";src_user={sender};src_domain=example.test;src_ip=192.0.2.9;dst_ouser={recipient}"
    return test_kamailio.acc(extras=extras)


def flat(sender: str, recipient: str) -> str:
    return test_kamailio.row(extras=f"|{sender}|example.test|192.0.2.9|{recipient}|dev7|192.0.2.7")


def leg(sender: str, recipient: str) -> str:
    return test_asterisk.leg(src=sender, dst=recipient)


def jasmin_line(sender: str, recipient: str) -> str:
    return test_jasmin.mt(sender=f"b'{sender}'", to=f"b'{recipient}'")


def cdr(sender: str, recipient: str) -> str:
    return test_delimited.cdr(ADDR_SRC_DIGITS=sender, ADDR_DST_DIGITS=recipient)


def access(sender: str, recipient: str) -> str:
    sms = bypass_sms.Sms(1_795_500_000, "HUB", sender, recipient, "hello")
    return bypass_sms.line_of(sms).replace("from:+", "from:").replace("to:+", "to:")


def box(sender: str, recipient: str) -> str:
    return (
        f"2026-11-24 13:47:05 send-SMS request added - sender:bank:{sender} 192.0.2.9"
        f" target:{recipient} request: 'hello'"
    )


KERNELS: list[Any] = [
    (kamailio, acc, {}),
    (kamailio_flat, flat, {}),
    (asterisk, leg, {}),
    (jasmin, jasmin_line, {}),
    (delimited, cdr, {"profile": "restcomm"}),
    (kannel, access, {}),
    (kannel_smsbox, box, {}),
]


@pytest.mark.parametrize(("kernel", "line", "options"), KERNELS)
def test_every_kernel_of_numbers_leaves_out_the_0_that_is_dialled_inside(
    kernel: Any, line: Any, options: dict[str, Any]
) -> None:
    frame = pl.LazyFrame(
        {"offset": [0], "line": [line("0044(0)7700900123", "0039(0)612345678")]}, schema=LINES
    )
    source = Source("op", "s", "a", dt.datetime(2026, 11, 27, tzinfo=dt.UTC), options=options)
    rows = kernel.parse(frame, source).collect()
    assert rows.select("sender", "recipient").rows() == [("447700900123", "390612345678")]


@pytest.mark.parametrize(("kernel", "line", "options"), KERNELS)
def test_every_kernel_of_numbers_reads_a_log_of_national_ones(
    kernel: Any, line: Any, options: dict[str, Any]
) -> None:
    """+45 of ten digits is Denmark's, and 2025550123 a number of the operator's own country."""
    newest = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
    lines = [line("2025550123", "+4520123456"), line("011447700900123", "12025550123")]
    frame = pl.LazyFrame({"offset": [0, 1], "line": lines}, schema=LINES)
    told = {}
    for country in (None, "USA"):
        source = Source("op", "s", "a", newest, options=options, numbers_of=country)
        rows = kernel.parse(frame, source).collect()
        assert rows["line_code"].to_list() == ["record"] * 2
        told[country] = rows.select("sender", "recipient").rows()
    assert told["USA"] == [("12025550123", "4520123456"), ("447700900123", "12025550123")]
    assert told[None] == [("2025550123", "4520123456"), ("011447700900123", "12025550123")]
