"""Log formats: one kernel each, which holds everything about its format and no engine.

Any room above may import it. A kernel works on Polars frames: tests, `sniff` and the engines call the same
functions. Its module ends with FORMAT, a Format (jobs/operators/formats/format.py) that names its functions;
the registry finds it. This module has the rows that they take and return. Each family of formats has a
folder; `shared` has what families share.

Files of whole reports (XML, mails, archives of them) are documents. read() gets a whole file. It opens
archives and mails in memory, never holds more than limit_bytes of what came out of an archive, and raises on
no bytes whatever: what it cannot read is a Document with a reason. File names, of the file and inside
archives, are data and open nothing. In the ledger a document counts as a line does, its `offset` being its
number in the file, from 0; frame_of() of jobs/operators/formats/shared/documents.py places rows.

docs/dev/recipes.md lists what else to touch when a format is added.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from jobs.base.core.column_types import ColumnTypes
from jobs.base.tables.attributes import ATTRIBUTES
from jobs.base.tables.contracts import column_types

# A stamp so long after the later of its file's own time and the time it was landed is from the future.
AHEAD = dt.timedelta(days=2)


# The options of a source as its settings have them: by name those that its format takes (Format.options),
# with values of TOML; a mapping profile is one of them, embedded.
Options = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """Facts about the file that lines come from, for a kernel.

    Attributes:
        newest_at: no line is newer than this UTC time; a stamp without a year takes the latest year that
            keeps it before. It comes from the ids in the file, its time and its rotation order.
        time_zone: IANA name of the zone in which stamps without an offset are written.
        clock_offset: seconds by which the host's clock was ahead; ingest takes them off all times.
        options: the options that the source has in observatory.toml for its format.
        head: the last line before the piece that says how its lines are to be read, of a format that has
            such.
        numbers_of: the country (ISO 3166-1 alpha-3) in whose national format numbers without + are; null
            where they are E.164.
        latest_at: a stamp after this UTC time is from the future; null where every stamp is taken.
        newest_from: of lines of several files the earliest newest_at, of which newest_at is then the latest.
    """

    operator_id: str
    source_id: str
    stream_id: str
    newest_at: dt.datetime
    time_zone: str = "UTC"
    clock_offset: int = 0
    options: Options = field(default_factory=dict)
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

    Attributes:
        rows: columns of the format's `bronze` but for the place (operator_id, source_id, stream_id, offset).
        text: of a quarantined one, how it starts, with addresses, numbers and control signs masked.
        size: bytes of the document as it was read, out of its archive.
    """

    rows: tuple[dict[str, Any], ...] = ()
    reason_code: str | None = None
    text: str = ""
    size: int = 0

    @property
    def line_code(self) -> str:
        """The code by which the ledger counts it: record, ignored or quarantined."""
        if self.reason_code is not None:
            return "quarantined"
        return "record" if self.rows else "ignored"


# What parse() gets: one row per line, in file order. `offset` is the byte at which the line starts
# in its stream; `line` has no line end. Lines of several small files follow each other, and their offsets
# count on; records() gets `piece` beside them, which file each is of.
LINES: ColumnTypes = {"offset": pl.Int64, "line": pl.String}

# The columns that parse() adds to every line. `line_code` is record, ignored or quarantined;
# `reason_code` says why a line was quarantined.
PARSED: ColumnTypes = {"offset": pl.Int64, "line_code": pl.String, "reason_code": pl.String}

TIMESTAMP = pl.Datetime("us", "UTC")

# What kernels return is raw; jobs/operators/protect/pseudonyms.py is the only reader. schemas/fields.yaml
# says what each column holds. Where the line of a row stands: the columns with which every bronze table
# begins.
PLACE = column_types("operator_id", "source_id", "stream_id", "offset")

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
OUTCOME_RANK = pl.col("outcome_code").cast(pl.Enum(PRECEDENCE)).to_physical()

# One row per queue file and envelope recipient, or per refused attempt: what transmissions() gives.
# inbound_link is the SMSC id, else null: the client address is the link; outbound_link the SMSC id, or the
# relay host as logged (name[ip]:port). reply_code: an SMPP status is 0x and 8 hexadecimal digits. recipient
# is the one as first given (orig_to before to). log_text is the line after `daemon[pid]: `, of refusals only.
TRANSMISSION: ColumnTypes = {
    **column_types(*PLACE, "format_code", "channel_code", "grain_code", "entry_code"),
    "session": pl.String,  # raw key of the SMTP session or link bind; null where the log has none
    "queue": pl.String,  # host|queue id; null for attempts; of calls a digest of their key
    **column_types("queue_id"),
    "previous_queue": pl.String,  # host|queue id that this one was re-injected from
    **column_types("next_queue_id", "is_handoff", "message_id", "sender", "recipient", "client_ip"),
    **column_types("client_name", "helo", "is_authenticated", "inbound_link", "outbound_link", "cell_id"),
    **column_types("account", "first_at", "last_at", "stage_code", "outcome_code", "reply_code", "dsn_code"),
    **column_types("reply_text", "log_text", "dnsbl_zone"),
    "dnsbl_code": pl.String,  # its return code where logged, such as 127.0.0.2
    **column_types("event", "text", "subject", "display_name", "category", "message_bytes", "segment_count"),
    "try_count": pl.Int32,  # delivery tries seen for this row
    "recipient_count": pl.Int32,  # recipients of its message at acceptance; null where the log has none
    "is_own_recipient": pl.Boolean,  # true where the log shows that the recipient is the operator's own
    **column_types("is_partial", "user_agent", "verstat"),
    "attestation": pl.String,  # A, B or C as claimed in the PASSporT, unchecked; null for all but calls
    **column_types("origid", "talk_us"),
    "join_quality": pl.String,  # exact, by_message_id, by_numbers, none: an SMS and its report, a call's rows
}

# One row per verdict of a filter on a message: what verdicts() gives. A score that is no number is null.
VERDICT = column_types(
    *(*PLACE, "format_code", "engine_code", "verdict_at", "queue_id", "message_id", "sender", "recipients"),
    *("client_ip", "action", "is_spam", "score", "required_score", "symbols", "digest", "fuzzy", "subject"),
    *("message_bytes", "filter_us"),
)

# One row per complaint about a message: what complaints() gives. All is of the message but for reporter,
# agent and inbound_link, the SMSC id that the report came by; recipients are often redacted (RFC 6590).
COMPLAINT = column_types(
    *(*PLACE, "format_code", "channel_code", "feedback_type_code", "reported_at", "arrival_at", "reporter"),
    *("agent", "sender", "header_from", "recipients", "client_ip", "inbound_link", "message_id"),
    *("incident_count", "delivery_result", "auth_failure", "reported_domains", "text"),
)

# One row per fact that the operator knows beside its logs: what facts() gives. first_at is the start of the
# UTC day that it is about.
FACT = column_types(*PLACE, "first_at", "queue_id", "message_id", "sender", "recipient", *ATTRIBUTES)

# One row per record of a DMARC aggregate report: what authentication_reports() gives. Words are as
# reported, in lower case.
AUTHENTICATION_REPORT = column_types(
    *(*PLACE, "report_org", "report_email", "report_id", "is_revised", "record_number", "begin_at", "end_at"),
    *("policy_domain", "policy", "subdomain_policy", "nonexistent_policy", "policy_percent", "policy_test"),
    *("dkim_mode", "spf_mode", "discovery_method", "client_ip", "message_count", "disposition"),
    *("dkim_evaluated", "spf_evaluated", "overrides", "header_from", "envelope_from", "envelope_to"),
    *("dkim_results", "spf_results"),
)
