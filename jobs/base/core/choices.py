"""Values that a person writes from a list: which are allowed, and which is nearest to a wrong one."""

import difflib
from collections.abc import Iterable
from typing import Any

from jobs.base.core.errors import ObservatoryError


def check_choice(value: str, known: Any, what: str) -> str:
    """The value itself if it is known; else an error with the nearest known one."""
    if value in known:
        return value
    raise ValueError(f"unknown {what} '{value}'" + nearest_hint(value, known))


def refuse_unknown(option: str, values: Iterable[str], known: Any, what: str = "") -> None:
    """Raise ObservatoryError for the first of an option's values that is not known, with the nearest one.

    Args:
        what: what it is not, where the option's name does not say it.
    """
    for value in values:
        if value not in known:
            kind = f"{what} " if what else ""
            raise ObservatoryError(f"{option}: unknown {kind}'{value}'{nearest_hint(value, known)}")


def nearest_hint(value: str, known: Any) -> str:
    """A hint such as `; did you mean 'postfix'?`, or the choices when nothing is near."""
    by_lower = {str(name).lower(): str(name) for name in known}
    close = difflib.get_close_matches(value.lower(), list(by_lower), n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{by_lower[close[0]]}'?"
    return f"; known are: {', '.join(sorted(by_lower.values()))}" if len(by_lower) <= 20 else ""


def settings_class(model: Any, step: str) -> Any:
    """The settings class behind a field, through lists and options."""
    if not hasattr(model, "model_fields") or step not in model.model_fields:
        return model
    kind = model.model_fields[step].annotation
    while hasattr(kind, "__args__"):
        kind = kind.__args__[0]
    return kind
