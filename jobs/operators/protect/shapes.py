"""Shapes of columns, which limit what passes from bronze to silver; enforce_shapes() checks them.

A column's shape is its `shape` in schemas/fields.yaml, its code list, or, if its name ends in _hash, that of
a pseudonym. A log may hold anything in a field: an address as a code, a number as a size, a name as a queue
id. Queue ids that no mail server makes pass as pseudonyms, so that they still join; whatever else does not
have its column's shape is left out.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import polars as pl

from jobs.base.tables.contracts import Field, list_codes, polars_schema, read_contract, reference_rows
from jobs.base.tables.keyed_hashes import keyed_hashes
from jobs.operators.protect.domains import FEWEST_DIGITS, LONGEST_NAME
from jobs.operators.protect.operators import Protection

# Queue ids in which no number can stand, as Postfix makes its long ones (seconds, of which these are 2020 to
# 2030, microseconds, z, inode) and Exim its own before and since 4.97 (seconds, process, fraction). Postfix'
# short ones and Sendmail's may have as many digits in a row as a number has: all of them are pseudonyms.
_LONG = "0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-"
_LATER = "B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z"
QUEUE_ID = (
    rf"(?:4[{_LATER}][{_LONG}z]{{8,10}}z[{_LONG}y]{{1,12}}"
    r"|[12][0-9A-Za-z]{5}-(?:00[0-9A-Za-z]{4}-[0-9A-Za-z]{2}|0{7}[0-9A-Za-z]{4}-[0-9A-Za-z]{4}))"
)
# They have letters; only Exim's zeros are more digits in a row than six.
TELLING_ID = r"(?:[^0-9]+$|[0-9-]+$)"
# Digits of a host's pseudonym: enough to distinguish the operator's hosts.
HOST_DIGITS = 12
HASH = r"[0-9a-f]{32}"
DOMAIN = r"(?:[a-z0-9_-]{1,63}\.)+[a-z0-9-]{2,63}"
NETWORK_CODE = r"[0-9]{3}-[0-9]{2,3}"
DSN_CODE = r"[245]\.[0-9]{1,3}\.[0-9]{1,3}"
# Three digits of SMTP or SIP, an SMPP status, a number of a table of causes.
REPLY_CODE = r"[0-9]{1,5}|0x(?:0{4})?[0-9A-Fa-f]{1,4}|(?:map_error|rp_cause|tp_fcs) [0-9]{1,3}"
# Symbols that confirm who sent a mail: rspamd's and SpamAssassin's.
VERIFIED = (
    *("R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"),
    *("SPF_PASS", "DKIM_VALID", "DKIM_VALID_AU", "DMARC_PASS"),
)
# Values that reports may have in these fields; anything else is free text and does not pass.
OVERRIDES = (
    *("forwarded", "sampled_out", "trusted_forwarder", "mailing_list"),
    *("local_policy", "policy_test_mode", "other"),
)
CHECK_RESULTS = ("none", "neutral", "pass", "fail", "softfail", "policy", "temperror", "permerror")
OTHER = "_U"
# Actions of filters that no rule names, since they let a message pass.
PASSING = ("no action", "accept")
# Whether each value may pass: of the values of a column, and of the operators.
Check = Callable[[pl.Expr, Protection], pl.Expr]


@cache
def rule_patterns(*match_on: str) -> tuple[str, ...]:
    """The patterns of type, measure and attribute rules that match on one of these kinds of evidence."""
    tables = ("type_rule", "countermeasure_rule", "attribute_rule")
    rows = [row for table in tables for row in reference_rows(table)]
    return tuple(dict.fromkeys(row["pattern"] for row in rows if row["match_on"] in match_on))


def pattern_check(text: str) -> Check:
    return lambda value, protection: value.str.contains(rf"^(?:{text})$")


def check_membership(known: Callable[[], Sequence[str]]) -> Check:
    return lambda value, protection: value.is_in([*known(), OTHER])


def is_domain(value: pl.Expr, protection: Protection) -> pl.Expr:
    is_name = value.str.contains(rf"^{DOMAIN}$") & (value.str.len_bytes() <= LONGEST_NAME)
    return (is_name & ~value.str.contains(rf"(?:[0-9][^0-9.]*){{{FEWEST_DIGITS}}}")) | (value == OTHER)


def is_link(value: pl.Expr, protection: Protection) -> pl.Expr:
    return value.is_in([name for own in protection.spaces for name, _ in own.links])


def is_party(value: pl.Expr, protection: Protection) -> pl.Expr:
    is_own = value.is_in([own.operator_id for own in protection.spaces]) | is_link(value, protection)
    return is_own | value.str.contains(rf"^{NETWORK_CODE}$") | is_domain(value, protection)


SHAPES: dict[str, Check] = {
    # Given by the settings, or made by this program of what no line says.
    "own": lambda value, protection: pl.lit(True),
    "hash": pattern_check(HASH),
    "queue_id": lambda value, protection: is_queue_id(value) | value.str.contains(f"^{HASH}$"),
    "queue_key": lambda value, protection: (
        is_queue_id(value, rf"^[0-9a-f]{{{HOST_DIGITS}}}\|", r"\|") | value.str.contains(f"^{HASH}$")
    ),
    "domain": is_domain,
    "network": pattern_check(r"(?:[0-9]{1,3}\.){3}0/24|[0-9a-f:]{2,}/48"),
    "country": check_membership(lambda: list_codes("ref.country.iso3")),
    "network_code": pattern_check(NETWORK_CODE),
    "link": is_link,
    "party": is_party,
    "dsn_code": pattern_check(DSN_CODE),
    "reply_code": lambda value, protection: (
        value.str.contains(f"^(?:{REPLY_CODE})$") | value.is_in([*rule_patterns("dlr_status", "status")])
    ),
    "action": check_membership(lambda: [*rule_patterns("action"), *PASSING]),
    "symbol": check_membership(lambda: [*rule_patterns("symbol"), *VERIFIED]),
    "override": check_membership(lambda: OVERRIDES),
    "check_result": check_membership(lambda: CHECK_RESULTS),
}


def column_shapes(field: Field) -> dict[str, str | None]:
    """The shape of each text of a column, by its name in a struct, '' where it is none; null where none is
    stated. `list NAME` is that of a code list."""
    given = field.shape
    if isinstance(given, dict):
        return dict(given)
    if given is None and field.codelist is not None:
        given = f"list {field.codelist}"
    elif given is None and field.name.endswith("_hash"):
        given = "hash"
    return {"": given}


def shape_check(shape: str) -> Check:
    kind, _, name = shape.partition(" ")
    return check_membership(lambda: list_codes(name)) if kind == "list" else SHAPES[shape]


def enforce_shapes(frame: pl.DataFrame, table: str, protection: Protection) -> pl.DataFrame:
    """Rows of a table as its columns' shapes let them pass: other texts are null, other elements of lists
    gone, and numbers above a column's `most` null, or `most` where the table needs one."""
    contract = read_contract(table)
    kinds = polars_schema(table)
    rules: dict[str, tuple[pl.Expr, pl.Expr]] = {}
    for field in contract.fields:
        if field.name not in frame.columns or frame[field.name].null_count() == frame.height:
            continue
        rule = check_number(field, field.name in contract.required_columns) or check_texts(
            field, kinds[field.name], protection
        )
        if rule is not None:
            rules[field.name] = rule
    # Nearly always each value may pass: only the columns with others are written again.
    is_whole = frame.select(**{name: whole for name, (whole, _) in rules.items()}).row(0, named=True)
    return frame.with_columns(**{name: rules[name][1] for name, is_fit in is_whole.items() if not is_fit})


