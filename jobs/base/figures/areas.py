"""Areas that figures are given for: countries, ITU regions, groups of countries, and the world.

Memberships are dated: a figure is for the groups as they were on the last day of its period.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.validity import rows_on_day

WORLD = "WORLD"
# The groups that the Resolution's footnote names.
RESOLUTION = ("LDC", "SIDS", "LLDC", "TRANSITION")
# Weights are raked to the subscriptions of these: of the Resolution's groups, and of developing countries by
# the list in ref.country_group, which holds them all.
RAKED = (*RESOLUTION, "DEVELOPING")
# All other countries follow from the world's subscriptions and need no raking.
GROUPS = (*RAKED, "DEVELOPED")
# Both together are the world.
HALVES = ("DEVELOPING", "DEVELOPED")
COUNTRY, REGION, GROUP, ALL = "country", "region", "group", "world"
# An area bears its name where the countries of the frame have so much of its population, in percent.
COVERED_PCT = 90


@dataclass(frozen=True)
class Area:
    """An area, with the ISO 3166-1 alpha-3 codes of its countries."""

    code: str
    kind: str
    countries: tuple[str, ...]


def classify_countries(country: pl.DataFrame, country_group: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """Region, development class and groups of each country on a day, as country_code, region_code,
    development_code and group_codes.

    Development class: LDC; DEVELOPED if the World Bank counts the country as of high income and none of the
    Resolution's groups holds it; else DEVELOPING. Classes make strata of operators; the areas of the same
    names follow a list (schemas/reference/NOTES.md), in which Chile and Saudi Arabia are developing.
    """
    groups = (
        rows_on_day(country_group, day)
        .group_by(pl.col("iso3").alias("country_code"))
        .agg(pl.col("group_code").unique().sort().alias("group_codes"))
    )
    held = pl.col("group_codes")
    return (
        rows_on_day(country, day)
        .filter(pl.col("itu_region").is_not_null())
        .select(pl.col("iso3").alias("country_code"), pl.col("itu_region").alias("region_code"))
        .join(groups, on="country_code", how="left")
        .with_columns(held.fill_null([]))
        .with_columns(
            choose_code(
                LDC=held.list.contains("LDC"),
                DEVELOPED=held.list.contains("WB_HIGH")
                & (held.list.set_intersection(list(RESOLUTION)).list.len() == 0),
                otherwise="DEVELOPING",
            ).alias("development_code")
        )
        .sort("country_code")
    )


def list_areas(countries: pl.DataFrame) -> list[Area]:
    """The world, the regions, the groups, and each country, of a table of classified countries."""
    rows = countries.sort("country_code").to_dicts()
    found = [Area(WORLD, ALL, tuple(row["country_code"] for row in rows))]
    for region in sorted({row["region_code"] for row in rows}):
        members = tuple(row["country_code"] for row in rows if row["region_code"] == region)
        found.append(Area(region, REGION, members))
    for group in GROUPS:
        members = tuple(row["country_code"] for row in rows if group in row["group_codes"])
        if members:
            found.append(Area(group, GROUP, members))
    return found + [Area(row["country_code"], COUNTRY, (row["country_code"],)) for row in rows]


def join_classes(operators: pl.DataFrame, countries: pl.DataFrame) -> pl.DataFrame:
    """Operators with the region and class of their country. Raises ObservatoryError if it has no region."""
    unknown = sorted(set(operators["country_code"]) - set(countries["country_code"]))
    if unknown:
        raise ObservatoryError(
            f"the frame has operators in {', '.join(unknown)}, which country.csv places in no ITU region:"
            " correct the frame, or give the country a region"
        )
    return operators.join(countries, on="country_code", how="left", maintain_order="left")


def are_in_area(area: Area, country: np.ndarray) -> np.ndarray:
    """Return a mask of the operators in the area, by their countries."""
    return np.isin(country.astype(str), area.countries)


def has_whole_area() -> pl.Expr:
    """Return whether a row is of its whole area: a country, or an area of whose people COVERED_PCT live in
    the countries of the frame."""
    is_covered = (pl.col("population_pct") >= COVERED_PCT).fill_null(False)
    return is_covered | (pl.col("area_kind_code") == COUNTRY)


def is_whole_area(row: Mapping[str, Any]) -> bool:
    """has_whole_area() of one row."""
    return row["area_kind_code"] == COUNTRY or (row["population_pct"] or 0) >= COVERED_PCT


def name_study_countries(row: Mapping[str, Any], name: str) -> str:
    """Name an area of which the frame has too little, by the counts of its row: "12 countries of the study",
    "Africa: 3 of 44 countries".

    Args:
        name: that of the whole area.
    """
    framed, rated = row.get("frame_country_count"), row.get("rated_country_count")
    if framed is None:
        return name_countries_alone(row["area_code"], name)
    others = f", and {rated} at their rate" if rated else ""
    if row["area_code"] == WORLD:
        return f"{framed} {'country' if framed == 1 else 'countries'} of the study{others}"
    return f"{name}: {framed} of {row['area_country_count']} countries{others}"


def name_countries_alone(code: str, name: str) -> str:
    """Name an area as name_study_countries() does, without numbers."""
    return "Countries of the study" if code == WORLD else f"{name}: countries of the study"
