"""Where the key of pseudonyms comes from: environment variables, or a setting."""

import os
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
    """Whether the environment names the key file that settings put there."""
    return os.environ.get(KEY_FILE) == BY_SETTINGS.key_file


def key_setting() -> str:
    """The variable or the setting that names the key in use, as messages call it."""
    if os.environ.get(KEY):
        return KEY
    if BY_SETTINGS.key_file and is_by_settings():
        return f"{BY_SETTINGS.settings}: [lake] key_file"
    return KEY_FILE
