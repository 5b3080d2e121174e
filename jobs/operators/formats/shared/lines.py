"""Cut the bytes of a log into lines, in the frame that kernels take.

A line ends in LF, in CR LF, or in a CR that neither CR nor LF follows, as on the classic Mac. A byte and the
next one show whether the byte ends a line, so that a file may be cut anywhere.
"""

import io
import re
from typing import IO

import numpy as np
import polars as pl
import pyarrow as pa

from jobs.operators.formats.shared.wrapped import unwrap_lines

# A longer line is no log line; it is quarantined without being looked at.
LONGEST_LINE = 1 << 20
BYTE_ORDER_MARK = "\ufeff"
LINE_END = re.compile(rb"\n|\r(?=[^\r\n])")
# What an erased line is filled with (jobs/operators/erase/erased_lines.py): ASCII's own sign for what was
# here and is no more, SUB.
FILLER = b"\x1a"
ERASED_LINE = re.compile(rb"(?m)^\x1a+(?:\r?\n|\r|\Z)")
# A line without an end is looked at in pieces of so many bytes.
PIECE = 1 << 20


def first_line(data: bytes) -> bytes:
    """The first line, without its LF or lone CR."""
    end = LINE_END.search(data)
    return data[: end.start()] if end else data


def last_line_start(data: bytes | bytearray, begin: int = 0) -> int:
    """The place behind the last line end at or after `begin`, where the last line begins; 0 without one."""
    found = data.rfind(b"\n", begin) + 1
    low, high = max(found, begin), len(data)
    while high > low and data[high - 1] == 13:
        high -= 1
    return max(found, data.rfind(b"\r", low, high) + 1)


def line_count(data: bytes) -> int:
    """The number of line ends."""
    return data.count(b"\n") + (len(re.findall(rb"\r(?=[^\r\n])", data)) if b"\r" in data else 0)


def rest_of_line(file: IO[bytes], before: bytes = b"", most: int | None = None) -> bytes:
    """Read a file to its next line end and leave it just behind that.

    Args:
        before: bytes that were read before, the last of which may be a CR that ends the line.
        most: the most bytes to read.
    """
    line = bytearray(before)
    size = len(before)
    while part := file.readline(PIECE if most is None else min(PIECE, most + size - len(line))):
        begin = max(len(line) - 1, 0)
        line += part
        if end := LINE_END.search(line, begin):
            file.seek(end.end() - len(line), io.SEEK_CUR)
            return bytes(line[size : end.end()])
    return bytes(line[size:])


def frame_lines(block: bytes, offset: int, is_raw: bool = False) -> pl.DataFrame:
    """One row per line of the block: `offset` in the stream, `line` without its end, `line_bytes`.

    Lines that are not UTF-8 are read as Latin-1, so that nothing is lost. A byte order mark before a file's
    first line is left out. What wraps a line (jobs/operators/formats/shared/wrapped.py) counts in
    `line_bytes` alone, unless the lines are wanted as they are (is_raw).
    """
    data = np.frombuffer(block, dtype=np.uint8)
    is_end = data == 10
    if b"\r" in block:
        is_cr = data == 13
        is_end[:-1] |= is_cr[:-1] & ~is_cr[1:] & ~is_end[1:]
    ends = np.flatnonzero(is_end) + 1
    if len(block) and (len(ends) == 0 or ends[-1] != len(block)):
        ends = np.append(ends, len(block))
    starts = np.concatenate(([0], ends[:-1])).astype(np.int64)
    try:
        block.decode("utf-8")
        bounds = np.concatenate(([0], ends)).astype(np.int64)
        text = pa.LargeStringArray.from_buffers(
            len(ends), pa.py_buffer(bounds.tobytes()), pa.py_buffer(block)
        )
        lines = pl.Series("line", text)
    except UnicodeDecodeError:
        lines = pl.Series(
            "line", [decode_line(block[s:e]) for s, e in zip(starts, ends, strict=True)], dtype=pl.String
        )
    lines = lines.str.strip_chars_end("\r\n")
    if offset == 0 and block.startswith(BYTE_ORDER_MARK.encode()):
        lines = pl.concat([lines.head(1).str.strip_prefix(BYTE_ORDER_MARK), lines.slice(1)])
    if len(starts) and not is_raw and may_be_wrapped(data, starts):
        lines = unwrap_lines(lines, LONGEST_LINE)
    return pl.DataFrame({"offset": starts + offset, "line": lines, "line_bytes": ends - starts})


def may_be_wrapped(data: np.ndarray, starts: np.ndarray) -> bool:
    """Return whether a line begins as an object does, or with the stamp that a container's runtime writes."""
    tenth = data[np.minimum(starts + 10, len(data) - 1)]
    return bool((data[starts] == ord("{")).any() or (tenth == ord("T")).any())


def decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def find_erased(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines that were erased, of those of a block."""
    sign = FILLER.decode()
    # Of most blocks none; to look at the first sign of each costs next to nothing.
    begun = lines.filter(pl.col("line").str.starts_with(sign))
    return begun.filter(pl.col("line").str.strip_chars(sign) == "")


def is_erased_file(data: bytes) -> bool:
    return data.startswith(FILLER) and not data.strip(FILLER)


def drop_erased(data: bytes) -> tuple[bytes, int]:
    """A file of lines without those that were erased, and how many these were."""
    return ERASED_LINE.subn(b"", data) if FILLER in data else (data, 0)
