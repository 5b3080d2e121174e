"""One operator's day as text for a mail: 40 lines of 80 columns at most.

Counts are those of gold: recipients, attempts and calls, of which no two are of one event. Spam and sources
are of what was received, by the operators' own definition. What is usual is the median of the same weekday in
up to eight weeks before.
"""

import datetime as dt
import itertools
import statistics
import textwrap
from collections.abc import Callable, Sequence

import polars as pl

from jobs.base.core import numbers
from jobs.base.core.patterns import escape_unseen
from jobs.base.figures import words
from jobs.base.figures.counting_rules import OPERATOR, RECEIVED
from jobs.operators.formats import PRECEDENCE
from jobs.operators.state.jumps import LEAST_WEEKS, NAMES, REFUSED_TABLE, WEEKS, Jump

LINES, WIDTH = 40, 80
HALF = WIDTH // 2 - 1
MOST_NAMED = 5
VOLUME = "gold.spam_volume_daily"
DIRECTIONS = ("inbound", "internal", "outbound", "transit")
COUNTED = pl.col("unit_code").is_in(["recipient", "attempt", "call"])
OWN = pl.col("definition_code") == OPERATOR
TAKEN = pl.col("direction_code").is_in(list(RECEIVED))
SPAM_LISTS = (
    ("Spam by type", "gold.spam_type_daily", "spam_type_code"),
    ("Spam by source network", "gold.spam_source_daily", "source_network"),
    ("Spam by sender domain", "gold.spam_sender_domain_daily", "sender_domain"),
)
CODES = {"_U": "unknown", "_O": "others of few units"}
# The rows of a table of gold on some days of the operator.
Read = Callable[[str, Sequence[dt.date]], pl.DataFrame]


def write_day(read: Read, name: str, day: dt.date, jumps: Sequence[Jump]) -> list[str]:
    """The lines.

    Args:
        read: the operator's rows.
        jumps: of its last week.
    """
    weeks = [day - dt.timedelta(weeks=week) for week in range(1, WEEKS + 1)]
    volume = read(VOLUME, [day, *weeks]).filter(OWN, COUNTED)
    today = volume.filter(pl.col("period_date") == day)
    sizes = today.group_by("channel_code").agg(pl.col("units").sum()).sort(-pl.col("units"), "channel_code")
    channels = [str(code) for code in sizes["channel_code"]]
    hours = read("gold.traffic_hourly_daily", [day])
    lists = day_lists(read, day)
    texts = [each.text for each in jumps if each.day == day]
    # The longest text that fits: fewer names first, then fewer channels.
    for shown, named in itertools.product(range(len(channels), 0, -1), range(MOST_NAMED, 0, -1)):
        text = f"{escape_unseen(name)}, {day:%A} {day} (UTC)"
        lines = [
            *[fit(text, WIDTH), "=" * min(len(text), WIDTH)],
            *(line for code in channels[:shown] for line in channel_lines(volume, hours, code, day)),
            *side_by_side(lists, named),
            *ending(texts[:named], len(texts) - named, channels[shown:]),
        ]
        if len(lines) <= LINES:
            return lines
    return lines[:LINES]


def channel_lines(volume: pl.DataFrame, hours: pl.DataFrame, channel: str, day: dt.date) -> list[str]:
    """A channel's units by direction and outcome, and the spam among those received."""
    rows = volume.filter(pl.col("channel_code") == channel)
    today = rows.filter(pl.col("period_date") == day)
    sums = today.group_by("outcome_code", "direction_code").agg(pl.col("units").sum())
    counts = {(outcome, direction): units for outcome, direction, units in sums.rows()}

    def row(label: str, values: Sequence[int]) -> str:
        return fit(f"{label:<20}" + "".join(f"{value:>15,}" for value in values), WIDTH)

    lines = ["", f"{channel:<20}" + "".join(f"{direction:>15}" for direction in DIRECTIONS)]
    for outcome in PRECEDENCE:
        values = [counts.get((outcome, direction), 0) for direction in DIRECTIONS]
        if any(values):
            lines.append(row(outcome, values))
    of_all = [sum(n for (_, each), n in counts.items() if each == direction) for direction in DIRECTIONS]
    lines.append(row("all", of_all))
    received = (
        rows.filter(TAKEN).group_by("period_date").agg(pl.col("units", "spam_certain", "spam_possible").sum())
    )
    before = received.filter(pl.col("period_date") != day)
    for _, units, certain, possible in received.filter(pl.col("period_date") == day).rows():
        text = f"Received {units:,}, spam {numbers.format_parts(certain, possible, units)}"
        if before.height >= LEAST_WEEKS:
            usual = statistics.median(before["units"])
            share = statistics.median(before["spam_certain"] / before["units"])
            text += f"; usual {numbers.format_count(usual)}, {numbers.format_share(share)}"
        lines.append(fit(text, WIDTH))
    return [*lines, *load_line(hours.filter(pl.col("channel_code") == channel))]


