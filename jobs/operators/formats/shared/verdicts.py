"""Steps that the kernels of filters share: finding their lines in a mail log and cleaning their fields.

Filters write among the lines of the mail server that calls them. A companion kernel (stands_in_mail_logs)
is given lines of which few are its own: it looks for them by literals first, takes the syslog envelope off
the few that may be its own, and leaves all others ignored.
"""

import re
from functools import partial
from typing import Any

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.core.column_types import ColumnTypes
from jobs.operators.formats import VERDICT, Source
from jobs.operators.formats.format import LineFormat
from jobs.operators.formats.shared.fields import fill_rows, record_columns, select_assembled
from jobs.operators.formats.shared.syslog import split_envelope


def select_lines(
    lines: pl.LazyFrame, literals: list[str], source: Source
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All lines (offset, line), and those that hold one of the literals.

    The latter have `row`, their place among all, `line`, and the columns of split_envelope(), in which
    `reason_code` is null for a good envelope.
    """
    frame = lines.select("offset", pl.col("line").fill_null("")).collect()
    # contains_any() takes three times as long.
    pattern = "|".join(map(re.escape, literals))
    rows = frame["line"].str.contains(pattern).arg_true().cast(pl.Int64).alias("row")
    found = frame["line"].gather(rows)
    envelope = split_envelope(found, source)
    return frame, pl.DataFrame([rows, found]).hstack(envelope.get_columns())


def complete_lines(frame: pl.DataFrame, events: pl.DataFrame, typed: ColumnTypes) -> pl.LazyFrame:
    """The rows of parse(), from the events (row, line_code, reason_code, typed columns); the rest is ignored.

    Typed columns are null for whatever is no record.
    """
    codes = pl.col("line_code", "reason_code").cast(pl.String)
    known = events.lazy().select("row", codes, *record_columns(typed))
    return (
        frame.lazy()
        .select("offset", row=pl.int_range(pl.len(), dtype=pl.Int64))
        .join(known, on="row", how="left", maintain_order="left")
        .select("offset", pl.col("line_code").fill_null("ignored"), "reason_code", *typed)
    )


def reason_of_event(is_cut: str) -> pl.Expr:
    """The reason to quarantine a line: its event has no time, or it only begins as an event (is_cut)."""
    has_event = pl.col("event_code").is_not_null()
    return choose_code(
        bad_timestamp=has_event & pl.col("first_at").is_null(), truncated=~has_event & pl.col(is_cut)
    )


def select_verdicts(rows: pl.LazyFrame, format_code: str, engine_code: str | None = None) -> pl.LazyFrame:
    """Columns of VERDICT from rows that have some of them; what an engine does not record is null.

    Args:
        engine_code: None where the rows have it themselves.
    """
    if engine_code is not None:
        rows = rows.with_columns(engine_code=pl.lit(engine_code))
    return fill_rows(rows, VERDICT, format_code=pl.lit(format_code), verdict_at=pl.col("first_at"))


def verdict_format(
    name: str, *, key: pl.Expr | None = None, engine: str | None = None, **stated: Any
) -> LineFormat:
    """The format of a filter, whose verdict is complete when it is logged; a day of slack for clocks and
    rotation.

    Args:
        key: what bronze rows of one message share, where each record is a row; else `assemble` is stated.
        engine: the engine of its rows, where each is a verdict; else `verdicts` is stated.
        stated: the other fields of LineFormat.
    """
    if key is not None:
        stated["assemble"] = partial(select_assembled, name=name, assembly_key=key)
    if engine is not None:
        stated["verdicts"] = partial(select_verdicts, format_code=name, engine_code=engine)
    return LineFormat(name=name, lookback_days=1, **stated)


def parse_finite(text: pl.Expr) -> pl.Expr:
    """A number; null where the text is none, or nan, or infinite."""
    number = text.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def parse_whole(text: pl.Expr) -> pl.Expr:
    """A whole number; null where the text is none that a column can hold."""
    return text.cast(pl.Int64, strict=False)


def parse_microseconds(text: pl.Expr, unit: int) -> pl.Expr:
    """Whole microseconds of a duration written in units of `unit` microseconds."""
    return (parse_finite(text) * unit).round().cast(pl.Int64, strict=False)


def strip_brackets(text: pl.Expr) -> pl.Expr:
    """The text without one outer pair of angle brackets."""
    # Expressions on null cost next to nothing.
    bracketed = pl.when(text.str.starts_with("<")).then(text)
    return pl.coalesce(bracketed.str.replace(r"^<(.*)>$", "$1"), text)
