"""Exim's mainlog and rejectlog, in files of Exim's own or by syslog.

    2026-11-24 14:01:52[.123] [+0100 ][[pid] ]1xVr5k-0000000001N-3Vdn <= sender H=name (helo) [ip] …

(Exim specification, chapter 53.) A message id has 6-6-2 signs of base 62, since 4.97 6-11-4. The rejectlog
repeats lines of the mainlog, each followed by the message's envelope and headers: the envelope tells its
recipients (headers.py), the headers are ignored by their shape, wherever a file was cut.

Time. A stamp with an offset is believed; another one is the wall clock of the source's zone. An id holds
the UTC second in which its message began to come in. Where the source's zone puts a message's arrival
elsewhere, transmission.py believes the id and moves all events of that message by whole quarters of
an hour. Lines without an id keep the source's zone, since what other lines tell of it would depend on
where a file was cut; offset_from_ids() tells whoever configures the source.
"""

import numpy as np
import polars as pl

from jobs.base.core.codes import choose_case, choose_code
from jobs.base.core.column_types import ColumnTypes
from jobs.operators.formats import TIMESTAMP, Source
from jobs.operators.formats.exim import lines as read
from jobs.operators.formats.exim import refusals as refused
from jobs.operators.formats.exim.events import assemble, verdicts
from jobs.operators.formats.exim.headers import OWNING, read_envelopes, settle
from jobs.operators.formats.exim.times import ID, offset_from_ids
from jobs.operators.formats.exim.transmission import transmissions
from jobs.operators.formats.format import CopyRules, LineFormat
from jobs.operators.formats.shared.fields import typed_columns
from jobs.operators.formats.shared.sample_shares import ANY_SOURCE
from jobs.operators.formats.shared.syslog import PROGRAMS_BESIDE, split_envelope
from jobs.operators.formats.shared.syslog_times import convert_to_utc

NAME = "exim"

_TYPED = typed_columns(NAME)
_STAMP = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
_SYSLOG_STAMP = r"^(?:<\d+>(?:1 )?)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:|\d{4}-\d\d-\d\dT)"
_AFTER_STAMP = r"^(?:\.(?P<fraction>\d{1,6})\d*)?(?: (?P<zone>[+-]\d{4}))?(?: \[(?P<pid>\d+)\])?(?: |$)"
# A record of the rejectlog: its envelope, then header lines with their type, then folded lines.
_HEADER = r"^(?:\s|Envelope-(?:from|to): |[A-Z*] [!-9;-~]+[ \t]*:|\*\*\* )"
_TAG = r"^(?:.*/)?exim\d?$"
# Syslog cuts long records: `[1/3] ` within a line, `[1\11] ` at line ends (specification, 53.2).
_PIECE = r"^\[(\d+)[/\\]\d+\] "
_MESSAGE_ID = rf"^{ID}$"

# What Exim begins lines with that have no id, but for an ACL's own words.
_OWN_WORDS = (
    r"^(?:exim \d|(?:Start|End) queue run|[HFUI]=|(?:temporarily )?(?:rejected|refused) |refused connection"
    r"|[Cc]onnection (?:from|to)|SMTP (?:connection|call|command|data|protocol|syntax|input|>|<)"
    r"|TLS |unexpected |incomplete |no (?:host name|IP address|MAIL in|TLS|HELO)|\S+ authenticator |auth_"
    r"|SIGHUP|pid \d+|daemon|cwd=|\d+ args|[Ww]arning: |[Ff]ailed |[Ff]ailure |[Cc]ould not |[Uu]nable to "
    r"|[Cc]annot |lost |host |sender |recipient |ident |lowest |malware|spam acl|DKIM|SPF|DMARC|ARC|DNS|dns"
    r"|DANE|ratelimit|ETRN|VRFY|EXPN|queue |socket |accept|listen|config|retry |hints|Berkeley|database"
    r"|Process |process |child |exec|expan|list |no such|too many |[Ee]rror |[Tt]imed? ?out|GnuTLS|OpenSSL"
    r"|LMTP|X=|tls|Exim |re-exec|user |invalid |no default |re-initial|SA: |DS H=|unqualified |overlong "
    r"|ridiculously )"
)

