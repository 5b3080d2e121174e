"""Rspamd's rows for ClickHouse: the same verdicts as its task log, one tab-separated line each.

Rspamd sends them as the body of `INSERT INTO rspamd (COLUMNS) FORMAT TabSeparated` (clickhouse.lua,
lua_clickhouse.lua); a dump of the table has the same form. The order of columns comes from the
first of these that applies:

1. the last INSERT line before a row, or a line of column names (TabSeparatedWithNames), in the same stream:
   where it stands in a piece before, it comes with the source (is_head);
2. the option `columns` of the source, names with commas between;
3. what Rspamd's own INSERT has: schema 9, or 10 and later, where TaskUUID was added after Digest.

A head that lacks a column which every verdict needs is damaged, and names none. Without a head and option,
a row that has no list or number where Rspamd's own layout has one is of another layout: quarantined, to be
read again (`run --requarantine`) once the option says which.

Arrays are `['a','b']`, backslashes escape, `\\N` is null. Rows after an INSERT into another table are
ignored.

What these rows lack: queue id, required score, the flag of a custom action, digest unless enabled. Time is
in whole seconds and scan time in whole milliseconds. Domains are in lower case. The address is masked to a
network by default (ipmask 19, ipmask6 48): one that ends as a network does is no client's, and is left out.
Without `enable_symbols`, only the symbols that the columns IsDkim, IsDmarc, IsSpf, IsBayes and IsFuzzy stand
for by default are known, and no fuzzy hash: the columns Fuzzy.* of schema 11 do not tell of which part of a
message a hash is, which the symbols' options do. The subject is there if `insert_subject` is set.
"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import polars as pl

from jobs.base.core.codes import choose_case, choose_code
from jobs.base.tables.contracts import read_csv_rows
from jobs.operators.formats import Source
from jobs.operators.formats.format import CopyRules
from jobs.operators.formats.rspamd.verdict import FUZZY, fuzzy_hash, is_spam, message_id, scan_key
from jobs.operators.formats.shared.fields import local_time, none_if_empty, typed_columns
from jobs.operators.formats.shared.sample_shares import share_of_lines
from jobs.operators.formats.shared.verdicts import complete_lines, parse_finite, parse_whole, verdict_format

NAME = "rspamd_clickhouse"
_TYPED = typed_columns(NAME)

# The columns in the order of Rspamd's own INSERT. Schema 9 is that of Rspamd 2.7 to 3.13; the five of symbols
# and groups come if enabled. needed: a verdict is read from it, or cannot be without it (required). shape: a
# value of another shape shows another layout.
_COLUMNS = read_csv_rows(Path(__file__).with_name("clickhouse_columns.csv"))
_SCHEMAS = {
    number: [row["column"] for row in _COLUMNS if int(row["since"] or 9) <= number] for number in (9, 10)
}
_SYMBOL_PLACE, _UUID_PLACE = _SCHEMAS[9].index("Symbols.Names"), _SCHEMAS[10].index("TaskUUID")
_SYMBOL_COLUMNS = ["Symbols.Names", "Symbols.Options"]
_NEEDED = [row["column"] for row in _COLUMNS if row["needed"]]
_REQUIRED = [row["column"] for row in _COLUMNS if row["needed"] == "required"]
_SHAPES = {"list": r"^(?s)\[.*\]$", "number": r"^\d+$"}
# The symbols that clickhouse.lua sets each column by, where it is one symbol.
_MEANT = read_csv_rows(Path(__file__).with_name("clickhouse_symbols.csv"))
_ACTIONS = ["reject", "rewrite subject", "add header", "greylist", "no action", "soft reject"]

_INSERT = re.compile(r"(?i)\bINSERT\s+INTO\s+(?:[\w`\"]+\.)?[`\"]?(\w+)[`\"]?\s*\(([^)]*)\)")
_HAS_INSERT = r"(?i)INSERT(?:\s|%20|\+)+INTO"
_NAMES = r"^Date\tTS\t"
_ROW = r"^\d{4}-\d\d-\d\d(?:\t|$)"
# Date, time, domains, address, greeting and score.
_LIKE_A_ROW = r"^\d{4}-\d\d-\d\d\t\d[\d :-]*(?:\t[^\t]*){4}\t-?[\d.]+\t"
# What may stand between the bodies of a capture: addresses of requests and other statements.
_STATEMENT = (
    r"(?i)^(?:\s|[()#]|/\?|(?:POST|GET) |(?:CREATE|ALTER|SELECT|INSERT|OPTIMIZE|PARTITION|ORDER|ENGINE|FORMAT"
    r"|VALUES|SETTINGS|TTL)\b)"
)
_ELEMENT = r"'(?:[^'\\]|\\.)*'"
_LATEST = 7_258_118_400


def sniff(sample: bytes) -> float:
    """1 where the sample has an INSERT into Rspamd's table; else the share of lines like its rows."""
    found = _INSERT.search(unquote_plus(sample.decode("utf-8", "replace")))
    if found and found[1] == "rspamd":
        return 1.0
    return share_of_lines(sample, _LIKE_A_ROW)


