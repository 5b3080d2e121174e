"""Asterisk's records of calls."""

import csv
import datetime as dt
import io
from typing import Any

from tests.support.samples.forms import (
    ADDRESS,
    ID,
    IPV4,
    LINK,
    NUMBER,
    SIP,
    TEXT,
    WORD,
    Canaries,
    Log,
    Samples,
    at,
    times,
    within,
)


def asterisk(
    n: int,
    account: str = "seller",
    src: str = "35799000009",
    dst: str = "35722000003",
    context: str = "from-pstn",
    clid: str = '"Shop" <35799000009>',
    channel: str = "SIP/HUB-0000063a",
    dstchannel: str = "SIP/200-0000063b",
    data: str = "SIP/200,20",
    user_field: str = "",
    unique: str = "",
) -> str:
    start = at(n)
    end = start + dt.timedelta(seconds=30)
    row = [
        account, src, dst, context, clid, channel, dstchannel, "Dial", data, f"{start:%Y-%m-%d %H:%M:%S}",
        f"{start:%Y-%m-%d %H:%M:%S}", f"{end:%Y-%m-%d %H:%M:%S}", 30, 30, "ANSWERED", "DOCUMENTATION",
        unique or f"1798000000.{n}", user_field,
    ]  # fmt: skip
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerow(row)
    return text.getvalue()


DAY = "2026-11-24"


def quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def leg(
    start: str = "14:00:00", answer: str = "", end: str = "14:00:30", disposition: str = "", **fields: Any
) -> str:
    """A line as cdr_csv writes it; `tail` holds the columns behind amaflags."""
    given = {
        "account": "",
        "src": "35799000009",
        "dst": "35722000001",
        "context": "from-pstn",
        "clid": '"Ann" <35799000009>',
        "channel": "SIP/trunk-0000063a",
        "dstchannel": "SIP/200-0000063b",
        "app": "Dial",
        "data": "SIP/200,20",
        "tail": [],
    } | fields
    stamps = [f'"{DAY} {clock}"' if clock else "" for clock in (start, answer, end)]
    clocks = [
        dt.datetime.fromisoformat(f"{DAY} {clock}") if clock else None for clock in (start, answer, end)
    ]
    duration = int((clocks[2] - clocks[0]).total_seconds()) if clocks[0] and clocks[2] else 0
    billed = int((clocks[2] - clocks[1]).total_seconds()) if clocks[1] and clocks[2] else 0
    strings = ["account", "src", "dst", "context", "clid", "channel", "dstchannel", "app", "data"]
    columns = [
        *(quoted(given[name]) for name in strings),
        *stamps,
        str(duration),
        str(billed),
        quoted(disposition or ("ANSWERED" if answer else "NO ANSWER")),
        '"DOCUMENTATION"',
        *(value if isinstance(value, str) and value.isdigit() else quoted(value) for value in given["tail"]),
    ]
    return ",".join(columns)


NAMES = "accountcode,src,dst,dcontext,clid,channel,dstchannel,lastapp,lastdata,start,answer,end,duration"
CUSTOM = ["clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer"]
CUSTOM += ["end", "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield"]


def custom(line: str, *more: str) -> str:
    """A line of cdr_csv with uniqueid and userfield as the order of cdr_custom.conf.sample has it: everything
    quoted, and the caller id first."""
    names = [*NAMES.split(","), "billsec", "disposition", "amaflags", "uniqueid", "userfield"]
    values = dict(zip(names, next(csv.reader([line])), strict=True))
    return ",".join(quoted(values[name]) for name in CUSTOM) + "".join(f",{each}" for each in more)


def numbers(number: int) -> dict[str, str]:
    return {"src": f"3579900{number // 3:04}", "dst": f"3572200{number:04}"}


CALLS = [
    leg(answer="14:00:10", tail=["1798000000.1", ""]),
    leg(answer="", tail=["1798000000.2", "spam call"]),
    leg(tail=["1798000000.2", ""]),
]
SAMPLES = Samples(
    canaries=(
        Canaries(
            "asterisk",
            asterisk,
            {
                "account": ADDRESS[:1],
                "src": (*NUMBER, *WORD, *ADDRESS[:9], *SIP),
                "dst": (*NUMBER, *WORD, *ADDRESS[:9], *SIP),
                "context": LINK,
                "clid": TEXT[:1],
                "channel": within("SIP/{}-0000063a", (*LINK, *IPV4, *ADDRESS[:1])),
                "dstchannel": within("SIP/{}-0000063a", (*LINK, *IPV4, *ADDRESS[:1])),
                "data": SIP,
                "user_field": TEXT,
                "unique": ID,
            },
            suffix=".csv",
        ),
    ),
    logs={
        "asterisk": Log(
            "asterisk", [leg(at, at, "15:00:00", **numbers(n)) for n, at in enumerate(times(40))]
        ),
        "asterisk, with ids": Log(
            "asterisk",
            [leg(at, **numbers(n), tail=[f"1764000{n // 2:03}.{n // 2}"]) for n, at in enumerate(times(40))],
        ),
    },
    files={
        "cdr_csv": Log("asterisk", CALLS),
        "cdr_custom": Log("asterisk", [custom(each) for each in CALLS]),
    },
)
