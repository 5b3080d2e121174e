"""The lines of a log in systemd's export format (`journalctl -o export`), as if it were a compression.

An entry is lines of `NAME=value` up to an empty line. A value that is not printable has its length before it:
`NAME`, a line end, eight bytes, the value, a line end. It may hold anything, line ends and whole entries
included, so that an export can be read from its start alone, as what is compressed is. Of each entry the line
of the log is left that jobs/operators/formats/shared/wrapped.py composes, in the order of entries; other
fields are left out.

https://systemd.io/JOURNAL_EXPORT_FORMATS/
"""

import re
import struct
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from jobs.operators.formats.shared.wrapped import FIELDS, INNER_END, compose_lines

BEGIN = b"__CURSOR="
LENGTH = struct.Struct("<Q")
READ = 4 << 20
# No entry is longer; nor is the length in front of a value.
LONGEST = 64 << 20
_OF_THE_JOURNAL = [name for name in FIELDS if name.isupper()]
_WANTED = rf"^(?:{'|'.join(_OF_THE_JOURNAL)})="


class DamagedExport(OSError):
    """Bytes that are no export."""


class JournalExport:
    """Reads the lines that an export holds.

    Attributes:
        raw: a binary file.
        before: bytes that were read of it.
    """

    def __init__(self, raw: Any, before: bytes = b"") -> None:
        self.raw = raw
        self.rest = before
        self.ready = b""
        self.is_over = False
        self.error: Exception | None = None

    def read(self, size: int) -> bytes:
        """Up to `size` bytes: what there is. A last entry without its end is a line without one."""
        while not self.ready:
            if self.error:
                raise self.error
            if self.is_over:
                break
            self.fill_rest()
            self.take_entries(self.rest)
            if self.is_over and self.rest and not self.error:
                whole, self.ready = self.ready, b""
                self.take_entries(self.rest + b"\n\n")
                self.ready = whole + (self.ready.removesuffix(b"\n") or BEGIN)
        block, self.ready = self.ready[:size], self.ready[size:]
        return block

    def take_entries(self, data: bytes) -> None:
        """Make lines of the whole entries of the data, and leave the rest."""
        entries, end, damage = cut_entries(data)
        self.ready += lines_of(entries)
        self.rest = data[end:]
        if damage or len(self.rest) > LONGEST:
            self.error = DamagedExport(damage or f"an entry of the journal has more than {LONGEST:,} bytes")

    def fill_rest(self) -> None:
        """Read some megabytes, or what comes before an error."""
        read = getattr(self.raw, "read1", self.raw.read)
        blocks, most = [self.rest], len(self.rest) + READ
        try:
            while (left := most - sum(map(len, blocks))) > 0 and not self.is_over:
                blocks.append(read(left))
                self.is_over = not blocks[-1]
        except Exception as error:
            # Of damage or a lost connection, once what came before was read.
            self.error = error
        self.rest = b"".join(blocks)


def cut_entries(data: bytes) -> tuple[bytes, int, str | None]:
    """The whole entries at the beginning of an export, each value in one line; where they end; and what is
    wrong with what follows."""
    signs = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(signs == 10)
    starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    is_blank = starts == ends
    equals = np.append(np.flatnonzero(signs == ord("=")), len(data))
    is_head = ~is_blank & (equals[np.searchsorted(equals, starts)] > ends)
    values: list[tuple[int, int]] = []
    limit, damage = len(data), None
    for start, end in zip(starts[is_head].tolist(), ends[is_head].tolist(), strict=True):
        if values and start <= values[-1][1]:
            # Inside of a value, where any bytes may stand.
            continue
        begin = end + 1 + LENGTH.size
        if begin > len(data):
            limit = start
            break
        stop = begin + LENGTH.unpack_from(data, end + 1)[0]
        if stop - begin > LONGEST or (stop < len(data) and data[stop] != 10):
            damage = "the length of an entry's field is not that of its value"
        if damage or stop >= len(data):
            limit = start
            break
        values.append((begin, stop))
    blanks = starts[is_blank & (starts < limit)]
    if values:
        inside = np.array(values)
        number = np.searchsorted(inside[:, 0] - LENGTH.size, blanks, side="right") - 1
        blanks = blanks[(number < 0) | (blanks > inside[np.maximum(number, 0), 1])]
    if not len(blanks):
        return b"", 0, damage
    size = int(blanks[-1]) + 1
    parts, place = [], 0
    for begin, stop in values:
        if begin >= size:
            break
        parts += [data[place : begin - LENGTH.size - 1], b"=", escape_line_ends(data[begin:stop])]
        place = stop
    return b"".join([*parts, data[place:size]]), size, damage


def escape_line_ends(value: bytes) -> bytes:
    """A value in UTF-8, with the sign of rsyslog for its line ends."""
    try:
        value.decode()
    except UnicodeDecodeError:
        value = value.decode("latin-1").encode()
    return re.sub(INNER_END.encode(), b"#012", value.rstrip(b"\r\n"))


def lines_of(entries: bytes) -> bytes:
    """The line of the log that each entry holds."""
    if not entries:
        return b""
    try:
        entries.decode()
    except UnicodeDecodeError:
        entries = entries.decode("utf-8", "replace").encode()
    ends = np.flatnonzero(np.frombuffer(entries, dtype=np.uint8) == 10)
    bounds = np.concatenate(([0], ends + 1)).astype(np.int64)
    text = pa.LargeStringArray.from_buffers(len(ends), pa.py_buffer(bounds.tobytes()), pa.py_buffer(entries))
    lines = pl.Series("line", text).str.strip_suffix("\n")
    is_blank = np.diff(bounds) == 1
    # Which entry each line is of: without those that have no line.
    _, number = np.unique(np.cumsum(is_blank)[~is_blank], return_inverse=True)
    lines = lines.filter(pl.Series(~is_blank))
    if not len(lines):
        return b""
    count = int(number.max()) + 1
    is_wanted = lines.str.contains(_WANTED)
    lines, number = lines.filter(is_wanted), number[is_wanted.to_numpy()]
    fields = pl.DataFrame({name: field_of(lines, number, name, count) for name in FIELDS})
    text = compose_lines(fields).fill_null(BEGIN.decode()).str.join("\n")
    return f"{text.item()}\n".encode()


def field_of(lines: pl.Series, number: np.ndarray, name: str, count: int) -> pl.Series:
    """A field of each entry; of several values the first.

    Args:
        number: which entry each line is of.
    """
    nothing = pl.Series(name, [None], dtype=pl.String).new_from_index(0, count)
    if name not in _OF_THE_JOURNAL:
        return nothing
    is_field = lines.str.starts_with(f"{name}=")
    values = lines.filter(is_field).str.slice(len(name) + 1)
    entries, first = np.unique(number[is_field.to_numpy()], return_index=True)
    return nothing.scatter(entries, values.gather(first))
