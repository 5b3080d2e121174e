"""Guesses about an unknown delimited file from its first lines, for a drafted mapping profile."""

import csv
import datetime as dt
import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import polars as pl

from jobs.operators.formats.delimited.profile import EPOCHS
from jobs.operators.formats.delimited.read import parse_time

DELIMITERS = ",;\t|^~"
LINES_READ = 2000
# More distinct values than this are no codes that a person would map.
MOST_CODES = 24
# Nearly all values must be of a type: some rows of a log are odd.
SURE = 0.95

_DATES = ["%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d-%b-%Y", "%d-%b-%y"]
_DATES += ["%Y%m%d", "%d/%m/%y", "%y%m%d"]
_CLOCKS = ["%H:%M:%S", "%H:%M:%S%.f", "%H:%M:%S,%3f", "%H:%M", "%I:%M:%S %p", "%H%M%S"]
# Those without signs between go first: a blank in a format fits none, too.
_TIMES = [
    *("%Y%m%d%H%M%S", "%y%m%d%H%M%S", "%d%m%Y%H%M%S"),
    *(f"{date}{joint}{clock}" for date in _DATES for joint in (" ", "T") for clock in _CLOCKS),
    *(f"%Y-%m-%dT%H:%M:%S{rest}" for rest in ("%z", "%.f%z", "Z", "%.fZ")),
    *(f"%Y-%m-%d %H:%M:%S{rest}" for rest in ("%z", "%.f%z", " %z")),
    *("%a %b %d %H:%M:%S %Y", "%b %d %Y %H:%M:%S"),
]
_IP = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?|[0-9A-Fa-f]*:[0-9A-Fa-f:]+")
_NUMBER = re.compile(r"(?:\+|00)?[1-9]\d{6,14}")
_INTEGER = re.compile(r"-?\d{1,18}")

# Words in a column's name, cut at signs and capitals, that show what it is; the first that fits is taken.
_HINTS: dict[str, str] = {
    "first_at": r"submit|receiv|start|arriv|creat|time|date|stamp",
    "last_at": r"deliver|done|end|final|complet|clos",
    "sender": r"src|source|from|orig|calling|caller|sender|oa|a number|msisdn a|cli",
    "recipient": r"dst|dest|destination|to|called|callee|recipient|receiver|da|b number|msisdn b|target",
    "client_ip": r"ip|address|host|remote|client|peer",
    "inbound_link": r"in link|inbound|ingress|source smsc|peer|trunk in|link|smsc|gt|sccp|route in",
    "outbound_link": r"out link|outbound|egress|route out|msc|smsc out|trunk out",
    "account": r"account|system id|esme|customer|user|client|service",
    "message_id": r"message id|msg id|msgid|message ref|correlation|uuid|id",
    "message_bytes": r"bytes|octets|length|len|size",
    "segment_count": r"segments|parts|msg parts|segment count",
    "text": r"text|content|message|body|sms",
    "reply_text": r"reason|rule|error|cause|detail",
    "outcome": r"status|result|action|verdict|outcome|disposition|state|decision|code",
}
_KINDS: dict[str, tuple[str, ...]] = {
    "first_at": ("time",),
    "last_at": ("time",),
    "sender": ("number", "text", "code"),
    "recipient": ("number",),
    "client_ip": ("ip",),
    "message_bytes": ("integer", "code"),
    "segment_count": ("integer", "code"),
    "text": ("text",),
    "outcome": ("code",),
    "inbound_link": ("code", "text", "number"),
    "outbound_link": ("code", "text", "number"),
    "account": ("code", "text"),
    "message_id": ("text", "integer", "number"),
    "reply_text": ("code", "text"),
}
# What a word in a status says of the outcome. Where it was decided, it does not say, unless it is delivery.
OUTCOMES: list[tuple[str, str, str | None]] = [
    (r"expir|timeout", "expired", "delivery"),
    (r"temp|retry|defer|throttl", "deferred", None),
    (r"undeliv|fail|error|absent|nak", "bounced", "delivery"),
    (r"success|deliv|allow|pass|accept|\bok\b|sent|clean|permit", "delivered", "delivery"),
    (r"drop|discard|silent", "discarded", None),
    (r"reject|refus|block|den(?:y|ied)|barred|spam", "rejected", None),
    (r"quarant|hold|held", "quarantined", None),
    (r"mark|tag|flag|suspect", "tagged", None),
    (r"queue|pending|enroute|partial|submitted", "queued", "delivery"),
]


