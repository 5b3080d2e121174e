"""Lines end in LF, CR LF or a lone CR, wherever a file is cut."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats.shared import lines
from jobs.operators.ingest.chunks import Chunks
from jobs.operators.sniff import sampled_blocks
from jobs.operators.sniff.files import LogFile
from tests.support.examples import examples

texts = st.lists(
    st.tuples(st.text("ab \u00e9", max_size=4), st.sampled_from(["\n", "\r\n", "\r"])), max_size=12
).map(lambda parts: "".join(text + end for text, end in parts).encode() or b"\n")


def expected(data: bytes) -> list[bytes]:
    """The lines with their ends, by the rule of one sign and the next."""
    return [line for line in re.split(rb"(?<=\n)|(?<=\r)(?=[^\r\n])", data) if line]


def whole(data: bytes) -> list[tuple[int, str]]:
    frame = lines.frame_lines(data, 0)
    assert frame["line_bytes"].sum() == len(data)
    return list(zip(frame["offset"], frame["line"], strict=True))


@examples(300)
@given(data=texts)
def test_a_frame_has_every_line_and_every_byte(data: bytes) -> None:
    ends = expected(data)
    starts = [sum(map(len, ends[:place])) for place in range(len(ends))]
    assert whole(data) == [(at, line.decode().rstrip("\r\n")) for at, line in zip(starts, ends, strict=True)]
    assert lines.first_line(data) == re.split(rb"\n|\r(?=[^\r\n])", data)[0]


@examples(300)
@given(data=texts, size=st.integers(1, 9), is_closed=st.booleans())
def test_what_is_landed_at_once_ends_in_a_line(data: bytes, size: int, is_closed: bool) -> None:
    """Nothing is lost however the file comes in, and no line of the whole is cut in two."""
    chunks = Chunks(io.BytesIO(data))
    read, chunks.read_bytes = chunks.read_bytes, lambda _: read(size)  # type: ignore[method-assign]
    landed = list(chunks.read_whole_lines(is_closed))
    assert len(b"".join(landed)) + chunks.waiting == len(data)
    assert b"".join(landed) == data[: len(data) - chunks.waiting]
    found = [line for block in landed for line in expected(block)]
    assert found == expected(data)[: len(found)]
    if is_closed:
        assert chunks.waiting == 0


@pytest.mark.long
@examples(300)
@given(data=texts, cuts=st.lists(st.integers(0, 60)))
def test_blocks_of_sniff_own_each_line_once(data: bytes, cuts: list[int]) -> None:
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    found: list[tuple[int, str]] = []
    for start, end in zip(bounds, bounds[1:], strict=False):
        block, offset = sampled_blocks.owned_lines(
            io.BytesIO(data), start, end, len(data), lines.LONGEST_LINE
        )
        if block:
            frame = lines.frame_lines(block, offset)
            found += zip(frame["offset"], frame["line"], strict=True)
    assert found == whole(data)


@examples(100)
@given(
    texts=st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_the_last_line_end_is_found_from_behind(texts: list[str], end: str) -> None:
    data = "".join(text + end for text in texts).encode() + b"open"
    assert sampled_blocks._last_line_end(io.BytesIO(data), len(data)) == len(data) - 4
    assert lines.last_line_start(data) == len(data) - 4
    assert lines.line_count(data) == len(texts)
    assert LogFile("-", content=data).is_closed
