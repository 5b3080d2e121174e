"""The syslog envelope that MTAs write their lines in: who wrote a line, where, and when in UTC.

Four renderings are read, and one file may mix them:

    RFC 3164     Nov 24 14:16:30 mx1 postfix/smtpd[227]: body        no year, no zone
    ISO 8601     2026-11-24T14:16:30.260+00:00 mx1 postfix/smtpd[227]: body
    RFC 5424     <22>1 2026-11-24T14:16:30Z mx1 postfix 227 - - body
    year first   2026 Nov 24 14:16:30.123 mx1 postfix/smtpd[227]: body

A `<pri>` before RFC 3164 and the `service | ` that container tools prefix are skipped, and so are the
envelope of a relay around another, and facility and level: `<mail.info>` before the host (FreeBSD's
syslogd -v) or the program, `mail.info` before the program (BusyBox), `[ID 197553 mail.info]` behind it
(Solaris).

A stamp without a year takes the latest year that keeps it at or before the newest line that the file may
hold (RFC 3164 section 4.1.2 has no year). A stamp without an offset is in the source's zone: of two local
times the earlier, and one that the clock skipped moves forward.
"""

import numpy as np
import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.tables.contracts import codelist_rows
from jobs.operators.formats import TIMESTAMP, Source
from jobs.operators.formats.shared.syslog_times import (
    MONTHS,
    days_of,
    iso_times,
    month_length,
    read_clock,
    read_day,
    read_month,
    read_number,
    read_runs,
    times_of,
    yearless_micros,
)

# Programs that log beside a mail server, in the same file: filters, mailboxes, log-in, the system. What
# filters and policy services refuse, the server's own line counts; what a mailbox's rules (Sieve) discard was
# delivered.
_FILTERS = "|".join(row["programs"] for row in codelist_rows("engine").values() if row["programs"])
PROGRAMS_BESIDE = (
    rf"^(?:{_FILTERS}|dovecot|imapd?|pop3d?|cyrus|lmtpunix|saslauthd|openarc|mimedefang|MailScanner|dcc|pyzor"
    r"|fail2ban|procmail|maildrop|mailman|fetchmail|CRON|crond|systemd|rsyslogd|syslogd?|kernel|logger|anacron"
    r"|last message"
    # Policy services, some under the name of the server that calls them.
    r"|(?:[\w-]+/)?(?:milter-)?(?:greylist|postgrey|sqlgrey|policyd|policy-spf|pyspf|spf-?milter|smf-|postfwd"
    r"|cbpolicyd))"
)

HEAD_BYTES = 36
# What stands in a program's place where a relay wrapped a line, and the line that it wrapped.
_STAMP_AS_TAG = rf"^(?:<\d{{1,3}}>)?(?:(?:{'|'.join(MONTHS)})$|1$|\d{{4}}-\d\d-\d\dT\d\d|\d{{4}}$)"
_BARE = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
_STAMP = rf"(?:{_BARE}|\d{{4}}-\d\d-\d\dT\S+|\d{{4}} {_BARE}\S*)"
# Facility and level, in words or numbers, or both in one number.
LEVEL_IN_BRACKETS = r"<[\w.]{1,20}>"
LEVEL = (
    rf"(?:{LEVEL_IN_BRACKETS}"
    r"|(?:kern|user|mail|daemon|auth|authpriv|security|syslog|lpr|news|uucp|cron|ftp|local[0-7])"
    r"\.(?:emerg|panic|alert|crit|err|error|warn|warning|notice|info|debug))"
)
_LEVEL_BEFORE_HOST = rf"^({_STAMP}) {LEVEL_IN_BRACKETS} "
_LEVEL_IN_BODY = r"^\[ID \d+ [\w.]+\] "
_WRAPPED = (
    rf"^(?:{LEVEL_IN_BRACKETS} ?)?{_STAMP} (?:{LEVEL_IN_BRACKETS} )?\S+ (?:{LEVEL} )?"
    rf"((?:<\d{{1,3}}>)?(?:{_BARE} |(?:1 )?\d{{4}}-\d\d-\d\dT|\d{{4}} {_BARE})(?s:.*))$"
)
# So many relays behind each other.
_RELAYS = 3


