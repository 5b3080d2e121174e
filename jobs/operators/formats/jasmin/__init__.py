"""Jasmin SMS gateway, messages.log: SMS submitted, SMS received, and delivery reports.

    2026-11-24 13:47:04 INFO     12 SMS-MT [cid:hub1] [queue-msgid:QID] [smpp-msgid:b'ABC']
        [status:CommandStatus.ESME_ROK] [prio:0] [dlr:...] [validity:none] [from:b'SHOP'] [to:b'35799…']
        [content:b'hello'] [tlvs:none]
    ... SMS-MT [cid:hub1] [queue-msgid:QID] [status:ERROR/CommandStatus.ESME_RTHROTTLED] [retry:True] ...
    ... SMS-MO [cid:hub1] [queue-msgid:QID] [status:...] [prio:...] [validity:...] [from:] [to:] [content:]
    ... SMS-MO [cid:hub1] [i-status:8] [from:] [to:] [content:]
    ... DLR [cid:hub1] [smpp-msgid:ABC] [status:DELIVRD] [submit date:] [done date:]
        [sub/dlvrd messages:001/001] [err:000] [content:'hello']

(jasmin/managers/listeners.py and dlr.py.) Values are Python's repr since the move to Python 3, plain before.
CONTENT may hold any sign, `] [` too, and is `** N byte content **` where log_privacy is on; `[tlvs:]`
follows it in new releases only. Its coding is not logged: octets that look like UCS-2 are read as that, and
content that is hidden is counted as septets.

    ... Discarding expired message[QID]: expiration is 2026-11-24 13:40:00
    ... SMPPC [cid:hub1] is not bound: Discarding (#4) SubmitSmPDU[QID], over-aged 1300 seconds.
    ... Rejecting SubmitSmPDU[QID] through [cid:hub1] for an unknown error (TYPE): TEXT
    ... Received the last part (msg_ref_num:7) and did not find all parts in redis, data lost !

One SMS is one row of transmissions(): join.py says how lines are joined. `[i-status:]` is a message
that an interceptor, which sees the whole of it, refused. The last four are SMS that Jasmin had taken and gave
up: such a line names no more than this of its SMS, an earlier try may.

Lines of other kinds are ignored: Jasmin logs what it does with its queues in the same file. Of those that
look like losses, `Requeuing` and `message requeued` name an SMS whose end has a line of its own; an
interceptor's error is followed by the [i-status:] line; `a part of a long message` by the SMS-MO of all parts
or by `data lost`; what is `not an instance of SubmitSm` is no SMS. A DLR that Jasmin cannot map to an SMS
(`DLRMapNotFound`) may have no line of its own: sniff says so.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.tables.contracts import bronze_columns
from jobs.operators.formats import PLACE, Source
from jobs.operators.formats.format import CopyRules, LineFormat
from jobs.operators.formats.jasmin.join import UNSENT
from jobs.operators.formats.jasmin.join import transmissions as transmissions
from jobs.operators.formats.jasmin.python_repr import CONTENT, decode_contents, unquote_repr
from jobs.operators.formats.shared.fields import (
    local_time,
    none_if_empty,
    place_of_event,
    select_parsed,
    typed_columns,
)
from jobs.operators.formats.shared.mobile import count_segments, normalise_number
from jobs.operators.formats.shared.sample_shares import sample_lines, share_of

NAME = "jasmin"

# bronze.jasmin: one row per line about an SMS or a DLR; what was accepted is kept under two keys.
BRONZE = bronze_columns(NAME)
_TYPED = typed_columns(NAME)

# All that a failed try must know of what followed it.
_FOLLOWED = ["first_at", "queue_message_id", "event_code"]

_STAMP = r"^(?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:[,.]\d+)? +[A-Z]+ +\d+ "
_EVENT = _STAMP + r"(?P<event>SMS-MT|SMS-MO|DLR) \[cid:(?P<smsc>[^\]]*)\] (?P<rest>(?s:.*))$"
# An SMS that is given up; the last part of a received one has no id.
_GIVEN_UP = (
    _STAMP + r"(?:Discarding expired message\[(?P<expired>[^\]]*)\]: "
    r"|SMPPC \[cid:(?P<down>[^\]]*)\] is not (?:connected|bound): Discarding \(#\d*\)"
    r" SubmitSmPDU\[(?P<aged>[^\]]*)\]"
    r"|Rejecting SubmitSmPDU\[(?P<dropped>[^\]]*)\] through \[cid:(?P<by>[^\]]*)\] for an unknown error"
    r"|(?P<parts>Received the last part) \(msg_ref_num:.*\) and did not find all parts in redis, data lost)"
)
_GIVES_UP = ["Discarding expired message[", ": Discarding (#", "for an unknown error (", "data lost !"]
# A value: Python's bytes or text, in which a bracket may stand, or anything without one.
_VALUE = r"""b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*"|[^\]]*"""
_SMS = (
    r"^(?:\[queue-msgid:(?P<queue_message_id>[^\]]*)\] )?(?:\[smpp-msgid:(?P<foreign_id>[^\]]*)\] )?"
    r"\[(?P<status_kind>status|i-?status):(?P<status>[^\]]*)\] (?:\[retry:(?P<retry>[^\]]*)\] )?"
    r"(?:\[prio:[^\]]*\] )?(?:\[dlr:(?P<dlr>[^\]]*)\] )?(?:\[validity:[^\]]*\] )?"
    rf"\[from:(?P<sender>{_VALUE})\] \[to:(?P<recipient>{_VALUE})\] \[content:(?P<content>(?s:.*))$"
)
_DLR = (
    r"^(?:\[queue-msgid:[^\]]*\] )?\[smpp-msgid:(?P<foreign_id>[^\]]*)\] \[stat(?:us)?:(?P<status>[^\]]*)\]"
    r"(?s:.*?)\[err:(?P<error_code>[^\]]*)\]"
)
# A content is a whole repr; or what stands before TLVs, in which `] [tlvs:` does not stand again; or all.
_CONTENTS = [
    r"""^((?s:b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*"))\](?: \[tlvs:.*\])?\s*$""",
    r"^((?s:.*))\] \[tlvs:.*\]\s*$",
    r"^((?s:.*?))\]?\s*$",
]
_HIDDEN = r"^\*\* (\d+) byte content \*\*$"
# The fields of a line as its pattern cuts them.
_sms_field = pl.col("_sms").struct.field
_dlr_field = pl.col("_dlr").struct.field
_rest_field = pl.col("_left").struct.field


