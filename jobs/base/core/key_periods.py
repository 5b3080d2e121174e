"""Which key makes the pseudonyms of which days.

The key of a row is that of its UTC day. A day is computed under one key, and with it whatever its messages
need of the days around it (jobs/operators/build/windows.py): no join of silver meets two keys. See decision
153.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class KeyPeriod:
    """The days from `first` on (None: from the beginning) and before `until` (None: for good), and the file
    of their key (None: the one that the environment or [lake] key_file names)."""

    first: dt.date | None
    until: dt.date | None
    key_file: str | None

    def has_day(self, day: dt.date) -> bool:
        return (self.first is None or self.first <= day) and (self.until is None or day < self.until)

    def cut_days(self, first: dt.date, last: dt.date) -> tuple[dt.date, dt.date] | None:
        """The days of the period from a first to a last one, both included; None without any."""
        first = max(first, self.first or first)
        last = min(last, self.until - dt.timedelta(days=1) if self.until else last)
        return (first, last) if first <= last else None


def periods_from(later: Iterable[tuple[dt.date, str]]) -> list[KeyPeriod]:
    """The periods of the first key and of later ones, each with its first day, in order."""
    starts: list[tuple[dt.date | None, str | None]] = [(None, None), *later]
    ends = [first for first, _ in starts[1:]]
    return [KeyPeriod(first, until, file) for (first, file), until in zip(starts, [*ends, None], strict=True)]
