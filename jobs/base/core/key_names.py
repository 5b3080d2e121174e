"""Source of the key of pseudonyms, environment variables or a setting, and the days of each key.

The key of a row is that of its UTC day. A day is computed under one key, and with it whatever its messages
need of the days around it (jobs/operators/build/windows.py): no join of silver meets two keys. See decision
153.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from dataclasses import dataclass

# The key itself, or the file that holds it.
KEY = "OBSERVATORY_PSEUDONYM_KEY"
KEY_FILE = "OBSERVATORY_PSEUDONYM_KEY_FILE"


@dataclass
class BySettings:
    """The key file that the settings which were read last put into the environment, and their own file."""

    key_file: str | None = None
    settings: str | None = None


BY_SETTINGS = BySettings()


def is_by_settings() -> bool:
    """Return whether the environment names the key file that settings put there."""
    return os.environ.get(KEY_FILE) == BY_SETTINGS.key_file


def key_setting() -> str:
    """The variable or the setting that names the key in use, as messages call it."""
    if os.environ.get(KEY):
        return KEY
    if BY_SETTINGS.key_file and is_by_settings():
        return f"{BY_SETTINGS.settings}: [lake] key_file"
    return KEY_FILE


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
