"""Log files in time order, with the stamps and the rotation of real servers.

A stamp is one of
    rfc3164   `Nov 20 05:45:01 `                     no year, no zone, as syslogd writes it
    iso       `2026-11-20T05:45:01.157165+00:00 `    as rsyslog writes it since Debian 12
    plain     `2026-11-20 05:45:01 `                 as Rspamd and Kannel write it, in the local zone
"""

import datetime as dt
import gzip
import os
import shutil
import zoneinfo
from heapq import heappop, heappush
from pathlib import Path
from typing import TextIO

SECOND = 1_000_000
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class LogFile:
    """One log of one server. Lines may be added ahead of time; flush() writes those that are due.

    A new file begins at local midnight. On close() the newest is `name`; the older ones are
    `name.1`, `name.2`, … or, when `is_dated`, `name-20261120`, the day that the file covers.
    With `folder` None the lines are only measured. The clock of its host is ahead by so many seconds.
    """

    def __init__(
        self,
        folder: Path | None,
        name: str,
        stamp: str,
        zone: str,
        *,
        is_dated: bool = False,
        is_gzip: bool = False,
        markers: tuple[str, str] | None = None,
        ahead_s: int = 0,
    ) -> None:
        self.folder = folder
        self.name = name
        self.stamp = stamp
        self.zone = zoneinfo.ZoneInfo(zone)
        self.is_dated = is_dated
        self.is_gzip = is_gzip
        self.markers = markers
        self.ahead = ahead_s * SECOND
        self.bytes_written = 0
        self.line_count = 0
        self._heap: list[tuple[int, int, str]] = []
        self._added = 0
        self._second = -1
        self._prefix = ""
        self._suffix = ""
        self._day: dt.date | None = None
        self._line_day: dt.date | None = None
        self._last = 0
        self._file: TextIO | None = None
        self._parts: list[tuple[dt.date, Path, int]] = []

    def add(self, at: int, body: str) -> None:
        """Add a line at a time in microseconds since the epoch."""
        self._added += 1
        heappush(self._heap, (at + self.ahead, self._added, body))

    def day_time(self, at: int) -> str:
        """A time as `Nov 20 05:45:01` in the log's zone, as daemons write it within a line."""
        local = dt.datetime.fromtimestamp(at // SECOND, self.zone)
        return f"{MONTHS[local.month - 1]} {local.day:2d} {local:%H:%M:%S}"

    def flush(self, until: int | None = None) -> None:
        """Write the lines that are older than `until`, or all."""
        heap = self._heap
        while heap and (until is None or heap[0][0] < until + self.ahead):
            at, _, body = heappop(heap)
            self._write(at, body)

    def _write(self, at: int, body: str) -> None:
        second = at // SECOND
        if second != self._second:
            self._set_stamp(second)
        if self._line_day != self._day:
            self._turn(at)
        if self.stamp == "iso":
            line = f"{self._prefix}{at % SECOND:06d}{self._suffix}{body}\n"
        else:
            line = f"{self._prefix}{body}\n"
        self._last = at
        self.line_count += 1
        self.bytes_written += len(line) if line.isascii() else len(line.encode())
        if self._file is not None:
            self._file.write(line)

    def _set_stamp(self, second: int) -> None:
        local = dt.datetime.fromtimestamp(second, self.zone)
        self._second = second
        self._line_day = local.date()
        if self.stamp == "rfc3164":
            self._prefix = f"{MONTHS[local.month - 1]} {local.day:2d} {local:%H:%M:%S} "
        elif self.stamp == "iso":
            offset = f"{local:%z}"
            self._prefix = f"{local:%Y-%m-%dT%H:%M:%S}."
            self._suffix = f"{offset[:3]}:{offset[3:]} "
        else:
            self._prefix = f"{local:%Y-%m-%d %H:%M:%S} "

    def _turn(self, at: int) -> None:
        day = self._line_day
        assert day is not None
        self._end_part()
        self._set_stamp(at // SECOND)
        self._day = day
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f".{self.name}.{day:%Y%m%d}"
            self._file = open(path, "w", 1 << 20, "utf-8", newline="\n")  # noqa: SIM115  open until its day ends
        if self.markers:
            self._write(at, self.markers[0])

    def _end_part(self) -> None:
        if self._day is None:
            return
        if self.markers:
            self._line_day = self._day
            self._set_stamp(self._last // SECOND)
            self._write(self._last, self.markers[1])
        if self._file is not None:
            self._file.close()
            self._parts.append((self._day, Path(self._file.name), self._last // SECOND))
            self._file = None

    def close(self) -> list[Path]:
        """Write what is left and give the files their names; returns them, oldest first."""
        self.flush()
        self._end_part()
        self._day = None
        named = []
        for place, (day, path, last) in enumerate(self._parts):
            age = len(self._parts) - 1 - place
            suffix = "" if age == 0 else f"-{day:%Y%m%d}" if self.is_dated else f".{age}"
            target = path.with_name(self.name + suffix)
            if self.is_gzip:
                target = target.with_name(target.name + ".gz")
                with (
                    open(path, "rb") as plain,
                    open(target, "wb") as packed,
                    gzip.GzipFile("", "wb", 6, packed, mtime=last) as stream,
                ):
                    shutil.copyfileobj(plain, stream, 1 << 20)
                path.unlink()
            else:
                path.replace(target)
            os.utime(target, (last, last))
            named.append(target)
        return named
