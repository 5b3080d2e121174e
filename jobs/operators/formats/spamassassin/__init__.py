"""SpamAssassin's spamd: one verdict per message checked, from the mail log or from spamd's own file.

    spamd[PID]: spamd: identified spam (SCORE/REQUIRED) for USER:UID in N.N seconds, N bytes.
    spamd[PID]: spamd: result: Y INTEGER - TEST,TEST scantime=N.N,size=N,user=USER,uid=N,
        required_score=N.N,rhost=HOST,raddr=IP,rport=N,mid=<MID>,rmid=<MID>,autolearn=no

(Mail-SpamAssassin, spamd.raw: check().) A message that is not spam is a `clean message` with the flag `.`.
`result:` cuts the score to an integer; the exact one stands in the line that the same child wrote just
before, so bronze keeps both lines and verdicts() joins them. Old releases leave out `spamd: `. spamd's own
file has `Tue Nov 24 14:01:51 2026 [PID] info: ` before the text, in local time.

spamd knows a message by its Message-ID only, which may be missing: `(unknown)`. Its rhost and raddr are
those of the program that called it, not of the mail's sender. It marks messages, whatever the caller does
with them then: the actions are `identified spam` and `clean message`.

All other lines are ignored. None refuses mail: `unauthorized connection`, `bad protocol` and `timed out` are
calls by a mail server, whose log has the message, without a verdict; `server reached --max-children` makes
callers wait.
"""

import datetime as dt

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats import PLACE, Source
from jobs.operators.formats.shared.fields import line_code, local_time, none_if_empty, typed_columns
from jobs.operators.formats.shared.sample_shares import share_of_lines
from jobs.operators.formats.shared.verdicts import (
    complete_lines,
    parse_finite,
    parse_microseconds,
    parse_whole,
    reason_of_event,
    select_lines,
    select_verdicts,
    strip_brackets,
    verdict_format,
)

NAME = "spamassassin"
_TYPED = typed_columns(NAME)

LITERALS = ["result: ", "identified spam (", "clean message ("]
_OWN_FILE = (
    r"^[A-Z][a-z]{2} (?P<stamp>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}) \[(?P<child>\d+)\]"
    r" (?:info|warn|error|dbg): (?P<text>(?s:.*))$"
)
_ANY_OWN_FILE = r"^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} \[\d+\] "
_SYSLOG_TAG = r" spamd(?:\[\d+\]: | \S+ \S+ \S+ )"
_RESULT = (
    r"^(?:spamd: )?result: (?P<flag>[Y.]) +(?P<score>-?\d{1,9}) - (?P<tests>\S*) +"
    r"scantime=(?P<scantime>[\d.]+),size=(?P<size>\d+),(?P<rest>.*)$"
)
_SCORE = (
    r"^(?:spamd: )?(?P<words>identified spam|clean message) \((?P<score>-?[\d.]+)/(?P<required>-?[\d.]+)\)"
    r" for (?P<user>.*) in (?P<scantime>[\d.]+) seconds?, (?P<size>\d+) bytes"
)
# What only spamd can have written, whether it can be read or not.
_OWN_TEXT = r"^spamd: (?:result: |identified spam \(|clean message \()"
_SPAM, _CLEAN = "identified spam", "clean message"
# The two lines of a verdict follow each other at once.
_PAUSE = dt.timedelta(seconds=10)


