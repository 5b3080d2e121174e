"""Sendmail's log, by syslog: daemon, submission program and queue runners, of release 8.9 and later.

    Nov 24 14:01:53 mx1 sm-mta[27713]: xAOE1rmk027713: from=<sender>, size=812, class=0, nrcpts=1, …
    Nov 24 14:01:54 mx1 sm-mta[27714]: xAOE1rmk027713: to=<a>,<b>, delay=00:00:01, …, dsn=2.0.0, stat=Sent
    Nov 24 14:01:53 mx1 sm-mta[27713]: xAOE1rml027713: ruleset=check_rcpt, arg1=<r>, relay=…, reject=550 …

(Sendmail Installation and Operation Guide, "The System Log".) A queue id ends with the number of the
process that made it. So all lines of an SMTP session, and all that becomes of what it brought, share
host and process, whoever delivers later: that is the assembly key.

Ignored although something is refused, since no line names an attempt to send: `rejecting`, `deferring` and
`delaying connections on daemon`, which the daemon writes whether anybody comes or not; VRFY and EXPN; failed
logins; clients that left (`lost input channel`, `timeout waiting for input`, `did not issue MAIL`).
"""

import numpy as np
import polars as pl

from jobs.base.core.codes import choose_case, choose_code
from jobs.base.core.column_types import ColumnTypes
from jobs.operators.formats import Source
from jobs.operators.formats.format import CopyRules, LineFormat
from jobs.operators.formats.sendmail import lines as read
from jobs.operators.formats.sendmail.events import QUEUE_ID, assemble
from jobs.operators.formats.sendmail.transmission import transmissions
from jobs.operators.formats.shared.fields import select_parsed, typed_columns
from jobs.operators.formats.shared.sample_shares import ANY_SOURCE, sample_lines, share_of
from jobs.operators.formats.shared.syslog import PROGRAMS_BESIDE, split_envelope

NAME = "sendmail"

# Any name may be given with -L; these are the usual ones.
_TAG = r"(?i)^(?:.*/)?(?:sendmail|sm-[a-z-]+|mta|msp|msa)(?:-in|-out|-[a-z]+)?$"
_TYPED = typed_columns(NAME)

_READERS = {
    "from=": read.read_arrivals,
    "to=": read.read_deliveries,
    "ruleset=": read.read_rulesets,
    "Milter": read.read_milters,
    "rejecting ": read.read_greetings,
    "tcpwrappers (": read.read_other_refusals,
    "ERROR: srv_features=": read.read_other_refusals,
    "message size (": read.read_other_refusals,
    "low on space (": read.read_other_refusals,
    "AUTH=server, ": read.read_logins,
}
_QUARANTINE_TEXT = r"^(?:milter=[^,]*, )?quarantine="


