"""Texts of logs that identify no person if they have the form that they should have: queue ids, codes, names
of tests and actions. What looks otherwise may be an address, a number or a sentence that somebody put there,
and does not pass from bronze to silver as it is.
"""

from __future__ import annotations

import polars as pl

from jobs.protect.keyed_hashes import keyed_hashes

# Queue ids as mail servers make them: Postfix's short and long ones, Exim's before and since 4.97, Sendmail's
# of this century and before. A number alone is none: Postfix's short ids rarely have no letter.
QUEUE_ID = (
    r"(?:[0-9]*[A-F][0-9A-F]{4,15}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,12}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{1,12}"
    r"|[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}|[0-9A-Za-z]{11})-[0-9A-Za-z]{2}(?:[0-9A-Za-z]{2})?"
    r"|[0-9A-Za-x][0-9AB][0-9A-V][0-9A-N][0-9A-Za-x]{4}[0-9]{5,7}|[A-Z]{3}[0-9]{5})"
)
# The host before a queue id reveals an address or a number.
TELLING_HOST = r"^[^|]*(?:[0-9]{1,3}(?:[.-][0-9]{1,3}){3}|[@:%\s]|(?:[0-9][^|.]*){6})"
# A code of three digits, a word, an SMPP status, a number of a table of causes: up to five digits in all.
REPLY_CODE = r"^(?:0x[0-9A-Fa-f]{1,8}|(?:[a-z_]{1,20} )?[A-Za-z_-]{0,40}(?:[0-9][A-Za-z_-]{0,10}){0,5})$"
DSN_CODE = r"^[245]\.[0-9]{1,3}\.[0-9]{1,3}$"
ACTION = r"^[A-Za-z][A-Za-z_ ,/-]{0,40}(?:[0-9][A-Za-z_ ,/-]{0,10}){0,5}$"
# Names as administrators give them, in which a date may stand; neither a number nor an address.
SYMBOL = r"^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$"
TELLING_SYMBOL = r"[0-9]{9}|[0-9]{1,3}(?:\.[0-9]{1,3}){3}"


def queue_ids(ids: pl.Series, key: bytes) -> pl.Series:
    """Queue ids; one that no mail server makes as its pseudonym, which finds the same one elsewhere."""
    return hidden_but(ids, ids.str.contains(f"^{QUEUE_ID}$"), key)


def queue_keys(keys: pl.Series, key: bytes) -> pl.Series:
    """Hosts and queue ids, as mx1|4jYlH071Srz1fPlf; one that reveals more as its pseudonym."""
    is_plain = keys.str.contains(rf"\|{QUEUE_ID}$") & ~keys.str.contains(TELLING_HOST)
    return hidden_but(keys, is_plain, key)


def hidden_but(values: pl.Series, is_plain: pl.Series, key: bytes) -> pl.Series:
    """The values, those that are not plain as pseudonyms."""
    if is_plain.all():
        return values
    return values.zip_with(is_plain, keyed_hashes(values.set(is_plain.fill_null(False), None), key))


def of_shape(column: str, shape: str) -> pl.Expr:
    """The column where it has the shape; null elsewhere."""
    return pl.when(pl.col(column).str.contains(shape)).then(column).alias(column)


def symbols(lists: pl.Series) -> pl.Series:
    """Names of tests without those that are none."""
    names = lists.explode().unique().drop_nulls()
    odd = names.filter(~names.str.contains(SYMBOL) | names.str.contains(TELLING_SYMBOL))
    if odd.is_empty():
        return lists
    return lists.list.eval(pl.element().filter(~pl.element().is_in(odd.implode())))
