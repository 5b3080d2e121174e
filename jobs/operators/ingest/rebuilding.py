"""A manifest of landing that was lost, made again from the pieces that are there and from the ledger.

Without it a pull would land a log from its start under names that the ledger has, and the ledger would take
its growth for read. What a rebuilt manifest cannot have is when files were written: it takes the time when
they were landed.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.base.core.errors import LandingLost
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import Row
from jobs.operators.formats.shared.lines import first_line
from jobs.operators.ingest.manifest import REMOVED, Digest, Piece, Stream, landed_bytes, read_manifest
from jobs.operators.ingest.packed import ENDINGS, ORPHAN, landed_size

TAIL = 64 << 10


@dataclass(frozen=True)
class PieceOnDisk:
    """A piece on disk."""

    piece_id: str
    path: str
    bytes: int
    is_document: bool

    @property
    def place(self) -> tuple[str, int]:
        """The piece's stream, and its offset there."""
        stream_id, offset = self.piece_id.rsplit("-", 1)
        return stream_id, int(offset)


def rebuild_manifest(
    fs: Any,
    folder: str,
    root: str,
    operator_id: str,
    source_id: str,
    newest_line: Callable[[str, bytes, dt.datetime], dt.datetime],
) -> list[Stream]:
    """The streams of a source without a manifest, as far as they were read. Pieces that were not are set
    aside: their logs are most often still there, and say more of them.

    Raises LandingLost, with what to do, where pieces that the ledger has are gone, and retention did not
    remove them.

    Args:
        newest_line: as in jobs/operators/ingest/file_formats.py.
    """
    found = pieces_in(fs, folder)
    mine = (pl.col("operator_id") == operator_id) & (pl.col("source_id") == source_id)
    ledger = {row["piece_id"]: row for row in Lake(root).read("bronze.file", where=mine).to_dicts()}
    begun = {each.stream_id: each for each in read_manifest(fs, folder, REMOVED)}
    refuse_grown(folder, begun, ledger)
    removed = {
        piece_id
        for piece_id, row in ledger.items()
        if row["stream_id"] in begun and row["offset"] < begun[row["stream_id"]].removed_bytes
    }
    lost = sorted(ledger.keys() - removed - {each.piece_id for each in found})
    if lost:
        raise LandingLost(
            f"{folder} has lost its manifest, and {len(lost)} piece{'s' if len(lost) > 1 else ''} that the"
            f" lake has read, such as {lost[0]}. What its logs contain beyond them is unknown, so nothing is"
            " pulled. Put the folder back from a copy. Without one, `observatory renew --anew` lets the next"
            " run count anew what the logs still hold"
        )
    for each in found:
        if each.piece_id not in ledger:
            fs.mv(each.path, f"{each.path}{ORPHAN}")
    of_stream: dict[str, list[PieceOnDisk]] = {}
    for each in sorted(found, key=lambda each: each.place):
        if each.piece_id in ledger and each.place[0] not in begun:
            of_stream.setdefault(each.place[0], []).append(each)
    streams = list(begun.values())
    for stream_id, pieces in of_stream.items():
        last = max((ledger[each.piece_id] for each in pieces), key=lambda row: row["ingest_id"])
        stream = Stream(stream_id, last["format_code"], 0, "", "", 0)
        stream.pieces = [make_piece(each, ledger[each.piece_id]) for each in pieces]
        head, tail = measure_stream(fs, stream)
        if pieces[0].is_document:
            stream.head, stream.head_bytes, stream.marks = stream.sha256, stream.bytes, {}
        else:
            line = first_line(head)
            stream.head, stream.head_bytes = hashlib.sha256(line).hexdigest(), len(line)
            for piece in stream.pieces:
                landed_at = dt.datetime.fromisoformat(piece.landed_at)
                piece.newest_at = newest_line(stream.format, tail, landed_at).isoformat()
        streams.append(stream)
    return streams


def refuse_grown(folder: str, begun: Mapping[str, Stream], ledger: Mapping[str, Row]) -> None:
    """Raise LandingLost for a log that has grown since retention removed its first bytes: nothing that is
    left says whether a file begins with them."""
    for row in ledger.values():
        stream = begun.get(row["stream_id"])
        if stream is not None and row["offset"] >= stream.bytes:
            raise LandingLost(
                f"{folder} has lost its manifest, and retention has removed the beginning of a log that has"
                f" grown since ({row['file_name']}): what is new in it cannot be told. Put manifest.json back"
                " from a copy. Without one, `observatory renew --anew` lets the next run count anew what the"
                " logs and landing still hold"
            )


def measure_stream(fs: Any, stream: Stream) -> tuple[bytes, bytes]:
    """Set the bytes, digest and marks of a stream from its pieces; how it begins and ends."""
    digest, head, tail = Digest(), b"", b""
    for block in landed_bytes(fs, stream, sum(piece.bytes for piece in stream.pieces)):
        digest.update(block)
        head = head or block[:TAIL]
        tail = (tail + block)[-TAIL:]
    stream.bytes, stream.sha256, stream.marks = digest.bytes, digest.hexdigest(), digest.marks
    return head, tail


def continue_stream(fs: Any, stream: Stream, orphan: PieceOnDisk, now: dt.datetime) -> Piece | None:
    """The piece that an orphan makes of a stream that ends where it begins; None where the stream has gone on
    without it."""
    if stream.bytes != orphan.place[1]:
        return None
    path = orphan.path.removesuffix(ORPHAN)
    fs.mv(orphan.path, path)
    at = now.isoformat()
    piece = Piece(orphan.piece_id, path, stream.bytes, orphan.bytes, at, at, orphan.piece_id)
    stream.pieces.append(piece)
    measure_stream(fs, stream)
    return piece


def pieces_in(fs: Any, folder: str, aside: str = "") -> list[PieceOnDisk]:
    """The pieces in a source's folder of landing.

    Args:
        aside: how the names of those that were set aside end.
    """
    fs.invalidate_cache()
    return [
        PieceOnDisk(
            path.rsplit("/", 1)[-1].removesuffix(ending + aside), path, landed_size(fs, path), is_document
        )
        for ending, is_document in ENDINGS.items()
        for path in fs.glob(f"{folder}/*{ending}{aside}")
    ]


def make_piece(each: PieceOnDisk, row: Row) -> Piece:
    """A piece that the ledger has."""
    landed_at = row["landed_at"].isoformat()
    name, damage = row["file_name"] or each.piece_id, row["damage_text"]
    return Piece(each.piece_id, each.path, each.place[1], each.bytes, landed_at, landed_at, name, damage)
