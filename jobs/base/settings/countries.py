"""Codes of countries and currencies, and the nearest right one for a wrong one."""

import re
import unicodedata
from functools import cache

from jobs.base.core.choices import check_choice, nearest_hint
from jobs.base.tables.contracts import reference_rows

# Shorter texts are codes, not names.
LEAST_NAME = 4
# Kinds of apostrophes, and points as in U.K.
APOSTROPHES = re.compile(r"['’‘ʼʹ′`´.]")
BRACKETS = re.compile(r"\s*[(（].*")


@cache
def country_codes() -> frozenset[str]:
    return frozenset(row["iso3"] for row in reference_rows("country"))


@cache
def countries_by_alpha_2() -> dict[str, str]:
    """Alpha-3 codes by alpha-2 codes."""
    found = {row["iso2"]: row["iso3"] for row in reference_rows("country")}
    return found | {"UK": found["GB"]}


def check_country(code: str) -> str:
    """The code itself if it is one of ISO 3166-1 alpha-3; else an error with the right or nearest one."""
    if code in country_codes():
        return code
    raise ValueError(f"unknown country (ISO 3166-1 alpha-3) '{code}'{nearest_country(code)}")


def nearest_country(code: str) -> str:
    """A hint such as `; did you mean 'CHE'?`: what two letters or a name stand for, else the nearest code."""
    meant = countries_by_alpha_2().get(code.upper()) or country_of_name(code)
    return f"; did you mean '{meant}'?" if meant else nearest_hint(code, country_codes())


def fold_name(name: str) -> str:
    """A name for comparison: without differences of case, accents, apostrophes, hyphens, points and space."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    kept = "".join(each for each in letters if unicodedata.category(each) not in ("Mn", "Cf"))
    return " ".join(APOSTROPHES.sub("", kept.replace("-", " ")).split())


@cache
def countries_by_name() -> dict[str, str]:
    """Alpha-3 codes by the folded code, by names in any language, by these without their part in brackets,
    and by common short names; without names that two countries share."""
    found: dict[str, set[str]] = {}
    shortened: dict[str, set[str]] = {}
    for row in (*reference_rows("country"), *reference_rows("country_name")):
        full = [row["iso3"], *(text for name, text in row.items() if name.startswith("name_"))]
        short = [*(row.get("short_names") or "").split("|"), *(BRACKETS.sub("", each) for each in full)]
        for names, kept in ((full, found), (short, shortened)):
            for name in filter(None, map(fold_name, names)):
                kept.setdefault(name, set()).add(row["iso3"])
    return {name: min(codes) for name, codes in (shortened | found).items() if len(codes) == 1}


def country_named(name: str) -> str | None:
    """The code of the country with this code or name, in any language."""
    return countries_by_name().get(fold_name(name))


def country_of_name(name: str) -> str | None:
    """The code of the one country with this name, or with an English name that begins so."""
    begun = {
        row["iso3"]
        for row in reference_rows("country")
        if fold_name(row["name_en"]).startswith(fold_name(name))
    }
    is_part = len(name) >= LEAST_NAME and len(begun) == 1
    return country_named(name) or (begun.pop() if is_part else None)


def check_currency(code: str) -> str:
    """The code itself if it is one of ISO 4217; else an error with the nearest one."""
    known = {row["currency"] for row in reference_rows("country") if row["currency"]} | {"USD", "EUR"}
    return check_choice(code, known, "currency (ISO 4217)")
