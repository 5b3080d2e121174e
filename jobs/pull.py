"""source → landing: bytes as the log had them, each line once, whatever happens to its file's name.

A *stream* is one log file over its whole life: growing `mail.log`, then `mail.log.1`, then
`mail.log.2.gz`. It is known by its content, not by its name: a file belongs to a stream when it starts
with all the bytes landed so far. What is new after them is landed as one more *piece*, up to the last
line end; a last line without one waits until the file is closed (rotated or compressed). Pieces are
kept decompressed, so that Spark can read ranges of them.

A file of documents, such as a report in a mail or an archive, does not grow: it is landed as it came, whole
and at once, as a stream of its own, unless the same bytes were landed before.

Landing holds, for each operator and source, the pieces and one manifest.json that is replaced whole
after the pieces are there: a pull that is killed leaves at most a piece that no manifest names, and the
next pull writes it again. A lake without room ends a pull at once: no other source would have more.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import json
import re
import struct
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import IO, Any

import fsspec

from jobs.chunks import CHUNK, Chunks
from jobs.config import Operator, Source
from jobs.engine.lock import writing
from jobs.formats.registry import DOCUMENTS, FORMATS, KERNELS, sniff
from jobs.space import DiskFull, is_full

SAMPLE = 64 << 10
# No log that is pulled was written before: 1970 and 1980 are what archives give a file without a time.
OLDEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
# A date stands first: mail.log.20261120 is no rotation number.
ROTATED = re.compile(r"(?:[-.](?P<date>\d{8}(?:[-.T]?\d+)?)|\.(?P<number>\d+))(?:\.(?:gz|bz2|xz|zst))?$")


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
    written_at: str | None = None  # the file's own time; none in manifests of earlier versions


@dataclass
class Stream:
    """One log file over its life, and how far it is landed; or one file of documents."""

    stream_id: str
    format: str
    bytes: int
    sha256: str
    head: str  # SHA-256 of its first line, to find it quickly; of documents that of all
    head_bytes: int
    pieces: list[Piece] = field(default_factory=list)
    waiting_bytes: int = 0  # after the last line end, not landed yet


@dataclass
class Pulled:
    """What a pull did: pieces and bytes landed, and what could not be read, each with what to do."""

    pieces: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)


def landing(root: str) -> tuple[Any, str]:
    """The file system and folder of the landing area of a lake."""
    fs, path = fsspec.core.url_to_fs(root.replace("s3a://", "s3://"))
    return fs, f"{path.rstrip('/')}/landing"


def read_manifest(fs: Any, folder: str) -> list[Stream]:
    """The streams of one source, as the last pull left them."""
    if not fs.exists(f"{folder}/manifest.json"):
        return []
    with fs.open(f"{folder}/manifest.json", "r", encoding="utf-8") as file:
        streams = json.load(file)["streams"]
    return [
        Stream(**{**stream, "pieces": [Piece(**piece) for piece in stream["pieces"]]}) for stream in streams
    ]


def write_manifest(fs: Any, folder: str, streams: list[Stream]) -> None:
    """Replace the manifest in one step."""
    text = json.dumps({"streams": [asdict(stream) for stream in streams]}, indent=1)
    new = f"{folder}/manifest.json.{uuid.uuid4().hex}.new"
    with room_for(fs, new), fs.open(new, "w", encoding="utf-8") as file:
        file.write(text)
    fs.mv(new, f"{folder}/manifest.json")


def remove_unfinished(fs: Any, folder: str) -> None:
    """Remove what a pull that was killed had begun to write; no other pull writes while this one does."""
    for path in fs.glob(f"{folder}/*.new"):
        fs.rm(path)


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


def pull(operator: Operator, root: str, now: dt.datetime) -> Pulled:
    """Land what is new in all sources of an operator. One bad source or file does not stop the rest."""
    pulled = Pulled()
    with writing(root, "observatory pull"):
        for source in operator.source:
            pull_source(operator, source, root, now, pulled)
    return pulled


def pull_source(operator: Operator, source: Source, root: str, now: dt.datetime, pulled: Pulled) -> None:
    fs, area = landing(root)
    folder = f"{area}/{operator.id}/{source.id}"
    fs.makedirs(folder, exist_ok=True)
    where = f"operator '{operator.id}', source '{source.id}'"
    try:
        source_fs, pattern = fsspec.core.url_to_fs(source.url)
        names = [name for name in source_fs.glob(pattern) if not source_fs.isdir(name)]
    except (OSError, ImportError, ValueError) as error:
        pulled.problems.append(f"{where}: {source.url} cannot be listed: {error}")
        return
    if not names:
        pulled.problems.append(f"{where}: no file matches {source.url}. Check the url, and who may read it.")
        return
    remove_unfinished(fs, folder)
    streams = read_manifest(fs, folder)
    names.sort(key=rotation_order)
    written = written_times(source_fs, names)
    newest = bounded(names, written)
    for name in names:
        try:
            times = Times(newest.get(name, now), written.get(name, now), now)
            piece, damage = pull_file(fs, folder, source_fs, name, times, source, streams)
        except UnknownFormat:
            known = ", ".join(sorted(KERNELS))
            pulled.problems.append(
                f"{where}: {name} is of no known format ({known}); name one with format = ..."
            )
            continue
        except OSError as error:
            if is_full(error):
                raise DiskFull(folder) from error
            pulled.problems.append(f"{where}: {name} cannot be read: {error}")
            continue
        if piece is not None:
            pulled.pieces += 1
            pulled.bytes += piece.bytes
        if damage:
            pulled.problems.append(f"{where}: {name} is damaged: {damage}. What came before it is kept.")
    write_manifest(fs, folder, streams)


@dataclass(frozen=True)
class Times:
    """When a file was written, UTC, the bound that it and its rotations set for its lines, and when it is
    pulled."""

    newest_at: dt.datetime
    written_at: dt.datetime
    now: dt.datetime


class UnknownFormat(ValueError):
    """No format recognises the file."""


def rotation_order(name: str) -> tuple[int, str]:
    """Oldest first: higher rotation numbers, then dated names, then the file that is written now."""
    rotated = ROTATED.search(name)
    if rotated and rotated["number"]:
        return (-int(rotated["number"]), name)
    return (0, name) if rotated else (1, name)


def is_closed(name: str) -> bool:
    """Whether no more lines will be written to a file of this name."""
    return bool(ROTATED.search(name)) or name.endswith((".gz", ".bz2", ".xz", ".zst"))


def pull_file(
    fs: Any,
    folder: str,
    source_fs: Any,
    name: str,
    times: Times,
    source: Source,
    streams: list[Stream],
) -> tuple[Piece | None, str | None]:
    """Land what a file holds beyond its stream, or None when that is nothing; and what damage it has."""
    with source_fs.open(name, "rb") as raw:
        if source.format in DOCUMENTS:
            return land_document(fs, folder, source_fs, name, raw, source.format, streams, times.now), None
        start = Chunks(raw)
        head = start.peek(SAMPLE)
        if not head:
            return None, start.damage
        stream, chunks, digest, read = find_stream(fs, streams, raw, head)
        if stream and read < stream.bytes:
            return None, None
        kind = stream.format if stream else format_of(source, head)
        if kind in DOCUMENTS:
            return land_document(fs, folder, source_fs, name, raw, kind, streams, times.now), None
        offset = stream.bytes if stream else 0
        partial = f"{folder}/partial.{uuid.uuid4().hex}.new"
        tail = b""
        with room_for(fs, partial), fs.open(partial, "wb") as out:
            size = 0
            for block in chunks.lines(chunks.is_compressed or is_closed(name)):
                out.write(block)
                digest.update(block)
                size += len(block)
                tail = (tail + block)[-SAMPLE:]
        if Chunks(raw).peek(len(head)) != head:
            fs.rm(partial)
            raise OSError("it was replaced while it was read; the next pull takes it")
        if size == 0:
            fs.rm(partial)
            if stream:
                stream.waiting_bytes = chunks.waiting
            return None, chunks.damage
        if stream is None:
            first_line = head.split(b"\n", 1)[0]
            stream = Stream(
                stream_id=hashlib.sha256(first_line).hexdigest()[:16],
                format=kind,
                bytes=0,
                sha256="",
                head=hashlib.sha256(first_line).hexdigest(),
                head_bytes=len(first_line),
            )
            alike = sum(other.head == stream.head for other in streams)
            stream.stream_id += f"-{alike + 1}" if alike else ""
        piece_id = f"{stream.stream_id}-{offset}"
        path = f"{folder}/{piece_id}.log"
        fs.mv(partial, path)
        piece = Piece(
            piece_id=piece_id,
            path=path,
            offset=offset,
            bytes=size,
            landed_at=times.now.isoformat(),
            newest_at=newest_line(kind, tail, times.newest_at).isoformat(),
            file_name=name.rsplit("/", 1)[-1],
            damage=chunks.damage,
            written_at=times.written_at.isoformat(),
        )
        # Only now: a piece that could not be put in its place leaves the streams as they were.
        if offset == 0:
            streams.append(stream)
        stream.pieces.append(piece)
        stream.bytes, stream.sha256, stream.waiting_bytes = offset + size, digest.hexdigest(), chunks.waiting
        return piece, chunks.damage


def land_document(
    fs: Any,
    folder: str,
    source_fs: Any,
    name: str,
    raw: IO[bytes],
    kind: str,
    streams: list[Stream],
    now: dt.datetime,
) -> Piece | None:
    """Land a file of documents as it came, or nothing when it is empty or its bytes are landed already.

    Its own time alone bounds what it tells: such files do not rotate, and the time in an archive is the
    sender's word.
    """
    raw.seek(0, io.SEEK_END)
    raw.seek(0)
    digest = hashlib.sha256()
    size = 0
    while block := raw.read(CHUNK):
        digest.update(block)
        size += len(block)
    sha256 = digest.hexdigest()
    if not size or any(other.sha256 == sha256 for other in streams if other.format in DOCUMENTS):
        return None
    newest_at = modified(source_fs, name)
    newest_at = newest_at if newest_at >= OLDEST else now
    partial = f"{folder}/partial.{uuid.uuid4().hex}.new"
    raw.seek(0)
    copied = hashlib.sha256()
    with room_for(fs, partial), fs.open(partial, "wb") as out:
        while block := raw.read(CHUNK):
            out.write(block)
            copied.update(block)
    if copied.hexdigest() != sha256:
        fs.rm(partial)
        raise OSError("it was written while it was read; the next pull takes it")
    piece_id = f"{sha256[:16]}-0"
    path = f"{folder}/{piece_id}.document"
    fs.mv(partial, path)
    written_at = newest_at.isoformat()
    file_name = name.rsplit("/", 1)[-1]
    piece = Piece(piece_id, path, 0, size, now.isoformat(), written_at, file_name, written_at=written_at)
    streams.append(Stream(sha256[:16], kind, size, sha256, sha256, size, [piece]))
    return piece


def newest_line(kind: str, tail: bytes, newest_at: dt.datetime) -> dt.datetime:
    """A time that no line is newer than, from ids in the last lines and the file's own time.

    An id tells when its message came, and lines may tell of it for as long as a message lives.
    """
    kernel = FORMATS[kind]
    by_id = kernel.newest_from_ids(tail) if hasattr(kernel, "newest_from_ids") else None
    if by_id is None:
        return newest_at
    return max(by_id, min(newest_at, by_id + dt.timedelta(days=kernel.LOOKBACK_DAYS)))


def format_of(source: Source, head: bytes) -> str:
    """The format that the source names, or the one that recognises the file."""
    if source.format != "auto":
        return source.format
    name, _ = sniff(head)
    if name is None:
        raise UnknownFormat
    return name


def find_stream(
    fs: Any, streams: list[Stream], raw: IO[bytes], head: bytes
) -> tuple[Stream | None, Chunks, Any, int]:
    """The longest stream that the file continues, or that already holds all of the file.

    Also the file read up to there, the digest of what was read, and its bytes. All is read from the one
    open file: by its name another might be found by now.
    """
    of_lines = [stream for stream in streams if stream.format in FORMATS]
    for stream in sorted(of_lines, key=lambda stream: -stream.bytes):
        if hashlib.sha256(head[: stream.head_bytes]).hexdigest() != stream.head:
            continue
        digest, chunks = hashlib.sha256(), Chunks(raw)
        read = chunks.skip(stream.bytes, digest)
        if read == stream.bytes and digest.hexdigest() == stream.sha256:
            return stream, chunks, digest, read
        # A shorter copy of what is landed already, such as a backup or a truncated download.
        if read < stream.bytes and digest.hexdigest() == landed_digest(fs, stream, read):
            return stream, chunks, digest, read
    return None, Chunks(raw), hashlib.sha256(), 0


def landed_digest(fs: Any, stream: Stream, size: int) -> str:
    """SHA-256 of the first `size` bytes of a stream, from its landed pieces."""
    digest = hashlib.sha256()
    for piece in stream.pieces:
        with fs.open(piece.path, "rb") as file:
            while size > 0 and (block := file.read(min(CHUNK, size))):
                digest.update(block)
                size -= len(block)
    return digest.hexdigest()


def newest_times(fs: Any, names: list[str]) -> dict[str, dt.datetime]:
    """For each file, a UTC time that none of its lines is newer than: for stamps without a year.

    The time in a gzip header, else the file's own; and no older rotation is newer than a younger one.
    `names` stand oldest first. A file that cannot be read, or whose time cannot be, has none.
    """
    return bounded(names, written_times(fs, names))


def written_times(fs: Any, names: list[str]) -> dict[str, dt.datetime]:
    """When each file was written. Left out are files that cannot be read, and times before OLDEST: archives
    that are made to be reproducible give their files such a time."""
    times: dict[str, dt.datetime] = {}
    for name in names:
        try:
            written = file_time(fs, name)
        except OSError:
            continue
        if written >= OLDEST:
            times[name] = written
    return times


def bounded(names: list[str], written: dict[str, dt.datetime]) -> dict[str, dt.datetime]:
    """The times of files, none later than that of a younger rotation. `names` stand oldest first."""
    times: dict[str, dt.datetime] = {}
    bound: dict[str, dt.datetime] = {}
    for name in reversed(names):
        if name in written:
            log = ROTATED.sub("", name)
            times[name] = bound[log] = min(written[name], bound.get(log, written[name]))
    return times


def file_time(fs: Any, name: str) -> dt.datetime:
    """When the file was last written, UTC: its gzip header knows better than a copy's own time."""
    with fs.open(name, "rb") as file:
        start = file.read(8)
    if start[:2] == b"\x1f\x8b" and len(start) == 8 and (seconds := struct.unpack("<I", start[4:])[0]):
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    return modified(fs, name)


def modified(fs: Any, name: str) -> dt.datetime:
    """The file's own time, UTC."""
    at: dt.datetime = fs.modified(name)
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
