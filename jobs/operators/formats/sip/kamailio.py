"""Kamailio's and OpenSIPS's accounting by syslog: acc lines, CDR lines, acc_json lines, script lines.

    ACC: WORDS: timestamp=EPOCH;method=M;from_tag=T;to_tag=T;call_id=ID;code=CODE;reason=TEXT;EXTRA=...
    ACC: call ended: created=EPOCH;call_start_time=EPOCH;duration=S;ms_duration=MS;setuptime=S;method=...
    ACC: transaction answered: method=M, i-uri=URI, o-uri=URI, call_id=ID, from=HEADER, code=CODE, ...
    acc [acc_cdr.c:373]: log_write_cdr(): start_time=EPOCH.F; end_time=EPOCH.F; duration=S; EXTRA=...
    json_acc[PID]: {"time": EPOCH, "method": "M", "from_tag": ..., "callid": ..., "sip_code": ..., EXTRA}

(Kamailio 5 and 6 modules/acc, acc_json; OpenSIPS 1 to 3 modules/acc, whose `call ended` is the second; the
third is OpenSER's.) WORDS are not believed: a refused INVITE is `call missed` and `transaction answered`
both, with one code. Values may hold `;` (an Identity header does), so extras are looked up by name.

`timestamp` is UTC whatever the host's zone, so it is taken before the syslog stamp; with `time_mode` 1 or 2
its fraction is too.

A Kamailio CDR names no call unless `cdr_extra` has the Call-ID (as call_id, callid or ci). Without it
nothing ties it to its call for sure, so it is ignored, and the BYE tells how long the call was, in whole
seconds. A CDR makes no call of its own: refused calls have one of zero length.

A line that the proxy's script logs is kept where it has a Call-ID (`call-id=`, `callid:`, ...) and a word
that tells of a block; the option `script_pattern` replaces the words. What it logs as `body=` of a MESSAGE
up to the line's end is that message's text.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats import TRANSMISSION, Source
from jobs.operators.formats.shared.fields import select_parsed
from jobs.operators.formats.shared.sample_shares import sample_lines, share_of
from jobs.operators.formats.shared.syslog import split_envelope
from jobs.operators.formats.sip import passport
from jobs.operators.formats.sip import records as sip
from jobs.operators.formats.sip.join import REUSED_AFTER, join_calls, proxy_format
from jobs.operators.formats.sip.records import (
    COUNTED_METHODS,
    TYPED,
    name_pattern,
    parse_epoch,
    parse_microseconds,
)

NAME = "kamailio"

_ACC = r"^[a-z ]{1,40}: ?(?:timestamp|created|method)="
_WORDS = {
    "transaction answered": "answered",
    "call missed": "missed",
    "request accounted": "accounted",
    "call ended": "ended",
}
# What most lines have, at these places between semicolons.
_LABELS = ["timestamp=", "method=", "from_tag=", "to_tag=", "call_id=", "code=", "reason="]
_CORE = (
    r"(?s)^(?P<head>(?:[a-z_]+=[^;]*;){0,8}?)method=(?P<method>[^;]*);from_tag=(?P<from_tag>[^;]*);"
    r"to_tag=(?P<to_tag>[^;]*);call_id=(?P<call_id>[^;]*);code=(?P<code>[^;]*);reason=(?P<reason>[^;]*)"
    r"(?:;(?P<rest>.*))?$"
)
_CDR = r"^[^;=]*start_time=[^;]*; ?end_time="
_CALL_ID = r"(?i)\bcall[-_]?id ?[=:] ?<?([^\s;,>\])]+)"
_SCRIPT = (
    r"(?i)\b(?:spam|spit|robo|scam|fraud|phish|vish|scanner|sipvicious|friendly-scanner|block|blacklist"
    r"|blocklist|userblacklist|globalblacklist|denylist|ipban|bann|flood|pike|secfilter|stirshaken"
    r"|reject|refus|den(?:y|ied)|unwanted)"
)
_PROGRAM = "(?:Kamailio|kamailio|opensips|openser|OpenSER|ser)"
_OWN_TEXT = (
    rf"(?:\bACC: [a-z ]+: ?(?:timestamp|created|method)=|\blog_write_cdr\(\): |\bjson_acc(?:\[\d+\])?: \{{"
    rf"|[ /]{_PROGRAM}(?:\[\d+\])?: )"
)
_STAMPED = r"^(?:<\d{1,3}>(?:1 )?)?(?:\d{4}-\d\d-\d\d[ T]\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"


def sniff(sample: bytes) -> float:
    """Share of the sample's stamped lines that a SIP proxy wrote; 0 where none did."""
    lines = sample_lines(sample)
    lines = lines.filter(lines.str.contains(_STAMPED))
    return share_of(lines.str.contains(_OWN_TEXT), lines)


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: what it records of a call; other lines with a syslog envelope are ignored.

    Ignored are too: requests that are no INVITE, BYE or MESSAGE, acknowledgements, CDRs without a Call-ID.
    Quarantine reasons: bad_timestamp (no time, or one that cannot be), truncated (the line ends before its
    reason), bad_field (an accounting line without Call-ID or code).
    """
    given = lines.select("offset", pl.col("line").fill_null("").str.strip_chars_end("\r")).collect()
    frame = pl.concat([given, split_envelope(given["line"], source)], how="horizontal")
    # A proxy that writes to its standard output has no envelope; its accounting has its own time.
    body = pl.when(pl.col("reason_code").is_null()).then(pl.col("body")).otherwise(pl.col("line"))
    frame = frame.with_columns(_body=body).rename({"reason_code": "_reason"})
    frame = _core_fields(_sorted_out(frame, source))
    # One step after the other: what a step reads several times is worked out once.
    frame = sip.find_extras(frame, _find_extra, source)
    frame = frame.with_columns(**_unescape_json(*(f"_{role}" for role in sip.ROLES)))
    frame = frame.with_columns(**sip.find_sides(*sip.SIDES))
    frame = frame.with_columns(**sip.read_extras(source), _claims=passport.read_claims(pl.col("_identity")))
    frame = frame.with_columns(**{name: pl.col("_claims").struct.field(name) for name in passport.CLAIMS})
    is_accounting = pl.col("_acc").is_not_null() | pl.col("_json").is_not_null()
    is_complete = (
        pl.col("reply_code").str.contains(r"^\d{3}$")
        & (pl.col("call_id") != "")
        & pl.col("method").str.contains(r"^[A-Z]+$")
    ).fill_null(False)
    is_of_call = (pl.col("_cdr").is_not_null() | pl.col("_script").is_not_null()) & pl.col(
        "call_id"
    ).is_not_null()
    is_counted = is_complete & pl.col("method").is_in(COUNTED_METHODS) & pl.col("event_code").is_not_null()
    has_time = pl.col("first_at").is_not_null()
    line_code = choose_code(
        record=(is_counted | is_of_call) & has_time,
        quarantined=is_counted | is_of_call | (is_accounting & ~is_complete),
        ignored=is_accounting | pl.col("_reason").is_null() | (pl.col("line").str.strip_chars() == ""),
        otherwise="quarantined",
    )
    is_cut = ~pl.coalesce(
        pl.col("_acc").str.contains(r"[; ](?:reason|code)="), pl.col("_json").str.ends_with("}")
    )
    reason = choose_code(
        truncated=is_accounting & is_cut,
        bad_field=is_accounting & ~is_complete,
        otherwise=pl.col("_reason").fill_null("bad_timestamp"),
    )
    return select_parsed(frame.lazy().with_columns(line_code=line_code), reason, TYPED)


def drop_repeated_calls(rows: pl.LazyFrame, bronze: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of kamailio_flat.transmissions() that the syslog does not record.

    A proxy may write both, and an operator give both; proxies behind each other write one call twice, too.
    The syslog's rows stand, since they know the script's reasons.
    """
    counted = join_calls(bronze, NAME).select("operator_id", "queue", "first_at", _is_counted=pl.lit(True))
    return (
        rows.sort("first_at")
        .join_asof(
            counted.sort("first_at"),
            on="first_at",
            by=["operator_id", "queue"],
            strategy="nearest",
            tolerance=REUSED_AFTER,
            check_sortedness=False,
        )
        .filter(pl.col("_is_counted").is_null())
        .select(*TRANSMISSION)
    )


