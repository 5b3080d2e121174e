"""Lines as patterns: what differs from line to line, and whom it is about, becomes a placeholder.

    Nov 24 10:00:01 mx1 postfix/smtpd[7]: 3F2A11C0DE: weird <ann@example.org> from 192.0.2.7
    <time> mx1 postfix/smtpd[<n>]: <id>: weird <address> from <ip>

Two uses: lines of one kind count together, and a person may look at them without reading anyone's address,
number, name or text. Masking rather takes too much than too little. What is shown goes through
escape_unseen(), and rows through write_safe_csv() or write_safe_json(): whoever sends a message decides what
logs contain, such as escape sequences, signs that reverse a line, and formulas. Parquet keeps values as they
are.
"""

import re

import polars as pl
from rich.text import Text

# So much of a line is looked at, and so much of its pattern is kept.
LOOKED_AT, KEPT = 1000, 240

# In this order: what comes first is no longer there for what follows.
MASKS: tuple[tuple[str, str], ...] = (
    # Text of a message: Kannel's [msg:LEN:TEXT] [udh: and whatever names a subject.
    (r"\[msg:(-?\d*):(?s:.*)\] \[udh:", "[msg:<n>:<text>] [udh:"),
    (r"\[msg:(-?\d*):(?s:.*)", "[msg:<n>:<text>"),
    (r"(?i)\b(subject)\b(['\"]?\s*[:=]\s*)(?s:.+)", "${1}${2}<text>"),
    # Longest forms first: quoted local parts and routes hold blanks, so brackets bound them.
    (r"<[^<>]*@[^<>]*>", "<address>"),
    (r'"[^"]*"@[\w.\-\[\]:]+', "<address>"),
    (r"""[^\s<>"'(),;:=\[\]{}|]+@(?:[\w.\-]+|\[[^\]]*\])""", "<address>"),
    (
        r"(?i)\b((?:sasl_|auth_?)?(?:user(?:name|_name|id)?|login|account|sender|recipient|uid))"
        r"(\s*[=:]\s*)[^\s,;<>\])]+",
        "${1}${2}<name>",
    ),
    (
        r"\d{4}[-/]\d\d[-/]\d\d(?:[T ]|\s)\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[+-]\d\d:?\d\d\b|Z\b)?",
        "<time>",
    ),
    (r"\b[A-Z][a-z]{2} [ \d]?\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)?", "<time>"),
    (r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<id>"),
    (r"(?i)(?:\b[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}(?:\.\d{1,3}){0,3}\b", "<ip>"),
    (r"(?i)(?:\b(?:[0-9a-f]{1,4}:)*[0-9a-f]{1,4})?::(?:[0-9a-f]{1,4}[:.])*[0-9a-f]{1,4}\b", "<ip>"),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}\b", "<ip>"),
    (r"\b[\w\-]+(?:\.[\w\-]+)*\.[\p{L}][\w\-]*[\p{L}]\b", "<host>"),
    # Telephone numbers with their blanks, dots and brackets; then every other number.
    (r"\+?\(?\d[\d ().\-]{5,}\d\b", "<n>"),
    (r"[+\-]?\b\d+(?:[.,]\d+)*\b", "<n>"),
    # Words with digits in them, but for short names such as mx1 or IPv6: ids of queues, messages, sessions.
    (r"\b\w{2,}\d\w{3,}\b|\b\w{3,}\d\w{2,}\b|\b\w{5,}\d\w*\b|\b\d\w+\b|\b\w\d\w{4,}\b", "<id>"),
    (r"\s+", " "),
)
# Of a line that is an object of JSON: its texts, and lists, cut ones too.
VALUES: tuple[tuple[str, str], ...] = (
    (r'(:\s*)"(?:[^"\\]|\\.)*(?:"|\\?$)', '${1}"<text>"'),
    (r"\[[^\[\]{}]*(?:\]|$)", "[<text>]"),
)
PLACEHOLDER = re.compile(r"<(?:address|host|id|ip|n|name|text|time)>")
# Controls of C0 and C1, and signs that turn or break the line they stand in.
UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def mask_lines(lines: pl.Series) -> pl.Series:
    """The pattern of each line, of at most KEPT signs."""
    pattern = pl.col("line").str.slice(0, LOOKED_AT)
    # What was cut in the middle may be half an address, which no mask would know.
    pattern = (
        pl.when(pl.col("line").str.len_chars() > LOOKED_AT)
        .then(pattern.str.replace(r"\S*$", "…"))
        .otherwise(pattern)
    )
    # Names and texts of people stand in any field of an object.
    values = pattern
    for found, placeholder in VALUES:
        values = values.str.replace_all(found, placeholder)
    pattern = pl.when(pattern.str.starts_with('{"')).then(values).otherwise(pattern)
    for found, placeholder in MASKS:
        pattern = pattern.str.replace_all(found, placeholder)
    pattern = pattern.str.strip_chars()
    pattern = (
        pl.when(pattern.str.len_chars() > KEPT).then(pattern.str.slice(0, KEPT) + "…").otherwise(pattern)
    )
    return lines.alias("line").fill_null("").to_frame().select(pattern.alias("pattern")).to_series()


def mask_value(value: str) -> str:
    """A value with digits as 9 and letters as a, so that it identifies nobody."""
    shape = "".join("9" if sign.isdigit() else "a" if sign.isalpha() else sign for sign in value)
    shape = "".join(sign if sign.isprintable() else "?" for sign in shape)
    return shape if len(shape) <= 24 else shape[:24] + "…"


def count_patterns(lines: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """`by`, pattern, count and the first `offset` of each kind of line.

    Equal lines are masked once. `lines` has `line` and the columns named.
    """
    distinct = lines.group_by("line", *by).agg(pl.len().alias("count"), pl.col("offset").min())
    return (
        distinct.with_columns(mask_lines(distinct["line"]))
        .group_by(*by, "pattern")
        .agg(pl.col("count").sum(), pl.col("offset").min())
    )


def escape_unseen(text: str) -> str:
    r"""The text with what a terminal would obey shown as it would be written in a program: \x1b, \u202e."""
    return UNSEEN.sub(lambda sign: _escape_sign(sign[0]), text)


def pattern_text(pattern: str) -> Text:
    """A pattern for the terminal: no markup in it is obeyed, placeholders stand out."""
    text = Text(escape_unseen(pattern))
    text.highlight_regex(PLACEHOLDER, "cyan")
    return text


def _escape_sign(sign: str) -> str:
    return f"\\x{ord(sign):02x}" if ord(sign) < 0x100 else f"\\u{ord(sign):04x}"


# What makes a field a formula where a CSV file is opened (OWASP, "CSV Injection").
FORMULA = r"^[=+\-@\t\r\n\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"


def write_safe_csv(frame: pl.DataFrame) -> str:
    """CSV. Control characters are shown as in \\x1b, and a text that would be a formula has an apostrophe
    before it."""
    text = pl.col(pl.String)
    is_formula = text.str.contains(FORMULA)
    seen = text.map_batches(
        lambda values: pl.Series([value and escape_unseen(value) for value in values], dtype=pl.String)
    )
    guarded = pl.when(is_formula).then("'" + seen).otherwise(seen)
    written: str = frame.with_columns(guarded.name.keep()).write_csv()
    return written


def write_safe_json(frame: pl.DataFrame) -> str:
    """A JSON object per line. What a terminal would obey is escaped, which JSON reads as the same text."""
    lines = frame.write_ndjson().split("\n")
    return "\n".join(UNSEEN.sub(lambda sign: f"\\u{ord(sign[0]):04x}", line) for line in lines)
