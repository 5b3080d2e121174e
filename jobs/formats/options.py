"""The options that a source has for its format: checked and made whole where the settings are read.

A task on another machine must need no file of this one, so an option that names a file is replaced by what
the file holds. Formats that are not in CHECKS take what their OPTIONS name as it is, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jobs.config import nearest
from jobs.errors import ObservatoryError


def made_whole(name: str, options: dict[str, Any], base: Path) -> dict[str, Any]:
    """The options of a source of the format `name`; paths in them are relative to `base`.

    Raises ObservatoryError that names the option, what is wrong, and the nearest right one.
    """
    if options and name == "auto":
        raise ObservatoryError("options belong to one format: name it instead of 'auto'")
    if name in CHECKS:
        return CHECKS[name](options, base)
    if options:
        from jobs.formats.registry import KERNELS

        refuse_unknown(options, getattr(KERNELS[name], "OPTIONS", ()))
    return options


def refuse_unknown(options: Iterable[str], known: Iterable[str]) -> None:
    """Raise ObservatoryError for an option that is none of the known ones."""
    known = list(known)
    for option in options:
        if option not in known:
            hint = nearest(option, known) if known else "; this format takes none"
            raise ObservatoryError(f"unknown option '{option}'{hint}")


def _kannel(options: dict[str, Any], base: Path) -> dict[str, Any]:
    from jobs.formats import kannel_format

    refuse_unknown(options, kannel_format.OPTIONS)
    kannel_format.check_options(options)
    return options


def _kannel_smsbox(options: dict[str, Any], base: Path) -> dict[str, Any]:
    from jobs.formats import kannel_smsbox

    refuse_unknown(options, kannel_smsbox.OPTIONS)
    kannel_smsbox.check_options(options)
    return options


def _delimited(options: dict[str, Any], base: Path) -> dict[str, Any]:
    from jobs.formats import delimited_profile

    refuse_unknown(options, ["profile"])
    return delimited_profile.embedded(options, base)


CHECKS: dict[str, Callable[[dict[str, Any], Path], dict[str, Any]]] = {
    "kannel": _kannel,
    "kannel_smsbox": _kannel_smsbox,
    "delimited": _delimited,
}
