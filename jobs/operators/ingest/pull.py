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
from dataclasses import dataclass, field, replace
from typing import Any

from jobs.base.core.disk import DiskFull, is_full, make_folder
from jobs.base.core.errors import Away, LandingLost, SourceLost
from jobs.base.places.connections import classify_problem
from jobs.base.settings.operator import Operator, SourceSettings
from jobs.base.store.lock import hold_lock
from jobs.operators.formats.registry import DOCUMENTS, KERNELS
from jobs.operators.ingest.file_formats import (
    LeftOut,
    Notes,
    UnknownFormat,
    newest_line,
)
from jobs.operators.ingest.landing import LastLine, SourcePull, land_file
from jobs.operators.ingest.manifest import (
    Files,
    KnownStreams,
    Piece,
    Stream,
    UnreadableManifest,
    has_manifest,
    open_landing,
    read_files,
    read_manifest,
    write_manifest,
)
from jobs.operators.ingest.packed import ORPHAN
from jobs.operators.ingest.remote import find_joined
from jobs.operators.ingest.source_files import (
    FileTimes,
    bound_times,
    is_closed,
    is_http,
    list_files,
    source_errors,
    written_times,
)


@dataclass(frozen=True)
class Pulled:
    """The outcome of a pull: pieces and bytes landed, errors with a remedy each, and notes."""

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


def adopt_orphans(pull: SourcePull) -> list[Piece]:
    """The pieces that were landed before a manifest was lost, were never read, and that no file of the source
    holds any more."""
    fs, folder, known = pull.fs, pull.folder, pull.known
    if not fs.glob(f"{folder}/*{ORPHAN}"):
        return []
    from jobs.operators.ingest.rebuilding import continue_stream, pieces_in

    found = []
    of_landing = replace(pull, source_fs=fs, notes=Notes(pull.source))
    for orphan in sorted(pieces_in(fs, folder, ORPHAN), key=lambda each: each.place):
        stream_id, offset = orphan.place
        stream = next((each for each in known.streams if each.stream_id == stream_id), None)
        # The digest of a stream whose beginning was removed cannot go on without its log.
        if offset == 0 or (stream and stream.removed and stream.bytes == offset):
            end = LastLine(None, pull.now, is_closed=True)
            times = FileTimes(pull.now, pull.now, pull.now)
            try:
                piece, _ = land_file(of_landing, orphan.path, times, end)
            except (UnknownFormat, LeftOut):
                # The source names no format any more: it waits until it does.
                continue
        else:
            before = (stream.bytes, stream.sha256) if stream else (0, "")
            piece = continue_stream(fs, stream, orphan, pull.now) if stream else None
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
    pull = SourcePull(fs, folder, source_fs, source, known, now, Notes(source))
    pieces: list[Piece] = []
    unchanged = listed.find_unchanged(before, source)
    written = written_times(source_fs, names, listed.list_times(unchanged))
    newest = bound_times(names, written)
    after.seen.update(unchanged)
    changed = [name for name in names if name not in unchanged]
    failures: tuple[type[Exception], ...] = (LeftOut, UnknownFormat, *source_errors())
    with fetch_ahead(pull, changed):
        for name in changed:
            times = FileTimes(newest.get(name, now), written.get(name, now), now)
            end = LastLine(before.waiting.get(name), now, source.whole or is_closed(name))
            try:
                piece, damage = land_file(pull, name, times, end)
            except failures as error:
                failure = describe_failure(pull, name, error)
                problems.append(type(failure)(f"{where}: {failure}"))
                continue
            if end.waiting is not None:
                after.waiting[name] = end.waiting
            if end.is_stuck:
                pull.notes.texts.append(end.describe_wait(name))
            if piece is not None:
                pieces.append(piece)
            if damage:
                problem = describe_damage(name, damage)
                problems.append(type(problem)(f"{where}: {problem}"))
            elif seen := listed.find_seen(name, source, written.get(name)):
                after.seen[name] = seen
    pieces += adopt_orphans(pull)
    write_manifest(fs, folder, known.streams, after)
    size = sum(piece.bytes for piece in pieces)
    return Pulled(len(pieces), size, problems, [f"{where}: {note}" for note in pull.notes.texts])


def fetch_ahead(pull: SourcePull, names: list[str]) -> contextlib.AbstractContextManager[None]:
    """While it lasts, the next files of a web server are copied already; other sources are read in place."""
    if not is_http(pull.source_fs):
        return contextlib.nullcontext()
    joined = functools.partial(find_joined, pull.fs, pull.known.copy())
    # Copies of a web server's files lie beside landing; where a store has no such place, in this
    # machine's folder for what is temporary.
    fetching: contextlib.AbstractContextManager[None] = pull.source_fs.fetch_ahead(
        names, pull.folder if "file" in pull.fs.protocol else None, joined
    )
    return fetching


def describe_failure(pull: SourcePull, name: str, error: Exception) -> str:
    """The reason why nothing of a file landed, and what to do. Raises DiskFull where the lake has no room."""
    if isinstance(error, LeftOut):
        return f"{name} {error}"
    if isinstance(error, UnknownFormat):
        if is_http(pull.source_fs):
            refused = f"{name} is refused: the server sent something of no known format, such as a page."
            return Away(f"{refused} The next pull asks again.")
        return f"{name} is of no known format ({', '.join(sorted(KERNELS))}); name one with format = ..."
    if is_full(error):
        raise DiskFull(pull.folder) from error
    return classify_problem(error, f"{name} cannot be read: {error}")


def describe_damage(name: str, damage: str | SourceLost) -> str:
    """The damage of a file of which a part was landed, in words."""
    if isinstance(damage, SourceLost):
        return Away(f"{name} was lost while it was read: {damage}. The next pull goes on from there.")
    return f"{name} is damaged: {damage}. What came before it is kept."
