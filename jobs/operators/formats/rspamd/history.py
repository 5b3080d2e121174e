"""Rspamd's history: the same verdicts as its task log, as JSON.

Redis keeps one object per message (history_redis.lua); its list, read with `compress = false`, is one
object a line. `/history` answers with one document, which may be one line: `{"rows": [...], "version": 2}`,
or, where the history is not in Redis, a list whose rows have fewer fields (controller.c).

    {"message-id": "...", "unix_time": N, "ip": "...", "user": "...", "sender_smtp": "...",
     "rcpt_smtp": ["..."], "action": "...", "score": N, "required_score": N, "size": N, "time_real": N,
     "subject": "...", "symbols": {"NAME": {"score": N, "options": ["..."], ...}, ...}}

`unknown` stands for what is missing. There is no queue id and no digest; `fuzzy_hashes` (since 2026) does not
tell of which part a hash is, so that the symbols' options are read. A history is cut to its newest
rows, and messages that Rspamd decided before it scanned them may be left out; it is asked for again and
again, so that rows repeat: rows that tell the same of the same scan, to the microsecond of its duration,
are one verdict. A document that is spread over several lines is not read: `jq -c '.rows[]'` makes lines.
"""

import json

import polars as pl

from jobs.base.core.codes import choose_case
from jobs.base.core.column_types import ColumnTypes
from jobs.base.tables.contracts import bronze_columns
from jobs.operators.formats import Source
from jobs.operators.formats.format import CopyRules
from jobs.operators.formats.rspamd.verdict import FUZZY, fuzzy_hash, is_spam, message_id, scan_key
from jobs.operators.formats.shared.fields import line_code, none_if_empty, typed_columns
from jobs.operators.formats.shared.verdicts import (
    complete_lines,
    parse_finite,
    parse_microseconds,
    verdict_format,
)

NAME = "rspamd_history"
# Bytes. A document is one line, whatever the history's length.
LONGEST_LINE = 64 << 20

# bronze.rspamd_history: one row per verdict.
BRONZE = bronze_columns(NAME)
_TYPED = typed_columns(NAME)

# Values of any plain kind become text, so that few lines cannot be decoded.
_TEXTS = [
    "message-id",
    "id",
    "unix_time",
    "ip",
    "user",
    "sender_smtp",
    "action",
    "score",
    "required_score",
    "size",
    "time_real",
    "scan_time",
    "subject",
]
_ROW = pl.Struct({**dict.fromkeys(_TEXTS, pl.String), "rcpt_smtp": pl.List(pl.String)})
# In JSON a quotation mark inside a text is escaped, so this is the name of an object and nothing else.
_OBJECT_NAME = r'"[^"\\]+"\s*:\s*\{'
# A fuzzy symbol's object holds no other object; its options are texts.
_FUZZY_OBJECT = r'"[^"\\]*FUZZY[^"\\]*"\s*:\s*\{[^{}]*\}'
_TEXT = r'"[^"\\]*"'
# No later than 2200, so that a number that is no time is none.
_LATEST = 7_258_118_400


def sniff(sample: bytes) -> float:
    """1 where the sample begins like a row or a document of the history; else 0."""
    text = sample[:4096].decode("utf-8", "replace").lstrip()
    is_json = text.startswith(("{", "["))
    is_row = '"unix_time"' in sample.decode("utf-8", "replace")
    return float(is_json and is_row and '"required_score"' in sample.decode("utf-8", "replace"))


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line, with `rows`, its verdicts: one, or a document's. Empty lines are ignored.

    Quarantine reasons: truncated (JSON that ends early), bad_field (no JSON, or without what every row has),
    unknown_shape (text that is no JSON at all), bad_timestamp (a row whose time is none). A document with a
    row that cannot be read is quarantined as a whole.
    """
    frame = lines.select("offset", pl.col("line").fill_null("").str.strip_chars().alias("line")).collect()
    text = pl.col("line")
    is_document = text.str.starts_with("[") | (
        text.str.starts_with("{") & text.str.contains('"rows"', literal=True)
    )
    placed = frame.with_row_index("row").select(
        pl.col("row").cast(pl.Int64),
        text,
        is_json=(text.str.starts_with("{") & text.str.ends_with("}"))
        | (text.str.starts_with("[") & text.str.ends_with("]")),
        is_document=is_document,
    )
    alone = placed.filter("is_json", ~pl.col("is_document")).select(
        "row", "line", place=pl.lit(0, dtype=pl.Int64)
    )
    documents = _rows_of_documents(placed.filter("is_json", "is_document"))
    texts = pl.concat([alone, documents])
    decoded = pl.DataFrame({"_row": _decode_json(texts["line"])}).hstack(texts.get_columns())
    is_good = pl.col("action").is_not_null() & pl.col("first_at").is_not_null()
    verdict = decoded.lazy().with_columns(**_typed_fields()).with_columns(is_good=is_good)
    is_timeless = pl.col("_row").is_not_null() & pl.col("first_at").is_null() & pl.col("action").is_not_null()
    entries = (
        verdict.with_columns(is_timeless=is_timeless)
        .group_by("row", maintain_order=True)
        .agg(
            pl.struct("place", *_TYPED).alias("rows"),
            pl.col("is_good").all(),
            pl.col("is_timeless").any(),
        )
    )
    good = pl.col("is_good").fill_null(pl.col("is_empty_document"))
    reason = choose_case(
        ((text == "") | good, None),
        (~text.str.contains(r"^[\[{]"), "unknown_shape"),
        (~pl.col("is_json"), "truncated"),
        (pl.col("is_timeless").fill_null(False), "bad_timestamp"),
        otherwise="bad_field",
    )
    events = (
        placed.lazy()
        .join(entries, on="row", how="left")
        .with_columns(is_empty_document=text.str.contains(r'^(?:\[\s*\]|\{.*"rows"\s*:\s*\[\s*\].*\})$'))
        .with_columns(reason_code=reason)
        .with_columns(line_code=line_code(pl.col("rows").is_not_null()))
        .collect()
    )
    rows: ColumnTypes = {"rows": pl.List(pl.Struct({"place": pl.Int64, **_TYPED}))}
    return complete_lines(frame, events, rows)


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per verdict; a verdict that was read twice, or asked for twice, is one row."""
    if "line_code" in records.collect_schema().names():
        records = (
            records.filter(pl.col("line_code") == "record")
            .explode("rows")
            .unnest("rows")
            .with_columns(
                offset=pl.col("offset") + pl.col("place"), assembly_key=scan_key("message_id", "client_ip")
            )
        )
    identity = [name for name in BRONZE if name not in ("stream_id", "offset", "symbols", "recipients")]
    return (
        records.select(*BRONZE)
        .sort("stream_id", "offset")
        .unique(subset=identity, keep="first", maintain_order=True)
    )


