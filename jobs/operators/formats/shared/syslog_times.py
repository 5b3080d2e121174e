"""Times of syslog's stamps, read from columns of bytes: many lines share a second, and few stamps differ."""

import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from jobs.operators.formats import FilesDiffer, Source

# How far a stamp may lie beyond the file's newest known time: zones span 26 hours, clocks drift.
YEAR_SLACK = dt.timedelta(hours=36)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def read_number(head: np.ndarray, at: int, width: int, good: np.ndarray) -> np.ndarray:
    """The decimal number in columns at … at+width; `good` turns false where it is none."""
    total = np.zeros(len(head), dtype=np.int64)
    for column in range(at, at + width):
        digit = head[:, column].astype(np.int64) - 48
        good &= (digit >= 0) & (digit <= 9)
        total = total * 10 + digit
    return total


def days_of(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Days since 1970-01-01 of a civil date; the day is not checked."""
    months = (year - 1970) * 12 + (month - 1)
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1


def month_length(year: np.ndarray, month: np.ndarray) -> np.ndarray:
    one = np.ones_like(year)
    return days_of(year + (month == 12), month % 12 + 1, one) - days_of(year, month, one)


def read_clock(head: np.ndarray, at: int, good: np.ndarray) -> np.ndarray:
    """Seconds since midnight from HH:MM:SS; a leap second counts as the second before it."""
    hour = read_number(head, at, 2, good)
    minute = read_number(head, at + 3, 2, good)
    second = read_number(head, at + 6, 2, good)
    good &= (hour <= 23) & (minute <= 59) & (second <= 60)
    return hour * 3600 + minute * 60 + np.minimum(second, 59)


def read_month(head: np.ndarray, at: int, good: np.ndarray) -> np.ndarray:
    code = (head[:, at].astype(np.int64) << 16) | (head[:, at + 1].astype(np.int64) << 8) | head[:, at + 2]
    month = np.zeros(len(head), dtype=np.int64)
    for number, name in enumerate(MONTHS, start=1):
        month[code == int.from_bytes(name.encode(), "big")] = number
    good &= month > 0
    return np.maximum(month, 1)


def read_day(head: np.ndarray, at: int, good: np.ndarray) -> np.ndarray:
    """Day of the month in two columns, padded with a space or a zero."""
    padded = head[:, at : at + 2].copy()
    padded[padded[:, 0] == 32, 0] = 48
    return read_number(padded, 0, 2, good)


def times_of(micros: np.ndarray, good: np.ndarray, source: Source, *, is_local: bool = True) -> pl.Series:
    """UTC times from microseconds since 1970 of the wall clock; null where not good."""
    values = pl.Series("at", np.where(good, micros, 0), dtype=pl.Int64).cast(pl.Datetime("us"))
    times = values.set(pl.Series(~good), None) if not good.all() else values
    if not is_local or source.time_zone in ("UTC", "Etc/UTC"):
        return times.dt.replace_time_zone("UTC")
    return convert_to_utc(times, source.time_zone)


def convert_to_utc(times: pl.Series, zone: str) -> pl.Series:
    """UTC of a zone's wall clock: of two such times the earlier; one that the clock skipped moves forward."""
    local = times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    utc = local.dt.convert_time_zone("UTC")
    if utc.null_count() == times.null_count():
        return utc
    # A time that the clock skipped keeps the offset that held before, which moves it forward.
    day = pl.duration(days=1)
    frame = pl.DataFrame({"wall": times, "utc": utc})
    before = (pl.col("wall") - day).dt.replace_time_zone(
        zone, ambiguous="earliest", non_existent="null"
    ).dt.convert_time_zone("UTC") + day
    return frame.select(pl.coalesce("utc", before).alias("at")).to_series()


def read_runs(
    head: np.ndarray, start: int, stop: int, read: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """read() on columns start … stop, once per run of equal rows: many lines share a second."""
    part = np.ascontiguousarray(head[:, start:stop])
    rows = part.view(f"V{stop - start}").ravel()
    begins = np.ones(len(rows), dtype=bool)
    begins[1:] = rows[1:] != rows[:-1]
    value, good = read(part[begins])
    run = np.cumsum(begins) - 1
    return value[run], good[run]


def _iso_seconds(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds since 1970 of `YYYY-MM-DD?HH:MM:SS`, and whether that time exists."""
    good = np.ones(len(part), dtype=bool)
    year = read_number(part, 0, 4, good)
    month = read_number(part, 5, 2, good)
    day = read_number(part, 8, 2, good)
    good &= (month >= 1) & (month <= 12) & (year >= 1970) & (year <= 2200)
    month = np.clip(month, 1, 12)
    year = np.clip(year, 1970, 2200)
    good &= (day >= 1) & (day <= month_length(year, month))
    return (days_of(year, month, day) * 86_400 + read_clock(part, 11, good)) * 1_000_000, good


def _zone_shift(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds east of UTC from `+HH:MM`."""
    good = (part[:, 0] == 43) | (part[:, 0] == 45)
    hours = read_number(part, 1, 2, good)
    minutes = read_number(part, 4, 2, good)
    good &= (hours <= 15) & (minutes <= 59)
    return np.where(part[:, 0] == 45, -1, 1) * (hours * 60 + minutes) * 60_000_000, good


def iso_times(stamps: pl.Series, head: np.ndarray, source: Source) -> pl.Series:
    """UTC times from ISO 8601 stamps; the head holds their first bytes."""
    micros, good = read_runs(head, 0, 19, _iso_seconds)
    if (head[:, 19] == 46).all() and (head[:, 32] == 32).all():
        digits = head[:, 20:26] - 48
        good &= (digits <= 9).all(axis=1)
        fraction = digits.astype(np.int32) @ np.array([100_000, 10_000, 1_000, 100, 10, 1], dtype=np.int32)
        shift, is_zone = read_runs(head, 26, 32, _zone_shift)
        return times_of(micros + fraction - shift, good & is_zone, source, is_local=False)

    rest = stamps.str.slice(19).str.extract_groups(r"^(?:[.,](\d{1,9}))?(Z|z|[+-]\d{2}:?\d{2}|[+-]\d{2})?$")
    frame = rest.struct.rename_fields(["fraction", "zone"]).struct.unnest()
    frame = frame.with_columns(
        matched=stamps.str.contains(r"^.{19}(?:[.,]\d{1,9})?(?:[Zz]|[+-]\d{2}(?::?\d{2})?)?$")
    )
    sign = pl.when(pl.col("zone").str.starts_with("-")).then(-1).otherwise(1)
    offset = pl.col("zone").str.strip_chars_start("+-").str.replace(":", "", literal=True).str.pad_end(4, "0")
    frame = frame.with_columns(
        micro=pl.col("fraction").str.pad_end(6, "0").str.head(6).cast(pl.Int64, strict=False).fill_null(0),
        is_local=pl.col("zone").is_null() | (pl.col("zone") == ""),
        shift=pl.when(pl.col("zone").str.to_lowercase() == "z")
        .then(0)
        .otherwise(
            sign
            * (
                offset.str.head(2).cast(pl.Int64, strict=False) * 60
                + offset.str.tail(2).cast(pl.Int64, strict=False)
            )
        )
        .fill_null(0)
        * 60_000_000,
    )
    good &= frame["matched"].fill_null(False).to_numpy()
    micros = micros + frame["micro"].to_numpy() - frame["shift"].to_numpy()
    is_local = frame["is_local"].to_numpy()
    if not is_local.any():
        return times_of(micros, good, source, is_local=False)
    wall = times_of(micros, good & is_local, source)
    exact = times_of(micros, good & ~is_local, source, is_local=False)
    return (
        pl.DataFrame({"wall": wall, "exact": exact})
        .select(pl.coalesce("exact", "wall").alias("at"))
        .to_series()
    )


def years_of(place: np.ndarray, newest_at: dt.datetime, source: Source) -> np.ndarray:
    """The latest year of each place in a year (month, day, second of the day) that is not too late."""
    limit = (newest_at + YEAR_SLACK).astimezone(ZoneInfo(source.time_zone)).replace(tzinfo=None)
    inside = (limit.month * 100 + limit.day) * 100_000 + (
        limit - limit.replace(hour=0, minute=0, second=0)
    ).seconds
    return np.where(place > inside, limit.year - 1, limit.year)


def yearless_micros(head: np.ndarray, good: np.ndarray, source: Source) -> np.ndarray:
    """Wall-clock microseconds of `Mon dd HH:MM:SS`, with the latest year that is not too late. Raises
    FilesDiffer where files of the source differ in it."""
    month = read_month(head, 0, good)
    day = read_day(head, 4, good)
    clock = read_clock(head, 7, good)
    place = (month * 100 + day) * 100_000 + clock
    year = years_of(place, source.newest_at, source)
    earliest = source.newest_from or source.newest_at
    if earliest < source.newest_at and (good & (year != years_of(place, earliest, source))).any():
        raise FilesDiffer
    leap_day = (month == 2) & (day == 29)
    for _ in range(8):
        is_short = leap_day & (month_length(year, month) == 28)
        if not is_short.any():
            break
        year = year - is_short
    good &= (day >= 1) & (day <= month_length(year, month))
    return (days_of(year, month, day) * 86_400 + clock) * 1_000_000
