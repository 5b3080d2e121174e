"""Kannel's bearerbox access log in a format of the operator's own: which one, by the log's lines.

Only a person can say what each field is, so that a format found here is assumed, wherever it is shown, beside
three lines as it decodes them. None is proposed that decodes any line to what cannot be.
"""

import re

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.patterns import mask_value
from jobs.operators.formats import Options
from jobs.operators.formats.format import OwnLayouts
from jobs.operators.formats.kannel.access_log_format import CODES, log_format

# Words that bearerbox writes into each line whatever its format, if the format has %l.
EVENTS = re.compile(r"\b(?:Receive|Sent|FAILED Send|Rejected|send-SMS|receive) (?:SMS|DLR)\b|\bDLR SMS\b")
# The event field holds nothing else.
EVENT = re.compile(
    r"(?:(?:FAILED )?Receive|DROPPED Received|Sent|(?:REJECTED|FAILED) Send|DISCARDED|EXPIRED|REJECTED .*)"
    r" (?:SMS|DLR)"
)
# Formats that are in use: those of Kannel's guide, and what loaders of databases are given.
KNOWN_LAYOUTS = (
    "%t %l [SMSC:%i] [SVC:%n] [ACT:%A] [BINF:%B] [FID:%F] [META:%D] [from:%p] [to:%P]"
    " [flags:%m:%c:%M:%C:%d] [msg:%L:%b] [udh:%U:%u]",
    "%t %l [SMSC:%i] [SVC:%n] [ACT:%A] [BINF:%B] [FID:%F] [from:%p] [to:%P]"
    " [flags:%m:%c:%M:%C:%d] [msg:%L:%b] [udh:%U:%u]",
    "%t|%l|%i|%n|%A|%F|%p|%P|%c|%d|%L|%b|%U|%u",
    "%t;%l;%i;%n;%A;%F;%p;%P;%c;%d;%L;%b;%U;%u",
    "%t,%l,%i,%n,%A,%F,%p,%P,%c,%d,%L,%b,%U,%u",
    "%l [SMSC:%i] [SVC:%n] [from:%p] [to:%P] [msg:%L:%b]",
    "%t|%l|%i|%p|%P|%b",
)
# A format is taken that reads such a share of the lines which name an event.
FITS = 0.9
LINES = 200
SHOWN = 3
NUMBER = re.compile(r"(?:\+|00)?\d{3,15}")
# 3GPP TS 23.040, 9.1.2.5: a sender of letters has 11 signs of seven bits.
NAME = re.compile(r"[^\s|;,][^|;,]{0,10}")
# What no link, service or account is called.
LIKE_A_NUMBER = re.compile(r"(?:\+|00)?\d{7,15}")
NOT_NUMBERS = ("smsc", "service", "account")
# What a text is written in, of CODES.
IN_HEX = ("1", "2")
FIELDS = ("event", "smsc", "service", "account", "sender", "recipient", "text")


def is_access_log(head: bytes) -> bool:
    """Return whether most lines name an event of bearerbox."""
    lines = lines_of(head)
    return bool(lines) and len(events_of(head)) >= len(lines) / 2


def guess_options(head: bytes) -> Options | None:
    """The options of the known format that may be the log's; None without one."""
    if not is_access_log(head):
        return None
    for own in KNOWN_LAYOUTS:
        for is_clean in (True, False):
            options = {"access_log_format": own} | ({} if is_clean else {"access_log_clean": False})
            try:
                lines = decode_lines(head, own, is_clean)
            except ObservatoryError:
                # It names no time, and needs that of a stamp before each line.
                continue
            if len(lines) >= FITS * len(events_of(head)) and is_plausible(lines, own):
                return options
    return None


def is_plausible(lines: list[dict[str, str]], own: str) -> bool:
    """Return whether what a format makes of the lines can be: events of bearerbox, numbers where numbers
    stand and nowhere else, texts as long as the log says, or else in words and without the sign that parts
    fields."""
    # The sign that stands before the text and parts it from other fields.
    before = own.partition("%b")[0]
    separator = before[-1:]
    usual = [
        EVENT.fullmatch(line["event"]) is not None
        and NUMBER.fullmatch(line["recipient"]) is not None
        and (NUMBER.fullmatch(line["sender"]) or NAME.fullmatch(line["sender"])) is not None
        for line in lines
    ]
    return (
        sum(usual) >= FITS * len(lines)
        and all(
            not any(LIKE_A_NUMBER.fullmatch(line.get(name, "")) for name in NOT_NUMBERS)
            and (has_length(line) if "length" in line else is_text(line.get("text", ""), separator))
            for line in lines
        )
        and ("%L" in own or any(" " in line.get("text", "") for line in lines))
    )


def is_text(value: str, separator: str) -> bool:
    """Return whether a field may be the text of an SMS, whose length the log does not say."""
    return separator not in value and LIKE_A_NUMBER.fullmatch(value) is None


def has_length(line: dict[str, str]) -> bool:
    """Return whether a text is as long as its line says, in bytes."""
    size = len(line.get("text", "").encode())
    return line["length"] in (str(size), str(size // 2) if line.get("coding") in IN_HEX else "")


def share_read(head: bytes, own: str, is_clean: bool = True) -> float:
    """The share of the lines with an event that a format reads. Raises ObservatoryError for a wrong one."""
    return len(decode_lines(head, own, is_clean)) / max(len(events_of(head)), 1)


def decode_lines(head: bytes, own: str, is_clean: bool = True) -> list[dict[str, str]]:
    """The fields of each line that a format reads. Raises ObservatoryError for a wrong one."""
    pattern = re.compile(log_format(own, is_clean).strict)
    found = (pattern.search(line) for line in events_of(head))
    return [{name: value or "" for name, value in each.groupdict().items()} for each in found if each]


def show_lines(head: bytes, options: Options) -> list[str]:
    """The first lines as the format decodes them, a person's digits as 9 and letters as a."""
    own = options["access_log_format"]
    lines = decode_lines(head, own, options.get("access_log_clean", True))
    names = [name for name in FIELDS if name in {CODES[code][0] for code in re.findall("%(.)", own)}]
    return [
        ", ".join(
            line[name] if name == "event" else f"{name} {mask_value(line[name]) or 'none'}" for name in names
        )
        for line in lines[:SHOWN]
    ]


def check_layout(head: bytes, own: str) -> Options:
    """The options for a format that a person names. Raises ObservatoryError where it does not fit the log."""
    reasons = []
    for is_clean in (True, False):
        try:
            if share_read(head, own, is_clean) >= FITS:
                return {"access_log_format": own} | ({} if is_clean else {"access_log_clean": False})
        except ObservatoryError as error:
            reasons.append(str(error))
    raise ObservatoryError(reasons[0] if reasons else "this format does not fit the lines of the log")


def events_of(head: bytes) -> list[str]:
    """The lines that name an event."""
    return [line for line in lines_of(head) if EVENTS.search(line)]


def lines_of(head: bytes) -> list[str]:
    whole = head[: head.rfind(b"\n") + 1] or head
    lines = [line for line in whole.decode("utf-8", "replace").splitlines() if line.strip()]
    return [line for line in lines if not line.endswith(("Log begins", "Log ends"))][:LINES]


LAYOUTS = OwnLayouts(
    log="an access log of Kannel",
    setting="access-log-format in its bearerbox.conf",
    is_log=is_access_log,
    guess_options=guess_options,
    check_layout=check_layout,
    show_lines=show_lines,
)
