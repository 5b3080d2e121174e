"""Postfix's mail log: smtpd, cleanup, qmgr, delivery agents, postscreen and dnsblog.

parse() types each line (of a block: records()); assemble() joins lines into one row per lifetime of a
queue file, per refusing SMTP session or per postscreen session; transmissions() counts them. Lines are
recognised by their text, never by the daemon's name: an RFC 5424 rendering may keep only `postfix` of
`postfix/smtpd`.

Line forms are those of Postfix's own sources (src/smtpd, src/cleanup, src/qmgr, src/global/
sent.c, bounce.c and defer.c, src/postscreen, src/dnsblog) as of Postfix 2.8 to 3.10.

What smtpd holds or discards before a queue file exists (`NOQUEUE: hold`, access(5)) is told by a line
just before the one that names the queue file. Where a piece ends between them, held_messages.py joins them.
A message that a filter refuses before the queue (smtpd_proxy_filter) never has a queue file: its
`proxy-reject` line has its client from the `NOQUEUE: client=` line of the same process.
"""

import datetime as dt
import re

import numpy as np
import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.core.column_types import ColumnTypes
from jobs.operators.formats import Source
from jobs.operators.formats.format import CopyRules, Events, LineFormat
from jobs.operators.formats.postfix.assembly import FIELDS as EVENT_FIELDS
from jobs.operators.formats.postfix.assembly import (
    KEY,
    LOOKBACK_DAYS,
    assemble,
    event_times,
    group_by_lifetime,
    has_event_at,
    is_of_several,
    taken_apart,
)
from jobs.operators.formats.postfix.attempts import screen_rows, session_rows
from jobs.operators.formats.postfix.deliveries import queue_file_rows
from jobs.operators.formats.postfix.held_messages import link_held, settle
from jobs.operators.formats.postfix.queue_lines import (
    CODES,
    ID_WORD,
    KINDS,
    PREFIXES,
    QUEUE_READERS,
    read_proxied,
    read_subject,
)
from jobs.operators.formats.postfix.refusals import NOT_IDS, read_refusals, read_session_events
from jobs.operators.formats.shared.fields import stack_mail
from jobs.operators.formats.shared.sample_shares import ANY_SOURCE
from jobs.operators.formats.shared.syslog import split_at_first, split_envelope

NAME = "postfix"

# What a parsed line can carry besides offset, codes, time and place; which of them are set
# depends on event_code.
FIELDS: ColumnTypes = {
    # What the row is of, and what names it beside client_ip: those of a session its process, of a postscreen
    # session its port.
    **dict.fromkeys(("row_code", "queue_id", "process_id", "client_port"), pl.String),
    # The service, the name before the daemon's, has a column of its own.
    **{
        name: kind
        for fields in EVENT_FIELDS.values()
        for name, kind in fields.items()
        if name != "service_name"
    },
    "opener_id": pl.String,  # process of smtpd, where what opened the queue file may stand in another piece
}

_BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_LONG_ID = rf"[{_BASE52}]{{6}}[{_BASE52}]{{4}}z[{_BASE52[:-1]}]+"
_QUEUE_ID = rf"^(?:[0-9A-F]{{6,}}|[{_BASE52}]{{10,}}z[{_BASE52}]+)$"

_DAEMONS = (
    "smtpd|cleanup|qmgr|oqmgr|nqmgr|smtp|lmtp|local|virtual|pipe|error|retry|discard|bounce|defer|trace"
    "|pickup|postscreen|dnsblog|postsuper|postdrop|sendmail|anvil|scache|verify|tlsmgr|tlsproxy|master"
)
_PROGRAM = rf"^(?:postfix[^/]*(?:/.*)?|.*/(?:{_DAEMONS}))$"
_OTHER = len(CODES)

# Texts after a queue id with nothing that is counted.
_QUIET = (
    r"^(?:"
    r"warn|warning|reject_warning|info|filter|redirect|prepend|replace|strip|bcc|pass|delay|dunno"
    r"|milter-|resent-message-id=|skipped|host |lost connection|conversation|connect to|enabling"
    r"|disabling|Cannot start TLS|TLS|Untrusted|Trusted|Verified|Anonymous|SASL|sender|postmaster"
    r"|timeout|table|hash:|improper|too many|request|requeued|released|placed|expired|moved"
    r"|Deleted|Requeued|Placed|Released|status=|removing|sasl_|passing|breaking|certificate"
    r"|re-using|Server certificate|client certificate|trace|start|uid |conn_use|queue file"
    r"|message-size|header|body|nested|mime|save|open|read|write|user|command|virus|quarantined"
    r"|size"
    r")"
)


