"""Amavis: one verdict per `Passed` or `Blocked` line of the mail log.

    amavis[PID]: (AM-ID) Passed CATEGORY {ACTION,...}, BANK LOCAL [CLIENT]:PORT [ORIGINATOR] <SENDER>
        -> <RECIPIENT>,<RECIPIENT>, quarantine: NAME, Queue-ID: ID, Message-ID: <MID>, mail_id: ID,
        Hits: N, size: N, queued_as: ID, Tests: [NAME=N,...], dkim_sd=SELECTOR:DOMAIN, N ms

(amavisd-new, $log_templ; README.customize.) Only Hits is always there. BANK names the policy banks that
were loaded, LOCAL a client of @mynetworks. Passed and Blocked say what became of the message, CATEGORY what
Amavis found: the action keeps both words, so `Passed SPAM` is a message that was tagged and delivered.
`BAD-HEADER-7` and `INFECTED (NAMES)` keep the category alone; the names of the viruses or banned parts
become symbols, as do the tests where the site logs them, and DKIM_VALID where Amavis names a valid
signature. A message whose recipients were treated differently has one line for each.

Amavis breaks a line that is too long for syslog: a piece ends with `...`, and the next one, with the same
AM-ID, starts with it. Bronze keeps the pieces; verdicts() puts them together.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.tables.contracts import bronze_columns
from jobs.operators.formats import Source
from jobs.operators.formats.shared.fields import line_code, none_if_empty, place_of_queue, typed_columns
from jobs.operators.formats.shared.sample_shares import share_of_lines
from jobs.operators.formats.shared.verdicts import (
    complete_lines,
    parse_finite,
    parse_microseconds,
    parse_whole,
    select_lines,
    select_verdicts,
    strip_brackets,
    verdict_format,
)

NAME = "amavis"
# bronze.amavis: one row per verdict line, and per piece of a line that was broken.
BRONZE = bronze_columns(NAME)
_TYPED = typed_columns(NAME)

LITERALS = [") Passed ", ") Blocked ", ") ..."]
_BODY = r"^\((?P<am_id>\d[\d-]*|rel-[\w-]+)\) (?P<text>(?:Passed |Blocked |\.\.\.)(?s:.*))$"
_CATEGORIES = (
    "CLEAN|MTA-BLOCKED|OVERSIZED|BAD-HEADER|SPAMMY|SPAM|UNCHECKED-ENCRYPTED|UNCHECKED-AMBIGUOUS-CONTENT"
    "|UNCHECKED|BANNED|INFECTED|TEMPFAIL|OTHER"
)
_HEAD = (
    rf"^(?P<fate>Passed|Blocked) (?P<category>{_CATEGORIES})(?:-[\d,]+)?(?: \((?P<names>.*?)\))?"
    r"(?: \{(?P<actions>[\w,]*)\})?, (?P<rest>(?s:.*))$"
)
_ADDRESS = r'<(?:"(?:[^"\\]|\\.)*"|[^<>"])*>'
_ROUTE = (
    r"^(?:(?P<bank>[A-Za-z][\w./-]*) )?(?:LOCAL )?"
    r"(?:\[(?P<client>[0-9A-Fa-f.:]+)\](?::\d+)? )?(?:\[[^\]]*\] )?"
    rf"(?P<sender>{_ADDRESS}) -> (?P<recipients>{_ADDRESS}(?:,{_ADDRESS})*)(?P<tail>(?s:.*))$"
)
# The sender chooses the Message-ID, so what follows is found from its last end.
_TAIL = (
    r"^(?:, quarantine: (?P<quarantine>[^,]*))?(?:, Queue-ID: (?P<queue>[^ ,]+))?"
    r"(?:, Message-ID: (?P<mid><.*>|[^,]*))?(?:, Resent-Message-ID: <[^>]*>)?(?:, mail_id: [\w+-]+)?"
    r", Hits: (?P<hits>[^,]*)(?:, size: (?P<size>\d+))?(?:, pt: [^,]*)?(?:, queued_as: (?P<next>[^ ,/]+))?"
    r"(?P<more>.*)$"
)
# `Subject: "..."` of amavisd.conf's $log_verbose_templ: decoded, quoted, a hundred characters at most.
_SUBJECT = r', Subject: "((?:[^"\\]|\\.)*)"'
_NOT_BEFORE_SPAM = ["CLEAN", "MTA-BLOCKED", "OVERSIZED", "BAD-HEADER"]
# A line is broken at once, and its pieces follow each other.
_PAUSE = pl.duration(seconds=10)


def sniff(sample: bytes) -> float:
    """Share of the sample's lines that Amavis wrote; 0 where none did."""
    return share_of_lines(sample, r" amavis(?:d|d-new)?(?:\[\d+\]: | \S+ \S+ \S+ )")


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: a verdict, or a piece of a broken line; all other lines are ignored.

    Quarantine reasons, for lines that Amavis alone can have written: bad_timestamp (no time, or one that
    cannot be), truncated (a verdict that ends before its Hits), bad_field (a verdict whose fields cannot be
    told apart).
    """
    frame, found = select_lines(lines, LITERALS, source)
    events = (
        found.lazy()
        .with_columns(_own=pl.col("body").str.strip_chars_start().str.extract_groups(_BODY))
        .with_columns(
            first_at="at",
            task_tag=pl.col("_own").struct.field("am_id"),
            _text=pl.col("_own").struct.field("text"),
        )
        .with_columns(
            _is_rest=pl.col("_text").str.starts_with("..."),
            _is_cut=pl.col("_text").str.ends_with("..."),
        )
        .with_columns(_whole=pl.when(~pl.col("_is_rest") & ~pl.col("_is_cut")).then("_text"))
    )
    events = add_fields(events, "_whole").with_columns(
        event_code=choose_code(rest="_is_rest", begin="_is_cut", verdict=pl.col("action").is_not_null())
    )
    # Without an envelope, `body` is the whole line.
    is_stray = (pl.col("reason_code") == "bad_timestamp") & pl.col("line").str.contains(
        r" amavis(?:\[\d+\])?: \(\d[\d-]*\) (?:Passed|Blocked) (?:" + _CATEGORIES + ")"
    )
    is_head = pl.col("_text").str.contains(r"^(?:Passed|Blocked) (?:" + _CATEGORIES + ")(?:[-, ({]|$)")
    is_own = pl.col("event_code").is_not_null()
    events = events.with_columns(
        reason_code=choose_code(
            bad_timestamp=(is_own & pl.col("first_at").is_null()) | is_stray,
            bad_field=~is_own & is_head & pl.col("_text").str.contains(", Hits: ", literal=True),
            truncated=~is_own & is_head,
        ),
    ).with_columns(
        line_code=line_code(is_own),
        piece_text=pl.when(pl.col("event_code").is_in(["begin", "rest"])).then("_text"),
    )
    return complete_lines(frame, events.collect(), _TYPED)


def verdicts(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per verdict line, broken or whole."""
    rows = bronze.collect()
    whole_lines = rows.filter(pl.col("event_code") == "verdict").lazy()
    pieces = rows.filter(pl.col("event_code") != "verdict")
    if pieces.is_empty():
        return select_verdicts(whole_lines, NAME, "amavis")
    joined = add_fields(_join_pieces(pieces.lazy()), "_text").filter(pl.col("action").is_not_null())
    return select_verdicts(pl.concat([whole_lines.select(*BRONZE), joined.select(*BRONZE)]), NAME, "amavis")


