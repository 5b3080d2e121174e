"""The settings of whoever reads logs: each source's options for its format, checked and complete."""

import os
from pathlib import Path
from typing import Any

from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.config import Observatory, load_settings
from jobs.base.settings.operator import Operator, SourceSettings
from jobs.base.tables.contracts import format_kind


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
        # The kernels' own libraries take half a second to load.
        from jobs.operators.formats.options import complete_options

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
