"""The zone that a log's stamps were written in, and how that is known.

In this order: stamps that state their offset; ids that contain a UTC time (Postfix's long queue ids, Exim's
message ids), beside the stamps of their own lines; the file's own time, if its last line was written just
then. Otherwise the log does not record it, and only the operator knows.
"""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, replace

import polars as pl

from jobs.base.core.time_zones import (
    FARTHEST,
    QUARTER,
    best_zone,
    format_offset,
    this_machines_zone,
    zones_with,
)
from jobs.operators.formats import Source
from jobs.operators.formats.format import LineFormat
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.sniff.tally import line_times

# No zone of the world is like this one: what it moves was written without an offset.
ODD_ZONE = "Asia/Kathmandu"
# A line that follows its id's time by less than this is the first of its message.
LAG_S = 60
# Lines that are looked at for ids, at each end of a file.
LOOKED_AT = 2000
# The last line is written when the file is; a coincidence at a quarter hour is rare within this.
FILE_LAG_S = 5


@dataclass(frozen=True)
class Zone:
    """The time zone of a log, with what shows it.

    Attributes:
        name: for time_zone, None where nothing shows it.
        evidence: how it is known, for a person.
        is_explicit: stamps say their offset, so that time_zone does not matter.
        offsets: seconds east of UTC that were seen.
        fitting: zones of the world that have them.
    """

    name: str | None
    evidence: str
    by: str
    is_explicit: bool = False
    offsets: tuple[int, ...] = ()
    fitting: tuple[str, ...] = ()


def zone_of(samples: list[bytes], kernel: LineFormat, source: Source, written_at: dt.datetime | None) -> Zone:
    """The zone by the beginning and the end of a file.

    Args:
        written_at: when the file was last written.
    """
    local, explicit, seen = [], 0, 0
    for sample in samples:
        stamped, moved = _parse_stamps(sample, kernel, source)
        explicit += stamped.height - int(moved.sum())
        seen += stamped.height
        local.append(stamped.filter(moved))
    if seen and explicit == seen:
        return Zone("UTC", "each line says its own", "offset", is_explicit=True)
    if not any(frame.height for frame in local):
        return Zone(None, "not said, and no line has a time", "none")
    if kernel.newest_from_ids or kernel.offset_from_ids:
        found = [offset_by_ids(frame, kernel) for frame in local]
        known = [each for each in found if each]
        if known:
            return _zone_of_ids(known)
    if written_at is not None and (offset := _zone_of_file_time(local[-1], written_at)) is not None:
        name = "UTC" if offset == 0 else None
        evidence = f"perhaps {format_offset(offset)}: the file was last written when its last line then was"
        return Zone(name, evidence, "file time", offsets=(offset,))
    return Zone(None, "not said: set time_zone", "none")


def _parse_stamps(sample: bytes, kernel: LineFormat, source: Source) -> tuple[pl.DataFrame, pl.Series]:
    """Lines with a time, as if in UTC, and which of them another zone moves."""
    lines = frame_lines(sample, 0).select("offset", "line")
    if lines.height > 2 * LOOKED_AT:
        lines = lines.head(LOOKED_AT).vstack(lines.tail(LOOKED_AT))
    one, other = (
        kernel.parse(lines.lazy(), replace(source, time_zone=zone)).collect() for zone in ("UTC", ODD_ZONE)
    )
    times, moved = line_times(one), line_times(other)
    if times is None or moved is None:
        return lines.head(0).with_columns(pl.lit(None).alias("at")), pl.Series([], dtype=pl.Boolean)
    frame = pl.DataFrame(
        {"line": lines["line"], "at": times[0], "moved": times[0] != moved[0], "code": one["line_code"]}
    )
    frame = frame.filter(pl.col("at").is_not_null() & (pl.col("code") != "quarantined"))
    return frame.select("line", "at"), frame["moved"].fill_null(True)


def offset_by_ids(lines: pl.DataFrame, kernel: LineFormat) -> tuple[int, int, dt.datetime] | None:
    """Seconds east of UTC, how many ids show it, and when; None where too few agree.

    A kernel returns the newest time of the ids in a text, or itself the offset of the stamps beside them.
    """
    found: Counter[int] = Counter()
    when: dict[int, dt.datetime] = {}
    for text, at in lines.select("line", "at").iter_rows():
        data = text.encode("utf-8", "replace")
        if kernel.offset_from_ids is not None:
            shown = kernel.offset_from_ids(data)
            if shown is None:
                continue
            offset = int(shown.total_seconds())
        else:
            by_id = kernel.newest_from_ids(data) if kernel.newest_from_ids else None
            if by_id is None:
                continue
            apart = (at - by_id).total_seconds()
            offset = int((apart + 5) // QUARTER * QUARTER)
            if apart - offset > LAG_S:
                continue
        if abs(offset) <= FARTHEST:
            found[offset] += 1
            when[offset] = at - dt.timedelta(seconds=offset)
    if not found:
        return None
    offset, count = found.most_common(1)[0]
    return (offset, count, when[offset]) if count > sum(found.values()) / 2 else None


def _zone_of_ids(known: list[tuple[int, int, dt.datetime]]) -> Zone:
    offsets = tuple(dict.fromkeys(offset for offset, _, _ in known))
    count = sum(count for _, count, _ in known)
    shown = " and then ".join(format_offset(offset) for offset in offsets)
    ids = f"{count:,} id{'s' if count > 1 else ''} with a UTC time"
    if offsets == (0,):
        return Zone("UTC", f"by {ids}", "ids", offsets=offsets)
    evidence = f"{shown}, by {ids}"
    fitting = tuple(zones_with([(offset, at) for offset, _, at in known]))
    own = this_machines_zone()
    name = best_zone(fitting, offsets, [own])
    if name == own:
        evidence += "; this machine's zone fits"
    return Zone(name, evidence, "ids", offsets=offsets, fitting=fitting)


def _zone_of_file_time(lines: pl.DataFrame, written_at: dt.datetime) -> int | None:
    last = lines["at"].max()
    if not isinstance(last, dt.datetime):
        return None
    apart = (last - written_at).total_seconds()
    offset = round(apart / QUARTER) * QUARTER
    return offset if abs(apart - offset) <= FILE_LAG_S and abs(offset) <= FARTHEST else None
