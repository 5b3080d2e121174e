"""What the three forms of Rspamd's verdicts share: task log, history and ClickHouse rows.

All three are written by the same scan, so they must tell the same of it, as far as they tell it.
"""

from __future__ import annotations

import polars as pl

from jobs.formats.fields import none_if_empty
from jobs.formats.verdicts import without_brackets

# Actions that let a message pass or ask it to come again.
HAM_ACTIONS = ["no action", "greylist", "soft reject"]
SPAM_ACTIONS = ["reject", "add header", "rewrite subject"]


def is_spam(action: pl.Expr, flag: pl.Expr | None = None) -> pl.Expr:
    """Whether Rspamd holds a message to be spam.

    flag: that of the task log, T for a custom action that stands for spam. Without it, nothing is known of
    what a custom action means.
    """
    known = pl.when(action.is_in(SPAM_ACTIONS)).then(True).when(action.is_in(HAM_ACTIONS)).then(False)
    return known.otherwise(None) if flag is None else known.otherwise(flag == "T")


def message_id(text: pl.Expr) -> pl.Expr:
    """A message-id without one pair of brackets; null where Rspamd found none."""
    return none_if_empty(without_brackets(text), "undef")
