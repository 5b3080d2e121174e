"""Codes of countries and currencies, and the nearest right one for a wrong one."""

from functools import cache

from jobs.base.core.choices import nearest_hint
from jobs.base.tables.contracts import reference_rows

# Shorter texts are codes, not names.
LEAST_NAME = 4


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


def country_of_name(name: str) -> str | None:
    """The code of the one country with this English name, or with a name that begins so."""
    begun = {
        row["name_en"].casefold(): row["iso3"]
        for row in reference_rows("country")
        if row["name_en"].casefold().startswith(name.casefold())
    }
    if len(name) < LEAST_NAME or not begun:
        return None
    return begun.get(name.casefold()) or (next(iter(begun.values())) if len(begun) == 1 else None)


@cache
def currency_codes() -> frozenset[str]:
    return frozenset(row["currency"] for row in reference_rows("country") if row["currency"]) | {"USD", "EUR"}