@dataclass
class GuessedColumn:
    """One column of the file as far as it can be known from some lines."""

    name: str
    kind: str  # time, date, clock, number, ip, integer, code, text or empty
    formats: list[str]
    values: list[str]  # the distinct values, the commonest first
    filled: float  # share of rows in which it holds anything

    @property
    def words(self) -> str:
        """The column's name as small words: ADDR_SRC_DIGITS as `addr src digits`, bNumber as `b number`."""
        apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", self.name)
        return " ".join(re.findall(r"[a-z]+|\d+", apart.lower()))


def lines_of(sample: bytes) -> list[str]:
    text = sample.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.split("\n")
    lines = lines[:-1] if len(lines) > 1 else lines
    return [line.rstrip("\r") for line in lines if line.strip() and not line.startswith("#")][:LINES_READ]


def delimiter_of(lines: list[str]) -> tuple[str, str]:
    """The sign that cuts most lines into the same number of fields, and the quote."""
    best, most = ",", 0.0
    for sign in DELIMITERS:
        counts = Counter(len(row) for row in _split_lines(lines, sign, '"'))
        counts.pop(1, None)
        fields, same = max(counts.items(), key=lambda pair: (pair[1], pair[0]), default=(0, 0))
        # Of two that fit as many lines, the one with more fields: a comma may stand in each time stamp.
        share = same / max(len(lines), 1) + fields / 10_000 if fields > 1 else 0.0
        if share > most:
            best, most = sign, share
    quoted = sum(1 for line in lines if f'{best}"' in line or line.startswith('"'))
    stray = sum(1 for line in lines if line.count('"') % 2)
    return best, '"' if quoted or not stray else ""


def _split_lines(lines: list[str], delimiter: str, quote: str) -> list[list[str]]:
    limit = csv.field_size_limit(1 << 27)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    # The reader takes each line by itself, and refuses a NUL or a carriage return inside it.
    clean = (line.replace("\0", "").replace("\r", " ") for line in lines)
    try:
        return [next(csv.reader([line], delimiter=delimiter, quoting=quoting), []) for line in clean]
    finally:
        csv.field_size_limit(limit)


def rows_of(lines: list[str], delimiter: str, quote: str) -> list[list[str]]:
    """The rows that have the commonest number of fields; at least two columns."""
    rows = _split_lines(lines, delimiter, quote)
    fields = max(Counter(len(row) for row in rows).most_common(1)[0][0] if rows else 2, 2)
    fitting = [row for row in rows if len(row) == fields]
    return fitting or [(row + [""] * fields)[:fields] for row in rows]


def has_header(rows: list[list[str]]) -> bool:
    """Return whether the first row holds names: words, each once, without a time, number or address among
    them."""
    if len(rows) < 2:
        return False
    first = [field.strip() for field in rows[0]]
    is_named = all(re.fullmatch(r"[^\W\d][\w .()/#-]*", field) for field in first if field)
    is_repeated = any(
        name and name == field.strip() for row in rows[1:] for name, field in zip(first, row, strict=True)
    )
    return is_named and not is_repeated and sum(map(bool, first)) > len(first) / 2