def sniff(sample: bytes) -> float:
    """Share of the sample's lines that spamd wrote to its own file or by syslog; 0 where none did."""
    return share_of_lines(sample, f"{_ANY_OWN_FILE}|{_SYSLOG_TAG}")


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: a result or an exact score; all other lines are ignored.

    Quarantine reasons, for lines that spamd alone can have written: bad_timestamp (no time, or one that
    cannot be), truncated (a result or score line that ends early or has lost its fields).
    """
    frame, found = select_lines(lines, LITERALS, source)
    own_file = pl.when(pl.col("reason_code") == "bad_timestamp").then(pl.col("line"))
    own_stamp = pl.col("_own").struct.field("stamp").str.replace(" {2}", " 0")
    events = (
        found.lazy()
        .with_columns(_own=own_file.str.strip_suffix("\r").str.extract_groups(_OWN_FILE))
        .with_columns(
            _text=pl.coalesce(pl.col("_own").struct.field("text"), "body"),
            _pid=pl.coalesce(pl.col("_own").struct.field("child"), "pid"),
            first_at=pl.coalesce(local_time(own_stamp, source.time_zone, "%b %d %H:%M:%S %Y"), "at"),
        )
        .with_columns(
            _result=pl.col("_text").str.extract_groups(_RESULT),
            _score=pl.col("_text").str.extract_groups(_SCORE),
            _is_own=pl.col("_text").str.contains(_OWN_TEXT)
            | pl.col("line").str.contains(_SYSLOG_TAG + r"(?:result: |identified spam \(|clean message \()"),
        )
        .with_columns(**_typed_fields())
        .with_columns(reason_code=reason_of_event("_is_own"))
        .with_columns(line_code=line_code(pl.col("event_code").is_not_null()))
        .collect()
    )
    return complete_lines(frame, events, _TYPED)


def verdicts(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per result, with the exact score where the line that has it is there.

    That is the last one before it in the same file; or, when the file was rotated in between, the last
    one before it by time. It must have the same child, size, duration and integer.
    """
    rows = bronze.collect()
    scores = rows.filter(pl.col("event_code") == "score").select(
        *PLACE, "assembly_key", "first_at", "filter_us", exact="score"
    )
    results = rows.filter(pl.col("event_code") == "result")
    within = results.sort("offset").join_asof(
        scores.sort("offset"),
        on="offset",
        by=["operator_id", "source_id", "stream_id", "assembly_key"],
        suffix="_before",
        check_sortedness=False,
    )
    across = within.sort("first_at").join_asof(
        # Of several in a second the last, in whatever order the rows came.
        scores.sort("first_at", "stream_id", "offset").drop("offset", "stream_id"),
        on="first_at",
        by=["operator_id", "source_id", "assembly_key", "filter_us"],
        tolerance=_PAUSE,
        suffix="_across",
        check_sortedness=False,
    )
    is_near = pl.col("first_at") - pl.col("first_at_before") <= _PAUSE
    exact = [
        pl.when(fits & (pl.col(name).sign() * pl.col(name).abs().floor() == pl.col("score"))).then(name)
        for name, fits in (
            ("exact", is_near & (pl.col("filter_us_before") == pl.col("filter_us"))),
            ("exact_across", pl.lit(True)),
        )
    ]
    scored = across.lazy().with_columns(score=pl.coalesce(*exact, "score"))
    return select_verdicts(scored, NAME, "spamassassin")


def _typed_fields() -> dict[str, pl.Expr]:
    """The typed columns of a result or score line."""
    result, score = pl.col("_result").struct, pl.col("_score").struct
    rest = result.field("rest")
    is_result = result.field("flag").is_not_null()
    is_score = score.field("words").is_not_null()
    # A Message-ID may hold any sign, so it ends where the last `,autolearn=` begins.
    mid = rest.str.extract(r"(?:^|,)mid=(.*?)(?:,autolearn=[^>]*)?$").str.splitn(",rmid=<", 2)
    mid = mid.struct.field("field_0").str.replace(r",(?:bayes|shortcircuit)=[^,>]*$", "")
    is_spam = pl.when(is_result).then(result.field("flag") == "Y").otherwise(score.field("words") == _SPAM)
    user = pl.coalesce(rest.str.extract(r"^user=([^,]*)"), score.field("user").str.replace(r":\d+$", ""))
    return {
        "event_code": choose_code(
            result=is_result, score=is_score & parse_finite(score.field("score")).is_not_null()
        ),
        "process_id": pl.col("_pid"),
        "message_id": none_if_empty(strip_brackets(mid), "(unknown)"),
        "account": none_if_empty(user, "(unknown)"),
        "action": pl.when(is_spam).then(pl.lit(_SPAM)).otherwise(pl.lit(_CLEAN)),
        "is_spam": is_spam,
        "score": parse_finite(pl.coalesce(result.field("score"), score.field("score"))),
        "required_score": parse_finite(
            pl.coalesce(rest.str.extract(r",required_score=(-?[\d.]+)"), score.field("required"))
        ),
        "symbols": pl.when(is_result).then(
            pl.when(result.field("tests").is_in(["", "none"]))
            .then(pl.lit([], dtype=pl.List(pl.String)))
            .otherwise(result.field("tests").str.split(","))
        ),
        "message_bytes": parse_whole(pl.coalesce(result.field("size"), score.field("size"))),
        "filter_us": parse_microseconds(
            pl.coalesce(result.field("scantime"), score.field("scantime")), 1_000_000
        ),
    }


FORMAT = verdict_format(
    NAME,
    title="SpamAssassin",
    description="Lines of spamd, in a mail log or its own file",
    sniff=sniff,
    parse=parse,
    # The two lines on one message share a key.
    key=pl.concat_str(
        pl.col("host", "process_id").fill_null(""), pl.col("message_bytes").cast(pl.String), separator="|"
    ),
    stands_in_mail_logs=True,
    literals=tuple(LITERALS),
    verdicts=verdicts,
)
