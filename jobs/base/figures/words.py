"""Words for figures: bounds, dates and names of codes. For numbers see core/numbers."""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import Any

from jobs.base.core.numbers import DASH, NARROW
from jobs.base.tables.contracts import codelist_rows as codelist_rows
from jobs.base.tables.contracts import reference_rows as reference

UNKNOWN, OTHER, TOTAL = "_U", "_O", "_T"
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
# Names that the United Nations write at a length that no chart has room for.
SHORT_COUNTRIES = {
    "EU": "European Union",
    "GBR": "United Kingdom",
    "USA": "United States",
    "HKG": "Hong Kong, China",
    "MAC": "Macao, China",
    "PRK": "DPR Korea",
    "COD": "DR Congo",
    "LAO": "Lao PDR",
    "TZA": "Tanzania",
    "SGS": "South Georgia",
    "ATF": "French Southern Terr.",
    "UMI": "US Outlying Islands",
    "VCT": "St Vincent and Grenadines",
}
FAMILIES = {
    "AD": "Advertising",
    "FRAUD": "Fraud",
    "PHISH": "Phishing",
    "MALWARE": "Malware",
    "PHONE": "Calls",
}


# --- bounds ----------------------------------------------------------------------------------------


# What stands before an amount that is no estimate, by its bound.
BOUNDS = {"lower": "≥ ", "upper": "≤ ", "neither": "~ "}


def bound_sign(code: str | None) -> str:
    """≥ before a lower bound, ≤ before an upper one, ~ before an amount that may err either way."""
    return BOUNDS.get(code or "", "")


def has_missing_part(code: str | None) -> bool:
    """Return whether a bound lacks a part of the cost: then the percentiles of the rest are none of the
    cost."""
    return code in ("lower", "neither")


def is_unpriced(code: str | None, amount: Decimal | float) -> bool:
    """Return whether nothing of a cost has a price: it lacks a part, and the rest is nothing."""
    return has_missing_part(code) and not amount


# --- time -----------------------------------------------------------------------------------------


def format_day(date: dt.date) -> str:
    return f"{date.day}{NARROW}{MONTHS[date.month - 1]}{NARROW}{date.year}"


def abbreviate_day(date: dt.date) -> str:
    """2 Nov, for a chart."""
    return f"{date.day}{NARROW}{MONTHS[date.month - 1][:3]}"


def format_days(first: dt.date, last: dt.date) -> str:
    """2–6 November 2026; 30 November – 2 December 2026."""
    if first == last:
        return format_day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}{DASH}{format_day(last)}"
    start = f"{first.day}{NARROW}{MONTHS[first.month - 1]}"
    return f"{start if first.year == last.year else format_day(first)} {DASH} {format_day(last)}"


def format_period(code: str) -> str:
    """2026-11 as November 2026; other periods as they are."""
    year, _, month = code.partition("-")
    if month.isdigit() and 1 <= int(month) <= 12:
        return f"{MONTHS[int(month) - 1]} {year}"
    return code


def format_time(at: Any) -> str:
    """A time in UTC, given as datetime or as ISO 8601 text."""
    time = dt.datetime.fromisoformat(at) if isinstance(at, str) else at
    if time.tzinfo is not None:
        time = time.astimezone(dt.UTC)
    return f"{format_day(time.date())}, {time:%H:%M} UTC"


def join_unbroken(text: str) -> str:
    """Return a heading whose ranges and hyphens no line break parts."""
    joiner = "\N{WORD JOINER}"
    return text.replace(DASH, f"{joiner}{DASH}{joiner}").replace("-", "\N{NON-BREAKING HYPHEN}")


def join_words(words: Iterable[str]) -> str:
    """a, b and c."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


# --- names ----------------------------------------------------------------------------------------


def code_name(codelist: str, code: str | None) -> str:
    """The name of a code; a code that has none is shown as such."""
    if code is None or code == UNKNOWN:
        return "Unknown"
    if code == TOTAL:
        return "All"
    row = codelist_rows(codelist).get(code)
    return row["name"] if row else f"{code} (no name)"


def code_description(codelist: str, code: str | None) -> str:
    """The description of a code."""
    row = codelist_rows(codelist).get(code or "")
    return row["description"] if row else ""


def lower_first(text: str) -> str:
    """A name in the middle of a sentence: its first letter small, unless it is an acronym."""
    return text if text[:2].isalpha() and text[:2].isupper() else text[:1].lower() + text[1:]


def type_name(code: str | None) -> str:
    """A content type with its family: Fraud: advance fee."""
    family, _, rest = (code or UNKNOWN).partition(".")
    if code == "UNK":
        return "Type not known"
    if code in FAMILIES:
        return FAMILIES[code]
    return (
        f"{FAMILIES[family]}: {lower_first(code_name('type', code))}"
        if rest and family in FAMILIES
        else code_name("type", code)
    )


@cache
def country_names() -> dict[str, str]:
    return {row["iso3"]: row["name_en"] for row in reference("country")}


def country_name(code: str | None, others: str = "Other countries") -> str:
    """A country's name, short enough for a chart."""
    if code is None or code == UNKNOWN:
        return "Unknown"
    if code == OTHER:
        return others
    full = country_names().get(code)
    return SHORT_COUNTRIES.get(code) or (full.split(" (")[0] if full else f"{code} (no name)")


def definition_rows(day: dt.date) -> dict[str, dict[str, str]]:
    """The row of each definition on a day, the last of a report's, by its code and in the table's order.

    One that had ended by then has its last row, for figures of days before; one that had not begun has none.
    """
    rows = [row for row in reference("definition") if dt.date.fromisoformat(row["valid_from"]) <= day]
    newest = {row["definition_code"]: row for row in sorted(rows, key=lambda row: row["valid_from"])}
    return {row["definition_code"]: newest[row["definition_code"]] for row in rows}


def definition_name(code: str, day: dt.date) -> str:
    row = definition_rows(day).get(code)
    return row["name"] if row else f"{code} (no name)"


def measure_name(code: str) -> str:
    for row in reference("measure"):
        if row["measure_code"] == code:
            return row["name"]
    return f"{code} (no name)"
