"""Fields of Exim's log lines, by kind: arrivals, deliveries, failures, SA-Exim's verdicts.

Each reader takes the rows of its kind (`row`, `text` after stamp and message id) and gives their fields.
The forms are those of Exim's receive.c and deliver.c, 4.x to 4.98, and of SA-Exim's sa-exim.c; refusals:
refusals.py.
Addresses and HELO names are the client's own text: each field is looked for only where Exim writes it,
and quoted local parts are stepped over.
"""

import re
from collections.abc import Callable

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats.shared.fields import extract_groups

# A quoted part, and text in which quoted parts count as one.
QUOTED = r'"(?:[^"\\]|\\.)*"'
# The host as host_and_ident() writes it: name, HELO in brackets where it differs, address, port.
HOST = (
    r"H=(?P<name>[^ \[(]*)(?: ?\((?P<helo>.*?)\))? ?"
    r"\[(?P<ip>[0-9A-Fa-f.:]+)\](?::(?P<port>\d+))?"
)
_ARRIVAL = (
    rf"^(?:R=(?P<parent>\S+) ?)?(?:{HOST} ?)?(?:I=\[[^\]]*\](?::(?P<own_port>\d+))? ?)?"
    r"(?:U=(?:.*?) )??(?:Ci=\d+ ?)?(?:P=(?P<protocol>\S+) ?)?(?P<more>.*)$"
)
# An id is an address by syntax (receive.c), so that blanks stand only in its quoted part.
_AFTER_SIZE = (
    rf"^(?P<id>(?:{QUOTED})?[^ ]*)(?: T=(?P<subject>{QUOTED}))?(?: from <[^>]*>)?"
    r"(?: for (?P<recipients>.*))?$"
)
# The same where there is no id: the first of them that is not inside quotation marks.
_NO_ID = rf"^(?:[^\"]|{QUOTED})*?((?: T={QUOTED}| from <[^>]*>| for ).*)$"
_REPLY = r"(?:^|: )(?:host \S+ \[[^\]]*\]: )?([2-5]\d\d)(?:[ -]+([245]\.\d{1,3}\.\d{1,3}))?(?: |$)"
_RECIPIENT = rf"(?:{QUOTED})?[^ \"]+"
ACCOUNT = r"(?:^| )A=[^ :]+(?::([^ :]+))?"
AUTHENTICATED = r"(?:^| )A=|^A="

_VERDICT = (
    r"^SA: (?:Action: (?P<action>.+?): )?(?:score|hits)=(?P<score>-?[\d.]+) required=(?P<required>-?[\d.]+)"
    r"(?: trigger=\S+)?(?: action=(?P<own>.*?))?(?: \((?:scanned )?(?:in (?P<seconds>\d+)/\d+ secs.*?\))?"
    r"(?P<rest>.*))?$"
)
_SCANNED = r"from=<(?P<sender>.*)> ip=(?P<ip>[0-9A-Fa-f.:]+)\)$"
_MAIL_INFO = (
    r"From <(?P<sender>.*?)> \((?:host=\S* \[(?P<ip>[0-9A-Fa-f.:]+)\]|local)\) for (?P<recipients>.*)$"
)
_ESCAPED = re.compile(r"(?:\\[23][0-7]{2})+")
# Exim quotes a subject, and then writes what cannot be printed as escapes.
_QUOTED_PAIR = re.compile(r'\\(["\\])|((?:\\[0-7]{3})+)|\\[nrtbvf]')


def unescape_text(text: pl.Series) -> pl.Series:
    r"""Text with Exim's `\320\277` put back: octal bytes above 127 that are UTF-8 (string_printing())."""
    return _replace_in(text, text.str.contains(r"\\[23][0-7]{2}"), _ESCAPED, _decode_octal)


def _replace_in(
    text: pl.Series, some: pl.Series, pattern: re.Pattern[str], by: Callable[[re.Match[str]], str]
) -> pl.Series:
    """The texts with what the pattern matches replaced, in some of them: each distinct one once."""
    distinct = text.filter(some).unique()
    if distinct.is_empty():
        return text
    return text.replace(distinct, pl.Series([pattern.sub(by, value) for value in distinct], dtype=pl.String))


def _decode_octal(found: re.Match[str]) -> str:
    octal = found.group(0)
    data = bytes(int(octal[place : place + 3], 8) for place in range(1, len(octal), 4))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return octal


def unquote_text(text: pl.Series) -> pl.Series:
    """Quoted texts without quotation marks and Exim's escapes. What is no UTF-8 is a replacement sign."""
    plain = text.str.slice(1).str.strip_suffix('"')
    plain = plain.set(plain == "", None)
    return _replace_in(plain, plain.str.contains("\\", literal=True), _QUOTED_PAIR, _unquote_match)


