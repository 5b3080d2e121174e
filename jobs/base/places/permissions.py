"""Permissions of a lake: its owner alone may read it, or the group that the settings name.

The logs in landing, and bronze, name people. Folders are made 0700 and files 0600; with [lake] group, 2750
and 0640, where the folders' setgid bit gives the group to all that is made in them. The lake's own folder
says which holds: whoever writes to it goes by it, in whichever process.
"""

import contextlib
import functools
import grp
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from jobs.base.core.errors import ObservatoryError

OWNER, GROUP = 0o077, 0o027

P = ParamSpec("P")
T = TypeVar("T")


def folder_of(root: str) -> Path | None:
    """The folder of a lake on this machine; None of one in an object store."""
    path = root.removeprefix("file://")
    return None if "://" in path else Path(path).resolve()


def is_shared(folder: Path) -> bool:
    """Return whether a group may read the lake."""
    try:
        return bool(folder.stat().st_mode & stat.S_ISGID)
    except OSError:
        return False


@contextlib.contextmanager
def keep_private(folder: Path | None) -> Iterator[None]:
    """Let files and folders, as long as it is open, be created for those alone who may read the lake."""
    if folder is None:
        yield
        return
    before = os.umask(GROUP if is_shared(folder) else OWNER)
    try:
        yield
    finally:
        os.umask(before)


@contextlib.contextmanager
def write_as_lake(root: str | None, folder: Path) -> Iterator[list[Path]]:
    """Let files with figures of single operators, such as the page, be written outside of the lake for those
    alone who may read the lake; without a root for their owner. The writer adds them to the list.

    A folder that was there stays as it is: the user may keep other things in it.
    """
    lake = folder_of(root) if root else None
    group = lake.stat().st_gid if lake is not None and is_shared(lake) else None
    is_new, before = not folder.exists(), os.umask(OWNER if group is None else GROUP)
    written: list[Path] = []
    try:
        yield written
    finally:
        os.umask(before)
    for path in [*written, *([folder] if is_new else [])]:
        if group is None:
            path.chmod(0o700 if path.is_dir() else 0o600)
        else:
            give_to_group(path, group)


def lake_umask() -> int:
    """The umask of this process."""
    mask = os.umask(OWNER)
    os.umask(mask)
    return mask


def write_privately(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that writes files of a lake, whose root is its last argument."""

    @functools.wraps(function)
    def call_privately(*args: P.args, **kwargs: P.kwargs) -> T:
        with keep_private(folder_of(str([*args, *kwargs.values()][-1]))):
            return function(*args, **kwargs)

    return call_privately


def close_to_others(folder: Path) -> None:
    """Take access from all others. A folder of another owner stays as it is, such as a mounted volume."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    closed = mode & ~(GROUP if is_shared(folder) else OWNER)
    if closed != mode:
        with contextlib.suppress(PermissionError):
            os.chmod(folder, closed)


def prepare_folder(root: str, group: str | None) -> None:
    """Make the lake's folder as the settings say. Raises ObservatoryError where a group cannot have it."""
    folder = folder_of(root)
    if folder is None or (group is None and not is_shared(folder)):
        return
    if group is None:
        os.chmod(folder, 0o700)
        return
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        raise ObservatoryError(f"[lake] group: no group '{group}' on this machine") from None
    if is_shared(folder) and folder.stat().st_gid == number:
        return
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for path in folder.rglob("*"):
            give_to_group(path, number)
        # Last: a change that was broken off is made again.
        give_to_group(folder, number)
    except PermissionError as error:
        raise ObservatoryError(
            f"[lake] group: {folder} cannot be given to group '{group}': {error.strerror}. Run as the owner"
            " of the folder, who must be a member of the group"
        ) from None


def give_to_group(path: Path, number: int) -> None:
    """Let a group read a file or folder."""
    os.chown(path, -1, number)
    os.chmod(path, 0o2750 if path.is_dir() else 0o640)
