"""Kannel's bearerbox access log in its default format: SMS submitted, sent and received, and their DLRs.

    2026-11-24 13:47:04 Sent SMS [SMSC:ID] [SVC:SERVICE] [ACT:ACCOUNT] [BINF:BILLING] [FID:FOREIGN ID]
    [META:...] [from:NUMBER] [to:NUMBER] [flags:MCLASS:CODING:MWI:COMPRESS:DLRMASK] [msg:LEN:TEXT]
    [udh:LEN:HEX]

(Kannel User's Guide, "Access log".) FID and META are missing in old releases. TEXT may hold any sign,
brackets too, so a line is read from both ends; LEN counts bytes. CODING 0 is the GSM 7-bit alphabet,
written in UTF-8; 1 is 8-bit and 2 UCS-2, both in hex.

One SMS is one row of transmissions(), whatever the number of its tries, parts and DLRs. The joins need
all events of a number side by side, so bronze keeps the events and transmissions() joins them.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.tables.matching import map_texts
from jobs.operators.formats import Source
from jobs.operators.formats.format import LineFormat
from jobs.operators.formats.kannel.access_log_format import (
    OPTIONS,
    STAMP,
    SYSLOG,
    check_options,
    log_format,
    split_own,
)
from jobs.operators.formats.kannel.join import transmissions as transmissions
from jobs.operators.formats.kannel.own_layouts import LAYOUTS
from jobs.operators.formats.kannel.reports import complaints as complaints
from jobs.operators.formats.shared.fields import (
    local_time,
    none_if_empty,
    select_assembled,
    select_parsed,
    typed_columns,
)
from jobs.operators.formats.shared.mobile import normalise_number
from jobs.operators.formats.shared.sample_shares import share_of_lines

NAME = "kannel"

_TYPED = typed_columns(NAME)

_STAMP = rf"^{SYSLOG}(?P<stamp>{STAMP}) "


def _head_pattern(value: str) -> str:
    """Everything up to TEXT, in which the free fields match `value`."""
    return (
        _STAMP + rf"(?P<event>[A-Za-z][^\[]*)\[SMSC:(?P<smsc>{value})\] \[SVC:(?P<service>{value})\]"
        rf"(?: \[ACT:(?P<account>{value})\])?(?: \[BINF:{value}\])?(?: \[FID:(?P<foreign_id>{value})\])?"
        rf"(?: \[META:{value}\])? \[from:(?P<sender>{value})\] \[to:(?P<recipient>{value})\]"
        r" \[flags:[^:\]]*:(?P<coding>-?\d*)(?::[^:\]]*:[^:\]]*:(?P<dlr_mask>-?\d*))?[^\]]*\]$"
    )


_HEAD = _head_pattern(r"[^\]]*")
# A sender such as [SALE], or brackets in META.
_ODD_HEAD = _head_pattern(".*?")
# What most lines look like, split at `] [`; the patterns above are for the rest.
_LABELS = ["", "SVC:", "ACT:", "BINF:", "FID:", "META:", "from:", "to:", "flags:"]
_BEGIN = _STAMP + r"(?P<event>[A-Za-z][^\[]*)\[SMSC:(?P<smsc>.*)$"
_BODY = r"^(?P<length>\d{1,7}):(?P<text>(?s:.*))\] \[udh:\d+:(?P<udh>[0-9A-Fa-f]*)\]\s*$"
# A line that was cut inside TEXT still records its SMS.
_CUT_BODY = r"^(?P<length>\d{1,7}):(?P<text>(?s:.*))$"
_MARKER = _STAMP + r"Log (?:begins|ends)\s*$"
_MESSAGE = _STAMP + r"[A-Za-z][^\[]*\[SMSC:"

# 3GPP TS 23.040, 9.2.3.24: elements are IEI, length, data; 00 and 08 tell of
# concatenation. Others may come first.
_OTHER_ELEMENT = "(?:" + "|".join(rf"{size:02X}.{{{2 * size}}}" for size in range(20)) + ")"
_CONCATENATION = (
    rf"^..(?:(?:0[1-79A-F]|[1-9A-F][0-9A-F]){_OTHER_ELEMENT})*?"
    r"(?:0003(?P<short>..)(?P<total>..)(?P<number>..)|0804(?P<long>....)(?P<total2>..)(?P<number2>..))"
)
# 3GPP TS 23.038, 6.2.1.1: signs of the extension table take two septets.
_EXTENSION = r"[\f^{}\\\[~\]|€]"

_EVENT_CODES = {
    "Receive SMS": "received",
    "Receive DLR": "report",
    "FAILED Receive DLR": "stray_report",
    "Sent SMS": "sent",
    "Sent DLR": "sent_report",
    "REJECTED Send SMS": "rejected",
    "REJECTED Send DLR": "sent_report",
    "FAILED Send SMS": "failed",
    "FAILED Send DLR": "sent_report",
    "DISCARDED SMS": "discarded",
    "EXPIRED SMS": "expired",
    "DROPPED Received SMS": "dropped",
    "DROPPED Received DLR": "stray_report",
}


def sniff(sample: bytes) -> float:
    """Share of the sample's lines, log markers aside, that bearerbox wrote; 0 where none did."""
    return share_of_lines(sample, _MESSAGE, aside=_MARKER)


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: the event with its fields; markers of the log's begin and end are ignored.

    Quarantine reasons: bad_timestamp (no time, as in the rest of a broken line, or one that cannot be),
    unknown_shape (stamped, but no event of bearerbox), bad_field (an event whose fields cannot be told
    apart).
    """
    line = pl.col("line").fill_null("").str.strip_chars_end("\r")
    own = source.options.get("access_log_format")
    frame = lines.select("offset", _line=line)
    if own is None:
        frame, reason = _split_default(frame, source.time_zone), _quarantine_reason()
    else:
        form = log_format(own, source.options.get("access_log_clean", True))
        frame, reason = split_own(frame, form, source.time_zone), pl.lit("unknown_shape")
    frame = frame.with_columns(
        coding=pl.col("_coding").cast(pl.Int32, strict=False).fill_null(-1),
        event=pl.col("_event").str.strip_chars_end(),
        udh=none_if_empty(pl.col("_udh").str.to_uppercase()),
    ).with_columns(
        event_code=_event_code(pl.col("event")),
        _concatenation=pl.col("udh").str.extract_groups(_CONCATENATION),
        _is_report=pl.col("event").str.ends_with("DLR").fill_null(False),
    )
    is_complete = pl.col("_fits")
    line_code = choose_code(
        record=is_complete & pl.col("first_at").is_not_null(),
        ignored=pl.col("_line").str.contains(_MARKER) | (pl.col("_line").str.strip_chars() == ""),
        otherwise="quarantined",
    )
    parsed = frame.with_columns(
        smsc=none_if_empty(pl.col("_smsc")),
        service=none_if_empty(pl.col("_service")),
        account=none_if_empty(pl.col("_account")),
        foreign_id=none_if_empty(pl.col("_foreign_id")),
        sender=normalise_number(pl.col("_sender"), source),
        recipient=normalise_number(pl.col("_recipient"), source),
        dlr_mask=pl.col("_dlr_mask").cast(pl.Int32, strict=False).fill_null(-1),
        text=_decoded_text(),
        part_reference=pl.coalesce(
            _struct_field("_concatenation", "short"), _struct_field("_concatenation", "long")
        ),
        part_total=_hex_digits("total", "total2"),
        part_number=_hex_digits("number", "number2"),
        segment_count=pl.when(~pl.col("_is_report")).then(_segment_count()),
        line_code=line_code,
    )
    return select_parsed(parsed, choose_code(bad_timestamp=is_complete, otherwise=reason), _TYPED)


def _split_default(frame: pl.LazyFrame, time_zone: str) -> pl.LazyFrame:
    """`_line` of the default format split into columns `_<name>`; adds first_at, and _fits: all is there."""
    return (
        frame.with_columns(_is_event=pl.col("_line").str.contains("[SMSC:", literal=True))
        .with_columns(_cut=pl.when("_is_event").then(pl.col("_line")).str.splitn(" [msg:", 2))
        .with_columns(
            _head=pl.col("_cut").struct.field("field_0"),
            _body=pl.col("_cut").struct.field("field_1"),
        )
        .with_columns(_fields=pl.col("_head").str.splitn("] [", len(_LABELS)))
        .with_columns(
            _begin=_struct_field("_fields", "field_0").str.extract_groups(_BEGIN),
            _flags=_struct_field("_fields", "field_8").str.splitn(":", 6),
            _rest=pl.col("_body").str.extract_groups(_BODY),
            _is_usual=pl.all_horizontal(
                _struct_field("_fields", f"field_{place}").str.starts_with(label)
                for place, label in enumerate(_LABELS)
                if label
            ).fill_null(False),
        )
        .with_columns(
            _other=pl.when(~pl.col("_is_usual")).then(pl.col("_head")).str.extract_groups(_HEAD),
            _odd_rest=pl.when(_struct_field("_rest", "length").is_null())
            .then(pl.col("_body"))
            .str.extract_groups(_CUT_BODY),
        )
        .with_columns(
            _odd=pl.when(~pl.col("_is_usual") & _struct_field("_other", "event").is_null())
            .then(pl.col("_head"))
            .str.extract_groups(_ODD_HEAD)
        )
        .select(
            "offset",
            "_line",
            *(
                pl.when("_is_usual")
                .then(usual)
                .otherwise(pl.coalesce(_struct_field("_other", name), _struct_field("_odd", name)))
                .alias(f"_{name}")
                for name, usual in _usual_fields().items()
            ),
            _length=pl.coalesce(_struct_field("_rest", "length"), _struct_field("_odd_rest", "length")),
            _text=pl.coalesce(_struct_field("_rest", "text"), _struct_field("_odd_rest", "text")),
            _udh=_struct_field("_rest", "udh"),
            _is_cut=_struct_field("_rest", "length").is_null(),
        )
        .with_columns(
            first_at=local_time(pl.col("_stamp"), time_zone),
            message_bytes=pl.col("_length").cast(pl.Int64, strict=False),
        )
        .with_columns(_fits=pl.col("_event").is_not_null() & pl.col("message_bytes").is_not_null())
    )


def _quarantine_reason() -> pl.Expr:
    """The reason why a line is no whole event of the default format."""
    return choose_code(
        bad_field=pl.col("_line").str.contains(_MESSAGE),
        unknown_shape=pl.col("_line").str.contains(_STAMP),
        otherwise="bad_timestamp",
    )


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per event; a line that was read twice is one row.

    What is sent to a number and every report on it share a key: a DLR names the recipient of its SMS.
    What a number sent in is kept by both numbers, since a short code may receive all of it.
    """
    is_inbound = pl.col("event_code").is_in(["received", "refused", "dropped"])
    key = (
        pl.when(is_inbound)
        .then(pl.concat_str(pl.lit("mo|"), "sender", pl.lit("|"), "recipient"))
        .otherwise(pl.lit("mt|") + pl.col("recipient"))
    )
    return select_assembled(records, NAME, key)


