"""Presets of bulk, the rows of ref.bulk_preset: how many copies are bulk, where, and in how many days."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.validity import is_day_within
from jobs.operators.gold.shared.predicates import parse_channels

# No preset may look further back than this: each day further is read again for every day that is counted, and
# makes one more day due again when a line comes late.
LONGEST_DAYS = 30
# The fewest days that a disproof looks at: 24 hours that end on a day began on the day before.
FEWEST_DAYS = 2
# Of the copies of a text that differs by a name, at least one in so many is counted in the buckets of each.
# docs/counting.md has the share that this gets wrong, and the share that stays undecided.
DOUBT = 8
# The channel whose logs hold no texts.
WITHOUT_TEXTS = "EMAIL"


@dataclass(frozen=True)
class Preset:
    """A row of ref.bulk_preset: so many copies in so many days are bulk.

    Attributes:
        operators: of the countries where it holds; None is all. channels likewise.
    """

    code: str
    least_copies: int
    window_days: int
    operators: tuple[str, ...] | None
    channels: tuple[str, ...] | None
    valid_from: dt.date
    valid_to: dt.date | None

    def is_in_force(self) -> pl.Expr:
        when = is_day_within(self.valid_from, self.valid_to)
        if self.operators is not None:
            when &= pl.col("operator_id").is_in(self.operators)
        if self.channels is not None:
            when &= pl.col("channel_code").is_in(self.channels)
        return when

    def is_certain(self) -> pl.Expr:
        return self.is_in_force() & (pl.col(f"copies_{self.window_days}") >= self.least_copies)

    def is_possible(self) -> pl.Expr:
        own, near = pl.col(f"own_{self.evidence_days}"), pl.col(f"near_{self.evidence_days}")
        is_near_enough = own + near * DOUBT >= self.least_copies
        return self.is_in_force() & (is_near_enough | (pl.col("is_text_short") & (near > 0)))

    def has_unseen_days(self) -> pl.Expr:
        """Return whether some of its days are not on record, or have another key: no text of theirs is known
        again. A message's own day is."""
        is_short = pl.col(f"days_{self.window_days}") < self.window_days
        return self.is_in_force() & (is_short | pl.col(f"is_cut_{self.evidence_days}"))

    @property
    def evidence_days(self) -> int:
        """The days, the message's own last, whose texts can show that it was not reached."""
        return max(self.window_days, FEWEST_DAYS)


def presets_by_operator(bulk_preset: pl.DataFrame, operator: pl.DataFrame) -> list[Preset]:
    """The presets, as they hold for the operators.

    Raises ObservatoryError that names a preset of a longer window than gold looks back.
    """
    countries: dict[str, list[str]] = {}
    for operator_id, country in operator.select("operator_id", "country_code").iter_rows():
        countries.setdefault(country, []).append(operator_id)
    found = []
    for row in bulk_preset.to_dicts():
        if row["window_days"] > LONGEST_DAYS:
            raise ObservatoryError(
                f"bulk_preset.csv, row {row['preset_code']}: a window of {row['window_days']} days is longer"
                f" than the {LONGEST_DAYS} that gold looks back, so that the row would never apply; delete it"
            )
        where = None if row["jurisdiction"] == "_T" else tuple(countries.get(row["jurisdiction"], []))
        found.append(
            Preset(
                row["preset_code"],
                row["least_copies"],
                row["window_days"],
                where,
                parse_channels(row["channels"]),
                row["valid_from"],
                row["valid_to"],
            )
        )
    return found


def days_of_texts(presets: list[Preset], operators: Iterable[str]) -> dict[str, int]:
    """Return each operator's number of days of texts, a message's own last, needed to disprove bulk."""
    return {
        operator: max(
            [FEWEST_DAYS]
            + [
                preset.evidence_days
                for preset in presets
                if (preset.operators is None or operator in preset.operators)
                and preset.channels != (WITHOUT_TEXTS,)
            ]
        )
        for operator in operators
    }


def first_reached(values: Iterable[tuple[Preset, pl.Expr]], kind: type[pl.DataType]) -> pl.Expr:
    """The value of the first preset that is reached for certain; null where none is."""
    return pl.coalesce(
        *(pl.when(preset.is_certain()).then(value) for preset, value in values), pl.lit(None, kind)
    )


def join_conditions(conditions: Iterable[pl.Expr]) -> pl.Expr:
    return pl.any_horizontal(pl.lit(False), *conditions)
