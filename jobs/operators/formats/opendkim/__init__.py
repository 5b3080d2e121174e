"""OpenDKIM and OpenDMARC in the mail log: what they found of a message's origin, not whether it is spam.

    opendkim[PID]: QID: DKIM verification successful | no signature data | bad signature data
    opendkim[PID]: QID: key retrieval failed (s=SELECTOR, d=DOMAIN): ERROR | syntax error: ERROR
    opendmarc[PID]: QID: SPF(mailfrom): DOMAIN pass|fail|none|tempfail|permerror
    opendmarc[PID]: QID: DOMAIN pass|fail|none

(opendkim/opendkim.c and opendmarc/opendmarc.c, their syslog calls.) Signing, keys and settings are
ignored. So is what either of them has refused (`RFC5322 requirement error`, `rejecting`): the mail server
does it for them, and its milter-reject line counts. Lines are known by their text, since a syslog writer may
lose the program's name.

A message has one verdict of each engine that spoke of it. The action is pass, fail or none; is_spam is
null; a refusal that follows is a line of the mail server's. Symbols are named as SpamAssassin names its
tests, so that one set of rules reads them:

    DKIM_VALID, DKIM_INVALID, DKIM_NONE (no signature), DKIM_TEMPERROR (no key to check it with)
    SPF_PASS, SPF_FAIL, SPF_NONE, SPF_TEMPERROR, SPF_PERMERROR
    DMARC_PASS, DMARC_FAIL, DMARC_MISSING (the domain publishes no policy)
"""

import re

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats import Source
from jobs.operators.formats.shared.fields import line_code, typed_columns
from jobs.operators.formats.shared.sample_shares import share_of_lines
from jobs.operators.formats.shared.verdicts import (
    complete_lines,
    reason_of_event,
    select_lines,
    select_verdicts,
    verdict_format,
)

NAME = "opendkim"
_TYPED = typed_columns(NAME)

_DKIM = {
    "DKIM verification successful": "pass",
    "no signature data": "none",
    "bad signature data": "fail",
    "syntax error": "fail",
    "key retrieval failed": "tempfail",
}
LITERALS = [*_DKIM, ": SPF(", " pass", " fail", " none"]
# The last three are common words, which stand at the end of a line of OpenDMARC's.
PATTERN = "|".join([*map(re.escape, LITERALS[:-3]), r"(?: pass| fail| none)\s*$"])
_QUEUE_ID = r"(?P<queue>[0-9A-Za-z-]{5,})"
_DKIM_LINE = rf"^{_QUEUE_ID}: (?P<words>{'|'.join(_DKIM)})(?:$|: | \(s=)"
_SPF_LINE = (
    rf"^{_QUEUE_ID}: SPF\((?:mailfrom|helo)\): (?P<domain>\S*) (?P<result>pass|fail|none|tempfail|permerror)$"
)
_DMARC_LINE = rf"^{_QUEUE_ID}: (?P<domain>[^\s:()]+) (?P<result>pass|fail|none)$"
# An SPF line of OpenDMARC, whole or not.
_SPF_TEXT = rf"^{_QUEUE_ID}: SPF\((?:mailfrom|helo)\): "
_SYMBOLS = {
    ("dkim", "pass"): "DKIM_VALID",
    ("dkim", "fail"): "DKIM_INVALID",
    ("dkim", "none"): "DKIM_NONE",
    ("dkim", "tempfail"): "DKIM_TEMPERROR",
    ("spf", "pass"): "SPF_PASS",
    ("spf", "fail"): "SPF_FAIL",
    ("spf", "none"): "SPF_NONE",
    ("spf", "tempfail"): "SPF_TEMPERROR",
    ("spf", "permerror"): "SPF_PERMERROR",
    ("dmarc", "pass"): "DMARC_PASS",
    ("dmarc", "fail"): "DMARC_FAIL",
    ("dmarc", "none"): "DMARC_MISSING",
}
# A short queue id may be used again after this long; all results of one message come sooner.
_PAUSE = pl.duration(minutes=10)


