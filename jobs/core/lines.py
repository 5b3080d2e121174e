"""Bytes of a log cut into lines, without Spark: what kernels are given, whoever reads the file."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

# A longer line is no log line; it is quarantined without being looked at.
LONGEST_LINE = 1 << 20
BYTE_ORDER_MARK = "\ufeff"


def frame_of(block: bytes, offset: int) -> pl.DataFrame:
    """One row per line of the block: `offset` in the stream, `line` without its end, `line_bytes`.

    Lines that are not UTF-8 are read as Latin-1, so that nothing is lost. The mark that programs of Windows
    put before a file's first line belongs to none.
    """
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(data == 10) + 1
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
            "line", [decoded(block[s:e]) for s, e in zip(starts, ends, strict=True)], dtype=pl.String
        )
    lines = lines.str.strip_chars_end("\r\n")
    if offset == 0 and block.startswith(BYTE_ORDER_MARK.encode()):
        lines = lines.str.strip_prefix(BYTE_ORDER_MARK)
    return pl.DataFrame({"offset": starts + offset, "line": lines, "line_bytes": ends - starts})


def decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")
