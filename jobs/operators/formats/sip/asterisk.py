"""Asterisk's call detail records: Master.csv of cdr_csv or cdr_custom, one row for each leg of a call.

    accountcode,src,dst,dcontext,clid,channel,dstchannel,lastapp,lastdata,start,answer,end,duration,billsec,
    disposition,amaflags[,uniqueid[,userfield]][,peeraccount,linkedid,sequence]

    clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,start,answer,end,duration,billsec,disposition,
    amaflags[,accountcode[,uniqueid[,userfield[,sequence[,...]]]]]

The first is cdr_csv's: sixteen columns, and up to five more by the settings loguniqueid, loguserfield and
newcdrcolumns of cdr.conf. Strings are quoted with quotes doubled; a time that there was not (`answer` of a
call that nobody took) is empty without quotes. The second is that of cdr_custom.conf.sample, behind which
sites add columns. Where the numbers stand tells them apart, row by row. Any other order of cdr_custom has to
be named by the option `columns`.

Times are the host's local time, so the source's `time_zone` counts; with `usegmtime = yes` in cdr.conf set
the option `usegmtime = true`. Times of `${CDR(start,u)}` are seconds since 1970, and durations of
`${CDR(billsec,f)}` have fractions.

Rows of one linkedid are one call: the legs that a call was forked, queued or transferred to. Without
linkedid the uniqueid is taken, and without that each row is a call.

There is no SIP code. A call was refused if the dialplan says so: where a word of `rejected_pattern` (an
option) stands in the userfield, the context, or the last application other than Dial and Queue, or where it
hung up with cause 21 (Q.850: call rejected). Anything else that was not answered was busy, unanswered or
failed: bounced. Asterisk knows nothing of PASSporTs here.

No row is ignored but the line of column names: every call that has a record counts. Calls that a channel's
driver refuses by address or password have none.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats import TRANSMISSION, Source
from jobs.operators.formats.format import LineFormat
from jobs.operators.formats.shared.fields import (
    fill_rows,
    local_time,
    none_if_empty,
    place_of_event,
    select_assembled,
    select_parsed,
    typed_columns,
)
from jobs.operators.formats.shared.sample_shares import ANY_SOURCE, sample_lines, share_of
from jobs.operators.formats.sip.asterisk_columns import DISPOSITION, SECONDS, name_values, read_rows
from jobs.operators.formats.sip.records import (
    find_sides,
    parse_epoch,
    parse_microseconds,
    read_party,
    shown_name,
)

NAME = "asterisk"

_TYPED = typed_columns(NAME)
# RFC 4180. Only such lines are given to the CSV reader, so none can swallow the next or make it fail.
_CSV = r'^(?:"(?:[^"\r\n]|"")*"|[^",\r\n]*)(?:,(?:"(?:[^"\r\n]|"")*"|[^",\r\n]*))*$'
# Durations, disposition and flags, which every order of this format has side by side.
_ROW = r',"?[\d.]+"?,"?[\d.]+"?,"?[A-Z][A-Z ]+"?,"?[A-Z_]+"?(?:,|\r?$)'
# Extensions that a dialplan enters by itself.
_OWN_EXTENSIONS = ["s", "h", "i", "t", "T", "o", "a", "e", ""]
_IP_CHANNEL = r"^(?:SIP|PJSIP|IAX2|IAX|H323|OOH323|Skinny|Motif|WebSocket)/"
_CIRCUIT_CHANNEL = r"^(?:DAHDI|Zap|mISDN|CAPI|LCR|VPB|Phone|Dongle|Datacard|Quectel)/"
_PEER = r"^[A-Za-z0-9_]+/(.+?)(?:-[0-9a-f]{4,16}|-\d+)?$"
_REJECTED = (
    r"(?i)\b(?:spam|spit|robo-?calls?|black-?list(?:ed)?|block-?list(?:ed)?|blocked|zapateller"
    r"|privacymanager|lookupblacklist)\b"
)
_PLACING = r"^(?:Dial|Queue)\("
# What the best leg of a call came to.
_DISPOSITIONS = ["ANSWERED", "BUSY", "NO ANSWER", "CONGESTION", "FAILED"]


def sniff(sample: bytes) -> float:
    """Share of the sample's lines that are read as call detail records; 0 where none is."""
    lines = sample_lines(sample)
    rows = lines.filter(lines.str.contains(_ROW)).to_frame().with_row_index("offset").lazy()
    read = parse(rows, ANY_SOURCE).collect()
    return share_of(read["line_code"] == "record", lines)


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: a leg of a call; a line of column names and empty lines are ignored.

    Quarantine reasons: truncated (a quote is not closed), unknown_shape (no CSV, or fewer or more columns
    than there can be), bad_timestamp (no start, or one that cannot be), bad_field (no disposition, or a
    duration that is no number).
    """
    columns = source.options.get("columns")
    line = pl.col("line").fill_null("").str.strip_chars_end("\r\n")
    given = lines.select("offset", _line=line).collect()
    is_csv = given["_line"].str.contains(_CSV) & (given["_line"].str.strip_chars() != "")
    values = read_rows(given["_line"].filter(is_csv))
    frame = pl.concat([given.filter(is_csv), name_values(values, columns)], how="horizontal")
    # One step after the other: what a step reads several times is worked out once.
    frame = frame.with_columns(**_side_columns()).with_columns(**find_sides("_caller", "_called"))
    frame = frame.with_columns(**_typed_fields(source))
    pattern = str(source.options.get("rejected_pattern", _REJECTED))
    frame = frame.with_columns(event_code=_event_code(pattern))
    frame = pl.concat([frame, given.filter(~is_csv)], how="diagonal_relaxed").sort("offset")
    is_shaped = pl.col("_is_shaped").fill_null(False)
    is_complete = pl.col("disposition").str.contains(DISPOSITION).fill_null(False) & pl.col(
        "_has_numbers"
    ).fill_null(False)
    has_time = pl.col("first_at").is_not_null()
    is_header = ((pl.col("_start") == "start") & (pl.col("_src") == "src")).fill_null(False)
    line_code = choose_code(
        record=is_shaped & is_complete & has_time,
        ignored=(is_shaped & is_header) | (pl.col("_line").str.strip_chars() == ""),
        otherwise="quarantined",
    )
    reason = choose_code(
        truncated=pl.col("_line").str.count_matches('"', literal=True) % 2 == 1,
        unknown_shape=~is_shaped,
        bad_timestamp=~has_time,
        otherwise="bad_field",
    )
    return select_parsed(frame.lazy().with_columns(line_code=line_code), reason, _TYPED)


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per leg; a line that was read twice is one row.

    Ids are unique on one server, so a call is one of its source.
    """
    place = pl.concat_str("stream_id", pl.lit("@"), "offset")
    key = pl.concat_str("source_id", pl.lit("|"), pl.coalesce("call_id", place))
    return select_assembled(records, NAME, key)


