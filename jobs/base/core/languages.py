"""Numbers, dates and names of countries in the six languages of the United Nations: English as core/numbers
writes it, the others by CLDR, through Babel."""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import format_compact_decimal, format_decimal, format_percent

from jobs.base.core import numbers
from jobs.base.core.numbers import Number, round_places, round_significant, to_decimal

ENGLISH = "en"
LANGUAGES = (ENGLISH, "fr", "es", "ar", "zh", "ru")
RIGHT_TO_LEFT = ("ar",)
LEFT_TO_RIGHT = "\N{LEFT-TO-RIGHT MARK}"
current: ContextVar[str] = ContextVar("language", default=ENGLISH)


@contextmanager
def use_language(language: str) -> Iterator[None]:
    """While it lasts, numbers, dates and texts are in a language."""
    before = current.set(language)
    try:
        yield
    finally:
        current.reset(before)


def is_english() -> bool:
    return current.get() == ENGLISH


def format_count(number: Number) -> str:
    """Whole, with separators."""
    if is_english():
        return numbers.format_count(number)
    return str(format_decimal(round_places(number, 0), locale=current.get()))


def format_rounded(number: Number) -> str:
    """Format a number for prose, with three digits and the name of the size."""
    return numbers.format_rounded(number) if is_english() else format_size(number, "long", current.get())


def format_before_noun(number: Number) -> str:
    """Format a number as format_rounded() does, before the noun it counts: 22,9 millions de (dollars)."""
    of = " de" if current.get() in ("fr", "es") and abs(round_significant(number)) >= 1_000_000 else ""
    return format_rounded(number) + of


def format_compact(number: Number) -> str:
    """Format a number for a table or a chart, with three digits and a short name of the size."""
    return numbers.format_compact(number) if is_english() else format_size(number, "short", current.get())


@lru_cache(maxsize=100_000)
def format_size(number: Number, kind: str, language: str) -> str:
    """Three digits and the name of the size; the short one where a language has no long one."""
    rounded, locale = round_significant(number), Locale(language)
    if abs(rounded) < 1000:
        return str(format_decimal(rounded, locale=locale, decimal_quantization=False))
    known = kind if kind in locale.compact_decimal_formats else "short"
    return str(format_compact_decimal(rounded, format_type=known, locale=locale, fraction_digits=2))  # type: ignore[arg-type]


def format_significant(number: Number) -> str:
    """Three significant digits, without the name of a size."""
    if is_english():
        return numbers.format_significant(number)
    return str(format_decimal(round_significant(number), locale=current.get(), decimal_quantization=False))


def format_pct(pct: Number) -> str:
    """A percentage with the digits that it has, three at most."""
    if is_english():
        return numbers.format_pct(pct)
    share = round_significant(pct) / 100
    return str(format_percent(share, locale=current.get(), decimal_quantization=False))


def format_change(pct: Number) -> str:
    """A change in percent with its sign and one decimal."""
    if is_english():
        return numbers.format_change(pct)
    # In a text from right to left a mark keeps the sign before the number.
    before = LEFT_TO_RIGHT if current.get() in RIGHT_TO_LEFT else ""
    sign = before + ("+" if to_decimal(pct) > 0 else "")
    share = round_places(pct, 1) / 100
    return sign + str(format_percent(share, locale=current.get(), decimal_quantization=False))


def format_whole_percent(pct: Number) -> str:
    """A percentage in whole percent; below one the language's own 'less than' sign is <."""
    if is_english():
        return numbers.format_whole_percent(pct)
    whole = round_places(pct, 0)
    shown = format_percent(max(whole, Decimal(1)) / 100, locale=current.get())
    return f"<{shown}" if not whole else str(shown)


def format_day(day: dt.date) -> str:
    """Day, month and year; in English as the Union writes them: 28 February 2027."""
    shown = strip_stop(format_date(day, "long", locale="en_GB" if is_english() else current.get()))
    return re.sub(r"^1\b", "1er", shown) if current.get() == "fr" else shown


def format_quarter(year: int, quarter: int) -> str:
    if is_english():
        return f"quarter {quarter} of {year}"
    return strip_stop(format_skeleton("yQQQQ", dt.date(year, 3 * quarter, 1), locale=current.get()))


def strip_stop(text: str) -> str:
    """A Russian date with its last word whole, for a sentence may end behind it."""
    return re.sub(r"\sг\.", f"{numbers.NARROW}года", text)


def join_parts(parts: Sequence[str]) -> str:
    """a, b and c."""
    if len(parts) < 2 or not is_english():
        return str(format_list(list(parts), locale=current.get()))
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
