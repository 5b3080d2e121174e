"""Postfix's refusals: reject, discard and hold lines of smtpd, cleanup and milters, and postscreen's tests.

The client's and the message's own text stands inside these lines, so that they are read by where the
envelope must be, from the right.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats.shared.fields import read_in_turn, smtp_reply

# What stands where a queue id would.
NOT_IDS = ["NOQUEUE", "warning", "fatal", "error", "panic", "statistics", "daemon", "refresh", "reload"]

_SCREEN = (
    r"^(PREGREET|DNSBL|PASS|COMMAND|BARE NEWLINE|NON-SMTP COMMAND|BLACKLISTED|DENYLISTED)"
    r"[^\[]* \[([0-9A-Fa-f:.]+)\]:(\d+)"
)
_LISTING = r"^addr (\S+) listed by domain (\S+) as (\S+)"
_SESSION_FAILED = r"(?:ehlo|helo|mail|rcpt|auth|starttls|vrfy|etrn|noop|unknown)=\d+/| commands=0(?:$|/)"
# What smtpd answers without a `reject:` line: limits that anvil(8) counts for, and what is no SMTP.
_LIMITED = (
    r"^(?:warning: )?(?:(?P<limit>[A-Z][A-Za-z ]+) limit exceeded: \d+"
    r"|(?P<other>Refusing [A-Z]+ (?:service )?request|non-SMTP command|Illegal address syntax)"
    r"|(?P<errors>too many errors) after \S+)"
    r" from (?P<name>[^\s\[]*)\[(?P<ip>[^\]]+)\](?: in (?P<verb>MAIL|RCPT) command: <?(?P<address>.*?)>?$)?"
)
# The step and the reply of each limit (src/smtpd/smtpd.c).
_LIMITS = {
    "Connection rate": ("CONNECT", "421", "4.7.0"),
    "Connection concurrency": ("CONNECT", "421", "4.7.0"),
    "Message delivery request rate": ("MAIL", "450", "4.7.1"),
    "Recipient address rate": ("RCPT", "450", "4.7.1"),
    "AUTH command rate": ("AUTH", "450", "4.7.1"),
    "New TLS session rate": ("STARTTLS", "421", "4.7.0"),
    "Refusing STARTTLS request": ("STARTTLS", "454", "4.7.0"),
    "Refusing TLS service request": ("CONNECT", "421", "4.7.0"),
    "non-SMTP command": ("COMMAND", "221", "2.7.0"),
    "Illegal address syntax": (None, "501", "5.1.7"),
    "too many errors": ("COMMAND", "421", "4.7.0"),
}
_BARE_CONNECT = r"^reject: connect from \["
_BARE_ETRN = r"^(reject: ETRN) .* (from [^\s\[]*\[[^\]]+\])$"
_REFUSED_WHOLE = (
    r"^warning: ([0-9A-Za-z]+): (queue file size limit exceeded|message rejected: .*|BDAT request from .*"
    r" exceeds message size limit)$"
)
_TAIL = (
    r"^(?s)(.*); from=<(.*?)>(?:,? to=<(.*?)>)?(?:,? proto=(?:[^ ,]*))?(?:,? helo=<(.*?)>)?"
    r"(?:,? sasl_\S*)*(?:: (.*))?$"
)
_SHORT_TAIL = r"^(?s)(.*?);?(?:,? proto=[^ ,]*(?:,? helo=<([^>]*)>)?(?:: (.*))?)?$"
_STEP = r"^(?s)([A-Z][A-Z-]*)(?: \([^)]*\))? from ([^\s\[]*)\[([^\]]*)\](?::(\d+))?: (.*)$"
_CONTENT = r"^(?s)(header|body|mime-header|nested-header|content) (.*)$"
_CONTENT_CLIENT = r"^(?s).* from ([^\s\[]*)\[([^\]]*)\](?::\d+)?$"
# `QID: warning: header Subject: TEXT from name[ip]; from=<a> …` (cleanup_act_log() of src/cleanup). TEXT is
# the sender's own, so that its end is looked for from the right.
_SUBJECT = (
    r"(?is)^(?:[0-9a-z]+: )?[a-z]+: header subject: ?(.*) from (?:[^\s\[\]]*\[[^\s\]]*\]|local|unknown);"
    r"(?: from=<| to=<| proto=|$)"
)
# smtpd_proxy_filter: a filter before the queue answered. The line names no client, and one recipient.
_PROXY = r"^(?:NOQUEUE: )?proxy-(reject|accept): ([A-Z-]+): (?s)(.*)$"
_ZONE = r"(?i)blocked using ([A-Za-z0-9._-]+)"


def session_of(some: pl.DataFrame, envelope: pl.DataFrame) -> list[pl.Series]:
    """row_code and process_id of lines that belong to the SMTP session of the process that wrote them."""
    process = envelope["pid"].gather(some["row"]).fill_null("")
    return [pl.Series("row_code", ["session"]).new_from_index(0, some.height), process.alias("process_id")]


def subject_of(text: pl.Expr) -> pl.Expr:
    """The subject in a line of cleanup on what header_checks(5) did or remarked; null where there is none.

    Postfix logs its first 190 bytes, and a question mark where the header goes on in another line.
    """
    subject = text.str.extract(_SUBJECT).str.replace_all("?=? =?", "?= =?", literal=True)
    return pl.when(subject != "").then(subject)


def _plain_refusal(text: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """(fields, which lines have them) of `STEP from name[ip]: reply; from=<a> to=<b> proto=P helo=<h>`.

    Splits only; whatever is not exactly of this form is left to the patterns of _odd_refusal.
    """
    halves = text.str.splitn("; from=<", 2).struct.unnest()
    left = halves["field_0"].str.splitn(" from ", 2).struct.unnest()
    who = left["field_1"].str.splitn("[", 2).struct.unnest()
    address = who["field_1"].str.splitn("]: ", 2).struct.unnest()
    right = halves["field_1"].str.splitn("> to=<", 2).struct.unnest()
    last = right["field_1"].str.splitn("> proto=", 2).struct.unnest()
    helo = last["field_1"].str.splitn(" helo=<", 2).struct.field("field_1")
    step = left["field_0"]
    is_plain = (
        helo.str.ends_with(">")
        & step.is_in(["RCPT", "END-OF-MESSAGE", "DATA", "MAIL"])
        & address["field_1"].is_not_null()
        & ~halves["field_1"].str.contains("; from=<", literal=True)
        & ~who["field_0"].str.contains(" ", literal=True)
    ).fill_null(False)
    fields = pl.DataFrame(
        {
            "step_code": step,
            "client_name": who["field_0"],
            "client_ip": address["field_0"],
            "port": pl.Series([None], dtype=pl.String).new_from_index(0, len(text)),
            "sender": right["field_0"],
            "recipient": last["field_0"],
            "helo": helo.str.strip_suffix(">"),
            "reply": address["field_1"],
        }
    )
    return fields.filter(is_plain), is_plain


def _screen_refusal(text: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """(fields, which lines have them) of `RCPT from [ip]:port: reply; from=<a>, to=<b>, proto=P, helo=<h>`,
    which postscreen writes.

    Brackets inside an address or a name are left to the patterns.
    """
    sides = text.str.splitn("; from=<", 2).struct.unnest()
    left = sides["field_0"].str.splitn(" from [", 2).struct.unnest()
    address = left["field_1"].str.splitn("]:", 2).struct.unnest()
    port = address["field_1"].str.splitn(": ", 2).struct.unnest()
    right = sides["field_1"].str.splitn(">, to=<", 2).struct.unnest()
    last = right["field_1"].str.splitn(">, proto=", 2).struct.unnest()
    end = last["field_1"].str.splitn(", helo=<", 2).struct.unnest()
    fields = pl.DataFrame(
        {
            "step_code": left["field_0"],
            "client_name": pl.Series([""]).new_from_index(0, len(text)),
            "client_ip": address["field_0"],
            "port": port["field_0"],
            "sender": right["field_0"],
            "recipient": last["field_0"],
            "helo": end["field_1"].str.strip_suffix(">"),
            "reply": port["field_1"],
        }
    )
    is_form = (
        pl.col("step_code").is_in(["RCPT", "END-OF-MESSAGE", "DATA", "MAIL"])
        & pl.col("port").str.contains(r"^\d+$")
        & pl.col("reply").is_not_null()
        & ~pl.col("client_ip").str.contains("]", literal=True)
        & ~pl.any_horizontal(pl.col("sender", "recipient", "helo").str.contains("[<>]"))
        & ~end["field_0"].str.contains("[ ,]")
        & end["field_1"].str.ends_with(">")
    )
    is_read = fields.select(is_form.fill_null(False)).to_series()
    return fields.filter(is_read), is_read


def _odd_refusal(text: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """(fields, which lines have them) of every line, by patterns: postscreen's commas, missing parts,
    cleanup's header and body."""
    tail = text.str.extract_groups(_TAIL).struct.unnest()
    short = text.str.extract_groups(_SHORT_TAIL).struct.unnest()
    has_tail = tail["1"].is_not_null()
    left = tail["1"].zip_with(has_tail, short["1"])
    after = tail["5"].zip_with(has_tail, short["3"])
    step = left.str.extract_groups(_STEP).struct.unnest()
    is_step = step["1"].is_not_null()
    content = left.str.extract_groups(_CONTENT).struct.field("1")
    client = left.str.extract_groups(_CONTENT_CLIENT).struct.unnest()
    fields = pl.DataFrame(
        {
            "step_code": step["1"].zip_with(is_step, content),
            "client_name": step["2"].zip_with(is_step, client["1"]),
            "client_ip": step["3"].zip_with(is_step, client["2"]),
            "port": step["4"],
            "sender": tail["2"],
            "recipient": tail["3"],
            "helo": tail["4"].zip_with(has_tail, short["2"]),
            "reply": step["5"].zip_with(is_step, after),
        }
    )
    return fields, pl.Series([True]).new_from_index(0, len(text))


