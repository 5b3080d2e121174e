"""A mapping profile at work: its targets and rules as expressions over the fields of a line.

A field is the column `column_<name>`, null where it is empty, and `value_<name>` without blanks around it.
"""

from collections.abc import Sequence

import polars as pl

from jobs.operators.formats import TIMESTAMP, Source
from jobs.operators.formats.delimited.profile import EPOCHS, KINDS, Decided, Profile, Target, ValueMatch
from jobs.operators.formats.shared.fields import clock_to_utc
from jobs.operators.formats.shared.mobile import normalise_number
from jobs.operators.protect.numbering import REPORT_SHORT_CODE

# Instead of the number of a rule: what the profile's default says.
DEFAULT, QUARANTINED, NO_RULE = -1, -2, -3
# Between the columns of a key.
_JOINT = "\x1f"
_IP = r"^\[?((?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)\]?(?::\d{1,5})?$"
# Times that no log of messages has; they would overflow where zones are worked out.
_YEARS = (1970, 2200)


def column_value(column: str) -> pl.Expr:
    return pl.col(f"value_{column}")


def raw_value(target: Target) -> pl.Expr:
    """The value of a target: the first of its columns that has one, or all of them; or its fixed value."""
    if target.value is not None:
        return pl.lit(target.value)
    if target.join is not None:
        return pl.concat_str([column_value(column) for column in target.origins], separator=target.join)
    return pl.coalesce(column_value(column) for column in target.origins)


def target_value(name: str, target: Target, source: Source) -> pl.Expr:
    """The value of a target, of its kind; null where it is empty or cannot be read."""
    kind = KINDS.get(name, "text")
    if kind == "time":
        return _first_time(raw_value(target), target.formats, target.time_zone or source.time_zone)
    if kind == "number":
        return normalise_number(raw_value(target), source)
    if kind == "ip":
        return raw_value(target).str.extract(_IP)
    if kind == "integer":
        return raw_value(target).cast(
            pl.Int64 if name in ("message_bytes", "try_count") else pl.Int32, strict=False
        )
    if name == "reply_code" and target.means is not None:
        return _look_up_cause(raw_value(target), target.means)
    if name == "message_id":
        return raw_value(target).str.replace(r"^<(.*)>$", "$1")
    if name == "text" and target.origins and target.join is None:
        return pl.coalesce(f"column_{column}" for column in target.origins)
    return raw_value(target)


def _look_up_cause(code: pl.Expr, table: str) -> pl.Expr:
    """A number of a table of causes, as `map_error 27`; what is no number of it stays as it stands.

    TP-FCS is often written in hexadecimal (3GPP TS 23.040, 9.2.3.22).
    """
    number = pl.when(code.str.contains(r"^\d{1,3}$")).then(code).str.to_integer(strict=False)
    if table == "tp_fcs":
        octet = code.str.extract(r"^0[xX]([0-9A-Fa-f]{1,2})$").str.to_integer(base=16, strict=False)
        number = pl.coalesce(number, octet)
    return pl.coalesce(pl.concat_str(pl.lit(table + " "), number), code)


def _first_time(text: pl.Expr, formats: Sequence[str], time_zone: str) -> pl.Expr:
    """A time in the first format that fits; a format is tried on what no earlier one read."""
    found = parse_time(text, formats[0], time_zone)
    for form in formats[1:]:
        found = pl.coalesce(found, parse_time(pl.when(found.is_null()).then(text), form, time_zone))
    return found


def parse_time(text: pl.Expr, form: str, time_zone: str) -> pl.Expr:
    """UTC of a time in a format; null where it has another."""
    if form in EPOCHS:
        micros = text.cast(pl.Float64, strict=False) * EPOCHS[form]
        return pl.when(micros.is_between(0, 7e15)).then(micros).round().cast(pl.Int64).cast(TIMESTAMP)
    clock = _parse_clock(text, form)
    clock = pl.when(clock.dt.year().is_between(*_YEARS)).then(clock)
    if "%z" in form or "%:z" in form or "%#z" in form or "%+" in form:
        return clock.cast(TIMESTAMP)
    return clock_to_utc(clock, "UTC" if form.endswith("Z") else time_zone)


