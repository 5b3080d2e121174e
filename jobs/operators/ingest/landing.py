"""One file of a source → landing: what is new in it as one more piece of its stream, or a document whole."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import itertools
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

from jobs.base.core.disk import room_for
from jobs.base.core.errors import SourceLost
from jobs.base.settings.operator import SourceSettings
from jobs.operators.formats.registry import DOCUMENTS, find_host_log
from jobs.operators.formats.shared.lines import first_line
from jobs.operators.ingest.chunks import CHUNK, Chunks, is_json
from jobs.operators.ingest.file_formats import (
    Archive,
    Notes,
    UnknownFormat,
    archive_of,
    check_named,
    format_of,
    newest_line,
)
from jobs.operators.ingest.manifest import (
    Digest,
    KnownStreams,
    Piece,
    Stream,
    Waiting,
)
from jobs.operators.ingest.packed import ENDING, open_packer
from jobs.operators.ingest.remote import Copy, RemoteFile, skip_landed
from jobs.operators.ingest.source_files import (
    FileTimes,
    is_http,
    open_file,
    own_time,
)
from jobs.operators.ingest.streams import SAMPLE, find_stream

# A last line without its end that stayed the same for so long is read: it is so at the second daily pull.
IDLE = dt.timedelta(hours=20)


@dataclass(frozen=True)
class SourcePull:
    """A pull of one source: where its pieces land, where its files are, its streams, and what a person should
    know of files that are new."""

    fs: Any
    folder: str
    source_fs: Any
    source: SourceSettings
    known: KnownStreams
    now: dt.datetime
    notes: Notes


@contextlib.contextmanager
def loss_first(start: Chunks) -> Iterator[None]:
    """Name a lost connection as the reason why no format recognises a file's first bytes."""
    try:
        yield
    except UnknownFormat:
        if start.lost:
            raise start.lost from None
        raise


@dataclass
class LastLine:
    """Decide whether a last line without its end is read.

    Afterwards `waiting` and `waiting_bytes` are what is left to wait.

    Attributes:
        before: how it was at an earlier pull.
    """

    before: Waiting | None
    now: dt.datetime
    is_closed: bool
    waiting: Waiting | None = None
    waiting_bytes: int = 0

    @property
    def is_stuck(self) -> bool:
        """Return whether it waits since an earlier pull, or with it all of its file."""
        return self.waiting is not None and (self.waiting is self.before or self.waiting.offset == 0)

    def describe_wait(self, name: str) -> str:
        return (
            f"the last line of {name} has {self.waiting_bytes:,} bytes and no line end. It waits until it has"
            " one, until the file is rotated or compressed, or until it has stayed the same for a day. If"
            " nothing more is written to such files, set whole = true for the source."
        )

    def is_readable(self, offset: int, line: bytes) -> bool:
        """Return whether a line that begins at this byte of its file and has no end is read all the same."""
        if self.is_closed or is_json(line):
            return True
        found = Waiting(offset, hashlib.sha256(line).hexdigest(), self.now.isoformat())
        if self.before and (self.before.offset, self.before.sha256) == (found.offset, found.sha256):
            found = self.before
        if self.now - dt.datetime.fromisoformat(found.since) >= IDLE:
            return True
        self.waiting, self.waiting_bytes = found, len(line)
        return False


def land_file(
    pull: SourcePull, name: str, times: FileTimes, end: LastLine
) -> tuple[Piece | None, str | SourceLost | None]:
    """Land what a file holds beyond its stream: the piece, None where there is nothing; and the damage that
    it has or the loss of its host, None where it has none."""
    with open_file(pull.source_fs, name) as raw:
        if isinstance(raw, RemoteFile) and not isinstance(raw, Copy):
            skip_landed(raw, pull.fs, pull.known)
        start = Chunks(raw)
        head = start.peek_bytes(SAMPLE)
        if pull.source.format in DOCUMENTS:
            return pull_document(pull, name, raw, start, head), None
        if not head:
            fault = start.lost or start.damage
            pull.notes.texts += [] if fault else [f"{name} is empty"]
            return None, fault
        stream, chunks, digest = find_stream(pull.fs, pull.known, raw, head)
        if stream and digest.bytes < stream.bytes:
            return None, None
        with loss_first(start):
            kind = stream.format if stream else format_of(pull.source, head)
        if kind in DOCUMENTS:
            return land_document(pull, name, raw, kind), None
        if stream is None:
            with loss_first(start):
                check_new(pull, name, kind, head)
        lines = NO_LINES
        blocks = chunks.read_whole_lines(
            lambda line: chunks.is_compressed or end.is_readable(digest.bytes, line)
        )
        if (first := next(blocks, None)) is not None:
            kind = decide_format(pull.source, kind, head, first, is_new=stream is None)
            # Each block may be a line of 64 MiB: none is kept longer than it takes to write it.
            blocks, first = itertools.chain([first], blocks), b""
            lines = write_lines(pull.fs, pull.folder, blocks, digest)
        if not chunks.lost:
            refuse_replaced(pull.fs, raw, head, lines)
        piece = None
        if lines.size:
            stream = stream or begin_stream(pull.known, head, kind)
            piece = put_in_place(pull, name, stream, kind, lines, digest, times, chunks.damage)
            add_piece(pull.known, stream, piece, digest)
            stream.format = kind
        if stream:
            stream.waiting_bytes = chunks.waiting
        return piece, chunks.lost or chunks.damage


