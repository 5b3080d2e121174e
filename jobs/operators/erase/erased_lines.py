"""Lines that are taken out of landing: their bytes are replaced, so that every other line keeps its place.

An erased line has as many bytes as before, all of them FILLER, and its own end. Offsets of lines, sizes of
pieces and the digests by which a log is known again stay: a log that grows goes on as if nothing had
happened. A kernel never sees an erased line; the ledger counts it as ignored. A file of documents is erased
as a whole.
"""

from collections.abc import Collection
from contextlib import nullcontext
from typing import Any

import numpy as np

from jobs.base.core.disk import replace_file, room_for
from jobs.operators.formats.shared.lines import FILLER, frame_lines
from jobs.operators.ingest.packed import is_packed, open_packer
from jobs.operators.ingest.parsing import read_blocks
from jobs.operators.ingest.piece_ranges import Range


def erase_lines(fs: Any, piece: Range, offsets: Collection[int]) -> int:
    """Erase the lines of a piece that these bytes of its stream lie in; how many there were. The piece is
    replaced as a whole or not at all, and one that is not packed stays so."""
    wanted = np.array(sorted(offsets), dtype=np.int64)
    new = f"{piece.path}.new"
    count = 0
    packed = is_packed(piece.path)
    with room_for(fs, new), fs.open(new, "wb") as out, open_packer(out) if packed else nullcontext(out) as to:
        for block, offset in read_blocks(fs, piece):
            data, erased = fill_lines(block, offset, wanted)
            to.write(data)
            count += erased
    fs.mv(new, piece.path)
    return count


def fill_lines(block: bytes, offset: int, wanted: np.ndarray) -> tuple[bytes, int]:
    """A block of lines with those erased that these bytes of the stream lie in; how many they are.

    Args:
        offset: of its first line.
    """
    inside = wanted[(wanted >= offset) & (wanted < offset + len(block))]
    if not len(inside):
        return block, 0
    starts = frame_lines(block, offset)["offset"].to_numpy()
    ends = np.append(starts[1:], offset + len(block))
    data = bytearray(block)
    lines = np.unique(np.searchsorted(starts, inside, side="right") - 1)
    for number in lines:
        first, end = int(starts[number]) - offset, int(ends[number]) - offset
        text = data[first:end].rstrip(b"\r\n")
        data[first : first + len(text)] = FILLER * len(text)
    return bytes(data), len(lines)


def erase_document(fs: Any, path: str) -> None:
    """Erase a file of documents."""
    replace_file(fs, path, FILLER * int(fs.info(path)["size"]))
