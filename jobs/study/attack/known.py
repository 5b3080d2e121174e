"""The input of the attack, releases, and its output, findings."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from jobs.study.attack.coefficients import World

# What a published number says of contributions: it is the rounded estimate; or the class of the share of the
# estimate that stands for silent operators, in percent; or no less than the variance of rates of its series.
ESTIMATE, SILENT_PCT, VARIANCE = "estimate", "silent_pct", "variance"
# Who knows all operators of a country, as an attacker.
ADMINISTRATION = "administration of {}"
# The area of a number that is of all areas of a series.
EVERYWHERE = ""
# A row of `published`: value and digits of an estimate, low and high of a class, value of a variance.
PUBLISHED = {
    "table_name": pl.String,
    "period_code": pl.String,
    "channel_code": pl.String,
    "series": pl.String,
    "area_code": pl.String,
    "form": pl.String,
    "value": pl.Float64,
    "digits": pl.Int64,
    "low": pl.Float64,
    "high": pl.Float64,
}


@dataclass(frozen=True)
class KnownRelease:
    """One release: what was published, and the truth behind it, which each holding has of itself.

    Attributes:
        contribution: rows of study.contribution.
        published: columns of PUBLISHED, without figures that stand from an earlier release.
    """

    release: str
    world: World
    contribution: pl.DataFrame
    published: pl.DataFrame


@dataclass(frozen=True)
class PublishedCell:
    """A published figure, as a finding names it."""

    release: str
    table_name: str
    period_code: str
    channel_code: str
    series: str
    area_code: str

    @property
    def name(self) -> tuple[str, str, str, str, str]:
        """The figure's name in its release."""
        return self.table_name, self.period_code, self.channel_code, self.series, self.area_code


@dataclass(frozen=True)
class Finding:
    """A contribution that is found within p%: who finds whose, and from which figures.

    Attributes:
        attacker: a holding, the administration of a country, '' for anyone.
        respondents: whose sum is found.
        side: which end of the interval is too near, low or high.
        cells: the figures that the bound rests on.
    """

    attacker: str
    holding: str
    respondents: tuple[str, ...]
    table_name: str
    period_code: str
    channel_code: str
    series: str
    side: str
    cells: tuple[PublishedCell, ...]