def transmissions(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per call: what its first leg says of the two sides, and what its best leg came to."""
    rank = pl.col("disposition").replace_strict(
        _DISPOSITIONS, list(range(len(_DISPOSITIONS))), default=len(_DISPOSITIONS), return_dtype=pl.Int64
    )
    place = ["first_at", "stream_id", "offset"]
    said = pl.concat_str("application", "dial_context", "user_field", separator=" ", ignore_nulls=True)
    legs = bronze.with_columns(_rank=rank, _said=said).sort("operator_id", "assembly_key", *place)
    is_answered, is_rejected = (pl.col("event_code") == code for code in ("answered", "rejected"))
    first = ["sender", "recipient", "client_ip", "inbound_link", "account", "display_name"]
    span = pl.col("ended_at").filter(is_answered).max() - pl.col("answered_at").filter(is_answered).min()
    # One leg's billed time is exact where the clock was set between; several are counted as one talk.
    talk = (
        pl.when(is_answered.sum() == 1)
        .then(pl.col("talk_us").filter(is_answered).first())
        .otherwise(span.dt.total_microseconds())
    )
    calls = legs.group_by("operator_id", "assembly_key", maintain_order=True).agg(
        pl.col("source_id", "stream_id", "offset", "channel_code", "first_at").first(),
        *(pl.col(name).drop_nulls().first() for name in first),
        outbound_link=pl.coalesce(
            pl.col("outbound_link").filter(is_answered).drop_nulls().first(),
            pl.col("outbound_link").drop_nulls().first(),
        ),
        last_at=pl.max_horizontal(pl.col("ended_at").max(), pl.col("first_at").max()),
        try_count=pl.len().cast(pl.Int32),
        event=pl.col("disposition").sort_by("_rank", maintain_order=True).first(),
        _is_answered=is_answered.any(),
        _is_rejected=is_rejected.any(),
        reply_text=pl.col("user_field").filter(is_rejected).drop_nulls().first(),
        log_text=pl.col("_said").filter(is_rejected).first(),
        _talk_us=talk,
        join_quality=pl.when(pl.len() > 1).then(pl.lit("exact")).otherwise(pl.lit("none")),
    )
    outcome = choose_code(delivered="_is_answered", rejected="_is_rejected", otherwise="bounced")
    calls = calls.with_columns(outcome_code=outcome)
    is_refused = pl.col("outcome_code") == "rejected"
    known = {
        "format_code": pl.lit(NAME),
        "grain_code": pl.lit("call"),
        "entry_code": pl.lit("link"),
        "queue": pl.col("assembly_key"),
        "is_handoff": pl.lit(False),
        "stage_code": pl.when(is_refused).then(pl.lit("connect")).otherwise(pl.lit("delivery")),
        "event": pl.when(pl.col("outcome_code") == "bounced").then("event"),
        "reply_text": pl.when(is_refused).then("reply_text"),
        "log_text": pl.when(is_refused).then("log_text"),
        "is_partial": pl.lit(False),
        "talk_us": pl.when("_is_answered").then("_talk_us"),
    }
    return fill_rows(calls, TRANSMISSION, **known)


def _side_columns() -> dict[str, pl.Expr]:
    shown = pl.col("_clid").str.extract(r"<([^<>]*)>$")
    return {
        "_caller": pl.coalesce(
            none_if_empty(pl.col("_src")), none_if_empty(shown), none_if_empty(pl.col("_clid"))
        ),
        "_called": pl.when(~pl.col("_dst").is_in(_OWN_EXTENSIONS)).then("_dst"),
    }


def _typed_fields(source: Source) -> dict[str, pl.Expr]:
    """The typed columns."""
    zone = "UTC" if source.options.get("usegmtime") else source.time_zone

    def stamp_time(name: str) -> pl.Expr:
        return pl.coalesce(local_time(pl.col(name), zone), parse_epoch(pl.col(name)))

    billed = pl.col("_billsec")
    data = pl.lit("(") + pl.col("_lastdata").fill_null("") + pl.lit(")")
    return {
        "first_at": stamp_time("_start"),
        "answered_at": stamp_time("_answer"),
        "ended_at": stamp_time("_end"),
        "call_id": pl.coalesce(none_if_empty(pl.col("_linkedid")), none_if_empty(pl.col("_uniqueid"))),
        "channel_code": choose_code(
            VOICE_CS=pl.col("_channel").str.contains(_CIRCUIT_CHANNEL), otherwise="VOICE_IP"
        ),
        "sender": read_party("_caller_uri", source),
        "recipient": read_party("_called_uri", source),
        "client_ip": _peer_name("_channel").str.extract(r"^(\d{1,3}(?:\.\d{1,3}){3})$"),
        "inbound_link": _peer_name("_channel"),
        "outbound_link": _peer_name("_dstchannel"),
        "account": none_if_empty(pl.col("_accountcode")),
        "display_name": shown_name("_clid"),
        "dial_context": none_if_empty(pl.col("_dcontext")),
        "application": none_if_empty(pl.col("_lastapp")) + data,
        "disposition": pl.col("_disposition"),
        "user_field": none_if_empty(pl.col("_userfield")),
        "talk_us": parse_microseconds(billed),
        # cdr_custom may leave out the durations.
        "_has_numbers": billed.str.contains(SECONDS).fill_null(True)
        & pl.col("_duration").str.contains(SECONDS).fill_null(True),
    }


def _event_code(pattern: str) -> pl.Expr:
    words = pl.concat_str(
        pl.col("user_field"),
        pl.col("dial_context"),
        pl.when(~pl.col("application").str.contains(_PLACING)).then("application"),
        separator=" ",
        ignore_nulls=True,
    )
    is_rejected = words.str.contains(pattern) | (pl.col("application") == "Hangup(21)").fill_null(False)
    return choose_code(
        rejected=is_rejected, answered=pl.col("disposition") == "ANSWERED", otherwise="unanswered"
    )


def _peer_name(channel: str) -> pl.Expr:
    """The peer that a channel is named after: `trunk` of SIP/trunk-0000063a, `DAHDI/1` of DAHDI/1-1."""
    name = pl.col(channel)
    peer = name.str.extract(_PEER)
    return (
        pl.when(name.str.contains(_IP_CHANNEL))
        .then(peer)
        .when(name.str.contains(_CIRCUIT_CHANNEL))
        .then(name.str.extract(r"^([^/]+/)") + peer)
    )


FORMAT = LineFormat(
    name=NAME,
    title="Asterisk",
    description="Call detail records of Asterisk (Master.csv)",
    channels=("VOICE_IP", "VOICE_CS"),
    # A row is written when its leg ends, and the longest calls last for a day.
    lookback_days=2,
    sniff=sniff,
    parse=parse,
    assemble=assemble,
    transmissions=transmissions,
    rules_of=("sip",),
    place=place_of_event(pl.col("call_id")),
    options=("columns", "rejected_pattern", "usegmtime"),
    has_numbers=True,
)
