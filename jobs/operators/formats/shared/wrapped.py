"""The line of a log in what carries it: JSON of log shippers and of systemd's journal, lines of containers.

Shippers make an object of a line, with a field for each part of the syslog envelope. This module makes the
line of it again, so that formats need not know of them:

    {"__REALTIME_TIMESTAMP": "1795529790260000", "_HOSTNAME": "mx1", "SYSLOG_IDENTIFIER": "postfix/smtpd",
     "_PID": "227", "MESSAGE": "connect from …"}             journalctl -o json
    {"timestamp": "2026-11-24T14:16:30.260Z", "hostname": "mx1", "appname": "postfix/smtpd", "procid": 227,
     "message": "connect from …"}                            Vector; others have other names
    {"log": "Nov 24 14:16:30 mx1 postfix/smtpd[227]: connect from …\\n", "stream": "stdout", "time": "…"}
    2026-11-24T14:16:30.260000000Z stdout F Nov 24 14:16:30 mx1 postfix/smtpd[227]: connect from …

The text is the line where it has a stamp, a host and a program of its own, and where no field names a
program. A line end inside of it becomes #012, as rsyslog writes it. An object that is cut or has no text
stays as it is. Each line is read by itself, so that a file may be cut between any two. JSON inside of JSON is
read, too.
"""

import json
from typing import Any

import numpy as np
import polars as pl

# A line end inside of a text, with all carriage returns before it; alone they end a line, too
# (jobs/operators/formats/shared/lines.py).
INNER_END = r"\r*\n|\r+"
# Names of a field in the order in which they count: the journal's, then those of Vector, rsyslog, syslog-ng,
# Fluentd and Docker.
TEXT = ("MESSAGE", "message", "msg", "log")
STAMP = (
    *("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP", "timereported", "timestamp", "@timestamp"),
    *("ISODATE", "DATE", "time", "date", "ts", "timegenerated"),
)
HOST = ("_HOSTNAME", "hostname", "host", "HOST", "sysloghost")
# With pid and colon. Fluentd's `tag` is another thing.
TAG = ("syslogtag", "tag")
PROGRAM = (
    *("SYSLOG_IDENTIFIER", "appname", "app-name", "app_name", "ident", "program", "PROGRAM"),
    *("programname", "_COMM"),
)
PID = ("SYSLOG_PID", "_PID", "procid", "proc_id", "pid", "PID")
# Journald's, of what a container wrote: its program is the container's name.
CONTAINER = "CONTAINER_NAME"
FIELDS = (*TEXT, *STAMP, *HOST, *TAG, *PROGRAM, *PID, CONTAINER)
# What an entry of the journal has, with or without text.
ENTRY = "__REALTIME_TIMESTAMP"

_DECODED = pl.Struct(dict.fromkeys(FIELDS, pl.String))
# So many lines are decoded together: one that is cut makes these alone take longer.
_TOGETHER = 4096
# Wraps around each other.
_DEPTH = 3
_BARE = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:[Zz]|[+-]\d\d(?::?\d\d)?)?"
# A syslog line of its own.
_WHOLE = (
    rf"^(?:<\d{{1,3}}>)?(?:1 )?(?:{_BARE}|\d{{4}} {_BARE}\S*|\d{{4}}-\d\d-\d\dT\S+) \S+ "
    r"[^\s:\[]+(?:\[\d+\])?(?:: | \S+ \S+ [-\[])"
)
_TAGGED = r"^[^\s:\[]+\[\d+\]: "
_TAG_FORM = r"^([^\s\[]+?(?:\[\d*\])?):$"
_OBJECT = r'^\{.*"(?:MESSAGE|message|msg|log|__REALTIME_TIMESTAMP)"'
_CRI_HEAD = r"^\d{4}-\d\d-\d\dT\S{9,24} std(?:out|err) [FP]"
_CRI = r"^(\d{4}-\d\d-\d\dT\S{9,24}) std(?:out|err) [FP](?::\S*)? (.*)$"
# Digits before the point, and what a unit of the last one is in microseconds.
_EPOCHS = ((9, 11, 1_000_000.0), (12, 14, 1_000.0), (15, 17, 1.0), (18, 20, 0.001))