def _rows_of_documents(documents: pl.DataFrame) -> pl.DataFrame:
    """Each row of each document as a line of its own; none of a document that is no JSON.

    A file has few documents, so each is taken apart by itself.
    """
    parts: list[tuple[int, str, int]] = []
    for row, text in documents.select("row", "line").iter_rows():
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            continue
        rows = document.get("rows") if isinstance(document, dict) else document
        if not isinstance(rows, list):
            # An object that only looked like a document.
            rows = [document]
        parts += [
            (row, json.dumps(one, ensure_ascii=False, separators=(",", ":")), place)
            for place, one in enumerate(rows)
        ]
    schema = {"row": pl.Int64, "line": pl.String, "place": pl.Int64}
    return pl.DataFrame(parts, schema=schema, orient="row")


def _decode_json(texts: pl.Series) -> pl.Series:
    """Each JSON object as a struct; null for text that is none.

    The decoder fails on a whole column for one bad text, so the column is halved until that one is alone.
    """
    if texts.is_empty():
        return pl.Series([], dtype=_ROW)
    try:
        return texts.str.json_decode(_ROW)
    except pl.exceptions.PolarsError:
        if len(texts) == 1:
            return pl.Series([None], dtype=_ROW)
    half = len(texts) // 2
    return pl.concat([_decode_json(texts[:half]), _decode_json(texts[half:])])


def _typed_fields() -> dict[str, pl.Expr]:
    """The typed columns of a decoded row."""
    row = pl.col("_row").struct
    when = pl.when(parse_finite(row.field("unix_time")).is_between(0, _LATEST)).then(
        parse_finite(row.field("unix_time")).floor().cast(pl.Int64) * 1_000_000
    )
    recipients = row.field("rcpt_smtp").list.filter(~pl.element().is_in(["", "unknown"]))
    sender = row.field("sender_smtp")
    symbols = pl.col("line").str.json_path_match("$.symbols")
    names = symbols.str.extract_all(_OBJECT_NAME)
    found = pl.when(symbols.str.contains(FUZZY, literal=True)).then(symbols).str.extract_all(_FUZZY_OBJECT)
    options = found.list.join("").str.extract_all(_TEXT)
    return {
        "first_at": when.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        "message_id": message_id(pl.coalesce(row.field("message-id"), row.field("id"))),
        "client_ip": none_if_empty(row.field("ip"), "unknown"),
        "account": none_if_empty(row.field("user"), "unknown"),
        "sender": pl.when(sender == "unknown").then(pl.lit("")).otherwise(sender),
        "recipients": pl.when(recipients.list.len() > 0).then(recipients),
        "action": none_if_empty(row.field("action")),
        "is_spam": is_spam(none_if_empty(row.field("action"))),
        "score": parse_finite(row.field("score")),
        "required_score": parse_finite(row.field("required_score")),
        "symbols": names.list.eval(pl.element().str.extract(r'^"(.*)"')),
        "fuzzy": fuzzy_hash(options.list.eval(pl.element().str.strip_chars('"'))),
        "subject": none_if_empty(row.field("subject"), "unknown"),
        "message_bytes": parse_finite(row.field("size")).cast(pl.Int64, strict=False),
        "filter_us": parse_microseconds(
            pl.coalesce(row.field("time_real"), row.field("scan_time")), 1_000_000
        ),
    }


FORMAT = verdict_format(
    NAME,
    is_json=True,
    title="Rspamd history",
    description="History of Rspamd as JSON, from Redis or over HTTP",
    sniff=sniff,
    parse=parse,
    assemble=assemble,
    engine="rspamd",
    longest_line=LONGEST_LINE,
    has_absolute_stamps=True,
    copies=CopyRules(names_hosts=True, is_snapshot=True),
)
