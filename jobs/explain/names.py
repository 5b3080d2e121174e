"""The forms in which tables may hold an id, number or address: as in the log, and as pseudonyms."""

import re
from dataclasses import dataclass

import polars as pl

from jobs.protect import numbering
from jobs.protect.message_ids import normalise_ids
from jobs.protect.pseudonym_keys import make_pseudonyms, operator_key
from jobs.settings.operator import Operator

# The beginning of a silver row's key, as lists of matches show it: longer than any number.
KEY = re.compile(r"[0-9a-f]{16,32}")
KEY_SHOWN = 16


@dataclass(frozen=True)
class Names:
    """texts: the forms in bronze. hashes: the pseudonyms in silver. keys: the text, if a row's key may begin
    with it."""

    texts: list[str]
    hashes: list[str]
    keys: list[str]


def search_names(text: str, operator: Operator) -> Names:
    """The forms of a queue id, Message-ID, Call-ID, id of an SMSC, number or address at an operator."""
    text = text.strip()
    bare = text.removeprefix("<").removesuffix(">")
    texts = list(dict.fromkeys([bare, text]))
    numbers = pl.DataFrame({"number": [bare]}).select(
        e164=numbering.to_e164(pl.col("number"), operator.country),
        national=numbering.to_e164(pl.col("number"), operator.country, is_national=True),
    )
    raw = {*texts, *(each.lower() for each in texts), *numbers.row(0)}
    raw |= set(normalise_ids(pl.Series(texts)))
    hashed = make_pseudonyms(pl.Series(sorted(raw - {None}), dtype=pl.String), operator_key(operator.id))
    return Names(texts, hashed.to_list(), [bare] if KEY.fullmatch(bare) else [])