def names_of(header: list[str], count: int) -> list[str]:
    """The names of the header, each once; column_1 and so on where there is none."""
    names: list[str] = []
    for place in range(max(count, 2)):
        name = header[place].strip() if place < len(header) else ""
        name = name or f"column_{place + 1}"
        while name in names:
            name += "_again"
        names.append(name)
    return names


def column_of(name: str, values: list[str]) -> GuessedColumn:
    held = [value.strip() for value in values if value.strip() not in ("", "null", "NULL", "\\N", "-")]
    counts = Counter(held)
    distinct = [value for value, _ in counts.most_common()]
    kind, formats = _guess_kind(held, distinct)
    return GuessedColumn(name, kind, formats, distinct, len(held) / max(len(values), 1))


def _guess_kind(held: list[str], distinct: list[str]) -> tuple[str, list[str]]:
    if not held:
        return "empty", []

    def share_matching(pattern: re.Pattern[str]) -> float:
        return sum(1 for value in held if pattern.fullmatch(value)) / len(held)

    for kind, candidates in (("time", [*EPOCHS, *_TIMES]), ("date", _DATES), ("clock", _CLOCKS)):
        formats = _guess_formats(distinct, kind, candidates)
        if formats:
            return kind, formats
    if share_matching(_IP) >= SURE:
        return "ip", []
    if share_matching(_NUMBER) >= SURE:
        return "number", []
    # Words of outcomes are codes even in a file of a few lines, where each stands once.
    is_few = len(distinct) <= max(2, len(held) / 2) or all(map(is_outcome_word, distinct))
    is_code = len(distinct) <= MOST_CODES and is_few
    # What may be somebody's address or number is shown to nobody.
    is_code = is_code and not any("@" in value or re.search(r"\d{7}", value) for value in distinct)
    if share_matching(_INTEGER) >= SURE and not (is_code and len(distinct) <= 8):
        return "integer", []
    # A text of a few words may stand in several rows, and is shown to nobody.
    is_code = is_code and not any(" " in value and not is_outcome_word(value) for value in distinct)
    if is_code and all(len(value) <= 40 for value in distinct):
        return "code", []
    return "text", []


def _guess_formats(distinct: list[str], kind: str, candidates: list[str]) -> list[str]:
    """The formats, two at most, that nearly all values are in; the one that most are in goes first."""
    some = distinct[:200]
    texts = pl.DataFrame({"value": some})
    read: dict[str, set[int]] = {}
    for form in candidates:
        if form in EPOCHS:
            digits = {"epoch_s": 10, "epoch_ms": 13, "epoch_us": 16}[form]
            # Seconds of 2014 to 2033; few telephone numbers lie so close together.
            near = [re.fullmatch(rf"1[4-9]\d{{{digits - 2}}}(?:\.\d+)?", value) is not None for value in some]
            close = {value[:3] for value in some}
            read[form] = {place for place, fits in enumerate(near) if fits and len(close) <= 2}
            continue
        text = pl.col("value")
        if kind == "date":
            text, form_read = text + pl.lit(" 00:00:00"), f"{form} %H:%M:%S"
        elif kind == "clock":
            text, form_read = pl.lit("2026-01-01 ") + text, f"%Y-%m-%d {form}"
        else:
            form_read = form
        fits = texts.select(parse_time(text, form_read, "UTC").is_not_null()).to_series().to_list()
        read[form] = {place for place, does in enumerate(fits) if does}
    first = max(read, key=lambda form: len(read[form]))
    if not read[first]:
        return []
    second = max(read, key=lambda form: len(read[form] - read[first]))
    both = [first, second] if read[second] - read[first] else [first]
    return both if len(set().union(*(read[form] for form in both))) >= SURE * len(some) else []


def _earliest_time(column: GuessedColumn) -> dt.datetime:
    """The earliest time in a column of times."""
    value = pl.DataFrame({"value": column.values})
    times = value.select(
        pl.coalesce(parse_time(pl.col("value"), form, "UTC") for form in column.formats).min()
    )
    return times.item() or dt.datetime.max.replace(tzinfo=dt.UTC)


