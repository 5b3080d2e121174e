"""Log formats: one kernel each, which holds everything about its format and no engine.

Any room above may import it. A kernel works on Polars frames: tests, `sniff` and the engines call the same
functions. Its module ends with FORMAT, a Format (jobs/formats/format.py) that names its functions; the
registry finds it. This module has the rows that they take and return. Each family of formats has a folder;
`shared` has what families share.

Files of whole reports (XML, mails, archives of them) are documents. read() gets a whole file. It opens
archives and mails in memory, never holds more than limit_bytes of what came out of an archive, and raises on
no bytes whatever: what it cannot read is a Document with a reason. File names, of the file and inside
archives, are data and open nothing. In the ledger a document counts as a line does, its `offset` being its
number in the file, from 0; frame_of() of jobs/formats/shared/documents.py places rows.

CONTRIBUTING.md lists what else to touch when a format is added.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from jobs.core.attributes import ATTRIBUTES

# A stamp so long after the later of its file's own time and the time it was landed is from the future.
AHEAD = dt.timedelta(days=2)


@dataclass(frozen=True)
class Source:
    """What a kernel must know of the file that its lines come from.

    newest_at: no line is newer than this UTC time; a stamp without a year takes the latest year
        that keeps it before. It comes from the ids in the file, its time and its rotation order.
    time_zone: IANA name of the zone in which stamps without an offset are written.
    clock_offset: seconds by which the host's clock was ahead; ingest takes them off all times.
    options: the options that the source has in observatory.toml for its format.
    head: the last line before the piece that says how its lines are to be read, of a format that has such.
    numbers_of: the country (ISO 3166-1 alpha-3) in whose national format numbers without + are; null where
        they are E.164.
    latest_at: a stamp after this UTC time is from the future; null where every stamp is taken.
    newest_from: of lines of several files the earliest newest_at, of which newest_at is then the latest.
    """

    operator_id: str
    source_id: str
    stream_id: str
    newest_at: dt.datetime
    time_zone: str = "UTC"
    clock_offset: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    head: str | None = None
    numbers_of: str | None = None
    latest_at: dt.datetime | None = None
    newest_from: dt.datetime | None = None

    @property
    def bound_at(self) -> dt.datetime:
        """The latest time that a document may name."""
        return self.latest_at or self.newest_at + AHEAD


class FilesDiffer(Exception):
    """Lines of several files must be read file by file: what a stamp means differs between these."""


@dataclass(frozen=True)
class Document:
    """One report of a file: its rows, or why it was quarantined; ignored without either.

    rows: columns of the format's BRONZE but for the place (operator_id, source_id, stream_id, offset).
    text: of a quarantined one, how it starts, with addresses, numbers and control signs masked.
    size: bytes of the document as it was read, out of its archive.
    """

    rows: tuple[dict[str, Any], ...] = ()
    reason_code: str | None = None
    text: str = ""
    size: int = 0

    @property
    def line_code(self) -> str:
        """What the ledger counts it as: record, ignored or quarantined."""
        if self.reason_code is not None:
            return "quarantined"
        return "record" if self.rows else "ignored"


# What parse() gets: one row per line, in file order. `offset` is the byte at which the line starts
# in its stream; `line` has no line end. Lines of several small files follow each other, and their offsets
# count on; records() gets `piece` beside them, which file each is of.
LINES: dict[str, Any] = {"offset": pl.Int64, "line": pl.String}

# The columns that parse() adds to every line. `line_code` is record, ignored or quarantined;
# `reason_code` says why a line was quarantined.
PARSED: dict[str, Any] = {"offset": pl.Int64, "line_code": pl.String, "reason_code": pl.String}

TIMESTAMP = pl.Datetime("us", "UTC")

# Where the line of a row stands: the columns with which every bronze table begins.
PLACE: dict[str, Any] = {
    "operator_id": pl.String,
    "source_id": pl.String,
    "stream_id": pl.String,
    "offset": pl.Int64,
}

# Of several outcomes the first in this list stands for all: a message's recipients, an alias's addresses.
PRECEDENCE = [
    "delivered",
    "tagged",
    "quarantined",
    "discarded",
    "rejected",
    "bounced",
    "expired",
    "deferred",
    "queued",
]

# One row per queue file and envelope recipient, or per refused attempt: what transmissions() gives.
# Everything here is raw; jobs/protect/pseudonyms.py is the only reader.
TRANSMISSION: dict[str, Any] = {
    **PLACE,  # offset: first line that told of this row
    "format_code": pl.String,
    "channel_code": pl.String,  # EMAIL, SMS, VOICE_IP, VOICE_CS, IM
    "grain_code": pl.String,  # recipient: a message existed; attempt: refused before one did; call
    "entry_code": pl.String,  # smtp, submission, pickup, dsn, reinjection, link, box, report
    "session": pl.String,  # raw key of the SMTP session or link bind; null where the log has none
    "queue": pl.String,  # host|queue id; null for attempts; of calls a digest of their key
    "queue_id": pl.String,  # the bare queue id, as a filter would log it
    "previous_queue": pl.String,  # host|queue id that this one was re-injected from
    "next_queue_id": pl.String,  # bare queue id that the receiver of this row answered with
    "is_handoff": pl.Boolean,  # the delivery was to a filter or to this very server, not to a mailbox
    "message_id": pl.String,  # without the outer angle brackets; null when empty or missing
    "sender": pl.String,  # envelope sender or calling number; '' for the null sender
    "recipient": pl.String,  # envelope recipient as first given (orig_to before to), or called number
    "client_ip": pl.String,
    "client_name": pl.String,
    "helo": pl.String,
    "is_authenticated": pl.Boolean,
    "inbound_link": pl.String,  # SMSC id, else null: the client address is the link
    "outbound_link": pl.String,  # SMSC id, or relay host as logged (name[ip]:port)
    "cell_id": pl.String,  # that it was sent from; null for all but messages and calls of a mobile network
    "account": pl.String,  # customer or service that submitted it (Kannel SVC/ACT, SASL user)
    "first_at": TIMESTAMP,
    "last_at": TIMESTAMP,
    "stage_code": pl.String,  # connect, envelope, content, delivery
    "outcome_code": pl.String,  # delivered, tagged, quarantined, discarded, rejected, deferred, ...
    "reply_code": pl.String,  # three digits of SMTP or SIP, SMPP status as 0x + 8 hex, DLR stat, map_error 27
    "dsn_code": pl.String,  # enhanced status, such as 5.7.1
    "reply_text": pl.String,  # refusal or deferral text; what rules on reject_text match
    "log_text": pl.String,  # the line after `daemon[pid]: `, for rules on log_text; refusals only
    "dnsbl_zone": pl.String,  # list named by the refusal, lower case
    "dnsbl_code": pl.String,  # its return code where logged, such as 127.0.0.2
    "event": pl.String,  # Kannel's event words, Asterisk's disposition
    "text": pl.String,  # SMS text, decoded; null for mail
    "subject": pl.String,  # of a mail, where the server logs it; its type and signature alone go on
    "display_name": pl.String,  # that a caller shows; null for all but calls
    "category": pl.String,  # a firewall's own word for what it is about
    "message_bytes": pl.Int64,
    "segment_count": pl.Int32,  # SMS parts; null for mail
    "try_count": pl.Int32,  # delivery tries seen for this row
    "is_partial": pl.Boolean,  # the log names fewer recipients than the message had, or may have had
    "user_agent": pl.String,  # of the call's first request
    "verstat": pl.String,  # TN-Validation-Passed and the like, where the log has a verification's result
    "attestation": pl.String,  # A, B or C as claimed in the PASSporT, unchecked; null for all but calls
    "origid": pl.String,  # the PASSporT's origination id: where the call came in, by its signer's own name
    "talk_us": pl.Int64,  # whole microseconds from answer to end; null for what is no answered call
    "join_quality": pl.String,  # exact, by_message_id, by_numbers, none: an SMS and its report, a call's rows
}

# One row per verdict of a filter on a message: what verdicts() gives.
VERDICT: dict[str, Any] = {
    **PLACE,
    "format_code": pl.String,
    "engine_code": pl.String,  # rspamd
    "verdict_at": TIMESTAMP,
    "queue_id": pl.String,
    "message_id": pl.String,
    "sender": pl.String,
    "recipients": pl.List(pl.String),
    "client_ip": pl.String,
    "action": pl.String,  # as the engine names it
    "is_spam": pl.Boolean,
    "score": pl.Float64,  # null when not a number
    "required_score": pl.Float64,
    "symbols": pl.List(pl.String),  # names only, in log order
    "digest": pl.String,
    "fuzzy": pl.String,  # the hash of a fuzzy storage that the text is most like; null where like none
    "subject": pl.String,  # as the engine logs it
    "message_bytes": pl.Int64,
    "filter_us": pl.Int64,  # the filter's own time, whole microseconds
}

# One row per complaint about a message: what complaints() gives.
COMPLAINT: dict[str, Any] = {
    **PLACE,
    "format_code": pl.String,
    "channel_code": pl.String,  # EMAIL, SMS
    "feedback_type_code": pl.String,  # abuse, fraud, virus, auth-failure, ..., sms-7726
    "reported_at": TIMESTAMP,
    "arrival_at": TIMESTAMP,  # when the message itself came; null where not told
    "reporter": pl.String,  # sender of the report: a mailbox provider's address, a subscriber's number
    "agent": pl.String,  # program that wrote the report
    "sender": pl.String,  # of the message: envelope sender, '' for the null sender; number or name of an SMS
    "header_from": pl.String,  # of the message: From address
    "recipients": pl.List(pl.String),  # of the message; often redacted (RFC 6590)
    "client_ip": pl.String,  # that the message came from
    "inbound_link": pl.String,  # SMSC id that the report came by
    "message_id": pl.String,  # of the message, without angle brackets
    "incident_count": pl.Int64,  # messages that the complaint stands for
    "delivery_result": pl.String,  # RFC 6591: what became of the message
    "auth_failure": pl.String,  # RFC 6591: what failed
    "reported_domains": pl.List(pl.String),
    "text": pl.String,  # subject and text of the message, as far as the report has them
}

# One row per fact that the operator knows beside its logs: what facts() gives.
FACT: dict[str, Any] = {
    **PLACE,
    "first_at": TIMESTAMP,  # start of the UTC day that it is about
    "queue_id": pl.String,
    "message_id": pl.String,
    "sender": pl.String,
    "recipient": pl.String,
    **{name: pl.Boolean if kind == "boolean" else pl.String for name, kind in ATTRIBUTES.items()},
}

DKIM_RESULTS = pl.List(pl.Struct({"domain": pl.String, "selector": pl.String, "result": pl.String}))
SPF_RESULTS = pl.List(pl.Struct({"domain": pl.String, "scope": pl.String, "result": pl.String}))
OVERRIDES = pl.List(pl.Struct({"type": pl.String, "comment": pl.String}))

# One row per record of a DMARC aggregate report: what authentication_reports() gives. Words are as
# reported, in lower case.
AUTHENTICATION_REPORT: dict[str, Any] = {
    **PLACE,
    "report_org": pl.String,  # who reports
    "report_email": pl.String,
    "report_id": pl.String,  # unique with report_org
    "record_number": pl.Int64,  # place of the record in its report, from 1
    "begin_at": TIMESTAMP,
    "end_at": TIMESTAMP,
    "policy_domain": pl.String,  # domain whose policy was applied
    "policy": pl.String,  # p: none, quarantine, reject
    "subdomain_policy": pl.String,  # sp
    "nonexistent_policy": pl.String,  # np (RFC 9989)
    "policy_percent": pl.Int32,  # pct; null where not told
    "policy_test": pl.String,  # t or testing: y, n
    "dkim_mode": pl.String,  # adkim: r, s
    "spf_mode": pl.String,  # aspf
    "discovery_method": pl.String,  # psl, treewalk (RFC 9990)
    "client_ip": pl.String,
    "message_count": pl.Int64,
    "disposition": pl.String,  # none, pass, quarantine, reject
    "dkim_evaluated": pl.String,  # pass: an aligned DKIM signature passed
    "spf_evaluated": pl.String,  # pass: SPF passed for an aligned domain
    "overrides": OVERRIDES,  # why the policy was not applied
    "header_from": pl.String,
    "envelope_from": pl.String,
    "envelope_to": pl.String,
    "dkim_results": DKIM_RESULTS,
    "spf_results": SPF_RESULTS,
}