def refuse_replaced(fs: Any, raw: IO[bytes], head: bytes, lines: PackedLines) -> None:
    """Drop what was read where the file begins otherwise than when its reading began."""
    if Chunks(raw).peek_bytes(len(head)) != head:
        if lines.size:
            fs.rm(lines.path)
        raise OSError("it was replaced while it was read; the next pull takes it")


def check_new(pull: SourcePull, name: str, kind: str, head: bytes) -> None:
    """Look at the beginning of a log that no pull has seen. Raises Archive where it is one, in a source that
    names its format."""
    if pull.source.format == "auto":
        return
    if archive := archive_of(head):
        raise Archive(archive)
    pull.notes.note_mismatch(name, kind, head, is_http(pull.source_fs))


def decide_format(source: SourceSettings, kind: str, head: bytes, first: bytes, is_new: bool) -> str:
    """The format of a log that was recognised as `kind` by its head, when its first lines are read: a mail
    log may begin with lines of its filters."""
    if source.format == "auto":
        return find_host_log(kind, head + first)
    if is_new:
        check_named(kind, head)
    return kind


class PackedLines(NamedTuple):
    """New lines of a file, packed: where, how many bytes before packing, and the last of them."""

    path: str
    size: int
    tail: bytes


NO_LINES = PackedLines("", 0, b"")


def write_lines(fs: Any, folder: str, blocks: Iterable[bytes], digest: Digest) -> PackedLines:
    """Write blocks of lines beside landing's pieces, and add them to their stream's digest."""
    path, tail, size = f"{folder}/partial.{uuid.uuid4().hex}.new", b"", 0
    with room_for(fs, path), fs.open(path, "wb") as out, open_packer(out) as packer:
        for block in blocks:
            packer.write(block)
            digest.update(block)
            size += len(block)
            tail = (tail + block[-SAMPLE:])[-SAMPLE:]
            del block
    return PackedLines(path, size, tail)


def put_in_place(
    pull: SourcePull,
    name: str,
    stream: Stream,
    kind: str,
    lines: PackedLines,
    digest: Digest,
    times: FileTimes,
    damage: str | None,
) -> Piece:
    """Move lines of a file into landing as the next piece of their stream, and return the piece.

    Args:
        name: the file's path at its source; the piece keeps its last part.
        kind: the format of the log.
        digest: of the stream up to the end of these lines.
        damage: what is wrong with the file after these lines; None for nothing.
    """
    piece_id = f"{stream.stream_id}-{stream.bytes}"
    path = f"{pull.folder}/{piece_id}.log{ENDING}"
    pull.fs.mv(lines.path, path)
    return Piece(
        piece_id=piece_id,
        path=path,
        offset=stream.bytes,
        bytes=lines.size,
        landed_at=times.now.isoformat(),
        newest_at=newest_line(kind, lines.tail, times.newest_at).isoformat(),
        file_name=name.rsplit("/", 1)[-1],
        damage=damage,
        written_at=times.written_at.isoformat(),
        sha256=digest.hexdigest(),
    )


def begin_stream(known: KnownStreams, head: bytes, kind: str) -> Stream:
    """The stream of a log that begins with these bytes, before its first piece."""
    begin = first_line(head)
    sha256 = hashlib.sha256(begin).hexdigest()
    alike = known.count_streams(sha256)
    stream_id = sha256[:16] + (f"-{alike + 1}" if alike else "")
    return Stream(stream_id, kind, bytes=0, sha256="", head=sha256, head_bytes=len(begin))


def add_piece(known: KnownStreams, stream: Stream, piece: Piece, digest: Digest) -> None:
    """Add a piece that is in its place: one that could not be put there leaves the streams as they were.

    Args:
        digest: of the stream with the piece.
    """
    before = stream.bytes, stream.sha256
    stream.pieces.append(piece)
    stream.bytes, stream.sha256, stream.marks = digest.bytes, digest.hexdigest(), digest.marks
    if piece.offset == 0:
        known.add_stream(stream)
    else:
        known.record_growth(stream, *before)


def pull_document(pull: SourcePull, name: str, raw: IO[bytes], start: Chunks, head: bytes) -> Piece | None:
    """Land a file of a source that has documents alone. What a server sent is looked at before it lands."""
    kind, is_served = pull.source.format, is_http(pull.source_fs)
    if head and is_served:
        with loss_first(start):
            pull.notes.note_mismatch(name, kind, head, is_served=True)
    piece = land_document(pull, name, raw, kind)
    if piece and not is_served:
        pull.notes.note_mismatch(name, kind, head)
    return piece


def land_document(pull: SourcePull, name: str, raw: IO[bytes], kind: str) -> Piece | None:
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
    if not size or sha256 in pull.known.documents:
        return None
    newest_at = own_time(pull.source_fs, name) or pull.now
    partial = f"{pull.folder}/partial.{uuid.uuid4().hex}.new"
    raw.seek(0)
    copied = hashlib.sha256()
    with room_for(pull.fs, partial), pull.fs.open(partial, "wb") as out:
        while block := raw.read(CHUNK):
            out.write(block)
            copied.update(block)
    if copied.hexdigest() != sha256:
        pull.fs.rm(partial)
        raise OSError("it was written while it was read; the next pull takes it")
    piece_id = f"{sha256[:16]}-0"
    path = f"{pull.folder}/{piece_id}.document"
    pull.fs.mv(partial, path)
    written_at = newest_at.isoformat()
    file_name = name.rsplit("/", 1)[-1]
    piece = Piece(piece_id, path, 0, size, pull.now.isoformat(), written_at, file_name, written_at=written_at)
    pull.known.add_stream(Stream(sha256[:16], kind, size, sha256, sha256, size, [piece]))
    return piece