class Assignment:
    """The columns taken for each property of a message, and those still free."""

    def __init__(self, columns: list[GuessedColumn]) -> None:
        self.columns = columns
        self.free = [column for column in columns if column.kind != "empty"]
        self.taken: dict[str, list[GuessedColumn]] = {}

    def take(self, name: str, found: list[GuessedColumn]) -> None:
        self.taken[name] = found
        self.free = [column for column in self.free if all(column is not each for each in found)]

    def take_hinted(self, *names: str) -> None:
        for name in names:
            self.take(name, self.hinted(name))

    def select_kind(self, *kinds: str) -> list[GuessedColumn]:
        return [column for column in self.free if column.kind in kinds]

    def hinted(self, name: str) -> list[GuessedColumn]:
        """The free column that bears a property's name, as a word of its own or within one."""
        fits = self.select_kind(*_KINDS[name])
        named = [column for column in fits if re.search(rf"\b(?:{_HINTS[name]})\b", column.words)]
        loose = [column for column in fits if re.search(_HINTS[name], column.words)]
        return (named or loose)[:1]


def targets_of(columns: list[GuessedColumn]) -> dict[str, list[GuessedColumn]]:
    """The likely columns of each property of a message; each column is taken once."""
    found = Assignment(columns)
    assign_times(found)
    assign_outcome(found)
    found.take_hinted("client_ip", "sender", "recipient", "message_bytes", "segment_count", "message_id")
    assign_ends(found)
    found.take_hinted("text", "account", "inbound_link", "outbound_link", "reply_text")
    return {name: taken for name, taken in found.taken.items() if taken}


def assign_times(found: Assignment) -> None:
    """Assign the columns of times: the earliest of several is the first event, unless names show it."""
    times, dates, clocks = found.select_kind("time"), found.select_kind("date"), found.select_kind("clock")
    if times:
        times.sort(key=_earliest_time)
        named = [column for column in times if not re.search(_HINTS["last_at"], column.words)]
        found.take("first_at", (named or times)[:1])
        if len(times) > 1:
            found.take("last_at", [column for column in times if column in found.free][:1])
    elif dates and clocks:
        found.take("first_at", [dates[0], clocks[0]])


def assign_outcome(found: Assignment) -> None:
    """The column of codes that is the outcome by its name, or by its values; else the last of them."""
    coded = [column for column in found.select_kind("code") if len(column.values) > 1]
    by_value = sorted(coded, key=lambda column: -sum(map(is_outcome, column.values)) / len(column.values))
    by_value = by_value if by_value and any(map(is_outcome, by_value[0].values)) else coded[::-1]
    named = [column for column in found.hinted("outcome") if column in coded]
    found.take("outcome", named or by_value[:1])


def assign_ends(found: Assignment) -> None:
    """Sender and recipient where no name shows them: of numbers the first and the next. A sender may be a
    name: likely what stands before the number that it sent to."""
    numbers = found.select_kind("number")
    if not found.taken["sender"] and len(numbers) + bool(found.taken["recipient"]) > 1:
        found.take("sender", numbers[:1])
    if not found.taken["recipient"]:
        found.take("recipient", [column for column in numbers if column in found.free][:1])
    if not found.taken["sender"] and found.taken["recipient"]:
        before = found.columns[: found.columns.index(found.taken["recipient"][0])]
        found.take(
            "sender", [column for column in before if column in found.select_kind("code", "text")][-1:]
        )


def is_outcome_word(value: str) -> bool:
    """Return whether it is an outcome in one to three words."""
    return re.fullmatch(r"[A-Za-z_]+(?: [A-Za-z_]+){0,2}", value) is not None and is_outcome(value)


def is_outcome(value: str) -> bool:
    return any(re.search(words, value.replace("_", " "), re.IGNORECASE) for words, _, _ in OUTCOMES)