def split_envelope(lines: pl.Series, source: Source) -> pl.DataFrame:
    """One row per line, in order: at, host, tag, pid, body, reason_code.

    `tag` is the program as logged, without colon, and without pid, which is null where none is logged.
    `reason_code` is bad_timestamp (no rendering fits, or the date does not exist) or truncated (the
    line ends before its text); null for a good envelope. Of a line that a relay wrapped once more, stamp in
    stamp, it is the inner envelope: who wrote the line, where, and when.
    """
    found = _split_outermost(lines, source)
    for _ in range(_RELAYS):
        tags = found["tag"].unique()
        stamps = tags.filter(tags.str.contains(_STAMP_AS_TAG))
        if not len(stamps):
            break
        wrapped = found["tag"].is_in(stamps.implode()).arg_true()
        inner = lines.gather(wrapped).str.extract(_WRAPPED, 1)
        wrapped, inner = wrapped.filter(inner.is_not_null()), inner.drop_nulls()
        # RFC 5424 without its <pri>, which a relay has read.
        inner = inner.str.replace(r"^1 ", "<22>1 ")
        inside = _split_outermost(inner, source).with_columns(row=wrapped.cast(pl.Int64))
        is_good = inside["reason_code"].is_null()
        if not is_good.any():
            break
        inside = inside.filter(is_good)
        lines = lines.scatter(inside["row"], inner.filter(is_good))
        outside = found.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64))
        outside = outside.join(inside, on="row", how="anti")
        found = pl.concat([outside, inside.select(outside.columns)]).sort("row").drop("row")
    return found


def _split_outermost(lines: pl.Series, source: Source) -> pl.DataFrame:
    """One row per line: its outermost envelope."""
    lines = lines.alias("line")
    if lines.str.ends_with("\r").any():
        lines = lines.str.strip_suffix("\r")
    head = _head_bytes(lines)
    forms = _form_of(head)
    odd = np.flatnonzero(forms == 0)
    if len(odd):
        # Only lines that no rendering fits can have something before the stamp.
        stripped = lines.gather(odd).str.replace(rf"^(?:{LEVEL_IN_BRACKETS} ?|\S{{1,80}} +\| )", "")
        lines = lines.scatter(odd, stripped)
        head[odd] = _head_bytes(stripped)
        forms[odd] = _form_of(head[odd])
    marked = np.flatnonzero((head[:, 15:] == 60).any(axis=1) & (forms != 3))
    if len(marked):
        stripped = lines.gather(marked).str.replace(_LEVEL_BEFORE_HOST, "$1 ")
        lines = lines.scatter(marked, stripped)
        head[marked] = _head_bytes(stripped)

    present = [int(code) for code in np.unique(forms)]
    if len(present) == 1:
        return _READERS[present[0]](lines, head, source)
    if not present:
        return _read_nothing(lines, head, source)
    parts = []
    for code in present:
        where = np.flatnonzero(forms == code)
        part = _READERS[code](lines.gather(where), head[where], source)
        parts.append(part.with_columns(pl.Series("row", where, dtype=pl.Int64)))
    return pl.concat(parts).sort("row").drop("row")


def _head_bytes(lines: pl.Series) -> np.ndarray:
    """The first HEAD_BYTES bytes of each line as a matrix, short lines filled with zeros."""
    heads = lines.cast(pl.Binary).bin.head(HEAD_BYTES)
    arrow = heads.to_arrow(compat_level=pl.CompatLevel.oldest())
    count = len(lines)
    matrix = np.zeros((count, HEAD_BYTES), dtype=np.uint8)
    if count == 0:
        return matrix
    _, offset_buffer, data_buffer = arrow.buffers()
    if data_buffer is None:
        return matrix
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[arrow.offset : arrow.offset + count + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8)
    lengths = np.diff(offsets)
    if (lengths == HEAD_BYTES).all():
        return data[offsets[0] : offsets[-1]].reshape(count, HEAD_BYTES).copy()
    filled = np.arange(HEAD_BYTES) < lengths[:, None]
    matrix[filled] = data[offsets[0] : offsets[-1]]
    return matrix