def read_refusals(some: pl.DataFrame, envelope: pl.DataFrame) -> pl.DataFrame:
    """`QID|NOQUEUE: verb: STEP from name[ip]: reply; from=<> to=<> proto= helo=<>` and cleanup's
    `QID: verb: header|body TEXT from name[ip]; from=<> to=<> proto= helo=<>: reply`.

    The text between is the client's or the message's own, so the envelope is read from the right.
    """
    detail = some["text"].str.splitn(": ", 2).struct.unnest()
    text = detail["field_1"]
    fields = read_in_turn(text, _plain_refusal, _screen_refusal, _odd_refusal)
    frame = some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        "head",
        detail["field_0"].alias("status_code"),
        *fields.drop("reply"),
        *smtp_reply(fields["reply"]),
        pl.col("body").alias("log_text"),
        envelope["pid"].gather(some["row"]).fill_null("").alias("pid"),
    ).with_columns(pl.when(pl.col("client_name") != "").then(pl.col("client_name")).alias("client_name"))
    listed = frame["reply_text"].str.contains("blocked using ", literal=True).fill_null(False)
    zone = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
    if listed.any():
        zone = zone.scatter(listed.arg_true(), frame["reply_text"].filter(listed).str.extract(_ZONE))
    frame = frame.with_columns(zone.str.strip_chars_end(".").str.to_lowercase().alias("dnsbl_zone"))
    # Before DATA nothing was accepted yet, with or without a queue id: the session refused it.
    in_session = pl.col("head").is_in(NOT_IDS) | (
        pl.col("status_code").is_in(["reject", "milter-reject"])
        & pl.col("step_code").str.contains("^[A-Z]")
        & ~pl.col("step_code").is_in(["DATA", "END-OF-MESSAGE"])
    )
    screen = pl.col("port").is_not_null() & pl.col("client_name").is_null()
    row_code = choose_code(screen=screen, session=in_session, otherwise="queue")
    return (
        frame.filter(pl.col("step_code").is_not_null() | pl.col("status_code").str.starts_with("milter"))
        .with_columns(row_code.alias("row_code"))
        .with_columns(
            pl.when(pl.col("row_code") == "queue").then("head").alias("queue_id"),
            pl.when(pl.col("row_code") == "session").then("pid").alias("process_id"),
            pl.when(pl.col("row_code") == "screen").then("port").alias("client_port"),
        )
        .drop("head", "port", "pid")
    )


