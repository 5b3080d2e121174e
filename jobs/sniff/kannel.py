"""Kannel's bearerbox access log in a format of the operator's own: which one, by the log's lines."""

from __future__ import annotations

import re
from typing import Any

from jobs.core.errors import ObservatoryError
from jobs.formats.kannel_format import log_format

# Words that bearerbox writes into each line whatever its format, if the format has %l.
EVENTS = re.compile(r"\b(?:Receive|Sent|FAILED Send|Rejected|send-SMS|receive) (?:SMS|DLR)\b|\bDLR SMS\b")
# Formats that are in use: those of Kannel's guide, and what loaders of databases are given.
KNOWN = (
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


def is_access_log(head: bytes) -> bool:
    """Whether most lines name an event of bearerbox."""
    lines = lines_of(head)
    return bool(lines) and sum(EVENTS.search(line) is not None for line in lines) >= len(lines) / 2


def options_of(head: bytes) -> dict[str, Any] | None:
    """The options of the known format that reads the log; None without one."""
    if not is_access_log(head):
        return None
    for own in KNOWN:
        for is_clean in (True, False):
            options = {"access_log_format": own} | ({} if is_clean else {"access_log_clean": False})
            try:
                if share(head, own, is_clean) >= FITS:
                    return options
            except ObservatoryError:
                # It names no time, and needs that of a stamp before each line.
                continue
    return None


def share(head: bytes, own: str, is_clean: bool = True) -> float:
    """The share of the lines with an event that a format reads. Raises ObservatoryError for a wrong one."""
    pattern = re.compile(log_format(own, is_clean).strict)
    events = [line for line in lines_of(head) if EVENTS.search(line)]
    return sum(pattern.search(line) is not None for line in events) / max(len(events), 1)


def asked(head: bytes, own: str) -> dict[str, Any]:
    """The options for a format that a person names. Raises ObservatoryError where it does not fit the log."""
    reasons = []
    for is_clean in (True, False):
        try:
            if share(head, own, is_clean) >= FITS:
                return {"access_log_format": own} | ({} if is_clean else {"access_log_clean": False})
        except ObservatoryError as error:
            reasons.append(str(error))
    raise ObservatoryError(reasons[0] if reasons else "this format does not fit the lines of the log")


def lines_of(head: bytes) -> list[str]:
    whole = head[: head.rfind(b"\n") + 1] or head
    lines = [line for line in whole.decode("utf-8", "replace").splitlines() if line.strip()]
    return [line for line in lines if not line.endswith(("Log begins", "Log ends"))][:LINES]
