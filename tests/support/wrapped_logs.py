"""Logs in what carries them: each wrapper makes of a log's lines the bytes that a shipper would write."""

import datetime as dt
import json
import re
import struct
from collections.abc import Callable
from typing import Any

# A line of syslog with a stamp in ISO 8601, as rsyslog writes it.
SYSLOG = re.compile(r"^(\S+) (\S+) ([^\s:\[]+)(?:\[(\d+)\])?: (.*)$", re.DOTALL)
STAMP_3164 = re.compile(r"^(?:<\d+>)?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) ")
LATER = "2026-11-24T15:00:00.123456789Z"


def dump(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def to_iso(line: str) -> str:
    """A line whose stamp has no year, with one in ISO 8601 of UTC; another line as it is."""
    found = STAMP_3164.match(line)
    if not found:
        return line
    at = dt.datetime.strptime(f"2026 {found[1]}", "%Y %b %d %H:%M:%S")
    return f"{at:%Y-%m-%dT%H:%M:%S}.000000+00:00 {line[found.end() :]}"


def parts_of(line: str) -> tuple[dt.datetime, str, str, str | None, str] | None:
    """Stamp, host, program, pid and text of a line of syslog; None for another."""
    found = SYSLOG.match(line)
    if not found:
        return None
    try:
        return (dt.datetime.fromisoformat(found[1]), *found.groups()[1:])
    except ValueError:
        return None


def micros(at: dt.datetime) -> int:
    return round((at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1))


# --- wrappers of any line ------------------------------------------------------------------------------


def docker(line: str) -> bytes:
    return dump({"log": f"{line}\n", "stream": "stdout", "time": LATER})


def kubernetes(line: str) -> bytes:
    return f"{LATER} stdout F {line}\n".encode()


def shipped_file(line: str) -> bytes:
    """A line of a file as Vector ships it."""
    about = {"file": "/var/log/mail.log", "host": "shipper", "source_type": "file", "timestamp": LATER}
    return dump(about | {"message": line, "metadata": {"message": "no text", "tags": ["a", {"log": 1}]}})


def docker_of_shipped(line: str) -> bytes:
    return docker(shipped_file(line).decode().rstrip("\n"))


# --- wrappers of the parts of a syslog line; of another they take the whole as the text ------------------


def of_parts(build: Callable[[dt.datetime, str, str, str | None, str], bytes]) -> Callable[[str], bytes]:
    def wrap(line: str) -> bytes:
        parts = parts_of(line)
        return build(*parts) if parts else shipped_file(line)

    return wrap


def journal_entry(at: dt.datetime, host: str, program: str, pid: str | None, text: str) -> dict[str, Any]:
    entry = {
        "__CURSOR": f"s=0f;i={micros(at):x};b=1",
        "__REALTIME_TIMESTAMP": str(micros(at) + 40),
        "__MONOTONIC_TIMESTAMP": "1",
        "_BOOT_ID": "0123456789abcdef0123456789abcdef",
        "PRIORITY": "6",
        "SYSLOG_FACILITY": "2",
        "_SOURCE_REALTIME_TIMESTAMP": str(micros(at)),
        "_HOSTNAME": host,
        "SYSLOG_IDENTIFIER": program,
        "_TRANSPORT": "syslog",
        "MESSAGE": text,
    }
    return entry | ({"_PID": pid} if pid else {})


def journal_json(at: dt.datetime, host: str, program: str, pid: str | None, text: str) -> bytes:
    """An entry as `journalctl -o json` writes it: a text with signs that are not printed is a list of
    bytes."""
    entry = journal_entry(at, host, program, pid, text)
    if not text.isprintable():
        entry["MESSAGE"] = list(text.encode())
    return dump(entry)


def journal_export(at: dt.datetime, host: str, program: str, pid: str | None, text: str) -> bytes:
    """An entry as `journalctl -o export` writes it: a text with signs that are not printed has its length
    before it."""
    fields = []
    for name, value in journal_entry(at, host, program, pid, text).items():
        data = value.encode()
        if value.isprintable():
            fields.append(name.encode() + b"=" + data + b"\n")
        else:
            fields.append(name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
    return b"".join(fields) + b"\n"


def rsyslog(at: dt.datetime, host: str, program: str, pid: str | None, text: str) -> bytes:
    """A line of rsyslog's jsonmesg: `programname` ends at a slash, and `msg` begins with a blank."""
    tag = f"{program}[{pid}]:" if pid else f"{program}:"
    return dump(
        {
            "msg": f" {text}",
            "rawmsg": "<22>...",
            "timereported": at.isoformat(timespec="microseconds"),
            "hostname": host,
            "syslogtag": tag,
            "inputname": "imuxsock",
            "programname": program.partition("/")[0],
            "app-name": program.partition("/")[0],
            "procid": pid or "-",
            "timegenerated": LATER,
            "$!": None,
        }
    )


def vector(at: dt.datetime, host: str, program: str, pid: str | None, text: str) -> bytes:
    stamp = at.astimezone(dt.UTC).isoformat(timespec="microseconds")
    entry = {"appname": program, "facility": "mail", "host": "relay", "hostname": host, "message": text}
    entry |= {"source_ip": "192.0.2.1", "timestamp": stamp}
    return dump(entry | ({"procid": int(pid)} if pid else {}))


def syslog_ng(at: dt.datetime, host: str, program: str, pid: str | None, text: str) -> bytes:
    stamp = at.isoformat(timespec="microseconds")
    entry = {"PROGRAM": program, "MESSAGE": text, "ISODATE": stamp, "HOST": host, "FACILITY": "mail"}
    return dump(entry | ({"PID": pid} if pid else {}))


def fluent(at: dt.datetime, host: str, program: str, pid: str | None, text: str) -> bytes:
    entry = {"date": micros(at) / 1e6, "ident": program, "message": text, "host": host, "tag": "system.mail"}
    return dump(entry | ({"pid": pid} if pid else {}))


WRAPPERS: dict[str, Callable[[str], bytes]] = {
    "docker": docker,
    "kubernetes": kubernetes,
    "shipped file": shipped_file,
    "docker of shipped": docker_of_shipped,
    "journal json": of_parts(journal_json),
    "rsyslog": of_parts(rsyslog),
    "vector": of_parts(vector),
    "syslog-ng": of_parts(syslog_ng),
    "fluent": of_parts(fluent),
}
EXPORT = of_parts(journal_export)
