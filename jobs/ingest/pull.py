"""source → landing: bytes as the log had them, each line once, whatever happens to its file's name.

A *stream* is one log file over its whole life: growing `mail.log`, then `mail.log.1`, then
`mail.log.2.gz`. It is known by its content, not by its name: a file belongs to a stream when it starts
with all the bytes landed so far. What is new after them is landed as one more *piece*, up to the last
line end; a last line without one waits until the file is closed (rotated or compressed), until it is a whole
JSON document, or until it has stayed the same for a day. Pieces are kept decompressed, so that ranges of them
can be read.

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
import itertools
import os
import re
import stat
import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO, Any

import fsspec

from jobs.core.disk import DiskFull, is_full, room_for
from jobs.core.errors import LandingLost
from jobs.engine.lock import writing
from jobs.formats.registry import DOCUMENTS, FORMATS, KERNELS, SURE_ENOUGH, sniff
from jobs.ingest.chunks import CHUNK, Chunks, is_json
from jobs.ingest.manifest import (
    Digest,
    Known,
    Piece,
    Stream,
    Unreadable,
    Waiting,
    has_manifest,
    landed_bytes,
    landing,
    read_manifest,
    read_waiting,
    write_manifest,
)
from jobs.settings.operator import Operator, Source

SAMPLE = 64 << 10
# No log that is pulled was written before: 1970 and 1980 are what archives give a file without a time.
OLDEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
# A last line without its end that stayed the same for so long is read: it is so at the second daily pull.
IDLE = dt.timedelta(hours=20)
# Archives, and compressions that nobody here unpacks, by what they begin with.
ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x1f\x9d": "compress",
    b"\x04\x22\x4d\x18": "lz4",
}
# A date stands first: mail.log.20261120 is no rotation number.
ROTATED = re.compile(r"(?:[-.](?P<date>\d{8}(?:[-.T]?\d+)?)|\.(?P<number>\d+))(?:\.(?:gz|bz2|xz|zst))?$")


@dataclass
class Pulled:
    """What a pull did: pieces and bytes landed, what could not be read, each with what to do, and what a
    person may want to know beside."""

    pieces: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list, compare=False)


def streams_of(fs: Any, folder: str, root: str, operator_id: str, source: Source) -> list[Stream]:
    """The streams of a source by its manifest; where that is lost or cannot be read, by what was landed."""
    if has_manifest(fs, folder):
        with contextlib.suppress(Unreadable):
            return read_manifest(fs, folder)
        fs.mv(f"{folder}/manifest.json", f"{folder}/manifest.json.unreadable")
    # Polars and the lake take a moment to import, and are needed where there is no manifest alone.
    from jobs.ingest.rebuilding import rebuilt

    return rebuilt(fs, folder, root, operator_id, source.id, newest_line)


def adopted(fs: Any, folder: str, source: Source, known: Known, now: dt.datetime) -> list[Piece]:
    """The pieces that were landed before a manifest was lost, were never read, and that no file of the source
    holds any more."""
    if not fs.glob(f"{folder}/*.orphan"):
        return []
    from jobs.ingest.rebuilding import continued, orphans

    found = []
    for orphan in sorted(orphans(fs, folder), key=lambda each: each.place):
        stream_id, offset = orphan.place
        stream = next((each for each in known.streams if each.stream_id == stream_id), None)
        # The digest of a stream whose beginning was removed cannot go on without its log.
        if offset == 0 or (stream and stream.removed and stream.bytes == offset):
            end = LastLine(None, now, is_closed=True)
            times = Times(now, now, now)
            try:
                piece, _ = pull_file(fs, folder, fs, orphan.path, times, source, known, end, [])
            except (UnknownFormat, Archive):
                # The source names no format any more: it waits until it does.
                continue
        else:
            before = (stream.bytes, stream.sha256) if stream else (0, "")
            piece = continued(fs, stream, orphan, now) if stream else None
            if stream and piece:
                known.grown(stream, *before)
        if piece:
            found.append(piece)
        if fs.exists(orphan.path):
            fs.rm(orphan.path)
    return found


def remove_unfinished(fs: Any, folder: str) -> None:
    """Remove what a pull that was killed had begun to write; no other pull writes while this one does."""
    for path in fs.glob(f"{folder}/*.new"):
        fs.rm(path)


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
        others = [name for name in names if is_no_file(source_fs, name)]
    except (OSError, ImportError, ValueError) as error:
        pulled.problems.append(f"{where}: {source.url} cannot be listed: {error}")
        return
    if not names:
        pulled.problems.append(f"{where}: no file matches {source.url}. Check the url, and who may read it.")
        return
    remove_unfinished(fs, folder)
    for name in others:
        # Opening a FIFO waits until somebody writes to it.
        pulled.problems.append(
            f"{where}: {name} is no file but a FIFO, a socket or a device: it is left out. Give a url that"
            " does not match it."
        )
        names.remove(name)
    try:
        known = Known(streams_of(fs, folder, root, operator.id, source), DOCUMENTS.__contains__)
    except LandingLost as error:
        pulled.problems.append(f"{where}: {error}")
        return
    names.sort(key=rotation_order)
    begun = len(pulled.notes)
    waited = read_waiting(fs, folder)
    waiting: dict[str, Waiting] = {}
    written = written_times(source_fs, names)
    newest = bounded(names, written)
    for name in names:
        try:
            times = Times(newest.get(name, now), written.get(name, now), now)
            end = LastLine(waited.get(name), now, source.whole or is_closed(name))
            piece, damage = pull_file(fs, folder, source_fs, name, times, source, known, end, pulled.notes)
        except Archive as error:
            pulled.problems.append(
                f"{where}: {name} is an archive ({error}), which holds files and is no log: it is left out."
                " Unpack it where the source finds what is in it. A log may be compressed by gzip, bzip2, xz"
                " or zstd."
            )
            continue
        except UnknownFormat:
            formats = ", ".join(sorted(KERNELS))
            pulled.problems.append(
                f"{where}: {name} is of no known format ({formats}); name one with format = ..."
            )
            continue
        except OSError as error:
            if is_full(error):
                raise DiskFull(folder) from error
            pulled.problems.append(f"{where}: {name} cannot be read: {error}")
            continue
        if end.waiting is not None:
            waiting[name] = end.waiting
        if end.is_stuck:
            pulled.notes.append(
                f"the last line of {name} has {end.waiting_bytes:,} bytes and no line end. It waits"
                " until it has one, until the file is rotated or compressed, or until it has stayed the same"
                " for a day. If nothing more is written to such files, set whole = true for the source."
            )
        if piece is not None:
            pulled.pieces += 1
            pulled.bytes += piece.bytes
        if damage:
            pulled.problems.append(f"{where}: {name} is damaged: {damage}. What came before it is kept.")
    for piece in adopted(fs, folder, source, known, now):
        pulled.pieces += 1
        pulled.bytes += piece.bytes
    write_manifest(fs, folder, known.streams, waiting)
    pulled.notes[begun:] = [f"{where}: {note}" for note in pulled.notes[begun:]]


def is_no_file(fs: Any, name: str) -> bool:
    """Whether a name on this machine is neither a file nor missing, whatever links lead to it."""
    if "file" not in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)):
        return False
    try:
        return not stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        # Reading it says what is wrong.
        return False


@dataclass
class LastLine:
    """Whether a last line without its end is read. before: how it was at an earlier pull.

    Afterwards `waiting` and `waiting_bytes` are what is left to wait.
    """

    before: Waiting | None
    now: dt.datetime
    is_closed: bool
    waiting: Waiting | None = None
    waiting_bytes: int = 0

    @property
    def is_stuck(self) -> bool:
        """Whether it waits since an earlier pull, or with it all of its file."""
        return self.waiting is not None and (self.waiting is self.before or self.waiting.offset == 0)

    def is_whole(self, offset: int, line: bytes) -> bool:
        """Whether a line that begins at this byte of its file and has no end is read all the same."""
        if self.is_closed or is_json(line):
            return True
        found = Waiting(offset, hashlib.sha256(line).hexdigest(), self.now.isoformat())
        if self.before and (self.before.offset, self.before.sha256) == (found.offset, found.sha256):
            found = self.before
        if self.now - dt.datetime.fromisoformat(found.since) >= IDLE:
            return True
        self.waiting, self.waiting_bytes = found, len(line)
        return False


@dataclass(frozen=True)
class Times:
    """When a file was written, UTC, the bound that it and its rotations set for its lines, and when it is
    pulled."""

    newest_at: dt.datetime
    written_at: dt.datetime
    now: dt.datetime


class Archive(ValueError):
    """The file holds files, by its kind, in a source of logs."""


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
    known: Known,
    end: LastLine,
    notes: list[str],
) -> tuple[Piece | None, str | None]:
    """Land what a file holds beyond its stream, or None when that is nothing; and what damage it has.

    notes: gets what a person should know of a file that is new.
    """
    with source_fs.open(name, "rb") as raw:
        start = Chunks(raw)
        head = start.peek(SAMPLE)
        if source.format in DOCUMENTS:
            piece = land_document(fs, folder, source_fs, name, raw, source.format, known, times.now)
            notes += looks(name, source.format, head, False) if piece else ()
            return piece, None
        if not head:
            notes += [f"{name} is empty"] if not start.damage else ()
            return None, start.damage
        stream, chunks, digest = find_stream(fs, known, raw, head)
        if stream and digest.bytes < stream.bytes:
            return None, None
        kind = stream.format if stream else format_of(source, head)
        if kind in DOCUMENTS:
            return land_document(fs, folder, source_fs, name, raw, kind, known, times.now), None
        if stream is None and source.format != "auto":
            if archive := archive_of(head):
                raise Archive(archive)
            notes += looks(name, kind, head, bool(source.options))
        offset = stream.bytes if stream else 0
        partial = f"{folder}/partial.{uuid.uuid4().hex}.new"
        tail = b""
        size = 0
        blocks = chunks.lines(lambda line: chunks.is_compressed or end.is_whole(digest.bytes, line))
        first = next(blocks, None)
        if first is not None:
            with room_for(fs, partial), fs.open(partial, "wb") as out:
                for block in itertools.chain([first], blocks):
                    out.write(block)
                    digest.update(block)
                    size += len(block)
                    tail = (tail + block)[-SAMPLE:]
        if Chunks(raw).peek(len(head)) != head:
            if size:
                fs.rm(partial)
            raise OSError("it was replaced while it was read; the next pull takes it")
        if size == 0:
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
            alike = known.count(stream.head)
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
            sha256=digest.hexdigest(),
        )
        # Only now: a piece that could not be put in its place leaves the streams as they were.
        before = stream.bytes, stream.sha256
        stream.pieces.append(piece)
        stream.bytes, stream.sha256, stream.waiting_bytes = offset + size, digest.hexdigest(), chunks.waiting
        stream.marks = digest.marks
        if offset == 0:
            known.add(stream)
        else:
            known.grown(stream, *before)
        return piece, chunks.damage


def land_document(
    fs: Any,
    folder: str,
    source_fs: Any,
    name: str,
    raw: IO[bytes],
    kind: str,
    known: Known,
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
    if not size or sha256 in known.documents:
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
    known.add(Stream(sha256[:16], kind, size, sha256, sha256, size, [piece]))
    return piece


def newest_line(kind: str, tail: bytes, newest_at: dt.datetime) -> dt.datetime:
    """A time that no line is newer than, from ids in the last lines and the file's own time.

    An id tells when its message came, and lines may tell of it for as long as a message lives.
    """
    kernel = FORMATS[kind]
    by_id = kernel.newest_from_ids(tail) if kernel.newest_from_ids else None
    if by_id is None:
        return newest_at
    return max(by_id, min(newest_at, by_id + dt.timedelta(days=kernel.lookback_days)))


def format_of(source: Source, head: bytes) -> str:
    """The format that the source names, or the one that recognises the file."""
    if source.format != "auto":
        return source.format
    name, _ = sniff(head)
    archive = archive_of(head)
    if archive and name not in DOCUMENTS:
        raise Archive(archive)
    if name is None:
        raise UnknownFormat
    return name


def archive_of(head: bytes) -> str | None:
    """The kind of archive, or of compression that cannot be read, that a file begins as."""
    if head[257:262] == b"ustar":
        return "tar"
    return next((kind for start, kind in ARCHIVES.items() if head.startswith(start)), None)


def looks(name: str, kind: str, head: bytes, has_options: bool) -> list[str]:
    """What a file looks like, where that is not the format that its source names.

    has_options: of the format, which may name a form that nothing recognises.
    """
    own, (found, _) = KERNELS[kind].sniff(head), sniff(head)
    is_within = found in KERNELS[kind].within
    # What a delimited log looks like is for its profile to say.
    if own >= SURE_ENOUGH or is_within or kind == "delimited" or found == kind or archive_of(head):
        return []
    if found is not None:
        return [f'{name} looks like {found}, and the source names {kind}. If it is, set format = "{found}"']
    is_odd = own == 0 and not has_options
    return [f"{name} does not look like {kind}, nor like any other known format"] if is_odd else []


def find_stream(fs: Any, known: Known, raw: IO[bytes], head: bytes) -> tuple[Stream | None, Chunks, Digest]:
    """The longest stream that the file continues, or that already holds all of the file.

    Also the file read up to there, and the digest of what was read. All is read from the one open file: by
    its name another might be found by now. The file is read once, however many streams begin as it does;
    what is new in it is read after that.
    """
    digest, chunks = Digest(), Chunks(raw)
    longest: Stream | None = None
    alike = known.beginning(head)
    sizes = merged([each.sizes for each in alike])
    if len(head) < SAMPLE and any(each.of(len(head), hashlib.sha256(head).hexdigest()) for each in alike):
        # A small file that is known is found in one look-up, however many begin alike.
        sizes = [len(head)]
    for size in sizes:
        chunks.skip(size - digest.bytes, digest)
        if digest.bytes < size:
            break
        found = [each.of(size, digest.hexdigest()) for each in alike]
        longest = next((each for each in found if each is not None), longest)
    if longest is not None and longest.bytes == digest.bytes:
        return longest, chunks, digest
    # A shorter copy of what is landed already, such as a backup or a truncated download.
    for each in alike:
        found_removed = each.removed(digest.bytes, digest.hexdigest())
        if found_removed is not None:
            return found_removed, chunks, digest
        for stream in each.longer(fs, digest, head):
            if stream.bytes > digest.bytes and is_beginning(fs, stream, raw, digest):
                return stream, chunks, digest
    digest, chunks = Digest(), Chunks(raw)
    if longest is not None:
        chunks.skip(longest.bytes, digest)
    return longest, chunks, digest


def merged(sizes: list[list[int]]) -> Iterable[int]:
    """Rising sizes of several rising lists, each once."""
    return sizes[0] if len(sizes) == 1 else sorted({size for each in sizes for size in each})


def is_beginning(fs: Any, stream: Stream, raw: IO[bytes], digest: Digest) -> bool:
    """Whether a file of these bytes holds the first ones of a stream.

    Of bytes that retention removed only the ends of pieces are known, so that no file is known by fewer. One
    that ends before them is landed anew, whatever it holds: its days are closed, and its lines are late.
    """
    gone = stream.removed_bytes
    if not gone:
        return digest.hexdigest() == landed_digest(fs, stream, digest.bytes)
    if digest.bytes <= gone:
        return False
    chunks, first, rest = Chunks(raw), Digest(), Digest()
    chunks.skip(gone, first)
    if first.hexdigest() != stream.removed[str(gone)]:
        return False
    chunks.skip(digest.bytes - gone, rest)
    return rest.hexdigest() == landed_digest(fs, stream, rest.bytes)


def landed_digest(fs: Any, stream: Stream, size: int) -> str:
    """SHA-256 of the first `size` bytes that landing has of a stream."""
    digest = hashlib.sha256()
    for block in landed_bytes(fs, stream, size):
        digest.update(block)
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
        except (OSError, NotImplementedError):
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