def sniff(sample: bytes) -> float:
    """Share of the sample's lines that Jasmin wrote, if any of them is about an SMS or DLR; else 0."""
    lines = sample_lines(sample)
    if not lines.str.contains(_EVENT).any():
        return 0.0
    return share_of(lines.str.contains(_STAMP), lines)


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: the event with its fields; other lines that Jasmin stamped are ignored.

    Quarantine reasons: bad_timestamp (no time, as in the rest of a broken line, or one that cannot be),
    bad_field (an event whose fields cannot be separated).
    """
    line = pl.col("line").fill_null("").str.strip_chars_end("\r")
    is_event = pl.col("_line").str.contains_any(["SMS-MT [cid:", "SMS-MO [cid:", "DLR [cid:"])
    frame = (
        lines.select("offset", _line=line)
        .with_columns(
            _head=pl.when(is_event).then(pl.col("_line")).str.extract_groups(_EVENT),
            _left=pl.when(~is_event & pl.col("_line").str.contains_any(_GIVES_UP))
            .then(pl.col("_line"))
            .str.extract_groups(_GIVEN_UP),
        )
        .with_columns(
            event=pl.coalesce(
                pl.col("_head").struct.field("event"),
                pl.when(_rest_field("parts").is_not_null()).then(pl.lit("SMS-MO")),
                pl.when(_rest_field("stamp").is_not_null()).then(pl.lit("SMS-MT")),
            ),
            _rest=pl.col("_head").struct.field("rest"),
        )
        .with_columns(
            _sms=pl.when(pl.col("event") != "DLR").then(pl.col("_rest")).str.extract_groups(_SMS),
            _dlr=pl.when(pl.col("event") == "DLR").then(pl.col("_rest")).str.extract_groups(_DLR),
        )
        .with_columns(
            _fits=pl.coalesce(_sms_field("status"), _dlr_field("status"), _rest_field("stamp")).is_not_null(),
            first_at=local_time(
                pl.coalesce(pl.col("_head").struct.field("stamp"), _rest_field("stamp")), source.time_zone
            ),
            _content=_cut_content(_sms_field("content")),
        )
        .with_columns(_hidden=pl.col("_content").str.extract(_HIDDEN).cast(pl.Int64, strict=False))
        .with_columns(
            _octets=pl.when(pl.col("_hidden").is_null())
            .then(pl.col("_content"))
            .map_batches(decode_contents, return_dtype=CONTENT)
        )
    )
    is_record = pl.col("_fits") & pl.col("first_at").is_not_null()
    line_code = choose_code(
        record=is_record,
        quarantined=pl.col("event").is_not_null() | ~pl.col("_line").str.contains(_STAMP),
        otherwise="ignored",
    )
    line_code = pl.when(pl.col("_line").str.strip_chars() == "").then(pl.lit("ignored")).otherwise(line_code)
    octets = pl.coalesce(pl.col("_octets").struct.field("octets"), "_hidden")
    is_wide = pl.col("_octets").struct.field("is_wide").fill_null(False)
    reason = choose_code(bad_field=pl.col("first_at").is_not_null(), otherwise="bad_timestamp")
    parsed = frame.with_columns(
        event_code=_event_code(),
        smsc=none_if_empty(
            pl.coalesce(pl.col("_head").struct.field("smsc"), _rest_field("down"), _rest_field("by"))
        ),
        queue_message_id=none_if_empty(
            pl.coalesce(
                _sms_field("queue_message_id"),
                _rest_field("expired"),
                _rest_field("aged"),
                _rest_field("dropped"),
            )
        ),
        foreign_id=none_if_empty(
            _normalise_id(pl.coalesce(_sms_field("foreign_id"), _dlr_field("foreign_id")))
        ),
        status=none_if_empty(
            unquote_repr(pl.coalesce(_sms_field("status"), _dlr_field("status"))).str.replace(
                r"^(?:ERROR/)?(?:CommandStatus\.)?", ""
            )
        ),
        error_code=none_if_empty(unquote_repr(_dlr_field("error_code"))),
        sender=normalise_number(unquote_repr(_sms_field("sender")), source),
        recipient=normalise_number(unquote_repr(_sms_field("recipient")), source),
        # Not NO_SMSC_…, nor … _FOR_FAILURE, after which silence is success.
        wants_report=_sms_field("dlr").str.contains(r"(?:^|\.)SMSC_DELIVERY_RECEIPT_REQUESTED$"),
        text=pl.col("_octets").struct.field("text"),
        message_bytes=octets,
        segment_count=pl.when(pl.col("event") != "DLR").then(count_segments(octets, ~is_wide)),
        line_code=line_code,
    )
    return select_parsed(parsed, reason, _TYPED)


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per event; a line that was read twice is one row.

    A DLR names its SMS by the SMSC's id only, and a failed try by Jasmin's own. So what was accepted is kept
    under both: with the SMSC's id, and as mere `followed` with Jasmin's, where failed tries look for it.
    """
    if "line_code" in records.collect_schema().names():
        records = records.filter(pl.col("line_code") == "record")
        code = pl.col("event_code")
        by_queue = pl.concat_str(pl.lit("q|"), pl.col("queue_message_id"))
        by_smsc = pl.concat_str([pl.lit("s"), "smsc", "foreign_id"], separator="|")
        place = pl.concat_str([pl.lit("row"), "source_id", "stream_id", "offset"], separator="|")
        is_tried = code.is_in(UNSENT)
        keyed = records.with_columns(
            assembly_key=pl.coalesce(
                pl.when(is_tried).then(by_queue), pl.when(code.is_in(["sent", "report"])).then(by_smsc), place
            )
        ).select(*BRONZE)
        followed = (
            records.filter((code == "sent") & pl.col("queue_message_id").is_not_null())
            .with_columns(
                *(pl.lit(None, dtype=BRONZE[name]).alias(name) for name in _TYPED if name not in _FOLLOWED),
                event_code=pl.lit("followed"),
                assembly_key=by_queue,
            )
            .select(*BRONZE)
        )
        records = pl.concat([keyed, followed])
    return records.select(*BRONZE).unique(subset=[*PLACE, "assembly_key"], keep="any", maintain_order=True)


