"""Ranges of bytes of landed pieces, which tasks read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from jobs.operators.formats import Source


@dataclass(frozen=True)
class Range:
    """The bytes [start, end) of a landed piece. It owns the lines that start in it.

    Attributes:
        closed: the first UTC day that is still open; records before it are late.
        limit_bytes: of a file of documents; a larger one is quarantined without being read.
        before: paths and sizes of the pieces before this one in its stream, the nearest first.
    """

    path: str
    start: int
    end: int
    piece_id: str
    stream_offset: int
    source: Source
    closed: dt.date | None = None
    file_name: str = ""
    limit_bytes: int = 0
    before: tuple[tuple[str, int], ...] = ()
    format: str = ""

    def cut_range(self, start: int, end: int) -> Range:
        """The part of the range that these bytes are."""
        return replace(self, start=start, end=end)

    @property
    def whose(self) -> tuple[str, str, str]:
        """The format and source of the range: ranges of which these are the same differ in their file
        alone."""
        return self.format, self.source.operator_id, self.source.source_id

    @property
    def stream(self) -> dict[str, str]:
        """The values of the columns that name a row's stream."""
        source = self.source
        return {
            "operator_id": source.operator_id,
            "source_id": source.source_id,
            "stream_id": source.stream_id,
        }
