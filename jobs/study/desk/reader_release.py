"""Published figures on the areas of a country, for those who answered: all from a release, none from the
study's own tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import ENGLISH, format_compact, format_significant
from jobs.base.core.numbers import format_range
from jobs.base.core.periods import last_day
from jobs.base.figures.areas import classify_countries, list_areas
from jobs.base.figures.reliability import published_mark
from jobs.base.settings.config import Observatory
from jobs.base.tables.contracts import Row, reference_table
from jobs.study.desk.reader_page import ShownFigure
from jobs.study.questionnaire.respondents import country_names
from jobs.study.questionnaire.texts import translate_area
from jobs.study.release.comparing import tables_in
from jobs.study.release.manifest import read_manifest, verify_release
from jobs.study.release.released_tables import AREAS, PART, area_codes

# Of volumes the unit of a channel, the definition and the quantity that readers compare.
COMPARED = {
    "unit_code": ("attempted", "call"),
    "definition_code": ("OPERATOR",),
    "quantity_code": ("spam_certain",),
}
# Figures of a row of volume: the column, its ends and its band.
FIGURES = {
    "rate": ("rate_per_subscription", "rate_low", "rate_high", "cv_band_code"),
    "share": ("share_pct", None, None, "share_cv_band_code"),
    "volume": ("estimate", "estimate_low", "estimate_high", "cv_band_code"),
}


@dataclass(frozen=True)
class ReaderRelease:
    """A published release: its name, its period, its tables as texts, and whether all is made up."""

    name: str
    period: str
    tables: Mapping[str, pl.DataFrame]
    is_made_up: bool = False

    @property
    def volume_periods(self) -> list[str]:
        """The periods of the rows of volume: the release's quarter, earlier ones, and years."""
        rows = self.tables.get("spam_volume")
        return [] if rows is None else sorted(set(rows["period_code"]))

    def select_areas(self, table: str, areas: list[str], period: str) -> list[Row]:
        """The rows of a period of these areas, in their order, also where the study has a part of the area
        alone.

        Args:
            areas: the study's codes; area: that of each row.
        """
        rows = self.tables.get(table)
        if rows is None:
            return []
        codes = {area_codes()[area][0]: (number, area) for number, area in enumerate(areas)}
        own = rows.filter(
            pl.col("period_code") == period,
            pl.col("area_code").str.strip_suffix(PART).is_in(list(codes)),
        )
        found = [{**row, "area": codes[row["area_code"].removesuffix(PART)][1]} for row in own.to_dicts()]
        return sorted(found, key=lambda row: (row.get("channel_code") or "", areas.index(row["area"])))

    def volumes(self, areas: list[str], period: str) -> list[Row]:
        """The rows of volume of a period that readers compare."""
        return [
            row
            for row in self.select_areas("spam_volume", areas, period)
            if all(row[column] in codes for column, codes in COMPARED.items())
        ]


def read_published(settings: Observatory, name: str) -> ReaderRelease:
    """A release that was published whole. Raises ObservatoryError for one that was not, was withdrawn or was
    changed since: rows may still be left out of one that is only made."""
    if settings.release.public_root is None:
        raise ObservatoryError("[release] public_root is not set: only published releases are given back")
    folder = Path(settings.release.public_root) / name
    if not folder.is_dir():
        raise ObservatoryError(
            f"{name} is not published in {settings.release.public_root}: `observatory release publish` first"
        )
    verify_release(folder)
    about = read_manifest(folder)
    return ReaderRelease(name, about["period"], tables_in(folder), about["is_made_up"])


def areas_of(country: str, period: str) -> list[str]:
    """The areas that a country belongs to at the end of a period: itself first, then the smallest."""
    countries = classify_countries(
        reference_table("ref.country"), reference_table("ref.country_group"), last_day(period)
    )
    found = [area for area in list_areas(countries) if country in area.countries]
    return [area.code for area in sorted(found, key=lambda area: len(area.countries))]


def name_area(row: Mapping[str, Any], language: str) -> str:
    """The area of a row in a language; in English as the release has it."""
    if language == ENGLISH:
        return str(row["area_name"])
    if row["area"] not in AREAS:
        return country_names(language)[row["area"]]
    is_part = row["area_code"].endswith(PART)
    return translate_area(language, row["area"], row["area_name"] if is_part else "")


def show_published(row: Mapping[str, Any], figure: str) -> tuple[ShownFigure, str] | None:
    """A published figure with its mark, and its interval, in the current language; None if the row has
    none."""
    column, low, high, band = FIGURES[figure]
    write = format_compact if figure == "volume" else format_significant
    if not row.get(column):
        return None
    interval = ""
    if low and high and row.get(low) and row.get(high):
        interval = format_range(row[low], row[high], write)
    return ShownFigure(write(row[column]), row[column], published_mark(row.get(band))), interval