def _cut_content(logged: pl.Expr) -> pl.Expr:
    """The content without what follows it; a pattern is tried on what no earlier one fits."""
    found = logged.str.extract(_CONTENTS[0])
    for form in _CONTENTS[1:]:
        found = pl.coalesce(found, pl.when(found.is_null()).then(logged).str.extract(form))
    return found


def _event_code() -> pl.Expr:
    is_error = _sms_field("status").str.starts_with("ERROR/")
    return choose_code(
        expired=pl.coalesce(_rest_field("expired"), _rest_field("aged")).is_not_null(),
        dropped=_rest_field("stamp").is_not_null(),
        report=pl.col("event") == "DLR",
        refused=(pl.col("event") == "SMS-MO") & (_sms_field("status_kind") != "status"),
        received=pl.col("event") == "SMS-MO",
        failed=is_error & (_sms_field("retry") == "True"),
        rejected=is_error,
        otherwise="sent",
    )


def _normalise_id(identifier: pl.Expr) -> pl.Expr:
    """The SMSC's id as Jasmin looks it up for a DLR: capitals, without zeros in front."""
    return unquote_repr(identifier).str.to_uppercase().str.strip_chars_start("0")


FORMAT = LineFormat(
    name=NAME,
    title="Jasmin",
    description="Message log of the Jasmin SMS gateway",
    channels=("SMS",),
    # An SMSC holds a message for up to three days, and its DLR comes after that.
    lookback_days=4,
    sniff=sniff,
    parse=parse,
    assemble=assemble,
    repeats=r"which is not an instance of SubmitSm",
    lacks=(
        r"DLRMapNotFound: Got a DLR for an unknown message id",
        "Jasmin could not map receipts to their SMS (DLRMapNotFound); what became of these is not in this"
        " log",
    ),
    transmissions=transmissions,
    place=place_of_event(pl.when(~pl.col("assembly_key").str.starts_with("row|")).then("assembly_key")),
    copies=CopyRules(second_row="followed"),
    has_numbers=True,
)
