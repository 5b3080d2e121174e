"""Erased lines keep their bytes' number and their end; all others stay as they were, in their places."""

from contextlib import nullcontext
from pathlib import Path

import fsspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.erase.erased_lines import erase_document, erase_lines, fill_lines
from jobs.operators.erase.named_places import LandedPiece
from jobs.operators.formats.shared.lines import FILLER, drop_erased, find_erased, frame_lines
from jobs.operators.ingest.manifest import Piece, Stream
from jobs.operators.ingest.packed import ENDINGS, open_landed, open_packer
from tests.support.examples import examples

LINE = st.tuples(
    st.binary(max_size=20).map(lambda text: text.replace(b"\n", b"").replace(b"\r", b"")),
    st.sampled_from([b"\n", b"\r\n"]),
)


@given(lines=st.lists(LINE, min_size=1, max_size=8), data=st.data(), begin=st.integers(0, 1000))
@examples(100)
def test_other_lines_stay_and_erased_ones_are_filled(
    lines: list[tuple[bytes, bytes]], data: st.DataObject, begin: int
) -> None:
    goes = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    block = b"".join(text + end for text, end in lines)
    offsets, place = [], begin
    for (text, end), is_going in zip(lines, goes, strict=True):
        # Any byte of a line names it.
        if is_going:
            offsets.append(place + data.draw(st.integers(0, len(text + end) - 1)))
        place += len(text + end)
    done, count = fill_lines(block, begin, np.array(sorted(offsets), dtype=np.int64))
    wanted = b"".join(
        (FILLER * len(text) if gone else text) + end for (text, end), gone in zip(lines, goes, strict=True)
    )
    assert (done, count) == (wanted, sum(goes))


def landed(path: Path, size: int) -> LandedPiece:
    piece = Piece("s-0", str(path), 0, size, "", "", "mail.log")
    return LandedPiece("op/mx/s-0", "mx", Stream("s", "postfix", size, "", "", 0, [piece]), piece)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_piece_is_erased_in_place(tmp_path: Path, ending: str) -> None:
    text = b"".join(b"line %d of many\n" % number for number in range(200_000))
    path, fs = tmp_path / f"s-0{ending}", fsspec.filesystem("file")
    with path.open("wb") as out, nullcontext(out) if ENDINGS[ending] else open_packer(out) as to:
        to.write(text)
    offset = text.index(b"line 150000 ")
    assert erase_lines(fs, landed(path, len(text)).whole, {0, offset + 3}) == 2
    with open_landed(fs, str(path)) as file:
        found = file.read()
    assert len(found) == len(text) and b"line 150000 " not in found and b"line 149999 " in found
    assert find_erased(frame_lines(found, 0))["offset"].to_list() == [0, offset]
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name]


def test_a_document_is_erased_as_a_whole_or_by_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "s-0.document"
    path.write_bytes(b"day,sender\n2026-11-24,a\n" + FILLER * 12 + b"\n2026-11-24,b\n")
    assert drop_erased(path.read_bytes()) == (b"day,sender\n2026-11-24,a\n2026-11-24,b\n", 1)
    size = path.stat().st_size
    erase_document(fsspec.filesystem("file"), str(path))
    assert path.read_bytes() == FILLER * size


def test_a_line_that_only_begins_so_is_a_line() -> None:
    lines = frame_lines(FILLER * 3 + b"x\n" + FILLER * 4 + b"\n\n", 0)
    assert find_erased(lines).select(pl.col("offset")).to_series().to_list() == [5]
