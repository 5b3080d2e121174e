"""The figures of a report page, and the values and names that its sections share."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import polars as pl

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.figures.counting_rules import OPERATOR, RECEIVED
from jobs.base.page.blocks import Part, stack_parts
from jobs.operators.report import unclaimed
from jobs.operators.report.figures import SUMS, Figures
from jobs.operators.report.unclaimed import ReportedOperator, Unclaimed

# Channels that the project reads: their absence is worth a word.
EXPECTED = ("EMAIL", "SMS")
CERTAIN_LEGEND = ("certain", "spam for certain")
UNDECIDED_LEGEND = ("undecided", "the logs cannot decide")


@dataclass(frozen=True)
class Spam:
    """A number of units, and the spam in them: certain, and possible, which is certain or undecided."""

    units: int
    certain: int
    possible: int

    @classmethod
    def read_row(cls, row: Mapping[str, Any]) -> Self:
        """The counts of a figure's row."""
        return cls(row["units"], row["spam_certain"], row["spam_possible"])

    @property
    def shares(self) -> tuple[float, float]:
        return numbers.share_of(self.certain, self.units), numbers.share_of(self.possible, self.units)

    @property
    def range(self) -> str:
        """The shares of certain and possible spam, as 51.0–51.3%."""
        return numbers.format_parts(self.certain, self.possible, self.units)

    @property
    def undecided(self) -> int:
        return self.possible - self.certain

    @property
    def undecided_share(self) -> float:
        low, high = self.shares
        return high - low

    @property
    def bar(self) -> tuple[Part, ...]:
        """Certain and undecided spam in all units."""
        rest = self.units - self.possible
        parts = (("certain", self.certain), ("undecided", self.undecided), ("rest", rest))
        return stack_parts(*parts, scale=self.units)


@dataclass(frozen=True)
class PageOrigin:
    """The run that a page was drawn from, and what limits its figures.

    Attributes:
        generated_at: when the run finished, in UTC as 2026-11-24T23:30:00Z; empty without a run.
        versions: of the tables of the lake.
        location_name: the table that located addresses.
        operators_left_out: those of the lake that no figure has.
        doubts: sentences on what makes figures doubtful.
        domains: those of the recipients, if the operator's own domains are not known.
    """

    run_id: str
    code_revision: str
    generated_at: str = ""
    versions: Mapping[str, int] = field(default_factory=dict)
    location_name: str | None = None
    operators_left_out: Sequence[str] = ()
    doubts: Sequence[str] = ()
    domains: Sequence[str] = ()

    @property
    def generated(self) -> str:
        return words.format_time(self.generated_at) if self.generated_at else ""


@dataclass(frozen=True)
class Report:
    """The figures, the operators by id, and the name of the table that located addresses."""

    figures: Figures
    operators: dict[str, ReportedOperator]
    location_name: str | None

    @property
    def totals(self) -> dict[str, Spam]:
        """Units, and spam by the operators' own definition, by channel in the order of their list."""
        volume = self.figures.volume.filter(
            pl.col("direction_code").is_in(RECEIVED), pl.col("definition_code") == OPERATOR
        )
        found = sum_spam_by(volume, "channel_code")
        return {code: found[code] for code in words.codelist_rows("channel") if code in found}

    @property
    def unclaimed(self) -> list[Unclaimed]:
        """Channels of operators in which most traffic belongs to no operator of the settings."""
        return unclaimed.find_unclaimed(self.figures.directions, self.operators.values())

    @property
    def channels(self) -> list[str]:
        return list(self.totals)

    def split_by_channel(self, figure: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
        for channel in self.channels:
            rows = figure.filter(pl.col("channel_code") == channel)
            if len(rows):
                yield channel, rows

    def list_missing(self, figure: pl.DataFrame) -> list[str]:
        """A sentence for each channel of the page that a figure does not have."""
        there = set(figure["channel_code"])
        return [
            f"There is no {channel_name(code, inside=True)} in this figure."
            for code in self.channels
            if code not in there
        ]

    @property
    def last_day(self) -> dt.date:
        """The last day with figures; without figures, the latest date there is."""
        last = self.figures.daily["period_date"].max()
        return last if isinstance(last, dt.date) else dt.date.max

    def definition_name(self, code: str) -> str:
        return words.definition_name(code, self.last_day)

    def operator_name(self, code: str) -> str:
        return self.operators[code].name if code in self.operators else code


def sum_spam_by(volume: pl.DataFrame, column: str) -> dict[str, Spam]:
    """Units and spam by each value of a column; values without units are left out."""
    rows = volume.group_by(column).agg(pl.col(list(SUMS)).sum()).to_dicts()
    return {row[column]: Spam.read_row(row) for row in rows if row["units"]}


def channel_name(code: str, inside: bool = False) -> str:
    text = words.code_name("channel", code)
    return words.lower_first(text) if inside else text
