"""One writer per lake: a lock on a file in the lake's root, held as long as a command writes.

It is the operating system's own lock (flock), which ends with the process that holds it, however that ends.
The file says who holds it and since when; process ids mean nothing across containers, so they are
printed, and nothing is decided by them. A lake in an object store has a lease in its place
(jobs/base/store/lease.py).
"""

import contextlib
import datetime as dt
import fcntl
import functools
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, ParamSpec, TypeVar

from jobs.base.core.disk import DiskFull, is_full
from jobs.base.core.errors import Locked, ObservatoryError
from jobs.base.places.permissions import close_to_others, folder_of, keep_private
from jobs.base.store.lease import LOCK, Holder, format_holder, hold_lease

P = ParamSpec("P")
T = TypeVar("T")
# The lakes that this process writes to: a command that pulls and runs takes the lock once.
_locked_lakes: set[str] = set()


@contextlib.contextmanager
def hold_lock(root: str, action: str) -> Iterator[None]:
    """Be the lake's only writer.

    Raises Locked, which names the writer, where another process writes.

    Args:
        action: the command, for those who must wait.
    """
    folder = folder_of(root)
    name = root if folder is None else str(folder)
    if name in _locked_lakes:
        yield
        return
    if folder is None:
        with hold_lease(root, describe_holder(action)):
            _locked_lakes.add(name)
            try:
                yield
            finally:
                _locked_lakes.discard(name)
        return
    with keep_private(folder), open_lock(folder) as file:
        take_lock(file.fileno(), folder)
        _locked_lakes.add(str(folder))
        try:
            with contextlib.suppress(OSError):
                os.ftruncate(file.fileno(), 0)
                os.pwrite(file.fileno(), json.dumps(describe_holder(action)).encode(), 0)
            yield
        finally:
            _locked_lakes.discard(str(folder))
            # The lock ends when the file is closed; a disk that is full must not hide what went wrong.
            with contextlib.suppress(OSError):
                os.ftruncate(file.fileno(), 0)


def open_lock(folder: Path) -> IO[str]:
    """The file of a lake's lock, in a folder that is closed to others. Raises ObservatoryError where there
    can be no such folder or nothing can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        close_to_others(folder)
        return open(folder / LOCK, "a+", encoding="utf-8")
    except FileExistsError:
        raise ObservatoryError(f"[lake] root: {folder} is a file, not a folder. Name a folder") from None
    except OSError as error:
        if is_full(error):
            raise DiskFull(str(folder)) from None
        raise ObservatoryError(
            f"{folder}: the lake cannot be written to: {error.strerror}. Mount it for writing, run as its"
            " owner, or name another folder in [lake] root"
        ) from None


def take_lock(number: int, folder: Path) -> None:
    """Take the lock of an open file. Raises Locked."""
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Locked(
            f"{folder}: the lake is locked: {read_holder(folder)}. Nothing was changed; run the same command"
            " again when the other one has ended"
        ) from None
    except OSError as error:
        raise ObservatoryError(
            f"{folder}: the lake cannot be locked: {error.strerror}. Put it on a file system that has locks"
            " (flock), so that two commands never write to it at once"
        ) from None


def describe_holder(action: str) -> Holder:
    """Describe this process, for those who wait for the lock."""
    since = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    return {"command": action, "host": socket.gethostname(), "process": os.getpid(), "since": since}


def read_holder(folder: Path) -> str:
    """Read who holds a lake's lock, as far as its file says."""
    try:
        return format_holder(json.loads((folder / LOCK).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return format_holder({})


def lock_for_writing(action: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function that writes to a lake, its first argument or that of the run that it is given."""

    def decorate_function(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def call_locked(*args: P.args, **kwargs: P.kwargs) -> T:
            lake: Any = args[0]
            with hold_lock(getattr(lake, "lake", lake).root, action):
                return function(*args, **kwargs)

        return call_locked

    return decorate_function