def load_line(hours: pl.DataFrame) -> list[str]:
    """Messages with their bytes, and how fast they were delivered."""
    messages = hours.filter(pl.col("unit_code") == "message")
    count, size = (int(messages[name].sum()) for name in ("units", "bytes"))
    if not count:
        return []
    text = f"{count:,} messages"
    if size:
        text += f", {numbers.format_bytes(size)}".replace(numbers.NARROW, " ")
    timed = int(hours["delay_units"].sum())
    if timed:
        fast, slow = (numbers.format_part(int(hours[f"within_{n}s"].sum()), timed) for n in (10, 600))
        text += f"; delivered within 10 s {fast}, 10 min {slow}"
    return [fit(text, WIDTH)]


def day_lists(read: Read, day: dt.date) -> list[tuple[str, list[tuple[str, str]]]]:
    """Headings with names and numbers, largest first."""
    received = OWN & COUNTED & TAKEN & (pl.col("spam_certain") > 0)

    def largest(table: str, name: str, where: pl.Expr, count: str) -> list[tuple[str, int]]:
        rows = read(table, [day]).filter(where)
        sums = rows.group_by(name).agg(pl.col(count).sum()).sort(-pl.col(count), name)
        return [(str(code), number) for code, number in sums.head(MOST_NAMED).rows()]

    refused = read(REFUSED_TABLE, [day]).with_columns(
        refused=pl.col("refused_for_now_units") + pl.col("refused_units")
    )
    refusing = refused.filter(pl.col("refused") > 0).sort(-pl.col("refused"), "receiving_network")
    named: list[tuple[str, list[tuple[str, str]]]] = []
    for title, table, column in SPAM_LISTS:
        names = largest(table, column, received, "spam_certain")
        spoken = words.type_name if column == "spam_type_code" else CODES.get
        named.append((title, [(spoken(code) or code, f"{number:,}") for code, number in names]))
    refusals = [
        (NAMES.get(network, network), f"{count:,} of {units:,}")
        for network, count, units in refusing.select("receiving_network", "refused", "outbound_units").rows()
    ]
    named.append(("Others refused", refusals[:MOST_NAMED]))
    return [(title, rows) for title, rows in named if rows]


def side_by_side(lists: Sequence[tuple[str, list[tuple[str, str]]]], named: int) -> list[str]:
    """The lists, two beside each other."""

    def line(label: str, number: str) -> str:
        room = HALF - len(number) - 2
        return f"{fit(label, room - 1):<{room}}{number}"

    columns = [[title, *(line(*row) for row in rows[:named])] for title, rows in lists]
    lines: list[str] = []
    for place in range(0, len(columns), 2):
        pairs = itertools.zip_longest(*columns[place : place + 2], [], fillvalue="")
        lines += ["", *(f"{one:<{HALF + 1}}{other}".rstrip() for one, other, *_ in pairs)]
    return lines


def ending(texts: Sequence[str], more: int, others: Sequence[str]) -> list[str]:
    """Lines on what is unlike the weeks before, and on where the rest stands."""
    lines = ["", "Unlike the same weekdays before"] if texts else []
    for text in texts:
        lines += textwrap.wrap(escape_unseen(text), WIDTH, initial_indent="- ", subsequent_indent="  ")
    if more > 0:
        lines.append(f"and {more} more: observatory status")
    if others:
        lines += ["", fit(f"Left out here: {', '.join(others)}", WIDTH)]
    return lines


def fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
