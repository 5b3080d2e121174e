"""The forms in which tables may hold an id, number or address: as in the log, and as pseudonyms."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from jobs.base.core.key_names import KeyPeriod
from jobs.base.settings.operator import Operator
from jobs.operators.protect import numbering
from jobs.operators.protect.message_ids import normalise_ids
from jobs.operators.protect.pseudonym_keys import make_pseudonyms, operator_key

# The beginning of a silver row's key, as lists of matches show it: longer than any number.
KEY = re.compile(r"[0-9a-f]{16,32}")
KEY_SHOWN = 16


@dataclass(frozen=True)
class Names:
    """The forms in which tables hold a searched text.

    Attributes:
        texts: the forms in bronze.
        hashes: the pseudonyms in silver.
        keys: the text, if a row's key may begin with it.
    """

    texts: list[str]
    hashes: list[str]
    keys: list[str]


def search_names(text: str, operator: Operator, periods: Iterable[KeyPeriod]) -> Names:
    """The forms of a queue id, Message-ID, Call-ID, id of an SMSC, number or address at an operator, under
    each of its keys."""
    text = text.strip()
    bare = text.removeprefix("<").removesuffix(">")
    texts = list(dict.fromkeys([bare, text]))
    numbers = pl.DataFrame({"number": [bare]}).select(
        e164=numbering.normalise_e164(pl.col("number"), operator.country),
        national=numbering.normalise_e164(pl.col("number"), operator.country, is_national=True),
    )
    raw = {*texts, *(each.lower() for each in texts), *numbers.row(0)}
    raw |= set(normalise_ids(pl.Series(texts)))
    series = pl.Series(sorted(raw - {None}), dtype=pl.String)
    keys = [operator_key(operator.id, period.key_file) for period in periods]
    hashed = [each for key in keys for each in make_pseudonyms(series, key)]
    return Names(texts, hashed, [bare] if KEY.fullmatch(bare) else [])
