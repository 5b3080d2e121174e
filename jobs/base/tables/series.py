"""Links between the series of a table: its contract states them, and an attacker knows them from the
published codebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

# The code of a whole; and of all its parts together, which differ from the whole where some respondents have
# no parts.
ALL, PARTS = "_T", "_S"
# A figure of the table that parts are parts of, beside these: an attacker has both.
VOLUME = "_V"
# What a part is where logs do not place it: no known type, source or link.
UNKNOWN = "_U"
UNPLACED = ("UNK", UNKNOWN, "unknown")


@dataclass(frozen=True)
class Shape:
    """The links between the series of a table.

    Attributes:
        columns: of a series, in order.
        chains: codes of a column in the order of their figures, for each operator.
        sums: codes that add up to another.
        multiples: codes whose figures are known multiples of the first one's, for each operator.
        between: a code whose figure is a mixture of two of them.
        same: codes of a column have the same figures where another column has one of these codes.
        within: of a column pairs of codes; each figure of the first is at most that of the second.
        volumes: of the table that these are parts of, which has fewer columns.
    """

    columns: tuple[str, ...]
    chains: Mapping[str, list[str]] = field(default_factory=dict)
    sums: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)
    multiples: Mapping[str, list[str]] = field(default_factory=dict)
    between: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)
    same: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)
    within: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    volumes: Shape | None = None

    def add_volumes(self) -> Shape:
        """Return the links between parts and the volumes beside them, which are their wholes."""
        if self.volumes is None:
            return self
        column = self.columns[len(self.volumes.columns)]
        sums = {**self.sums, column: {VOLUME: [ALL], **self.sums.get(column, {})}}
        return replace(self, chains=self.volumes.chains, same=self.volumes.same, sums=sums)
