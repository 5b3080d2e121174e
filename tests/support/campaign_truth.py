"""SMS of the generator with their campaigns, and what finding them is worth.

The generator fills the same wordings with other numbers, codes and hosts, and makes some longer. Here senders
do more to pass filters: they change case and spacing, hide signs in words, greet by name, drop and add words.
Between them people write to each other, in the same words, mixed at random.

The likeness from which texts are of one campaign was chosen on one seed;
benchmarks/detection_quality.py reports others.
"""

import collections
import dataclasses
import datetime as dt
import io
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.tables.contracts import conform_frame, polars_schema, reference_table
from jobs.operators.formats import LINES, Source, kannel
from jobs.operators.protect import signatures
from sample_data.generate import generate
from sample_data.generator.profiles import CHANNEL, HEXAGONE
from sample_data.generator.texts import FIRST_NAMES, HAM_SMS, LONG_TAIL, SPAM_SMS
from tests.support.gold_tables import count_table

CHOSEN_ON, REPORTED_ON = 101, (102, 103)
DAY = dt.date(2026, 11, 20)
KEY = b"a key of the tests' own, not real"
LETTERS = 600
# Half of what is sent is spam: enough of each wording in little traffic.
OPERATORS = tuple(dataclasses.replace(each, spam_share=0.5) for each in (CHANNEL, HEXAGONE))
VOCABULARY = [
    word
    for language in ("en", "fr")
    for text in (
        *HAM_SMS[language],
        LONG_TAIL[language],
        *(t for each in SPAM_SMS[language].values() for t in each),
    )
    for word in text.split()
    if "{" not in word
]


def texts(seed: int, megabytes: float = 0.5) -> pl.DataFrame:
    """Messages of a day: operator_id, text, campaign (the wording; of a person's letter itself), is_spam."""
    rng = random.Random(seed)
    details = io.StringIO()
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        generate(
            Path(folder),
            seed=seed,
            start=DAY,
            days=1,
            megabytes=megabytes,
            operators=OPERATORS,
            details=details,
        )
        for operator in OPERATORS:
            files = sorted(Path(folder, operator.id).glob("bearerbox-access.log*"))
            lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
            parts.append(sent(lines, operator.id, operator.time_zone))
    rows = pl.concat(parts)
    told = pl.DataFrame([truth_of(json.loads(line)) for line in details.getvalue().splitlines()])
    # A report of spam to the operator is no message.
    told = told.filter(pl.col("campaign").is_not_null())
    key = ["operator_id", "second", "sender", "recipient"]
    # In one order, whatever the order of the log's rows: chance goes by it.
    found = rows.join(told, on=key, how="inner").unique(key, keep="none").sort(key)
    changed = [
        disguised(text, rng) if is_spam and rng.random() < 0.5 else text
        for text, is_spam in found.select("text", "is_spam").iter_rows()
    ]
    known = found.select("operator_id", pl.Series("text", changed), "campaign", "is_spam")
    letters = [" ".join(rng.choices(VOCABULARY, k=rng.randint(6, 16))) for _ in range(LETTERS)]
    people = pl.DataFrame(
        {
            "operator_id": rng.choices([each.id for each in OPERATORS], k=LETTERS),
            "text": letters,
            "campaign": [f"{place}: {letter}" for place, letter in enumerate(letters)],
            "is_spam": False,
        }
    )
    return pl.concat([known, people])


def sent(lines: list[str], operator: str, zone: str) -> pl.DataFrame:
    """Return each SMS of the gateway's log: sender, recipient, second and text."""
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    source = Source(operator, "smsc", "a", dt.datetime(2026, 11, 25, tzinfo=dt.UTC), zone)
    placed = kannel.parse(frame, source).with_columns(
        operator_id=pl.lit(operator), source_id=pl.lit("smsc"), stream_id=pl.lit("a")
    )
    raw = kannel.transmissions(kannel.assemble(placed)).collect()
    return raw.filter(pl.col("text").is_not_null()).select(
        "operator_id",
        pl.col("sender", "recipient").str.strip_chars_start("+"),
        pl.col("first_at").dt.strftime("%Y-%m-%dT%H:%M:%S").alias("second"),
        "text",
    )


def truth_of(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "operator_id": row["operator_id"],
        "sender": row["sender"],
        "recipient": row["recipients"][0][0],
        "second": row["first_at"][:19],
        "campaign": row["campaign"],
        "is_spam": row["is_spam"],
    }


