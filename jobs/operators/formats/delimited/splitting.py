"""Lines of a delimited log as columns: one row per line, whatever the lines hold.

Quoting is that of RFC 4180: a field that begins with the quote ends with it, holds delimiters, and quotes
in it are doubled. A line is read by itself, so a line break inside quotes cuts a record into lines that
fit nothing: the first and the last have an odd number of quotes (truncated).
"""

import io
import re

import polars as pl

from jobs.base.core.codes import choose_code

BYTE_ORDER_MARK = "\ufeff"


def split_lines(
    lines: pl.Series, columns: int, wanted: list[int], delimiter: str, quote: str, extra: bool
) -> pl.DataFrame:
    """One row per line, in order: `_reason`, null where the line fits; each wanted column, `column_<number>`.

    Args:
        columns: how many there are. One more is taken where it is empty, since some write a delimiter at the
            end; any number more where `extra` says so.
    """
    if lines.str.starts_with(BYTE_ORDER_MARK).any():
        lines = lines.str.strip_prefix(BYTE_ORDER_MARK)
    checked = pl.DataFrame({"_line": lines}).select(*_line_checks(columns, delimiter, quote, extra))
    fits = checked["_reason"].is_null()
    parts = [
        (mask.arg_true(), _read_columns(lines.filter(mask), columns, wanted, delimiter, sign))
        for mask, sign in ((fits & ~checked["_is_quoted"], ""), (fits & checked["_is_quoted"], quote))
        if mask.any()
    ]
    # hstack refuses frames of unequal height: no line takes another's fields.
    if len(parts) == 1 and len(parts[0][0]) == len(lines):
        return checked.select("_reason").hstack(parts[0][1])
    nothing = pl.DataFrame(schema={"_row": pl.UInt32} | {f"column_{number}": pl.String for number in wanted})
    read = pl.concat([nothing, *(pl.DataFrame({"_row": rows}).hstack(fields) for rows, fields in parts)])
    return (
        checked.select("_reason")
        .with_row_index("_row")
        .join(read, on="_row", how="left", maintain_order="left")
        .drop("_row")
    )


def _line_checks(columns: int, delimiter: str, quote: str, extra: bool) -> tuple[pl.Expr, pl.Expr]:
    """_reason and _is_quoted of each `_line`."""
    line = pl.col("_line")
    bare, wrong = line, pl.lit(None, dtype=pl.String)
    is_quoted = line.str.contains(quote, literal=True) if quote else pl.lit(False)
    if quote:
        quoted = pl.when(is_quoted).then(line)
        sign, end = re.escape(quote), re.escape(delimiter)
        field = f"(?:{sign}(?:[^{sign}]|{sign}{sign})*{sign}|[^{end}{sign}]*)"
        wrong = choose_code(
            truncated=quoted.str.count_matches(quote, literal=True) % 2 == 1,
            bad_field=~quoted.str.contains(f"^{field}(?:{end}{field})*$"),
        )
        bare = pl.when(is_quoted).then(quoted.str.replace_all(f"{sign}[^{sign}]*{sign}", "")).otherwise(line)
    found = bare.str.count_matches(delimiter, literal=True).cast(pl.Int64) + 1
    fits = (found == columns) | ((found == columns + 1) & bare.str.ends_with(delimiter))
    if extra:
        fits |= found > columns
    reason = pl.coalesce(wrong, pl.when(~fits).then(pl.lit("unknown_shape")))
    return reason.alias("_reason"), pl.repeat(False, pl.len()).alias("_is_quoted") | is_quoted


def _read_columns(
    lines: pl.Series, columns: int, wanted: list[int], delimiter: str, quote: str
) -> pl.DataFrame:
    """The wanted columns of lines that all fit; one row per line."""
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
