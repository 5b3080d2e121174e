"""Rspamd's task log: one verdict per `rspamd_task_write_log` line.

The line follows the `log_format` that Rspamd ships (docs.rspamd.com, "Logging"):

    TIME #PID(WORKER) <TAG>; MODULE; rspamd_task_write_log: id: <MID>, qid: <QID>, ip: IP, user: USER,
    from: <SENDER>, (default: FLAG (ACTION): [SCORE/REQUIRED] [NAME(SCORE){OPTION;OPTION;},...]), len: N,
    time: N.NNNms, dns req: N, digest: <HEX>, rcpts: <A,B>, mime_rcpts: <A,B>, forced: ...

qid, ip, user, from, rcpts, mime_rcpts and forced stand only where there is something to say: the null
sender leaves `from:` out. FLAG is T for an action that Rspamd itself holds to be spam, S for a scan that
was skipped by a forced result, else F. Options of symbols hold addresses, hosts and subjects: only the
names of symbols are kept, and of fuzzy symbols the hash that the text is like.

The same line may come by syslog, behind `rspamd[PID]: ` and without Rspamd's own stamp, into a file of its
own or into the mail log.
"""

from functools import partial

import polars as pl

from jobs.base.core.codes import choose_case, choose_code
from jobs.operators.formats import PARSED, TIMESTAMP, Source
from jobs.operators.formats.format import CopyRules
from jobs.operators.formats.rspamd.symbols import are_plain, cut_weights, fuzzy_hash_in_list, symbol_names
from jobs.operators.formats.rspamd.times import ANY_STAMP, OWN_STAMP, SYSLOG_STAMP, own_time
from jobs.operators.formats.rspamd.verdict import is_spam, message_id, scan_key
from jobs.operators.formats.shared.fields import none_if_empty, read_in_turn, typed_columns
from jobs.operators.formats.shared.syslog import split_at_first, split_envelope
from jobs.operators.formats.shared.verdicts import parse_finite, verdict_format

NAME = "rspamd"
_TYPED = typed_columns(NAME)

_MARK = "rspamd_task_write_log: "
_FORCED = ", forced: "
# Rspamd writes no blank inside a message-id (it puts '?'), so up to the scores the fields end at blanks
# whatever brackets and commas they hold. The second pattern is for the rest, such as a quoted sender.
_FRONT = (
    r"^id: <(?P<message_id>[^ ]*)>"
    r"(?:, qid: <(?P<queue_id>[^> ]*)>)?"
    r"(?:, ip: (?P<client_ip>[0-9A-Fa-f.:]+))?"
    r"(?:, user: (?P<account>[^ ]*))?"
    r"(?:, from: <(?P<sender>[^ ]*)>)?"
    r", \([^ :]+: (?P<flag>[A-Z]) \((?P<action>[^()]*)\): \[(?P<score>[^/\]]*)/(?P<required>[^/\]]*)\]?$"
)
# The two patterns as nearly every line has them: no sign leaves open where a field ends, so that one pass
# reads them. What does not fit is left to the patterns above.
_PLAIN_FRONT = (
    r"^id: <(?P<message_id>[^ >]*)>, (?:qid: <(?P<queue_id>[^> ]*)>, )?"
    r"(?:ip: (?P<client_ip>[0-9A-Fa-f.:]+), )?"
    r"(?:user: (?P<account>[^ ,]*), )?(?:from: <(?P<sender>[^ >]*)>, )?"
    r"\([^ :]+: (?P<flag>[A-Z]) \((?P<action>[^()]*)\): \[(?P<score>[^/\]]*)/(?P<required>[^/\]]*)\]?$"
)
_PLAIN_BACK = (
    r"^(?P<bytes>[0-9]+), time: (?P<ms>[0-9.]+)ms, dns req: [0-9]+, digest: <(?P<digest>[^>]*)>"
    r"(?:, rcpts: <(?P<rcpts>[^<>]*)>)?$"
)
_ODD_FRONT = _FRONT.replace("[^ ]*)", "[^ ]*|.*?)").removesuffix("?$")
_FRONT_FIELDS = [
    "message_id",
    "queue_id",
    "client_ip",
    "account",
    "sender",
    "flag",
    "action",
    "score",
    "required",
]
_BACK = (
    r"^(?P<bytes>\d+)(?:, time: (?P<ms>[\d.]+)ms)?(?:[^<]*, digest: <(?P<digest>[^>]*)>)?"
    r"(?:[^<]*, rcpts: <(?P<rcpts>.*)>)?"
)
# RFC 5321 lets a quoted local part hold a comma.
_ADDRESS = r'(?:"(?:[^"\\]|\\.)*"|[^,"])+'