def check_number(field: Field, is_needed: bool) -> tuple[pl.Expr, pl.Expr] | None:
    """Return whether all numbers of a column may pass, and those that may; None where it has no `most`."""
    if field.most is None:
        return None
    column, most = pl.col(field.name), field.most
    is_fit = (column.abs() <= most).fill_null(True)
    return is_fit.all(), column.clip(-most, most) if is_needed else pl.when(is_fit).then(column)


def check_texts(field: Field, kind: Any, protection: Protection) -> tuple[pl.Expr, pl.Expr] | None:
    """Return whether all texts of a column may pass, and those that may; None where it has none, or only the
    program's own."""
    column, element = pl.col(field.name), pl.element()
    if not has_texts(kind):
        return None
    if kind == pl.String:
        is_fit = fitting_texts(field, column, protection).get("")
        return None if is_fit is None else (is_fit.all(), pl.when(is_fit).then(column))
    kept = fitting_texts(field, element, protection)
    if not kept:
        return None
    whole = ~column.list.eval(~pl.all_horizontal(kept.values())).list.any().any()
    if "" in kept:
        return whole, column.list.eval(element.filter(kept[""]))
    parts = [element.struct.field(each.name) for each in kind.inner.fields]
    values = [
        (pl.when(kept[each.name]).then(part) if each.name in kept else part).alias(each.name)
        for each, part in zip(kind.inner.fields, parts, strict=True)
    ]
    return whole, column.list.eval(pl.struct(values))


