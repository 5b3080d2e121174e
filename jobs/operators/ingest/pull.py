"""source → landing: bytes as the log had them, each line once, whatever happens to its file's name.

A *stream* is one log file over its whole life: growing `mail.log`, then `mail.log.1`, then
`mail.log.2.gz`. It is known by its content, not by its name: a file belongs to a stream when it starts
with all the bytes landed so far. What is new after them is landed as one more *piece*, up to the last
line end; a last line without one waits until the file is closed (rotated or compressed), until it is a whole
JSON document, or until it has stayed the same for a day. Pieces are packed so that ranges of them can
be read.

A file of documents, such as a report in a mail or an archive, does not grow: it is landed as it came, whole
and at once, as a stream of its own, unless the same bytes were landed before.

Landing holds, for each operator and source, the pieces and one manifest.json that is replaced whole
after the pieces are there: a pull that is killed leaves at most a piece that no manifest names, and the
next pull writes it again. A lake without room ends a pull at once: no other source would have more.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import io
import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from jobs.base.core.connections import classify_problem
from jobs.base.core.disk import DiskFull, is_full, make_folder, room_for
from jobs.base.core.errors import Away, LandingLost, SourceLost
from jobs.base.settings.operator import Operator, SourceSettings
from jobs.base.store.lock import hold_lock
from jobs.operators.formats.registry import DOCUMENTS, KERNELS, find_host_log
from jobs.operators.formats.shared.lines import first_line
from jobs.operators.ingest.chunks import CHUNK, Chunks, is_json
from jobs.operators.ingest.file_formats import (
    Archive,
    LeftOut,
    Notes,
    UnknownFormat,
    archive_of,
    check_named,
    format_of,
    newest_line,
)
from jobs.operators.ingest.manifest import (
    Files,
    KnownStreams,
    Piece,
    Stream,
    UnreadableManifest,
    Waiting,
    has_manifest,
    open_landing,
    read_files,
    read_manifest,
    write_manifest,
)
from jobs.operators.ingest.packed import ENDING, open_packer
from jobs.operators.ingest.remote import Copy, RemoteFile, find_joined, skip_landed
from jobs.operators.ingest.source_files import (
    FileTimes,
    bound_times,
    is_closed,
    is_http,
    list_files,
    open_file,
    own_time,
    source_errors,
    written_times,
)
from jobs.operators.ingest.streams import SAMPLE, find_stream

# A last line without its end that stayed the same for so long is read: it is so at the second daily pull.
IDLE = dt.timedelta(hours=20)


@dataclass(frozen=True)
class Pulled:
    """What a pull did: pieces and bytes landed, what could not be read, each with what to do, and what a
    person may want to know beside."""

    pieces: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list, compare=False)

    def __add__(self, later: Pulled) -> Pulled:
        return Pulled(
            self.pieces + later.pieces,
            self.bytes + later.bytes,
            self.problems + later.problems,
            self.notes + later.notes,
        )


def streams_of(fs: Any, folder: str, root: str, operator_id: str, source: SourceSettings) -> list[Stream]:
    """The streams of a source by its manifest; where that is lost or cannot be read, by what was landed."""
    if has_manifest(fs, folder):
        with contextlib.suppress(UnreadableManifest):
            return read_manifest(fs, folder)
        fs.mv(f"{folder}/manifest.json", f"{folder}/manifest.json.unreadable")
    # Polars and the lake take a moment to import, and are needed where there is no manifest alone.
    from jobs.operators.ingest.rebuilding import rebuild_manifest

    return rebuild_manifest(fs, folder, root, operator_id, source.id, newest_line)


def adopt_orphans(
    fs: Any, folder: str, source: SourceSettings, known: KnownStreams, now: dt.datetime
) -> list[Piece]:
    """The pieces that were landed before a manifest was lost, were never read, and that no file of the source
    holds any more."""
    if not fs.glob(f"{folder}/*.orphan"):
        return []
    from jobs.operators.ingest.rebuilding import continue_stream, find_orphans

    found = []
    for orphan in sorted(find_orphans(fs, folder), key=lambda each: each.place):
        stream_id, offset = orphan.place
        stream = next((each for each in known.streams if each.stream_id == stream_id), None)
        # The digest of a stream whose beginning was removed cannot go on without its log.
        if offset == 0 or (stream and stream.removed and stream.bytes == offset):
            end = LastLine(None, now, is_closed=True)
            times = FileTimes(now, now, now)
            try:
                piece, _ = pull_file(fs, folder, fs, orphan.path, times, source, known, end, Notes(source))
            except (UnknownFormat, LeftOut):
                # The source names no format any more: it waits until it does.
                continue
        else:
            before = (stream.bytes, stream.sha256) if stream else (0, "")
            piece = continue_stream(fs, stream, orphan, now) if stream else None
            if stream and piece:
                known.record_growth(stream, *before)
        if piece:
            found.append(piece)
        if fs.exists(orphan.path):
            fs.rm(orphan.path)
    return found


def pull_operator(operator: Operator, root: str, now: dt.datetime) -> Pulled:
    """Land what is new in all sources of an operator. One bad source or file does not stop the rest."""
    pulled = Pulled()
    with hold_lock(root, "observatory pull"):
        for source in operator.source:
            pulled += pull_source(operator, source, root, now)
    return pulled


def pull_source(operator: Operator, source: SourceSettings, root: str, now: dt.datetime) -> Pulled:
    """Land what is new in a source."""
    fs, area = open_landing(root)
    folder = f"{area}/{operator.id}/{source.id}"
    make_folder(fs, folder)
    where = f"operator '{operator.id}', source '{source.id}'"
    before, after = read_files(fs, folder), Files()
    listed = list_files(source, has_manifest(fs, folder), before)
    source_fs, names = listed.fs, listed.names
    problems: list[str] = [type(each)(f"{where}: {each}") for each in listed.problems]
    if not names:
        return Pulled(problems=problems)
    # What a pull that was killed had begun to write; no other pull writes while this one does.
    for path in fs.glob(f"{folder}/*.new"):
        fs.rm(path)
    try:
        known = KnownStreams(streams_of(fs, folder, root, operator.id, source), DOCUMENTS.__contains__)
    except LandingLost as error:
        return Pulled(problems=[*problems, f"{where}: {error}"])
    pieces: list[Piece] = []
    notes = Notes(source)
    unchanged = listed.find_unchanged(before, source)
    written = written_times(source_fs, names, listed.list_times(unchanged))
    newest = bound_times(names, written)
    after.seen.update(unchanged)
    changed = [name for name in names if name not in unchanged]
    fetching: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if is_http(source_fs):
        joined = functools.partial(find_joined, fs, known.copy())
        fetching = source_fs.fetch_ahead(changed, copies_in(fs, folder), joined)
    with fetching:
        for name in changed:
            try:
                times = FileTimes(newest.get(name, now), written.get(name, now), now)
                end = LastLine(before.waiting.get(name), now, source.whole or is_closed(name))
                piece, damage = pull_file(fs, folder, source_fs, name, times, source, known, end, notes)
            except LeftOut as error:
                problems.append(f"{where}: {name} {error}")
                continue
            except UnknownFormat:
                if is_http(source_fs):
                    refused = f"{where}: {name} is refused: the server sent something of no known format"
                    problems.append(Away(f"{refused}, such as a page. The next pull asks again."))
                    continue
                formats = ", ".join(sorted(KERNELS))
                problems.append(
                    f"{where}: {name} is of no known format ({formats}); name one with format = ..."
                )
                continue
            except source_errors() as error:
                if is_full(error):
                    raise DiskFull(folder) from error
                problems.append(classify_problem(error, f"{where}: {name} cannot be read: {error}"))
                continue
            if end.waiting is not None:
                after.waiting[name] = end.waiting
            if end.is_stuck:
                notes.texts.append(
                    f"the last line of {name} has {end.waiting_bytes:,} bytes and no line end. It waits"
                    " until it has one, until the file is rotated or compressed, or until it has stayed the"
                    " same for a day. If nothing more is written to such files, set whole = true for the"
                    " source."
                )
            if piece is not None:
                pieces.append(piece)
            if isinstance(damage, SourceLost):
                lost = (
                    f"{where}: {name} was lost while it was read: {damage}. The next pull goes on from there."
                )
                problems.append(Away(lost))
            elif damage:
                problems.append(f"{where}: {name} is damaged: {damage}. What came before it is kept.")
            elif seen := listed.find_seen(name, source, written.get(name)):
                after.seen[name] = seen
    pieces += adopt_orphans(fs, folder, source, known, now)
    write_manifest(fs, folder, known.streams, after)
    size = sum(piece.bytes for piece in pieces)
    return Pulled(len(pieces), size, problems, [f"{where}: {note}" for note in notes.texts])


def copies_in(fs: Any, folder: str) -> str | None:
    """Where copies of what a web server sends are made: beside landing, or where a store has no such place in
    this machine's folder for what is temporary."""
    return folder if "file" in fs.protocol else None


