"""Errors that a person is meant to read: what is wrong, where, and what to do."""

from collections.abc import Sequence

# No error: the exit code of a run that left all tables as they were, where `--changed-since` asks for it.
# BashOperator of Airflow skips its task with it.
NOTHING_CHANGED = 99


class ObservatoryError(Exception):
    """Wrong input or settings (exit code 2)."""

    exit_code = 2


class ValidationHeld(ObservatoryError):
    """A critical rule failed: the tables stay as they were (exit code 1)."""

    exit_code = 1


class TryAgain(ObservatoryError):
    """A trouble that may pass by itself: try the same command again (exit code 5)."""

    exit_code = 5


class Locked(TryAgain):
    """Another command writes to the lake."""


class SourceAway(TryAgain):
    """A source cannot be reached now. All others were pulled."""


class SourceLost(Exception):
    """The connection to a source's host ended while a file was read: what came of it is whole, and more may
    follow. No OSError: that is damage of the file."""


class Away(str):
    """A pull's problem that may pass by itself: the source is away, its settings may be right."""


def raise_problems(problems: Sequence[str]) -> None:
    """Raise the problems of sources as one error: SourceAway if another try may help one of them."""
    if problems:
        is_away = any(isinstance(each, Away) for each in problems)
        raise (SourceAway if is_away else ObservatoryError)("\n".join(problems))


class LandingLost(ObservatoryError):
    """Pieces that the ledger has are gone from landing, and the manifest with them."""