def unwrap_lines(lines: pl.Series, most: int) -> pl.Series:
    """The lines, each without what it is wrapped in; longer ones than `most` bytes are not looked at."""
    for _ in range(_DEPTH):
        places = find_wrapped(lines, most)
        if not len(places):
            break
        wrapped = lines.gather(places)
        found = unwrap_once(wrapped)
        is_found = found.is_not_null()
        if not is_found.any():
            break
        lines = found if is_found.all() and len(found) == len(lines) else _put_lines(lines, places, found)
    return lines


def unwrap_sample(sample: bytes) -> bytes:
    """The first or last bytes of a log with their lines unwrapped; the same bytes where none is wrapped."""
    if not (sample[:1] == b"{" or b"\n{" in sample or b" std" in sample):
        return sample
    lines = pl.Series("line", sample.decode("utf-8", "replace").split("\n"), dtype=pl.String)
    found = unwrap_lines(lines, len(sample))
    if found.equals(lines):
        return sample
    return "\n".join(found).encode()


def find_wrapped(lines: pl.Series, most: int) -> pl.Series:
    """The places of lines that may be wrapped, and have no more than so many bytes."""
    is_wrapped = lines.str.starts_with("{")
    if is_wrapped.any():
        is_wrapped = lines.str.contains(_OBJECT)
    is_wrapped |= lines.str.contains(_CRI_HEAD)
    places = is_wrapped.arg_true()
    return places.filter(lines.gather(places).str.len_bytes() <= most) if len(places) else places


def unwrap_once(wrapped: pl.Series) -> pl.Series:
    """The contents of wrapped lines; null where they are no line."""
    is_json = wrapped.str.starts_with("{")
    if is_json.all():
        return compose_lines(decode_objects(wrapped))
    cri = wrapped.str.extract_groups(_CRI).struct.unnest()
    cri.columns = ["time", "message"]
    parts = [
        decode_objects(wrapped.filter(is_json)),
        cri.filter(~is_json).select(
            pl.col(name) if name in cri.columns else pl.lit(None, pl.String).alias(name) for name in FIELDS
        ),
    ]
    order = np.concatenate([is_json.arg_true().to_numpy(), (~is_json).arg_true().to_numpy()])
    return compose_lines(pl.concat(parts)).gather(np.argsort(order))


def _put_lines(lines: pl.Series, places: pl.Series, found: pl.Series) -> pl.Series:
    """The lines with others in some places; where those are null, as they were."""
    number = np.full(len(lines), -1, dtype=np.int64)
    kept = found.is_not_null()
    number[places.filter(kept).to_numpy()] = found.is_not_null().arg_true().to_numpy()
    frame = pl.DataFrame({"line": lines, "number": number})
    return frame.select(
        pl.when(pl.col("number") >= 0).then(found.gather(pl.Series(np.maximum(number, 0)))).otherwise("line")
    ).to_series()


def decode_objects(lines: pl.Series) -> pl.DataFrame:
    """FIELDS of JSON objects, one per line; all null where a line is no object."""
    parts = [pl.DataFrame(schema=dict.fromkeys(FIELDS, pl.String))]
    for start in range(0, len(lines), _TOGETHER):
        some = lines.slice(start, _TOGETHER)
        try:
            parts.append(some.str.json_decode(_DECODED).struct.unnest())
        except pl.exceptions.ComputeError:
            rows = [decode_object(line) for line in some]
            parts.append(pl.DataFrame(rows, schema=dict.fromkeys(FIELDS, pl.String)))
    return pl.concat(parts)


def decode_object(line: str) -> dict[str, str | None]:
    """FIELDS of one object: of a line that is none, or where the type of a field is another than text or a
    number, such as the bytes of a text that is not UTF-8."""
    try:
        found = json.loads(line, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: read_value(found[name]) for name in FIELDS if name in found}