def sniff(sample: bytes) -> float:
    """Share of the sample's lines that OpenDKIM or OpenDMARC wrote; 0 where none did."""
    return share_of_lines(sample, r" open(?:dkim|dmarc)(?:\[\d+\]: | \S+ \S+ \S+ )")


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: a result; all other lines are ignored.

    Quarantine reasons, for lines that these filters alone can have written: bad_timestamp (a time that
    cannot be), truncated (an SPF line without its result).
    """
    frame, found = select_lines(lines, LITERALS, source)
    body = pl.col("body").str.strip_chars()
    events = (
        found.lazy()
        .with_columns(
            _dkim=body.str.extract_groups(_DKIM_LINE),
            _spf=body.str.extract_groups(_SPF_LINE),
            _is_cut=body.str.contains(_SPF_TEXT),
        )
        .with_columns(
            _dmarc=pl.when(~pl.col("_is_cut") & pl.col("_dkim").struct.field("queue").is_null())
            .then(body)
            .str.extract_groups(_DMARC_LINE)
        )
        .with_columns(**_typed_fields())
        .with_columns(reason_code=reason_of_event("_is_cut"))
        .with_columns(line_code=line_code(pl.col("event_code").is_not_null()))
        .collect()
    )
    return complete_lines(frame, events, _TYPED)


def verdicts(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per message and engine: of opendkim, and of opendmarc with what it found of SPF."""
    engine = pl.when(pl.col("event_code") == "dkim").then(pl.lit("opendkim")).otherwise(pl.lit("opendmarc"))
    whose = ["operator_id", "source_id", "assembly_key", "engine_code"]
    order = pl.col("event_code").replace_strict({"spf": 0, "dkim": 1, "dmarc": 2}, return_dtype=pl.Int8)
    key = pl.concat_str("event_code", pl.lit(" "), "result")
    names = {f"{event} {result}": name for (event, result), name in _SYMBOLS.items()}
    # DMARC decides for its engine; SPF alone decides nothing.
    deciding = pl.col("result").filter(pl.col("event_code") != "spf").last()
    rows = (
        bronze.with_columns(
            engine_code=engine, _symbol=key.replace_strict(names, return_dtype=pl.String), _order=order
        )
        .sort(*whose, "first_at", "_order", "stream_id", "offset")
        .with_columns(_is_next=(pl.col("first_at").diff().over(whose) > _PAUSE).fill_null(False))
        .with_columns(_message=pl.col("_is_next").cum_sum().over(whose))
        .group_by(*whose, "_message", maintain_order=True)
        .agg(
            pl.col("stream_id", "offset", "queue_id").first(),
            pl.col("first_at").last(),
            action=deciding.fill_null("none"),
            symbols=pl.col("_symbol").unique(maintain_order=True),
        )
        .with_columns(
            action=pl.when(pl.col("action").is_in(["pass", "fail"])).then("action").otherwise(pl.lit("none"))
        )
    )
    return select_verdicts(rows, NAME)


def _typed_fields() -> dict[str, pl.Expr]:
    """The typed columns of a result line; event_code is null for every other line."""
    dkim, spf, dmarc = (pl.col(name).struct for name in ("_dkim", "_spf", "_dmarc"))
    return {
        "first_at": pl.col("at"),
        "event_code": choose_code(
            dkim=dkim.field("queue").is_not_null(),
            spf=spf.field("queue").is_not_null(),
            dmarc=dmarc.field("queue").is_not_null() & pl.col("at").is_not_null(),
        ),
        "queue_id": pl.coalesce(dkim.field("queue"), spf.field("queue"), dmarc.field("queue")),
        "domain": pl.coalesce(spf.field("domain"), dmarc.field("domain")),
        "result": pl.coalesce(
            dkim.field("words").replace_strict(_DKIM, default=None, return_dtype=pl.String),
            spf.field("result"),
            dmarc.field("result"),
        ),
    }


FORMAT = verdict_format(
    NAME,
    title="OpenDKIM",
    description="Lines of OpenDKIM and OpenDMARC in a mail log",
    sniff=sniff,
    parse=parse,
    key=pl.concat_str(pl.col("host").fill_null(""), "queue_id", separator="|"),
    stands_in_mail_logs=True,
    literals=tuple(LITERALS),
    pattern=PATTERN,
    verdicts=verdicts,
    engines_of_origin=("opendkim", "opendmarc"),
)
