"""Files of a source by their names and times: rotations in order, which are closed, when each was written.

They lie on this machine, another host, an object store or a web server.
"""

import contextlib
import datetime as dt
import os
import re
import stat
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.base.core.errors import Away
from jobs.base.places.connections import classify_problem, connection_errors
from jobs.base.places.file_systems import find_missing_bucket, is_remote, needed_extra, open_place, written_at
from jobs.base.settings.access import HTTP, Access
from jobs.base.settings.operator import SourceSettings
from jobs.operators.ingest.http_files import HttpFiles
from jobs.operators.ingest.manifest import Files, Seen
from jobs.operators.ingest.remote import RemoteFile, version_of


def open_source(url: str, access: Access) -> tuple[Any, str]:
    """The file system of a source's URL, and the pattern of names in it. Raises ImportError, ValueError,
    source_errors()."""
    if url.partition("://")[0] not in HTTP:
        return open_place(url, access)
    files = HttpFiles(url, access)
    return files, files.pattern


# No log that is pulled was written before: 1970 and 1980 are what archives give a file without a time.
OLDEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
# With these a server says that it has no such file.
GONE = (404, 410)
# A date stands first: mail.log.20261120 is no rotation number.
ROTATED = re.compile(r"(?:[-.](?P<date>\d{8}(?:[-.T]?\d+)?)|\.(?P<number>\d+))(?:\.(?:gz|bz2|xz|zst))?$")


@dataclass
class Listed:
    """The files of a source, oldest first, in their file system; what was left out, each with what to do;
    and, of files on another host, how its listing shows them."""

    fs: Any
    names: list[str]
    problems: list[str]
    shown: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def find_seen(self, name: str, source: SourceSettings, written: dt.datetime | None) -> Seen | None:
        """The state of a file in a listing; None on this machine, and where a listing says too little."""
        info = self.shown.get(name)
        if info is None or info.get("size") is None or version_of(info) is None:
            return None
        at = written.isoformat() if written else None
        return Seen(int(info["size"]), str(version_of(info)), source.format, at)

    def find_unchanged(self, before: Files, source: SourceSettings) -> dict[str, Seen]:
        """The files that are shown as at the last pull, which read all of them: no line waits there."""
        found = {}
        for name in self.shown:
            seen = before.seen.get(name)
            if seen and name not in before.waiting and seen == self.find_seen(name, source, seen.at):
                found[name] = seen
        return found

    def list_times(self, unchanged: Mapping[str, Seen]) -> dict[str, dt.datetime]:
        """The times at which files were written, as far as they are known without a look into them: only a
        gzip header knows better than a listing."""
        found = {name: seen.at for name, seen in unchanged.items()}
        for name, info in self.shown.items():
            if name not in unchanged and not name.endswith(".gz"):
                found[name] = written_at(info)
        return {name: at for name, at in found.items() if at is not None and at >= OLDEST}


def list_files(source: SourceSettings, was_there: bool, before: Files) -> Listed:
    """The files that a source's url matches.

    Args:
        was_there: an earlier pull found some, so that they are away now.
        before: what it knew of them.
    """
    url = source.shown_url
    try:
        fs, pattern = open_source(source.url, source.access)
        names, shown, failed = match_files(fs, pattern, source, before)
        if not names and is_remote(url) and (wrong := find_missing_bucket(fs, pattern)):
            return Listed(fs, [], [f"{url} cannot be listed: {wrong}"])
    except ImportError as error:
        return Listed(None, [], [f"{url} cannot be listed: {error}. {needed_extra(url)}"])
    except ValueError as error:
        return Listed(None, [], [f"{url} cannot be listed: {error}"])
    except source_errors() as error:
        return Listed(None, [], [classify_problem(error, f"{url} cannot be listed: {error}")])
    if not names and was_there:
        away = f"{url} is away: an earlier pull found files there, and none is there now. Bring them back, or"
        return Listed(fs, [], [Away(f"{away} correct the url; the next pull looks again.")])
    if not names:
        return Listed(fs, [], [f"no file matches {url}. Check the url, and who may read it."])
    left_out = {name: why for name in names if (why := reason_left_out(fs, name))}
    problems = [f"{name} {why}" for name, why in left_out.items()]
    problems += [classify_problem(why, f"{name} cannot be read: {why}") for name, why in failed.items()]
    names = sorted((name for name in names if name not in left_out | failed), key=rotation_order)
    return Listed(fs, names, problems, shown)


def match_files(
    fs: Any, pattern: str, source: SourceSettings, before: Files
) -> tuple[list[str], dict[str, Mapping[str, Any]], dict[str, OSError]]:
    """The names of files that a pattern matches; what another host says of each; and why some of a web
    server's cannot be read."""
    if not is_remote(source.shown_url):
        return [name for name in fs.glob(pattern) if not fs.isdir(name)], {}, {}
    found = list_remote(fs, pattern)
    shown = {name: info for name, info in found.items() if info["type"] != "directory"}
    names = list(shown)
    if not is_http(fs):
        return names, shown, {}
    fs.look_at(names, before.list_seen(source.format))
    if fs.failed.keys() == {pattern} and getattr(fs.failed[pattern], "status", None) in GONE:
        return [], fs.shown, {}
    return names, fs.shown, fs.failed


def source_errors() -> tuple[type[Exception], ...]:
    """The errors of reading a source that is away or does not give its files. Not all errors of aiohttp,
    which reads from S3, are of the operating system's kind."""
    aiohttp = sys.modules.get("aiohttp")
    return (OSError, *([aiohttp.ClientError] if aiohttp else ()), *connection_errors())