_SURE_WORDS = (
    r"^(?:exim \d|(?:Start|End) queue run: pid=|no host name found for IP address|SMTP connection from"
    r"|\S+ authenticator failed for .*\[[0-9A-Fa-f.:]+\].*: [45]\d\d "
    r"|(?:H=|F=|SMTP protocol |temporarily )?.*\b(?:rejected (?:RCPT|MAIL|EHLO|HELO|connection|after DATA)"
    r"|sender verify (?:fail|defer)|discarded by (?:RCPT|MAIL) ACL)\b)"
)

# Lines with an id by the first two signs of what follows it.
_KINDS = {
    "<=": "arrival",
    "=>": "delivery",
    "->": "delivery",
    ">>": "delivery",
    "*>": "delivery",
    "**": "failure",
    "==": "failure",
}
_READERS = {"arrival": read.read_arrivals, "delivery": read.read_deliveries, "failure": read.read_failures}
_ESCAPED = ["sender", "recipient", "original_recipient", "reply_text"]


def sniff(sample: bytes) -> float:
    """Share of the sample's stamped lines that Exim wrote; 0 where none did.

    Other programs stamp their lines the same, so that a message id or Exim's own words decide.
    """
    lines = pl.Series("line", sample.decode("utf-8", "replace").splitlines(), dtype=pl.String)
    frame = _open_lines(lines, ANY_SOURCE)
    stamped = frame["at"].is_not_null() | lines.str.contains(_SYSLOG_STAMP)
    is_sure = frame["queue_id"].is_not_null() | frame["text"].str.contains(_SURE_WORDS)
    own = frame["at"].is_not_null() & is_sure & ~frame["is_other"]
    return int(own.sum()) / max(int(stamped.sum()), 1)


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: an event with its fields; other lines of Exim and headers are ignored.

    Quarantine reasons: bad_timestamp (no time, or one that cannot be, and no header's shape), truncated
    (a stamp and no text, or an arrival or delivery without its address), unknown_shape (another
    program's line, or words without an id that are none of Exim's).
    """
    frame = lines.select("offset", "line").collect()
    codes, rows, found = _read_lines(frame, source)
    position = np.full(frame.height, -1, dtype=np.int64)
    position[rows.to_numpy()] = np.arange(len(rows))
    where = pl.Series("where", position)
    # Rows that are no record get nulls.
    typed = found.clear(frame.height) if found.is_empty() else found[where.set(where < 0, None)]
    return pl.concat([codes, typed], how="horizontal").lazy()


def records(lines: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """offset, line_code and reason_code of each line, and the rows of parse() that are records."""
    codes, rows, found = _read_lines(lines, source)
    order = pl.DataFrame([rows.alias("row")]).with_row_index("event").sort("row", "event")
    order = order.unique("row", keep="last", maintain_order=True)
    whole = pl.concat([codes[order["row"]], found[order["event"]]], how="horizontal")
    return codes, whole.filter(pl.col("line_code") == "record")


def _read_lines(frame: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.Series, pl.DataFrame]:
    """(offset, line_code and reason_code of each line, places of the lines with an event, their columns)."""
    line = frame["line"].fill_null("")
    if line.str.ends_with("\r").any():
        line = line.str.strip_suffix("\r")
    # Most of a rejectlog is headers.
    is_header = line.str.contains(_HEADER)
    others = (~is_header).arg_true()
    opened = _open_lines(line.gather(others), source)
    events, cut = _read_events(
        opened.filter(pl.col("at").is_not_null() & pl.col("is_known") & ~pl.col("is_other"))
    )
    is_cut = np.zeros(opened.height, dtype=bool)
    is_cut[cut.to_numpy()] = True
    reason = opened.select(
        choose_case(
            (pl.col("is_piece") | (pl.col("text").str.strip_chars() == "") & ~pl.col("is_stamped"), None),
            (pl.col("at").is_null(), "bad_timestamp"),
            (pl.Series(is_cut) | (pl.col("text") == ""), "truncated"),
            (~pl.col("is_known"), "unknown_shape"),
        )
    ).to_series()
    rows = events["row"]
    host = source.options.get("host")
    places = opened.select("at", "host", "log_stamp", "pid", "queue_id")[rows].with_columns(
        pl.coalesce("host", pl.lit(host, pl.String)).alias("host"), first_at="at"
    )
    typed = pl.concat([places, events], how="horizontal")
    typed = typed.select(pl.col(name).cast(kind) for name, kind in _TYPED.items())
    places_of, typed = _add_envelopes(frame, is_header, others, opened, others.gather(rows), typed, source)
    is_record = np.zeros(frame.height, dtype=bool)
    is_record[places_of.to_numpy()] = True
    codes = frame.select(
        "offset",
        pl.when(pl.Series(is_record)).then(pl.lit("record")).otherwise(pl.lit("ignored")).alias("line_code"),
        pl.lit(None, pl.String).alias("reason_code"),
    )
    bad = reason.is_not_null()
    if bad.any():
        of_bad = others.filter(bad)
        codes = codes.with_columns(
            codes["line_code"].scatter(of_bad, "quarantined"),
            codes["reason_code"].scatter(of_bad, reason.filter(bad)),
        )
    return codes, places_of, typed


def _add_envelopes(
    frame: pl.DataFrame,
    is_header: pl.Series,
    others: pl.Series,
    opened: pl.DataFrame,
    places: pl.Series,
    typed: pl.DataFrame,
    source: Source,
) -> tuple[pl.Series, pl.DataFrame]:
    """The places and columns of events and of the envelopes after them; end_offset where one may follow.

    Args:
        is_header: of each line whether it belongs to the envelope or the headers of a message.
        others: the places of the lines that are not.
        opened: stamp, host, process and queue id of these others.
        places, typed: the place and the columns of each event.
    """
    is_owner = typed["event_code"].is_in(OWNING) & typed["queue_id"].is_not_null()
    is_last = (places == max(frame.height - 1, 0)) & is_owner
    if is_last.any():
        end = frame["offset"][-1] + (frame["line"].str.len_bytes()[-1] or 0) + 1
        typed = typed.with_columns(end_offset=pl.when(is_last).then(pl.lit(end, pl.Int64)))
    if not is_header.any():
        return places, typed
    owned = np.zeros(frame.height, dtype=bool)
    owned[places.filter(is_owner).to_numpy()] = True
    owners = opened.select(
        others.alias("place"), "queue_id", "host", "log_stamp", "pid", first_at="at"
    ).with_columns(pl.coalesce("host", pl.lit(source.options.get("host"), pl.String)).alias("host"))
    owners = owners.with_columns(is_owner=pl.Series(owned[others.to_numpy()]))
    newest = pl.lit(source.newest_at, TIMESTAMP)
    found = read_envelopes(frame["line"].fill_null(""), frame["offset"], is_header, owners, newest)
    envelopes = found.select(
        (pl.col(name) if name in found.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in _TYPED.items()
    )
    return places.append(found["place"].cast(places.dtype)), pl.concat([typed, envelopes])


def _open_lines(line: pl.Series, source: Source) -> pl.DataFrame:
    """row, at, host, log_stamp, pid, queue_id, text of each line.

    is_stamped: the stamp is Exim's own; is_piece: syslog cut the record, and this is its rest; is_known:
    Exim wrote it, or a program that logs beside it; is_other: such a program did.
    """
    own = line.str.contains(_STAMP)
    host = pl.Series("host", [None], dtype=pl.String).new_from_index(0, len(line))
    at = pl.Series("at", [None], dtype=TIMESTAMP).new_from_index(0, len(line))
    # scatter() works in place, so that each column is one of its own.
    pid = host.clone()
    is_piece, is_other, is_beside = (pl.Series([False]).new_from_index(0, len(line)) for _ in range(3))
    by_syslog = (~own).arg_true()
    if len(by_syslog):
        envelope = split_envelope(line.gather(by_syslog), source)
        good = envelope["reason_code"].is_null()
        where, envelope = by_syslog.filter(good), envelope.filter(good)
        at = at.scatter(where, envelope["at"])
        is_ours = envelope["tag"].str.contains(_TAG)
        is_other = is_other.scatter(where.filter(~is_ours), True)
        is_beside = is_beside.scatter(where.filter(envelope["tag"].str.contains(PROGRAMS_BESIDE)), True)
        where, envelope = where.filter(is_ours), envelope.filter(is_ours)
        piece = envelope["body"].str.extract(_PIECE).cast(pl.Int64, strict=False)
        line = line.clone().scatter(where, envelope["body"].str.replace(_PIECE, ""))
        host = host.scatter(where, envelope["host"])
        pid = pid.scatter(where, envelope["pid"])
        is_piece = is_piece.scatter(where.filter((piece > 1).fill_null(False)), True)
        own = line.str.contains(_STAMP)
    rest = line.zip_with(~own, line.str.slice(19))
    parts = _split_stamps(rest, own)
    text = parts["text"]
    word = text.str.splitn(" ", 2).struct.unnest()
    is_id = word["field_0"].str.contains(_MESSAGE_ID).fill_null(False)
    stamp = line.str.head(19).set(~own, None)
    stamp = stamp.zip_with(parts["more"].is_null(), stamp + parts["more"])
    unnamed = (~is_id).arg_true()
    is_known = is_id.clone().scatter(unnamed, text.gather(unnamed).str.contains(_OWN_WORDS))
    columns = {
        "row": pl.int_range(len(line), eager=True),
        "at": _stamp_times(line, own, parts, source).zip_with(own, at),
        "host": host,
        "log_stamp": stamp,
        "pid": parts["pid"].zip_with(parts["pid"].is_not_null(), pid),
        "queue_id": word["field_0"].set(~is_id, None),
        "text": text.zip_with(~is_id, word["field_1"].fill_null("")),
        "is_stamped": own,
        "is_piece": is_piece,
        "is_other": is_other,
        "is_known": is_beside | (~is_other & is_known),
    }
    return pl.DataFrame(columns)


def _split_stamps(rest: pl.Series, own: pl.Series) -> pl.DataFrame:
    """text, pid, and of the stamp: more (as logged), fraction, zone. Most lines have none of these."""
    none = pl.Series([None], dtype=pl.String).new_from_index(0, len(rest))
    columns = {"text": rest.str.strip_prefix(" ").zip_with(own, rest)}
    # scatter() works in place, so that each column is one of its own.
    columns |= {name: none.clone() for name in ("pid", "more", "fraction", "zone")}
    odd = (own & rest.str.contains(r"^(?:\.| [+\-\[])")).arg_true()
    if len(odd):
        some = rest.gather(odd)
        found = some.str.extract_groups(_AFTER_STAMP).struct.unnest()
        zone = (" " + found["zone"]).fill_null("")
        found = found.with_columns(more=("." + found["fraction"]).fill_null("") + zone)
        found = found.with_columns(text=some.str.replace(_AFTER_STAMP, ""))
        columns = {name: column.scatter(odd, found[name]) for name, column in columns.items()}
    return pl.DataFrame(columns)


def _stamp_times(line: pl.Series, own: pl.Series, parts: pl.DataFrame, source: Source) -> pl.Series:
    """UTC times of the stamps; null where there is none or it cannot be."""
    wall = (
        line.str.head(19).set(~own, None).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    )
    if parts["fraction"].null_count() < len(line):
        micros = parts["fraction"].str.pad_end(6, "0").cast(pl.Int64).fill_null(0)
        wall = wall + micros.cast(pl.Duration("us"))
    exact = wall.dt.replace_time_zone("UTC")
    zone = parts["zone"]
    if zone.null_count() < len(line):
        minutes = zone.str.slice(1, 2).cast(pl.Int64) * 60 + zone.str.slice(3, 2).cast(pl.Int64)
        east = (minutes * 60_000_000).zip_with(~zone.str.starts_with("-"), minutes * -60_000_000)
        exact = exact - east.fill_null(0).cast(pl.Duration("us"))
        if zone.null_count() == 0:
            return exact
    if source.time_zone in ("UTC", "Etc/UTC"):
        return exact
    return convert_to_utc(wall, source.time_zone).zip_with(zone.is_null(), exact)


def _read_events(opened: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """(typed events with their row, rows that are cut)."""
    with_id = opened["queue_id"].is_not_null()
    kind = (
        opened["text"]
        .str.head(2)
        .set(~with_id, None)
        .replace_strict(_KINDS, default=None, return_dtype=pl.String)
    )
    parts, cut = [], [pl.Series(dtype=pl.Int64)]
    for name, reader in _READERS.items():
        some = opened.filter(kind == name)
        if some.is_empty():
            continue
        typed = reader(some)
        if typed["is_cut"].any():
            cut.append(typed.filter("is_cut")["row"])
            typed = typed.filter(~pl.col("is_cut"))
        parts.append(typed.drop("is_cut"))
    rest = opened.filter(kind.is_null())
    text, has_id = rest["text"], rest["queue_id"].is_not_null()
    says_rejected = text.str.contains("rejected", literal=True)
    discarded = text.str.contains(": discarded by ", literal=True) & ~says_rejected
    closed = ~has_id & refused.is_closed_door(text)
    verdict = has_id & text.str.starts_with("SA: ")
    rejected = rest.filter(says_rejected & ~verdict & ~closed)
    parts.append(refused.read_refusals(rejected))
    parts.append(refused.read_other_refusals(rejected))
    parts.append(refused.read_single_refusals(rest.filter(has_id & text.str.starts_with("PRDR "))))
    parts.append(refused.read_discards(rest.filter(discarded & ~has_id & ~closed)))
    parts.append(refused.read_closed_doors(rest.filter(closed)))
    parts.append(read.read_verdicts(rest.filter(verdict)))
    parts.append(_read_states(rest.filter(has_id)))
    schema: ColumnTypes = {"row": pl.Int64, **_TYPED}
    for name in ("first_at", "host", "log_stamp", "pid", "queue_id"):
        schema.pop(name)
    events = pl.concat([pl.DataFrame(schema=schema), *parts], how="diagonal").select(list(schema))
    return events.with_columns(read.unescape_text(events[name]).alias(name) for name in _ESCAPED), pl.concat(
        cut
    )


def _read_states(rest: pl.DataFrame) -> pl.DataFrame:
    """The outcome of a message as a whole: completed, frozen by an ACL, or given up while frozen."""
    text = pl.col("text")
    state = choose_code(
        completed=text.str.contains("^Completed(?: |$)"),
        frozen=text.str.contains("^(?:no immediate delivery: )?frozen by "),
        cancelled=text.str.starts_with("cancelled by timeout_frozen_after"),
    )
    return rest.select("row", state.alias("event_code")).filter(pl.col("event_code").is_not_null())


FORMAT = LineFormat(
    name=NAME,
    is_read_alone=True,
    title="Exim",
    description="Mainlog and rejectlog of Exim",
    joined=r"#012(?:Envelope-(?:from|to): |[ *A-Z] [!-9;-~]+[ \t]*:)",
    channels=("EMAIL",),
    # Exim's default retry rule gives up after four days, bounces are frozen and dropped after seven.
    lookback_days=8,
    sniff=sniff,
    parse=parse,
    is_mail_log=True,
    records=records,
    assemble=assemble,
    repeats=(
        r"closed by DROP in ACL|sender verify (?:fail|defer)| Warning: |Temporary rejection given"
        r"|^(?:\s|Envelope-|[A-Z*] [!-9;-~]+[ \t]*:|\*\*\* )"
    ),
    transmissions=transmissions,
    verdicts=verdicts,
    rules_of=("spamassassin", "clamav"),
    is_held=pl.col("assembly_key").str.starts_with("cut|"),
    settle=settle,
    # mainlog, rejectlog and syslog have options of their own.
    copies=CopyRules(
        names_hosts=True,
        differing=("host", "log_stamp", "pid", "client_port"),
        stamp="log_stamp",
        has_stable_key=True,
    ),
    options=("host",),
    offset_from_ids=offset_from_ids,
)