def sniff(sample: bytes) -> float:
    """Share of the sample's lines that Postfix wrote."""
    text = sample[:262_144].decode("utf-8", errors="replace")
    lines = [line for line in text.split("\n")[:2000] if line.strip()]
    if not lines:
        return 0.0
    envelope = split_envelope(pl.Series("line", lines), ANY_SOURCE)
    good = envelope.filter(pl.col("reason_code").is_null())
    return good.filter(pl.col("tag").str.contains(_PROGRAM)).height / len(lines)


def newest_from_ids(sample: bytes) -> dt.datetime | None:
    """The latest UTC time in the long queue ids of a sample; None without long ids.

    A long id is six base-52 digits of seconds since 1970, four of microseconds, `z` and the inode
    in base 51 (src/global/mail_queue.h).
    """
    newest = None
    for found in re.finditer(rb"[ \]]: ?(" + _LONG_ID.encode() + rb"): ", sample):
        seconds = 0
        for digit in found.group(1)[:6].decode():
            seconds = seconds * 52 + _BASE52.index(digit)
        newest = max(newest or 0, seconds)
    return None if newest is None else dt.datetime.fromtimestamp(newest, tz=dt.UTC)


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line, in order: offset, line_code, reason_code, at, place, event_code, FIELDS.

    reason_code: bad_timestamp, unknown_shape (a queue file's line that no rule reads), truncated (the
    envelope, or a rule's beginning, but not the whole).
    """
    codes, events, envelope = _read_lines(lines.select("offset", "line").collect(), source)
    where = pl.int_range(codes.height, dtype=pl.Int64, eager=True).alias("row")
    typed = where.to_frame().join(events, on="row", how="left", maintain_order="left").drop("row")
    columns = [envelope.select("at", "host"), _split_service_names(envelope["tag"]), typed]
    return pl.concat([codes, *columns], how="horizontal").lazy()


def records(lines: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """offset, line_code and reason_code of each line, and the rows of parse() that are records."""
    codes, events, envelope = _read_lines(lines, source)
    if codes.select((pl.col("line_code") == "record").sum()).item() < events.height:
        is_record = codes.select((pl.col("line_code") == "record").gather(events["row"])).to_series()
        events = events.filter(is_record)
    events = events.sort("row")
    rows = events["row"]
    columns = [
        codes.select(pl.all().gather(rows)),
        envelope.select(pl.col("at", "host").gather(rows)),
        _split_service_names(envelope["tag"].gather(rows)),
        events.drop("row"),
    ]
    return codes, pl.concat(columns, how="horizontal")


def _read_lines(lines: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """(offset, line_code and reason_code of each line, typed events with their row, all envelopes)."""
    envelope = split_envelope(lines["line"], source)
    if "piece" in lines.columns:
        envelope = envelope.with_columns(lines["piece"])
    programs = envelope["tag"].unique()
    programs = programs.filter(programs.str.contains(_PROGRAM))
    is_ours = envelope["tag"].is_in(programs.implode()) & envelope["reason_code"].is_null()
    rows = is_ours.arg_true()
    body = envelope["body"].gather(rows)
    head, text = split_at_first(body, ": ")
    ours = pl.DataFrame({"row": rows.cast(pl.Int64), "body": body, "head": head, "text": text})
    events, unread = _read_events(ours, envelope)
    if events["row"].n_unique() < events.height:
        events = events.unique("row", keep="last", maintain_order=True)
    reason = envelope["reason_code"]
    if reason.null_count() < lines.height:
        reason = reason.set(lines["line"].str.strip_chars() == "", None)
    if len(unread):
        reason = reason.scatter(unread["row"].to_numpy(), unread["reason_code"])
    is_record = np.zeros(lines.height, dtype=bool)
    is_record[events["row"].to_numpy()] = True
    code = choose_code(
        quarantined=pl.col("reason_code").is_not_null(), record="is_record", otherwise="ignored"
    ).alias("line_code")
    codes = pl.DataFrame([lines["offset"], reason.alias("reason_code"), pl.Series("is_record", is_record)])
    return codes.select("offset", code, "reason_code"), events, envelope


def _split_service_names(tag: pl.Series) -> pl.DataFrame:
    """instance and service_name of each line: the first and all parts of the name before the daemon.

    RFC 5424 may leave out the daemon: what is left of `postfix-out/smtpd` names the instance.
    """
    names = tag.unique()
    code = tag.cast(pl.Enum(names)).to_physical()
    return pl.DataFrame(
        {
            "instance": names.str.extract(r"^([^/]+)").gather(code),
            "service_name": names.str.extract(r"^(.+)/[^/]*$").gather(code),
        }
    )


def _read_events(ours: pl.DataFrame, envelope: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(typed events with their row, rows that no rule reads with their reason)."""
    kind = (
        ours["text"]
        .str.head(4)
        .replace_strict(
            list(KINDS),
            [CODES.index(name) for name in KINDS.values()],
            default=_OTHER,
            return_dtype=pl.UInt8,
        )
    )
    kind = kind.fill_null(_OTHER)
    events: list[pl.DataFrame] = []
    cut: list[pl.DataFrame] = []
    is_other = kind == _OTHER
    other = [ours.filter(is_other)]
    # Few heads are no queue ids, and a queue id heads some lines.
    heads = ours["head"].filter(~is_other).unique()
    no_ids = heads.filter(~heads.str.contains(ID_WORD) | heads.is_in(NOT_IDS)).implode()
    # Others say `reject: ` of what is no message.
    may_be_refused = (pl.col("head") == "NOQUEUE") | ~pl.col("head").is_in(no_ids)
    for code, name in enumerate(CODES):
        some = ours.filter(kind == code)
        if some.is_empty():
            continue
        if name in PREFIXES:
            is_form = some.select(PREFIXES[name]).to_series()
            if not is_form.all():
                other.append(some.filter(~is_form))
                some = some.filter(is_form)
        if name == "refusal":
            refused = read_refusals(some, envelope)
            if refused.height < some.height:
                short = some.filter(~pl.col("row").is_in(refused["row"].implode()) & may_be_refused)
                cut.append(short.select("row", pl.lit("truncated").alias("reason_code")))
            events.append(refused)
            continue
        if name == "client":
            proxied = some.filter(pl.col("head") == "NOQUEUE")
            if proxied.height:
                events.append(read_proxied(proxied, envelope))
        # `NOQUEUE: client=` of a before-queue filter, `warning: to=<…`: not a queue file's lines.
        is_id = ~some["head"].is_in(no_ids)
        some = some if is_id.all() else some.filter(is_id)
        typed = QUEUE_READERS[name](some)
        if "is_cut" in typed.columns:
            if typed["is_cut"].any():
                cut.append(typed.filter("is_cut").select("row", pl.lit("truncated").alias("reason_code")))
                typed = typed.filter(~pl.col("is_cut"))
            typed = typed.drop("is_cut")
        events.append(typed)
    rest = pl.concat(other)
    named = rest.filter(pl.col("text").is_not_null() & pl.col("head").str.contains(_QUEUE_ID))
    unread = named.filter(~pl.col("text").str.contains(_QUIET) & ~pl.col("head").is_in(NOT_IDS)).select(
        "row", pl.lit("unknown_shape").alias("reason_code")
    )
    events += read_session_events(rest, envelope)
    events.append(read_subject(rest))
    schema = {"row": pl.Int64, "event_code": pl.String} | FIELDS
    whole = (
        pl.concat([pl.DataFrame(schema=schema), *events], how="diagonal")
        if events
        else pl.DataFrame(schema=schema)
    )
    whole = whole.select(list(schema)).with_columns(pl.col("row_code").fill_null("queue"))
    whole = link_held(whole, envelope)
    return whole, pl.concat([unread, *cut])


def transmissions(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per queue file and recipient, or refused attempt. Rows of one assembly_key must come together.

    A queue file gives one row per recipient as first given (orig_to before to), so that an alias counts
    once: the last status in time of each address, and of an alias's addresses the outcome of highest
    precedence. A queue file that qmgr never took and nobody refused is no message yet: the client gave
    up, or its lines are still to come. What was refused after DATA names at most one recipient.

    A session gives one row per (sender, recipient) that it was refused for, or one without a recipient
    when it was refused before RCPT. A postscreen session counts when it failed a test (PREGREET, DNSBL,
    a command test, a deny list) and did not pass; one that only hung up, or only connected, does not.

    `queue` and `previous_queue` are host|queue id: a re-injection does not tell the instance of the queue
    that it names. Two instances of one host may share a short queue id at one time; long ids do not.
    """
    frame = bronze.collect()
    if (frame["row_code"] == "held").any():
        frame = assemble(settle(frame.lazy())).collect()
    return stack_mail([queue_file_rows(frame), session_rows(frame), screen_rows(frame)], NAME)


FORMAT = LineFormat(
    name=NAME,
    title="Postfix",
    description="Mail log of Postfix and postscreen",
    channels=("EMAIL",),
    lookback_days=LOOKBACK_DAYS,
    sniff=sniff,
    parse=parse,
    is_mail_log=True,
    records=records,
    assemble=assemble,
    repeats=(
        r": (?:reject_warning|warn|info|filter|redirect|prepend|replace|bcc|strip|delay|pass|dunno): "
        r"|: warning: proxy |backwards-compatible|milter-"
    ),
    transmissions=transmissions,
    is_held=pl.col("row_code") == "held",
    settle=settle,
    # A rendering may leave out the path before a daemon's name.
    copies=CopyRules(
        differing=("service_name",),
        last="last_at",
        events=Events(
            key=KEY,
            is_of_several=is_of_several,
            taken_apart=taken_apart,
            by_lifetime=group_by_lifetime,
            event_times=event_times,
            has_event_at=has_event_at,
        ),
    ),
    newest_from_ids=newest_from_ids,
)
