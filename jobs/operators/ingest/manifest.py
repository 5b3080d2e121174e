"""The manifest of a source, manifest.json: its streams, found again by the contents of files.

A manifest names its pieces by their names alone, and they lie beside it: a lake may be moved as a whole.
"""

import bisect
import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from jobs.base.core.disk import replace_file
from jobs.base.core.errors import ObservatoryError
from jobs.base.places.file_systems import open_store
from jobs.operators.formats.shared.lines import first_line
from jobs.operators.ingest.packed import open_landed

CHUNK = 4 << 20
# Marks are kept at powers of two from here on; of a shorter file all bytes are compared.
FIRST_MARK = 4096
# Characters of a mark: it rules out, and never decides that bytes are the same.
MARK = 16
MANIFEST = "manifest.json"
# A copy of the streams of which retention removed pieces: without it a lost manifest could not be made again.
REMOVED = "removed.json"


@dataclass
class Piece:
    """A part of a stream as one pull landed it. Bytes [offset, offset + bytes) of the stream."""

    piece_id: str
    path: str
    offset: int
    bytes: int
    landed_at: str
    newest_at: str
    file_name: str
    damage: str | None = None
    written_at: str | None = None  # the file's own time; none in a manifest that was made again
    sha256: str | None = None  # of the stream up to the piece's end; none in a manifest that was made again

    def __post_init__(self) -> None:
        # Bytes of a name that are no UTF-8 are no text, which no table takes.
        self.file_name = self.file_name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass
class Stream:
    """One log file over its life, and how far it is landed; or one file of documents.

    Attributes:
        marks: by a power of two as text, the digest of so many bytes from the start.
        removed: of the pieces that retention removed, which are the first ones, by the end of each as text
            the SHA-256 of the stream up to there: what they held is recognised without them.
        heading: the last line in removed pieces that names the columns of lines after it.
    """

    stream_id: str
    format: str
    bytes: int
    sha256: str
    head: str  # SHA-256 of its first line, to find it quickly; of documents that of all
    head_bytes: int
    pieces: list[Piece] = field(default_factory=list)
    waiting_bytes: int = 0  # after the last line end, not landed yet
    marks: dict[str, str] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)
    heading: str | None = None

    @property
    def removed_bytes(self) -> int:
        """The number of bytes from the start that are no longer in landing."""
        return max(map(int, self.removed), default=0)


@dataclass(frozen=True)
class Waiting:
    """A last line without its end, as a pull saw it first: where it begins in the file, and its digest."""

    offset: int
    sha256: str
    since: str


@dataclass(frozen=True)
class Seen:
    """The state of a file that a pull read whole, in another host's listing; if it differs, the file is new.

    Attributes:
        version: what the host calls this state of it, or when it was written.
        format: of its source.
        written_at: as written_times() has it.
    """

    size: int
    version: str
    format: str
    written_at: str | None

    @property
    def at(self) -> dt.datetime | None:
        return dt.datetime.fromisoformat(self.written_at) if self.written_at else None


class UnreadableManifest(ObservatoryError):
    """A manifest that is no manifest."""


def open_landing(root: str) -> tuple[Any, str]:
    """The file system and folder of the landing area of a lake."""
    fs, path = open_store(root)
    return fs, f"{path.rstrip('/')}/landing"


def has_manifest(fs: Any, folder: str) -> bool:
    exists: bool = fs.exists(f"{folder}/manifest.json")
    return exists


def read_manifest(fs: Any, folder: str, name: str = MANIFEST) -> list[Stream]:
    """The streams of one source, as the last pull left them; none where there was no pull. Raises
    Unreadable."""
    try:
        text = fs.cat_file(f"{folder}/{name}")
    except (FileNotFoundError, NotADirectoryError):
        return []
    try:
        streams = json.loads(text)["streams"]
        for piece in (piece for stream in streams for piece in stream["pieces"]):
            piece["path"] = f"{folder}/{piece['path']}"
        return [
            Stream(**{**each, "pieces": [Piece(**piece) for piece in each["pieces"]]}) for each in streams
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnreadableManifest(
            f"{folder}/{name} cannot be read: it was cut or changed. `observatory pull` makes it again"
            " from what was landed"
        ) from None


@dataclass(frozen=True)
class Files:
    """The state of a source's files at the last pull, by their names."""

    waiting: dict[str, Waiting] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)

    def list_seen(self, format: str) -> dict[str, Seen]:
        """The files that were read whole by a source of this format."""
        found = self.seen.items()
        return {name: seen for name, seen in found if seen.format == format and name not in self.waiting}