def _sorted_out(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Each line's text in the column of its kind: _acc (and _words), _json, _cdr, _script; else null.

    A kind is told by what stands before any value, so that no value can pretend to be a line.
    """
    body = pl.col("_body")
    pattern = str(source.options.get("script_pattern", _SCRIPT))
    frame = frame.with_columns(
        _cut=pl.when(body.str.contains("ACC: ", literal=True)).then(body).str.splitn("ACC: ", 2)
    )
    before, behind = (pl.col("_cut").struct.field(name) for name in ("field_0", "field_1"))
    is_acc = behind.str.contains(_ACC) & ~before.str.contains("=", literal=True)
    frame = frame.with_columns(_cut=pl.when(is_acc.fill_null(False)).then(behind).str.splitn(":", 2))
    frame = frame.with_columns(
        _words=pl.col("_cut").struct.field("field_0"),
        _acc=pl.col("_cut").struct.field("field_1").str.strip_chars_start(" "),
    )
    rest = pl.when(pl.col("_acc").is_null()).then(body)
    is_json = rest.str.starts_with("{") & rest.str.contains('"(?:callid|call_id)"')
    frame = frame.with_columns(_json=pl.when(is_json).then(body))
    frame = frame.with_columns(_other=pl.when(pl.col("_json").is_null()).then(rest))
    other = pl.col("_other")
    is_cdr = other.str.contains("; end_time=", literal=True) & other.str.contains(_CDR)
    is_script = pl.col("_reason").is_null() & other.str.contains(_CALL_ID) & other.str.contains(pattern)
    frame = frame.with_columns(_cdr=pl.when(is_cdr).then(other))
    return frame.with_columns(_script=pl.when(is_script & pl.col("_cdr").is_null()).then(other))


def _core_fields(frame: pl.DataFrame) -> pl.DataFrame:
    """The fields that every kind of accounting line has, and `_rest`: the extras of acc lines."""
    acc = pl.col("_acc")
    frame = frame.with_columns(_parts=acc.str.splitn(";", 8)).with_columns(
        _is_usual=pl.all_horizontal(
            _split_part(place).str.starts_with(label) for place, label in enumerate(_LABELS)
        ).fill_null(False)
    )
    usual = [
        pl.when("_is_usual").then(_split_part(place)).str.strip_prefix(label)
        for place, label in enumerate(_LABELS)
    ]
    is_comma = acc.str.contains(r"^method=[^;,]*, ")
    frame = frame.with_columns(
        _old=pl.when(is_comma).then(acc),
        _odd=pl.when(~pl.col("_is_usual") & ~is_comma).then(acc).str.extract_groups(_CORE),
    )
    odd, head = pl.col("_odd").struct, pl.col("_odd").struct.field("head")
    # time_mode 1 adds time_attr (seconds) and time_exten (microseconds), 2 time_attr with its fraction.
    micros = head.str.extract(r"(?:^|;)time_exten=(\d{1,6});").str.pad_start(6, "0")
    stamp = pl.coalesce(
        usual[0],
        head.str.extract(r"(?:^|;)time_attr=(\d{9,10}\.\d+);"),
        head.str.extract(r"(?:^|;)timestamp=(\d+);") + pl.lit(".") + micros.fill_null("0"),
        head.str.extract(r"(?:^|;)created=(\d+);"),
        _json_number(["time", "timestamp"]),
        _cdr_value(["end_time"]),
    )
    event = pl.col("_words").replace_strict(_WORDS, default=None, return_dtype=pl.String)
    from_tag, to_tag = (
        pl.coalesce(
            usual[place],
            odd.field(name),
            _header_tag(_old_value([name.removesuffix("_tag")])),
            _json_value([name]),
            _cdr_value(sip.CDR_NAMES[name]),
        )
        for place, name in ((2, "from_tag"), (3, "to_tag"))
    )
    call_id = pl.coalesce(
        usual[4],
        odd.field("call_id"),
        _old_value(["call_id"]),
        _json_value(["callid", "call_id"]),
        _cdr_value(sip.CDR_NAMES["call_id"]),
        pl.col("_script").str.extract(_CALL_ID),
    )
    ended = pl.col("_words") == "call ended"
    ms = head.str.extract(r"(?:^|;)ms_duration=(\d{1,12});").cast(pl.Int64, strict=False)
    return frame.with_columns(
        event_code=choose_code(
            answered=pl.col("_json").is_not_null(),
            cdr=pl.col("_cdr").is_not_null(),
            script=pl.col("_script").is_not_null(),
            otherwise=event,
        ),
        first_at=pl.coalesce(parse_epoch(stamp), "at"),
        method=pl.coalesce(usual[1], odd.field("method"), _old_value(["method"]), _json_value(["method"])),
        from_tag=from_tag,
        to_tag=to_tag,
        call_id=call_id,
        reply_code=pl.coalesce(
            usual[5], odd.field("code"), _old_value(["code"]), _json_number(["sip_code", "code"])
        ),
        reply_text=pl.coalesce(usual[6], odd.field("reason"), _json_value(["sip_reason", "reason"])),
        answered_at=pl.coalesce(
            pl.when(ended).then(parse_epoch(head.str.extract(r"(?:^|;)call_start_time=(\d+);"))),
            parse_epoch(_cdr_value(["start_time"])),
        ),
        talk_us=pl.coalesce(
            pl.when(ended).then(ms * 1000),
            pl.when(ended).then(parse_microseconds(head.str.extract(r"(?:^|;)duration=(\d{1,9});"))),
            parse_microseconds(_cdr_value(["duration"])),
        ),
        log_text=pl.col("_script"),
        text=pl.col("_script").str.extract(r"(?s)\bmethod=MESSAGE\b.*\bbody=(.*)$"),
        _rest=pl.lit(";") + pl.coalesce(pl.when("_is_usual").then(_split_part(7)), odd.field("rest")),
    ).with_columns(**_unescape_json("reply_text"))


def _find_extra(names: list[str]) -> pl.Expr:
    """The value of an extra, from whichever kind the line is of."""
    return pl.coalesce(
        pl.col("_rest").str.extract(rf";{name_pattern(names)}=([^;]*)"),
        _json_value(names),
        _old_value(names),
        _cdr_value(names),
    )


def _unescape_json(*names: str) -> dict[str, pl.Expr]:
    """Strings of JSON without their escapes."""
    is_escaped = [
        pl.col("_json").is_not_null() & pl.col(name).str.contains("\\", literal=True) for name in names
    ]
    return {
        name: pl.when(escaped).then(pl.col(name).str.replace_all(r"\\(.)", "$1")).otherwise(name)
        for name, escaped in zip(names, is_escaped, strict=True)
    }


def _split_part(place: int) -> pl.Expr:
    return pl.col("_parts").struct.field(f"field_{place}")


def _json_value(names: list[str]) -> pl.Expr:
    """The string behind a key, still escaped. Quotes inside a string are, so it cannot hold a key."""
    return pl.col("_json").str.extract(rf'"{name_pattern(names)}": ?"((?:[^"\\]|\\.)*)"')


def _json_number(names: list[str]) -> pl.Expr:
    return pl.col("_json").str.extract(rf'"{name_pattern(names)}": ?"?([\d.]+)')


def _old_value(names: list[str]) -> pl.Expr:
    """A value of OpenSER's lines, which may hold commas and `=` but no `, name=`."""
    return pl.col("_old").str.extract(rf"(?:^|, ){name_pattern(names)}=(.*?)(?:, [a-z][a-z0-9_-]*=|$)")


def _cdr_value(names: list[str]) -> pl.Expr:
    return pl.col("_cdr").str.extract(rf"(?:^|[:;] ?){name_pattern(names)}=([^;]*)")


def _header_tag(header: pl.Expr) -> pl.Expr:
    """The tag of a From or To header; '' where there is none."""
    return pl.when(header.is_not_null()).then(header.str.extract(r";tag=([^;,\s>]+)").fill_null(""))


FORMAT = proxy_format(
    NAME,
    title="Kamailio and OpenSIPS",
    description="Accounting lines of SIP proxies by syslog: acc, CDR, acc_json",
    sniff=sniff,
    parse=parse,
    complete=drop_repeated_calls,
    options=("extras", "script_pattern"),
)