# How the lines of read_session_events() begin.
_TESTS = ["PREG", "DNSB", "PASS", "COMM", "BARE", "NON-", "BLAC", "DENY"]
_STARTS = [*_TESTS, "prox", "NOQU", "disc", "addr", "warn", "too ", "reje"]


def read_session_events(rest: pl.DataFrame, envelope: pl.DataFrame) -> list[pl.DataFrame]:
    """postscreen's tests, dnsblog's listings, ends of failed sessions, limits, messages refused as a whole,
    and what a filter before the queue refused."""
    start = rest["body"].str.head(4)
    is_event = start.is_in(_STARTS)
    rest, start = rest.filter(is_event), start.filter(is_event)
    events = []
    proxied = rest.filter(start.is_in(["prox", "NOQU"]))
    if proxied.height:
        events.append(_read_proxied(proxied, envelope))
    ends = rest.filter((start == "disc") & rest["body"].str.starts_with("disconnect from "))
    failed = ends["body"].str.contains(_SESSION_FAILED) | ~ends["body"].str.contains(
        " commands=", literal=True
    )
    if failed.any():
        ends = ends.filter(failed)
        events.append(ends.select("row", pl.lit("removal").alias("event_code"), *session_of(ends, envelope)))
    tests = rest.filter(start.is_in(_TESTS) & ~rest["body"].str.starts_with("PASS OLD"))
    if tests.height:
        found = tests["body"].str.extract_groups(_SCREEN).struct.unnest()
        events.append(
            tests.select(
                "row",
                pl.lit("refusal").alias("event_code"),
                found["1"].alias("status_code"),
                found["2"].alias("client_ip"),
                pl.lit("screen").alias("row_code"),
                found["3"].alias("client_port"),
                pl.col("body").alias("log_text"),
            ).filter(pl.col("status_code").is_not_null())
        )
    listings = rest.filter(start == "addr")
    if listings.height:
        found = listings["body"].str.extract_groups(_LISTING).struct.unnest()
        events.append(
            listings.select(
                "row",
                pl.lit("refusal").alias("event_code"),
                pl.lit("listed").alias("status_code"),
                found["1"].alias("client_ip"),
                pl.lit("listing").alias("row_code"),
                found["2"].str.strip_chars_end(".").str.to_lowercase().alias("dnsbl_zone"),
                found["3"].alias("dnsbl_code"),
            ).filter(pl.col("client_ip").is_not_null())
        )
    warned = rest.filter(start.is_in(["warn", "too "]))
    if warned.height:
        events += [_read_limits(warned, envelope), _read_refused_whole(warned)]
    # Two are logged without NOQUEUE: a client that postscreen has no port for, and ETRN.
    bare = rest.filter(start == "reje")
    if bare.height:
        text = (
            pl.col("body")
            .str.replace(_BARE_CONNECT, "reject: CONNECT from [")
            .str.replace(_BARE_ETRN, "$1 $2: ETRN")
        )
        refused = read_refusals(bare.with_columns(head=pl.lit("NOQUEUE"), text=text), envelope)
        events.append(refused.filter(pl.col("client_ip").is_not_null()))
    return events


