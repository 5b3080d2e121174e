"""Rules for the three forms of Rspamd's verdicts: task log, history and ClickHouse rows.

One scan writes all three, so that they must agree in the fields that they share.
"""

import polars as pl

from jobs.operators.formats.shared.fields import none_if_empty
from jobs.operators.formats.shared.verdicts import strip_brackets

# Actions that let a message pass or ask it to come again.
HAM_ACTIONS = ["no action", "greylist", "soft reject"]
SPAM_ACTIONS = ["reject", "add header", "rewrite subject"]


# A fuzzy storage's symbols: FUZZY_DENIED, LOCAL_FUZZY_WHITE, R_FUZZY_HASH; sites name more (fuzzy_check).
FUZZY = "FUZZY"
# An option of theirs: flag, the storage's hash, probability, and of which part; since 4.1.3 also the hash
# that was asked for, where it differs (fuzzy_check.c, fuzzy_insert_result()). Releases of 2016 name no part.
_FUZZY_TEXT = r"^-?\d+:([0-9a-f]{4,128}):([01]\.\d\d):txt(?::[0-9a-f]*)?$"


def fuzzy_hash(options: pl.Expr) -> pl.Expr:
    """Return the hash that a part of text is most like, from a list with the options of fuzzy symbols.

    Among equally like hashes the greatest, so that the order of storages' answers has no effect. Hashes of
    images, attachments and HTML structure are left out: a logo is in every mail of its owner.
    """
    likeness_first = options.list.eval(
        pl.element().str.extract(_FUZZY_TEXT, 2) + " " + pl.element().str.extract(_FUZZY_TEXT, 1)
    )
    best = likeness_first.list.drop_nulls().list.sort(descending=True).list.first()
    return best.str.splitn(" ", 2).struct.field("field_1")


def scan_key(*names: str) -> pl.Expr:
    """Key that rows of one scan share: the first of these columns that the row has, behind its initial."""
    return pl.coalesce(*(pl.lit(f"{name[0]}|") + pl.col(name) for name in names), pl.lit(""))


def is_spam(action: pl.Expr, flag: pl.Expr | None = None) -> pl.Expr:
    """Return whether Rspamd holds a message to be spam.

    Args:
        flag: that of the task log, T for a custom action that stands for spam. Without it, nothing is known
            of what a custom action means.
    """
    known = pl.when(action.is_in(SPAM_ACTIONS)).then(True).when(action.is_in(HAM_ACTIONS)).then(False)
    return known.otherwise(None) if flag is None else known.otherwise(flag == "T")


def message_id(text: pl.Expr) -> pl.Expr:
    """A message-id without one pair of brackets; null where Rspamd found none."""
    return none_if_empty(strip_brackets(text), "undef")
