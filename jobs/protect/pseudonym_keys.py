"""The secret key, the key of each operator that derives from it, and pseudonyms under such a key.

The key is read in the worker from the environment or a mounted file, never passed through a query plan.
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


def master_key() -> bytes:
    """The secret from which each operator's key derives.

    Raises ObservatoryError that says how to set it.
    """
    if os.environ.get(KEY):
        key = os.environ[KEY].encode()
    elif os.environ.get(KEY_FILE):
        key = read_secret(
            Path(os.environ[KEY_FILE]),
            key_setting(),
            "pseudonym key",
            if_lost="Put the key back from its backup, or name the file that holds it.",
            if_read="make another key",
        ).strip()
    else:
        raise ObservatoryError(
            f"no pseudonym key: set {KEY_FILE}, or [lake] key_file in the settings, to a file with at least"
            f" {SHORTEST_KEY} random characters (for instance from `openssl rand -hex 32`), and keep it: with"
            " another key no pseudonym matches those in the lake."
        )
    if len(key) < SHORTEST_KEY:
        raise ObservatoryError(
            f"{key_setting()}: the pseudonym key has {len(key)} characters; {SHORTEST_KEY} are the least."
        )
    if len(set(key)) < FEWEST_SIGNS:
        raise ObservatoryError(
            f"{key_setting()}: the pseudonym key has only {len(set(key))} different characters, and can be"
            " guessed. Make one with `openssl rand -hex 32`."
        )
    return key


def has_key() -> bool:
    """Whether the environment names a key."""
    return bool(os.environ.get(KEY) or os.environ.get(KEY_FILE))


@cache
def operator_key(operator_id: str) -> bytes:
    """The operator's own key, derived from the master key."""
    return hmac.digest(master_key(), b"operator\0" + operator_id.encode(), "sha256")


def pseudonym_key(space: OperatorSpace) -> bytes:
    """The key of the operator's pseudonyms."""
    return space.key or operator_key(space.operator_id)


def key_id(space: OperatorSpace) -> str:
    """Names the operator's key without revealing it."""
    return to_key_id(pseudonym_key(space))


def derived_key_id(operator_id: str) -> str:
    """The id of the key that derives from the master key."""
    return to_key_id(operator_key(operator_id))


def to_key_id(key: bytes) -> str:
    return hashlib.sha256(b"key id\0" + key).hexdigest()[:8]


def make_pseudonyms(values: pl.Series, key: bytes) -> pl.Series:
    """Keyed pseudonyms of the values, 32 hexadecimal digits; null stays null."""
    return keyed_hashes(values, key).alias(values.name)