def _form_of(head: np.ndarray) -> np.ndarray:
    """0 none, 1 ISO 8601, 2 RFC 3164, 3 RFC 5424, 4 year first; by bytes that stand fixed."""
    first = head[:, 0]
    digit = (first >= 48) & (first <= 57)
    letter = (first >= 65) & (first <= 90)
    form = np.zeros(len(head), dtype=np.uint8)
    form[digit & (head[:, 4] == 45) & (head[:, 13] == 58)] = 1
    form[letter & (head[:, 3] == 32) & (head[:, 9] == 58) & (head[:, 12] == 58)] = 2
    form[digit & (head[:, 4] == 32) & (head[:, 14] == 58)] = 4
    # "<p>1 ", "<pp>1 ", "<ppp>1 "
    closes = [(head[:, at] == 62) & (head[:, at + 1] == 49) & (head[:, at + 2] == 32) for at in (2, 3, 4)]
    form[(first == 60) & (closes[0] | closes[1] | closes[2])] = 3
    return form


def _build_envelope(at: pl.Series, host: pl.Series, tag: pl.Series, body: pl.Series) -> pl.DataFrame:
    """Put the parts together and take the pid out of `program[pid]:`; few tags, so each once."""
    names = tag.drop_nulls().unique()
    levels = names.filter(names.str.contains(f"^{LEVEL}$"))
    if len(levels):
        rows = tag.is_in(levels.implode()).arg_true()
        behind = _split_blanks(body.gather(rows), 2)
        tag, body = (whole.scatter(rows, part) for whole, part in zip((tag, body), behind, strict=True))
        names = tag.drop_nulls().unique()
    if body.str.starts_with("[ID ").any():
        body = body.str.replace(_LEVEL_IN_BODY, "")
    code = tag.cast(pl.Enum(names)).to_physical()
    columns = {
        "at": at,
        "host": host,
        "tag": names.str.extract(r"^([^\[:]*)").gather(code),
        "pid": names.str.extract(r"\[(\d+)\]").gather(code),
        "body": body,
    }
    frame = pl.DataFrame(columns)
    return _add_reason(frame)


def _add_reason(frame: pl.DataFrame) -> pl.DataFrame:
    reason = choose_code(bad_timestamp=pl.col("at").is_null(), truncated=pl.col("body").is_null())
    return frame.select(
        pl.col("at").cast(TIMESTAMP),
        "host",
        pl.col("tag").fill_null(""),
        "pid",
        pl.col("body").fill_null(""),
        reason.alias("reason_code"),
    )


def _split_blanks(text: pl.Series, count: int) -> list[pl.Series]:
    return text.str.splitn(" ", count).struct.unnest().get_columns()


def split_at_first(texts: pl.Series, separator: str) -> list[pl.Series]:
    """The parts before and behind the first separator; without one the whole text and null.

    The halves are slices of the texts: nothing is copied, as splitn() does.
    """
    text = pl.col("text").cast(pl.Binary)
    place = pl.col("place")
    found = (
        texts.alias("text")
        .to_frame()
        .with_columns(pl.col("text").str.find(separator, literal=True).alias("place"))
    )
    return found.select(
        text.bin.slice(0, place).cast(pl.String).alias("before"),
        text.bin.slice(place + len(separator.encode())).cast(pl.String).alias("behind"),
    ).get_columns()


def _host_tag_body(rest: pl.Series) -> list[pl.Series]:
    """`host tag body`; most files are of one host, which then need not be cut out."""
    host = rest[0].split(" ", 1)[0]
    if host and rest.str.starts_with(host + " ").all():
        return [
            pl.Series([host]).new_from_index(0, len(rest)),
            *split_at_first(rest.str.slice(len(host) + 1), " "),
        ]
    return _split_blanks(rest, 3)


