"""The share of a sample that a format recognises, for the sniff() of formats of lines."""

import datetime as dt

import polars as pl

from jobs.operators.formats import Source

# Whose lines may have any time.
ANY_SOURCE = Source("", "", "", dt.datetime(2200, 1, 1, tzinfo=dt.UTC))


def sample_lines(sample: bytes) -> pl.Series:
    """The lines of a sample, empty ones aside."""
    lines = pl.Series("line", sample.decode("utf-8", "replace").splitlines(), dtype=pl.String)
    return lines.filter(lines.str.strip_chars() != "")


def share_of_lines(sample: bytes, pattern: str, *, aside: str | None = None) -> float:
    """Share of a sample's lines that a pattern is found in, those with the pattern `aside` left out; 0 where
    there are none."""
    lines = sample_lines(sample)
    if aside is not None:
        lines = lines.filter(~lines.str.contains(aside))
    return share_of(lines.str.contains(pattern), lines)


def share_of(fits: pl.Series, lines: pl.Series) -> float:
    """Share of lines that fit; 0 where there are no lines."""
    return int(fits.sum()) / max(len(lines), 1)