def sniff(sample: bytes) -> float:
    """Share of the sample's lines that Sendmail wrote."""
    lines = sample_lines(sample[:262_144]).head(2000)
    opened = _open_lines(lines, ANY_SOURCE)
    good = opened["reason_code"].is_null()
    return share_of(good & opened["is_ours"], lines)


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: an event with its fields; Sendmail's other lines are ignored.

    Lines of programs that log beside a mail server are ignored. Quarantine reasons: bad_timestamp,
    truncated (the envelope, or a from= or to= without its end), unknown_shape (any other program's line).
    """
    frame = lines.select("offset", "line").collect()
    line = frame["line"].fill_null("")
    opened = _open_lines(line, source)
    good = opened["reason_code"].is_null()
    events, cut = _read_events(opened.filter(good & opened["is_ours"]))
    is_cut = np.zeros(frame.height, dtype=bool)
    is_cut[cut.to_numpy()] = True
    reason = choose_case(
        (line.str.strip_chars() == "", None),
        (pl.col("reason_code").is_not_null(), pl.col("reason_code")),
        (pl.Series(is_cut), "truncated"),
        (~pl.col("is_ours") & ~pl.col("tag").str.contains(PROGRAMS_BESIDE), "unknown_shape"),
    )
    whole = opened.with_columns(reason_code=reason, first_at="at").join(
        events, on="row", how="left", maintain_order="left"
    )
    line_code = choose_code(
        quarantined=pl.col("reason_code").is_not_null(),
        record=pl.col("event_code").is_not_null(),
        otherwise="ignored",
    )
    whole = whole.with_columns(frame["offset"], line_code=line_code)
    return select_parsed(whole.lazy(), pl.col("reason_code"), _TYPED)


def _open_lines(line: pl.Series, source: Source) -> pl.DataFrame:
    """row, at, host, tag, pid, reason_code, queue_id, text of each line; is_ours where Sendmail wrote it."""
    envelope = split_envelope(line, source)
    parts = envelope["body"].str.splitn(": ", 2).struct.unnest()
    is_id = (parts["field_0"].str.contains(QUEUE_ID) & parts["field_1"].is_not_null()).fill_null(False)
    no_id = (parts["field_0"] == "NOQUEUE").fill_null(False)
    return envelope.select(
        pl.int_range(pl.len()).alias("row"),
        "at",
        "host",
        "tag",
        "pid",
        "reason_code",
        parts["field_0"].set(~is_id, None).alias("queue_id"),
        parts["field_1"].zip_with(is_id | no_id, envelope["body"]).alias("text"),
        pl.col("tag").str.contains(_TAG).alias("is_ours"),
    )


def _read_events(ours: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """(typed events with their row, rows that are cut)."""
    text, has_id = ours["text"], ours["queue_id"].is_not_null()
    parts, cut = [], [pl.Series(dtype=pl.Int64)]
    rest = pl.Series([True]).new_from_index(0, ours.height)
    for start, reader in _READERS.items():
        fits = text.str.starts_with(start) & (has_id if start in ("from=", "to=") else True)
        rest = rest & ~fits
        typed = reader(ours.filter(fits))
        if "is_cut" in typed.columns:
            cut.append(typed.filter("is_cut")["row"])
            typed = typed.filter(~pl.col("is_cut")).drop("is_cut")
        parts.append(typed)
    other = ours.filter(rest & has_id)
    parts.append(read.read_unknown_users(other.filter(other["text"].str.contains(">... ", literal=True))))
    parts.append(read.read_overflows(other.filter(other["text"] == read.OVERFLOW)))
    parts.append(read.read_notices(other))
    state = choose_code(
        quarantined=pl.col("text").str.contains(_QUARANTINE_TEXT),
        discarded=pl.col("text").str.contains("^discarded?(?:$|,)"),
        aborted=pl.col("text").str.contains(
            r"^collect: (?:premature EOM|.* on connection from |relay=.*, info=)"
        ),
        lost=pl.col("text").str.starts_with("Losing "),
    )
    parts.append(other.select("row", state.alias("event_code")).filter(pl.col("event_code").is_not_null()))
    schema: ColumnTypes = {"row": pl.Int64, **_TYPED}
    for name in ("first_at", "host", "pid", "queue_id"):
        schema.pop(name)
    events = pl.concat([pl.DataFrame(schema=schema), *parts], how="diagonal").select(list(schema))
    refused = events["event_code"] == "refusal"
    if refused.any():
        zone = read.dnsbl_zone(events["reply_text"].set(~refused, None))
        events = events.with_columns(zone.alias("dnsbl_zone"))
    return events, pl.concat(cut)


FORMAT = LineFormat(
    name=NAME,
    title="Sendmail",
    description="Mail log of Sendmail",
    channels=("EMAIL",),
    # Timeout.queuereturn is five days by default, and one of slack.
    lookback_days=6,
    sniff=sniff,
    parse=parse,
    is_mail_log=True,
    assemble=assemble,
    repeats=(
        r": milter=|due to previous checks\)|RCPT flood|ruleset=(?:try_tls|tls_server|tls_rcpt),"
        r"|: (?:VRFY|EXPN) .*\[rejected\]$"
        r"|: Milter (?:accept|add|change|delete|insert|message)"
    ),
    transmissions=transmissions,
    # Host and process, as the key has them; queue ids do not contain the host.
    place=pl.col("assembly_key").str.extract(r"\|([^|]*)$"),
    copies=CopyRules(second_row="carrier"),
)
