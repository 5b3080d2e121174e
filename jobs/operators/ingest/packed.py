"""Landed pieces of logs, compressed by zstd, and read from any byte on.

A piece is a row of zstd frames of the same uncompressed size and, last, the table that says where each begins
(the seekable format of zstd's contrib folder). `zstd -d` unpacks it, as it does any file of several frames. A
range of a piece is read by unpacking the frames that it touches. Documents are landed and read as they came.
"""

from __future__ import annotations

import bisect
import contextlib
import io
import itertools
import struct
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any

import zstandard

from jobs.base.core.errors import ObservatoryError

ENDING = ".zst"
# How the files of pieces are called, and whether they are documents, which are landed as they came.
ENDINGS = {f".log{ENDING}": False, ".document": True}
# After the name of a piece that was landed and not read.
ORPHAN = ".orphan"
# Small enough that the start of a range costs little, large enough to compress as well as one frame does.
FRAME = 1 << 20
LEVEL = 1
# Frames that wait to be written while the next are made.
AHEAD = 4
SKIPPED, SEEKABLE = 0x184D2A5E, 0x8F92EAB1
HEADER, ENTRY, FOOTER = struct.Struct("<II"), struct.Struct("<II"), struct.Struct("<IBI")


class DamagedPiece(ObservatoryError, OSError):
    """A piece of landing that was cut or changed."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} was cut or changed: landing no longer holds the log as it came. Put the file back from a"
            " copy. Without one, `observatory renew --anew` lets the next run count anew what is landed"
        )
        self.path = path

    def __reduce__(self) -> tuple[type[DamagedPiece], tuple[str]]:
        return DamagedPiece, (self.path,)


class Packer:
    """Writes blocks of bytes to a file as frames, and in the end their table. Frames are made in a thread
    beside, which zstd and the digests of a pull let run at the same time."""

    def __init__(self, out: IO[bytes]) -> None:
        self.out = out
        self.rest = bytearray()
        self.sizes: list[tuple[int, int]] = []
        self.made: deque[tuple[Future[bytes], int]] = deque()
        self.thread: ThreadPoolExecutor | None = None

    def write(self, block: bytes) -> None:
        start = 0
        while len(self.rest) + len(block) - start >= FRAME:
            end = start + FRAME - len(self.rest)
            frame = bytes(self.rest) + block[start:end]
            self.rest.clear()
            start = end
            if self.thread is None:
                self.thread = ThreadPoolExecutor(1)
            self.made.append((self.thread.submit(pack_bytes, frame), len(frame)))
            if len(self.made) > AHEAD:
                self.put_frame(*self.made.popleft())
        self.rest += block[start:]

    def put_frame(self, frame: Future[bytes] | bytes, size: int) -> None:
        data = frame if isinstance(frame, bytes) else frame.result()
        self.sizes.append((len(data), size))
        self.out.write(data)

    def finish(self) -> None:
        """Write what is left, and the table."""
        while self.made:
            self.put_frame(*self.made.popleft())
        if self.rest or not self.sizes:
            self.put_frame(pack_bytes(bytes(self.rest)), len(self.rest))
        table = b"".join(itertools.starmap(ENTRY.pack, self.sizes))
        table += FOOTER.pack(len(self.sizes), 0, SEEKABLE)
        self.out.write(HEADER.pack(SKIPPED, len(table)) + table)

    def close(self) -> None:
        if self.thread is not None:
            self.thread.shutdown(cancel_futures=True)


def pack_bytes(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(data)


@contextlib.contextmanager
def open_packer(out: IO[bytes]) -> Iterator[Packer]:
    """A packer that ends with its file's last block; on an error nothing more is written."""
    packer = Packer(out)
    try:
        yield packer
        packer.finish()
    finally:
        packer.close()


class Unpacked(io.RawIOBase):
    """A packed piece as the bytes that it holds, from any of them on."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        self.file, self.path = file, path
        sizes = list_frame_sizes(file, path)
        # Where each frame begins, in the file and in what it holds; last, where all ends.
        self.places = [0, *itertools.accumulate(each[0] for each in sizes)]
        self.starts = [0, *itertools.accumulate(each[1] for each in sizes)]
        self.position = 0
        self.number, self.frame = -1, memoryview(b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.starts[-1]}[whence]
        self.position = max(origin + offset, 0)
        return self.position

    def readinto(self, into: Any) -> int:
        if self.position >= self.starts[-1]:
            return 0
        number = bisect.bisect_right(self.starts, self.position) - 1
        if number != self.number:
            self.file.seek(self.places[number])
            data = self.file.read(self.places[number + 1] - self.places[number])
            try:
                self.frame = memoryview(zstandard.ZstdDecompressor().decompress(data))
            except zstandard.ZstdError:
                raise DamagedPiece(self.path) from None
            self.number = number
        part = self.frame[self.position - self.starts[number] :][: len(into)]
        into[: len(part)] = part
        self.position += len(part)
        return len(part)

    def close(self) -> None:
        self.file.close()
        super().close()


def list_frame_sizes(file: IO[bytes], path: str) -> list[tuple[int, int]]:
    """Return each frame's bytes in the file, and unpacked. Raises DamagedPiece for a file that was cut."""
    end = file.seek(0, io.SEEK_END)
    count, _, magic = FOOTER.unpack(read_at(file, max(end - FOOTER.size, 0), FOOTER.size))
    start = end - FOOTER.size - count * ENTRY.size
    if magic != SEEKABLE or start < 0:
        raise DamagedPiece(path)
    return list(ENTRY.iter_unpack(read_at(file, start, count * ENTRY.size)))


def read_at(file: IO[bytes], place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size).ljust(size, b"\0")


def open_landed(fs: Any, path: str) -> IO[bytes]:
    """A piece of landing, to be read from any of its bytes, packed or not."""
    file: IO[bytes] = fs.open(path, "rb")
    if not is_packed(path):
        return file
    try:
        return io.BufferedReader(Unpacked(file, path), FRAME)
    except BaseException:
        file.close()
        raise


def landed_size(fs: Any, path: str) -> int:
    """The bytes that a piece holds, unpacked."""
    if not is_packed(path):
        return int(fs.info(path)["size"])
    with fs.open(path, "rb") as file:
        return sum(size for _, size in list_frame_sizes(file, path))


def is_packed(path: str) -> bool:
    return ENDING in path.rsplit("/", 1)[-1]
