"""Mapping profiles as files: those that ship, those beside the settings, and what is wrong with one."""

import json
import tomllib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jobs.base.core.choices import nearest_hint, settings_class
from jobs.base.core.errors import ObservatoryError
from jobs.operators.formats import Options
from jobs.operators.formats.delimited.profile import Profile

PROFILES = Path(__file__).parent / "profiles"


@cache
def list_shipped() -> dict[str, Path]:
    """The profiles that ship, by name."""
    return {file.stem: file for file in sorted(PROFILES.glob("*.toml"))}


def load_profile(text: str, place: str) -> Profile:
    """A profile from TOML; errors name `place`.

    Raises ObservatoryError with one line for each thing that is wrong: the key, and the nearest right one.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ObservatoryError(f"{place}: not TOML: {error}") from None
    return validate_profile(raw, place)


def validate_profile(raw: dict[str, Any], place: str) -> Profile:
    try:
        return Profile.model_validate(raw)
    except ValidationError as error:
        lines = dict.fromkeys(f"{place}: {describe_problem(problem)}" for problem in error.errors())
        raise ObservatoryError("\n".join(lines)) from None


def describe_problem(problem: Any) -> str:
    """One sentence on a key that is wrong: where it stands, what is wrong, what is right."""
    # Pydantic names the variants of outcome.default in the path; users do not write them.
    steps = [step for step in problem["loc"] if step != "Decided" and not str(step).startswith("literal[")]
    path = ".".join(str(step + 1) if isinstance(step, int) else step for step in steps)
    if problem["type"] == "extra_forbidden":
        model: Any = Profile
        for step in steps[:-1]:
            model = model if isinstance(step, int) else settings_class(model, step)
        known = [info.alias or name for name, info in getattr(model, "model_fields", {}).items()]
        return f"{path}: unknown key '{steps[-1]}'{nearest_hint(str(steps[-1]), known)}"
    if problem["type"] == "missing":
        return f"{path}: this key is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{path}: {message}" if path else message


def embed_profile(options: Options, base: Path) -> Options:
    """The options with the profile's content instead of its name or path.

    Raises ObservatoryError that names what is wrong.
    """
    given = options.get("profile")
    if given is None:
        names = ", ".join(list_shipped())
        raise ObservatoryError(f"profile: say which: {names}, or a path to a TOML file")
    if isinstance(given, dict):
        profile = validate_profile(given, "profile")
    elif given in list_shipped():
        profile = load_profile(list_shipped()[given].read_text(encoding="utf-8"), f"profile {given}")
    elif str(given).endswith(".toml"):
        file = base / str(given)
        try:
            profile = load_profile(file.read_text(encoding="utf-8"), f"profile {file}")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ObservatoryError(f"profile: {file} cannot be read: {why}") from None
    else:
        hint = nearest_hint(str(given), list_shipped())
        raise ObservatoryError(f"profile: unknown profile '{given}'{hint}; a path must end in .toml")
    return options | {"profile": profile.model_dump(mode="json", by_alias=True, exclude_none=True)}


def profile_of(options: Options) -> Profile:
    """The profile that a source's options hold, whole or by the name of one that ships.

    Raises ObservatoryError where they hold none.
    """
    given = options.get("profile")
    if not isinstance(given, dict):
        given = embed_profile(options, Path())["profile"]
    return _profile_of(json.dumps(given, sort_keys=True))


@lru_cache(maxsize=16)
def _profile_of(text: str) -> Profile:
    return validate_profile(json.loads(text), "profile")
