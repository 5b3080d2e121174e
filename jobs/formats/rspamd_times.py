"""Stamps of Rspamd's lines: its own, and those that syslog puts before it."""

from __future__ import annotations

import polars as pl

from jobs.formats import TIMESTAMP, Source
from jobs.formats.fields import utc
from jobs.formats.syslog import LEVEL, LEVEL_IN_BRACKETS
from jobs.formats.syslog_times import YEAR_SLACK

OWN_STAMP = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? #\d+\("
# Behind a host, and what names facility and level (jobs/formats/syslog.py).
_TAG = rf" (?:{LEVEL_IN_BRACKETS} )?\S+ (?:{LEVEL} )?rspamd(?:\[\d+\])?: "
SYSLOG_STAMP = (
    rf"^(?:{LEVEL_IN_BRACKETS} ?)?(?:"
    rf"(?P<month_stamp>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d){_TAG}"
    rf"|(?P<iso_stamp>\d{{4}}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)){_TAG}"
    r"|1 (?P<new_stamp>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)) \S+ rspamd \S+ \S+ (?:-|\[.*?\]) )"
)
ANY_STAMP = (
    rf"^(?:{LEVEL_IN_BRACKETS} ?(?:1 )?)?"
    r"(?:\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"
)


def time_of(source: Source) -> pl.Expr:
    """UTC time of a task line, by whichever stamp it has; null where the stamp is no time."""
    task = pl.col("_task")
    by_syslog = pl.when(pl.col("_syslog")).then(task).str.extract_groups(SYSLOG_STAMP).struct
    iso = pl.coalesce(by_syslog.field("iso_stamp"), by_syslog.field("new_stamp")).str.replace("Z$", "+00:00")
    return pl.coalesce(
        own_time(pl.when(pl.col("_own")).then(task), source),
        iso.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC", strict=False),
        *_yearless(by_syslog.field("month_stamp"), source),
    )


def own_time(own: pl.Expr, source: Source) -> pl.Expr:
    """UTC time of lines with Rspamd's own stamp."""
    clock = own.str.slice(0, 19).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    # Some builds write three digits of the second's fraction, some five, some six.
    broken = pl.when(own.str.slice(19, 1) == ".").then(own)
    digits = broken.str.extract(r"^.{19}\.(\d{1,6})").str.pad_end(6, "0").cast(pl.Int64, strict=False)
    return utc(clock + pl.duration(microseconds=digits.fill_null(0)), source.time_zone)


def _yearless(stamp: pl.Expr, source: Source) -> list[pl.Expr]:
    """The stamp in the latest year that keeps it before source.newest_at; five years, for 29 February."""
    latest = pl.lit(source.newest_at + YEAR_SLACK).cast(TIMESTAMP)
    found: list[pl.Expr] = []
    for year in range(source.newest_at.year + 1, source.newest_at.year - 4, -1):
        text = pl.lit(f"{year} ") + stamp.str.replace(" {2}", " 0")
        at = utc(text.str.to_datetime("%Y %b %d %H:%M:%S", time_unit="us", strict=False), source.time_zone)
        found.append(pl.when(at <= latest).then(at))
    return found
