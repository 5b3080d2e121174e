"""Errors that a person is meant to read: what is wrong, where, and what to do."""

from __future__ import annotations


class ObservatoryError(Exception):
    """Wrong input or settings (exit code 2)."""

    exit_code = 2


class ValidationHeld(ObservatoryError):
    """A critical rule failed: the tables stay as they were (exit code 1)."""

    exit_code = 1