def _unquote_match(found: re.Match[str]) -> str:
    sign, octal = found.groups()
    if octal:
        values = (int(octal[place : place + 3], 8) & 255 for place in range(1, len(octal), 4))
        return bytes(values).decode("utf-8", "replace")
    return sign or " "


def strip_brackets(text: pl.Series) -> pl.Series:
    """An address without its outer angle brackets."""
    return text.str.strip_prefix("<").str.strip_suffix(">")


def read_arrivals(some: pl.DataFrame) -> pl.DataFrame:
    """`<= sender [R=parent] H=name (helo) [ip]:port U=ident P=proto A=auth:user S=size id=… T="…" for a`."""
    text = some["text"].str.slice(3)
    parts = text.str.splitn(" ", 2).struct.unnest()
    quoted = text.str.starts_with('"')
    if quoted.any():
        whole = text.filter(quoted).str.extract_groups(rf"^({QUOTED}\S*) ?(.*)$").struct.unnest()
        where = quoted.arg_true()
        parts = pl.DataFrame(
            [parts["field_0"].scatter(where, whole["1"]), parts["field_1"].scatter(where, whole["2"])]
        )
    fields = extract_groups(parts["field_1"].fill_null(""), _ARRIVAL)
    more = fields["more"].fill_null("")
    halves = more.str.splitn(" id=", 2).struct.unnest()
    after = halves["field_1"]
    inside = (halves["field_0"].str.count_matches('"', literal=True) % 2 == 1).fill_null(False)
    if inside.any():
        # A certificate's DN="…" may hold it too.
        found = more.filter(inside).str.extract(rf"^(?:[^\"]|{QUOTED})*? id=(.*)$")
        after = after.scatter(inside.arg_true(), found)
    without = "=" + more.set(after.is_not_null(), None).str.extract(_NO_ID)
    rest = extract_groups(after.zip_with(after.is_not_null(), without), _AFTER_SIZE)
    protocol = fields["protocol"].fill_null("")
    return some.select(
        "row",
        pl.lit("arrival").alias("event_code"),
        strip_brackets(parts["field_0"]).alias("sender"),
        fields["parent"].alias("linked_queue_id"),
        fields["name"].alias("client_name"),
        fields["ip"].alias("client_ip"),
        fields["port"].alias("client_port"),
        # Exim leaves the HELO name out where it is the host's own name.
        pl.coalesce(fields["helo"], fields["name"]).alias("helo"),
        fields["protocol"].alias("protocol"),
        fields["own_port"].alias("own_port"),
        more.str.extract(ACCOUNT).alias("account"),
        (more.str.contains(AUTHENTICATED) | protocol.str.contains(r"^(?:utf8)?e?smtps?a$|^asmtp")).alias(
            "is_authenticated"
        ),
        more.str.extract(r"(?:^| )S=(\d{1,18})").cast(pl.Int64, strict=False).alias("message_bytes"),
        pl.when(after.is_not_null()).then(rest["id"]).alias("message_id"),
        unquote_text(rest["subject"]).alias("subject"),
        rest["recipients"].str.extract_all(_RECIPIENT).alias("recipients"),
        ((parts["field_0"] == "") | parts["field_1"].is_null()).alias("is_cut"),
    )


def reply_codes(text: pl.Series) -> list[pl.Series]:
    """reply_code and dsn_code of the first SMTP reply in a text, which need not begin with it."""
    codes = text.str.extract_groups(_REPLY).struct.unnest()
    return [codes["1"].alias("reply_code"), codes["2"].alias("dsn_code")]


def _split_targets(head: pl.Series) -> tuple[pl.Series, pl.Series]:
    """(address, top address) of `address (parents) <top> F=<sender> P=<path>`."""
    bare = head.str.splitn(" F=<", 2).struct.field("field_0").str.splitn(" P=<", 2).struct.field("field_0")
    top = bare.str.extract(r" <([^<>]*)>$")
    address = bare.str.replace(r" <[^<>]*>$", "")
    listed = address.str.contains(" (", literal=True).fill_null(False)
    if listed.any():
        address = address.zip_with(~listed, address.str.replace(r" \([^()]*\)$", ""))
    return strip_brackets(address), top