def _struct_field(struct: str, name: str) -> pl.Expr:
    return pl.col(struct).struct.field(name)


def _usual_fields() -> dict[str, pl.Expr]:
    """The fields of a line that has all of them in their usual order."""
    places = {"service": 1, "account": 2, "foreign_id": 4, "sender": 6, "recipient": 7}
    return {
        **{name: _struct_field("_begin", name) for name in ("stamp", "event", "smsc")},
        **{
            name: _struct_field("_fields", f"field_{place}").str.strip_prefix(_LABELS[place])
            for name, place in places.items()
        },
        "coding": _struct_field("_flags", "field_2"),
        "dlr_mask": _struct_field("_flags", "field_5").str.strip_suffix("]"),
    }


def _event_code(event: pl.Expr) -> pl.Expr:
    known = event.replace_strict(_EVENT_CODES, default=None, return_dtype=pl.String)
    # "REJECTED - black-listed SMS" and its like refuse what an SMSC delivers.
    return known.fill_null(
        choose_code(refused=event.str.contains(r"^REJECTED (?:- |Receive)"), otherwise="other")
    )


def _hex_digits(first: str, second: str) -> pl.Expr:
    digits = pl.coalesce(_struct_field("_concatenation", first), _struct_field("_concatenation", second))
    return digits.str.to_integer(base=16, strict=False).cast(pl.Int32)


