"""The seam between stages and engines: tasks, and the frames that they leave for each other.

A task is a call of a function with small values: paths, names, numbers, a settings object. It reads files,
calls kernels, writes files under names that nobody else has, and returns what it wrote. It may run twice, or
die half-way: a file that no finished task has returned does not count. Stages leave tables for a commit so:
their rows in staging, finished from merged parts.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import stat
import sys
import tempfile
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Generic, ParamSpec, Protocol, TypeVar

import polars as pl

from jobs.base.core.disk import DiskFull, add_file, is_full
from jobs.base.core.errors import ObservatoryError
from jobs.base.places.file_systems import is_local, open_store, plain_url
from jobs.base.places.held_leases import others_died
from jobs.base.places.store_errors import find_store_error
from jobs.base.tables.checksum import Fingerprints, fingerprint_periods
from jobs.base.tables.contracts import read_contract

LOCK = "lock"
FILES_OF_A_TASK = 64
P = ParamSpec("P")
R = TypeVar("R")


class Task(Generic[R]):
    """One piece of work: `Task("silver, bucket 3 of 8", assemble, bucket=bucket, parts=parts)`.

    Attributes:
        about: its file or bucket, for messages.
        function: one that a module defines at its top, for processes and Spark's workers get its name.
        smaller: makes tasks that together do the same in less memory; None where it cannot be cut.
    """

    def __init__(self, about: str, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> None:
        refuse_unnamed(function)
        self.about = about
        self.function = function
        self.call: Callable[[], R] = partial(function, *args, **kwargs)
        self.smaller: Callable[[], Sequence[Task[R]]] | None = None

    def cut_by(self, smaller: Callable[[], Sequence[Task[R]]]) -> Task[R]:
        """The task itself, with the smaller ones that do its work where it died."""
        self.smaller = smaller
        return self

    def split_task(self) -> Sequence[Task[R]]:
        """The tasks to run after its process died: smaller ones, or the task itself."""
        return self.smaller() if self.smaller else [self]


def refuse_unnamed(function: Callable[..., Any]) -> None:
    """Raise TypeError for a function that another process cannot find: a lambda, or one inside another."""
    found = getattr(sys.modules.get(function.__module__), function.__qualname__, None)
    if found is not function:
        raise TypeError(
            f"{function.__module__}.{function.__qualname__} cannot be a task: other processes find a function"
            " by its module and name. Define it at the top of a module"
        )


class Engine(Protocol):
    """A runner of tasks.

    Attributes:
        workers: how many at a time.
        task_bytes: the memory that one may take.
    """

    workers: int
    task_bytes: int
    # Whether a task died that may have written files before.
    has_lost: bool

    def run_tasks(self, tasks: Iterable[Task[R]], done: Callable[[int], None] = ...) -> list[R]:
        """The values that the tasks returned, in their order; those of tasks that were cut, one after the
        other.

        Raises the error of the first task that failed. A task that died is cut into smaller ones where
        possible and tried once more; TaskDied names one that died again.

        Args:
            done: called with the number of finished tasks after each.
        """
        ...

    def release_workers(self) -> None:
        """Give back the memory of workers until the next tasks."""
        ...


class TaskDied(Exception):
    """A task had no memory left, or its process was killed."""


class TaskFailed(Exception):
    """A task raised an error that is none of the project's: a fault of the program."""


def perform_call(call: Callable[[], R]) -> R:
    """Run a task's call. Errors that a person can act on pass as they are. All else becomes TaskFailed with
    the error and its traceback as text, for not every exception can be sent between processes."""
    try:
        return call()
    except ObservatoryError:
        raise
    except MemoryError:
        raise TaskDied from None
    except (Exception, pl.exceptions.PanicException) as error:
        if is_full(error):
            raise DiskFull(str(getattr(error, "filename", None) or "staging or a table")) from None
        if found := find_store_error(error):
            raise found from None
        what = "".join(traceback.format_exception_only(error)).strip().splitlines()[0]
        trace = "".join(traceback.format_exception(error))
        raise TaskFailed(f"{what}\n{trace}") from None


@dataclass(frozen=True)
class StagedFrame:
    """A frame that a task left in staging: so many bytes of a file, from `offset` on.

    Attributes:
        bucket: of `count` buckets the one that all its rows belong to.
    """

    name: str
    path: str
    bytes: int
    rows: int
    bucket: int = 0
    count: int = 1
    offset: int = 0

    def read_rows(self) -> pl.DataFrame:
        return pl.read_ipc(read_staged(self.path, self.offset, self.bytes))


def read_staged(path: str, offset: int = 0, size: int | None = None) -> bytes:
    """Bytes of a file in staging."""
    if not is_local(path):
        fs, file = open_store(path)
        found: bytes = fs.cat_file(file, start=offset, end=None if size is None else offset + size)
        return found
    with open(path, "rb") as data:
        data.seek(offset)
        return data.read(-1 if size is None else size)


def leave_frame(frame: pl.DataFrame, name: str, staging: str) -> list[StagedFrame]:
    """Write a frame for later tasks, in a file of its own; nothing for a frame without rows."""
    return leave_buckets([(0, frame)], name, staging, 1)


def leave_buckets(
    parts: Iterable[tuple[int, pl.DataFrame]], name: str, staging: str, count: int
) -> list[StagedFrame]:
    """Write the frames of some of `count` buckets into one file: a file for each would be as many as tasks
    times buckets, which both grow with the logs."""
    path = f"{staging}/{name}-{uuid.uuid4().hex}.arrow"
    data = io.BytesIO()
    left = []
    for bucket, frame in parts:
        if frame.height:
            one = io.BytesIO()
            frame.write_ipc(one, compression="lz4")
            left.append(StagedFrame(name, path, one.tell(), frame.height, int(bucket), count, data.tell()))
            data.write(one.getbuffer())
    if left:
        # Python's own writing says when a disk is full; Polars loses the reason.
        fs, file = open_store(path)
        add_file(fs, file, data.getbuffer())
    return left