def _parse_clock(text: pl.Expr, form: str) -> pl.Expr:
    """The date and time of a text; a fraction of a second at its end is read by itself, which is quicker."""
    whole = form.removesuffix("%.f").removesuffix("%.3f").removesuffix("%.6f")
    if whole == form or "." in whole:
        return text.str.to_datetime(form, time_unit="us", strict=False)
    parts = text.str.splitn(".", 2)
    fraction = parts.struct.field("field_1")
    micros = fraction.str.head(6).str.pad_end(6, "0").cast(pl.UInt32, strict=False)
    is_whole = fraction.is_null() if form.endswith("%.f") else pl.lit(False)
    clock = parts.struct.field("field_0").str.to_datetime(whole, time_unit="us", strict=False)
    is_digits = fraction.str.strip_chars("0123456789") == ""
    return pl.when(is_whole).then(clock).when(is_digits).then(clock + pl.duration(microseconds=micros))


def entry_code(profile: Profile) -> pl.Expr:
    """The way in which the message came: as the profile says, else over a link; to 7726, as a report."""
    target = profile.field.entry_code
    if target is None:
        entry = pl.lit("link")
    elif target.value is not None:
        entry = pl.lit(target.value)
    else:
        entry = _map_value(raw_value(target), target.codes).fill_null(pl.lit(target.default))
    is_report = (pl.col("recipient") == REPORT_SHORT_CODE).fill_null(False)
    return pl.when(is_report & (entry == "link")).then(pl.lit("report")).otherwise(entry)


def join_key(columns: Sequence[str]) -> pl.Expr:
    """The values of some columns as one; null where there are none, or one is empty."""
    if not columns:
        return pl.lit(None, dtype=pl.String)
    return pl.concat_str([column_value(column) for column in columns], separator=_JOINT)


def deciding_rule(profile: Profile) -> pl.Expr:
    """The number of the rule that decides a row, or what the default says instead.

    A rule that names the whole value goes before one that names its begin; else the first in order wins.
    """
    parts = [column_value(column).fill_null("") for column in profile.outcome.columns]
    value = pl.concat_str(parts, separator="/")
    rules = profile.outcome.rule
    whole: dict[str, int] = {}
    for place, rule in enumerate(rules):
        for text in rule.equals:
            whole.setdefault(text, place)
    begins = pl.lit({"quarantine": QUARANTINED, "ignore": NO_RULE}.get(str(profile.outcome.default), DEFAULT))
    for place, rule in reversed(list(enumerate(rules))):
        if rule.starts_with:
            begins = pl.when(_begins_with(value, rule)).then(pl.lit(place)).otherwise(begins)
    return pl.coalesce(_map_value(value, whole), begins.cast(pl.Int32)).cast(pl.Int32)


def rule_columns(profile: Profile) -> dict[str, pl.Expr]:
    """stage_code, outcome_code, grain_code and is_part of the rule in `_rule`."""
    by_place: dict[int, Decided] = dict(enumerate(profile.outcome.rule))
    if isinstance(profile.outcome.default, Decided):
        by_place[DEFAULT] = profile.outcome.default
    parts = [place for place, rule in by_place.items() if getattr(rule, "is_part", False)]
    chosen = pl.col("_rule")
    return {
        "stage_code": _map_value(chosen, {place: rule.stage for place, rule in by_place.items()}),
        "outcome_code": _map_value(chosen, {place: rule.outcome for place, rule in by_place.items()}),
        "grain_code": _map_value(
            chosen, {place: rule.grain_code(profile.channel) for place, rule in by_place.items()}
        ),
        "is_part": chosen.is_in(parts) if parts else pl.lit(False),
    }


def is_ignored(profile: Profile) -> pl.Expr:
    """Return whether a line is no message: empty, a comment, the header, or what the profile ignores."""
    line = pl.col("_line")
    tests = [line.str.strip_chars() == ""]
    if profile.comment:
        tests.append(line.str.starts_with(profile.comment))
    if profile.header:
        names = dict.fromkeys(column for _, column in profile.used_columns())
        tests.append(pl.all_horizontal(column_value(name) == name.strip() for name in names))
    for match in profile.ignore:
        value = column_value(match.column).fill_null("")
        test = value.is_in(match.equals) | _begins_with(value, match)
        if match.is_not:
            test |= ~value.is_in(match.is_not)
        tests.append(test & pl.col("_reason").is_null())
    return pl.any_horizontal(tests).fill_null(False)


def _begins_with(text: pl.Expr, match: ValueMatch) -> pl.Expr:
    return pl.any_horizontal(pl.lit(False), *(text.str.starts_with(begin) for begin in match.starts_with))


def _map_value(text: pl.Expr, known: dict[str, str] | dict[str, int] | dict[int, str]) -> pl.Expr:
    """The meaning of a value; null where it is not known."""
    kind = pl.Int32 if any(isinstance(meant, int) for meant in known.values()) else pl.String
    if not known:
        return pl.lit(None, dtype=kind)
    return text.replace_strict(list(known), list(known.values()), default=None, return_dtype=kind)