def read_value(value: Any) -> str | None:
    """A field's value as text: of the journal's fields with several values the first; null for an object."""
    if isinstance(value, list):
        if value and all(isinstance(each, int) and 0 <= each < 256 for each in value):
            data = bytes(value)
            try:
                return data.decode("utf-8")
            except UnicodeDecodeError:
                return data.decode("latin-1")
        return read_value(value[0]) if value else None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return read_value(value.get("name")) if isinstance(value.get("name"), str) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if value is None else str(value)


def compose_lines(fields: pl.DataFrame) -> pl.Series:
    """The line that each row of FIELDS holds; null where that is none."""
    text = first_of(fields, TEXT)
    if text.str.contains(r"[\r\n]").any():
        text = text.str.strip_chars_end("\r\n").str.replace_all(INNER_END, "#012")
    pid = first_of(fields, PID).str.extract(r"^(\d+)(?:\.0)?$")
    frame = fields.select(
        first_of(fields, HOST).str.replace_all(r"\s", "_").alias("host"),
        first_of(fields, TAG).str.extract(_TAG_FORM).alias("tag"),
        first_of(fields, PROGRAM).str.replace_all(r"[\s\[\]:]", "_").alias("program"),
        (pl.lit("[") + pid + "]").alias("pid"),
        read_stamps(fields).alias("stamp"),
        text.alias("text"),
        is_entry=pl.col(ENTRY).is_not_null(),
        is_of_container=pl.col(CONTAINER).is_not_null(),
    )
    program = pl.when(pl.col("program") != "").then(pl.col("program") + pl.col("pid").fill_null(""))
    place = pl.col("stamp") + " " + pl.col("host").fill_null("-") + " "
    is_line = pl.col("text").str.contains(_WHOLE) | pl.col("is_of_container")
    line = pl.coalesce(
        pl.when(is_line).then("text"),
        # rsyslog's text begins with what stands behind the tag's colon.
        place + pl.col("tag") + ": " + pl.col("text").str.strip_prefix(" "),
        place + program + ": " + pl.col("text"),
        pl.when(pl.col("text").str.contains(_TAGGED)).then(place + pl.col("text")),
        "text",
        # The journal leaves out a long text unless it is asked for all: that line is cut.
        pl.when("is_entry").then(place + program.fill_null("-") + ":"),
    )
    return frame.select(line.alias("line")).to_series()


def first_of(fields: pl.DataFrame, names: tuple[str, ...]) -> pl.Series:
    """Return each row's first of these fields that it has."""
    used = [name for name in names if fields[name].null_count() < fields.height]
    if not used:
        return pl.Series("none", [None], dtype=pl.String).new_from_index(0, fields.height)
    return fields.select(pl.coalesce(used).alias(used[0])).to_series()


def read_stamps(fields: pl.DataFrame) -> pl.Series:
    """Stamps that syslog's envelope may have: ISO 8601, or the older one without a year; null for none.

    Numbers are seconds, milli-, micro- or nanoseconds since 1970, by how many digits they have.
    """
    stamp = first_of(fields, STAMP)
    digits = stamp.str.extract(r"^(\d+)(?:\.\d+)?$").str.len_bytes()
    frame = pl.DataFrame({"stamp": stamp, "digits": digits})
    written = (
        pl.when(pl.col("stamp").str.contains(f"^{_ISO}$"))
        .then(pl.col("stamp").str.replace(" ", "T", literal=True))
        .when(pl.col("stamp").str.contains(f"^{_BARE}$"))
        .then(pl.col("stamp"))
    )
    if digits.null_count() == len(digits):
        return frame.select(written).to_series()
    micros = pl.lit(None, pl.Int64)
    for least, most, unit in _EPOCHS:
        value = pl.col("stamp").cast(pl.Int64, strict=False)
        if unit != 1.0:
            value = (
                (pl.col("stamp").cast(pl.Float64, strict=False) * unit).round().cast(pl.Int64, strict=False)
            )
        micros = pl.when(pl.col("digits").is_between(least, most)).then(value).otherwise(micros)
    at = micros.cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00")
    return frame.select(pl.coalesce(written, at)).to_series()
