"""The secret from which the key of each operator's pseudonyms derives.

It is read in the worker from the environment or a mounted file, never passed through a query plan. Later keys
(jobs/base/core/key_names.py) are read from their files.
"""

import os
from pathlib import Path

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.key_names import KEY, KEY_FILE, key_setting
from jobs.base.core.secret_file import read_secret

SHORTEST_KEY = 32


# Of 32 random hexadecimal digits fewer are different once in 10^12 keys.
FEWEST_SIGNS = 6


def master_key(key_file: str | None = None) -> bytes:
    """The secret from which each operator's key derives.

    Raises ObservatoryError that says how to set it.

    Args:
        key_file: of a later key; None for the first.
    """
    if key_file is not None:
        setting = f"[[key]] file = {key_file}"
        key = read_key(key_file, "a [[key]] of the settings")
    elif os.environ.get(KEY):
        setting, key = key_setting(), os.environ[KEY].encode()
    elif os.environ.get(KEY_FILE):
        setting, key = key_setting(), read_key(os.environ[KEY_FILE], key_setting())
    else:
        raise ObservatoryError(
            f"no pseudonym key: set {KEY_FILE}, or [lake] key_file in the settings, to a file with at least"
            f" {SHORTEST_KEY} random characters (for instance from `openssl rand -hex 32`), and keep it: with"
            " another key no pseudonym matches those in the lake."
        )
    if len(key) < SHORTEST_KEY:
        raise ObservatoryError(
            f"{setting}: the pseudonym key has {len(key)} characters; {SHORTEST_KEY} are the least."
        )
    if len(set(key)) < FEWEST_SIGNS:
        raise ObservatoryError(
            f"{setting}: the pseudonym key has only {len(set(key))} different characters, and can be"
            " guessed. Make one with `openssl rand -hex 32`."
        )
    return key


def read_key(file: str, setting: str) -> bytes:
    return read_secret(
        Path(file),
        setting,
        "pseudonym key",
        if_lost="Put the key back from its backup, or name the file that holds it.",
        if_read="make another key",
    ).strip()