@contextlib.contextmanager
def loss_first(start: Chunks) -> Iterator[None]:
    """Where the connection was lost in a file's first bytes, this is why no format recognises them."""
    try:
        yield
    except UnknownFormat:
        if start.lost:
            raise start.lost from None
        raise


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


def pull_file(
    fs: Any,
    folder: str,
    source_fs: Any,
    name: str,
    times: FileTimes,
    source: SourceSettings,
    known: KnownStreams,
    end: LastLine,
    notes: Notes,
) -> tuple[Piece | None, str | SourceLost | None]:
    """Land what a file holds beyond its stream: the piece, None where there is nothing; and the damage that
    it has or the loss of its host, None where it has none.

    notes: gets what a person should know of a file that is new.
    """
    with open_file(source_fs, name) as raw:
        if isinstance(raw, RemoteFile) and not isinstance(raw, Copy):
            skip_landed(raw, fs, known)
        start = Chunks(raw)
        head = start.peek_bytes(SAMPLE)
        if source.format in DOCUMENTS:
            if head and is_http(source_fs):
                with loss_first(start):
                    notes.note_mismatch(name, source.format, head, is_served=True)
            piece = land_document(fs, folder, source_fs, name, raw, source.format, known, times.now)
            if piece and not is_http(source_fs):
                notes.note_mismatch(name, source.format, head)
            return piece, None
        if not head:
            notes.texts += [f"{name} is empty"] if not (start.lost or start.damage) else ()
            return None, start.lost or start.damage
        stream, chunks, digest = find_stream(fs, known, raw, head)
        if stream and digest.bytes < stream.bytes:
            return None, None
        with loss_first(start):
            kind = stream.format if stream else format_of(source, head)
        if kind in DOCUMENTS:
            return land_document(fs, folder, source_fs, name, raw, kind, known, times.now), None
        if stream is None and source.format != "auto":
            if archive := archive_of(head):
                raise Archive(archive)
            with loss_first(start):
                notes.note_mismatch(name, kind, head, is_http(source_fs))
        offset = stream.bytes if stream else 0
        partial = f"{folder}/partial.{uuid.uuid4().hex}.new"
        tail = b""
        size = 0
        blocks = chunks.read_lines(lambda line: chunks.is_compressed or end.is_whole(digest.bytes, line))
        first = next(blocks, None)
        if first is not None:
            # A mail log may begin with lines of its filters.
            if source.format == "auto":
                kind = find_host_log(kind, head + first)
            elif stream is None:
                check_named(kind, head)
            # Each block may be a line of 64 MiB: none is kept longer than it takes to write it.
            blocks, first = itertools.chain([first], blocks), b""
            with room_for(fs, partial), fs.open(partial, "wb") as out, open_packer(out) as packer:
                for block in blocks:
                    packer.write(block)
                    digest.update(block)
                    size += len(block)
                    tail = (tail + block[-SAMPLE:])[-SAMPLE:]
                    del block
        if not chunks.lost and Chunks(raw).peek_bytes(len(head)) != head:
            if size:
                fs.rm(partial)
            raise OSError("it was replaced while it was read; the next pull takes it")
        if size == 0:
            if stream:
                stream.waiting_bytes = chunks.waiting
            return None, chunks.lost or chunks.damage
        if stream is None:
            begin = first_line(head)
            stream = Stream(
                stream_id=hashlib.sha256(begin).hexdigest()[:16],
                format=kind,
                bytes=0,
                sha256="",
                head=hashlib.sha256(begin).hexdigest(),
                head_bytes=len(begin),
            )
            alike = known.count_streams(stream.head)
            stream.stream_id += f"-{alike + 1}" if alike else ""
        piece_id = f"{stream.stream_id}-{offset}"
        path = f"{folder}/{piece_id}.log{ENDING}"
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
        stream.format = kind
        stream.pieces.append(piece)
        stream.bytes, stream.sha256, stream.waiting_bytes = offset + size, digest.hexdigest(), chunks.waiting
        stream.marks = digest.marks
        if offset == 0:
            known.add_stream(stream)
        else:
            known.record_growth(stream, *before)
        return piece, chunks.lost or chunks.damage


def land_document(
    fs: Any,
    folder: str,
    source_fs: Any,
    name: str,
    raw: IO[bytes],
    kind: str,
    known: KnownStreams,
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
    newest_at = own_time(source_fs, name) or now
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
    known.add_stream(Stream(sha256[:16], kind, size, sha256, sha256, size, [piece]))
    return piece