def _segment_count() -> pl.Expr:
    """Segments that the text takes, by the room in 140 octets (3GPP TS 23.040, 9.2.3.24).

    A row that is one part of a longer message is one segment. Text that does not fit is cut by bearerbox
    into parts with a header of six octets, or five more than the header that is there.
    """
    octets = pl.col("message_bytes")
    text = pl.col("_text")
    septets = text.str.len_chars().cast(pl.Int64) + text.str.count_matches(_EXTENSION).cast(pl.Int64)
    septets = pl.when("_is_cut").then(octets).otherwise(septets)
    header = (pl.col("udh").str.len_bytes().cast(pl.Int64) // 2).fill_null(0)
    later = header + pl.when(header > 0).then(5).otherwise(6)
    is_septets = ~pl.col("coding").is_in([1, 2])
    units = pl.when(is_septets).then(septets).otherwise(octets)

    def room_left(used: pl.Expr) -> pl.Expr:
        free = pl.max_horizontal(140 - used, 2)
        return (
            pl.when(is_septets)
            .then(free * 8 // 7)
            .when(pl.col("coding") == 2)
            .then(free // 2 * 2)
            .otherwise(free)
        )

    parts = (
        pl.when(units <= room_left(header))
        .then(1)
        .otherwise((units + room_left(later) - 1) // room_left(later))
    )
    return (
        pl.when(
            _struct_field("_concatenation", "total").is_null()
            & _struct_field("_concatenation", "total2").is_null()
        )
        .then(parts)
        .otherwise(1)
    )


def _decoded_text() -> pl.Expr:
    """TEXT as signs; null where it is binary."""
    is_hex = pl.col("coding").is_in([1, 2]) & ~pl.col("_is_report")
    coded = pl.when(is_hex).then(pl.concat_str("coding", "_text"))
    return (
        pl.when(is_hex)
        .then(coded.map_batches(_decode_hex, return_dtype=pl.String))
        .otherwise(pl.col("_text"))
    )


def _decode_hex(coded: pl.Series) -> pl.Series:
    """Signs of texts, each the digit of its coding and hex; sent in bulk, most are the same."""
    return map_texts(coded, lambda each: _decode_signs(int(each[0]), each[1:]))


def _decode_signs(coding: int, digits: str) -> str | None:
    """Signs of a UCS-2 or 8-bit text in hex; null where it is no text."""
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        return None
    if coding == 2:
        return octets.decode("utf-16-be", "replace")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    return text if all(sign.isprintable() or sign in "\t\r\n\xa0" for sign in text) else None


FORMAT = LineFormat(
    name=NAME,
    title="Kannel",
    description="Access log of the Kannel bearerbox",
    channels=("SMS",),
    # An SMSC holds a message for up to three days (validity period), and its DLR comes after that.
    lookback_days=4,
    sniff=sniff,
    parse=parse,
    own_layouts=LAYOUTS,
    assemble=assemble,
    transmissions=transmissions,
    complaints=complaints,
    rules_of=("sms_firewall",),
    completed_by="kannel_smsbox",
    options=OPTIONS,
    check_options=check_options,
    has_numbers=True,
)
