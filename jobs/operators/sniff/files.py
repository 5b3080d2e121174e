"""Arguments of `sniff` → logs: files that belong together, oldest first, and what cannot be read.

Files of one wildcard are one log, and so are the rotations of one name that a shell lists one by one:
mail.log, mail.log.1 and mail.log.2.gz.
"""

import glob
import io
import math
import os
import select
import stat
import sys
import time
from dataclasses import dataclass, field
from typing import IO, Any

import fsspec

from jobs.base.core.patterns import escape_unseen
from jobs.base.places.connections import classify_problem
from jobs.base.places.file_systems import is_remote, needed_extra
from jobs.base.settings.access import Access, check_access, hide_query
from jobs.operators.ingest.chunks import COMPRESSED
from jobs.operators.ingest.journal import BEGIN
from jobs.operators.ingest.remote import RemoteFile
from jobs.operators.ingest.source_files import (
    ROTATED,
    is_closed,
    is_connected,
    is_http,
    list_remote,
    open_source,
    rotation_order,
    source_errors,
)

# So much of a pipe is kept in memory: it can be read only once.
LONGEST_PIPE = 64 << 20
# What a file is that no log format would recognise, by how it starts, and what to do.
FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"LPKSHHRH", "a systemd journal. Export it: journalctl --file FILE -o short-iso-precise"),
    (b"\xd4\xc3\xb2\xa1", "a packet capture, not a log"),
    (b"\xa1\xb2\xc3\xd4", "a packet capture, not a log"),
    (b"\n\r\r\n", "a packet capture, not a log"),
    (b"PAR1", "a Parquet file, not a log"),
    (b"SQLite format 3\0", "a SQLite database, not a log"),
    (b"PK\x03\x04", "a zip archive. Unpack it and name the logs in it"),
    (b"7z\xbc\xaf'\x1c", "a 7-Zip archive. Unpack it and name the logs in it"),
    (b"%PDF", "a PDF"),
    (b"\x7fELF", "a program"),
    (b"\x89PNG", "an image"),
)


@dataclass
class LogFile:
    """One file of a log. `size` in bytes as it lies there; None of a pipe."""

    name: str
    fs: Any = None
    size: int | None = None
    content: bytes | None = None
    is_cut: bool = False  # a pipe that had more than is kept

    def open_file(self) -> IO[bytes]:
        if self.content is not None:
            return io.BytesIO(self.content)
        file: IO[bytes] = self.fs.open(self.name, "rb")
        return io.BufferedReader(RemoteFile(file)) if is_connected(self.fs) else file

    @property
    def is_closed(self) -> bool:
        """Return whether no more lines will be written to it."""
        return self.content is not None or is_closed(self.name)


@dataclass
class Log:
    """Files that one source would read. `url` is what the source would name."""

    url: str
    files: list[LogFile] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class FileProblem:
    """A fault of a file and its remedy."""

    name: str
    text: str

    def __str__(self) -> str:
        return f"{escape_unseen(self.name)}: {self.text}"


def logs_of(arguments: list[str], until: float) -> tuple[list[Log], list[FileProblem]]:
    """The logs that the arguments name. `until`: when a pipe is no longer waited for (monotonic)."""
    logs: dict[str, Log] = {}
    problems: list[FileProblem] = []
    seen: set[str] = set()
    for argument in arguments:
        for key, file in files_of(argument, until, problems):
            place = os.path.realpath(file.name) if file.content is None else file.name
            if place in seen:
                continue
            seen.add(place)
            logs.setdefault(key, Log(key)).files.append(file)
    wildcards = {absolute_path(each) for each in arguments if not os.path.lexists(each)}
    for log in logs.values():
        log.files.sort(key=lambda file: rotation_order(file.name))
        if len(log.files) == 1 and log.url not in wildcards:
            log.url = glob.escape(log.files[0].name)
    return list(logs.values()), problems


def absolute_path(argument: str) -> str:
    return argument if "://" in argument or argument == "-" else os.path.abspath(argument)


def is_pattern(url: str) -> bool:
    return glob.has_magic(url)


def files_of(argument: str, until: float, problems: list[FileProblem]) -> list[tuple[str, LogFile]]:
    """Files of one argument, each with the url of its log."""
    if argument == "-":
        return [("-", read_pipe("-", sys.stdin.buffer, until))]
    is_local = "://" not in argument
    if is_local and is_there(argument):
        file = local_file(argument, until, problems)
        return [(log_url(file.name), file)] if file else []
    shown_as = hide_query(argument)
    try:
        check_access(argument, Access())
        fs, pattern = open_source(argument, Access())
        sizes = list_sizes(fs, pattern, argument, problems)
    except ImportError as error:
        problems.append(FileProblem(shown_as, f"cannot be listed: {error}. {needed_extra(argument)}"))
        return []
    except ValueError as error:
        problems.append(FileProblem(shown_as, f"cannot be listed: {escape_unseen(str(error))}"))
        return []
    except source_errors() as error:
        text = classify_problem(error, f"cannot be listed: {error}")
        problems.append(FileProblem(shown_as, escape_unseen(text)))
        return []
    if sizes is None:
        return []
    if not sizes:
        text = "no file matches. Quote a wildcard, and check who may read the folder"
        if not is_pattern(pattern):
            text = "no such file. Check the path, or name a wildcard in quotes, such as 'mail.log*'"
        problems.append(FileProblem(shown_as, text))
    if is_local:
        # A FIFO among them may be another program's: what is read from it is gone.
        files = [local_file(name, None, problems) for name in sizes]
    else:
        files = [LogFile(name, fs, size) for name, size in sizes.items()]
    return [(absolute_path(argument), file) for file in files if file is not None]


