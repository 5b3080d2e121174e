"""Kannel's smsbox access log: what customers asked smsbox to send, and what it refused to pass on.

    2026-11-24 13:47:02 send-SMS request added - sender:USER:FROM ADDRESS target:TO request: 'TEXT'
    2026-11-24 13:47:05 send-SMS request failed - REASON

(gw/smsbox.c.) What smsbox adds it hands to bearerbox, whose access log tells of the same SMS and what became
of it: one SMS is one SMS, so these lines make no rows of their own. What it refuses bearerbox never sees:
each is a row, an attempt of a customer who had logged in, refused before the content was looked at. The line
names neither numbers nor customer, and stands for a whole request, whatever the number of its recipients.

An operator who has no bearerbox log sets `options = { bearerbox = false }`: then each added SMS is a row
too, handed on and waiting (queued), since smsbox is not told more. Lines on SMS that came in and on what
services answered are ignored either way: they name no recipient.

add_submitters() gives bearerbox's rows the address that their request came from, which only this log has.
"""

import datetime as dt
from pathlib import Path

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.core.errors import ObservatoryError
from jobs.operators.formats import TRANSMISSION, Options, Source
from jobs.operators.formats.format import LineFormat, Requests
from jobs.operators.formats.kannel.access_log_format import STAMP, SYSLOG
from jobs.operators.formats.kannel.join import SUBMITTED
from jobs.operators.formats.shared.fields import (
    fill_rows,
    local_time,
    none_if_empty,
    place_of_event,
    select_assembled,
    select_parsed,
    typed_columns,
)
from jobs.operators.formats.shared.mobile import normalise_number
from jobs.operators.formats.shared.sample_shares import share_of_lines

NAME = "kannel_smsbox"

_TYPED = typed_columns(NAME)
# How long after a request its SMS may reach bearerbox's log: it waits in queues while links are down.
SUBMITTED_WITHIN = dt.timedelta(hours=1)
# The stamps are of two programs on one clock, whole seconds each.
ASKED_SLACK = dt.timedelta(seconds=1)

_BEGIN = rf"^{SYSLOG}(?P<stamp>{STAMP}) "
_ADDED = (
    _BEGIN + r"(?P<event>send-SMS request added) - sender:(?P<account>[^:]*):(?P<sender>.*?)"
    r" (?P<client_ip>[0-9A-Fa-f.:]+) target:(?P<recipient>\S*) request: '(?P<text>(?s:.*))$"
)
_REFUSED = _BEGIN + r"(?P<event>send-SMS request failed) - (?P<reply_text>.*)$"
_OTHERS = _BEGIN + r"(?:Log (?:begins|ends)|SMS (?:HTTP-)?request )"
# The fields of a line as its pattern cuts them.
_added_field = pl.col("_added").struct.field
_refused_field = pl.col("_refused").struct.field


def check_options(options: Options, folder: Path) -> Options:
    """The options. Raises ObservatoryError that names the option and what is wrong with it."""
    if not isinstance(options.get("bearerbox", True), bool):
        raise ObservatoryError(f"bearerbox: must be true or false, not '{options['bearerbox']}'")
    return options


def sniff(sample: bytes) -> float:
    """Share of the sample's lines, log markers aside, that record requests to smsbox."""
    return share_of_lines(sample, _BEGIN + "send-SMS request ", aside=_OTHERS)


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: a request with its fields; markers and lines on incoming SMS are ignored.

    Quarantine reasons: bad_timestamp (no time, as in the rest of a broken line, or one that cannot be),
    bad_field (a request whose fields cannot be separated), unknown_shape (stamped, but no request).
    """
    line = pl.col("line").fill_null("").str.strip_chars_end("\r")
    is_added = pl.col("_line").str.contains(" send-SMS request added ", literal=True)
    is_refused = pl.col("_line").str.contains(" send-SMS request failed ", literal=True)
    frame = (
        lines.select("offset", _line=line)
        .with_columns(
            _added=pl.when(is_added).then(pl.col("_line")).str.extract_groups(_ADDED),
            _refused=pl.when(is_refused & ~is_added).then(pl.col("_line")).str.extract_groups(_REFUSED),
        )
        .with_columns(
            event=pl.coalesce(_added_field("event"), _refused_field("event")),
            _stamp=pl.coalesce(_added_field("stamp"), _refused_field("stamp")),
            # A line that a text's line end has cut has no closing quote.
            _text=_added_field("text").str.replace(r"'\s*$", ""),
        )
        .with_columns(first_at=local_time(pl.col("_stamp"), source.time_zone))
    )
    is_text = pl.col("_text") != "<< UDH >>"
    line_code = choose_code(
        record=pl.col("event").is_not_null() & pl.col("first_at").is_not_null(),
        ignored=pl.col("_line").str.contains(_OTHERS) | (pl.col("_line").str.strip_chars() == ""),
        otherwise="quarantined",
    )
    reason = choose_code(
        bad_timestamp=pl.col("event").is_not_null() | ~pl.col("_line").str.contains(_BEGIN),
        bad_field=is_added | is_refused,
        otherwise="unknown_shape",
    )
    is_refused = _refused_field("event").is_not_null()
    parsed = frame.with_columns(
        event_code=pl.when(is_refused).then(pl.lit("refused")).otherwise(pl.lit("added")),
        is_counted=is_refused | pl.lit(source.options.get("bearerbox", True) is False),
        account=none_if_empty(_added_field("account")),
        sender=normalise_number(none_if_empty(_added_field("sender")), source),
        recipient=normalise_number(none_if_empty(_added_field("recipient")), source),
        client_ip=_added_field("client_ip"),
        text=pl.when(is_text).then("_text"),
        message_bytes=pl.when(is_text).then(pl.col("_text").str.len_bytes()),
        reply_text=_refused_field("reply_text").str.strip_chars_end(),
        line_code=line_code,
    )
    return select_parsed(parsed, reason, _TYPED)


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per request line; a line that was read twice is one row.

    What was added has the key of its SMS in bronze.kannel, so that both can be brought together.
    """
    place = pl.concat_str([pl.lit("row"), "source_id", "stream_id", "offset"], separator="|")
    return select_assembled(records, NAME, pl.coalesce(pl.lit("mt|") + pl.col("recipient"), place))