def has_texts(kind: Any) -> bool:
    if isinstance(kind, pl.List):
        return has_texts(kind.inner)
    if isinstance(kind, pl.Struct):
        return any(has_texts(each.dtype) for each in kind.fields)
    return bool(kind == pl.String)


def fitting_texts(field: Field, value: pl.Expr, protection: Protection) -> dict[str, pl.Expr]:
    """Check whether each text of a value may pass, by its name in a struct; without the program's own."""
    found = {}
    for name, shape in column_shapes(field).items():
        assert shape is not None, f"schemas/fields.yaml states no shape of {field.name}"
        if shape != "own":
            text = value.struct.field(name) if name else value
            found[name] = shape_check(shape)(text, protection).fill_null(True)
    return found


def is_queue_id(value: pl.Expr, before: str = "^", just_before: str = "^") -> pl.Expr:
    """Return whether each text is a queue id that reveals nothing.

    Args:
        before, just_before: what stands before it in each, and the end of that, as regular expressions.
    """
    return value.str.contains(f"{before}{QUEUE_ID}$") & ~value.str.contains(f"{just_before}{TELLING_ID}")


def queue_ids(ids: pl.Series, key: bytes) -> pl.Series:
    """Queue ids; one that no mail server makes, or that may hold a number, as its pseudonym, which finds the
    same one elsewhere."""
    is_plain = ids.to_frame("id").select(is_queue_id(pl.col("id"))).to_series()
    return hide_others(ids, is_plain, ids, key)


def queue_keys(keys: pl.Series, key: bytes) -> pl.Series:
    """Hosts and queue ids, as mx1|4jYlH071Srz1fPlf, with a pseudonym of the host, whose name anybody may have
    given; one whose id queue_ids() hides as its pseudonym."""
    hosts = keys.str.extract(r"^(.*\|)")
    hidden = keyed_hashes(hosts, key).str.head(HOST_DIGITS)
    parts = pl.DataFrame({"key": keys, "host": hosts, "hidden": hidden})
    id = pl.col("key").str.slice(pl.col("host").str.len_chars())
    plain, is_plain = parts.select(
        pl.concat_str("hidden", pl.lit("|"), id).alias("plain"),
        is_queue_id(pl.col("key"), r"\|", r"\|").alias("is_plain"),
    )
    return hide_others(keys, is_plain, plain, key)


def hide_others(values: pl.Series, is_plain: pl.Series, plain: pl.Series, key: bytes) -> pl.Series:
    """Pseudonyms of the values, but for those that are plain, which are as `plain` has them."""
    if is_plain.all():
        return plain.set(values.is_null(), None).alias(values.name)
    others = values.set(is_plain.fill_null(False), None)
    return plain.zip_with(is_plain, keyed_hashes(others, key)).alias(values.name)


def action_names(actions: pl.Expr) -> pl.Expr:
    """Actions as engines name them; _U in place of a name that no rule knows, null where there is none."""
    known = [*rule_patterns("action"), *PASSING]
    return pl.when(actions.is_in(known)).then(actions).when(actions != "").then(pl.lit(OTHER))
