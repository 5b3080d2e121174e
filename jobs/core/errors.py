"""Errors that a person is meant to read: what is wrong, where, and what to do."""

from __future__ import annotations

# No error: the exit code of a run that left all tables as they were, where `--changed-since` asks for it.
# BashOperator of Airflow skips its task with it.
NOTHING_CHANGED = 99


class ObservatoryError(Exception):
    """Wrong input or settings (exit code 2)."""

    exit_code = 2


class ValidationHeld(ObservatoryError):
    """A critical rule failed: the tables stay as they were (exit code 1)."""

    exit_code = 1


class Locked(ObservatoryError):
    """Another command writes to the lake: the same command may be tried again (exit code 5)."""

    exit_code = 5


class LandingLost(ObservatoryError):
    """Pieces that the ledger has are gone from landing, and the manifest with them."""