def read_deliveries(some: pl.DataFrame) -> pl.DataFrame:
    """`=> address <top> F=<> R=router T=transport H=name [ip]:port C="reply"`; `=> blackhole (why): text`."""
    text = some["text"].str.slice(3)
    parts = text.str.splitn(" R=", 2).struct.unnest()
    address, top = _split_targets(parts["field_0"])
    tail = parts["field_1"].fill_null("").str.splitn(' C="', 2).struct.unnest()
    way = extract_groups(tail["field_0"], r"^\S*(?: T=(?P<transport>\S+))?(?:.*?(?P<host> H=.*))?$")
    relay = extract_groups(way["host"].fill_null(""), rf"^ {HOST}")
    reply = tail["field_1"].str.extract(r'(?s)^(.*)"')
    by_acl = text.str.contains(r"^(?:blackhole|discarded) \(")
    dropped = by_acl | address.is_in([":blackhole:", "/dev/null"])
    flag = some["text"].str.head(2)
    return some.select(
        "row",
        pl.lit("delivery").alias("event_code"),
        choose_code(discarded=dropped | (flag == "*>"), otherwise="sent").alias("status_code"),
        pl.when(~by_acl).then(address).alias("recipient"),
        pl.when(~by_acl).then(top).alias("original_recipient"),
        way["transport"].alias("transport"),
        pl.when(relay["ip"].is_not_null()).then(_format_relay(relay)).alias("relay"),
        *reply_codes(reply),
        pl.when(by_acl).then(text.str.strip_prefix("blackhole ")).otherwise(reply).alias("reply_text"),
        pl.when(by_acl).then(some["text"]).alias("log_text"),
        (text == "").alias("is_cut"),
    )


def _format_relay(host: pl.DataFrame) -> pl.Series:
    """name[ip]:port, as TRANSMISSION has outbound links."""
    name = host["name"].fill_null("")
    port = (":" + host["port"]).fill_null("")
    return (name + "[" + host["ip"] + "]" + port).alias("relay")


def read_failures(some: pl.DataFrame) -> pl.DataFrame:
    """`** address <top> R= T= H=name [ip]: text` and `== address R= T= defer (-44) H=name [ip]: text`."""
    text = some["text"].str.slice(3)
    halves = text.str.splitn(": ", 2).struct.unnest()
    parts = halves["field_0"].str.splitn(" R=", 2).struct.unnest()
    head = parts["field_0"].str.replace(r"(?: [a-z_ ]+)? defer \(-?\d+\)$", "")
    address, top = _split_targets(head)
    way = extract_groups(
        parts["field_1"].fill_null(""), r"^\S*(?: T=(?P<transport>\S+))?(?:.*?(?P<host> H=.*))?$"
    )
    words = halves["field_1"].fill_null("")
    relay = extract_groups(way["host"].fill_null(""), rf"^ {HOST}")
    # Before 4.8x the host stood in the text.
    older = extract_groups(words, r": host (?P<name>\S+) \[(?P<ip>[0-9A-Fa-f.:]+)\](?::(?P<port>\d+))?: ")
    is_new = relay["ip"].is_not_null()
    is_failed = some["text"].str.starts_with("**")
    given_up = words.str.contains(
        "retry timeout exceeded|have been failing for a long time|after a long failure period"
    )
    # Such a line only says that it is not yet time.
    untried = words.str.contains("retry time not reached", literal=True) & ~is_failed
    return some.select(
        "row",
        pl.lit("delivery").alias("event_code"),
        choose_code(
            expired=is_failed & given_up, bounced=is_failed, waiting=untried, otherwise="deferred"
        ).alias("status_code"),
        address.alias("recipient"),
        top.alias("original_recipient"),
        way["transport"].alias("transport"),
        pl.when(is_new).then(_format_relay(relay)).otherwise(_format_relay(older)).alias("relay"),
        *reply_codes(words),
        halves["field_1"].alias("reply_text"),
        (address == "").fill_null(True).alias("is_cut"),
    )


def read_verdicts(some: pl.DataFrame) -> pl.DataFrame:
    """`SA: Action: what it did: score=8.2 required=5.0 …` of SA-Exim, and the same said by an ACL's logwrite.

    The Message-Id that SA-Exim logs had signs replaced, so that it joins nothing. How long it held a sender
    up is no part of the action.
    """
    found = extract_groups(some["text"], _VERDICT)
    rest = found["rest"].fill_null("")
    scanned = extract_groups(rest, _SCANNED)
    info = extract_groups(rest, _MAIL_INFO)
    return some.select(
        "row",
        pl.lit("verdict").alias("event_code"),
        pl.coalesce(found["action"].str.replace(r"^(teergrubed sender) .*", "$1"), found["own"]).alias(
            "action"
        ),
        found["score"].cast(pl.Float64, strict=False).alias("score"),
        found["required"].cast(pl.Float64, strict=False).alias("required_score"),
        (found["seconds"].cast(pl.Int64, strict=False) * 1_000_000).alias("filter_us"),
        pl.coalesce(
            scanned["sender"],
            info["sender"],
            pl.when(rest.str.contains(r"(?:from=|From )<>")).then(pl.lit("")),
        ).alias("sender"),
        pl.coalesce(scanned["ip"], info["ip"]).alias("client_ip"),
        info["recipients"].str.extract_all(rf'(?:{QUOTED})?[^ ,"]+').alias("recipients"),
    ).filter(pl.col("score").is_not_null() & pl.col("required_score").is_not_null())
