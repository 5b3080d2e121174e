"""Zones of the world by the offsets that were seen in them, and how offsets are written."""

import datetime as dt
import importlib.resources
import os
import zoneinfo
from collections.abc import Iterable, Sequence

AREAS = {
    "Africa",
    "America",
    "Antarctica",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
}
# The offsets of zones are whole quarters of an hour, and lie within this.
QUARTER, FARTHEST = 900, 14 * 3600
# The zones of most people.
KNOWN_PLACES = (
    "Europe/Paris",
    "Europe/London",
    "Europe/Athens",
    "Africa/Lagos",
    "Africa/Nairobi",
    "Africa/Johannesburg",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Fiji",
    "Pacific/Auckland",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)


def format_offset(offset: int) -> str:
    """UTC+05:45"""
    hours, rest = divmod(abs(offset), 3600)
    return f"UTC{'-' if offset < 0 else '+'}{hours:02d}:{rest // 60:02d}"


def zones_with(seen: Sequence[tuple[int, dt.datetime]]) -> list[str]:
    """Zones of the world, by place, that had all of these offsets at these times."""
    fitting = []
    for name in sorted(zoneinfo.available_timezones()):
        area = name.split("/", 1)[0]
        if area not in AREAS:
            continue
        zone = zoneinfo.ZoneInfo(name)
        if all(at.astimezone(zone).utcoffset() == dt.timedelta(seconds=offset) for offset, at in seen):
            fitting.append(name)
    return fitting


def best_zone(fitting: Sequence[str], offsets: Sequence[int], likely: Iterable[str | None]) -> str | None:
    """Choose the zone to propose among those that had these offsets: UTC, a likely one, such as this
    machine's, the offset alone where it is of whole hours, else the first one."""
    if set(offsets) == {0}:
        return "UTC"
    for name in likely:
        if name in fitting:
            return name
    if len(set(offsets)) == 1 and offsets[0] % 3600 == 0:
        # Etc names count westwards. It holds for this log; only the operator knows the place.
        return f"Etc/GMT{-offsets[0] // 3600:+d}"
    return fitting[0] if fitting else None


def this_machines_zone() -> str | None:
    """The zone by TZ or /etc/localtime, by its place; None where neither names one."""
    name = os.environ.get("TZ", "").lstrip(":")
    if not name:
        name = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    return name if name in zoneinfo.available_timezones() else None


def example_zones(fitting: Sequence[str]) -> str:
    """One or two zones, those that are known best."""
    known = [name for name in KNOWN_PLACES if name in fitting]
    return " or ".join((known or list(fitting))[:2])


def zones_by_country() -> list[tuple[str, str]]:
    """The zones of the world and their countries (ISO 3166-1 alpha-2), by the table that comes with zones."""
    file = importlib.resources.files("tzdata").joinpath("zoneinfo/zone.tab")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(row[2], row[0]) for row in rows if len(row) > 2]
