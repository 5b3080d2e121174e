"""Fields of Exim's log lines on refusals: rejected, discarded, dropped and closed.

Each reader takes the rows of its kind (`row`, `text` after stamp and message id) and gives their fields. The
forms are those of Exim's smtp_in.c, receive.c, acl.c and daemon.c, 4.x to 4.98.
"""

import polars as pl

from jobs.base.core.codes import choose_case, choose_code
from jobs.operators.formats.exim.lines import (
    ACCOUNT,
    AUTHENTICATED,
    HOST,
    QUOTED,
    reply_codes,
    strip_brackets,
)
from jobs.operators.formats.shared.fields import extract_groups

# What was refused: `[temporarily ]rejected STEP ...`, after host and sender at most.
_STEPS = (
    "connection|EHLO or HELO|EHLO|HELO|MAIL|RCPT|DATA|after DATA PRDR|after DATA|during MIME ACL checks"
    r"|from|by local_scan\(\)|by non-SMTP ACL|non-SMTP|VRFY|EXPN|ETRN|DKIM|AUTH|STARTTLS|Mailauth|QUIT"
)
_REJECTED = (
    rf'(?s)^(?P<front>(?:[^"]|{QUOTED})*?)(?P<soft>temporarily )?rejected'
    rf" (?:(?P<step>{_STEPS})(?P<rest>[ :].*)?|(?P<input>{QUOTED})(?P<after> .*)?)$"
)
_FRONT = r"^(?:[A-Z][A-Za-z0-9]{0,3}=|$|SMTP protocol |TLS )"
_ARGUMENT = (
    rf"(?s)^(?:(?P<place> from .*?)|\s?(?P<argument>(?:<(?:[^>\"]|{QUOTED})*>|{QUOTED}@\S*?|.*?))"
    r"(?P<where> H=.*?)?)(?:: (?P<reason>.*))?$"
)
_ANY_HOST = rf"(?:{HOST}|(?:^| )\[(?P<ip2>[0-9A-Fa-f.:]+)\](?::(?P<port2>\d+))?)"
_SENDER = rf"(?:^| )F=(?:<(?P<full>(?:[^>\"]|{QUOTED})*)>|(?P<bare>[^ <>]+))"
_DISCARDED = (
    rf"(?s)^(?P<front>(?:[^\"]|{QUOTED})*?)RCPT <?(?P<recipient>(?:{QUOTED})?[^ >]*)>?: "
    r"(?P<reason>discarded by (?:RCPT|MAIL) ACL.*)$"
)
_NOT_ACCEPTED = (
    r"(?s)^(?:(?:temporarily )?refused connection from|[Cc]onnection from|SMTP call from"
    r"|(?:overlong message header line|ridiculously long message header) received from)"
    r" (?P<where>.*?\[[0-9A-Fa-f.:]+\].*?)"
    r"(?: (?:refused|dropped): (?P<reason>.*)| (?P<reason2>\(.*\)(?:: message abandoned)?)"
    r"|: (?P<reason3>not in reserve list.*))?$"
)
# On a TLS port a connection is dropped without an answer.
_DROPPED = (
    r"(?s)^(?P<where>(?: ?DS )?H=.*?) dropped by (?:'[a-z]+' ACL|host_reject_connection)"
    r"(?:: (?P<reason>.*))?$"
)
_CLOSED = (
    r"^(?:(?:temporarily )?refused connection from|[Cc]onnection from .* refused|SMTP call from .* dropped"
    r"|(?: ?DS )?H=.* dropped by |(?:overlong|ridiculously long) message header )"
)
# `rejected` without one of the steps above.
_UNQUALIFIED = r"^unqualified (?P<what>sender|recipient) rejected: <(?P<address>.*?)>(?P<where> .*)?$"
_TOO_MANY = (
    r"^too many recipients: (?:(?P<soft>excess temporarily)|message) rejected: sender=<(?P<sender>.*?)>"
    r"(?P<where> .*)?$"
)
_SCANNER = r"^(?:local_scan\(\) |acl_smtp_mime: ).*message temporarily rejected"
_PRDR = (
    rf"(?s)^PRDR (?:R=<(?P<own>(?:[^>\"]|{QUOTED})*)> (?:(?P<soft>temporary )?refusal|(?P<taken>acceptance))"
    rf"|(?P<address>(?:{QUOTED})?[^ \"]+) (?P<reason>.*))$"
)
_ZONE = (
    r"(?i)(?:black ?list(?:ed)? (?:at|in|by)|block ?list(?:ed)? (?:at|in|by)|listed (?:at|in|by|on)"
    r"|found in(?: dnsbl)?|blocked (?:using|by)|dnsbl:?|rbl:?) ([a-z0-9-]+(?:\.[a-z0-9-]+)+)"
)


