"""The options that a source has for its format: checked and made whole where the settings are read.

A task on another machine must need no file of this one, so an option that names a file is replaced by what
the file holds. Formats that are not named here take their options as they are.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jobs.errors import ObservatoryError


def made_whole(name: str, options: dict[str, Any], base: Path) -> dict[str, Any]:
    """The options of a source of the format `name`; paths in them are relative to `base`.

    Raises ObservatoryError that names the option, what is wrong, and the nearest right one.
    """
    if options and name == "auto":
        raise ObservatoryError("options belong to one format: name it instead of 'auto'")
    return CHECKS[name](options, base) if name in CHECKS else options


def refuse_unknown(options: Iterable[str], known: Iterable[str]) -> None:
    """Raise ObservatoryError for an option that is none of the known ones."""
    known = list(known)
    for option in options:
        if option not in known:
            close = difflib.get_close_matches(option, known, n=1, cutoff=0.5)
            hint = f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(sorted(known))}"
            raise ObservatoryError(f"unknown option '{option}'; {hint}")


def _kannel(options: dict[str, Any], base: Path) -> dict[str, Any]:
    from jobs.formats import kannel_format

    refuse_unknown(options, kannel_format.OPTIONS)
    kannel_format.check_options(options)
    return options


CHECKS: dict[str, Callable[[dict[str, Any], Path], dict[str, Any]]] = {"kannel": _kannel}
