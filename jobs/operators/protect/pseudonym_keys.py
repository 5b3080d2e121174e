"""The key of each operator, derived from the secret key, and pseudonyms under such a key."""

import hashlib
import hmac
import os
from dataclasses import replace
from functools import cache

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.key_names import KEY, KEY_FILE, key_setting
from jobs.base.core.master_key import master_key
from jobs.base.tables.keyed_hashes import keyed_hashes
from jobs.operators.protect.operators import OperatorSpace, Protection


def has_key() -> bool:
    """Return whether the environment names a key."""
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
    if space.key_id is not None and hash_key(found) != space.key_id:
        raise ObservatoryError(
            f"operator '{space.operator_id}': this worker has another pseudonym key than the run that began:"
            f" {space.key_file or key_setting()} holds the key with the id {hash_key(found)}, not"
            f" {space.key_id}. Give every worker the same files"
        )
    return found


def key_id(space: OperatorSpace) -> str:
    """Names the operator's key without revealing it."""
    return hash_key(pseudonym_key(space))


def derived_key_id(operator_id: str, key_file: str | None = None) -> str:
    """The id of the key that derives from the master key, or from a later one."""
    return hash_key(operator_key(operator_id, key_file))


def hash_key(key: bytes) -> str:
    return hashlib.sha256(b"key id\0" + key).hexdigest()[:8]


def make_pseudonyms(values: pl.Series, key: bytes) -> pl.Series:
    """Keyed pseudonyms of the values, 32 hexadecimal digits; null stays null."""
    return keyed_hashes(values, key).alias(values.name)


def replace_key(protection: Protection, key_file: str | None) -> Protection:
    """The protection with another key than the first: the one in this file, which a worker must have, too."""
    if key_file is None:
        return protection
    return replace(
        protection,
        spaces=tuple(
            replace(each, key_file=key_file, key_id=derived_key_id(each.operator_id, key_file))
            for each in protection.spaces
        ),
    )
