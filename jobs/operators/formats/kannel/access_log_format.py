"""Kannel's bearerbox access log in a format of the operator's own: the option `access_log_format`.

    options = { access_log_format = "%t|%l|%i|%n|%A|%F|%p|%P|%c|%d|%L|%b|%U|%u" }

The escape codes are those of bearerbox's `access-log-format` (Kannel User's Guide, "Custom access log
format", and gw/bb_alog.c). bearerbox writes a code that it does not know as it stands; here it is an
error, since it is a slip of the pen more likely than meant. %f is none of its codes.

%t and %T are the time that the message itself carries, in UTC whatever `access-log-time` says: a retry
has the time of its first try. Where bearerbox also writes its own stamp before each line (access-log-clean
= no, its default), that stamp is taken: it is in the source's time zone, as in the default format. A format
without %t and %T needs it: say `access_log_clean = false`.

A line is read from both ends around the message's text: what stands before the text ends at the first
separator that fits, what stands after it begins at the last. So a separator should be no sign that
senders or accounts have in them.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from jobs.base.core.codes import choose_case
from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.contracts import read_csv_rows
from jobs.operators.formats import TIMESTAMP, Options
from jobs.operators.formats.shared.fields import local_time
from jobs.operators.formats.shared.syslog import LEVEL, LEVEL_IN_BRACKETS

OPTIONS = ("access_log_format", "access_log_clean")

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
# Some sites let syslog carry the access log.
SYSLOG = (
    r"(?:(?:[A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+)"
    rf" (?:{LEVEL_IN_BRACKETS} )?\S+ (?:{LEVEL} )?\S+ )?"
)

_FREE, _EVENT, _TEXT = "free", "event", "text"
_SHAPES = {"stamp": STAMP, "number": r"-?\d*", "hex": "[0-9A-Fa-f]*", "id": "[0-9A-Fa-f-]*"}
# The field of each code, None where it is read and left; and what a value may look like.
CODES: dict[str, tuple[str | None, str]] = {
    row["code"]: (row["field"] or None, _SHAPES.get(row["shape"], row["shape"]))
    for row in read_csv_rows(Path(__file__).with_name("access_log_codes.csv"))
}
# Without these a line records no SMS.
_NEEDED = {"l": "the event words", "p": "the sender", "P": "the recipient"}
NAMES = [name for name, _ in CODES.values() if name]


@dataclass(frozen=True)
class LogFormat:
    """A format worked out: patterns of a whole line, and the fields that it has.

    Attributes:
        strict: no field but the text holds the sign that ends it.
        loose: any may, the shortest that fits.
    """

    strict: str
    loose: str
    names: frozenset[str]


def check_options(options: Options, folder: Path) -> Options:
    """The options. Raises ObservatoryError that names the option and what is wrong with it."""
    own, clean = options.get("access_log_format"), options.get("access_log_clean", True)
    if not isinstance(clean, bool):
        raise ObservatoryError(f"access_log_clean: must be true or false, not '{clean}'")
    if own is None:
        return options
    if not isinstance(own, str) or not own:
        raise ObservatoryError("access_log_format: must be the text of bearerbox's access-log-format")
    log_format(own, clean)
    return options


@lru_cache(maxsize=16)
def log_format(own: str, is_clean: bool = True) -> LogFormat:
    """The format worked out.

    Raises ObservatoryError that names the option and the code that is unknown, missing, or not kept apart.
    """
    parts = _split_codes(own)
    codes = [code for code, is_code in parts if is_code]
    for code, what in _NEEDED.items():
        if code not in codes:
            raise ObservatoryError(f"access_log_format: %{code} is missing: {what} would be unknown")
    if "t" not in codes and "T" not in codes and is_clean:
        raise ObservatoryError(
            "access_log_format: %t and %T are missing: the time would not be known. If bearerbox writes its"
            " own stamp before each line (access-log-clean = no), set access_log_clean = false"
        )
    has_time = "t" in codes or "T" in codes
    own_stamp = rf"(?:(?P<own_stamp>{STAMP}) )" + ("?" if has_time else "")
    begin = f"^{SYSLOG}{own_stamp}"
    names = {CODES[code][0] for code in codes} | {"own_stamp"}
    return LogFormat(
        strict=begin + _line_pattern(parts, is_strict=True) + r"\s*$",
        loose=begin + _line_pattern(parts, is_strict=False) + r"\s*$",
        names=frozenset(name for name in names if name),
    )


def _split_codes(own: str) -> list[tuple[str, bool]]:
    """The format as literal texts and codes, in order; a code is True."""
    parts: list[tuple[str, bool]] = []
    for code, literal in re.findall(r"%(.?)|([^%]+)", own, flags=re.DOTALL):
        if literal or code == "%":
            literal = literal or "%"
            if parts and not parts[-1][1]:
                parts[-1] = (parts[-1][0] + literal, False)
            else:
                parts.append((literal, False))
        elif code not in CODES:
            known = ", ".join(f"%{name}" for name in sorted(CODES, key=str.lower))
            raise ObservatoryError(f"access_log_format: unknown escape code '%{code}'; known are: {known}")
        else:
            if parts and parts[-1][1] and "t" not in (code, parts[-1][0]):
                raise ObservatoryError(
                    f"access_log_format: nothing stands between %{parts[-1][0]} and %{code}, so that no one"
                    " can tell where one ends"
                )
            parts.append((code, True))
    return parts


def _line_pattern(parts: list[tuple[str, bool]], is_strict: bool) -> str:
    pattern, seen = "", set()
    for place, (part, is_code) in enumerate(parts):
        if not is_code:
            pattern += re.escape(part)
            continue
        name, kind = CODES[part]
        follows = parts[place + 1][0] if place + 1 < len(parts) and not parts[place + 1][1] else ""
        kind = _field_pattern(kind, follows, is_strict)
        is_first = name is not None and name not in seen
        pattern += f"(?P<{name}>{kind})" if is_first else f"(?:{kind})"
        seen.add(name)
    return pattern


def _field_pattern(kind: str, follows: str, is_strict: bool) -> str:
    """The pattern of a field before the literal text that follows it."""
    ends = re.escape(follows[0]) if follows else ""
    if kind == _TEXT:
        return "(?s:.*)"
    if kind == _EVENT:
        # All of bearerbox's event words end so; a separator may be a sign that stands in them.
        if not ends or re.match(r"[\w -]", follows):
            return r"[A-Za-z][A-Za-z -]*?(?:SMS|DLR)"
        return rf"[A-Za-z][^{ends}]*"
    if kind == _FREE:
        if not ends:
            return ".*"
        return rf"[^{ends}]*" if is_strict else ".*?"
    return kind


def split_own(frame: pl.LazyFrame, form: LogFormat, time_zone: str) -> pl.LazyFrame:
    """`_line` split by the format: a column `_<name>` for each of NAMES, null where the format lacks it.

    Adds first_at, message_bytes, and _fits: the line has the format's shape.
    """

    def named_field(struct: str, name: str) -> pl.Expr:
        return pl.col(struct).struct.field(name) if name in form.names else pl.lit(None, dtype=pl.String)

    # The words of any event; cheap to look for in lines that are none.
    is_event = pl.col("_line").str.contains("SMS|DLR")
    split = (
        frame.with_columns(_strict=pl.when(is_event).then(pl.col("_line")).str.extract_groups(form.strict))
        .with_columns(_fits=pl.col("_strict").struct.field("event").is_not_null())
        .with_columns(
            _loose=pl.when(is_event & ~pl.col("_fits")).then(pl.col("_line")).str.extract_groups(form.loose)
        )
        .with_columns(_fits=pl.col("_fits") | pl.col("_loose").struct.field("event").is_not_null())
        .with_columns(
            pl.when(pl.col("_strict").struct.field("event").is_not_null())
            .then(named_field("_strict", name))
            .otherwise(named_field("_loose", name))
            .alias(f"_{name}")
            for name in [*NAMES, "own_stamp"]
        )
    )
    carried = local_time(pl.col("_message_stamp"), "UTC")
    epoch = pl.col("_message_epoch").cast(pl.Int64, strict=False)
    # A message without a time is written as one second before 1970.
    epoch = pl.when((epoch > 0) & (epoch < 10**11)).then(epoch * 1_000_000).cast(TIMESTAMP)
    text = pl.coalesce("_text", "_squeezed_text")
    octets = pl.col("_length").cast(pl.Int64, strict=False)
    if "length" not in form.names:
        size = text.str.len_bytes().cast(pl.Int64)
        octets = pl.when(pl.col("_coding").is_in(["1", "2"])).then(size // 2).otherwise(size)
    return split.with_columns(
        first_at=pl.coalesce(
            local_time(pl.col("_own_stamp"), time_zone),
            epoch,
            pl.when(carried.dt.year() >= 1970).then(carried),
        ),
        _text=text,
        message_bytes=octets,
        _is_cut=pl.lit(False),
        _dlr_mask=pl.col("_dlr_mask") if "dlr_mask" in form.names else _mask_by_words(text),
    ).drop("_strict", "_loose")


def _mask_by_words(text: pl.Expr) -> pl.Expr:
    """The mask that the words of a DLR stand for, where the format has no %d."""
    state = text.str.extract(r"\bstat:(\w+)").str.to_uppercase()
    mask = choose_case(
        (text.str.starts_with("NACK"), "16"),
        (text.str.starts_with("ACK"), "8"),
        (state == "DELIVRD", "1"),
        (state.is_in(["ACCEPTD", "ENROUTE"]), "4"),
        (state.is_not_null(), "2"),
    )
    return pl.when(pl.col("_event").str.ends_with("DLR")).then(mask)
