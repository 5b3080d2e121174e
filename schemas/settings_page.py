"""docs/settings.md: every setting of observatory.toml, from the docstrings of its classes."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from jobs.base.settings.base import Settings
from jobs.base.settings.config import Observatory
from jobs.base.settings.docstrings import read_docstrings


def write_page() -> str:
    """The page as Markdown: a section for each table of settings, in the order of the classes."""
    lines = [
        "# Every setting",
        "",
        "After reading this page you know what may stand in `observatory.toml`. A setting without a default"
        " is required. Options of formats, variables of the environment and exit codes are in the"
        " [operator's reference](operator-reference.md). Derived from `jobs/base/settings/` by"
        " `make derived`; do not edit.",
        "",
    ]
    for name, model in walk_tables("", Observatory):
        lines += describe_table(name, model)
    return "\n".join(lines).rstrip() + "\n"


def walk_tables(path: str, model: type[Settings]) -> Iterator[tuple[str, type[Settings]]]:
    """The tables of settings below a class: each with its name in TOML, in brackets."""
    for name, field in model.model_fields.items():
        below, is_list = table_of(field)
        if below is not None:
            full = f"{path}.{name}".lstrip(".")
            yield f"[[{full}]]" if is_list else f"[{full}]", below
            yield from walk_tables(full, below)


def table_of(field: FieldInfo) -> tuple[type[Settings] | None, bool]:
    """The class of settings that a field holds, if it holds one, and whether it holds a list of them."""
    is_list = get_origin(field.annotation) is list
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, Settings):
            return kind, is_list
    return None, False


def describe_table(name: str, model: type[Settings]) -> list[str]:
    """The section of one table of settings.

    Raises ValueError if the class or one of its settings has no docstring.
    """
    meanings = read_docstrings(model)
    settings = {each: field for each, field in model.model_fields.items() if table_of(field)[0] is None}
    missing = [each for each in settings if each not in meanings]
    if missing or not model.__doc__:
        lacking = ", ".join(missing) or "its own"
        raise ValueError(f"{model.__module__}.{model.__name__}: no docstring of {lacking}")
    lines = [f"## `{name}`", "", " ".join(model.__doc__.split()), ""]
    lines += ["| setting | default | meaning |", "|---|---|---|"]
    for each, field in settings.items():
        meaning = meanings[each].replace("|", "\\|")
        lines.append(f"| `{each}` | {describe_default(field)} | {meaning} |")
    return [*lines, ""]


def describe_default(field: FieldInfo) -> str:
    """A default as it would stand in the settings file; nothing where it is required or found out."""
    value: Any = field.default
    if value is PydanticUndefined:
        return "" if field.is_required() else "worked out"
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