def disguised(text: str, rng: random.Random) -> str:
    """The text with one or two of the changes that senders make."""
    words = text.split(" ")
    for _ in range(rng.randint(1, 2)):
        place = rng.randrange(len(words))
        change = rng.choice(("case", "spaces", "hidden", "name", "drop", "add", "path"))
        if change == "case":
            words[place] = words[place].upper()
        elif change == "spaces":
            words.insert(place, "")
        elif change == "hidden":
            middle = len(words[place]) // 2
            words[place] = words[place][:middle] + "\u200b" + words[place][middle:]
        elif change == "name":
            words = [rng.choice(FIRST_NAMES).title() + ",", *words]
        elif change == "drop" and len(words) > 5:
            del words[place]
        elif change == "add":
            words.insert(place, rng.choice(VOCABULARY))
        else:
            path = "".join(rng.choices("abcdefgh", k=6))
            words = [word + path if word.startswith("http") else word for word in words]
    return " ".join(words)


def messages(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with what silver.message has of them; recipient_hash numbers them."""
    empty = pl.lit(None, pl.String)
    frame = rows.with_columns(
        channel_code=pl.lit("SMS"),
        sender=empty,
        client_network=empty,
        subject=pl.lit(None, pl.String),
        message_bytes=pl.lit(None, pl.Int64),
        segment_count=pl.lit(1, pl.Int32),
    )
    place = pl.int_range(pl.len()).cast(pl.String)
    return frame.with_columns(signatures.sign_transmissions(frame, KEY)).with_columns(
        period_date=pl.lit(DAY), recipient_hash=place
    )


def worth(rows: pl.DataFrame) -> tuple[float, float]:
    """Precision and recall over pairs of messages of an operator: found together, and truly together.

    Reads operator_id, campaign (the truth) and campaign_hash (null: in no campaign).
    """

    def pairs(counts: collections.Counter[Any]) -> int:
        return sum(count * (count - 1) // 2 for count in counts.values())

    truth: collections.Counter[Any] = collections.Counter()
    found: collections.Counter[Any] = collections.Counter()
    both: collections.Counter[Any] = collections.Counter()
    for operator, campaign, name in rows.select("operator_id", "campaign", "campaign_hash").iter_rows():
        truth[operator, campaign] += 1
        if name is not None:
            found[operator, name] += 1
            both[operator, campaign, name] += 1
    return pairs(both) / max(pairs(found), 1), pairs(both) / pairs(truth)


def as_messages(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as silver.message; values that they lack are null or those of one delivered SMS."""
    given = {
        "grain_code": "recipient",
        "direction_code": "inbound",
        "outcome_code": "delivered",
        "stage_code": "delivery",
        "spam_type_code": "UNK",
        "is_message_row": True,
        "is_antispam": False,
        "first_at": dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
        "last_at": dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
        "spam_type_codes": [],
    }
    kinds = polars_schema("silver.message")
    missing = [
        pl.lit(given.get(name), kind).alias(name) for name, kind in kinds.items() if name not in rows.columns
    ]
    return conform_frame(rows.with_columns(missing).select(list(kinds)), "silver.message")


def thresholds(**changed: float) -> pl.DataFrame:
    value = pl.col("parameter_value")
    for name, number in changed.items():
        value = pl.when(pl.col("parameter_code") == name).then(float(number)).otherwise(value)
    return reference_table("ref.campaign_parameter").with_columns(value.alias("parameter_value"))


def found(seeds: tuple[int, ...], **changed: float) -> pl.DataFrame:
    """The seeds' messages, each with its campaign, true and found. Operators are told apart by seed."""
    rows = pl.concat(
        [
            messages(texts(seed)).with_columns(
                operator_id=pl.col("operator_id") + f"-{seed}", seed=pl.lit(seed)
            )
            for seed in seeds
        ]
    ).filter(signature_kind_code="text")
    made = count_table("gold.campaign_daily", as_messages(rows), thresholds(**changed))
    return rows.join(members_of(made), on=["operator_id", "signature_hash"], how="left")


def members_of(campaign: pl.DataFrame) -> pl.DataFrame:
    """The signatures of gold.campaign_daily, each with its campaign."""
    return campaign.select("operator_id", "campaign_hash", signature_hash="signature_hashes").explode(
        "signature_hash"
    )


def curve(seed: int) -> dict[float, tuple[float, float]]:
    """Precision and recall by the likeness asked for."""
    asked = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
    return {each: worth(found((seed,), least_similarity=each)) for each in asked}