def is_head(line: pl.Expr) -> pl.Expr:
    """Return whether a line names the columns of the rows after it."""
    return (line.str.contains(_HAS_INSERT) & ~line.str.contains(_ROW)) | line.str.contains(_NAMES)


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: a verdict. Requests, statements, column names and empty lines are ignored.

    Quarantine reasons: truncated (a row with too few columns), bad_timestamp, bad_field (a column that holds
    what it cannot), unknown_shape (no row and no statement, or a row of a layout that nothing names).
    """
    frame = lines.select("offset", line=pl.col("line").fill_null("").str.strip_suffix("\r")).collect()
    text = pl.col("line")
    placed = (
        frame.lazy()
        .select(
            "line",
            row=pl.int_range(pl.len(), dtype=pl.Int64),
            is_row=text.str.contains(_ROW),
            head=pl.when(is_head(text)).then("line").forward_fill().fill_null(pl.lit(source.head, pl.String)),
        )
        .collect()
    )
    rows = placed.filter("is_row").with_columns(_cells=pl.col("line").str.split("\t"))
    laid_out = _add_cells(rows, source)
    verdict = laid_out.lazy().with_columns(**_typed_fields(source))
    known = pl.col("_Action").is_in([*_ACTIONS, "custom"])
    reason = choose_case(
        (pl.col("_is_foreign"), None),
        (pl.any_horizontal(pl.col(f"_{name}").is_null() for name in _REQUIRED), "truncated"),
        (pl.col("first_at").is_null(), "bad_timestamp"),
        (
            ~known
            | pl.col("action").is_null()
            | pl.col("score").is_null()
            | pl.col("message_bytes").is_null(),
            "bad_field",
        ),
        (pl.col("_is_other"), "unknown_shape"),
    )
    verdict = verdict.with_columns(reason_code=reason)
    code = choose_code(
        ignored="_is_foreign", quarantined=pl.col("reason_code").is_not_null(), otherwise="record"
    )
    read = verdict.with_columns(line_code=code).select("row", "line_code", "reason_code", *_TYPED)
    is_idle = (text.str.strip_chars() == "") | text.str.contains(_STATEMENT) | text.str.contains(_NAMES)
    other = (
        placed.lazy()
        .filter(~pl.col("is_row"), ~is_idle)
        .select("row", line_code=pl.lit("quarantined"), reason_code=pl.lit("unknown_shape"))
    )
    events = pl.concat([read.collect(), other.collect()], how="diagonal")
    return complete_lines(frame, events, _TYPED)


def _add_cells(rows: pl.DataFrame, source: Source) -> pl.DataFrame:
    """The needed columns of each row as `_NAME`, null where the row has none.

    `_is_foreign`: of another table. `_is_other`: no head names the columns, and they are not Rspamd's own.
    """
    option = source.options.get("columns")
    heads = rows["head"].unique(maintain_order=True)
    places = pl.DataFrame(
        [_find_layout(head, str(option) if option else None) for head in heads.to_list()],
        schema={"_kind": pl.String, "_width": pl.Int64, **{f"_at_{name}": pl.Int64 for name in _NEEDED}},
        orient="row",
    ).with_columns(heads.alias("head"))
    cells = pl.col("_cells")
    is_10 = cells.list.get(_UUID_PLACE, null_on_oob=True).str.contains(r"^(?:[0-9a-fA-F-]{36})?$")
    is_usual = pl.col("_kind") == "usual"
    count = cells.list.len()
    width = pl.lit(_SYMBOL_PLACE) + is_10.fill_null(False).cast(pl.Int64)

    def cell_place(name: str) -> pl.Expr:
        own: pl.Expr = pl.when(is_10).then(_SCHEMAS[10].index(name)).otherwise(_SCHEMAS[9].index(name))
        # Five columns of symbols and groups come last, if they come. Scores are numbers: others' lists, such
        # as hashes, are no names of symbols.
        if name in _SYMBOL_COLUMNS:
            scores = cells.list.get(width + 1, null_on_oob=True)
            own = pl.when((count >= width + 5) & ~scores.str.contains("'", literal=True)).then(own)
        return pl.when(is_usual).then(own).otherwise(pl.col(f"_at_{name}")) if name in _NEEDED else own

    joined = rows.join(places, on="head", how="left", nulls_equal=True, maintain_order="left")
    shapes = [
        cells.list.get(cell_place(row["column"]), null_on_oob=True).str.contains(_SHAPES[row["shape"]])
        for row in _COLUMNS
        if row["shape"]
    ]
    return joined.with_columns(
        _is_foreign=pl.col("_kind") == "foreign",
        _is_other=is_usual & ~pl.all_horizontal(shapes).fill_null(False),
        **{f"_{name}": _null_if_null(cells.list.get(cell_place(name), null_on_oob=True)) for name in _NEEDED},
    ).with_columns(
        # A row that ends early has other columns at its end than it should.
        pl.when(count >= pl.coalesce("_width", width)).then("_Size").alias("_Size")
    )


def _find_layout(head: str | None, option: str | None) -> list[Any]:
    """The kind of layout, how many columns it has, and the place of each needed one, after a head line."""
    columns: list[str] = []
    if head is not None and re.match(_NAMES, head):
        columns = head.split("\t")
    elif head is not None and (found := _INSERT.search(unquote_plus(head))):
        if found[1] != "rspamd":
            return ["foreign", None, *(None for _ in _NEEDED)]
        columns = [name.strip(' `"') for name in found[2].split(",")]
    if not set(_REQUIRED) <= set(columns):
        columns = [name.strip() for name in option.split(",")] if option else []
    if not columns:
        return ["usual", None, *(None for _ in _NEEDED)]
    return ["named", len(columns), *(columns.index(name) if name in columns else None for name in _NEEDED)]


def _null_if_null(cell: pl.Expr) -> pl.Expr:
    return pl.when(cell != r"\N").then(cell)


def _unescape_text(text: pl.Expr) -> pl.Expr:
    """The text without ClickHouse's escapes; most have none."""
    plain = text.str.split(r"\\").list.eval(
        pl.element()
        .str.replace_all(r"\t", "\t", literal=True)
        .str.replace_all(r"\n", "\n", literal=True)
        .str.replace_all(r"\'", "'", literal=True)
    )
    return pl.when(text.str.contains("\\", literal=True)).then(plain.list.join("\\")).otherwise(text)


