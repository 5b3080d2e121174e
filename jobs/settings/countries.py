"""Codes of countries and currencies, and the nearest right one for a wrong one."""

from __future__ import annotations

from functools import cache

from jobs.core.choices import nearest
from jobs.core.contracts import reference_rows


@cache
def countries() -> frozenset[str]:
    return frozenset(row["iso3"] for row in reference_rows("country"))


@cache
def countries_by_alpha_2() -> dict[str, str]:
    """Alpha-3 codes by alpha-2 codes."""
    found = {row["iso2"]: row["iso3"] for row in reference_rows("country")}
    return found | {"UK": found["GB"]}


def known_country(code: str) -> str:
    """The code itself if it is one of ISO 3166-1 alpha-3; else an error with the right or nearest one."""
    if code in countries():
        return code
    raise ValueError(f"unknown country (ISO 3166-1 alpha-3) '{code}'{nearest_country(code)}")


def nearest_country(code: str) -> str:
    """A hint such as `; did you mean 'CHE'?`: what two letters stand for, else the nearest code."""
    of_two = countries_by_alpha_2().get(code.upper())
    return f"; did you mean '{of_two}'?" if of_two else nearest(code, countries())


@cache
def currencies() -> frozenset[str]:
    return frozenset(row["currency"] for row in reference_rows("country") if row["currency"]) | {"USD", "EUR"}