def list_remote(fs: Any, pattern: str) -> dict[str, Mapping[str, Any]]:
    """The entries of another host for each name that a pattern matches, by one listing of its folder; none
    where the folder is not there."""
    try:
        found: dict[str, Mapping[str, Any]] = fs.glob(pattern, detail=True)
    except FileNotFoundError:
        return {}
    # Of links a listing says what they are, and not what they lead to.
    return {name: fs.info(name) if info["type"] == "link" else info for name, info in found.items()}


def is_http(fs: Any) -> bool:
    return "https" in fs.protocol


@contextlib.contextmanager
def open_file(fs: Any, name: str) -> Iterator[Any]:
    """A file of a source, to be read from any place in it. What comes over HTTP is copied first: not all
    servers give a part of a file, and a pull reads it from its start in any case."""
    if is_http(fs):
        with fs.take(name) as file:
            yield file
        return
    with fs.open(name, "rb") as file:
        yield RemoteFile(file) if is_connected(fs) else file


def is_connected(fs: Any) -> bool:
    """Return whether files come from another host as they are read."""
    return "file" not in fs.protocol and "memory" not in fs.protocol


def reason_left_out(fs: Any, name: str) -> str | None:
    """The reason why a name on this machine is left out, if it leads to no file."""
    if "file" not in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)):
        return None
    try:
        if stat.S_ISREG(os.stat(name).st_mode):
            return None
    except FileNotFoundError:
        if not os.path.islink(name):
            return None
        return (
            f"is a link to {os.readlink(name)}, which is not there: it is left out. Remove the link, or bring"
            " back what it leads to."
        )
    except OSError:
        # Reading it says what is wrong.
        return None
    # Opening a FIFO waits until somebody writes to it.
    return "is no file but a FIFO, a socket or a device: it is left out. Give a url that does not match it."


@dataclass(frozen=True)
class FileTimes:
    """Times of a file, UTC: when it was written, the bound that it and its rotations set for its lines, and
    when it is pulled."""

    newest_at: dt.datetime
    written_at: dt.datetime
    now: dt.datetime


def rotation_order(name: str) -> tuple[int, str]:
    """Oldest first: higher rotation numbers, then dated names, then the file that is written now."""
    rotated = ROTATED.search(name)
    if rotated and rotated["number"]:
        return (-int(rotated["number"]), name)
    return (0, name) if rotated else (1, name)


def is_closed(name: str) -> bool:
    """Return whether no more lines will be written to a file of this name."""
    return bool(ROTATED.search(name)) or name.endswith((".gz", ".bz2", ".xz", ".zst"))


def newest_times(fs: Any, names: list[str]) -> dict[str, dt.datetime]:
    """Return for each file a UTC time that none of its lines is newer than: for stamps without a year.

    The time in a gzip header, else the file's own; and no older rotation is newer than a younger one.
    `names` stand oldest first. A file that cannot be read, or whose time cannot be, has none.
    """
    return bound_times(names, written_times(fs, names))


def written_times(
    fs: Any, names: list[str], known: Mapping[str, dt.datetime] | None = None
) -> dict[str, dt.datetime]:
    """The time at which each file was written. Left out are files that cannot be read, and times before
    OLDEST: archives that are made to be reproducible give their files such a time.

    Args:
        known: times that need no look.
    """
    times: dict[str, dt.datetime] = {}
    for name in names:
        try:
            written = (known or {}).get(name) or file_time(fs, name)
        except (ValueError, NotImplementedError):
            # A server names no time, or none that is one.
            continue
        except source_errors():
            continue
        if written >= OLDEST:
            times[name] = written
    return times


def bound_times(names: list[str], written: dict[str, dt.datetime]) -> dict[str, dt.datetime]:
    """The times of files, none later than that of a younger rotation. `names` stand oldest first."""
    times: dict[str, dt.datetime] = {}
    bound: dict[str, dt.datetime] = {}
    for name in reversed(names):
        if name in written:
            log = ROTATED.sub("", name)
            times[name] = bound[log] = min(written[name], bound.get(log, written[name]))
    return times


def file_time(fs: Any, name: str) -> dt.datetime:
    """The time at which the file was last written, UTC: its gzip header knows better than a copy's own time.
    NotImplementedError where a server does not say it."""
    if is_http(fs):
        return named_time(fs, name, "written")
    with fs.open(name, "rb", block_size=4096) as file:
        start = file.read(8)
    if start[:2] == b"\x1f\x8b" and len(start) == 8 and (seconds := struct.unpack("<I", start[4:])[0]):
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    return modified_at(fs, name)


def modified_at(fs: Any, name: str) -> dt.datetime:
    """The file's own time, UTC; over HTTP the one that the server names. NotImplementedError without one."""
    if is_http(fs):
        return named_time(fs, name, "modified")
    at: dt.datetime = fs.modified(name)
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


def named_time(fs: Any, name: str, which: str) -> dt.datetime:
    """A time that a web server named of a file. Raises NotImplementedError."""
    at: dt.datetime | None = fs.shown.get(name, {}).get(which)
    if at is None:
        raise NotImplementedError
    return at


def own_time(fs: Any, name: str) -> dt.datetime | None:
    """The file's own time, if there is one that can be."""
    try:
        at = modified_at(fs, name)
    except (NotImplementedError, ValueError):
        return None
    return at if at >= OLDEST else None
