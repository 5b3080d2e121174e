"""Work that is killed at each point: before its first change of a file, before its second, and so on."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

# What Python reports before it changes a file or a folder.
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "os.utime"}
WRITING = os.O_WRONLY | os.O_RDWR


def changes(event: str, arguments: tuple[Any, ...]) -> bool:
    """Return whether an audit event is one before a change."""
    return event in CHANGES or (event == "open" and bool(arguments[2] & WRITING))


def kill_before(number: int, work: Callable[[], object]) -> bool:
    """Do the work in a process of its own, which SIGKILL ends before this change; whether it came so far."""
    child = os.fork()
    if child == 0:
        seen = 0

        def watch(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if changes(event, arguments):
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        def fsync(_: int) -> None:
            # All is written and nothing closed. A kill, other than a power cut, loses nothing of it.
            watch("os.truncate", ())

        code = 1
        try:
            os.fsync = fsync
            sys.addaudithook(watch)
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the work failed without being killed"
    return False


def kill_at_each(work: Callable[[], object]) -> Iterator[int]:
    """Kill the work before each of its changes in turn; whoever asks puts things back in between."""
    number = 1
    while kill_before(number, work):
        yield number
        number += 1
    assert number > 1, "the work changes nothing"
