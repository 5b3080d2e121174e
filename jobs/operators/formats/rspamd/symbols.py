"""Lists of symbols in Rspamd's task log: `NAME(1.00){option;},NAME(0.50){}`."""

import polars as pl

from jobs.operators.formats.rspamd.verdict import FUZZY, fuzzy_hash
from jobs.operators.formats.shared.fields import none_if_empty

# A symbol starts the list or follows the end of another: `{}` or `{...;}`. Anything else of the shape
# NAME(1.00) is text inside an option.
_SYMBOL = r"(?:^|\{\},|;\},)[^\s,;(){}]+\((?:-?[\d.]+|-?nan|-?inf)\)"
# A fuzzy symbol with its options, but for the end of the last, after which the next symbol begins.
_FUZZY_SYMBOL = (
    r"(?:^|\{\},|;\},)[^\s,;(){}]*FUZZY[^\s,;(){}]*\((?:-?[\d.]+|-?nan|-?inf)\)\{[^{};]+(?:;[^{};]+)*"
)


def symbol_names(listed: pl.Expr) -> pl.Expr:
    """Names of the symbols in lists, in log order.

    Most lists can be split at `},`. Where an option may hold that or `){`, the pattern decides.
    """
    is_plain = are_plain(listed, _count_part(listed, "},"))
    found = pl.when(~is_plain).then(listed).str.extract_all(_SYMBOL)
    cleaned = found.list.eval(pl.element().str.strip_chars_start("{};,")).list.join("},")
    text = pl.when(is_plain).then(listed).otherwise(cleaned)
    return cut_weights(none_if_empty(text).str.split("},"))


def fuzzy_hash_in_list(listed: pl.Expr) -> pl.Expr:
    """The hash that a part of text is most like. Few lists have a fuzzy symbol."""
    some = pl.when(listed.str.contains(FUZZY, literal=True)).then(listed).str.extract_all(_FUZZY_SYMBOL)
    options = some.list.eval(pl.element().str.splitn("){", 2).struct.field("field_1")).list.join(";")
    return fuzzy_hash(options.str.split(";"))


def are_plain(listed: pl.Expr, ends: pl.Expr) -> pl.Expr:
    """Return whether lists can be split at `},`, of which they have so many."""
    return (_count_part(listed, "){") == ends + 1) & (
        _count_part(listed, ";},") + _count_part(listed, "{},") == ends
    )


def cut_weights(symbols: pl.Expr) -> pl.Expr:
    """The names of symbols with their weights and options."""
    return symbols.list.eval(pl.element().str.splitn("(", 2).struct.field("field_0"))


def _count_part(text: pl.Expr, part: str) -> pl.Expr:
    return text.str.count_matches(part, literal=True)
