"""Quality of types found by keywords, on texts that were written without a look at the rules.

tests/data/type_wording/wording.csv: ordinary wording of spam and of what is none, of messages (SMS) and of
subjects (EMAIL), in six languages, with the type that a person gives it; none where it is no spam. No text
was made to fit a rule. It is small: a text more or less is two points of a language's figure.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from jobs.operators.protect.message_types import type_of_texts

WORDING = Path(__file__).parents[1] / "tests" / "data" / "type_wording" / "wording.csv"
# What logs texts, and what logs subjects.
ENGINES = {"SMS": "kannel", "EMAIL": "postfix"}
NAMES = {"SMS": "types of SMS, by words", "EMAIL": "types of mail, by words of subjects"}


def told() -> pl.DataFrame:
    """The texts with `found`, the type that rules tell of each."""
    with WORDING.open(newline="", encoding="utf-8") as file:
        texts = pl.DataFrame(list(csv.DictReader(file))).with_columns(pl.col("type_code").replace("", None))
    parts = []
    for channel, engine in ENGINES.items():
        mine = texts.filter(channel_code=channel)
        found = type_of_texts(mine["text"], engine, channel)["spam_type_code"]
        parts.append(mine.with_columns(found.alias("found")))
    return pl.concat(parts)


def worth(rows: pl.DataFrame) -> tuple[float, float]:
    """Precision and recall: of the texts that got a type, those that got their own; of spam, the same.

    What is no spam and got a type is wrong.
    """
    right = rows.filter(pl.col("found") == pl.col("type_code")).height
    return right / max(rows["found"].count(), 1), right / rows["type_code"].count()


def by_language() -> Iterator[tuple[str, str, float, float]]:
    """Yield each channel and language with precision and recall of its types."""
    rows = told()
    for channel, name in NAMES.items():
        mine = rows.filter(channel_code=channel)
        for language in sorted(mine["language_code"].unique()):
            yield name, language, *worth(mine.filter(language_code=language))
        yield name, "all of them", *worth(mine)
