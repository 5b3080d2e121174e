"""Pieces of landing that retention no longer keeps: their files go, and their log stays known.

The manifest keeps the digest of a stream at the end of each piece that goes, so that the same bytes are
known again wherever they turn up. A copy of the streams concerned stands in removed.json: a manifest that is
lost is made again from the pieces that are there, and these are not.
"""

import datetime as dt
import hashlib
from collections.abc import Collection
from typing import Any

from jobs.operators.formats import Source
from jobs.operators.formats.registry import FORMATS
from jobs.operators.ingest.manifest import (
    REMOVED,
    Piece,
    Stream,
    landed_bytes,
    read_files,
    read_manifest,
    write_manifest,
)
from jobs.operators.ingest.packed import ENDINGS
from jobs.operators.ingest.parsing import head_before
from jobs.operators.ingest.piece_ranges import Range


def remove_pieces(fs: Any, folder: str, piece_ids: Collection[str]) -> None:
    """Remove these pieces of a source, which are the first of their streams.

    Killed at any point it can be done again: a piece stands in the manifest until its digest does.
    """
    streams = read_manifest(fs, folder)
    if any(piece.piece_id in piece_ids for stream in streams for piece in stream.pieces):
        for stream in streams:
            forget_pieces(fs, stream, [each for each in stream.pieces if each.piece_id in piece_ids])
        write_manifest(fs, folder, [each for each in streams if each.removed], name=REMOVED)
        write_manifest(fs, folder, streams, read_files(fs, folder))
    for path in files_of(fs, folder, piece_ids):
        fs.rm(path)


def forget_pieces(fs: Any, stream: Stream, going: list[Piece]) -> None:
    """Take pieces out of a stream, and keep what they are known by."""
    if not going:
        return
    ends = ends_of(fs, stream)
    stream.heading = heading_of(fs, stream, going) or stream.heading
    for piece in going:
        end = piece.offset + piece.bytes
        stream.removed[str(end)] = ends[end]
    stream.pieces = [piece for piece in stream.pieces if piece not in going]


def ends_of(fs: Any, stream: Stream) -> dict[int, str]:
    """The SHA-256 of a stream up to the end of each piece, by that end.

    Pieces whose manifest was made again do not have it: they are read.
    """
    found = {piece.offset + piece.bytes: piece.sha256 for piece in stream.pieces if piece.sha256}
    found[stream.bytes] = stream.sha256
    if not stream.removed and any(piece.offset + piece.bytes not in found for piece in stream.pieces):
        digest = hashlib.sha256()
        for piece in stream.pieces:
            for block in landed_bytes(fs, Stream("", "", 0, "", "", 0, [piece]), piece.bytes):
                digest.update(block)
            found[piece.offset + piece.bytes] = digest.hexdigest()
    return found


def is_known_by_digest(stream: Stream, piece: Piece) -> bool:
    """Return whether a stream would be recognised without the piece."""
    return not stream.removed or bool(piece.sha256) or piece.offset + piece.bytes == stream.bytes


def heading_of(fs: Any, stream: Stream, going: list[Piece]) -> str | None:
    """The last line of pieces that names the columns of the lines after it, in a format that has such."""
    is_head = FORMATS[stream.format].is_head if stream.format in FORMATS else None
    if is_head is None:
        return None
    at = dt.datetime.fromisoformat(going[-1].newest_at)
    nearest = tuple((each.path, each.bytes) for each in reversed(going))
    place = Range("", 0, 0, "", 0, Source("", "", stream.stream_id, at), before=nearest)
    return head_before(fs, place, is_head)


def files_of(fs: Any, folder: str, piece_ids: Collection[str]) -> list[str]:
    """The files of pieces that are there."""
    fs.invalidate_cache()
    names = (path for ending in ENDINGS for path in fs.glob(f"{folder}/*{ending}"))
    return [path for path in names if path.rsplit("/", 1)[-1].partition(".")[0] in piece_ids]
