"""Ctrl-C: a command stops at once, removes what it left half done, and prints what the lake holds.

An Interrupted may be lost: Python ignores exceptions while it deletes an object, and Polars raises its own
KeyboardInterrupt. PRESSED therefore records that Ctrl-C was pressed, until the command ends.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

# The shell's own exit code of a program that SIGINT ended.
INTERRUPTED = 130


class Interrupted(BaseException):
    """A person pressed Ctrl-C. It is no KeyboardInterrupt, which Typer would catch and end with exit code 1,
    that of a held validation."""


@dataclass
class Pressed:
    is_pressed: bool = False


PRESSED = Pressed()


def catch_interrupts() -> None:
    """Make Ctrl-C raise Interrupted from now on."""
    PRESSED.is_pressed = False
    signal.signal(signal.SIGINT, raise_interrupted)
    sys.unraisablehook = ignore_interrupted


def raise_interrupted(*_: object) -> NoReturn:
    PRESSED.is_pressed = True
    raise Interrupted("Stopped.")


def ignore_interrupted(lost: sys.UnraisableHookArgs) -> None:
    """Print nothing for an Interrupted that Python ignores: stop_if_pressed() raises it again."""
    if not isinstance(lost.exc_value, Interrupted):
        sys.__unraisablehook__(lost)


def stop_if_pressed() -> None:
    if PRESSED.is_pressed:
        raise Interrupted("Stopped.")


@contextmanager
def interruptible(finished: Callable[[], Iterable[str]], stages: Sequence[str]) -> Iterator[None]:
    """Give an Interrupted the message which stages are finished and kept.

    Args:
        finished: returns their names.
    """
    try:
        yield
        stop_if_pressed()
    except (Interrupted, KeyboardInterrupt):
        raise Interrupted(describe_stop(set(finished()), stages)) from None


def describe_stop(finished: set[str], stages: Sequence[str]) -> str:
    done = [stage for stage in stages if stage in finished]
    rest = [stage for stage in stages if stage not in finished]
    if not done:
        return "Stopped. The lake's tables are as they were. The same command starts again."
    if not rest:
        return "Stopped. Every stage is finished, and the lake's tables are up to date."
    verb = "is" if len(done) == 1 else "are"
    others = "is as it was" if len(rest) == 1 else "are as they were"
    return (
        f"Stopped. {' and '.join(done)} {verb} finished and kept; {' and '.join(rest)} {others}. The same"
        " command goes on from there."
    )
