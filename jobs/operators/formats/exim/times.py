"""Exim's message ids as clocks: six digits of base 62 are the UTC second in which a message came."""

import datetime as dt
import re

import polars as pl

# Old ids are 6-6-2, since 4.97 6-11-4 (specification, 3.4).
ID = r"[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

QUARTER = dt.timedelta(minutes=15)
# A large message over a slow line is logged this long after its id was made; clocks go back a little.
_SLOWEST = dt.timedelta(minutes=12)
# Zones that are taken for one another are half an hour apart at least.
_CONTRADICTION = dt.timedelta(minutes=27)
# Zones span 26 hours: an id that is further away is none of Exim's.
_WIDEST = dt.timedelta(hours=26)

_ARRIVAL = re.compile(
    rb"(?m)^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? (?:\[\d+\] )?(" + ID.encode() + rb") <= "
)


def id_seconds(queue_id: pl.Expr) -> pl.Expr:
    """Seconds since 1970, UTC, that a message id holds."""
    total = pl.lit(0, pl.Int64)
    for place in range(6):
        digit = queue_id.str.slice(place, 1).replace_strict(
            list(_BASE62), list(range(62)), default=None, return_dtype=pl.Int64
        )
        total = total * 62 + digit
    return total


def zone_error(at: pl.Expr, queue_id: pl.Expr) -> pl.Expr:
    """The error of the zone for a line logged when its message came in; zero where the zone was right.

    Offsets of zones are whole quarters of an hour, and a message takes less than one to come in.
    """
    late = at.dt.epoch("us") - id_seconds(queue_id) * 1_000_000
    quarter, slowest, contradiction, widest = (
        int(span.total_seconds()) * 1_000_000 for span in (QUARTER, _SLOWEST, _CONTRADICTION, _WIDEST)
    )
    whole = (late + quarter - slowest) // quarter * quarter
    is_other = ((late < slowest - quarter) | (late >= contradiction)) & (whole.abs() <= widest)
    return pl.when(is_other).then(whole).otherwise(0).cast(pl.Duration("us"))


def offset_from_ids(sample: bytes) -> dt.timedelta | None:
    """The offset east of UTC of the clock that stamped the sample's last arrival; None without arrivals."""
    arrivals = list(_ARRIVAL.finditer(sample))
    if not arrivals:
        return None
    found = arrivals[-1]
    wall = dt.datetime.fromisoformat(found.group(1).decode()).replace(tzinfo=dt.UTC)
    seconds = 0
    for digit in found.group(2)[:6].decode():
        seconds = seconds * 62 + _BASE62.index(digit)
    late = wall - dt.datetime.fromtimestamp(seconds, dt.UTC)
    return (late + QUARTER - _SLOWEST) // QUARTER * QUARTER