def _read_limits(warned: pl.DataFrame, envelope: pl.DataFrame) -> pl.DataFrame:
    """`warning: Connection rate limit exceeded: 61 from name[ip] for service smtpd` and the like."""
    some = warned.filter(warned["body"].str.contains(_LIMITED))
    found = some["body"].str.extract_groups(_LIMITED).struct.unnest()
    found = found.with_columns(what=pl.coalesce("limit", "other", "errors"), client=pl.col("name"))
    steps, codes, statuses = (list(column) for column in zip(*_LIMITS.values(), strict=True))

    def limit_value(values: list[str | None]) -> pl.Expr:
        return pl.col("what").replace_strict(list(_LIMITS), values, default=None, return_dtype=pl.String)

    found = found.with_columns(*session_of(some, envelope))
    frame = pl.concat([some.select("row", "body"), found], how="horizontal")
    return frame.filter(pl.col("what").is_in(list(_LIMITS))).select(
        "row",
        pl.lit("refusal").alias("event_code"),
        "row_code",
        "process_id",
        pl.lit("reject").alias("status_code"),
        pl.coalesce("verb", limit_value(steps)).alias("step_code"),
        pl.when(pl.col("client") != "").then("client").alias("client_name"),
        pl.col("ip").alias("client_ip"),
        pl.when(pl.col("verb") == "MAIL").then("address").alias("sender"),
        pl.when(pl.col("verb") == "RCPT").then("address").alias("recipient"),
        limit_value(codes).alias("reply_code"),
        limit_value(statuses).alias("dsn_code"),
        pl.when(pl.col("limit").is_not_null())
        .then(pl.concat_str("limit", pl.lit(" limit exceeded")))
        .otherwise("what")
        .alias("reply_text"),
        pl.col("body").alias("log_text"),
    )


def _read_refused_whole(warned: pl.DataFrame) -> pl.DataFrame:
    """`warning: QID: queue file size limit exceeded` and the like: the message was refused after DATA."""
    some = warned.filter(warned["body"].str.contains(_REFUSED_WHOLE))
    found = some["body"].str.extract_groups(_REFUSED_WHOLE).struct.unnest()
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        found["1"].alias("queue_id"),
        pl.lit("reject").alias("status_code"),
        pl.lit("size").alias("step_code"),
        found["2"].str.strip_prefix("message rejected: ").alias("reply_text"),
        pl.col("body").alias("log_text"),
    )


def _read_proxied(some: pl.DataFrame, envelope: pl.DataFrame) -> pl.DataFrame:
    """`proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject; from=<a> to=<b> proto=P helo=<h>`, and of
    `proxy-accept` what the filter took and discarded. Newer versions begin with NOQUEUE."""
    found = some["body"].str.extract_groups(_PROXY).struct.unnest()
    tail = found["3"].str.extract_groups(_TAIL).struct.unnest()
    reply = smtp_reply(tail["1"])
    is_discarded = reply[2].str.contains(r"(?i)\bdiscarded\b").fill_null(False)
    verb = pl.select(
        pl.when(found["1"] == "reject").then(pl.lit("reject")).when(is_discarded).then(pl.lit("discard"))
    ).to_series()
    return some.select(
        "row",
        pl.lit("refusal").alias("event_code"),
        *session_of(some, envelope),
        verb.alias("status_code"),
        found["2"].alias("step_code"),
        tail["2"].alias("sender"),
        tail["3"].alias("recipient"),
        tail["4"].alias("helo"),
        *reply,
        pl.col("body").alias("log_text"),
    ).filter(pl.col("status_code").is_not_null() & pl.col("sender").is_not_null())
