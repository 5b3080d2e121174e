"""Errors that a person is meant to read: what is wrong, where, and what to do."""

from __future__ import annotations

import re

# The last line of the stack trace that Spark passes on from a task.
_IN_A_TASK = re.compile(r"^jobs\.errors\.ObservatoryError: (.+)$", re.MULTILINE)


class ObservatoryError(Exception):
    """Wrong input or settings (exit code 2)."""

    exit_code = 2


class ValidationHeld(ObservatoryError):
    """A critical rule failed: the tables stay as they were (exit code 1)."""

    exit_code = 1


def of_task(error: Exception) -> ObservatoryError | None:
    """What a task of Spark had to say to a person; None where the error is another."""
    told = _IN_A_TASK.findall(str(error))
    return ObservatoryError(told[-1]) if told else None