def _join_pieces(pieces: pl.LazyFrame) -> pl.LazyFrame:
    """One row per broken verdict, at its first piece, with `_text`, the line as Amavis meant it.

    Pieces follow each other in the log, so a piece belongs to the last beginning before it, unless the
    piece before it was a last one or was long ago.
    """
    whose = ["operator_id", "source_id", "assembly_key"]
    is_last = ~pl.col("piece_text").str.ends_with("...")
    is_begin = pl.col("event_code") == "begin"
    ended = is_last.shift(1).over(whose).fill_null(True)
    late = (pl.col("first_at").diff().over(whose) > _PAUSE).fill_null(True)
    return (
        pieces.sort(*whose, "first_at", "stream_id", "offset")
        .with_columns(_line=(is_begin | ended | late).cum_sum())
        .with_columns(_line_begins=is_begin.first().over("_line"))
        .filter("_line_begins")
        .with_columns(
            _text=pl.col("piece_text")
            .str.strip_prefix("...")
            .str.strip_suffix("...")
            .str.join("")
            .over("_line")
        )
        .filter(is_begin)
        .with_columns(piece_text=pl.lit(None, dtype=pl.String))
    )


def add_fields(rows: pl.LazyFrame, text: str) -> pl.LazyFrame:
    """The rows with the fields of their verdict; all null where `text` is no verdict that can be read."""
    head, route, tail = pl.col("_head").struct, pl.col("_route").struct, pl.col("_tail").struct
    is_whole = tail.field("hits").is_not_null()
    category = head.field("category")
    more = tail.field("more")
    names = none_if_empty(head.field("names")).str.replace_all(r"\s+", " ").str.split(", ")
    tests = more.str.extract(r", Tests: \[([^\]]*)\]").str.split(",")
    symbols = [
        names,
        tests.list.eval(pl.element().str.splitn("=", 2).struct.field("field_0")).list.filter(
            pl.element() != ""
        ),
        pl.when(more.str.contains(r", dkim_sd=[^,]")).then(pl.lit(["DKIM_VALID"])),
    ]
    fields = {
        "action": pl.concat_str(head.field("fate"), pl.lit(" "), category),
        "is_spam": pl.when(category.is_in(["SPAM", "SPAMMY"]))
        .then(True)
        .when(category.is_in(_NOT_BEFORE_SPAM))
        .then(False),
        "policy_bank": route.field("bank"),
        "client_ip": route.field("client"),
        "sender": strip_brackets(route.field("sender")),
        "recipients": route.field("recipients")
        .str.extract_all(_ADDRESS)
        .list.eval(pl.element().str.strip_prefix("<").str.strip_suffix(">")),
        "quarantine_name": none_if_empty(tail.field("quarantine")),
        "queue_id": tail.field("queue"),
        "next_queue_id": tail.field("next"),
        "message_id": none_if_empty(strip_brackets(tail.field("mid"))),
        "score": parse_finite(tail.field("hits").str.extract(r"^(-?[\d.]+)")),
        "symbols": pl.concat_list([part.fill_null(pl.lit([], dtype=pl.List(pl.String))) for part in symbols]),
        "subject": none_if_empty(more.str.extract(_SUBJECT).str.replace_all(r'\\(["\\])', "$1")),
        "message_bytes": parse_whole(tail.field("size")),
        "filter_us": parse_microseconds(more.str.extract(r", (\d+) ms\s*$"), 1_000),
    }
    return (
        rows.with_columns(_head=pl.col(text).str.extract_groups(_HEAD))
        .with_columns(_route=head.field("rest").str.extract_groups(_ROUTE))
        .with_columns(_tail=route.field("tail").str.extract_groups(_TAIL))
        .with_columns(
            pl.when(is_whole).then(value).cast(_TYPED[name]).alias(name) for name, value in fields.items()
        )
    )


FORMAT = verdict_format(
    NAME,
    title="Amavis",
    description="Verdict lines of Amavis in a mail log",
    sniff=sniff,
    parse=parse,
    # The pieces of a broken line share a key.
    key=pl.concat_str(pl.col("host").fill_null(""), "task_tag", separator="|"),
    stands_in_mail_logs=True,
    literals=tuple(LITERALS),
    verdicts=verdicts,
    rules_of=("spamassassin", "clamav"),
    names_signatures=True,
    # Pieces of a line have no queue id before they are joined.
    place=pl.coalesce(
        place_of_queue(pl.when(pl.col("event_code") == "verdict").then("queue_id")), pl.col("assembly_key")
    ),
)
