"""Rows as text that is safe to show: no terminal and no spreadsheet executes what a log contains.

Whoever sends a message decides what logs contain: escape sequences, signs that reverse a line, formulas.
Parquet keeps every value as it is.
"""

import polars as pl

from jobs.base.core.patterns import UNSEEN, escape_unseen

# What makes a field a formula where a CSV file is opened (OWASP, "CSV Injection").
FORMULA = r"^[=+\-@\t\r\n\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"


def to_safe_csv(frame: pl.DataFrame) -> str:
    """CSV. Control characters are shown as in \\x1b, and a text that would be a formula has an apostrophe
    before it."""
    text = pl.col(pl.String)
    is_formula = text.str.contains(FORMULA)
    seen = text.map_batches(
        lambda values: pl.Series([value and escape_unseen(value) for value in values], dtype=pl.String)
    )
    guarded = pl.when(is_formula).then("'" + seen).otherwise(seen)
    written: str = frame.with_columns(guarded.name.keep()).write_csv()
    return written


def to_safe_json(frame: pl.DataFrame) -> str:
    """A JSON object per line. What a terminal would obey is escaped, which JSON reads as the same text."""
    lines = frame.write_ndjson().split("\n")
    return "\n".join(UNSEEN.sub(lambda sign: f"\\u{ord(sign[0]):04x}", line) for line in lines)
