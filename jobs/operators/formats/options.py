"""The options that a source has for its format: checked and made whole where the settings are read.

A task on another machine must need no file of this one, so an option that names a file is replaced by what
the file holds. A format without a check takes what its options name as it is, and nothing else.
"""

from collections.abc import Iterable
from pathlib import Path

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.operators.formats import Options


def complete_options(name: str, options: Options, base: Path) -> Options:
    """The options of a source of the format `name`; paths in them are relative to `base`.

    Raises ObservatoryError that names the option, what is wrong, and the nearest right one.
    """
    # The registry imports kernels, which check their options by this module.
    from jobs.operators.formats.registry import KERNELS

    if name == "auto":
        if options:
            raise ObservatoryError("options belong to one format: name it instead of 'auto'")
        return options
    kernel = KERNELS[name]
    if not options and not kernel.profiles:
        return options
    refuse_unknown(options, kernel.options)
    return kernel.check_options(options, base) if kernel.check_options else options


def refuse_unknown(options: Iterable[str], known: Iterable[str]) -> None:
    """Raise ObservatoryError for an option that is none of the known ones."""
    known = list(known)
    for option in options:
        if option not in known:
            hint = nearest_hint(option, known) if known else "; this format takes none"
            raise ObservatoryError(f"unknown option '{option}'{hint}")