def _read_client(where: pl.Series) -> list[pl.Series]:
    host = extract_groups(where, _ANY_HOST)
    ip = host["ip"].zip_with(host["ip"].is_not_null(), host["ip2"])
    port = host["port"].zip_with(host["ip"].is_not_null(), host["port2"])
    return [
        host["name"].alias("client_name"),
        ip.alias("client_ip"),
        port.alias("client_port"),
        host["helo"].alias("helo"),
    ]


def _refusal_status(soft: pl.Series) -> pl.Expr:
    """The status of a refusal; temporary where the line says so."""
    return choose_code(temporarily=soft.is_not_null(), otherwise="rejected").alias("status_code")


def read_refusals(some: pl.DataFrame) -> pl.DataFrame:
    """`H=… F=<sender> [temporarily ]rejected RCPT <recipient>: reason` and its relatives."""
    text = some["text"]
    found = extract_groups(text, _REJECTED)
    front = found["front"].fill_null("")
    step = found["step"].zip_with(
        found["input"].is_null(), pl.Series(["command"]).new_from_index(0, len(text))
    )
    # A remote server's own words follow its host after a colon.
    is_ours = (
        step.is_not_null()
        & front.str.contains(_FRONT)
        & (front.str.starts_with("SMTP protocol ") | ~front.str.contains(r"\](?::\d+)?: "))
    )
    some, found = some.filter(is_ours), found.filter(is_ours)
    front, step, text = front.filter(is_ours), step.filter(is_ours), text.filter(is_ours)
    after = extract_groups(found["rest"].fill_null(""), _ARGUMENT)
    # `MAIL FROM:<address>`, and `MAIL command` of one message too many.
    argument = after["argument"].str.strip_prefix("FROM:")
    argument = strip_brackets(argument.set(argument == "command", None))
    sender = extract_groups(front, _SENDER)
    null_sender = front.str.contains("F=<>", literal=True)
    address = pl.coalesce(sender["full"], sender["bare"])
    reason = after["reason"].zip_with(after["reason"].is_not_null(), front.str.strip_chars_end(": "))
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        _refusal_status(found["soft"]),
        step.alias("step_code"),
        *_read_client(
            front + after["place"].fill_null("") + after["where"].fill_null("") + found["after"].fill_null("")
        ),
        pl.when(step.is_in(["MAIL", "from"]) & argument.is_not_null())
        .then(argument)
        .when(null_sender)
        .then(pl.lit(""))
        .otherwise(address)
        .alias("sender"),
        pl.when(step == "RCPT").then(argument).alias("recipient"),
        front.str.extract(ACCOUNT).alias("account"),
        front.str.contains(AUTHENTICATED).alias("is_authenticated"),
        *reply_codes(reason),
        reason.alias("reply_text"),
        text.alias("log_text"),
        _list_zone(reason),
    )


def _list_zone(reason: pl.Series) -> pl.Series:
    return reason.str.extract(_ZONE).str.to_lowercase().alias("dnsbl_zone")


def read_discards(some: pl.DataFrame) -> pl.DataFrame:
    """`H=… F=<sender> RCPT <recipient>: discarded by RCPT ACL: reason`: answered 250, and dropped."""
    found = extract_groups(some["text"], _DISCARDED)
    sender = extract_groups(found["front"].fill_null(""), _SENDER)
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        pl.lit("discarded").alias("status_code"),
        pl.lit("RCPT").alias("step_code"),
        *_read_client(found["front"].fill_null("")),
        pl.coalesce(sender["full"], sender["bare"], pl.lit("")).alias("sender"),
        found["recipient"],
        found["reason"].alias("reply_text"),
        pl.col("text").alias("log_text"),
        _list_zone(found["reason"]),
    ).filter(pl.col("recipient").is_not_null())