def read_files(fs: Any, folder: str) -> Files:
    """Read the files of the last pull from its manifest; none where it cannot be read."""
    try:
        found = json.loads(fs.cat_file(f"{folder}/{MANIFEST}"))
        return Files(
            {name: Waiting(**each) for name, each in found.get("waiting", {}).items()},
            {name: Seen(**each) for name, each in found.get("seen", {}).items()},
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return Files()


def write_manifest(
    fs: Any, folder: str, streams: list[Stream], files: Files | None = None, name: str = MANIFEST
) -> None:
    """Replace the manifest in one step."""
    found = {"streams": [asdict(stream) for stream in streams], **asdict(files or Files())}
    for piece in (piece for stream in found["streams"] for piece in stream["pieces"]):
        piece["path"] = piece["path"].rpartition("/")[2]
    replace_file(fs, f"{folder}/{name}", json.dumps(found, indent=1).encode())


class Digest:
    """SHA-256 of the bytes of a file from its start, and its marks."""

    def __init__(self) -> None:
        self.bytes = 0
        self.marks: dict[str, str] = {}
        self._sha = hashlib.sha256()
        self._next = FIRST_MARK

    def update(self, block: bytes) -> None:
        view = memoryview(block)
        while len(view) >= self._next - self.bytes:
            cut = self._next - self.bytes
            self._sha.update(view[:cut])
            self.bytes += cut
            self.marks[str(self._next)] = self._sha.hexdigest()[:MARK]
            self._next *= 2
            view = view[cut:]
        self._sha.update(view)
        self.bytes += len(view)

    def hexdigest(self) -> str:
        return self._sha.hexdigest()

    @property
    def last_mark(self) -> tuple[str, str] | None:
        """The mark of the most bytes; none of a file that is shorter than the first."""
        size = str(self._next // 2)
        return (size, self.marks[size]) if size in self.marks else None


def landed_bytes(fs: Any, stream: Stream, size: int) -> Iterator[bytes]:
    """The first `size` bytes that landing has of a stream."""
    for piece in stream.pieces:
        with open_landed(fs, piece.path) as file:
            while size > 0 and (block := file.read(min(CHUNK, size))):
                yield block
                size -= len(block)


class Alike:
    """Streams that begin with one line, by how long they are and by what follows that line."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._by_size: dict[int, dict[str, Stream]] = {}
        self._by_mark: dict[tuple[str, str], list[Stream]] = {}
        # What short streams begin with, in order; read from landing when a short file is first asked for.
        self._starts: list[tuple[bytes, str]] = []
        self._unread: dict[str, Stream] = {}
        # Streams whose first bytes were removed, and what is known of these.
        self._begun: dict[str, Stream] = {}
        self._beginnings: dict[tuple[int, str], Stream] = {}
        self._read: dict[str, tuple[bytes, Stream]] = {}

    def add_stream(self, stream: Stream) -> None:
        if stream.bytes not in self._by_size:
            bisect.insort(self.sizes, stream.bytes)
        self._by_size.setdefault(stream.bytes, {}).setdefault(stream.sha256, stream)
        for mark in stream.marks.items():
            self._by_mark.setdefault(mark, []).append(stream)
        if not stream.removed:
            self._unread[stream.stream_id] = stream
            return
        self._begun[stream.stream_id] = stream
        for size, sha256 in stream.removed.items():
            self._beginnings[int(size), sha256] = stream

    def list_streams(self) -> Iterator[Stream]:
        for by_digest in self._by_size.values():
            yield from by_digest.values()

    def record_growth(self, stream: Stream, size: int, sha256: str) -> None:
        """A stream that had so many bytes with this digest has more."""
        if self._by_size[size].get(sha256) is stream:
            del self._by_size[size][sha256]
        if stream.stream_id in self._read:
            start, _ = self._read.pop(stream.stream_id)
            self._starts.remove((start, stream.stream_id))
        # Its marks of before are among those that it has now.
        for mark in stream.marks.items():
            self._by_mark[mark] = [each for each in self._by_mark.get(mark, ()) if each is not stream]
        self.add_stream(stream)

    def find_stream(self, size: int, sha256: str) -> Stream | None:
        return self._by_size.get(size, {}).get(sha256)

    def find_removed(self, size: int, sha256: str) -> Stream | None:
        """The stream of which retention removed these bytes, up to the end of a piece."""
        return self._beginnings.get((size, sha256))

    def find_longer(self, fs: Any, digest: Digest, sample: bytes) -> Iterator[Stream]:
        """Streams that may begin with all bytes of a file, of which these are the first, and go on."""
        mark = digest.last_mark
        if mark is not None:
            yield from self._by_mark.get(mark, ())
            return
        yield from self._begun.values()
        for name, stream in self._unread.items():
            start = b"".join(landed_bytes(fs, stream, FIRST_MARK))
            bisect.insort(self._starts, (start, name))
            self._read[name] = (start, stream)
        self._unread = {}
        whole = sample[: digest.bytes]
        for start, name in self._starts[bisect.bisect_left(self._starts, (whole, "")) :]:
            if not start.startswith(whole):
                return
            yield self._read[name][1]


class KnownStreams:
    """The streams of one source, found by what a file holds.

    Attributes:
        is_document: whether the files of a format are documents.
    """

    def __init__(self, streams: Iterable[Stream], is_document: Callable[[str], bool]) -> None:
        self.streams: list[Stream] = []
        self.documents: set[str] = set()
        self._of_head: dict[int, dict[str, Alike]] = {}
        self._count: Counter[str] = Counter()
        self._is_document = is_document
        for stream in streams:
            self.add_stream(stream)

    def copy(self) -> "KnownStreams":
        """Copy the streams as they are now, whatever is landed meanwhile."""
        now = [replace(stream, pieces=list(stream.pieces)) for stream in self.streams]
        return KnownStreams(now, self._is_document)

    def add_stream(self, stream: Stream) -> None:
        self.streams.append(stream)
        self._count[stream.head] += 1
        if self._is_document(stream.format):
            self.documents.add(stream.sha256)
        else:
            of_size = self._of_head.setdefault(stream.head_bytes, {})
            of_size.setdefault(stream.head, Alike()).add_stream(stream)

    def record_growth(self, stream: Stream, size: int, sha256: str) -> None:
        """A stream that had so many bytes with this digest has more."""
        self._of_head[stream.head_bytes][stream.head].record_growth(stream, size, sha256)

    def count_streams(self, head: str) -> int:
        """The number of streams with this first line."""
        return self._count[head]

    def find_beginnings(self, sample: bytes) -> list[Alike]:
        """The streams whose first line a file begins with."""
        line = len(first_line(sample))
        heads = ((size, by_head) for size, by_head in self._of_head.items() if size <= line)
        found = (by_head.get(hashlib.sha256(sample[:size]).hexdigest()) for size, by_head in heads)
        return [alike for alike in found if alike is not None]
