"""Membership of the Resolution's groups that a release uses, its source, and how certain it is."""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from jobs.base.figures.areas import GROUPS
from jobs.base.figures.words import country_name
from jobs.base.tables.validity import rows_on_day
from jobs.study.release.released_tables import AREAS

LOW = "low"


@dataclass(frozen=True)
class Membership:
    """The countries of a group on a day.

    Attributes:
        confidence: how many rows are of each.
        uncertain: the countries of low confidence, with the note that says why.
    """

    group: str
    day: dt.date
    countries: tuple[str, ...]
    sources: tuple[str, ...]
    confidence: dict[str, int]
    uncertain: dict[str, str]

    def describe(self) -> dict[str, object]:
        return {
            "day": self.day.isoformat(),
            "countries": list(self.countries),
            "sources": list(self.sources),
            "confidence": self.confidence,
            "uncertain": self.uncertain,
        }

    @property
    def text(self) -> str:
        """The membership as README, codebook and workbook state it."""
        counts = ", ".join(f"{number} {code}" for code, number in sorted(self.confidence.items()))
        said = (
            f"{len(self.countries)} countries on {self.day}. Confidence: {counts}."
            f" Sources: {'; '.join(self.sources)}."
        )
        if self.uncertain:
            named = "; ".join(f"{country_name(code)}: {note}" for code, note in self.uncertain.items())
            said += f" Of low confidence, counted as members: {named}."
        return said


def list_memberships(country_group: pl.DataFrame, day: dt.date) -> list[Membership]:
    """The membership of each group on a day, as ref.country_group has it."""
    found = []
    for group in GROUPS:
        rows = rows_on_day(country_group, day).filter(group_code=group).sort("iso3")
        if rows.height:
            low = rows.filter(confidence=LOW)
            found.append(
                Membership(
                    group=group,
                    day=day,
                    countries=tuple(rows["iso3"]),
                    sources=tuple(rows["source"].unique().sort()),
                    confidence=dict(Counter(rows["confidence"])),
                    uncertain={code: note or "" for code, note in low.select("iso3", "note").rows()},
                )
            )
    return found


def describe_memberships(memberships: Sequence[Membership]) -> list[tuple[str, str]]:
    """Notes for readers: a title and a text for each group."""
    return [(f"Members: {AREAS[each.group][1]}", each.text) for each in memberships]
