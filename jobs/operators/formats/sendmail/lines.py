"""Fields of Sendmail's log lines, by kind: arrivals, deliveries, refusals by rulesets and milters, notices.

Each reader takes the rows of its kind (`row`, `text` after the queue id) and gives their fields. The forms
are those of Sendmail's envelope.c (from=), deliver.c (to=), srvrsmtp.c (rulesets, Milter:), savemail.c
(notices), 8.9 to 8.18. Free text stands at the end of a line and may hold commas, so that fields are read
from the left up to it; the client's own text (addresses, message-id) is stepped over as a whole.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats.shared.fields import extract_groups, smtp_reply

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PATH = rf"<(?:[^>\"]|{_QUOTED})*>"
_ARRIVAL = (
    r"(?s)^(?P<size>\d{1,18}), class=-?\d+(?:, pri=-?\d+)?, nrcpts=(?P<count>\d{1,9})(?:, msgid=(?P<id>.*?))?"
    r"(?P<more>(?:, [A-Za-z_]+=[^,]*)*?)(?:, relay=(?P<relay>[^,]*))?$"
)
_RELAY = r"^(?P<name>[^ \[]*) ?(?:\[(?:IPv6:)?(?P<ip>[0-9A-Fa-f.:]+)\])?(?P<forged> \(may be forged\))?"
_TO = (
    r"(?s)^(?P<to>.*?)(?:, ctladdr=(?P<owner>.*?)(?: \(-?\d+/-?\d+\))?)?"
    r"(?P<more>(?:, (?:delay|xdelay|mailer|pri|tls_\w+|cipher|relay|dsn|quarantine|intvl)=.*)?)$"
)
_RECIPIENT = rf"(?:{_PATH}|{_QUOTED}[^,]*|[^,<\"]+)"
_RULESET = (
    rf"(?s)^ruleset=(?P<step>\w+)(?:, arg1=(?P<first>{_PATH}|[^,]*))?(?:, arg2=(?P<second>[^,]*))?"
    r"(?:, relay=(?P<relay>[^,]*))?, (?:reject=(?P<reply>.*)|(?P<other>discard|quarantine)\b.*)$"
)
_MILTER = (
    rf"(?s)^Milter(?: \([^)]*\))?: (?:cmd=)?(?P<step>connect|helo|from|to|data|header|body|eoh|eom|rcpt|mail"
    rf"|initialization failed)(?:[:=] ?(?P<argument>{_PATH}|.*?))?, (?:reject=(?P<reply>.*)"
    r"|(?P<other>discard|quarantine|rejecting commands|temp ?fail|shutdown).*)$"
)
_GREETING = r"^rejecting \S+ from (?P<relay>.*?\]) due to (?:pre-greeting traffic|traffic before response)"
_OTHER = (
    r"^(?:tcpwrappers \((?P<name>[^,]*), (?P<ip>[^)]*)\) rejection"
    r"|ERROR: srv_features=(?P<features>tempfail), relay=(?P<relay>.*?), access temporarily disabled"
    r"|(?P<size>message size \(\d+\) exceeds maximum)"
    # A client's name, not the daemon's own look at the disk.
    r"|low on space \((?:have -?\d+, )?(?P<space>\S+) needs )"
)
# Rulesets on servers that mail goes to; what becomes of it there, a to= line says.
_CLIENT_KEYS = ["try_tls", "tls_server", "tls_rcpt", "authinfo", "clt_features"]
_UNKNOWN = rf"(?s)^(?P<recipient>{_PATH})\.\.\. (?P<reply>.+)$"
# A line for each recipient beyond confMAX_RCPTS_PER_MESSAGE, which it does not name.
OVERFLOW = "Too many recipients"
_NOTICE = (
    r"^([0-9A-Za-z]{8,}): (?:DSN|return to sender|sender notify|postmaster notify|return receipt): (.*)$"
)
_ZONE = (
    r"(?i)(?:listed (?:at|in|by|on)|blocked (?:using|by)|found in|refused by|see) "
    r"(?:https?://)?([a-z0-9-]+(?:\.[a-z0-9-]+)+)"
)


def strip_brackets(address: pl.Series) -> pl.Series:
    """An address without its outer angle brackets."""
    return address.str.strip_chars(" ").str.strip_prefix("<").str.strip_suffix(">")


def _read_client(relay: pl.Series) -> list[pl.Series]:
    """Name and address of `name [ip] (may be forged)`; a name that may be forged is none."""
    found = extract_groups(relay, _RELAY)
    verified = found["forged"].is_null() & found["ip"].is_not_null()
    return [found["name"].set(~verified, None).alias("client_name"), found["ip"].alias("client_ip")]


def read_arrivals(some: pl.DataFrame) -> pl.DataFrame:
    """`from=<sender>, size=, class=, nrcpts=, msgid=<id>, proto=, daemon=, relay=name [ip]`."""
    halves = some["text"].str.slice(5).str.splitn(", size=", 2).struct.unnest()
    fields = extract_groups(halves["field_1"].fill_null(""), _ARRIVAL)
    more = fields["more"].fill_null("")
    relay = fields["relay"]
    protocol = more.str.extract(r", proto=([^,]*)")
    login = more.str.extract(r", auth=([^,]*)")
    return some.select(
        "row",
        pl.lit("arrival").alias("event_code"),
        strip_brackets(halves["field_0"]).alias("sender"),
        fields["size"].cast(pl.Int64, strict=False).alias("message_bytes"),
        fields["count"].cast(pl.Int32, strict=False).alias("recipient_count"),
        strip_brackets(fields["id"]).alias("message_id"),
        protocol.alias("protocol"),
        more.str.extract(r", daemon=([^,]*)").alias("service_name"),
        *_read_client(relay),
        # A program on this machine: relay=user@localhost.
        relay.str.contains("@", literal=True).alias("is_local"),
        (
            protocol.str.contains(r"(?i)^E?SMTPS?A$").fill_null(False)
            | (login.is_not_null() & (login != "NONE")).fill_null(False)
        ).alias("is_authenticated"),
        fields["size"].is_null().alias("is_cut"),
    )


def read_deliveries(some: pl.DataFrame) -> pl.DataFrame:
    """`to=<a>,<b>, ctladdr=<owner> (uid/gid), delay=, mailer=, relay=name [ip], dsn=, stat=text`."""
    halves = some["text"].str.slice(3).str.splitn(", stat=", 2).struct.unnest()
    fields = extract_groups(halves["field_0"], _TO)
    more, stat = fields["more"].fill_null(""), halves["field_1"].fill_null("")
    relay = extract_groups(more.str.extract(r", relay=(.*?)(?:, dsn=|$)"), _RELAY)
    dsn = more.str.extract(r", dsn=([245]\.\d{1,3}\.\d{1,3})")
    kind = dsn.str.head(1).fill_null("")
    mailer = more.str.extract(r", mailer=([^,]*)")
    name = relay["name"].str.strip_chars_end(".")
    dropped = fields["to"].str.contains(r'^"?/dev/null"?$').fill_null(False)
    return some.select(
        "row",
        pl.lit("delivery").alias("event_code"),
        choose_code(
            quarantined=stat.str.contains("(?i)^quarantine"),
            discarded=stat.str.contains("(?i)^discard") | (dropped & (kind == "2")),
            sent=stat.str.starts_with("Sent") | (kind == "2"),
            queued=stat.str.starts_with("queued"),
            deferred=stat.str.contains("(?i)^deferred") | (kind == "4"),
            otherwise="bounced",
        ).alias("status_code"),
        fields["to"].str.extract_all(_RECIPIENT).alias("recipients"),
        strip_brackets(fields["owner"]).alias("original_recipient"),
        mailer.alias("transport"),
        pl.when(relay["ip"].is_not_null())
        .then(name.fill_null("") + "[" + relay["ip"] + "]")
        .otherwise(pl.when(mailer.is_in(["esmtp", "smtp", "relay", "smtp8", "dsmtp"])).then(name))
        .alias("relay"),
        stat.str.extract(r"^(?:Deferred: )?([245]\d\d)[ -]").alias("reply_code"),
        dsn.alias("dsn_code"),
        stat.alias("reply_text"),
        (halves["field_1"].is_null() | fields["to"].is_null()).alias("is_cut"),
    )


def read_rulesets(some: pl.DataFrame) -> pl.DataFrame:
    """`ruleset=check_rcpt, arg1=<recipient>, relay=name [ip], reject=550 5.7.1 text`, or discard."""
    found = extract_groups(some["text"], _RULESET)
    first = strip_brackets(found["first"])
    step = found["step"]
    # check_relay's arguments are the client's name and address, its relay the same.
    relay = found["relay"].zip_with(found["relay"].is_not_null(), "[" + found["second"] + "]")
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        pl.coalesce(found["other"], pl.lit("reject")).alias("status_code"),
        step.alias("step_code"),
        *_read_client(relay),
        pl.when(step == "check_mail").then(first.fill_null("")).alias("sender"),
        pl.when(step == "check_rcpt").then(first).alias("recipient"),
        *smtp_reply(found["reply"]),
        pl.col("text").alias("log_text"),
    ).filter(pl.col("step_code").is_not_null() & ~pl.col("step_code").is_in(_CLIENT_KEYS))


def read_milters(some: pl.DataFrame) -> pl.DataFrame:
    """`Milter: to=<recipient>, reject=550 5.7.1 text`, `Milter: data, discard`, `Milter: connect: …`."""
    found = extract_groups(some["text"], _MILTER)
    argument = strip_brackets(found["argument"])
    step = found["step"].replace({"rcpt": "to", "mail": "from", "initialization failed": "connect"})
    address = some["text"].str.extract(r", addr=\[?(?:IPv6:)?([0-9A-Fa-f.:]+)")
    other = (
        found["other"]
        .str.replace("^temp.*", "temporarily")
        .str.replace("^(?:rejecting|shutdown).*", "reject")
    )
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        pl.coalesce(other, pl.lit("reject")).alias("status_code"),
        ("milter " + step).alias("step_code"),
        address.set(step != "connect", None).alias("client_ip"),
        pl.when(step == "from").then(argument.fill_null("")).alias("sender"),
        pl.when(step == "to").then(argument).alias("recipient"),
        *smtp_reply(found["reply"]),
        pl.col("text").alias("log_text"),
    ).filter(pl.col("step_code").is_not_null())


def read_greetings(some: pl.DataFrame) -> pl.DataFrame:
    """`rejecting commands from name [ip] due to pre-greeting traffic after 0 seconds`, and of a command that
    came before the answer to the one before it."""
    found = extract_groups(some["text"], _GREETING)
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        pl.lit("reject").alias("status_code"),
        pl.lit("greeting").alias("step_code"),
        *_read_client(found["relay"].str.strip_chars_start(" ")),
        pl.lit("554").alias("reply_code"),
        pl.lit("pre-greeting traffic").alias("reply_text"),
        pl.col("text").alias("log_text"),
    ).filter(pl.col("client_ip").is_not_null())


def read_other_refusals(some: pl.DataFrame) -> pl.DataFrame:
    """`tcpwrappers (name, ip) rejection`, `message size (9) exceeds maximum (8)`, `low on space (name needs`,
    and a client that the ruleset srv_features puts off."""
    found = extract_groups(some["text"], _OTHER)
    wrapped = found["name"].fill_null("") + " [" + found["ip"] + "]"
    is_size = found["size"].is_not_null()
    is_space = (found["space"] != "SMTP-DAEMON").fill_null(False)
    later = found["features"].is_not_null()
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        choose_code(temporarily=later | is_space, otherwise="reject").alias("status_code"),
        choose_code(size=is_size, check_mail=is_space, check_relay=later | found["ip"].is_not_null()).alias(
            "step_code"
        ),
        *_read_client(wrapped.zip_with(found["ip"].is_not_null(), found["relay"])),
        pl.when(is_size).then(pl.lit("552")).when(is_space).then(pl.lit("452")).alias("reply_code"),
        pl.when(is_size).then(pl.lit("5.2.3")).when(is_space).then(pl.lit("4.4.5")).alias("dsn_code"),
        pl.col("text").alias("reply_text"),
        pl.col("text").alias("log_text"),
    ).filter(pl.col("step_code").is_not_null())


def read_unknown_users(some: pl.DataFrame) -> pl.DataFrame:
    """`<recipient>... User unknown`: refused at RCPT without a ruleset."""
    found = extract_groups(some["text"], _UNKNOWN)
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        pl.lit("reject").alias("status_code"),
        pl.lit("rcpt").alias("step_code"),
        strip_brackets(found["recipient"]).alias("recipient"),
        *smtp_reply(found["reply"]),
        pl.col("text").alias("log_text"),
    ).filter(pl.col("recipient").is_not_null())


def read_overflows(some: pl.DataFrame) -> pl.DataFrame:
    """`Too many recipients`: one more RCPT of a transaction was answered with 452 4.5.3."""
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        pl.lit("temporarily").alias("status_code"),
        pl.lit("overflow").alias("step_code"),
        pl.lit("452").alias("reply_code"),
        pl.lit("4.5.3").alias("dsn_code"),
        pl.col("text").alias("reply_text"),
        pl.col("text").alias("log_text"),
    )


def read_notices(some: pl.DataFrame) -> pl.DataFrame:
    """`QID2: DSN: text` after a queue id: QID2 informs the sender of what became of it."""
    found = some["text"].str.extract_groups(_NOTICE).struct.unnest()
    return some.select(
        "row",
        pl.lit("notice").alias("event_code"),
        pl.when(found["2"].str.contains(r"^(?:Cannot send message (?:for|within)|delivery time expired)"))
        .then(pl.lit("expired"))
        .alias("status_code"),
        found["1"].alias("linked_queue_id"),
    ).filter(pl.col("linked_queue_id").is_not_null())


def read_logins(some: pl.DataFrame) -> pl.DataFrame:
    """`AUTH=server, relay=name [ip], authid=user, mech=PLAIN, bits=0`."""
    return some.select(
        "row",
        pl.lit("login").alias("event_code"),
        pl.col("text").str.extract(r", authid=([^,]*)").alias("account"),
    ).filter(pl.col("account").is_not_null())


def dnsbl_zone(reply: pl.Series) -> pl.Series:
    """The list that a refusal names."""
    return reply.str.extract(_ZONE).str.to_lowercase()
