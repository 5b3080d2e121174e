"""Settings: argument > environment > observatory.toml > default.

The file names the lake and, for each operator, its own address space, its links and its sources.
Secrets never stand in it: the pseudonym key comes from OBSERVATORY_PSEUDONYM_KEY, or from the file
that OBSERVATORY_PSEUDONYM_KEY_FILE or else [lake] key_file names. Later keys come from the files of [[key]].
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError, model_validator

from jobs.base.core.choices import nearest_hint, settings_class
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.key_names import BY_SETTINGS, KEY, KEY_FILE, KeyPeriod, is_by_settings, periods_from
from jobs.base.settings.access import use_lake_access
from jobs.base.settings.base import Settings
from jobs.base.settings.node import (
    EngineSettings,
    KeySettings,
    LakeSettings,
    LimitSettings,
    Lineage,
    Location,
    Retention,
)
from jobs.base.settings.operator import BY_CHANNEL, IN_ALL, Operator
from jobs.base.settings.release import Release, refuse_shared
from jobs.base.settings.study import Study, Submission
from jobs.base.settings.values import refuse_repeats

S = TypeVar("S", bound=Settings)
# Argument, environment variable, and the setting that each replaces.
OVERRIDES = (
    ("lake_root", "OBSERVATORY_LAKE_ROOT", "lake", "root"),
    ("read_at", "OBSERVATORY_READ_AT", "lake", "read_at"),
    ("engine", "OBSERVATORY_ENGINE_NAME", "engine", "name"),
    ("master", "OBSERVATORY_ENGINE_MASTER", "engine", "master"),
    ("memory", "OBSERVATORY_ENGINE_MEMORY", "engine", "memory"),
    ("workers", "OBSERVATORY_ENGINE_WORKERS", "engine", "workers"),
)


class Observatory(Settings):
    """The whole of observatory.toml."""

    lake: LakeSettings = LakeSettings()
    key: list[KeySettings] = []
    engine: EngineSettings = Field(default_factory=EngineSettings)
    location: Location | None = None
    limits: LimitSettings = LimitSettings()
    retention: Retention = Retention()
    lineage: Lineage = Lineage()
    study: Study = Study()
    submission: Submission = Submission()
    release: Release = Release()
    operator: list[Operator] = []

    @model_validator(mode="after")
    def check_operators(self) -> Observatory:
        refuse_repeats([operator.id for operator in self.operator], "operator id")
        return self

    @model_validator(mode="after")
    def check_credentials(self) -> Observatory:
        if self.engine.name == "spark" and self.lake.access.connection:
            raise ValueError(
                "[lake] access: a connection reaches the program that Airflow starts, and no machine of a"
                " cluster. Remove connection, set endpoint and region, and give each machine credentials in"
                " AWS' usual chain; or compute with the engine embedded"
            )
        return self

    @model_validator(mode="after")
    def check_key_order(self) -> Observatory:
        days = [each.valid_from for each in self.key]
        for before, after in itertools.pairwise(days):
            if after <= before:
                raise ValueError(f"[[key]] valid_from = {after} is not after the one before it, {before}")
        refuse_repeats([each.file for each in self.key], "[[key]] file")
        return self

    @property
    def key_periods(self) -> list[KeyPeriod]:
        """The file of the key that makes the pseudonyms of each period, in order."""
        return periods_from((each.valid_from, each.file) for each in self.key)


def load_settings(path: str | os.PathLike[str] = "observatory.toml", **overrides: Any) -> Observatory:
    """Read the settings file.

    Paths in it are relative to the file. `overrides`: arguments, which come before variables of the
    environment, as OVERRIDES names both; these come before the file.

    Raises ObservatoryError that names the file, the setting and the nearest right name.
    """
    file = Path(path)
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ObservatoryError(
            f"{file}: no such settings file. Name one with --config, or write one from"
            " your logs: observatory init LOG…"
        ) from None
    except OSError as error:
        raise ObservatoryError(f"{file}: the settings cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ObservatoryError(f"{file}: not TOML: {error}") from None
    except RecursionError:
        raise ObservatoryError(f"{file}: not TOML: lists or tables in it are nested too deep") from None
    for key, variable, table, name in OVERRIDES:
        value = overrides.get(key) or os.environ.get(variable)
        if value and isinstance(raw.setdefault(table, {}), dict):
            raw[table][name] = value
    try:
        settings = Observatory.model_validate(raw)
    except ValidationError as error:
        raise ObservatoryError(
            "\n".join(f"{file}: {format_error(problem, raw)}" for problem in error.errors())
        ) from None
    settings = resolve_paths(settings, file.resolve().parent)
    refuse_shared(settings.release, file)
    use_key_file(settings.lake.key_file, file)
    use_lake_access(settings.lake.access)
    return settings


def use_key_file(key_file: str | None, settings: Path) -> None:
    """Let this process and its workers take the pseudonym key from the file that the settings name, unless
    the environment has one already."""
    if is_by_settings():
        # By the settings that were read before.
        os.environ.pop(KEY_FILE, None)
    if key_file and not os.environ.get(KEY) and not os.environ.get(KEY_FILE):
        os.environ[KEY_FILE] = BY_SETTINGS.key_file = key_file
        BY_SETTINGS.settings = str(settings)


def fixed_time() -> dt.datetime | None:
    """The time at which logs are read where the environment fixes it, for commands without settings."""
    text = os.environ.get("OBSERVATORY_READ_AT")
    return LakeSettings(read_at=text).read_at if text else None


def resolve_paths(settings: S, base: Path) -> S:
    """Make relative paths absolute, from the folder of the settings file: what each class names in `paths`,
    and that of the settings in it."""

    def resolve(name: str, value: Any) -> Any:
        if name in settings.paths:
            return value and make_absolute(value, base)
        if isinstance(value, list):
            return [resolve(name, each) for each in value]
        return resolve_paths(value, base) if isinstance(value, Settings) else value

    # Whether a setting was given stays known: a default that holds no path is not set.
    changed = {name: found for name, value in settings if (found := resolve(name, value)) != value}
    return settings.model_copy(update=changed)


def make_absolute(url: str, base: Path) -> str:
    if "://" in url or url.startswith("s3a:"):
        return url
    return str((base / os.path.expanduser(url.removeprefix("file:"))).resolve())


def format_error(problem: Any, raw: dict[str, Any]) -> str:
    """One sentence on a setting that is wrong: where it stands, what is wrong, what is right."""
    place = ""
    model: Any = Observatory
    value: Any = raw
    for step in problem["loc"]:
        if step in (IN_ALL, BY_CHANNEL):
            continue
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else {}
            name = value.get("id") or value.get("name") if isinstance(value, dict) else None
            place += f" '{name}'" if name else f" number {step + 1}"
        else:
            model = (
                settings_class(model, step)
                if problem["type"] != "extra_forbidden" or step != problem["loc"][-1]
                else model
            )
            value = value.get(step, {}) if isinstance(value, dict) else {}
            place += f" {step}" if place else f"[{step}]" if isinstance(raw.get(step), dict | list) else step
    if problem["type"] == "extra_forbidden":
        known = list(model.model_fields) if hasattr(model, "model_fields") else []
        return (
            f"{place}: unknown setting '{problem['loc'][-1]}'{nearest_hint(str(problem['loc'][-1]), known)}"
        )
    if problem["type"] == "missing":
        return f"{place}: this setting is missing"
    if problem["type"] == "string_pattern_mismatch":
        return f"{place}: '{problem['input']}' may hold small letters, digits and hyphens only"
    what: str = problem["msg"].removeprefix("Value error, ")
    # Of several settings together none is the place; the sentence names them.
    return f"{place}: {what}" if place else what


def choose_operators(settings: Observatory, only: str | None = None) -> list[Operator]:
    """All operators, or the one that is named."""
    if only is None:
        return list(settings.operator)
    known = {operator.id: operator for operator in settings.operator}
    if only not in known:
        raise ObservatoryError(f"unknown operator '{only}'{nearest_hint(only, known)}")
    return [known[only]]
