"""The options that a source has for its format: checked and made whole where the settings are read.

A task on another machine must need no file of this one, so an option that names a file is replaced by what
the file holds. A format without a check takes what its options name as it is, and nothing else.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jobs.core.choices import nearest_hint
from jobs.core.contracts import format_kind
from jobs.core.errors import ObservatoryError
from jobs.settings.config import Observatory, load_settings
from jobs.settings.operator import Operator, SourceSettings


def load_with_options(path: str | os.PathLike[str] = "observatory.toml", **overrides: Any) -> Observatory:
    """load_settings() for whoever reads logs: each source's options are checked and complete.

    Raises ObservatoryError with one line for each source whose options are wrong.
    """
    file = Path(path)
    settings = load_settings(file, **overrides)
    wrong: list[str] = []

    def complete_source(operator: Operator, source: SourceSettings) -> SourceSettings:
        if not source.options and format_kind(source.format) != "profile":
            return source
        try:
            options = complete_options(source.format, source.options, file.resolve().parent)
        except ObservatoryError as error:
            place = f"{file}: [operator] '{operator.id}' source '{source.id}' options"
            wrong.extend(f"{place} {line}" for line in str(error).splitlines())
            return source
        return source.model_copy(update={"options": options})

    operators = [
        operator.model_copy(
            update={"source": [complete_source(operator, source) for source in operator.source]}
        )
        for operator in settings.operator
    ]
    if wrong:
        raise ObservatoryError("\n".join(wrong))
    return settings.model_copy(update={"operator": operators})


def complete_options(name: str, options: dict[str, Any], base: Path) -> dict[str, Any]:
    """The options of a source of the format `name`; paths in them are relative to `base`.

    Raises ObservatoryError that names the option, what is wrong, and the nearest right one.
    """
    # The kernels' own libraries take half a second to load.
    from jobs.formats.registry import KERNELS

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
