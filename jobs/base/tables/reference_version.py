"""Version of the reference table that a figure was computed from."""

import hashlib

from jobs.base.tables.contracts import REFERENCE, read_contract


def reference_version(table: str) -> str:
    """The first twelve digits of the SHA-256 of the table's file, as it is now."""
    file = REFERENCE / f"{read_contract(table).name}.csv"
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