def sniff(sample: bytes) -> float:
    """Share of the sample's stamped lines that Rspamd wrote; 0 where none did."""
    lines = pl.Series(sample.decode("utf-8", "replace").splitlines(), dtype=pl.String)
    stamped = int(lines.str.contains(ANY_STAMP).sum())
    own = int((lines.str.contains(OWN_STAMP) | lines.str.contains(SYSLOG_STAMP)).sum())
    return own / max(stamped, 1)


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: the verdict of a task line; other lines of Rspamd are ignored.

    Quarantine reasons: bad_timestamp (no time, as in the rest of a broken line, or one that cannot be),
    unknown_shape (another program's line), bad_field (a task line that the format above does not describe).
    The typed columns of a quarantined line mean nothing.
    """
    frame = lines.select("offset", pl.col("line").fill_null("")).collect()
    return read_in_turn(
        frame, partial(_read_plain, source=source), partial(_parse_any_form, source=source)
    ).lazy()


def _read_plain(frame: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.Series]:
    """(rows of parse() of task lines whose fields can be cut without doubt, which of the lines these are)."""
    is_own = frame.select(
        pl.col("line").str.contains(OWN_STAMP) & pl.col("line").str.contains(_MARK, literal=True)
    ).to_series()
    own = frame if is_own.all() else frame.filter(is_own)
    before, text = split_at_first(own["line"], _MARK)
    head, behind = split_at_first(text, "]), len: ")
    tail, rest = split_at_first(behind.str.strip_chars_end(), ", mime_rcpts: <")
    first, listed = split_at_first(head, "] [")
    names = listed.str.split("},")
    cut = pl.DataFrame(
        {
            "offset": own["offset"],
            "_line": own["line"],
            "_front": first.str.extract_groups(_PLAIN_FRONT),
            "_back": tail.str.extract_groups(_PLAIN_BACK),
            "_tag": before.str.extract(r"<([^<>;]*)>; \w+; $"),
            "_tail": tail,
            "_rest": rest,
            "_symbols": listed,
            "_names": names,
            "_ends": names.list.len() - 1,
            "_at": own.select(own_time(pl.col("line"), source)).to_series(),
        }
    )
    symbols, rest_text = pl.col("_symbols"), pl.col("_rest")
    is_forced = rest_text.str.contains(_FORCED, literal=True)
    is_plain = (
        pl.col("_front").struct.field("action").is_not_null()
        & pl.col("_back").struct.field("bytes").is_not_null()
        & pl.col("_tag").is_not_null()
        & pl.col("_at").is_not_null()
        & ~pl.col("_tail").str.contains(_FORCED, literal=True)
        & are_plain(symbols, pl.col("_ends"))
    )
    found = cut.select(is_plain.fill_null(False)).to_series()
    if not found.all():
        cut = cut.filter(found)
        is_own = is_own.scatter(is_own.arg_true(), found)
    front, back = pl.col("_front").struct, pl.col("_back").struct
    fields = _typed_ends(
        {name: front.field(name) for name in _FRONT_FIELDS},
        {name: back.field(name) for name in ("bytes", "ms", "digest", "rcpts")},
    )
    rows = cut.select(
        "offset",
        line_code=pl.lit("record"),
        reason_code=pl.lit(None, pl.String),
        first_at="_at",
        task_tag=none_if_empty(pl.col("_tag")),
        symbols=pl.when(symbols == "")
        .then(pl.lit([], pl.List(pl.String)))
        .otherwise(cut_weights(pl.col("_names"))),
        forced_text=_text_after(_FORCED, pl.when(is_forced).then(rest_text)),
        fuzzy=fuzzy_hash_in_list(symbols),
        **fields,
    )
    return rows.select(*PARSED, *_TYPED), is_own


def _parse_any_form(frame: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, pl.Series]:
    """(rows of parse() of any lines, all of them)."""
    cut = (
        open_lines(frame, source)
        .lazy()
        # Expressions on null cost next to nothing, so everything below runs on task lines only.
        .with_columns(_task=pl.when(pl.col("_text").str.contains(_MARK, literal=True)).then("_text"))
        .with_columns(
            _cut=pl.col("_task").str.splitn(_MARK, 2).struct.field("field_1").str.splitn("]), len: ", 2)
        )
        .with_columns(
            _head=pl.col("_cut").struct.field("field_0"),
            _tail=pl.col("_cut")
            .struct.field("field_1")
            .str.strip_chars_end()
            .str.splitn(", mime_rcpts: <", 2),
        )
        .with_columns(_halves=pl.col("_head").str.splitn("] [", 2))
        .with_columns(
            _front=pl.col("_halves").struct.field("field_0").str.extract_groups(_FRONT),
            _back=pl.col("_tail").struct.field("field_0").str.extract_groups(_BACK),
        )
        .with_columns(_is_odd=pl.col("_front").struct.field("action").is_null())
        .with_columns(
            _odd=pl.when("_is_odd").then(pl.col("_head")).str.extract_groups(_ODD_FRONT),
            _symbols=pl.when(~pl.col("_is_odd")).then(pl.col("_halves").struct.field("field_1")),
        )
    )
    is_record = pl.col("first_at").is_not_null() & pl.col("action").is_not_null()
    reason = choose_case(
        (is_record | pl.col("_is_plain"), None),
        (pl.col("_task").is_not_null() & pl.col("action").is_null(), "bad_field"),
        (pl.col("_task").is_null() & pl.col("_line").str.contains(ANY_STAMP), "unknown_shape"),
        otherwise="bad_timestamp",
    )
    typed = cut.select(
        "offset",
        "_line",
        "_task",
        # A line that quotes Rspamd's is another program's, and not Rspamd's to judge.
        _is_plain=pl.col("_task").is_null()
        & (
            pl.col("_text").is_not_null()
            | (pl.col("_line").str.strip_chars() == "")
            | (pl.col("_line").str.contains(ANY_STAMP) & pl.col("_line").str.contains(_MARK, literal=True))
        ),
        **_typed_fields(),
    ).with_columns(reason_code=reason)
    line_code = choose_code(
        quarantined=pl.col("reason_code").is_not_null(), ignored=pl.col("_is_plain"), otherwise="record"
    )
    rows = typed.with_columns(line_code=line_code).select(*PARSED, *_TYPED).collect()
    return rows, rows["line_code"].is_not_null()


def open_lines(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    """offset, _line, and of Rspamd's lines _text, its own words, and _at, their UTC time by its own stamp or
    by syslog's; both are null for other programs' lines."""
    line = frame["line"]
    is_own = line.str.contains(OWN_STAMP)
    others = (~is_own).arg_true()
    envelope = split_envelope(line.gather(others), source)
    is_rspamd = envelope["tag"] == "rspamd"
    by_syslog, envelope = others.filter(is_rspamd), envelope.filter(is_rspamd)
    own_at = frame.select(own_time(pl.when(is_own).then("line"), source)).to_series()
    # scatter() works in place.
    text = line.zip_with(is_own, pl.Series([None], dtype=pl.String).new_from_index(0, len(line))).clone()
    return pl.DataFrame(
        {
            "offset": frame["offset"],
            "_line": line,
            "_text": text.scatter(by_syslog, envelope["body"]),
            "_at": own_at.cast(TIMESTAMP).scatter(by_syslog, envelope["at"]),
        }
    )


def _typed_fields() -> dict[str, pl.Expr]:
    """The typed columns, from the pieces that the line was cut into."""
    front = {
        name: pl.coalesce(pl.col("_front").struct.field(name), pl.col("_odd").struct.field(name))
        for name in _FRONT_FIELDS
    }
    back = {name: pl.col("_back").struct.field(name) for name in ("bytes", "ms", "digest", "rcpts")}
    return {
        "first_at": pl.col("_at"),
        "task_tag": none_if_empty(pl.col("_task").str.extract(r"<([^<>;]*)>; \w+; rspamd_task_write_log: ")),
        "symbols": pl.when(pl.col("_head").is_not_null()).then(symbol_names(_symbol_list()).fill_null([])),
        "forced_text": pl.coalesce(_text_after_forced("field_1"), _text_after_forced("field_0")),
        "fuzzy": fuzzy_hash_in_list(_symbol_list()),
    } | _typed_ends(front, back)


def _typed_ends(front: dict[str, pl.Expr], back: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    """The columns that the texts before and behind the symbols make."""
    action = front["action"]
    return {
        "message_id": message_id(front["message_id"]),
        "queue_id": none_if_empty(front["queue_id"], "undef"),
        "client_ip": front["client_ip"],
        "account": front["account"],
        "sender": pl.when(action.is_not_null()).then(front["sender"].fill_null("")),
        "recipients": back["rcpts"].str.replace(r"[, ]*\.\.\.$", "").str.extract_all(_ADDRESS),
        "action": action,
        "is_spam": is_spam(action, front["flag"]),
        "score": parse_finite(front["score"]),
        "required_score": parse_finite(front["required"]),
        "digest": none_if_empty(back["digest"]),
        "message_bytes": back["bytes"].cast(pl.Int64, strict=False),
        "filter_us": (back["ms"].cast(pl.Float64, strict=False) * 1000).round().cast(pl.Int64, strict=False),
    }


def _text_after_forced(half: str) -> pl.Expr:
    return _text_after(_FORCED, pl.col("_tail").struct.field(half))


def _text_after(separator: str, text: pl.Expr) -> pl.Expr:
    return text.str.splitn(separator, 2).struct.field("field_1")


def _symbol_list() -> pl.Expr:
    """The list of symbols as logged."""
    odd = pl.when("_is_odd").then(pl.col("_head")).str.extract(r"/[^/\]]*\] \[(.*)$")
    return pl.coalesce(pl.col("_symbols"), odd)


FORMAT = verdict_format(
    NAME,
    title="Rspamd",
    description="Task log of Rspamd, in a file of its own or in a mail log",
    sniff=sniff,
    parse=parse,
    key=scan_key("queue_id", "message_id", "task_tag"),
    engine="rspamd",
    stands_in_mail_logs=True,
    literals=(_MARK,),
    rules_of=("clamav",),
    # Rspamd names each scan; it stamps the lines of its own log, syslog those of a mail log.
    copies=CopyRules(names_hosts=True, is_timeless=True),
)