def take_frames(left: Iterable[StagedFrame]) -> pl.DataFrame | None:
    """The rows of frames that tasks left; None where there are none."""
    frames = [each.read_rows() for each in left]
    # One chunk: some functions of Polars 2.1 fail where an empty chunk stands before another.
    return pl.concat(frames, rechunk=True) if frames else None


def select_named(left: Iterable[StagedFrame], name: str) -> list[StagedFrame]:
    return [each for each in left if each.name == name]


def group_by_bytes(items: Sequence[Any], limit: int) -> list[list[Any]]:
    """The items in groups of so many bytes, and of not too many items."""
    found: list[list[Any]] = []
    size = 0
    for each in items:
        if not found or size + each.bytes > limit or len(found[-1]) == FILES_OF_A_TASK:
            found.append([])
            size = 0
        found[-1].append(each)
        size += each.bytes
    return found


@dataclass
class StagingFolder:
    """A run's private folder for the frames that tasks leave.

    Attributes:
        others_died: runs before it have died.
    """

    folder: str
    others_died: bool = False


@contextmanager
def open_staging(root: str, is_spread: bool = False) -> Iterator[StagingFolder]:
    """A new staging folder, gone when this ends. It lies in staging_place(), but of a lake in an object store
    in the store if tasks run on other machines (is_spread).

    What runs that died have left is removed first. A run that is alive holds a lock on its folder, which ends
    with it. A run that fails leaves its folder empty, so that the next one finds it.
    """
    if not is_local(root) and is_spread:
        whole = f"{plain_url(root)}/_staging"
        # All other runs have ended: this one holds the lease.
        remove_staged(whole)
        try:
            yield StagingFolder(f"{whole}/{uuid.uuid4().hex}", others_died(root))
        finally:
            with suppress(Exception):
                remove_staged(whole)
        return
    local = staging_place(root)
    with hold_folder(local):
        dead = [folder for folder in local.iterdir() if not is_locked(folder)]
        for each in dead:
            shutil.rmtree(each, ignore_errors=True)
        own, lock = make_locked(local)
    with lock:
        try:
            yield StagingFolder(str(own), bool(dead) if is_local(root) else others_died(root))
        except BaseException:
            for frame in own.glob("*.arrow"):
                frame.unlink(missing_ok=True)
            raise
        shutil.rmtree(own, ignore_errors=True)


@contextmanager
def open_scratch(root: str) -> Iterator[Path]:
    """A folder for rows of the lake that something else than a run needs as files, gone when this ends. It
    lies beside runs' own, so that the next run removes what a killed process has left."""
    local = staging_place(root)
    with hold_folder(local):
        own, lock = make_locked(local)
    with lock:
        try:
            yield own
        finally:
            shutil.rmtree(own, ignore_errors=True)


def staging_place(root: str) -> Path:
    """The folder of a lake's staging folders, which its owner alone may read: in the lake; of a lake in an
    object store in this machine's temporary folder, under a name by which the next run finds it."""
    if is_local(root):
        local = Path(root, "_staging")
        local.mkdir(parents=True, exist_ok=True)
        local.chmod(0o700)
        return local
    name = hashlib.sha256(plain_url(root).encode()).hexdigest()[:16]
    local = Path(tempfile.gettempdir(), f"observatory-{os.getuid()}-{name}")
    local.mkdir(mode=0o700, exist_ok=True)
    about = local.lstat()
    # Anybody may make a folder or a link of this name.
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise ObservatoryError(
            f"{local} is for rows of the lake {plain_url(root)} while a command works, and is no folder that"
            " you alone own and read: remove it, or name another temporary folder in the variable TMPDIR"
        )
    return local


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Lock a folder: within it no other process looks for dead folders in this one, nor makes one."""
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def make_locked(local: Path) -> tuple[Path, IO[bytes]]:
    """A new folder, and the lock that says that its process is alive."""
    own = Path(tempfile.mkdtemp(dir=local))
    lock = open(own / LOCK, "wb")  # noqa: SIM115
    fcntl.flock(lock, fcntl.LOCK_EX)
    return own, lock


def remove_staged(folder: str) -> None:
    fs, path = open_store(folder)
    with suppress(FileNotFoundError):
        fs.rm(path, recursive=True)


def is_locked(folder: Path) -> bool:
    """Return whether the run of a staging folder is alive."""
    try:
        with open(folder / LOCK, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@dataclass(frozen=True)
class StagedTable:
    """A whole table, or the periods of it that were computed: its rows in staging, and their fingerprints."""

    table: str
    frames: list[StagedFrame]
    fingerprints: Fingerprints


def leave_table(staging: str, table: str, rows: pl.DataFrame | None) -> StagedTable:
    """Leave a table's rows in staging; None stands for no rows."""
    if rows is None:
        return StagedTable(table, [], {})
    return StagedTable(table, leave_frame(rows, table, staging), fingerprint_periods(rows, table))


def is_in_periods(periods: Mapping[str, set[str]], table: str) -> pl.Expr:
    """Return whether a row of a table belongs to one of the operator-periods."""
    period = read_contract(table).period
    assert period is not None
    parts = [
        (pl.col("operator_id") == operator) & pl.col(period).cast(pl.String).is_in(sorted(of_operator))
        for operator, of_operator in sorted(periods.items())
    ]
    return pl.any_horizontal(parts) if parts else pl.lit(False)
