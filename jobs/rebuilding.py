"""A manifest of landing that was lost, made again from the pieces that are there and from the ledger.

Without it a pull would land a log from its start under names that the ledger has, and the ledger would take
its growth for read. What a rebuilt manifest cannot have is when files were written: it takes the time when
they were landed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.engine.lake import Lake
from jobs.errors import LandingLost
from jobs.manifest import Digest, Piece, Stream, landed_bytes

TAIL = 64 << 10
ENDINGS = {".log": False, ".document": True}


@dataclass(frozen=True)
class Landed:
    """A piece on disk."""

    piece_id: str
    path: str
    bytes: int
    is_document: bool

    @property
    def place(self) -> tuple[str, int]:
        """Its stream, and its offset there."""
        stream_id, offset = self.piece_id.rsplit("-", 1)
        return stream_id, int(offset)


def rebuilt(
    fs: Any,
    folder: str,
    root: str,
    operator_id: str,
    source_id: str,
    format_of: Callable[[bytes], str],
    newest_line: Callable[[str, bytes, dt.datetime], dt.datetime],
    now: dt.datetime,
) -> list[Stream]:
    """The streams of a source without a manifest; none where nothing was ever landed.

    format_of: the format of a stream that the ledger does not have, by its beginning. newest_line: as in
    jobs/pull.py. Raises LandingLost, with what to do, where pieces that the ledger has are gone.
    """
    found = pieces_in(fs, folder)
    mine = (pl.col("operator_id") == operator_id) & (pl.col("source_id") == source_id)
    ledger = {row["piece_id"]: row for row in Lake(root).read("bronze.file", where=mine).to_dicts()}
    lost = sorted(ledger.keys() - {each.piece_id for each in found})
    if lost:
        raise LandingLost(
            f"{folder} has lost its manifest, and {len(lost)} piece{'s' if len(lost) > 1 else ''} that the"
            f" lake has read, such as {lost[0]}. What its logs hold beyond them cannot be told, so nothing is"
            " pulled. Put the folder back from a copy. Without one, `observatory renew --anew` lets the next"
            " run count anew what the logs still hold"
        )
    streams = []
    of_stream: dict[str, list[Landed]] = {}
    for each in sorted(found, key=lambda each: each.place):
        of_stream.setdefault(each.place[0], []).append(each)
    for stream_id, pieces in of_stream.items():
        whole = contiguous(pieces)
        for each in pieces[len(whole) :]:
            # After a gap, and never read: of no use without what came before.
            fs.mv(each.path, f"{each.path}.lost")
        if not whole:
            continue
        stream = Stream(stream_id, "", 0, "", "", 0, [as_piece(each, ledger, now) for each in whole])
        digest, head, tail = Digest(), b"", b""
        for block in landed_bytes(fs, stream, sum(each.bytes for each in whole)):
            digest.update(block)
            head = head or block[:TAIL]
            tail = (tail + block)[-TAIL:]
        known = [ledger[each.piece_id] for each in whole if each.piece_id in ledger]
        stream.format = (
            max(known, key=lambda row: row["ingest_id"])["format_code"] if known else format_of(head)
        )
        stream.bytes, stream.sha256, stream.marks = digest.bytes, digest.hexdigest(), digest.marks
        if whole[0].is_document:
            stream.head, stream.head_bytes, stream.marks = stream.sha256, stream.bytes, {}
        else:
            line = head.split(b"\n", 1)[0]
            stream.head, stream.head_bytes = hashlib.sha256(line).hexdigest(), len(line)
            for piece in stream.pieces:
                landed_at = dt.datetime.fromisoformat(piece.landed_at)
                piece.newest_at = newest_line(stream.format, tail, landed_at).isoformat()
        streams.append(stream)
    return streams


def pieces_in(fs: Any, folder: str) -> list[Landed]:
    """The pieces in a source's folder of landing."""
    fs.invalidate_cache()
    return [
        Landed(path.rsplit("/", 1)[-1].removesuffix(ending), path, fs.info(path)["size"], is_document)
        for ending, is_document in ENDINGS.items()
        for path in fs.glob(f"{folder}/*{ending}")
    ]


def contiguous(pieces: list[Landed]) -> list[Landed]:
    """The first of these pieces of a stream, in order, up to where one is missing."""
    end, whole = 0, []
    for each in pieces:
        if each.place[1] != end:
            break
        whole.append(each)
        end += each.bytes
    return whole


def as_piece(each: Landed, ledger: dict[str, dict[str, Any]], now: dt.datetime) -> Piece:
    row = ledger.get(each.piece_id, {})
    landed_at = (row.get("landed_at") or now).isoformat()
    name = row.get("file_name") or each.piece_id
    damage = row.get("damage_text")
    return Piece(each.piece_id, each.path, each.place[1], each.bytes, landed_at, landed_at, name, damage)
