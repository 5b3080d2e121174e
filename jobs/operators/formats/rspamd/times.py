"""Stamps of Rspamd's lines: its own, and those that syslog puts before it."""

import polars as pl

from jobs.operators.formats import Source
from jobs.operators.formats.shared.fields import clock_to_utc
from jobs.operators.formats.shared.syslog import LEVEL, LEVEL_IN_BRACKETS

OWN_STAMP = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? #\d+\("
# Behind a host, and what names facility and level (jobs/operators/formats/shared/syslog.py).
_TAG = rf" (?:{LEVEL_IN_BRACKETS} )?\S+ (?:{LEVEL} )?rspamd(?:\[\d+\])?: "
SYSLOG_STAMP = (
    rf"^(?:{LEVEL_IN_BRACKETS} ?)?(?:"
    rf"(?:[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d){_TAG}"
    rf"|(?:\d{{4}}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)){_TAG}"
    r"|1 (?:\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)) \S+ rspamd \S+ \S+ (?:-|\[.*?\]) )"
)
ANY_STAMP = (
    rf"^(?:{LEVEL_IN_BRACKETS} ?(?:1 )?)?"
    r"(?:\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"
)


def own_time(own: pl.Expr, source: Source) -> pl.Expr:
    """UTC time of lines with Rspamd's own stamp."""
    clock = own.str.slice(0, 19).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    # Some builds write three digits of the second's fraction, some five, some six.
    broken = pl.when(own.str.slice(19, 1) == ".").then(own)
    digits = broken.str.extract(r"^.{19}\.(\d{1,6})").str.pad_end(6, "0").cast(pl.Int64, strict=False)
    return clock_to_utc(clock + pl.duration(microseconds=digits.fill_null(0)), source.time_zone)