def is_closed_door(text: pl.Series) -> pl.Series:
    """Return whether a line without an id says of a connection that it was refused or dropped."""
    return text.str.contains(_CLOSED)


def read_closed_doors(some: pl.DataFrame) -> pl.DataFrame:
    """`refused connection from H=…`, `Connection from H=… refused: too many connections`, calls and
    connections dropped, headers without end."""
    text = some["text"]
    found = extract_groups(text, _NOT_ACCEPTED)
    dropped = extract_groups(text, _DROPPED)
    start = text.str.head(4).str.to_lowercase()
    reason = pl.coalesce(found["reason"], found["reason2"], found["reason3"], dropped["reason"])
    busy = text.str.contains(
        r"refused: (?:too many|load average|temporar)|local problem|: not in reserve list|^temporarily "
    )
    where = found["where"].zip_with(found["where"].is_not_null(), dropped["where"]).fill_null("")
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        # Exim answers 421 where it is busy, 554 where it does not want the host.
        choose_code(temporarily=busy & (start != "smtp"), otherwise="rejected").alias("status_code"),
        choose_code(
            command=start == "smtp", DATA=start.is_in(["over", "ridi"]), otherwise="connection"
        ).alias("step_code"),
        *_read_client(where.set(~where.str.contains("[", literal=True), None)),
        reason.alias("reply_text"),
        pl.col("text").alias("log_text"),
        _list_zone(dropped["reason"]),
    ).filter(pl.col("client_ip").is_not_null())


def read_other_refusals(some: pl.DataFrame) -> pl.DataFrame:
    """`unqualified recipient rejected: <a> H=…`, `too many recipients: excess temporarily rejected: …`,
    `local_scan() function timed out - message temporarily rejected`."""
    text = some["text"]
    unqualified, many = extract_groups(text, _UNQUALIFIED), extract_groups(text, _TOO_MANY)
    is_scanner = text.str.contains(_SCANNER)
    is_sender, is_many = (unqualified["what"] == "sender").fill_null(False), text.str.starts_with("too many ")
    where = unqualified["where"].zip_with(unqualified["where"].is_not_null(), many["where"])
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        choose_code(temporarily=is_scanner | many["soft"].is_not_null(), otherwise="rejected").alias(
            "status_code"
        ),
        choose_case(
            (is_scanner, "by local_scan()"),
            (is_sender, "MAIL"),
            (is_many & many["soft"].is_not_null(), "overflow"),
            (is_many | unqualified["what"].is_not_null(), "RCPT"),
        ).alias("step_code"),
        *_read_client(where),
        pl.when(is_sender)
        .then(unqualified["address"])
        .when(is_many)
        .then(many["sender"].fill_null(""))
        .alias("sender"),
        pl.when(~is_sender).then(unqualified["address"]).alias("recipient"),
        pl.col("text").str.split(": <").list.first().alias("reply_text"),
        pl.col("text").alias("log_text"),
    ).filter(pl.col("step_code").is_not_null())


def read_single_refusals(some: pl.DataFrame) -> pl.DataFrame:
    """`PRDR R=<recipient> refusal` and `PRDR recipient reason`: one recipient's own answer after DATA."""
    found = extract_groups(some["text"], _PRDR)
    return (
        some.select(
            "row",
            pl.lit("refusal").alias("event_code"),
            _refusal_status(found["soft"]),
            pl.lit("after DATA PRDR").alias("step_code"),
            pl.coalesce(found["own"], found["address"]).alias("recipient"),
            *reply_codes(found["reason"]),
            found["reason"].alias("reply_text"),
            pl.col("text").alias("log_text"),
            _list_zone(found["reason"]),
            found["taken"],
        )
        .filter(pl.col("recipient").is_not_null() & pl.col("taken").is_null())
        .drop("taken")
    )
