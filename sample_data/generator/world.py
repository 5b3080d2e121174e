"""The event loop, the networks of the world and the course of traffic over days and hours."""

import csv
import datetime as dt
import ipaddress
import random
import zoneinfo
from collections.abc import Callable, Iterator
from functools import cache
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, NamedTuple

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# Share of a day's legitimate traffic by local hour; spam hardly sleeps.
WORK_HOURS = (2, 1, 1, 1, 1, 2, 3, 5, 8, 10, 10, 9, 7, 8, 9, 9, 8, 7, 5, 4, 4, 4, 3, 3)
NETWORKS = Path(__file__).parent.parent / "networks.csv"


class Range(NamedTuple):
    """An address range of networks.csv: first and last address as numbers."""

    version: int
    first: int
    last: int
    country_code: str


@cache
def ranges(path: Path = NETWORKS) -> tuple[Range, ...]:
    """The rows of networks.csv."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = [(ipaddress.ip_network(row["prefix"]), row["country_code"]) for row in csv.DictReader(file)]
    return tuple(
        Range(net.version, int(net.network_address), int(net.broadcast_address), country)
        for net, country in rows
    )


@cache
def country_of(address: str) -> str | None:
    """Country of an address by networks.csv, None where it names none."""
    ip = ipaddress.ip_address(address)
    for row in ranges():
        if row.version == ip.version and row.first <= int(ip) <= row.last:
            return row.country_code
    return None


@cache
@cache
def network_of(address: str) -> str:
    """The /24 or /48 that an address is in."""
    length = 24 if "." in address else 48
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))


@cache
def client_ranges(country: str, version: int) -> tuple[Range, ...]:
    """The ranges of a country that clients connect from."""
    return tuple(
        row
        for row in ranges()
        if row.country_code == country and row.version == version and not is_operator_range(row)
    )


def address_in(rng: random.Random, country: str, ipv6_share: float) -> str:
    """A client address in a country; IPv6 with the given chance where the country has some.

    IPv6 hosts are drawn from few networks, as most mail hosts are.
    """
    if rng.random() < ipv6_share and client_ranges(country, 6):
        row = rng.choice(client_ranges(country, 6))
        return ipv6_text(row.first + (rng.randrange(24) << 80) + 0x10 + rng.randrange(40))
    row = rng.choice(client_ranges(country, 4))
    number = rng.randint(row.first, row.last)
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@cache
def ipv6_text(number: int) -> str:
    return str(ipaddress.IPv6Address(number))


def is_operator_range(row: Range) -> bool:
    """192.0.2.0/24 and 2001:db8::/36 belong to the operators themselves."""
    if row.version == 4:
        return row.first >> 8 == int(ipaddress.ip_address("192.0.2.0")) >> 8
    return row.first >> 92 == int(ipaddress.ip_address("2001:db8::")) >> 92


class World:
    """Time, chance and what is still to happen. Actions run in the order of their times."""

    def __init__(self, rng: random.Random, start: int, end: int) -> None:
        self.rng = rng
        self.start = start
        self.end = end
        self._actions: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def later(self, at: int, action: Callable[..., None], *arguments: Any) -> None:
        """Let an action run at a time. What lies beyond the end of the world never runs."""
        if at < self.end:
            self._count += 1
            heappush(self._actions, (at, self._count, action, arguments))

    def run(
        self, arrivals: Iterator[tuple[int, float]], arrive: Callable[[int, float], None], tick: Any
    ) -> None:
        """Run arrivals and actions in order; tick(at) is told how far time has come."""
        actions = self._actions
        for at, intensity in arrivals:
            while actions and actions[0][0] <= at:
                due, _, action, arguments = heappop(actions)
                action(due, *arguments)
            tick(at)
            arrive(at, intensity)
        while actions:
            due, _, action, arguments = heappop(actions)
            action(due, *arguments)
            tick(due)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def span(self, low: float, high: float) -> int:
        """A time span between two numbers of seconds, in microseconds."""
        return int((low + (high - low) * self.rng.random()) * SECOND)


def arrivals(
    rng: random.Random, start: dt.datetime, days: int, count: int, zone: str, spam_share: float, swing: float
) -> Iterator[tuple[int, float]]:
    """Times of `count` arrivals in order, each with the chance that it is spam.

    The level moves from day to day and with the local hour; the spam share moves by up to `swing`
    of itself from day to day and is higher when people sleep. The last two minutes stay quiet, so
    that what is under way ends on the last day.
    """
    tz = zoneinfo.ZoneInfo(zone)
    levels = [
        rng.lognormvariate(0, 0.13) * (0.72 if (start + dt.timedelta(days=day)).weekday() > 4 else 1.0)
        for day in range(days)
    ]
    moods = [1 + swing * rng.uniform(-1, 1) for _ in range(days)]
    hours: list[tuple[int, float, float]] = []
    for hour in range(days * 24):
        at = start + dt.timedelta(hours=hour)
        day = hour // 24
        ham = (1 - spam_share) * levels[day] * WORK_HOURS[at.astimezone(tz).hour] / sum(WORK_HOURS)
        spam = spam_share * levels[day] * moods[day] * rng.uniform(0.8, 1.2) / 24
        hours.append((int(at.timestamp()) * SECOND, ham + spam, spam / (ham + spam)))
    total = sum(weight for _, weight, _ in hours)
    done = 0.0
    placed = 0
    for place, (first, weight, share) in enumerate(hours):
        done += weight
        wanted = round(count * done / total) - placed
        placed += wanted
        width = HOUR - (2 * MINUTE if place == len(hours) - 1 else 0)
        for offset in sorted(rng.random() for _ in range(wanted)):
            yield first + int(offset * width), share
