"""Reading a log from its start, whatever it is compressed with, and up to where it is damaged."""

import bz2
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import zstandard

from jobs.base.core.errors import SourceLost
from jobs.operators.formats.shared.lines import last_line_start
from jobs.operators.ingest.journal import BEGIN, JournalExport

CHUNK = 4 << 20
# A line longer than this is landed in parts: memory stays bounded on a file without line ends.
LONGEST_LINE = 64 << 20
COMPRESSED = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"(\xb5/\xfd": "zst"}
# Bytes of what is compressed that are unpacked together; and those that a member may look back on, twice as
# many as the strongest usual settings write.
STEP, LARGEST_WINDOW = 1 << 10, 128 << 20
# What decompresses a member of each kind; gzip's own reader reports all damage, and skips zeros.
MEMBERS: dict[str, Callable[[], Any]] = {
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(memlimit=LARGEST_WINDOW),
    "zst": lambda: zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).decompressobj(),
}
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


class Chunks:
    """A file's bytes from its start, decompressed by what they are, not by what the file is called.

    After lines() ended, `waiting` is how many bytes came after the last line end, `damage` what stopped the
    reading before the file's end, and `lost` that the connection did.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self.file = open_decompressed(raw)
        self.is_compressed = self.file is not raw
        self.ahead = b""
        self.damage: str | None = None
        self.lost: SourceLost | None = None
        self.waiting = 0
        if self.peek_bytes(len(BEGIN)) == BEGIN:
            self.file, self.ahead = JournalExport(self.file, self.ahead), b""

    def read_bytes(self, size: int) -> bytes:
        if self.ahead:
            block, self.ahead = self.ahead[:size], self.ahead[size:]
            return block
        if self.damage:
            return b""
        # read1 gives what is there: read would lose what came before the damage in the same block.
        read = getattr(self.file, "read1", self.file.read)
        try:
            return read(size)
        except DAMAGE as error:
            self.damage = f"{type(error).__name__}: {error}"
            return b""

    def peek_bytes(self, size: int) -> bytes:
        """Up to `size` bytes without moving on. Damage is found again, and reported, where it stands."""
        blocks, have = [], 0
        while have < size and (block := self.read_or_lose(min(4096, size - have))):
            blocks.append(block)
            have += len(block)
        self.ahead = b"".join(blocks)
        return self.ahead

    def skip_bytes(self, size: int, digest: Any) -> int:
        """Read `size` bytes into the digest; how many there were."""
        read = 0
        while read < size and (block := self.read_bytes(min(CHUNK, size - read))):
            digest.update(block)
            read += len(block)
        return read

    def read_or_lose(self, size: int) -> bytes:
        try:
            return self.read_bytes(size)
        except SourceLost as error:
            self.lost = error
            return b""

    def read_whole_lines(self, closed: bool | Callable[[bytes], bool]) -> Iterator[bytes]:
        """Blocks of whole lines; of a closed and undamaged file also a last line without its end. closed may
        decide by that line."""
        rest = bytearray()
        while block := self.read_or_lose(CHUNK):
            begin = max(len(rest) - 1, 0)
            rest += block
            cut = last_line_start(rest, begin)
            if cut == 0 and len(rest) > LONGEST_LINE:
                cut = len(rest)
            if cut:
                with memoryview(rest) as view:
                    whole = bytes(view[:cut])
                del rest[:cut]
                yield whole
                del whole
        if (
            rest
            and not self.damage
            and not self.lost
            and (closed(bytes(rest)) if callable(closed) else closed)
        ):
            yield bytes(rest)
            rest.clear()
        self.waiting = len(rest)


def is_json(line: bytes) -> bool:
    """Return whether a line is a whole JSON document or object: then it has no more to come than its end."""
    if line.strip()[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def open_decompressed(raw: IO[bytes]) -> Any:
    """The file, or a reader of what is compressed in it."""
    # From the end, so that no buffer answers for a file that was cut since.
    raw.seek(0, io.SEEK_END)
    raw.seek(0)
    magic = raw.read(6)
    raw.seek(0)
    kind = next((kind for start, kind in COMPRESSED.items() if magic.startswith(start)), None)
    if kind == "gz":
        return gzip.GzipFile(fileobj=raw)
    if kind is not None:
        return Members(raw, MEMBERS[kind])
    return raw


class Members:
    """Reads compressed members one after the other. The libraries' own readers do not report a last one that
    is cut short, or leave out without a word whatever follows padding or damage."""

    def __init__(self, raw: IO[bytes], begin: Callable[[], Any]) -> None:
        self.raw = raw
        self.begin = begin
        self.member: Any = None
        self.unread = b""
        self.ready = b""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes: what there is."""
        while not self.ready:
            if not self.unread and getattr(self.member, "needs_input", True):
                self.unread = self.raw.read(STEP)
                if not self.unread:
                    if self.member is not None:
                        raise EOFError("the file ends before its last compressed part does")
                    return b""
            if self.member is None:
                # Zeros pad a member to the size of a block.
                self.unread = self.unread.lstrip(b"\0")
                if not self.unread:
                    continue
                self.member = self.begin()
            block, self.unread = self.unread, b""
            # Zstandard's takes no bound, and has no needs_input: of so few bytes it makes 32 MiB at most.
            bound = (CHUNK,) if hasattr(self.member, "needs_input") else ()
            self.ready = self.member.decompress(block, *bound)
            if self.member.eof:
                self.unread, self.member = self.member.unused_data, None
        block, self.ready = self.ready[:size], self.ready[size:]
        return block
