"""Files that are written whole or not at all, and a disk without room, whichever library meets it."""

from __future__ import annotations

import contextlib
import errno
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.base.core.errors import TryAgain

NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What libraries that are not Python's say in place of a number.
WORDS = ("No space left on device", "Disk quota exceeded", "File too large", "database or disk is full")


class DiskFull(TryAgain):
    """Nothing more can be written. What was finished stays; the same command goes on from there."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what}: the disk is full, or its quota is. What was finished stays as it is. Make room and run "
            "the same command again: it goes on from there, and nothing is lost or counted twice."
        )

    def __reduce__(self) -> tuple[type[DiskFull], tuple[str]]:
        return DiskFull, (self.what,)


def write_whole(path: Path, data: memoryview) -> None:
    """Write a file. Where the disk has no room, DiskFull names the file and nothing is left of it."""
    try:
        path.write_bytes(data)
    except OSError as error:
        if not is_full(error):
            raise
        path.unlink(missing_ok=True)
        raise DiskFull(str(path)) from None


def make_folder(fs: Any, path: str) -> None:
    """Make a folder, where there are folders: s3fs would make a bucket that is not there."""
    if "file" in fs.protocol:
        fs.makedirs(path, exist_ok=True)


def add_file(fs: Any, path: str, data: memoryview) -> None:
    """Write a file under a name that none has. Its folder is made."""
    make_folder(fs, path.rpartition("/")[0])
    if "file" in fs.protocol:
        write_whole(Path(path), data)
    else:
        fs.pipe_file(path, bytes(data))


def replace_file(fs: Any, path: str, data: bytes) -> None:
    """Put a file in place of another, whole or not at all, whatever happens meanwhile. Its folder is made."""
    make_folder(fs, path.rpartition("/")[0])
    if "file" not in fs.protocol:
        # An object store shows an object when all of it is there.
        fs.pipe_file(path, data)
        return
    new = f"{path}.{uuid.uuid4().hex}.new"
    with room_for(fs, new), fs.open(new, "wb") as file:
        file.write(data)
    fs.mv(new, path)


@contextlib.contextmanager
def room_for(fs: Any, path: str) -> Iterator[None]:
    """While a file is written: where there is no room for it, nothing of it stays. Raises DiskFull."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        fs.rm(path)
        raise DiskFull(path) from error


def is_full(error: BaseException) -> bool:
    """Return whether a disk without room is behind an error."""
    return any(
        # An OSError of delta-rs has no number.
        getattr(each, "errno", None) in NUMBERS
        or (getattr(each, "errno", None) is None and any(word in str(each) for word in WORDS))
        for each in error_causes(error)
    )


def error_causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
