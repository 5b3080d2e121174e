"""The secret key, the key of each operator that derives from it, and pseudonyms under such a key.

The key is read in the worker from the environment or a mounted file, never passed through a query plan. Later
keys (jobs/core/key_periods.py) are read from their files.
"""

import hashlib
import hmac
import os
from functools import cache
from pathlib import Path

import polars as pl

from jobs.core.errors import ObservatoryError
from jobs.core.key_names import KEY, KEY_FILE, key_setting
from jobs.core.secret_file import read_secret
from jobs.protect.keyed_hashes import keyed_hashes
from jobs.protect.operators import OperatorSpace

SHORTEST_KEY = 32
# Of 32 random hexadecimal digits fewer are different once in 10^12 keys.
FEWEST_SIGNS = 6


def master_key(key_file: str | None = None) -> bytes:
    """The secret from which each operator's key derives. key_file: of a later key; None for the first.

    Raises ObservatoryError that says how to set it.
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


def has_key() -> bool:
    """Whether the environment names a key."""
    return bool(os.environ.get(KEY) or os.environ.get(KEY_FILE))


@cache
def operator_key(operator_id: str, key_file: str | None = None) -> bytes:
    """The operator's own key, derived from the master key, or from a later one."""
    return hmac.digest(master_key(key_file), b"operator\0" + operator_id.encode(), "sha256")


def pseudonym_key(space: OperatorSpace) -> bytes:
    """The key of the operator's pseudonyms. Raises ObservatoryError if it is not the one that is expected."""
    if space.key is not None:
        return space.key
    found = operator_key(space.operator_id, space.key_file)
    if space.key_id is not None and to_key_id(found) != space.key_id:
        raise ObservatoryError(
            f"operator '{space.operator_id}': this worker has another pseudonym key than the run that began:"
            f" {space.key_file or key_setting()} holds the key with the id {to_key_id(found)}, not"
            f" {space.key_id}. Give every worker the same files"
        )
    return found


def key_id(space: OperatorSpace) -> str:
    """Names the operator's key without revealing it."""
    return to_key_id(pseudonym_key(space))


def derived_key_id(operator_id: str, key_file: str | None = None) -> str:
    """The id of the key that derives from the master key, or from a later one."""
    return to_key_id(operator_key(operator_id, key_file))


def to_key_id(key: bytes) -> str:
    return hashlib.sha256(b"key id\0" + key).hexdigest()[:8]


def make_pseudonyms(values: pl.Series, key: bytes) -> pl.Series:
    """Keyed pseudonyms of the values, 32 hexadecimal digits; null stays null."""
    return keyed_hashes(values, key).alias(values.name)
