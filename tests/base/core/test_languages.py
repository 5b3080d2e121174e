"""Numbers, dates and names of countries in six languages."""

import datetime as dt
from collections.abc import Callable

import pytest

from jobs.base.core import languages, numbers
from jobs.base.core.languages import use_language

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("language", "write", "value", "shown"),
    [
        ("fr", languages.format_rounded, 2_990_000_000, "2,99 milliards"),
        ("es", languages.format_rounded, "210000000000", "210 mil millones"),
        ("fr", languages.format_before_noun, 22_900_000, "22,9 millions de"),
        ("fr", languages.format_before_noun, 229_000, "229 mille"),
        ("es", languages.format_before_noun, 22_900_000_000, "22,9 mil millones de"),
        ("ru", languages.format_before_noun, 22_900_000, "22,9 миллиона"),
        ("ru", languages.format_rounded, 12_500_000, "12,5 миллиона"),
        ("zh", languages.format_rounded, 210_000_000_000, "2100亿"),
        ("ar", languages.format_rounded, 15_800_000, "15.8 مليون"),
        ("fr", languages.format_rounded, "15.8", "15,8"),
        ("fr", languages.format_compact, 12_500_000, "12,5 M"),
        ("fr", languages.format_count, "1234567", "1 234 567"),
        ("fr", languages.format_pct, "3.39", "3,39 %"),
        ("zh", languages.format_pct, "64", "64%"),
        ("fr", languages.format_change, "8.24", "+8,2 %"),
        ("fr", languages.format_change, "-0.4", "-0,4 %"),
        ("ar", languages.format_change, "8.24", "+8.2%"),
        ("fr", languages.format_whole_percent, "0.2", "<1 %"),
    ],
)
def test_numbers_follow_the_language(
    language: str, write: Callable[[object], str], value: object, shown: str
) -> None:
    with use_language(language):
        told = write(value)
    for space in (NBSP, "\N{NARROW NO-BREAK SPACE}"):
        told = told.replace(space, " ")
    assert "".join(each for each in told if each.isprintable()) == shown


def test_english_is_as_the_house_writes_it() -> None:
    for own, house in (
        (languages.format_rounded, numbers.format_rounded),
        (languages.format_compact, numbers.format_compact),
        (languages.format_count, numbers.format_count),
        (languages.format_change, numbers.format_change),
    ):
        for value in (0, 7, "3.39", 9_876, "12500000", 2_990_000_000):
            assert own(value) == house(value)
    assert languages.join_parts(["a"]) == "a" and languages.join_parts(["a", "b", "c"]) == "a, b and c"


def test_days_and_lists_follow_the_language() -> None:
    day = dt.date(2026, 12, 31)
    with use_language("fr"):
        assert languages.format_day(day) == "31 décembre 2026"
        assert languages.format_day(dt.date(2027, 3, 1)) == "1er mars 2027"
        assert [languages.format_quarter(2027, each) for each in (1, 4)] == [
            "1er trimestre 2027",
            "4e trimestre 2027",
        ]
        assert languages.join_parts(["a", "b"]) == "a et b"
    with use_language("ru"):
        assert languages.format_day(day).replace(NBSP, " ") == "31 декабря 2026 года"
        assert languages.format_quarter(2027, 1).replace(NBSP, " ") == "1-й квартал 2027 года"
    assert languages.format_day(day) == "31 December 2026"
    assert languages.format_quarter(2026, 4) == "quarter 4 of 2026"