def _read_iso(lines: pl.Series, head: np.ndarray, source: Source) -> pl.DataFrame:
    if (head[:, 32] == 32).all() and not (head[:, :32] == 32).any():
        at = iso_times(lines, head, source)
        return _build_envelope(at, *_host_tag_body(lines.str.slice(33)))
    stamp, host, tag, body = _split_blanks(lines, 4)
    head = head.copy()
    head[:, 32] = np.where(stamp.str.len_bytes().fill_null(0).to_numpy() == 32, head[:, 32], 0)
    return _build_envelope(iso_times(stamp.fill_null(""), head, source), host, tag, body)


def _read_3164(lines: pl.Series, head: np.ndarray, source: Source) -> pl.DataFrame:
    def read_stamps(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        good = np.ones(len(part), dtype=bool)
        return yearless_micros(part, good, source), good

    micros, good = read_runs(head, 0, 15, read_stamps)
    return _build_envelope(times_of(micros, good, source), *_host_tag_body(lines.str.slice(16)))


def _read_year_first(lines: pl.Series, head: np.ndarray, source: Source) -> pl.DataFrame:
    good = np.ones(len(head), dtype=bool)
    year = np.clip(read_number(head, 0, 4, good), 1970, 2200)
    month = read_month(head, 5, good)
    day = read_day(head, 9, good)
    clock = read_clock(head, 12, good)
    good &= (day >= 1) & (day <= month_length(year, month))
    fraction = lines.str.slice(20).str.extract(r"^[.,](\d{1,9})").str.pad_end(6, "0").str.head(6)
    micro = fraction.cast(pl.Int64, strict=False).fill_null(0).to_numpy()
    micros = (days_of(year, month, day) * 86_400 + clock) * 1_000_000 + micro
    _, host, tag, body = _split_blanks(lines.str.slice(20), 4)
    return _build_envelope(times_of(micros, good, source), host, tag, body)


def _read_5424(lines: pl.Series, head: np.ndarray, source: Source) -> pl.DataFrame:
    """RFC 5424: PRI VERSION SP TIME SP HOST SP APP SP PROCID SP MSGID SP DATA [SP MSG]."""
    _, stamp, host, app, pid, _, data, body = _split_blanks(lines, 8)
    short = stamp.fill_null("")
    at = iso_times(short, _head_bytes(short + " "), source)
    frame = pl.DataFrame({"at": at, "host": host, "tag": app, "pid": pid, "data": data, "body": body})
    if frame["data"].str.starts_with("[").any():
        whole = pl.concat_str("data", pl.lit(" "), "body")
        element = r'^(?:\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\])+'
        frame = frame.with_columns(
            body=pl.when(pl.col("data").str.starts_with("["))
            .then(whole.str.replace(element, "").str.strip_prefix(" "))
            .otherwise("body")
        )
    frame = frame.with_columns(
        tag=pl.col("tag").str.extract(r"^([^\[:]*)"),
        pid=pl.coalesce(pl.col("pid").str.extract(r"^(\d+)$"), pl.col("tag").str.extract(r"\[(\d+)\]")),
        # Some writers keep the blank that stood after the tag's colon, or a byte order mark.
        body=pl.col("body").str.strip_chars_start(" \ufeff"),
    )
    return _add_reason(frame)


def _read_nothing(lines: pl.Series, head: np.ndarray, source: Source) -> pl.DataFrame:
    none = pl.lit(None, pl.String)
    return lines.to_frame("line").select(
        pl.lit(None, TIMESTAMP).alias("at"),
        none.alias("host"),
        pl.lit("").alias("tag"),
        none.alias("pid"),
        pl.col("line").alias("body"),
        pl.lit("bad_timestamp").alias("reason_code"),
    )


_READERS = {0: _read_nothing, 1: _read_iso, 2: _read_3164, 3: _read_5424, 4: _read_year_first}
