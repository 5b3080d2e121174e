"""Logs of other hosts: by SFTP, from object stores that speak S3, and of web servers.

A connection serves one pull. Of a file that
grew only its beginning, what joins on to the bytes that landing has, and what is new are sent.
"""

import contextlib
import functools
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.base.core.errors import ObservatoryError, SourceLost
from jobs.base.places.connections import connection_errors
from jobs.operators.ingest.manifest import KnownStreams, Stream, landed_bytes
from jobs.operators.ingest.packed import open_landed

# So much of both ends of what landing has is compared with the file.
COMPARED = 64 << 10


def version_of(info: Mapping[str, Any]) -> str | None:
    """The values of a listing that differ once a file is another one."""
    found = info.get("ETag") or info.get("mtime")
    return None if found is None else str(found)


class RemoteFile(io.RawIOBase):
    """A file on another host. Its first `landed` bytes come from landing, from where `again` reads them."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.landed = 0
        self.again: Callable[[], Iterator[bytes]] = lambda: iter(())
        self.blocks: Iterator[bytes] | None = None
        self.rest = b""
        self.at = 0

    def take_landed(self, size: int, again: Callable[[], Iterator[bytes]]) -> None:
        self.landed, self.again = size, again

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.blocks = None
        if whence == io.SEEK_END:
            with lost_connection():
                self.file.seek(0, io.SEEK_END)
                self.at = self.file.tell() + offset
        else:
            self.at = offset + (self.at if whence == io.SEEK_CUR else 0)
        return self.at

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        block = (
            self.read_from_landing(size) if COMPARED <= self.at < self.landed else self.read_from_host(size)
        )
        buffer[: len(block)] = block
        self.at += len(block)
        return len(block)

    def read_from_host(self, size: int) -> bytes:
        if self.at < self.landed:
            size = min(size, COMPARED - self.at)
        with lost_connection():
            self.file.seek(self.at)
            return bytes(self.file.read(size))

    def read_from_landing(self, size: int) -> bytes:
        if self.blocks is None:
            self.blocks, self.rest, skip = self.again(), b"", self.at
            while skip >= len(self.rest):
                skip -= len(self.rest)
                self.rest = next(self.blocks)
            self.rest = self.rest[skip:]
        if not self.rest:
            self.rest = next(self.blocks)
        block, self.rest = self.rest[:size], self.rest[size:]
        return block


class Copy(RemoteFile):
    """A copy of a file of a web server.

    Attributes:
        lost: why it is not whole.
    """

    def __init__(self, file: Any, lost: SourceLost | None) -> None:
        super().__init__(file)
        self.lost = lost

    def read_from_host(self, size: int) -> bytes:
        block = super().read_from_host(size)
        if not block and size and self.lost:
            raise self.lost
        return block

    def close(self) -> None:
        self.file.close()
        super().close()


@contextlib.contextmanager
def lost_connection() -> Iterator[None]:
    """Errors of a connection become SourceLost, so that none is taken for damage of the file."""
    errors: tuple[type[Exception], ...] = (OSError, *connection_errors())
    try:
        yield
    except errors as error:
        raise SourceLost(f"{type(error).__name__}: {error}") from error


def skip_landed(file: RemoteFile, fs: Any, known: KnownStreams) -> None:
    """Let a file that grew be read from landing as far as a stream holds it: its first and last 64 KiB must
    be the file's."""
    for joined in find_joined(fs, known, read_range(file, 0, COMPARED)):
        if joined.tail() == read_range(file, joined.stream.bytes - COMPARED, COMPARED):
            file.take_landed(joined.stream.bytes, joined.again)
            break
    file.seek(0)


@dataclass(frozen=True)
class Joined:
    """A stream of landing that a file may continue.

    Attributes:
        tail: reads its last 64 KiB.
        again: reads all of it.
    """

    stream: Stream
    tail: Callable[[], bytes]
    again: Callable[[], Iterator[bytes]]


def find_joined(fs: Any, known: KnownStreams, head: bytes) -> Iterator[Joined]:
    """The streams whose first 64 KiB are a file's, longest first. One of which retention removed pieces, or a
    short one, is left out: then the file is read whole."""
    alike = [stream for each in known.find_beginnings(head) for stream in each.list_streams()]
    for stream in sorted(alike, key=lambda each: -each.bytes):
        if not stream.removed and stream.bytes >= 4 * COMPARED and landed_range(fs, stream, 0) == head:
            yield Joined(
                stream,
                functools.partial(landed_range, fs, stream, stream.bytes - COMPARED),
                functools.partial(landed_bytes, fs, stream, stream.bytes),
            )


def read_range(file: RemoteFile, start: int, size: int) -> bytes:
    file.seek(start)
    blocks, left = [], size
    while left and (block := file.read(left)):
        blocks.append(block)
        left -= len(block)
    return b"".join(blocks)


def landed_range(fs: Any, stream: Stream, start: int) -> bytes:
    """64 KiB that landing has of a stream from this byte on."""
    found = b""
    for piece in stream.pieces:
        end = piece.offset + piece.bytes
        while start < end and len(found) < COMPARED:
            with open_landed(fs, piece.path) as file:
                file.seek(start - piece.offset)
                block = file.read(min(COMPARED - len(found), end - start))
            if not block:
                raise ObservatoryError(f"{piece.path} is shorter than its manifest says")
            found += block
            start += len(block)
    return found