def transmissions(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per refused request; without a bearerbox log, one per added SMS too."""
    is_refused = pl.col("event_code") == "refused"

    def map_event(refused: str, added: str) -> pl.Expr:
        return pl.when(is_refused).then(pl.lit(refused)).otherwise(pl.lit(added))

    return fill_rows(
        bronze.filter("is_counted"),
        TRANSMISSION,
        format_code=pl.lit(NAME),
        channel_code=pl.lit("SMS"),
        grain_code=map_event("attempt", "recipient"),
        entry_code=pl.lit("box"),
        is_handoff=pl.lit(False),
        # smsbox looks at a request only after its customer has logged in.
        is_authenticated=pl.lit(True),
        last_at=pl.col("first_at"),
        stage_code=map_event("envelope", "delivery"),
        outcome_code=map_event("rejected", "queued"),
        try_count=pl.lit(1),
        # The request may have had any number of recipients.
        is_partial=is_refused,
    )


def add_submitters(rows: pl.LazyFrame, bronze: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of kannel.transmissions() with client_ip: where the request for the SMS came from.

    An SMS from a box goes with the latest earlier request of the same operator with its numbers and text.
    """
    same = ["operator_id", "sender", "recipient", "text"]
    requests = (
        bronze.filter(pl.col("event_code") == "added")
        .select(*same, _asked_at=pl.col("first_at") - ASKED_SLACK, _address=pl.col("client_ip"))
        # Of several at the same second the same one, in whatever order they came.
        .sort("_asked_at", "_address")
    )
    is_ours = pl.col("entry_code") == "box"
    known = (
        rows.filter(is_ours)
        .sort("first_at")
        .join_asof(
            requests,
            left_on="first_at",
            right_on="_asked_at",
            by=same,
            strategy="backward",
            tolerance=SUBMITTED_WITHIN,
            check_sortedness=False,
        )
        .with_columns(
            client_ip=pl.coalesce("client_ip", "_address"),
            # By numbers and text; a report that was matched by its id is the better join.
            join_quality=choose_code(
                by_numbers=(pl.col("join_quality") == "none") & pl.col("_address").is_not_null(),
                otherwise=pl.col("join_quality"),
            ),
        )
    )
    return pl.concat([known.select(*TRANSMISSION), rows.filter(~is_ours).select(*TRANSMISSION)])


FORMAT = LineFormat(
    name=NAME,
    title="Kannel smsbox",
    description="Access log of the Kannel smsbox",
    channels=("SMS",),
    # An SMS leaves smsbox at once; an added line and bearerbox's stand within minutes.
    lookback_days=1,
    sniff=sniff,
    parse=parse,
    assemble=assemble,
    transmissions=transmissions,
    rules_of=("kannel",),
    place=place_of_event(pl.when(~pl.col("assembly_key").str.starts_with("row|")).then("assembly_key")),
    complete=add_submitters,
    requests=Requests(
        format="kannel",
        log="bearerbox's log",
        program="smsbox",
        option="bearerbox",
        is_request=pl.col("event_code") == "added",
        is_message=pl.col("event_code").is_in(SUBMITTED),
        within=SUBMITTED_WITHIN,
        slack=ASKED_SLACK,
    ),
    options=("bearerbox",),
    check_options=check_options,
    has_numbers=True,
)