def _split_array(text: pl.Expr) -> pl.Expr:
    """The texts of an array."""
    return text.str.extract_all(_ELEMENT).list.eval(
        _unescape_text(pl.element().str.strip_prefix("'").str.strip_suffix("'"))
    )


def _typed_fields(source: Source) -> dict[str, pl.Expr]:
    """The typed columns of a row."""
    user, domain = _unescape_text(pl.col("_FromUser")), _unescape_text(pl.col("_From"))
    address = pl.concat_str(user, pl.lit("@"), domain)
    action = (
        pl.when(pl.col("_Action") == "custom")
        .then(none_if_empty(pl.col("_CustomAction")))
        .otherwise(none_if_empty(pl.col("_Action")))
    )
    recipients = _split_array(pl.col("_SMTPRecipients"))
    names, options = _split_array(pl.col("_Symbols.Names")), _split_array(pl.col("_Symbols.Options"))
    has_fuzzy = pl.col("_Symbols.Names").str.contains(FUZZY, literal=True)
    places = (
        pl.when(has_fuzzy).then(names).list.eval(pl.element().str.contains(FUZZY, literal=True).arg_true())
    )
    of_fuzzy = pl.when(has_fuzzy).then(options).list.gather(places, null_on_oob=True)
    is_network = pl.col("_IP").str.ends_with(".0") | pl.col("_IP").str.ends_with("::")
    meant = pl.concat_list(
        [
            pl.col(f"_{column}").replace_strict(
                {row["value"]: [row["symbol"]] for row in _MEANT if row["column"] == column},
                default=[],
                return_dtype=pl.List(pl.String),
            )
            for column in dict.fromkeys(row["column"] for row in _MEANT)
        ]
    )
    return {
        "first_at": _scan_time(source),
        "message_id": message_id(_unescape_text(pl.col("_MessageId"))),
        "client_ip": pl.when(~is_network).then(none_if_empty(pl.col("_IP"), "undefined")),
        "account": none_if_empty(_unescape_text(pl.col("_AuthUser"))),
        "sender": pl.when((user == "") & (domain == "")).then(pl.lit("")).otherwise(address),
        "recipients": pl.when(recipients.list.len() > 0).then(recipients),
        "action": action,
        "is_spam": is_spam(action),
        "score": parse_finite(pl.col("_Score")),
        "symbols": pl.when(pl.col("_Symbols.Names").is_not_null()).then(names).otherwise(meant),
        "digest": none_if_empty(pl.col("_Digest").str.strip_chars("\x00").str.replace(r"^(?:\\0)+$", "")),
        # The options of one symbol are one text, with commas between.
        "fuzzy": fuzzy_hash(of_fuzzy.list.join(",", ignore_nulls=True).str.split(",")),
        "subject": none_if_empty(_unescape_text(pl.col("_Subject"))),
        "message_bytes": parse_whole(pl.col("_Size")),
        "filter_us": parse_whole(pl.col("_ScanTimeReal")) * 1_000,
    }


def _scan_time(source: Source) -> pl.Expr:
    """UTC of TS: seconds since 1970 as Rspamd sends it, or the server's clock in a dump."""
    seconds = parse_whole(pl.col("_TS"))
    sent = pl.when(seconds.is_between(0, _LATEST)).then(seconds * 1_000_000)
    return pl.coalesce(
        sent.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), local_time(pl.col("_TS"), source.time_zone)
    )


FORMAT = verdict_format(
    NAME,
    title="Rspamd ClickHouse",
    description="Rows that Rspamd sends to ClickHouse",
    sniff=sniff,
    parse=parse,
    key=scan_key("message_id", "client_ip"),
    engine="rspamd",
    is_head=is_head,
    copies=CopyRules(names_hosts=True),
    options=("columns",),
)