def list_sizes(fs: Any, pattern: str, argument: str, problems: list[FileProblem]) -> dict[str, int] | None:
    """Bytes of each file that an argument names, 0 for those of this machine; None where none of a server's
    files can be read, which is said."""
    if not is_remote(argument):
        if is_pattern(pattern):
            names = [name for name in fs.glob(pattern) if not fs.isdir(name)]
        else:
            names = [pattern] if fs.exists(pattern) else []
        return {name: fs.size(name) if "://" in argument else 0 for name in names}
    shown = list_remote(fs, pattern)
    if is_http(fs):
        fs.look_at(shown)
        shown = fs.shown
        problems += [FileProblem(name, f"cannot be read: {why}") for name, why in sorted(fs.failed.items())]
        if fs.failed and not shown:
            return None
    return {name: info["size"] for name, info in shown.items() if info["type"] != "directory"}


def is_there(path: str) -> bool:
    """Return whether there is something of this name, or it may not be known: local_file() says what is
    wrong."""
    try:
        os.lstat(path)
    except PermissionError:
        return not is_pattern(path)
    except (OSError, ValueError):
        return False
    return True


def local_file(argument: str, until: float | None, problems: list[FileProblem]) -> LogFile | None:
    """The file of that name.

    Args:
        until: when a FIFO is no longer waited for; None leaves a FIFO out.
    """
    path = os.path.abspath(argument)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            logs = sorted(each for each in os.listdir(path) if not each.startswith("."))
            example = f", such as {escape_unseen(os.path.join(argument, logs[0]))}" if logs else ""
            problems.append(FileProblem(argument, f"a folder. Name the files in it{example} or a wildcard"))
            return None
        if stat.S_ISFIFO(mode) and until is not None:
            # Opening it for reading would otherwise wait for a writer.
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
                file = read_pipe(argument, stream, until)
            if file.content:
                return file
            text = "a FIFO, and nothing was written to it in time. Name a log file, or pipe the log into"
            problems.append(FileProblem(argument, f"{text} `observatory sniff -`"))
            return None
        if not stat.S_ISREG(mode):
            text = "a FIFO, a socket or a device, not a file"
            hint = ". Give a wildcard that does not match it" if until is None else ""
            problems.append(FileProblem(argument, text + hint))
            return None
        with open(path, "rb"):
            pass
        return LogFile(path, fsspec.filesystem("file"), os.path.getsize(path))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        hint = ": run as one who may read it" if isinstance(error, PermissionError) else ""
        problems.append(FileProblem(argument, f"cannot be read, {reason}{hint}"))
        return None


def read_pipe(name: str, stream: Any, until: float) -> LogFile:
    """The contents of a pipe, up to a limit and a time: it is read once and kept in memory."""
    blocks: list[bytes] = []
    have = 0
    read = getattr(stream, "read1", stream.read)
    while have < LONGEST_PIPE and is_ready(stream, until) and (block := read(1 << 20)):
        blocks.append(block)
        have += len(block)
    is_cut = have >= LONGEST_PIPE or time.monotonic() >= until
    return LogFile(name, None, None, b"".join(blocks), is_cut)


def is_ready(stream: Any, until: float) -> bool:
    """Return whether there is something to read, or the end, before the time is over."""
    left = until - time.monotonic()
    try:
        number = stream.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return left > 0
    return left > 0 and bool(select.select([number], [], [], None if math.isinf(left) else left)[0])


def log_url(name: str) -> str:
    """The url with which a source reads a file and all its rotations; special signs of wildcards are kept."""
    return glob.escape(ROTATED.sub("", strip_compression(name))) + "*"


def strip_compression(name: str) -> str:
    for ending in (".gz", ".bz2", ".xz", ".zst"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def foreign_kind(head: bytes) -> str | None:
    """The kind of a file by its first bytes, if it is surely no log; None for what may be text."""
    for start, kind in FOREIGN:
        if head.startswith(start):
            return kind
    if head[257:262] == b"ustar":
        return "a tar archive. Unpack it and name the logs in it"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text in UTF-16. Convert it: iconv -f UTF-16 -t UTF-8"
    if head.count(b"\0") > len(head) // 50:
        return "binary, not a log: every fiftieth byte or more is NUL"
    controls = sum(head.count(bytes([sign])) for sign in range(32) if sign not in (9, 10, 13, 27))
    if controls > len(head) // 10:
        return "binary, not a log: full of control characters"
    return None


def compression_kind(head: bytes) -> str | None:
    """gz, bz2, xz, zst, journal or None, by the first bytes: what can be read from its start alone."""
    if head.startswith(BEGIN[:6]):
        return "journal"
    return next((kind for start, kind in COMPRESSED.items() if head.startswith(start)), None)
