"""Lines of a delimited log as columns: one row per line, whatever the lines hold.

Quoting is that of RFC 4180: a field that begins with the quote ends with it, holds delimiters, and quotes
in it are doubled. A line is read by itself, so a line break inside quotes cuts a record into lines that
fit nothing: the first and the last have an odd number of quotes (truncated).
"""

from __future__ import annotations

import io
import re

import polars as pl

BYTE_ORDER_MARK = "\ufeff"


def split(
    lines: pl.Series, columns: int, wanted: list[int], delimiter: str, quote: str, extra: bool
) -> pl.DataFrame:
    """One row per line, in order: `_reason`, null where the line fits; each wanted column, `column_<number>`.

    columns: how many there are. One more is taken where it is empty, since some write a delimiter at the
    end; any number more where `extra` says so.
    """
    lines = lines.str.strip_prefix(BYTE_ORDER_MARK)
    frame = pl.DataFrame({"_line": lines}).with_row_index("_row")
    bare, reason = pl.col("_line"), pl.lit(None, dtype=pl.String)
    is_quoted = pl.lit(False)
    if quote:
        is_quoted = pl.col("_line").str.contains(quote, literal=True)
        sign, end = re.escape(quote), re.escape(delimiter)
        field = f"(?:{sign}(?:[^{sign}]|{sign}{sign})*{sign}|[^{end}{sign}]*)"
        is_open = pl.col("_line").str.count_matches(quote, literal=True) % 2 == 1
        reason = (
            pl.when(is_quoted & is_open)
            .then(pl.lit("truncated"))
            .when(is_quoted & ~pl.col("_line").str.contains(f"^{field}(?:{end}{field})*$"))
            .then(pl.lit("bad_field"))
        )
        bare = pl.when(is_quoted).then(bare.str.replace_all(f"{sign}[^{sign}]*{sign}", "")).otherwise(bare)
    found = bare.str.count_matches(delimiter, literal=True).cast(pl.Int64) + 1
    fits = (found == columns) | ((found == columns + 1) & bare.str.ends_with(delimiter))
    if extra:
        fits |= found > columns
    frame = frame.with_columns(_is_quoted=is_quoted, _reason=reason, _fits=fits).with_columns(
        _reason=pl.coalesce("_reason", pl.when(~pl.col("_fits")).then(pl.lit("unknown_shape")))
    )
    whole = frame.filter(pl.col("_reason").is_null())
    unquoted, quoted = whole.filter(~pl.col("_is_quoted")), whole.filter("_is_quoted")
    # hstack refuses frames of unequal height: no line takes another's fields.
    parts = [
        part.select("_row").hstack(_read(part["_line"], columns, wanted, delimiter, sign))
        for part, sign in ((unquoted, ""), (quoted, quote))
    ]
    return (
        frame.select("_row", "_reason")
        .join(pl.concat(parts), on="_row", how="left", maintain_order="left")
        .drop("_row")
    )


def _read(lines: pl.Series, columns: int, wanted: list[int], delimiter: str, quote: str) -> pl.DataFrame:
    """The wanted columns of lines that all fit; one row per line."""
    if lines.is_empty():
        return pl.DataFrame(schema={f"column_{number}": pl.String for number in wanted})
    # The reader takes the number of columns from the first line.
    first = delimiter * (columns - 1) + "\n"
    frame = pl.read_csv(
        io.BytesIO((first + lines.str.join("\n")[0]).encode()),
        has_header=False,
        separator=delimiter,
        quote_char=quote or None,
        infer_schema=False,
        columns=wanted,
        truncate_ragged_lines=True,
    )
    return frame.slice(1).rename(
        dict(zip(frame.columns, (f"column_{number}" for number in wanted), strict=True))
    )
